"""The shipped run against the curves of the paper."""

import json

import numpy as np
import pytest

from grokinterp.analysis import ProgressMeasures, sums_of_squared_weights

KEYS = (14, 35, 41, 42, 52)


@pytest.fixture(scope="module")
def published(shared_data) -> dict:
    path = shared_data / "nanda" / "mainline_curves_digitised.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", ["train", "test"])
def test_losses_follow_the_published_ones_through_memorization(mainline, published, name):
    ours = mainline.metrics.set_index("step")[f"{name}_loss"]
    compared = [
        (ours[step], value)
        for step, value in published["mod_addition_loss_curve"][name]
        if step <= 1300 and step in ours.index and np.isfinite(ours[step])
    ]
    assert len(compared) >= 7
    np.testing.assert_allclose(*zip(*compared, strict=True), rtol=0.02)


def test_the_first_losses_are_the_published_ones(mainline):
    first = mainline.metrics.iloc[0]
    assert (first["train_loss"], first["test_loss"]) == pytest.approx((4.764053, 4.768347), abs=1e-6)


def test_the_grown_network_has_the_published_measures(mainline, published):
    snapshot = mainline.snapshot(20_000)
    measures = ProgressMeasures.of(snapshot)
    assert measures.restricted(KEYS) == pytest.approx(5.1e-8, rel=0.15)
    assert measures.excluded(measures.irreps) == pytest.approx(5.88, rel=0.05)
    total = sum(sums_of_squared_weights(snapshot.weights).values())
    assert total == pytest.approx(964, rel=0.03)
    steps, values = np.array(published["sum_sq_weight_total"]["total"]).T
    assert total == pytest.approx(np.interp(20_000, steps, values), rel=0.03)


def test_it_generalises_by_step_12000(mainline):
    evaluated = mainline.metrics.dropna(subset=["test_accuracy"]).set_index("step")
    assert (evaluated.loc[12_000:, "test_accuracy"] == 1.0).mean() > 0.99
    assert evaluated.loc[12_000, "test_accuracy"] == 1.0
    assert evaluated["test_accuracy"].iloc[-1] == 1.0
