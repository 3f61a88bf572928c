"""The rule by which a helix is called one, and what other terms of as many columns explain."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ._helix_controls import cross_validated
from ._helix_rule import Values, standings

# What explains so much less of the variance than the helix explains as much.
AS_GOOD = 1e-3
# A fit that permuted values reach more often shows nothing.
PERMUTED = 0.05


@dataclass(frozen=True)
class HelixJudgement:
    """Whether the circles of a helix are there.

    The rule: at least one circle is there, and permuted values are not explained as well (p ≤ .05; left out with fewer
    than 19 permutations). A circle is there

    - of several turns over the values: if its odds (what it explains / what is then left) exceed those of every period
      1 to 8 turns more or fewer by more than white noise lets them in 1 % of all fits, and those half a turn away and
      of the stair floor(a/T) at all; beside the other circles and a polynomial of degree 3, without the other periods'
      stairs and with them;
    - of few turns, with less than two slower periods to compare it with: if it leaves nothing slow behind, and a
      polynomial and detuned periods of as many columns do;
    - of less than .9 turns, or with too few values: undecided.

    Attributes:
        is_helix: None where no circle is there and one at least is undecided.
        reason: in words, period by period, with the alternatives that are as good.
        found: the periods whose circles are there.
        alternatives: R² of other terms. Of unseen values, as `cross_validated`: `linear`, the value alone; `polynomial`
            of as many columns; `detuned`, the best of all periods a turn more or fewer. Of unseen dimensions, to
            compare with `explained_variance`: `principal components`, as many functions of the value as there are
            columns, the best for half of the dimensions, on the other half; nan for one dimension.
        as_good: those of them that come within .001 of the helix. A helix on a strong trend may have several.
    """

    is_helix: bool | None
    reason: str
    found: tuple[float, ...]
    alternatives: dict[str, float]
    as_good: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Judge:
    """What a judgement needs of a fit; `n_columns` with the constant."""

    values: Values
    counts: Int[np.ndarray, " value"]
    within: Float[np.ndarray, " value"]
    periods: tuple[float, ...]
    linear: bool
    n_columns: int
    folds: int
    seed: int

    def judgement(self, explained: float, foretold: float, p_value: float) -> HelixJudgement:
        found = standings(self.values, self.periods, self.linear)
        alternatives = self.alternatives()
        goals = {name: explained if name == "principal components" else foretold for name in alternatives}
        as_good = tuple(name for name, r2 in alternatives.items() if r2 >= goals[name] - AS_GOOD)
        there = tuple(period for period, standing in zip(self.periods, found, strict=True) if standing.found)
        is_helix = True if there else None if any(standing.found is None for standing in found) else False
        head = {True: "Circles are there", False: "No circle is there", None: "It cannot be decided"}[is_helix]
        if is_helix and p_value > PERMUTED:
            is_helix, head = False, f"Permuted values are explained as well (p = {p_value:.2g})"
        told = [f"period {T:.6g}: {standing.why}" for T, standing in zip(self.periods, found, strict=True)]
        reason = f"{head}. {'; '.join(told)}."
        if as_good:
            reason += f" As many columns explain as much: {', '.join(as_good)}."
        return HelixJudgement(is_helix, reason, there if is_helix else (), alternatives, as_good)

    def alternatives(self) -> dict[str, float]:
        """By name, see `HelixJudgement`."""
        values, degree = self.values, self.n_columns - 1
        unit = (2 * values.a - values.a[0] - values.a[-1]) / (values.a[-1] - values.a[0])
        polynomial = np.polynomial.legendre.legvander(unit, max(degree, 1))
        turns = np.array([values.turns(period) for period in self.periods])
        line = [unit[:, None]] if self.linear else []
        detuned = []
        for more in (1.0, -1.0):
            others = np.abs(turns + more)
            # A turn less than one turn is none: half as many then.
            others = np.where(others < 0.25, turns / 2, others)
            detuned.append(np.hstack([np.ones((len(unit), 1)), *line, *(values.circle(other) for other in others)]))
        foretold = [self._foretold(columns) for columns in (polynomial[:, :2], polynomial, *detuned)]
        return {
            "linear": foretold[0],
            "polynomial": foretold[1],
            "detuned": max(foretold[2:]),
            "principal components": _of_other_dimensions(values, degree, np.random.default_rng([self.seed, 2])),
        }

    def _foretold(self, columns: np.ndarray) -> float:
        """R² over the same folds as the helix'."""
        U, S, _ = np.linalg.svd(self.values.weight * columns, full_matrices=False)
        rng = np.random.default_rng([self.seed, 0])
        Q = U[:, 1e-9 * S[0] < S]
        return cross_validated(Q, self.values.means, self.counts, self.within, self.folds, rng)


def _of_other_dimensions(values: Values, n: int, rng: np.random.Generator) -> float:
    """What the n best functions of the value for half of the dimensions explain of the other half, and the reverse."""
    d = values.means.shape[1]
    if d < 2:
        return math.nan
    turned = values.means @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    halves, explained = (turned[:, : d // 2], turned[:, d // 2 :]), 0.0
    for fitted, other in (halves, halves[::-1]):
        best = np.linalg.svd(fitted, full_matrices=False)[0][:, :n]
        explained += float(np.square(best.T @ other).sum())
    return explained / float(np.square(turned).sum())
