"""Bounds on a network's margins from an explanation of its neuron-logit map; see docs/certificate.md.

The names are those of the derivation: φ the neurons, W_L ≈ W Q with the keys' functions of c in the rows of Q, E what
W Q leaves out, T functions of a, of b and of the answer, x = φ − T, u the direct path. Each step is an identity of real
numbers whatever W, Q and T are, so these are chosen in float64 and count as exact; `Rounded` carries the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from grokinterp.tasks import Structure

from ._rounded import Rounded, U
from ._table_forward import Count, TableForward

# Leading singular directions of E that `refined` has on the exact side, one step after the other.
STEPS = (8, 8, 16)
Lower = Float[np.ndarray, " pair"]


@dataclass(frozen=True, eq=False)
class _Rest:
    """What an explanation leaves out: `E` [d_mlp, answer], and `spread` ≥ ‖E_s − E_c‖ in row s, column c."""

    E: Rounded
    spread: Float[np.ndarray, "answer answer"]

    @classmethod
    def of(cls, E: Rounded, count: Count) -> "_Rest":
        count.total += E.value.size * E.value.shape[1]
        return cls(E, _apart(E.swapaxes(0, 1)))


def _apart(rows: Rounded) -> Float[np.ndarray, "row row"]:
    """Bounds on the norms of all differences of rows."""
    return np.stack([(rows[number] - rows).norms_at_most() for number in range(len(rows.value))])


class Explanation:
    """W_L ≈ W Q: the rows of Q are the keys' functions of c, and one per answer outside the group, kept as it is."""

    def __init__(self, W_L: Rounded, structure: Structure, keys: Sequence[int], count: Count) -> None:
        n, basis = W_L.value.shape[1], structure.basis
        rows = [list(basis.rows(irrep)) for irrep in keys]
        ends = np.cumsum([len(of_irrep) for of_irrep in rows])
        self.slices = [slice(end - len(of), end) for end, of in zip(ends.tolist(), rows, strict=True)]
        outside = np.setdiff1d(np.arange(n), structure.outputs)
        self.Q = np.zeros((int(ends[-1]) + len(outside), n))
        self.Q[: ends[-1], structure.outputs] = basis.matrix[np.concatenate(rows)]
        self.Q[np.arange(ends[-1], len(self.Q)), outside] = 1.0
        # What all answers have in common moves no margin; those outside are exact whatever is taken off.
        centred = W_L - Rounded(W_L.value[:, structure.outputs].mean(axis=1, keepdims=True))
        self.W = count.product(centred, Rounded(self.Q.T)).value
        self.rest = _Rest.of(centred - count.product(Rounded(self.W), Rounded(self.Q)), count)
        self._steps: list[tuple[np.ndarray, np.ndarray, _Rest]] = []

    @property
    def n_key_rows(self) -> int:
        return self.slices[-1].stop

    def step(self, number: int, count: Count) -> tuple[np.ndarray, np.ndarray, _Rest]:
        """W', Q' and rest of E_number = W' Q' + E_(number + 1), made (and counted) when first asked for."""
        while len(self._steps) <= number:
            first = sum(STEPS[: len(self._steps)])
            Q = self._singular_directions[first : first + STEPS[len(self._steps)]]
            E = self._steps[-1][2].E if self._steps else self.rest.E
            if not self._steps:
                count.total += E.value.size * len(Q.T) + 9 * Q.shape[1] ** 3  # EᵀE and its eigenvectors.
            W = count.product(E, Rounded(Q.T)).value
            self._steps.append((W, Q, _Rest.of(E - count.product(Rounded(W), Rounded(Q)), count)))
        return self._steps[number]

    @cached_property
    def _singular_directions(self) -> Float[np.ndarray, "answer answer"]:
        """Of E, as rows, the largest first."""
        E = self.rest.E.value
        if not np.isfinite(E).all():
            return np.zeros((E.shape[1], E.shape[1]))
        return np.linalg.eigh(E.T @ E)[1].T[::-1].copy()


@dataclass(frozen=True, eq=False)
class Block:
    """Inputs, evaluated: per pair the answer, y = φW, the exact rest TE + u, x and a bound on its norm."""

    explanation: Explanation
    answers: Int[np.ndarray, " pair"]
    y: Rounded
    rest: Rounded
    x: Rounded
    size: Float[np.ndarray, " pair"]

    @classmethod
    def of(cls, forward: TableForward, explanation: Explanation, a: slice, count: Count, brute: Count) -> "Block":
        """The pairs of some rows of the task's table; the forward pass itself is counted as brute force's too."""
        table = forward.snapshot.task.table[a]
        start = count.total
        neurons, direct = forward.block(a, count)
        inside = table >= 0
        answers = table[inside]
        brute.total += (count.total - start) * len(answers) // max(table.size, 1)
        brute.total += len(answers) * forward.W_L.value.size
        if inside.all():
            x, rest = (of.reshape(-1, of.value.shape[-1]) for of in (neurons, direct))
        else:
            x, rest = neurons[inside], direct[inside]
        y = count.product(x, Rounded(explanation.W))
        for labels in (*np.nonzero(inside), answers):
            means, place = _means(x.value, labels)
            rest = rest + count.product(Rounded(means), explanation.rest.E)[place]
            x = x - Rounded(means)[place]
        count.total += x.value.size
        return cls(explanation, answers, y, rest, x, x.norms_at_most())

    def projected(self, count: Count) -> tuple[Lower, Rounded, float]:
        """y(Q_s − Q_c) + rest_s − rest_c − ‖x‖ ‖E_s − E_c‖, the least over c; the logits' part, and the slack."""
        logits = self.rest + count.product(self.y, Rounded(self.explanation.Q))
        return logits_margins(logits, self.answers, self.size, self.explanation.rest.spread, count)

    def refined(self, lower: Lower, logits: Rounded, count: Count) -> tuple[Lower, int, float]:
        """Of the pairs whose bound is not above 0, better ones; how many directions those took, and their slack."""
        lower, slack, used, pairs = lower.copy(), 0.0, 0, np.flatnonzero(~(lower > 0))
        n = self.explanation.Q.shape[1]
        logits = logits[pairs]
        for number, directions in enumerate(STEPS):
            # More than half of all answers' directions would be brute force under another name.
            if not len(pairs) or 2 * (len(self.explanation.Q) + used + directions) > n:
                break
            W, Q, rest = self.explanation.step(number, count)
            logits = logits + count.product(count.product(self.x[pairs], Rounded(W)), Rounded(Q))
            found, logits, off = logits_margins(logits, self.answers[pairs], self.size[pairs], rest.spread, count)
            lower[pairs] = np.fmax(lower[pairs], found)
            left = ~(found > 0)
            pairs, logits, slack, used = pairs[left], logits[left], max(slack, off), used + directions
        return lower, used, slack

    def amplitudes(self, count: Count) -> tuple[float, ...]:
        """α_k: the least-squares fit of y_k to α_k e_k(s), e_k(s) the keys' functions at the answer s."""
        e = self.explanation.Q[:, self.answers].T
        count.total += self.y.value.size
        products, squares = np.einsum("pq,pq->q", self.y.value, e), np.einsum("pq,pq->q", e, e)
        sums = [(products[of].sum(), squares[of].sum()) for of in self.explanation.slices]
        return tuple(float(product / square) if square > 0 else 0.0 for product, square in sums)

    def idealised(self, amplitudes: Sequence[float], count: Count, *, by_answer: bool) -> Lower:
        """The network's y replaced by the ideal one, with e_k(s) the keys' functions and D_k = ‖e_k(s) − e_k(c)‖:

        Σ_k [α_k e_k(s)·(e_k(s) − e_k(c)) − ρ_k D_k] + rest_s − rest_c − ‖x‖ ‖E_s − E_c‖,  ρ_k = ‖y_k − α_k e_k(s)‖,

        the least over c. `by_answer`: one bound for all pairs with the same answer, with the largest ρ_k, the least
        rest_s − rest_c and the largest ‖x‖ among them.
        """
        made, rest, slack = self.explanation, self.rest, 0.0
        if len(made.Q) > made.n_key_rows:
            rest = rest + count.product(self.y[:, made.n_key_rows :], Rounded(made.Q[made.n_key_rows :]))
        lower = rest.value[np.arange(len(self.answers)), self.answers][:, None] - rest.value
        slack += 2 * rest.error + 4 * U * rest.largest
        order = np.argsort(self.answers, kind="stable")
        ordered, starts, place = _starts(self.answers[order])
        s = ordered if by_answer else self.answers

        def worst(values: np.ndarray, of: np.ufunc) -> np.ndarray:
            return of.reduceat(values[order], starts) if by_answer else values

        lower = worst(lower, np.minimum)
        for alpha, of in zip((*amplitudes, None), (*made.slices, None), strict=True):
            if alpha is None or of is None:
                size, apart = self.size, made.rest.spread
            else:
                e = Rounded(np.ascontiguousarray(made.Q[of].T))  # [answer, row]
                ideal = e * Rounded(np.array(alpha))
                inner = count.product(ideal, e.swapaxes(0, 1))
                size, apart = (self.y[:, of] - ideal[self.answers]).norms_at_most(), _apart(e)
                count.total += ideal.value.size + (len(size) + apart.size) * len(made.Q[of])
                lower += np.diag(inner.value)[s, None] - inner.value[s]
                slack += 2 * inner.error + 8 * U * inner.largest
            off = worst(size, np.maximum)[:, None] * apart[s]
            count.total += off.size
            lower -= off
            slack += 8 * U * (float(off.max(initial=0.0)) + float(np.abs(lower).max(initial=0.0)))
        lower[np.arange(len(s)), s] = np.inf
        bounds = lower.min(axis=1) - slack
        if not by_answer:
            return bounds
        result = np.empty(len(self.answers))
        result[order] = bounds[place]
        return result


def logits_margins(
    logits: Rounded,
    answers: Int[np.ndarray, " pair"],
    size: Float[np.ndarray, " pair"],
    spread: Float[np.ndarray, "answer answer"],
    count: Count,
) -> tuple[Lower, Rounded, float]:
    """The least of logit_s − logit_c − size · spread_sc over c ≠ s, less the slack for rounding; it, and the logits."""
    pairs = np.arange(len(answers))
    reach = size[:, None] * spread[answers]
    count.total += reach.size
    largest = float(reach.max(initial=0.0)) + logits.largest
    reach += logits.value
    reach[pairs, answers] = -np.inf
    slack = 2 * logits.error + 16 * U * largest
    return logits.value[pairs, answers] - reach.max(axis=1) - slack, logits, slack


def _means(
    rows: Float[np.ndarray, "pair column"], labels: Int[np.ndarray, " pair"]
) -> tuple[Float[np.ndarray, "label column"], Int[np.ndarray, " pair"]]:
    """The mean of the rows with each label, and which of them is each row's."""
    order = np.argsort(labels, kind="stable")
    _, starts, place = _starts(labels[order])
    sums = np.add.reduceat(rows if (np.diff(order) == 1).all() else rows[order], starts)
    places = np.empty_like(place)
    places[order] = place
    return sums / np.bincount(place)[:, None], places


def _starts(
    ordered: Int[np.ndarray, " pair"],
) -> tuple[Int[np.ndarray, " label"], Int[np.ndarray, " label"], Int[np.ndarray, " pair"]]:
    """The labels in an ordered list, where each begins, and which of them is at each place."""
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    return ordered[is_first], np.flatnonzero(is_first), np.cumsum(is_first) - 1
