"""The circuit and the predictions are drawn as they were measured."""

import numpy as np
import pytest
from verdict.circle_networks import circle_network

from grokinterp.report import circuit_figure, predictions_figure, render_verdict, verdict_figures
from grokinterp.report._verdict_circuit import LEAST_SHARE, predictions_table
from grokinterp.verdict import Verdict, find_verdict, together


@pytest.fixture(scope="module")
def pizza() -> Verdict:
    return find_verdict(circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, "pizza"))


def test_every_strong_edge_is_drawn_in_its_width(pizza):
    figure = circuit_figure(pizza)
    strong = [edge for edge in pizza.examination.circuit if abs(edge.share) >= LEAST_SHARE]
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(lines) == len(strong)
    drawn = {(trace.name, trace.hovertemplate.partition(":")[0]): trace.line.width for trace in lines}
    for edge in strong:
        width = max(1.0, 7 * min(abs(edge.share), 1.0))
        assert drawn[f"k = {edge.freq}", f"{edge.source} → {edge.target}"] == pytest.approx(width, abs=0.01)
    assert set(figure.data[-1].text) == {"a", "b", "head 0", "head 1", "MLP", "logits"}


def test_predictions_lie_on_the_line_of_a_built_circuit(pizza):
    figure = predictions_figure(pizza)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert {trace.name for trace in dots} == {"k = 1", "k = 2", "k = 5"}
    of_margins = [trace for trace in dots if trace.xaxis == "x"]
    for trace in of_margins:
        assert np.array(trace.y) == pytest.approx(np.array(trace.x), abs=0.3)
    r = together(pizza.examination.predictions, "delete", "margin of each pair").r
    assert f"margins without a circle<br>r = {r:.3f}" in [note.text for note in figure.layout.annotations]


def test_the_table_has_a_row_per_quantity_and_is_on_the_page(pizza):
    rows = predictions_table(pizza)
    compared = [row[1] for row in rows]
    assert compared[:3] == ["margin of each pair", "mean margin by distance", "mean margin by answer"]
    assert {row[0] for row in rows} >= {"a circle deleted from the embedding", "tokens multiplied by a unit"}
    page = render_verdict(pizza)
    assert "right, predicted / measured" in page
    assert {"circuit", "predictions"} <= {entry.name for entry in verdict_figures(pizza)}
