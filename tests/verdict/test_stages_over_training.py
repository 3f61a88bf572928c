"""The stages over training are those of each checkpoint, taken with one set of keys."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from circle_networks import circle_network

from grokinterp.errors import GrokinterpError, NotApplicable
from grokinterp.models import initial_weights
from grokinterp.runs import Run, Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import find_stages, stages_over_training
from grokinterp.verdict.stages import over_training_content

AMPLITUDES = {1: 9.0, 2: 8.0}
KEYS = (1, 2)


class Built(Run):
    """A run of networks built by hand, a step each."""

    def __init__(self, snapshots: dict[int, Snapshot]) -> None:
        object.__setattr__(self, "snapshots", snapshots)

    path = Path("built")

    @property
    def task(self) -> Task:
        return self.snapshots[self.steps[0]].task

    @property
    def steps(self) -> list[int]:
        return sorted(self.snapshots)

    def snapshot(self, step: int | None = None) -> Snapshot:
        return self.snapshots[self.steps[-1] if step is None else step]


def untrained(step: int) -> Snapshot:
    network = circle_network(11, AMPLITUDES, "pizza")
    noise = torch.Generator().manual_seed(step)
    weights = {name: torch.randn(value.shape, generator=noise) * 0.1 for name, value in network.weights.items()}
    return replace(network, step=step, weights=weights)


@pytest.fixture(scope="module")
def filling() -> Built:
    """Two untrained checkpoints, then a pizza whose hole is filled."""
    kinds = {300: "pizza", 400: "0.4", 500: "1.0"}
    grown = {step: replace(circle_network(11, AMPLITUDES, kind), step=step) for step, kind in kinds.items()}
    return Built({100: untrained(100), 200: untrained(200)} | grown)


def test_a_hole_is_filled_over_training(filling):
    found = stages_over_training(filling, KEYS)
    assert found.steps == (300, 400, 500) and found.keys == KEYS and found.kept == 5
    for point, fill in zip(found.points, (0.0, 0.4, 1.0), strict=True):
        assert point.fill == pytest.approx(fill, abs=0.02)
        assert point.clock_share == pytest.approx(fill, abs=0.02)
        assert point.accuracy == 1 and point.kept == pytest.approx(1, abs=0.02)
    for freq in KEYS:
        np.testing.assert_allclose(found.fills(freq), [0, 0.4, 1], atol=0.02)
    assert [point.leading for point in found.points] == ["pizza", "torus", "torus"]


def test_each_point_is_what_the_stages_are_there(filling):
    (point,) = stages_over_training(filling, KEYS, steps=[400]).points
    stages = find_stages(filling.snapshot(400), KEYS)
    assert point.of_sum == stages.sum.logits_share
    for name in ("fill", "clock_share", "kept", "additive", "alignment", "multiplied", "shares", "leading"):
        assert getattr(point, name) == getattr(stages, name), name
    (row,) = over_training_content(stages_over_training(filling, KEYS, steps=[400]))["checkpoints"]
    assert (row["step"], row["fill"], row["mechanism"]) == (400, stages.fill, "torus")
    assert [circle["freq"] for circle in row["circles"]] == [1, 2]


def test_stages_that_are_known_are_not_measured_again(filling):
    known = find_stages(filling.snapshot(500), KEYS)
    measured, given = (stages_over_training(filling, KEYS, known=stages) for stages in (None, (500, known)))
    assert given.points[-1].circles is known.circles
    assert over_training_content(given) == over_training_content(measured)


def test_of_many_checkpoints_twelve_are_spread_from_the_first_that_answers_half():
    network = circle_network(11, AMPLITUDES, "pizza")
    snapshots = {step: replace(network, step=step) for step in range(100, 140)}
    run = Built({step: untrained(step) for step in range(90, 100)} | snapshots)
    found = stages_over_training(run, KEYS)
    assert len(found.steps) == 12 and (found.steps[0], found.steps[-1]) == (100, 139)
    assert set(np.diff(found.steps)) <= {3, 4}


def test_a_run_that_has_not_learned_its_task_has_no_points():
    run = Built({step: untrained(step) for step in (100, 200)})
    assert stages_over_training(run, KEYS).points == ()
    with pytest.raises(
        GrokinterpError,
        match="stages over training: no frequency explains more of the logits than chance at the last checkpoint; give "
        "a run that has learned its task, or keys=",
    ):
        stages_over_training(run, ())


def test_steps_that_are_not_kept_are_named(filling):
    with pytest.raises(GrokinterpError, match="step 450: built has no such checkpoint; the nearest is 400"):
        stages_over_training(filling, KEYS, steps=[300, 450])


def test_another_task_is_refused(filling):
    composed = Task(TaskConfig(operation="compose", group="S3"))
    says = re.escape(f"{composed.name}: its answer is no sum in a cyclic group, which the stages are of")
    config = filling.snapshot().config
    other = Built({1: untrained(1)})
    other.snapshots[1] = Snapshot(1, composed, config, initial_weights(config, composed))
    for measure in (lambda: stages_over_training(other), lambda: find_stages(other.snapshot())):
        with pytest.raises(NotApplicable, match=says):
            measure()
    with pytest.raises(
        GrokinterpError, match="stages: no frequency explains more of the logits than chance; give a network that has"
    ):
        find_stages(filling.snapshot(), ())


@pytest.mark.long
def test_the_mainline_groks_as_a_pizza_whose_holes_are_filled(mainline: Run) -> None:
    """Measured beforehand by other means: clock share .05 at step 10,000, .15 at 11,000, .60 at 14,000, and so on."""
    known = {10_000: 0.05, 11_000: 0.15, 14_000: 0.60, 16_000: 0.68, 20_000: 0.742}
    found = stages_over_training(mainline, (14, 35, 41, 42, 52), steps=known)
    assert [point.clock_share for point in found.points] == pytest.approx(list(known.values()), abs=0.01)
    assert [point.leading for point in found.points] == ["pizza", "pizza", *["filled pizza"] * 3]
    kept = [point.kept for point in found.points]
    assert kept == sorted(kept, reverse=True) and kept[0] > 0.9 and kept[-1] == pytest.approx(0.66, abs=0.02)
    assert found.fills(42)[-1] == pytest.approx(1.40, abs=0.02)
    spread = stages_over_training(mainline, (42,)).steps
    assert len(spread) == 12 and spread[0] == 9000 and spread[-1] == 20_000
