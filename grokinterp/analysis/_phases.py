"""The phases of grokking, found from the curves.

Nanda et al. 2023 read the boundaries off the figure by eye (1,400, 9,400 and 14,000 on the mainline). The rules here:

- memorization ends at the minimum of the excluded loss (key frequencies, train pairs) before the network generalises:
  from there on the circuit carries a growing share of the train performance (a task without a group has no excluded
  loss: memorization ends when 99 % of the train pairs are known, and a circuit is known by the test loss alone);
- circuit formation ends, and cleanup begins, when the test loss falls below that of a uniform guess (ln p) for good:
  before that, what is known of unseen pairs is drowned by what was memorised;
- cleanup ends when the sum of squared weights comes within 3 % of its last value for good, and only if it stayed there
  through the last tenth of the run: weights that still shrink are near their last value for a short time, too.

"Minimum" and "for good" are meant up to single evaluations, see `_change`: a step is what the fewest evaluations
contradict. Where another step, more than 3 % away, fits nearly as well, a warning says so.

A phase that the run did not reach is None, and one that it did not leave is open. So is all None that one evaluation
cannot tell: a network that is seen once knows its pairs, but since when is unknown, and of one checkpoint no curve has
a minimum or settles.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from ._change import Change, change_point, noise_of, turning_point
from ._how_far import HOW_FAR_THRESHOLDS

SETTLED = 0.03
# The weights have settled if they did so before this share of the run.
SETTLED_BY = 0.9
# The last value of a curve is the median of so many, of which one may be an outlier.
LAST_EVALUATIONS = 3
# The excluded loss has risen if it did so by this share and by so many standard deviations of its noise.
RISEN = 0.03
RISEN_NOISE = 5.0
Phase = tuple[int, int] | None


@dataclass(frozen=True)
class Phases:
    """First and last step of each phase, and when the accuracies reached 99 %.

    - `memorization`, `circuit_formation`, `cleanup`: first and last step; None where not reached, and of a run of one
      checkpoint.
    - `…_first`: the first evaluation at ≥ 99 %; `…_sustained`: the first from which no later evaluation falls below.
    - `…_stable`: the step that the fewest evaluations contradict, by reaching 99 % before it or falling below after it;
      `…_dips`: the steps of the evaluations after it that fall below. Without dips it is `…_sustained`.
    - `open_phase`: the name of the phase that had begun and was not over at the last checkpoint, which then is the last
      step given for it; None where none is open.
    - `warnings`: sentences on boundaries for which other steps fit nearly as well.

    Steps of accuracies are None where none reached 99 %, or of only one evaluation at all.
    """

    memorization: Phase = None
    circuit_formation: Phase = None
    cleanup: Phase = None
    train_accuracy_first: int | None = None
    train_accuracy_sustained: int | None = None
    test_accuracy_first: int | None = None
    test_accuracy_sustained: int | None = None
    train_accuracy_stable: int | None = None
    test_accuracy_stable: int | None = None
    train_accuracy_dips: tuple[int, ...] = ()
    test_accuracy_dips: tuple[int, ...] = ()
    open_phase: str | None = None
    warnings: tuple[str, ...] = ()

    def is_open(self, phase: str) -> bool:
        """Whether the run had begun `phase` and not ended it."""
        return self.open_phase == phase


def find_phases(measures: pd.DataFrame, metrics: pd.DataFrame, n_answers: int) -> Phases:
    """Apply the module's rules to the measures per checkpoint and, where evaluated more often, the training metrics."""
    needed = ["train_accuracy", "test_accuracy", "test_loss"]
    trained = metrics.dropna(subset=needed) if set(needed) <= set(metrics.columns) else metrics.iloc[:0]
    evaluated = measures if len(trained) < len(measures) else trained
    reached = _reached(evaluated, "train") | _reached(evaluated, "test")
    known = reached.get("train_accuracy_stable")
    if known is None or len(measures) == 1:
        return Phases(**reached)

    last, warnings, is_open = int(measures["step"].iloc[-1]), [], None
    memorization = circuit_formation = cleanup = None
    generalises = _generalises(evaluated, known, n_answers)
    before = measures.loc[measures["step"] <= (generalises.step if generalises else last)]
    memorised = _memorised(before, known) if len(before) else None
    generalises_from = generalises.step if generalises else None
    if memorised and generalises is None and "excluded_loss" in measures and not _has_risen(measures, memorised.step):
        memorization, is_open = (0, last), "memorization"
    elif memorised:
        memorization = (0, memorised.step)
        warnings += _uncertain("memorization ends", memorised)
        # An easy split is never worse than a guess: cleanup then follows memorization at once.
        generalises_from = max(generalises_from, memorised.step) if generalises_from is not None else None
        if generalises_from is not None:
            circuit_formation = (memorised.step, generalises_from) if memorised.step < generalises_from else None
        elif "excluded_loss" in measures:
            # What has not shown in the test loss yet shows in the excluded loss alone.
            circuit_formation, is_open = (memorised.step, last), "circuit_formation"
    if generalises_from is not None:
        warnings += _uncertain("circuit formation ends", generalises)
        settled = _settled(measures, generalises_from)
        end = max(generalises_from, settled.step if settled else last)
        if settled is None or end > SETTLED_BY * last:
            is_open, end = "cleanup", max(generalises_from, last)
        else:
            warnings += _uncertain("cleanup ends", settled)
        cleanup = (generalises_from, end)
    return Phases(
        memorization=memorization,
        circuit_formation=circuit_formation,
        cleanup=cleanup,
        open_phase=is_open,
        warnings=tuple(warnings),
        **reached,
    )


def _generalises(evaluated: pd.DataFrame, known: int, n_answers: int) -> Change | None:
    """When the test loss falls below a uniform guess's; a network that guesses, at the start, is left out."""
    later = evaluated.loc[evaluated["step"] >= known]
    # Logarithms: losses fall by orders of magnitude.
    guess = math.log(math.log(n_answers))
    return change_point(later["step"].to_numpy(), _log(later["test_loss"]), lambda losses: losses < guess)


def _memorised(before: pd.DataFrame, known: int) -> Change:
    """When the excluded loss is least, but not before the train pairs are known."""
    if "excluded_loss" not in before:
        return Change(known)
    return turning_point(before["step"].to_numpy(), _log(before["excluded_loss"])).at_least(known)


def _has_risen(measures: pd.DataFrame, least: int) -> bool:
    """Whether the excluded loss is higher at the end than at step `least`, by more than its noise and the train loss.

    Weight decay alone makes a network that memorised less sure, and raises both losses.
    """
    since = measures.loc[measures["step"] >= least]

    def rise(name: str) -> float:
        losses = _log(since[name])
        few = min(LAST_EVALUATIONS, len(losses) // 2)
        return float(np.median(losses[-few:]) - np.median(losses[:few]))

    if len(since) < 2:
        return False
    noise = noise_of(measures["step"].to_numpy(), _log(measures["excluded_loss"]))
    of_train = max(0.0, rise("train_loss")) if "train_loss" in since else 0.0
    return rise("excluded_loss") - of_train > max(RISEN_NOISE * noise, math.log1p(RISEN))


def _log(losses: Any) -> Float[np.ndarray, " step"]:
    """A loss may be 0 in float64: a network can be as sure as that."""
    return np.log(np.maximum(np.asarray(losses, dtype=float), np.finfo(float).tiny))


def _settled(measures: pd.DataFrame, generalises_from: int) -> Change | None:
    """When the weights are as they are at the end."""
    later = measures.loc[measures["step"] >= generalises_from]
    total = later["sum_of_squared_weights"].to_numpy(dtype=float)
    return change_point(later["step"].to_numpy(), total, _is_as_at_the_end)


def _is_as_at_the_end(sums: Float[np.ndarray, " step"]) -> Bool[np.ndarray, " step"]:
    return np.abs(sums / np.median(sums[-LAST_EVALUATIONS:]) - 1) < SETTLED


def _uncertain(what: str, change: Change | None) -> list[str]:
    if change is None or not change.rivals:
        return []
    first, last = change.rivals[0], change.rivals[-1]
    named = f"steps {first:,} to {last:,} fit" if first != last else f"step {first:,} fits"
    return [f"When {what} is uncertain: {named} nearly as well as step {change.step:,}."]


def _reached(evaluated: pd.DataFrame, data: str) -> dict[str, Any]:
    """The fields of `Phases` on the accuracy on `data`."""
    if len(evaluated) == 1:
        return {}
    steps = evaluated["step"].to_numpy()
    accuracies, bound = evaluated[f"{data}_accuracy"].to_numpy(dtype=float), HOW_FAR_THRESHOLDS["generalises"].bound
    holds, stable = accuracies >= bound, change_point(steps, accuracies, lambda shares: shares >= bound)
    dips = steps[~holds & (steps > stable.step)] if stable else ()
    return {
        f"{data}_accuracy_first": int(steps[np.argmax(holds)]) if holds.any() else None,
        f"{data}_accuracy_sustained": _for_good(steps, holds),
        f"{data}_accuracy_stable": stable.step if stable else None,
        f"{data}_accuracy_dips": tuple(int(step) for step in dips),
    }


def _for_good(steps: np.ndarray, holds: Bool[np.ndarray, " step"]) -> int | None:
    """The first step from which `holds` is true to the end."""
    fails = np.flatnonzero(~holds)
    start = fails[-1] + 1 if len(fails) else 0
    return int(steps[start]) if start < len(steps) else None
