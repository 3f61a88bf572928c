"""Whether a helix' circles are there: each period against detuned ones, slow curves and stairs.

A line and a slow circle explain trends, random walks and smooth curves; a line and a circle of period T explain a stair
of that period, such as the tens digit. So a circle has to stand out where nothing but the period differs. Its *odds*
are what it explains over what is then left, beside all that a curve without this period may hold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from ._helix_columns import cos_sin

# Fewer turns over all values than this are an arc, which no rule tells from a curve.
FEWEST_TURNS = 0.9
# A circle that has fewer slower neighbours, of at least so many turns, looks like a slow curve: noise that falls off
# with frequency, as that of a random walk, is seen by what is slower.
FEWEST_SLOWER, SLOWEST = 2, 1.5
# Neighbours of a period, in turns more or fewer. Nearer than half a turn the values do not tell periods apart.
FAR, NEAR = tuple(range(1, 9)), 0.5
# Turns around another period that was asked for in which there is no neighbour: what is there, that circle explains.
TAKEN = 0.75
# Fewer neighbours, or fewer directions of the values that no term takes, decide nothing.
FEWEST_NEIGHBOURS, FEWEST_LEFT = 5, 8
# How often noise may let any of the circles stand out, and a curve without period leave nothing slow behind.
LEVEL = 0.01
# What rounding leaves of a fit that is exact, as a share of the squares.
_EXACT = 1e-12
_LEGENDRE = 7


@dataclass(frozen=True)
class Standing:
    """How a circle compares: `found`, None where that cannot be told, and why."""

    found: bool | None
    why: str


@dataclass(frozen=True, eq=False)
class Values:
    """The distinct values with the activations' means, weighted √count, less the mean of all."""

    a: Float[np.ndarray, " value"]
    weight: Float[np.ndarray, "value 1"]
    means: Float[np.ndarray, "value d"]

    @classmethod
    def of(cls, a: np.ndarray, weight: np.ndarray, means: np.ndarray) -> "Values":
        """Of more dimensions than values only the products of values matter: as many dimensions hold those."""
        if means.shape[1] > len(means):
            squares, vectors = np.linalg.eigh(means @ means.T)
            means = vectors * np.sqrt(np.maximum(squares, 0))
        return cls(a, weight, means)

    @cached_property
    def span(self) -> float:
        """The length that the values fill, so that evenly spaced ones are orthogonal at whole numbers of turns."""
        return float(self.a[-1] - self.a[0]) * len(self.a) / (len(self.a) - 1)

    @cached_property
    def highest(self) -> float:
        """The turns above which a lattice of values repeats lower ones; infinite where they lie on none."""
        steps = self.a[1:] - self.a[:-1]
        least = float(steps.min())
        off = float(np.abs(steps / least - (steps / least).round()).max())
        return self.span / (2 * least) if off < 1e-6 else math.inf

    def turns(self, period: float) -> float:
        """How often the period goes around over the values, its alias below `highest`."""
        return self.folded(self.span / period)

    def folded(self, turns: float) -> float:
        if not math.isfinite(self.highest):
            return abs(turns)
        rest = turns % (2 * self.highest)
        return min(rest, 2 * self.highest - rest)

    def circle(self, turns: float) -> Float[np.ndarray, "value 2"]:
        return cos_sin(self.a, self.span / turns)

    def polynomials(self, degrees: slice) -> Float[np.ndarray, "value degree"]:
        unit = (2 * self.a - self.a[0] - self.a[-1]) / (self.a[-1] - self.a[0])
        return np.polynomial.legendre.legvander(unit, _LEGENDRE)[:, degrees]

    def stair(self, period: float) -> Float[np.ndarray, "value 1"]:
        return np.floor(self.a / period + 1e-9)[:, None]


class _Beside:
    """What columns explain beside the terms `rest`, weighted, in squares."""

    def __init__(self, values: Values, rest: Sequence[np.ndarray]) -> None:
        self.weight, self.Q = values.weight, _orthonormal(values.weight * np.hstack(rest))
        self.left = values.means - self.Q @ (self.Q.T @ values.means)
        self.total = float(np.square(self.left).sum())
        self.is_exact = self.total <= _EXACT * float(np.square(values.means).sum())

    def explained(self, columns: np.ndarray) -> tuple[float, int]:
        """By all columns together, and how many directions those are."""
        q = _orthonormal(self.apart(columns), len(columns))
        return float(np.square(q.T @ self.left).sum()), q.shape[1]

    def explained_each(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By each pair of columns, [value, pair, 2], and how many directions each has."""
        flat = self.apart(pairs.reshape(len(pairs), -1))
        columns, images = flat.reshape(pairs.shape), (flat.T @ self.left).reshape(*pairs.shape[1:], -1)
        lengths, axes = np.linalg.eigh(np.einsum("vpi,vpj->pij", columns, columns))
        along = np.square(np.einsum("pij,pid->pjd", axes, images)).sum(axis=2)
        is_there = lengths > 1e-6 * len(pairs) * float(np.square(self.weight).mean())
        return np.where(is_there, along / np.where(is_there, lengths, 1), 0).sum(axis=1), is_there.sum(axis=1)

    def apart(self, columns: np.ndarray) -> np.ndarray:
        columns = self.weight * columns
        for _ in range(2):  # Once leaves the rounding of the first time.
            columns = columns - self.Q @ (self.Q.T @ columns)
        return columns

    def odds(self, explained: np.ndarray) -> np.ndarray:
        return explained / np.maximum(self.total - explained, _EXACT * self.total + 1e-300)

    def dimensions(self, columns: np.ndarray) -> float:
        """How many independent dimensions of equal variance fluctuate as what `columns` leave: (tr C)² / tr C²."""
        q = _orthonormal(self.apart(columns), len(columns))
        rest = self.left - q @ (q.T @ self.left)
        squares = float(np.square(rest.T @ rest if rest.shape[1] <= len(rest) else rest @ rest.T).sum())
        return max(float(np.square(rest).sum()) ** 2 / squares, 1.0) if squares > 0 else 1.0


def standings(values: Values, periods: Sequence[float], linear: bool) -> list[Standing]:
    """Of the circle of each period, in the order given."""
    return [_standing(values, periods, number, linear) for number in range(len(periods))]


def _standing(values: Values, periods: Sequence[float], number: int, linear: bool) -> Standing:
    period, others = periods[number], [*periods[:number], *periods[number + 1 :]]
    turns = values.turns(period)
    if turns < FEWEST_TURNS:
        return Standing(None, f"the values hold {turns:.2g} turns of it, and less than one is an arc like any curve")
    circles = [cos_sin(values.a, other) for other in others]
    one, rivals = np.ones((len(values.a), 1)), _neighbours(values, turns, others)
    if sum(SLOWEST <= rival < turns - NEAR for rival in rivals) < FEWEST_SLOWER:
        line = [values.polynomials(slice(1, 2))] if linear else []
        return _slow(values, _Beside(values, [one, *line, *circles]), turns, linear)
    # Two steps on a stair are the period 2 itself; a stair of one step a value is the line.
    stairs = [values.stair(other) for other in others if _has_stair(values, other)]
    curves = [one, values.polynomials(slice(1, 4)), *circles]
    standing = _fast(values, _Beside(values, curves), period, rivals, len(periods))
    if standing.found and stairs:
        # Of a stair of another period, too, the line leaves teeth. What stands beside stairs leans on their overtones,
        # so that it must be there without them as well.
        standing = _fast(values, _Beside(values, [*curves, *stairs]), period, rivals, len(periods))
    return standing


def _neighbours(values: Values, turns: float, others: Sequence[float]) -> list[float]:
    """The turns of a circle's rivals, where no other period was asked for."""
    around = [turns + sign * apart for apart in (NEAR, *FAR) for sign in (-1, 1)]
    around = sorted({round(values.folded(other), 9) for other in around if other > NEAR})
    taken = [values.turns(other) for other in others]
    free = [other for other in around if all(abs(other - asked) > TAKEN for asked in taken)]
    return [other for other in free if abs(other - turns) > NEAR / 2]


def _has_stair(values: Values, period: float) -> bool:
    turns = values.turns(period)
    return turns > 1 and values.highest / turns > 1.25


def _fast(values: Values, beside: _Beside, period: float, rivals: Sequence[float], n_periods: int) -> Standing:
    """A circle is there if its odds exceed those of all neighbours by more than noise and curves let them.

    In noise of a spectrum that is flat from one neighbour to the next, that happens in LEVEL of all fits.
    """
    turns = values.turns(period)
    if beside.is_exact:
        return Standing(False, "the other terms explain everything without it")
    explained, n = beside.explained_each(np.stack([values.circle(other) for other in (turns, *rivals)], axis=1))
    odds = beside.odds(explained) / np.maximum(n, 1)
    is_far = np.array([abs(other - turns) > (1 + NEAR) / 2 for other in rivals], dtype=bool) & (n[1:] == 2)
    left = len(values.a) - beside.Q.shape[1] - int(n[0])
    if is_far.sum() < FEWEST_NEIGHBOURS or left < FEWEST_LEFT:
        return Standing(None, f"{len(values.a)} distinct values are too few to compare it with other periods")
    best, nearest = odds[1:][is_far].max(), odds[1:][~is_far].max(initial=0.0)
    if _has_stair(values, period):
        of_stair, _ = beside.explained(values.stair(period))
        if of_stair > 0 and beside.odds(np.array([of_stair]))[0] >= odds[0] * n[0]:
            return Standing(False, "a stair of that period explains as much")
    if odds[0] <= nearest:
        return Standing(False, "a period half a turn away explains as much")
    ratio = float(odds[0] / best) if best > 0 else math.inf
    chance = chance_of(ratio, int(n[0]), int(is_far.sum()), beside.dimensions(values.circle(turns)))
    said = f"its odds are {ratio:.3g} times those of the best period nearby (p = {max(chance, 1e-9):.2g})"
    return Standing(bool(ratio > 1 and chance <= LEVEL / n_periods), said)


def _slow(values: Values, beside: _Beside, turns: float, linear: bool) -> Standing:
    """A circle of few turns is there if it leaves nothing slow behind, and every curve of as many columns does."""
    if beside.is_exact:
        return Standing(False, "the other terms explain everything without it")
    slow = [values.circle(turns), values.polynomials(slice(1, _LEGENDRE + 1))]
    slow += [values.circle(half / 2) for half in range(1, math.ceil(2 * turns) + 4)]
    everything = np.hstack(slow)
    in_all, n_all = beside.explained(everything)
    n_left = len(values.a) - beside.Q.shape[1] - n_all
    if n_left < FEWEST_LEFT:
        return Standing(None, f"{len(values.a)} distinct values are too few to compare it with slow curves")
    degree = 2 if linear else 1
    detuned = [turns * by for by in (0.5, 0.65, 0.8, 1.25, 1.5)]
    rivals = [values.polynomials(slice(degree, degree + 2)), *(values.circle(other) for other in detuned)]
    rest, dimensions = max(beside.total - in_all, 0.0), beside.dimensions(everything)

    def leaves(columns: np.ndarray, level: float) -> bool:
        explained, n = beside.explained(columns)
        missed = max(in_all - explained, 0.0)
        if rest <= _EXACT * beside.total:
            return missed > 1e-9 * beside.total
        ratio = missed / max(n_all - n, 1) / (rest / n_left)
        return chance_of(ratio, n_all - n, 1, dimensions, n_left) <= level

    if leaves(values.circle(turns), LEVEL):
        return Standing(False, f"the values hold {turns:.2g} turns of it, and it leaves a slow curve unexplained")
    if not all(leaves(rival, LEVEL / 10) for rival in rivals):
        return Standing(False, f"the values hold {turns:.2g} turns of it, and a slow curve explains as much")
    return Standing(True, f"the values hold {turns:.2g} turns of it, and no slow curve of as many columns explains it")


def chance_of(ratio: float, n: int, n_rivals: int, dimensions: float, n_of_rival: int = 2) -> float:
    """P(x̄ / max ȳ > ratio) in white noise, x̄ the mean square of `n` columns, ȳ those of rivals.

    Sums of squares of k columns in ν dimensions follow Gamma(kν/2); for n = n_of_rival = 2 and ν = 1 the chance is
    1 / binom(n_rivals + ratio, ratio).

    >>> round(1 / chance_of(3.0, 2, 8, 1.0))  # binom(11, 3)
    165
    """
    own, of_rival = n * dimensions / 2, n_of_rival * dimensions / 2
    x, density = _gamma(own)
    y, of_y = _gamma(of_rival)
    below = np.interp(x * of_rival / (own * max(ratio, 1e-12)), y, np.cumsum(of_y) - of_y / 2, right=1.0)
    return float(density @ below**n_rivals)


def _gamma(shape: float) -> tuple[np.ndarray, np.ndarray]:
    """Points and their probabilities. In steps of x = t³ the density has no pole for shape ½."""
    t = np.linspace(0, (shape + 9 * math.sqrt(shape) + 25) ** (1 / 3), 801)
    t = (t[1:] + t[:-1]) / 2
    density = np.exp((3 * shape - 1) * np.log(t) - t**3 - math.lgamma(shape))
    return t**3, density / density.sum()


def _orthonormal(columns: np.ndarray, n_values: int = 0) -> np.ndarray:
    """A basis of what the columns span; with `n_values`, directions shorter than their rounding left out."""
    U, S, _ = np.linalg.svd(columns, full_matrices=False)
    least = 1e-3 * math.sqrt(n_values) if n_values else 1e-9 * S[0]
    return U[:, least < S]
