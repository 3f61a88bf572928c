"""The stages over training: how the circles of the last checkpoint came to form the sum, and whether they still change.

One step's label is a moment of a movement: the published network groks as a pizza, whose hole is filled for thousands
of steps afterwards.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from grokinterp.analysis import accuracy, find_keys
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, Snapshot

from ._of_circles import OfCircles
from ._stages import Stages, circle_stages, require_sums
from ._sum import share_of_sum

# Checkpoints that are looked at by default, and from which on: at that share of the pairs the sum is on its way.
MOST_STEPS = 12
ON_ITS_WAY = 0.5


@dataclass(frozen=True, eq=False)
class StagesAt(OfCircles):
    """One checkpoint: its circles, and what they do together, see `OfCircles`.

    - `accuracy`: of all pairs.
    - `of_sum`: the share of the centred logits' variance that is a function of s.
    """

    step: int
    accuracy: float
    of_sum: float


@dataclass(frozen=True, eq=False)
class StagesOverTraining:
    """`points`, in the order of their steps, all with the same `keys`; `kept` checkpoints has the run."""

    keys: tuple[int, ...]
    points: tuple[StagesAt, ...]
    kept: int

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(point.step for point in self.points)

    def fills(self, freq: int) -> list[float]:
        """Amplitude at opposite over that at equal inputs of one circle; NaN where it does little or has no good fit.

        A circle that has not formed yet is the noise of the logits.
        """
        place = self.keys.index(freq)
        circles = [point.circles[place] for point in self.points]
        told = ("pizza", "filled pizza", "overfilled pizza", "torus", "product", "table")
        return [circle.fill if circle.mechanism in told else math.nan for circle in circles]


def stages_over_training(
    run: Run,
    keys: tuple[int, ...] | None = None,
    steps: Iterable[int] | None = None,
    *,
    known: tuple[int, Stages] | None = None,
) -> StagesOverTraining:
    """Measure how the circles form the sum at several checkpoints of a run.

    **Arguments:**

    - `keys`: the key frequencies, the same at every checkpoint; by default those that `find_keys` chooses at the last.
    - `steps`: which kept checkpoints; by default at most 12, spread from the first that answers half of all pairs
      (found by halving the run, so the first of them where it answers them only once) to the last. None are where the
      last does not.
    - `known`: a step and its stages with these keys, which are not measured again; at every step the neurons of the
      layer that forms the sum there are looked at. By default those of the last layer.

    **Raises** `NotApplicable` where the task's answer is no sum in a cyclic group, and `GrokinterpError` where no
    frequency stands out, or where a step has no checkpoint.
    """
    require_sums(run.task)
    keys = find_keys(run.snapshot()).chosen if keys is None else tuple(keys)
    if not keys:
        raise GrokinterpError(
            "stages over training: no frequency explains more of the logits than chance at the last checkpoint; give a "
            "run that has learned its task, or keys=(…)"
        )
    chosen = _spread(run) if steps is None else sorted(set(steps))
    missing = [step for step in chosen if step not in run.steps]
    if missing:
        near = min(run.steps, key=lambda kept: abs(kept - missing[0]), default=None)
        raise GrokinterpError(f"step {missing[0]}: {run.path} has no such checkpoint; the nearest is {near}")
    measured = {known[0]: _of_stages(*known)} if known else {}
    layer = known[1].sum.layer if known else None
    points = tuple(measured[step] if step in measured else _at(run.snapshot(step), keys, layer) for step in chosen)
    return StagesOverTraining(keys, points, len(run.steps))


def _of_stages(step: int, stages: Stages) -> StagesAt:
    return StagesAt(stages.circles, step, stages.sum.own_accuracy, stages.sum.logits_share)


def _at(snapshot: Snapshot, keys: tuple[int, ...], layer: int | None) -> StagesAt:
    return StagesAt(
        circle_stages(snapshot, keys, layer=layer),
        snapshot.step,
        accuracy(snapshot.logits, snapshot.task, "all"),
        share_of_sum(snapshot),
    )


def _spread(run: Run) -> list[int]:
    def answers_half(step: int) -> bool:
        snapshot = run.snapshot(step)
        return accuracy(snapshot.logits, snapshot.task, "all") >= ON_ITS_WAY

    steps = run.steps
    from_there = steps[bisect_left(steps, True, key=answers_half) :]
    if len(from_there) <= MOST_STEPS:
        return from_there
    return [from_there[place] for place in np.linspace(0, len(from_there) - 1, MOST_STEPS).round().astype(int)]
