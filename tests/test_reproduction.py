"""The shipped run against the curves of the paper, and imported networks against the numbers known of them."""

import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from docs_script import docs_script

from grokinterp.analysis import ProgressMeasures, sums_of_squared_weights
from grokinterp.runs import import_run

DOCS = Path(__file__).parents[1] / "docs"
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


@pytest.fixture(scope="module")
def imported() -> ModuleType:
    """docs/reproduction_imported.py, which is a script."""
    return docs_script("reproduction_imported")


@pytest.mark.long
def test_the_imported_network_of_nanda_has_every_value_known_of_it(imported, shared_data, tmp_path):
    if not (shared_data / imported.NANDA).exists():
        pytest.skip(f"{imported.NANDA} is not here")
    measured = imported.measured_nanda(import_run(shared_data / imported.NANDA, tmp_path / "run").snapshot())
    assert measured.keys() == imported.OF_NANDA.keys()
    for row, known in imported.OF_NANDA.items():
        # Given to three digits at least: half a unit in the last of 3.03 is 1.7e-3 of it.
        assert measured[row] == pytest.approx(known, rel=1.7e-3), row


@pytest.mark.long
@pytest.mark.parametrize(("column", "model"), [(0, "A"), (1, "B")])
def test_the_imported_pizza_and_clock_have_the_values_known_of_them(imported, shared_data, tmp_path, column, model):
    path = shared_data / "pizza" / f"model_{imported.PIZZAS[model]}.pt"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    measured = imported.measured_pizza(import_run(path, tmp_path / "run").snapshot())
    for found, (row, (published, known)) in zip(measured, imported.OF_PIZZAS.items(), strict=True):
        assert found == pytest.approx(known[column], rel=3e-4), row
        if published[column] is not None:
            assert found == pytest.approx(published[column], rel=0.02), row


def test_the_document_has_the_rows_that_the_script_prints_and_its_contents_lead_somewhere(imported):
    text = (DOCS / "reproduction.md").read_text()
    for row, known in imported.OF_NANDA.items():
        assert re.search(
            rf"^\| {re.escape(row)} \| .* \| {re.escape(imported.shown(known))} \|$", text, re.MULTILINE
        ), row
    for row in imported.OF_PIZZAS:
        assert f"\n| {row} | " in text
    contents = re.findall(r"\]\(#([\w-]+)\)", text)
    headings = {
        re.sub(r"[^\w -]", "", line[2:]).replace(" ", "-").lower() for line in text.splitlines() if line[:2] == "# "
    }
    assert "imported-networks" in contents
    assert set(contents) <= headings
