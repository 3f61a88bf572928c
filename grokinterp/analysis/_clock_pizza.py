"""Clock or pizza: the two metrics of Zhong et al. 2023 (The Clock and the Pizza, arXiv 2306.17844).

Both judge only a network that knows the answer: an untrained one has values near 1 in both.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.models import FastForward
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task

from ._components import Places
from ._shuffled import first_shuffled

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

# Pairs per forward pass: 512 × 3 positions keep a layer of 512 neurons at 6 MB in float64, and in a core's cache.
CHUNK = 512


def distance_irrelevance(
    logits: Float[np.ndarray, "pair answer"], task: Task, *, of: Literal["correct", "runner_up"] = "correct"
) -> float:
    """q = mean over d of std_s M[s, d] / std M, where M[a + b, a − b] is the logit of the right answer to (a, b).

    Zhong et al. 2023: how little the distance a − b matters, 0 … 1, float64 with population deviations. In a
    pizza the right logit hangs on the distance, |cos(w(a − b)/2)|, and q is small; in a clock it does not, and q is
    near 1. The same logit for all pairs has no deviation to take a share of: nan.

    In a cyclic group of odd order n a and b are the elements i, j with answer i + j; so for a subtraction M stands
    over a − b and a + b. For even n, i + j and i − j leave two pairs open.

    - `of`: `runner_up` takes the largest wrong logit instead, which is what the released csv files hold.

    >>> from grokinterp.tasks import TaskConfig
    >>> task = Task(TaskConfig(p=7))
    >>> a, b = task.pairs.T[:, :, None]
    >>> pizza = np.abs(np.cos(np.pi * (a - b) / 7)) * np.cos(2 * np.pi * (a + b - np.arange(7)) / 7)
    >>> round(distance_irrelevance(pizza, task), 9)
    0.0
    """
    structure = task.structure
    if structure is None or not (structure.is_product and structure.is_cyclic):
        raise GrokinterpError(
            f"{task.name}: the distance irrelevance needs answers that are sums in a cyclic group; "
            "give a task such as addition modulo an odd number"
        )
    n = structure.n
    if n < 3 or n % 2 == 0:
        raise GrokinterpError(
            f"{task.name}: the distance irrelevance needs a group of odd order ≥ 3, in which a + b and a − b determine "
            f"a and b, and {structure.group_name} has {n} elements; give a task such as addition modulo an odd number"
        )
    if logits.shape != (task.n_pairs, task.n_answers):
        raise GrokinterpError(
            f"logits of shape {logits.shape}: the distance irrelevance needs {(task.n_pairs, task.n_answers)}, a row "
            f"per pair and a column per answer of {task.name}; give `Snapshot.logits`"
        )
    if of not in ("correct", "runner_up"):
        raise GrokinterpError(f"of = {of!r}: needs 'correct' or 'runner_up'; choose one of them")
    pair = np.arange(task.n_pairs)
    if of == "correct":
        values = logits[pair, task.answers]
    else:
        wrong = logits.copy()
        wrong[pair, task.answers] = -np.inf
        values = wrong.max(axis=1)
    i, j = np.indices((n, n))
    by_distance = np.empty((n, n))
    by_distance[(i + j) % n, (i - j) % n] = values[Places.of(task).grid]
    # By equality: the deviation of equal numbers need not round to zero.
    if (by_distance == by_distance[0, 0]).all():
        return float("nan")
    return float(by_distance.std(axis=0).mean() / by_distance.std())


def gradient_symmetricity(
    snapshot: Snapshot, *, triples: int | None = None, seed: int = 42, n: int | None = None
) -> float:
    """Mean over triples (a, b, c) of cos(∂Q_abc/∂E_a, ∂Q_abc/∂E_b), Q_abc the logit of c at the last position.

    Zhong et al. 2023. E_a and E_b, vectors of d_model numbers, are the embeddings of the tokens at the places of
    a and b before the positional embedding is added; float64. A pizza treats them alike, which gives nearly 1; a clock
    multiplies what it reads from them and gives less (the paper's two models: .994 and .334, of 100 triples). A
    gradient that vanishes counts as a cosine of 0; triples where both do are left out, and if none is left it is nan.

    - `triples`: how many. By default all pairs with all answers c, right or wrong; a number is a sample. The
      released code's is `triples=100`: the list of all triples, a outermost and c innermost, shuffled by Python's
      `random`.
    - `seed`: that of the shuffle. `n`: the former name of `triples`.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import TaskConfig
    >>> task, config = Task(TaskConfig(p=5)), ModelConfig()
    >>> untrained = Snapshot(step=0, task=task, config=config, weights=initial_weights(config, task))
    >>> gradient_symmetricity(untrained) > 0.9
    True
    """
    task = snapshot.task
    n_triples = task.n_pairs * task.n_answers
    if n is not None:
        warnings.warn("gradient_symmetricity: n is called triples now", DeprecationWarning, stacklevel=2)
        triples = n
    if triples is not None and not 1 <= triples <= n_triples:
        raise GrokinterpError(
            f"triples = {triples}: the gradient symmetricity needs 1 to {n_triples:,} triples of {task.name}; "
            "leave triples out to take them all"
        )
    # A shuffle moves numbers as it moves the triples they stand for.
    chosen = None if triples is None else torch.from_numpy(first_shuffled(n_triples, seed, triples))
    total, count = 0.0, 0
    for cosines in _cosines(snapshot, chosen):
        total, count = total + float(cosines.sum()), count + len(cosines)
    return total / count if count else float("nan")


@contextmanager
def _in_float64(model: "HookedTransformer") -> Iterator[None]:
    """The network itself in float64 and without gradients of its weights, until the end of the block.

    A copy would not do: under TransformerLens 4 hooks of a copied network write into the one it was copied from.
    """
    tensors = [(tensor, tensor.data, tensor.requires_grad) for tensor in (*model.parameters(), *model.buffers())]
    # transformer_lens casts the attention pattern to the configured type; a network without attention has none.
    config = getattr(model, "cfg", None)
    dtype = config.dtype if config else None
    try:
        for tensor, data, _ in tensors:
            tensor.requires_grad_(False)
            if data.is_floating_point():
                tensor.data = data.double()
        if config:
            config.dtype = torch.float64
        yield
    finally:
        for tensor, data, wanted in tensors:
            tensor.data = data
            tensor.requires_grad_(wanted)
        if config:
            config.dtype = dtype


def _cosines(
    snapshot: Snapshot, triples: Int[torch.Tensor, " triple"] | None
) -> Iterator[Float[torch.Tensor, " triple"]]:
    """The cosines that exist, in parts: of the triples pair · n_answers + c, or of every c for every pair."""
    task = snapshot.task
    pairs = torch.arange(task.n_pairs) if triples is None else triples // task.n_answers
    answers = range(task.n_answers) if triples is None else [triples % task.n_answers]
    with _evaluated(snapshot) as evaluate:
        for chunk in torch.arange(len(pairs)).split(CHUNK):
            with torch.enable_grad():
                of_a, of_b, logits = evaluate(pairs[chunk])
                for answer in answers:
                    wanted = logits[:, answer] if isinstance(answer, int) else logits[range(len(chunk)), answer[chunk]]
                    # No row depends on another, so that the gradient of their sum holds the gradient of each.
                    yield _existing_cosines(*torch.autograd.grad(wanted.sum(), (of_a, of_b), retain_graph=True))


@contextmanager
def _evaluated(snapshot: Snapshot) -> Iterator[Callable[[torch.Tensor], tuple[torch.Tensor, ...]]]:
    """What gives E_a, E_b and the logits of some pairs as a function of them, float64."""
    task = snapshot.task
    if snapshot.fast_forward and not _has_hooks(snapshot):
        weights = {name: weight.detach().double() for name, weight in snapshot.weights.items()}
        whole, W_E = FastForward(snapshot.config, weights), weights["embed.W_E"]

        def fast(pairs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            # Every pair has two symbols of its own.
            of_a, of_b = (W_E[symbols[pairs]].requires_grad_() for symbols in task.inputs)
            forward = whole.with_symbols(torch.cat([of_a, of_b]))
            place = torch.arange(len(pairs))
            return of_a, of_b, forward.activations(forward.batch(place, len(pairs) + place)).logits

        yield fast
        return
    # In parallel with attention, the MLP reads the residual before it.
    after_attention = "" if snapshot.config.parallel_attn_mlp else f"{snapshot.last_block}.hook_resid_mid"
    with _in_float64(snapshot.model):
        yield lambda pairs: _embedded_and_logits(snapshot.model, task, pairs, after_attention)


def _has_hooks(snapshot: Snapshot) -> bool:
    """Whether somebody has changed what the network computes by hooks of its own."""
    model = vars(snapshot).get("model")
    return model is not None and any(point.fwd_hooks for point in model.hook_dict.values())


def _embedded_and_logits(
    model: "HookedTransformer", task: Task, pairs: Int[torch.Tensor, " row"], after_attention: str
) -> tuple[Float[torch.Tensor, "row d_model"], Float[torch.Tensor, "row d_model"], Float[torch.Tensor, "row out"]]:
    """What `hook_embed` sees of a and of b, and the logits at the last position as a function of it."""
    leaves: list[torch.Tensor] = []

    def leaf(value: torch.Tensor, hook: object) -> torch.Tensor:  # noqa: ARG001 (transformer_lens names it)
        by_position = list(value.detach().unbind(dim=1))
        for place in (task.positions.index(letter) for letter in "ab"):
            leaves.append(by_position[place].clone().requires_grad_())
            by_position[place] = leaves[-1]
        return torch.stack(by_position, dim=1)

    def last_position(value: torch.Tensor, hook: object) -> torch.Tensor:  # noqa: ARG001
        return value[:, -1:]

    hooks: list[Any] = [("hook_embed", leaf)]
    # From the last layer's MLP on, only the last position is read: the others would be most of the work.
    if after_attention in model.hook_dict:
        hooks.append((after_attention, last_position))
    logits = model.run_with_hooks(task.tokens[pairs], fwd_hooks=hooks)
    return leaves[0], leaves[1], logits[:, -1]


def _existing_cosines(
    x: Float[torch.Tensor, "row d_model"], y: Float[torch.Tensor, "row d_model"]
) -> Float[torch.Tensor, " kept"]:
    x_norm, y_norm = x.norm(dim=1), y.norm(dim=1)
    norms = x_norm * y_norm
    cosine = torch.where(norms > 0, (x * y).sum(dim=1) / norms.where(norms > 0, 1.0), 0.0)
    return cosine[(x_norm > 0) | (y_norm > 0)]
