"""Networks out of tables: what neurons read of a and of b, what they write, and how a and b reach them.

`Neurons` says nothing of an architecture: neuron j is relu(x_a·read_a[:, j] + x_b·read_b[:, j] + bias[j]), where x are
the rows of a table of features, and writes write[j] to the answers. A carrier is a network in which that happens.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig

Array = np.ndarray
# Scores of [a, b, =] of a head that looks at a, or b, alone: differences beyond float32's smallest exponential.
FIRST, SECOND = (1000.0, 0.0, 0.0), (0.0, 1000.0, 0.0)
CARRIERS = ("heads", "uniform", "constant", "sum", "concatenation")
# Those in which b's features reach the neurons through the same coordinates as a's.
SHARING = ("rotating head", "shared sum")


@dataclass(frozen=True, eq=False)
class Neurons:
    """read_a, read_b: [feature, neuron]; bias: [neuron]; write: [neuron, answer]."""

    read_a: Array
    read_b: Array
    bias: Array
    write: Array


def joined(parts: Iterable[Neurons]) -> Neurons:
    """All neurons behind one another; they read the same features."""
    parts = list(parts)
    columns = (np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("read_a", "read_b"))
    bias, write = (np.concatenate([getattr(part, name) for part in parts]) for name in ("bias", "write"))
    return Neurons(*columns, bias, write)


@dataclass(frozen=True, eq=False)
class Head:
    """A head of a transformer that looks from `=`.

    - `token`, `position`: the score of a place is token·(its features) + position[its place], of [a, b, =].
    - `value`: [feature, v], what is taken from a place; `to`: [v, slot + answer], where that is written.
    """

    token: Array
    position: tuple[float, float, float]
    value: Array
    to: Array


def transformer(
    task: Task,
    features: Array,
    heads: list[Head],
    neurons: tuple[Array, Array, Array] | None,
    slots: int,
    *,
    b_U: Array | None = None,
    constant: bool = False,
) -> Snapshot:
    """One layer whose residual stream is [features, three positions, slots, answers], each coordinate for one use.

    `features` has a row per token but `=`; `neurons` are read: [slot, neuron], bias and write.
    """
    width, n = features.shape[1], task.n_answers
    slot = width + 3
    output = slot + slots
    read, bias, write = neurons or (np.zeros((slots, 1)), np.zeros(1), np.zeros((1, n)))
    config = ModelConfig(
        n_heads=len(heads),
        d_head=max(head.value.shape[1] for head in heads),
        d_model=output + n,
        d_mlp=read.shape[1],
        outputs="answers",
        biases="all",
        attention_rate=0.0 if constant else 1.0,
    )
    weights = {name: np.zeros(shape) for name, shape in weight_shapes(config, task).items()}
    weights["embed.W_E"][: len(features), :width] = features
    weights["pos_embed.W_pos"][:, width:slot] = np.eye(3)
    block = "blocks.0."
    for number, head in enumerate(heads):
        weights[block + "attn.W_Q"][number, width + 2, 0] = 1.0
        score = np.concatenate([head.token, head.position])
        weights[block + "attn.W_K"][number, :slot, 0] = score * config.score_scale
        kept = head.value.shape[1]
        weights[block + "attn.W_V"][number, :width, :kept] = head.value
        weights[block + "attn.W_O"][number, :kept, slot:] = head.to
    weights[block + "mlp.W_in"][slot:output] = read
    weights[block + "mlp.b_in"][:] = bias
    weights[block + "mlp.W_out"][:, output:] = write
    weights["unembed.W_U"][output:] = np.eye(n)
    if b_U is not None:
        weights["unembed.b_U"][:] = b_U
    return _snapshot(task, config, weights)


def carried(
    neurons: Neurons, features: Array, carrier: str, *, operation: str = "add", b_U: Array | None = None
) -> Snapshot:
    """Addition mod n by `neurons` on `features`: [n, feature].

    - `heads`: a transformer whose head 0 looks at a alone and head 1 at b alone, tokens shared.
    - `rotating head`: the same, but both write to the same coordinates, and head 1 turns what it takes from b.
    - `uniform`, `constant`: a head whose pattern is ⅓ (α = 1), or 1 (α = 0), everywhere; separate tokens for b.
    - `sum`, `shared sum`: no attention, x = E_a + E_b with separate tokens for b, in coordinates of their own or in the
      same as a's; `concatenation`: x = (E_a, E_b), tokens shared.

    Where it is to subtract, features of −b stand in the place of b's: in its tokens, or in what reads it.
    """
    n, width = features.shape
    shared = carrier in ("heads", "rotating head", "concatenation")
    attends = carrier not in ("sum", "shared sum", "concatenation")
    task = Task(
        TaskConfig(p=n, operation=operation, own_tokens_for_b=not shared, equals_token=attends, train_fraction=0.5)
    )
    of_b = features
    if operation == "subtract":
        of_b = features[-np.arange(n) % n]
        if shared:
            neurons = replace(neurons, read_b=_map(features, of_b) @ neurons.read_b)
    both = np.concatenate([neurons.read_a, neurons.read_b])
    if carrier in SHARING:
        # Those that share coordinates see x_a + x_b T, where read_b = T read_a.
        turn = _map(neurons.read_a.T, neurons.read_b.T).T
        return _through_one(task, carrier, features, of_b, turn, neurons, b_U)
    if carrier == "heads":
        places = np.eye(2 * width, 2 * width + n)
        heads = [
            Head(np.zeros(width), FIRST, np.eye(width), places[:width]),
            Head(np.zeros(width), SECOND, np.eye(width), places[width:]),
        ]
        return transformer(task, features, heads, (both, neurons.bias, neurons.write), 2 * width, b_U=b_U)
    if carrier == "concatenation":
        return _mlp(task, features, both, neurons, b_U)
    apart = np.zeros((2 * n, 2 * width))
    apart[:n, :width], apart[n:, width:] = features, of_b
    if carrier == "sum":
        return _mlp(task, apart, both, neurons, b_U)
    gain, identity = 3.0 if carrier == "uniform" else 1.0, np.eye(2 * width)
    head = Head(np.zeros(2 * width), (0.0, 0.0, 0.0), gain * identity, np.eye(2 * width, 2 * width + n))
    read = (both, neurons.bias, neurons.write)
    return transformer(task, apart, [head], read, 2 * width, b_U=b_U, constant=carrier == "constant")


def _through_one(
    task: Task, carrier: str, features: Array, of_b: Array, turn: Array, neurons: Neurons, b_U: Array | None
) -> Snapshot:
    """b's features reach the neurons through the coordinates of a's, turned."""
    if carrier == "shared sum":
        return _mlp(task, np.concatenate([features, of_b @ turn]), neurons.read_a, neurons, b_U)
    width, places = features.shape[1], np.eye(features.shape[1], features.shape[1] + task.n_answers)
    heads = [Head(np.zeros(width), FIRST, np.eye(width), places), Head(np.zeros(width), SECOND, turn, places)]
    return transformer(task, features, heads, (neurons.read_a, neurons.bias, neurons.write), width, b_U=b_U)


def _mlp(task: Task, embedding: Array, read: Array, neurons: Neurons, b_U: Array | None) -> Snapshot:
    joins = "sum" if task.config.own_tokens_for_b else "concatenation"
    config = ModelConfig(
        architecture="mlp",
        mlp_inputs=joins,
        d_model=embedding.shape[1],
        d_mlp=read.shape[1],
        outputs="answers",
        biases="all",
    )
    weights = {
        "embed.W_E": embedding,
        "blocks.0.mlp.W_in": read,
        "blocks.0.mlp.b_in": neurons.bias,
        "unembed.W_U": neurons.write,
        "unembed.b_U": np.zeros(task.n_answers) if b_U is None else b_U,
    }
    return _snapshot(task, config, weights)


def with_noise(snapshot: Snapshot, noise: float, seed: int, *, relative: bool = False) -> Snapshot:
    """Every entry of every matrix changed by `noise` times the matrix' standard deviation, normally distributed.

    `relative`: by `noise` times itself, for networks in which small and large entries of one matrix do different work.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = dict(snapshot.weights)
    for name, weight in weights.items():
        if "W_" in name:
            size = weight if relative else weight.std(correction=0)
            weights[name] = weight + noise * size * torch.randn(weight.shape, generator=generator)
    return Snapshot(snapshot.step, snapshot.task, snapshot.config, weights)


def _map(before: Array, after: Array) -> Array:
    """M with before M = after."""
    found = np.linalg.lstsq(before, after, rcond=None)[0]
    assert np.allclose(before @ found, after), "b is read in different ways by different neurons"
    return found


def _snapshot(task: Task, config: ModelConfig, weights: dict[str, Array]) -> Snapshot:
    return Snapshot(0, task, config, {name: torch.from_numpy(value).float() for name, value in weights.items()})
