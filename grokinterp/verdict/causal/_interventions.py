"""What the neurons do with their inputs from a and from b: the interventions of Stander et al. 2024.

Stander et al. ("Grokking Group Multiplication with Cosets", arXiv 2312.06581) write a neuron's input as l(a) + r(b),
and change it, or what the neuron does with it. A network that answers by cosets depends on the relation of l(a) to
r(b), on where they cancel, and little on the shape of the non-linearity.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.models import ACTIVATIONS, ModelConfig
from grokinterp.runs import Snapshot

from ._last_layer import LastLayer, by_chunk, cached, judged

Neurons = Float[torch.Tensor, "pair d_mlp"]
NOISE = ((0.0, 0.1), (0.0, 1.0), (1.0, 1.0), (-1.0, 1.0))


@dataclass(frozen=True)
class Intervention:
    """A network with changed neurons. ``pandas.DataFrame(list(interventions))`` makes a table of several.

    `loss` is the cross-entropy over the answers on all pairs, in float64; `accuracy` the share of right answers. Of a
    large network they are on some pairs, see `Snapshot.some_of`.
    """

    name: str
    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The neurons' input and its parts: from a, from b, and both with the embeddings of a and b exchanged."""

    pre: Neurons
    left: Neurons
    right: Neurons
    exchanged: Neurons


@torch.no_grad()
def interventions(snapshot: Snapshot, seed: int = 0) -> tuple[Intervention, ...]:
    """Loss and accuracy on all pairs with the input of the neurons changed.

    With a neuron's input x = l(a) + r(b) + rest, the biases among the rest, the neurons become

    | name | neurons | published accuracy, loss |
    |---|---|---|
    | none | act(x) | 99.99 %, 1.97e-6 |
    | embedding swap | act(l' + r' + rest), the embeddings of a and b having changed places | 1 %, 4.76 |
    | flip both | act(−l − r + rest) | 100 %, 1.97e-6 |
    | flip left | act(−l + r + rest) | 0 %, 22.39 |
    | flip right | act(l − r + rest) | 0 %, 22.36 |
    | noise N(0, 0.1) | act(x + ε), ε of that mean and standard deviation | 99.99 %, 2.96e-6 |
    | noise N(0, 1) | | 97.8 %, 1.7e-3 |
    | noise N(1, 1) | | 88 %, 2.9e-2 |
    | noise N(-1, 1) | | 98 %, 2.1e-3 |
    | absolute value | x times its sign | 100 %, 3.69e-13 |

    The published values are means over 128 networks without attention on S5, with embeddings of b's own and a
    `concatenation` of the two (their flips have no bias to leave alone).

    In a network without attention it is the first hidden layer's input, l(a) = E[a] W_in and r(b) = E[b] W_in, each
    with its own rows of W_in for a `concatenation`; after a `sum` the swap changes nothing. In a transformer of one
    layer l and r are what attention carries over from the positions of a and b, the pattern as it is (frozen) and
    biases b_V within: l = Σ_h A_h,a (x_a W_V^h + b_V^h) W_O^h W_in, x_a = W_E[a] + W_pos; r likewise, with the
    residual's x_b W_in where b is the last position. The swap exchanges W_E[a] and W_E[b] in them and leaves positions
    alone. What goes to the logits around the MLP stays.

    `seed` draws the noise, the same standard normal deviates for all four.

    Raises `GrokinterpError` for a transformer of more layers, with a normalization, or with attention and MLP in
    parallel, whose neurons' input is no sum of a part from a and one from b.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> config, task = ModelConfig(architecture="mlp"), Task(TaskConfig(p=5))
    >>> found = interventions(Snapshot(0, task, config, initial_weights(config, task)))
    >>> found[0].loss == found[1].loss  # Embeddings of a and of b are added.
    True
    """
    config, task = snapshot.config, snapshot.task
    if not has_two_inputs(config):
        raise GrokinterpError(f"interventions: a transformer of {config.n_layers} layers {_in_the_way(config)}")
    pairs = torch.from_numpy(snapshot.some_of(np.arange(task.n_pairs)))
    inputs, logits_of = (_of_mlp if config.architecture == "mlp" else _of_transformer)(snapshot, pairs)
    act = ACTIVATIONS[config.act_fn].of
    x, left, right = inputs.pre, inputs.left, inputs.right
    deviates = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    neurons: dict[str, Callable[[], torch.Tensor]] = {
        "none": lambda: act(x),
        "embedding swap": lambda: act(x + (inputs.exchanged - (left + right))),
        "flip both": lambda: act(x - 2 * left - 2 * right),
        "flip left": lambda: act(x - 2 * left),
        "flip right": lambda: act(x - 2 * right),
        **{f"noise N({m:g}, {sd:g})": lambda m=m, sd=sd: act(x + m + sd * deviates) for m, sd in NOISE},
        "absolute value": lambda: x.abs(),
    }
    answers = torch.from_numpy(task.answers)[pairs]
    return tuple(Intervention(name, *judged(logits_of(changed()), answers)) for name, changed in neurons.items())


def has_two_inputs(config: ModelConfig) -> bool:
    """Whether the input of the neurons is a sum of a part from a and one from b.

    Of a network without attention, however deep, those of its first layer.
    """
    if config.architecture == "mlp":
        return True
    return config.n_layers == 1 and config.normalization == "none" and not config.parallel_attn_mlp


def why_no_two_inputs(config: ModelConfig) -> str:
    """Why they are not, and what is needed; empty where they are."""
    return "" if has_two_inputs(config) else f"a transformer of {config.n_layers} layers {_in_the_way(config)}"


def _in_the_way(config: ModelConfig) -> str:
    parallel = ", attention and MLP in parallel" if config.parallel_attn_mlp else ""
    return (
        f"with normalization {config.normalization}{parallel}: its neurons' input is no sum of a part from a and one "
        "from b; needs one layer, normalization none, and an MLP that reads what attention puts out"
    )


LogitsOf = Callable[[torch.Tensor], torch.Tensor]


def _of_mlp(snapshot: Snapshot, pairs: Int[torch.Tensor, " pair"]) -> tuple[_Inputs, LogitsOf]:
    """The first hidden layer's inputs, and the logits of its neurons."""
    config, task, weights = snapshot.config, snapshot.task, snapshot.weights
    act, first = ACTIVATIONS[config.act_fn].of, "blocks.0.mlp"
    W_in = weights[f"{first}.W_in"]
    # Rows of W_in for each position: all of them, or the position's own.
    rows = W_in.split(config.d_model) if config.mlp_inputs == "concatenation" else (W_in,) * len(task.positions)
    at_a, at_b = task.positions.index("a"), task.positions.index("b")
    E_a, E_b = (weights["embed.W_E"][task.tokens[pairs, position]] for position in (at_a, at_b))
    pre = cached(snapshot, [f"{first}.hook_pre"], task.tokens[pairs])[0][:, -1]
    left, right = E_a @ rows[at_a], E_b @ rows[at_b]
    # A sum takes no notice of the order; computed again, its rounding would.
    exchanged = left + right if config.mlp_inputs == "sum" else E_b @ rows[at_a] + E_a @ rows[at_b]

    def logits(h: torch.Tensor) -> torch.Tensor:
        for layer in range(1, config.n_layers):
            block = f"blocks.{layer}.mlp"
            h = act(torch.addmm(weights[f"{block}.b_in"], h, weights[f"{block}.W_in"]))
        return torch.addmm(weights["unembed.b_U"], h, weights["unembed.W_U"])[:, : task.n_answers]

    return _Inputs(pre, left, right, exchanged), lambda neurons: by_chunk(logits, neurons)


def _of_transformer(snapshot: Snapshot, pairs: Int[torch.Tensor, " pair"]) -> tuple[_Inputs, LogitsOf]:
    """The only layer's inputs from a and b at the last position, and the logits of its neurons."""
    last = LastLayer.of(snapshot, pairs if snapshot.is_large else None)
    task, weights, tokens = snapshot.task, snapshot.weights, snapshot.task.tokens[pairs]
    W_E, W_pos, W_in = weights["embed.W_E"], weights["pos_embed.W_pos"], last.weight("mlp.W_in")
    W_V, b_V = last.weight("attn.W_V"), last.weight("attn.b_V")
    to_neurons = last.weight("attn.W_O").flatten(0, 1) @ W_in
    pattern = torch.from_numpy(snapshot.pattern_of(pairs.numpy()))

    def read(place: int, embedded: torch.Tensor) -> torch.Tensor:
        """What position `place` gives to the neurons with these embeddings at it."""
        x = embedded + W_pos[place]
        value = torch.einsum("nd,hdk->nhk", x, W_V) + b_V
        given = (pattern[:, :, place, None] * value).flatten(1) @ to_neurons
        return given + x @ W_in if place == len(task.positions) - 1 else given

    at_a, at_b = task.positions.index("a"), task.positions.index("b")
    E_a, E_b = (W_E[tokens[:, place]] for place in (at_a, at_b))
    left, right = read(at_a, E_a), read(at_b, E_b)
    exchanged = read(at_a, E_b) + read(at_b, E_a)
    return _Inputs(last.pre, left, right, exchanged), last.after_neurons
