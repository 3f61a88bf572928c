"""The stages on the pages are the verdict's numbers, and their sentences follow from them."""

import re
from dataclasses import replace

import numpy as np
import pytest
from test_page import Elements
from verdict.circle_networks import circle_network

from grokinterp.report import render_verdict, stages_over_training_figure, verdict_figures
from grokinterp.report._verdict_stages import companions_sentence, fill, stage_parts
from grokinterp.report._verdict_tables import share
from grokinterp.verdict import StagesOverTraining, Verdict, WithoutCircle, find_verdict
from grokinterp.verdict.stages import StagesAt
from grokinterp.wording import number, percent


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    """A pizza, with a circle taken out and a course of training."""
    found = find_verdict(circle_network(11, {1: 9.0, 2: 8.0}, "pizza"), full=False)
    stages = found.measured.stages
    assert stages
    without = (
        WithoutCircle(1, True, 2.0, 40.0, {2: (1.0, 1.0)}, {}),
        WithoutCircle(2, True, 3.0, 60.0, {1: (1.0, 4.0)}, {1: 2}),
        WithoutCircle(4, False, 5.0, 812.3, {1: (2.0, 2.0), 2: (0.1, 9.0)}, {2: 2}),
    )
    points = tuple(StagesAt(stages.circles, step, right, 0.9) for step, right in ((100, 0.5), (200, 1.0)))
    return replace(found, without=without, over_training=StagesOverTraining((1, 2), points, 7))


@pytest.fixture(scope="module")
def page(verdict: Verdict) -> str:
    return render_verdict(verdict)


def test_the_stages_stand_in_their_order(page: str) -> None:
    places = [
        page.index(f'id="{name}"') for name in ("sum", "circles", "without", "read-out", "over-training", "evidence")
    ]
    assert places == sorted(places)
    # A figure stands in its stage, once.
    assert page.count('id="circles-alone"') == page.count('id="stages-over-training"') == 1
    assert places[1] < page.index('id="circles-alone"') < places[2]


def test_the_tables_hold_the_numbers_of_the_stages(verdict: Verdict) -> None:
    stages = verdict.measured.stages
    assert stages
    tables = {table.title: table for part in stage_parts(verdict, ()) for table in part.tables}
    for table in tables.values():
        assert all(len(cells) == len(table.heads) for _, _, cells in table.rows)
    rows = {name: (note, cells) for name, note, cells in tables["circle alone"].rows}
    inside = {name: cells for name, _, cells in tables["inside the network"].rows}
    for circle in stages.circles:
        note, cells = rows[f"k = {circle.freq}"]
        assert note == circle.mechanism == "pizza"
        assert cells[:3] == [
            share(circle.share),
            number(circle.fitted.at_equal),
            number(circle.fitted.at_opposite).replace("-", "−"),
        ]
        assert cells[3] == fill(circle.fill)
        assert inside[f"k = {circle.freq}"][0] == share(circle.kept)
        assert inside[f"k = {circle.freq}"][2] == share(circle.neurons.additive)
    *sites, logits = tables["place"].rows
    assert [cells[-1] for _, _, cells in sites] == [number(site.loss) for site in stages.sum.sites]
    assert logits[2] == [
        share(stages.sum.logits_share), percent(stages.sum.logits_accuracy), number(stages.sum.logits_loss)
    ]  # fmt: skip
    assert [name for name, _, _ in tables["circle"].rows] == ["k = 1", "k = 2"]


def test_what_they_say(page: str, verdict: Verdict) -> None:
    text = Elements(page).text.replace("\u00a0", " ")
    for part in stage_parts(verdict, ()):
        assert part.title in text
        assert all(sentence in text for sentence in part.sentences)
    assert "Behind the MLP the network needs to know s and nothing else of a and b" in text
    assert f"By Zhong et al. 2023: {verdict.judgement.published_says}." in text
    assert "a pizza from step 100. 2 of 7 checkpoints are shown" in text


def test_circles_taken_out_say_how_many_there_are(verdict: Verdict) -> None:
    assert companions_sentence(verdict.without, 11) == (
        "This network adds on 3 circles: 2 with a cosine of their own in the logits, and 4, which fills the hole of 2 "
        "(4 = ±2·2 mod 11). Of these 2, 2 fills the hole of 1 (2 = ±2·1 mod 11)."
    )
    alone = verdict.without[0]
    assert companions_sentence([alone], 11) == "This network adds on 1 circle, with a cosine in the logits."
    # A frequency that is embedded and fills nothing is none of the circles that it adds on.
    idle = replace(verdict.without[2], fills={})
    assert companions_sentence([alone, idle], 11) == "This network adds on 1 circle, with a cosine in the logits."
    (table,) = next(part for part in stage_parts(verdict, ()) if part.name == "without").tables
    assert table.rows[-1] == (
        "k = 4",
        "no cosine of its own in the logits",
        ["5.00", "812", "2 (4 = ±2·2 mod 11)", "9.00 → 0.100"],
    )


def test_facts_of_the_configuration_are_no_evidence(verdict: Verdict) -> None:
    assert verdict.measured.stages
    stages = replace(verdict.measured.stages, facts=("attention is constant, so that the neurons see E_a + E_b alone",))
    told = replace(verdict, measured=replace(verdict.measured, stages=stages))
    sentences = [sentence for part in stage_parts(told, ()) for sentence in part.sentences]
    assert (
        "Facts of the configuration, which are no evidence: attention is constant, so that the neurons see E_a + E_b "
        "alone." in sentences
    )


def test_a_network_that_has_learned_nothing_has_no_stages(verdict: Verdict) -> None:
    for measured in (
        replace(verdict.measured, stages=None),
        replace(verdict.measured, how_far=replace(verdict.measured.how_far, stage="memorised")),
    ):
        assert stage_parts(replace(verdict, measured=measured), ()) == []


def test_the_course_of_training_is_drawn(verdict: Verdict) -> None:
    figure = stages_over_training_figure(verdict)
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn["accuracy"].x) == [100, 200] and list(drawn["accuracy"].y) == [0.5, 1.0]
    assert verdict.over_training
    np.testing.assert_allclose(drawn["k = 2"].y, verdict.over_training.fills(2), atol=1e-6)
    assert drawn["k = 2"].yaxis == "y2"
    one = replace(verdict.over_training, points=verdict.over_training.points[:1])
    names = [entry.name for entry in verdict_figures(replace(verdict, over_training=one))]
    assert "stages-over-training" not in names


def test_fills_are_written_as_they_are() -> None:
    assert [fill(value) for value in (0.0, -0.004, -0.07, 0.996, 8.5)] == [".00", ".00", "−.07", "1.00", "8.50"]
    assert re.fullmatch(r"–", fill(float("nan")))
