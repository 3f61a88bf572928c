"""A one-layer network's neurons and direct path on a grid of inputs, with few multiplications and known rounding.

What a position adds to the neurons' inputs is, per head, one row of a table with a row per token, weighted by the
attention to it (the order `rows` of `grokinterp.models.FastForward`, here in float64, for all networks of one layer
without normalization, and with the bound on rounding of `Rounded`):

    neurons       act(c_b + Σ_{pos, head} A[a, b, head, pos] · table_pos[token, head]),  table = (x W_V + b_V) W_O W_in
    direct path   d_b + Σ_{pos, head} A[a, b, head, pos] · direct_pos[token, head],      direct = (x W_V + b_V) W_O W_U
    logits        neurons · W_out W_U + direct path

where c and d are what the last position's own residual stream and the biases give. The attention of a head sums to a
constant, so where the last position is `=`, whose row all inputs share, its rows are taken off the others and added
once: 2 · heads rows per input are left.

The network of architecture `mlp` has tables E[token] W_in, added without weights, and no direct path but its bias.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.models import ACTIVATIONS
from grokinterp.runs import Snapshot

from ._rounded import Rounded, U


@dataclass
class Count:
    """Multiplications (divisions and exponentials count as one each)."""

    total: int = 0

    def product(self, left: Rounded, right: Rounded) -> Rounded:
        """left @ right, counted."""
        result = left @ right
        self.total += result.value.size * left.value.shape[-1]
        return result


@dataclass(frozen=True, eq=False)
class _Part:
    """What one position adds: `at` says whose tokens its rows belong to; "": all inputs have the same one.

    `position` is the one whose attention weighs the rows; None: they are added as they are.
    """

    at: str
    neurons: Rounded  # [token, head, d_mlp]
    direct: Rounded  # [token, head, answer]
    position: int | None


@dataclass(frozen=True, eq=False)
class TableForward:
    """The tables of a network, made once, from which blocks of its inputs are evaluated.

    - `W_L`: [d_mlp, answer], from the neurons to the logits.
    - `parts`, `neuron_base`, `direct_base`: the tables; `scores`: attention's, per position, [a, b, head] or broadcast.
    - `multiplications`: spent on them.
    """

    snapshot: Snapshot
    W_L: Rounded
    parts: tuple[_Part, ...]
    neuron_base: Rounded
    direct_base: Rounded
    scores: tuple[Rounded, ...]
    multiplications: int

    @classmethod
    def of(cls, snapshot: Snapshot, *, apart: bool = True) -> "TableForward":
        """The tables of a network with one layer and no normalization.

        `apart`: the rows of `=` are taken off the others; otherwise every position has its own.
        """
        return _of_mlp(snapshot) if snapshot.config.architecture == "mlp" else _of_transformer(snapshot, apart)

    @property
    def mixed_rows(self) -> int:
        """How many rows are weighted and added up for the neurons of one input."""
        return sum(part.neurons.value.shape[1] for part in self.parts if part.position is not None)

    def block(self, a: slice, count: Count) -> tuple[Rounded, Rounded]:
        """Neurons [a, b, d_mlp] and the direct path's logits [a, b, answer] of some rows of the table of pairs."""
        pattern = self.pattern(a, count)
        before, direct = (self.mixed(kind, pattern, a, count) for kind in ("neurons", "direct"))
        return before.mapped(self.activated, self.steepest, exact=self.is_piecewise_linear), direct

    @property
    def steepest(self) -> float:
        """The largest slope of the activation."""
        return ACTIVATIONS[self.snapshot.config.act_fn].steepest

    @property
    def is_piecewise_linear(self) -> bool:
        """ReLU, which does not round."""
        return self.snapshot.config.act_fn == "relu"

    def activated(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return ACTIVATIONS[self.snapshot.config.act_fn].of(torch.from_numpy(x)).numpy()

    def mixed(self, kind: Literal["neurons", "direct"], pattern: Rounded | None, a: slice, count: Count) -> Rounded:
        """The rows of all positions with their weights and what all inputs share: the neurons' inputs, or logits."""
        n_a, n_b = self.snapshot.task.table[a].shape
        found = _spread(self.neuron_base if kind == "neurons" else self.direct_base, n_a, n_b)
        for part in self.parts:
            rows = part.neurons if kind == "neurons" else part.direct
            if part.position is not None and pattern is not None:
                found = found + _mix(pattern[..., part.position], rows, part.at, a, count)
            elif kind == "neurons":  # Without attention there is nothing else to read.
                found = found + (rows[:, 0][a, None] if part.at == "a" else rows[:, 0][None])
        return found

    def stacked_scores(self, a: slice) -> Rounded:
        """Attention's scores, [a, b, head, pos]."""
        shape = (*self.snapshot.task.table[a].shape, self.snapshot.config.n_heads)
        of_block = [scores.value[a] if len(scores.value) > 1 else scores.value for scores in self.scores]
        stacked = np.stack([np.broadcast_to(values, shape) for values in of_block], axis=-1)
        return Rounded(stacked, max(scores.error for scores in self.scores))

    def pattern(self, a: slice, count: Count) -> Rounded | None:
        """The attention, [a, b, head, pos]; None where there is none."""
        if not self.scores:
            return None
        rate, pattern = self.snapshot.config.attention_rate, self.stacked_scores(a).softmax(axis=-1)
        count.total += 2 * pattern.value.size
        if rate == 1:
            return pattern
        count.total += pattern.value.size
        return pattern * Rounded(np.array(rate)) + Rounded(np.array(1 - rate), U)


def _of_mlp(snapshot: Snapshot) -> TableForward:
    task, config, count = snapshot.task, snapshot.config, Count()
    W_E, W_in, W_U, b_in, b_U = (
        Rounded(snapshot.weight(name))
        for name in ("embed.W_E", "blocks.0.mlp.W_in", "unembed.W_U", "blocks.0.mlp.b_in", "unembed.b_U")
    )
    base, parts = b_in[None], []
    for number, name in enumerate(task.positions):
        first = number * config.d_model if config.mlp_inputs == "concatenation" else 0
        rows = count.product(W_E[_tokens(snapshot, name)], W_in[first : first + config.d_model])
        if name in ("a", "b"):
            parts.append(_Part(name, rows[:, None], Rounded(np.zeros((1, 1, 1))), None))
        else:
            base = base + rows
    answers = task.n_answers
    return TableForward(snapshot, W_U[:, :answers], tuple(parts), base, b_U[None, :answers], (), count.total)


def _of_transformer(snapshot: Snapshot, apart: bool) -> TableForward:
    task, config, count = snapshot.task, snapshot.config, Count()
    weights = {name.removeprefix("blocks.0."): Rounded(snapshot.weight(name)) for name in snapshot.weights}
    W_U, b_U = weights["unembed.W_U"][:, : task.n_answers], weights["unembed.b_U"][: task.n_answers]
    inputs = [
        weights["embed.W_E"][_tokens(snapshot, name)] + weights["pos_embed.W_pos"][number]
        for number, name in enumerate(task.positions)
    ]
    to_neurons, to_logits = (count.product(weights["attn.W_O"], after) for after in (weights["mlp.W_in"], W_U))

    def by_head(rows: Rounded, kind: str) -> Rounded:
        """[head, token, d_head]"""
        return count.product(rows[None], weights[f"attn.W_{kind}"]) + weights[f"attn.b_{kind}"][:, None]

    root = 1 / config.score_scale
    query = by_head(inputs[-1], "Q") * Rounded(np.array(root), 4 * U * root)
    count.total += query.value.size
    parts, scores = [], []
    for number, (name, rows) in enumerate(zip(task.positions, inputs, strict=True)):
        values, at = by_head(rows, "V"), name if name in ("a", "b") else ""
        of_neurons, of_logits = (count.product(values, to).swapaxes(0, 1) for to in (to_neurons, to_logits))
        parts.append(_Part(at, of_neurons, of_logits, number))
        is_own = bool(at) and number == len(inputs) - 1
        scores.append(_scores(query, by_head(rows, "K"), at, is_own, count))
    residual = inputs[-1] + weights["attn.b_O"][None]
    neuron_base = count.product(residual, weights["mlp.W_in"]) + weights["mlp.b_in"][None]
    direct_base = count.product(residual + weights["mlp.b_out"][None], W_U) + b_U[None]
    last = parts[-1]
    if apart and not last.at:
        # Σ_pos A rows_pos = (Σ_pos A) rows_= + Σ_pos A (rows_pos − rows_=), and Σ_pos A is the same for all inputs.
        total = config.attention_rate + (1 - config.attention_rate) * len(parts)
        ones = Rounded(np.full((1, config.n_heads), total), 0.0 if total == 1 else 8 * U * len(parts))
        neuron_base = neuron_base + count.product(ones, last.neurons[0])
        direct_base = direct_base + count.product(ones, last.direct[0])
        parts = [_Part(o.at, o.neurons - last.neurons, o.direct - last.direct, o.position) for o in parts[:-1]]
    W_L = count.product(weights["mlp.W_out"], W_U)
    return TableForward(snapshot, W_L, tuple(parts), neuron_base, direct_base, tuple(scores), count.total)


def _tokens(snapshot: Snapshot, position: str) -> Int[np.ndarray, " token"]:
    """The tokens that stand at a position, in the order of the table of pairs."""
    task = snapshot.task
    if position not in ("a", "b"):
        return np.array([task.equals_token + (position == "operator")])
    shift = task.n_symbols if position == "b" and task.config.own_tokens_for_b else 0
    return shift + np.arange(task.table.shape["ab".index(position)])


def _scores(query: Rounded, keys: Rounded, at: str, is_own: bool, count: Count) -> Rounded:
    """From the last position's query [head, 1 or b, d_head] to the keys [head, token, d_head]: [a, b, head]."""
    if is_own:  # Of b to itself.
        return count.product(query[:, :, None], keys[:, :, :, None])[:, :, 0, 0].swapaxes(0, 1)[None]
    scores = count.product(keys, query.swapaxes(1, 2)).swapaxes(0, 1).swapaxes(1, 2)  # [token, 1 or b, head]
    return scores.swapaxes(0, 1) if at == "b" else scores


def _spread(base: Rounded, n_a: int, n_b: int) -> Rounded:
    return Rounded(np.broadcast_to(base.value, (n_a, n_b, base.value.shape[-1])), base.error)


def _mix(weight: Rounded, rows: Rounded, at: str, a: slice, count: Count) -> Rounded:
    """Σ_head weight[a, b, head] · rows[token, head]."""
    if at == "b":
        return count.product(weight.swapaxes(0, 1), rows).swapaxes(0, 1)
    return count.product(weight, rows[a] if at == "a" else rows)
