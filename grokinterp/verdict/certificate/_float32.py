"""How far the logits of a float32 evaluation may be from those of exact arithmetic, in whatever order it sums.

An operation in float32 gives the exact result times 1 + δ, |δ| ≤ u = 2⁻²⁴. Given the attention pattern and the neurons,
a logit is a sum of products of weights along paths through the network. However the products are associated and the
sums ordered (per pair or from tables, one matrix after the other or multiplied beforehand, fused or not), each path
goes through at most N roundings, N the sum of all inner dimensions and of the sums between them, so the result is off
by at most γ_N Σ_paths |product|, γ_N = N u / (1 − N u) (Higham 2002, §3.1). The sum of the paths' absolute values is
what the same network with the absolute values of its weights computes.

What is not a sum of products passes its error on: a share p of softmax(s), and 1 − p, change by a factor within
exp(±2 max |Δs|), which the tables of values carry on; activations by their Lipschitz constant. Underflow and overflow
are bounded crudely, by the product of all matrices' norms, which no intermediate result exceeds. Neither bfloat16 nor
TF32 products are float32.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from grokinterp.runs import Snapshot

from ._rounded import SAFE, Rounded
from ._table_forward import Count, TableForward

U32 = 2.0**-24
# exp, tanh and erf of float32 libraries are right to a few units in the last place; this allows 16.
_FUNCTION = 32 * U32
_LARGEST, _SMALLEST = 2.0**127, 2.0**-126
# Roundings between the products of matrices: sums with biases, positions and the skip connection, the scale of scores.
_BETWEEN = 16


@dataclass(frozen=True, eq=False)
class Float32Bound:
    """Bounds on |float32 logit − exact logit|, from tables made once.

    - `forward`: the network; `absolute`: the network of the weights' absolute values, no rows taken off others.
    - `apart`: `forward` with the absolute values of its tables, which carry on what the pattern is off.
    - `slack`: for underflow; infinite where something may overflow.
    """

    forward: TableForward
    absolute: TableForward
    apart: TableForward
    slack: float

    @classmethod
    def of(cls, snapshot: Snapshot, forward: TableForward) -> "Float32Bound":
        weights = {name: value.abs() for name, value in snapshot.weights.items()}
        absolute = TableForward.of(replace(snapshot, weights=weights), apart=False)
        nothing = Rounded(np.zeros(1))
        parts = tuple(replace(o, neurons=_absolute(o.neurons), direct=_absolute(o.direct)) for o in forward.parts)
        apart = replace(forward, parts=parts, neuron_base=nothing, direct_base=nothing)
        return cls(forward, absolute, apart, _slack(snapshot))

    def of_margins(self, a: slice, answers: Int[np.ndarray, " pair"]) -> Float[np.ndarray, " pair"]:
        """How far the answer's logit less any other may be off, for the pairs of some rows of the task's table."""
        bounds = self.logits(a)[self.forward.snapshot.task.table[a] >= 0]
        pairs = np.arange(len(answers))
        of_answer = bounds[pairs, answers]
        bounds[pairs, answers] = 0.0
        return SAFE * (of_answer + bounds.max(axis=1))

    def logits(self, a: slice) -> Float[np.ndarray, "a b answer"]:
        """Bounds on what the logits of some rows of the task's table are off."""
        snapshot, count = self.forward.snapshot, Count()
        config = snapshot.config
        pattern = self.forward.pattern(a, count)
        off = Rounded(np.zeros(1)) if pattern is None else self._off(a)
        weight = None if pattern is None else pattern + off
        inner = config.d_model * len(snapshot.task.positions) if pattern is None else 2 * config.d_model
        inner += 0 if pattern is None else config.n_heads * config.d_head
        first = gamma32(inner + len(snapshot.task.positions) + _BETWEEN)
        before = self.forward.mixed("neurons", pattern, a, count)
        error = first * _largest(self.absolute.mixed("neurons", weight, a, count)) + before.error + self.slack
        direct = self.absolute.mixed("direct", weight, a, count)
        carried = 0.0
        if pattern is not None:
            error = error + _largest(self.apart.mixed("neurons", off, a, count))
            carried = _largest(self.apart.mixed("direct", off, a, count))
        neurons, error = _activated(self.forward, before, SAFE * error)
        last = gamma32(inner + config.d_mlp + len(snapshot.task.positions) + _BETWEEN)
        W_L, paths = _largest(self.forward.W_L), _largest(self.absolute.W_L)
        logits = last * (neurons @ paths + _largest(direct)) + error @ W_L + carried
        return SAFE * logits + self.slack

    def _off(self, a: slice) -> Rounded:
        """How far the float32 pattern may be off.

        Where each exponential is within exp(±θ/2), p and 1 − p are within exp(±θ); then its rounded sum and division.
        """
        config = self.forward.snapshot.config
        scores, paths = self.forward.stacked_scores(a), self.absolute.stacked_scores(a)
        error = gamma32(2 * config.d_model + config.d_head + _BETWEEN) * _largest(paths) + scores.error
        largest = error.max(axis=-1, keepdims=True)
        range_ = scores.value.max(axis=-1, keepdims=True) - scores.value.min(axis=-1, keepdims=True) + 2 * largest
        theta = SAFE * 2 * (largest + U32 * range_ + _FUNCTION)
        exact = scores.softmax(axis=-1)
        p, rest = _largest(exact), np.maximum(1 - exact.value, 0) + exact.error
        moved = np.minimum(np.minimum(p, rest) * np.expm1(theta), 1.0)
        return Rounded(config.attention_rate * (moved + gamma32(scores.value.shape[-1] + _BETWEEN) * (p + moved)))


def gamma32(k: int) -> float:
    """γ_k of float32.

    >>> gamma32(1) > U32, gamma32(1000) < 1001 * U32
    (True, True)
    """
    return k * U32 / (1 - k * U32) if k * U32 < 1 else math.inf


def _activated(forward: TableForward, before: Rounded, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on the neurons' absolute values in float32, and on what they are off."""
    if forward.is_piecewise_linear:  # What is surely off stays off.
        error = np.where(before.value + error <= 0, 0.0, error)
        return np.maximum(before.value, 0) + error, error
    off = forward.steepest * error + _FUNCTION * (np.abs(before.value) + error)
    return np.abs(forward.activated(before.value)) + before.error + off, off


def _slack(snapshot: Snapshot) -> float:
    """What underflow may do to a logit: each operation adds 2⁻¹²⁶, which the matrices after it make larger.

    No result on the way, whatever is multiplied first, exceeds the product of all matrices' norms, each at least 1,
    with those of the embeddings twice, as scores have it. Where that might overflow nothing is said.
    """
    reach, count = float(len(snapshot.task.positions)) ** 2 * max(1.0, 1 / snapshot.config.score_scale), 0
    for name, weight in snapshot.weights.items():
        count += weight.numel() * max(weight.shape)
        if ".b_" in name or name == "pos_embed.W_pos":
            continue
        values = np.abs(_with_added(snapshot, name))
        norm = 1 + max(float(values.sum(axis=axis).max()) for axis in (0, 1))
        reach *= norm**2 if name == "embed.W_E" else norm
    slack = 16 * count * _SMALLEST * reach
    return slack if reach < _LARGEST else math.inf


def _with_added(snapshot: Snapshot, name: str) -> np.ndarray:
    """A matrix, its heads side by side, with the absolute values of what is added to its results as one more row."""
    weight = snapshot.weight(name)
    kind = name.rsplit(".", 1)[-1]
    if kind == "W_O":
        weight = weight.reshape(-1, weight.shape[-1])
    elif weight.ndim == 3:
        weight = weight.swapaxes(0, 1).reshape(weight.shape[1], -1)
    added = "pos_embed.W_pos" if kind == "W_E" else name.replace(".W_", ".b_")
    if added == name or added not in snapshot.weights:
        return weight
    rows = np.abs(snapshot.weight(added))
    rows = rows.max(axis=0, keepdims=True) if kind == "W_E" else rows.reshape(1, -1)
    return np.vstack([np.abs(weight), rows])


def _absolute(rows: Rounded) -> Rounded:
    return Rounded(_largest(rows))


def _largest(array: Rounded) -> np.ndarray:
    """Upper bounds of the absolute values."""
    return np.abs(array.value) + array.error
