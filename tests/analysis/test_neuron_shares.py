"""Two ways to the same shares: sums over a, b, a + b and a − b, and the transform in two dimensions."""

import numpy as np
import pytest

from grokinterp.analysis import Places, best_irreps
from grokinterp.analysis._neurons import _has_short_way, _shares
from grokinterp.tasks import Task, TaskConfig


@pytest.mark.parametrize(
    ("config", "short"),
    [
        (TaskConfig(p=7), True),
        (TaskConfig(p=9, operation="subtract"), True),
        (TaskConfig(operation="compose", group="Z3xZ5"), True),
        (TaskConfig(p=8), False),
        (TaskConfig(p=7, operation="multiply"), False),
        (TaskConfig(operation="compose", group="S3"), False),
    ],
    ids=lambda value: f"{value.operation} {value.group or value.p}" if isinstance(value, TaskConfig) else "",
)
def test_the_short_way_is_the_long_one(config, short):
    places = Places.of(Task(config))
    neurons = np.random.default_rng(0).random((places.task.n_pairs, 5)).astype(np.float32)
    neurons[:, 2] = 3.0  # Constant: no share of anything.
    assert _has_short_way(places) is short
    assert best_irreps(neurons, places).share == pytest.approx(_shares(neurons, places), abs=1e-12)
    assert not best_irreps(neurons, places).share[2].any()
