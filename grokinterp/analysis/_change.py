"""When a curve changed: steps that single evaluations do not move, and other steps that fit nearly as well.

A loss jumps at one evaluation and is back at the next (a slingshot), and a rule such as "from here on for good" then
names that evaluation. So both rules here count: the step that is found is the one that the fewest evaluations
contradict, however far from the others these lie.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

# Another step is another answer only if they are this much of the earlier apart.
APART = 0.03
# A value is an outlier if it lies so many times the range of its four neighbours outside of that range.
OUTSIDE = 2.0
# Rivals are contradicted by this share more, and one more.
SLACK = 0.1
# As much noise again is added to a curve so many times; a step is uncertain if this share of them move it.
DRAWS = 40
OFTEN = 0.1
# A cubic is fitted to the values that lie above the least by less than WIDE standard deviations of the noise, but by
# no more than NEAR (or NARROW standard deviations): further away, losses are no cubics of the step's logarithm.
NARROW, WIDE, NEAR = 8.0, 40.0, 1.2
# It needs so many values, being given by four.
FEWEST = 8
# The variance of residuals where steps are evenly spaced, and the median product of neighbouring ones, in variances of
# the noise.
EVEN_VARIANCE = 35 / 18
MEDIAN_PRODUCT = 0.63


@dataclass(frozen=True)
class Change:
    """The step of a change, and those further than 3 % away that fit nearly as well, in order."""

    step: int
    rivals: tuple[int, ...] = ()

    def at_least(self, step: int) -> "Change":
        """The same with no step below `step`."""
        return _change(max(self.step, step), (max(rival, step) for rival in self.rivals))


def _change(step: int, rivals: Iterable[int]) -> Change:
    return Change(step, tuple(sorted({rival for rival in rivals if _are_apart(rival, step)})))


def _are_apart(step: int, other: int) -> bool:
    """Whether two steps are further apart than 3 % of the earlier."""
    return abs(step - other) > APART * min(step, other)


Rule = Callable[[Float[np.ndarray, " step"]], Bool[np.ndarray, " step"]]


def change_point(steps: Int[np.ndarray, " step"], values: Float[np.ndarray, " step"], holds: Rule) -> Change | None:
    """The step from which `holds` is true of the values, by the fewest contradictions.

    They contradict a step by holding before it or not after it. None where "never" is contradicted by no more than
    any step is. Of steps that fit alike it is the last.

    Rivals are contradicted by nearly as few, if anything contradicts the step at all; the steps that are found where as
    much noise again is added to the curve; and the neighbours of a step at which the curve goes up and down.

    >>> steps = np.arange(0, 1000, 100)
    >>> change_point(steps, np.geomspace(100, 0.1, 10), lambda values: values < 5.0)
    Change(step=400, rivals=())
    """
    held = holds(values)
    starts, contradicted = _contradictions(held)
    if not len(starts) or held.sum() <= contradicted.min():
        return None
    least = contradicted.min()
    best = int(starts[contradicted == least][-1])
    rivals = set(starts[contradicted <= least + 1 + SLACK * least] if least else ())
    noise = noise_of(steps, values)

    def found(again: np.ndarray) -> int:
        starts, contradicted = _contradictions(holds(again))
        return int(starts[contradicted == contradicted.min()][-1]) if len(starts) else best

    rivals |= _found_often(found, steps, values, noise, best)
    if not noise and any(_is_kink(values, place) for place in (best - 1, best)):
        rivals |= {max(best - 1, 0), min(best + 1, len(steps) - 1)}
    return _change(int(steps[best]), (int(steps[rival]) for rival in rivals))


def _contradictions(held: Bool[np.ndarray, " step"]) -> tuple[np.ndarray, np.ndarray]:
    """The places at which `held` becomes true, and by how many evaluations each is contradicted."""
    starts = np.flatnonzero(held & ~np.concatenate([[False], held[:-1]]))
    held_before = np.concatenate([[0], np.cumsum(held)])[:-1]
    fails_after = np.cumsum(~held[::-1])[::-1]
    return starts, (held_before + fails_after)[starts]


def turning_point(steps: Int[np.ndarray, " step"], values: Float[np.ndarray, " step"]) -> Change:
    """The step at which a curve that falls turns and rises: the fewest pairs of evaluations contradict it.

    A pair contradicts a step if both come before it and the later value is the higher, or both after it and the later
    is the lower (as in Kendall's rank correlation): a single low value counts no more than its rank. Values that lie
    apart from both neighbours on each side are left out. Where the curve is noisy, the least value of a cubic through
    the values near that step, those that the noise cannot tell from it, is the step.

    Rivals are the steps that are found where as much noise again is added to the curve; in a noisy curve,
    neighbours whose value is not above that of the step; and where the fit cannot be made, neighbours of a step near
    which an outlier was left out or the curve goes up and down.

    >>> turning_point(np.arange(5), np.array([3.0, 2.0, 1.0, 2.0, 3.0]))
    Change(step=2, rivals=())
    """
    outlier = _outliers(values)
    kept = np.flatnonzero(~outlier)
    noise = noise_of(steps[kept], values[kept])
    best = _turns(steps[kept], values[kept], noise)
    often = _found_often(lambda again: _turns(steps[kept], again, noise), steps[kept], values[kept], noise, best)
    rivals = {int(kept[place]) for place in often}
    if noise:
        # The fit passes a neighbour over whose value is the lower, as the noise may have it.
        as_good = values[kept] <= values[kept[best]]
        rivals |= {int(kept[place]) for place in (best - 1, best + 1) if 0 <= place < len(kept) and as_good[place]}
    # What lies beside it counts as well where an outlier was left out, or where the curve near it goes up and down.
    near = np.arange(max(kept[best] - 1, 0), min(kept[best] + 2, len(steps)))
    around = [place for place in range(best - 3, best + 4) if place != best]
    is_smoothed = noise and len(_stretch(values[kept], best, noise)) >= FEWEST
    if outlier[near].any() or (not is_smoothed and any(_is_kink(values[kept], place) for place in around)):
        rivals |= set(near.tolist())
    return _change(int(steps[kept[best]]), (int(steps[rival]) for rival in rivals))


def _turns(steps: np.ndarray, values: np.ndarray, noise: float) -> int:
    """The place at which the curve turns."""
    contradicted = _contradicting_pairs(values)
    best = int(min(np.flatnonzero(contradicted == contradicted.min()), key=lambda place: values[place]))
    if not noise:
        return best
    stretch = _stretch(values, best, noise)
    if len(stretch) < FEWEST:
        return best
    fitted = _cubic(np.log1p(steps[stretch]), values[stretch], noise)
    least = int(np.argmin(fitted))
    return int(stretch[least]) if 0 < least < len(stretch) - 1 else best


def _stretch(values: np.ndarray, best: int, noise: float) -> np.ndarray:
    """The places around `best` whose values are near its value."""
    level = _medians_of_three(values)
    far = np.flatnonzero(level > level[best] + min(WIDE * noise, max(NARROW * noise, NEAR)))
    return np.arange(far[far < best].max(initial=-1) + 1, far[far > best].min(initial=len(values)))


def _cubic(x: np.ndarray, y: np.ndarray, noise: float) -> np.ndarray:
    """The values of a cubic through `y`; those further away than the noise goes count less."""
    x, weights = (x - x[0]) / (x[-1] - x[0]), np.ones(len(x))
    for _ in range(2):
        fitted = np.polyval(np.polyfit(x, y, 3, w=weights), x)
        weights = np.sqrt(1 / np.maximum(1, np.abs(y - fitted) / (2 * noise)))
    return np.polyval(np.polyfit(x, y, 3, w=weights), x)


def _found_often(
    find: Callable[[np.ndarray], int], steps: np.ndarray, values: np.ndarray, noise: float, best: int
) -> set[int]:
    """The places far from `best` that `find` gives where as much noise again is added, if it gives such often."""
    if not noise:
        return set()
    random = np.random.default_rng(0)
    found = [find(values + random.normal(0, noise, len(values))) for _ in range(DRAWS)]
    far = [place for place in found if _are_apart(int(steps[place]), int(steps[best]))]
    return set(far) if len(far) >= OFTEN * DRAWS else set()


def _is_kink(values: np.ndarray, place: int) -> bool:
    if not 0 < place < len(values) - 1:
        return False
    before, here, after = values[place - 1 : place + 2]
    return bool((here - before) * (after - here) < 0)


def _outliers(values: np.ndarray) -> np.ndarray:
    """Which values lie far outside the range of two neighbours on each side."""
    n = len(values)
    found = np.zeros(n, dtype=bool)
    for place in range(n):
        around = np.concatenate([values[max(place - 2, 0) : place], values[place + 1 : place + 3]])
        if len(around) > 2:
            low, high = around.min(), around.max()
            found[place] = max(low - values[place], values[place] - high) > OUTSIDE * (high - low) > 0
    return found


def noise_of(steps: np.ndarray, values: np.ndarray) -> float:
    """The standard deviation of a curve's noise, see below; 0 for a smooth one, and for one of few values.

    Residuals from the cubic through two neighbours on each side alternate in noise, and not in a bend.

    Residuals e_i − (4 e_{i−1} + 4 e_{i+1} − e_{i−2} − e_{i+2})/6 of independent normal e have the variance 35/18 σ²,
    and the correlation −.8 with their neighbours; the median of these products, which outliers do not move, is −.63 σ².
    """
    if len(values) < FEWEST:
        return 0.0
    places = np.arange(2, len(values) - 2)
    around = places[:, None] + np.array([-2, -1, 1, 2])
    weights = _cubic_weights(steps[around].astype(float), steps[places].astype(float))
    residuals = values[places] - (weights * values[around]).sum(axis=1)
    # Where steps are not evenly spaced, residuals vary otherwise.
    residuals *= np.sqrt(EVEN_VARIANCE / (1 + np.square(weights).sum(axis=1)))
    return math.sqrt(max(0.0, -float(np.median(residuals[:-1] * residuals[1:])) / MEDIAN_PRODUCT))


def _cubic_weights(
    steps: Float[np.ndarray, "place 4"], at: Float[np.ndarray, " place"]
) -> Float[np.ndarray, "place 4"]:
    """Lagrange's: how much each of four values counts in the cubic through them at another step."""
    weights = np.ones_like(steps)
    for j in range(4):
        for k in range(4):
            if k != j:
                weights[:, j] *= (at - steps[:, k]) / (steps[:, j] - steps[:, k])
    return weights


def _contradicting_pairs(values: np.ndarray) -> np.ndarray:
    """Per place: the pairs up to it of which the later is higher, and those from it on of which the later is lower."""
    higher = np.triu(values[:, None] < values[None, :])
    lower = np.triu(values[:, None] > values[None, :])
    return np.cumsum(higher.sum(axis=0)) + np.cumsum(lower.sum(axis=1)[::-1])[::-1]


def _medians_of_three(values: np.ndarray) -> np.ndarray:
    if len(values) < 3:
        return values
    middle = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return np.concatenate([middle[:1], middle, middle[-1:]])
