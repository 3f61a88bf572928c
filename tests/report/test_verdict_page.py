"""The verdict's page draws the verdict's numbers, leaves out what it has not, and lets no name become markup."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs
from test_page import NASTY, Elements
from verdict.circle_networks import circle_network

from grokinterp.analysis import Report
from grokinterp.errors import GrokinterpError
from grokinterp.report import (
    certificate_figure,
    circles_alone_figure,
    clock_pizza_figure,
    interventions_figure,
    irreps_and_cosets_figure,
    parts_figure,
    patching_figure,
    probes_figure,
    removals_figure,
    render_page,
    render_verdict,
    replacements_figure,
    verdict_figures,
    write_report,
    write_verdict,
)
from grokinterp.report._verdict_circles import by_angle
from grokinterp.report._verdict_losses import LEAST_LOSS, MOST_ROWS
from grokinterp.report._verdict_tables import control_name, evidence_tables, summary
from grokinterp.verdict import (
    THRESHOLDS,
    Ablation,
    CircleAlone,
    Evidence,
    Verdict,
    find_verdict,
)
from grokinterp.verdict._phase_fit import PhaseFit

AMPLITUDES = {1: 9.0, 2: 8.0, 5: 10.0}
LOSS_FIGURES = {
    "replacements": replacements_figure,
    "removals": removals_figure,
    "parts": parts_figure,
    "interventions": interventions_figure,
}


@pytest.fixture(scope="module")
def pizza() -> Verdict:
    return find_verdict(circle_network(13, AMPLITUDES, "pizza"))


@pytest.fixture(scope="module")
def half() -> Verdict:
    """The short verdict on a network half clock, half pizza."""
    return find_verdict(circle_network(13, AMPLITUDES, "0.5"), full=False)


@pytest.fixture(scope="module")
def untrained(report: Report) -> Verdict:
    return find_verdict(report.run)


@pytest.fixture(scope="module")
def page(pizza: Verdict) -> str:
    return render_verdict(pizza)


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def text_of(page: str) -> str:
    return Elements(page).text.replace("\u00a0", " ")


def figures_of(page: str) -> dict:
    return json.loads(Elements(page).scripts[-2])


def names(figure: go.Figure) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def dots(figure: go.Figure) -> dict[tuple[str, str], list[float]]:
    """(trace, row) → losses drawn."""
    rows = [name.replace("\u00a0", "") for name in figure.layout.yaxis.ticktext]
    found: dict[tuple[str, str], list[float]] = {}
    for trace in figure.data:
        for x, y in zip(trace.x, trace.y, strict=True):
            found.setdefault((trace.name, rows[round(y)]), []).append(x)
    return found


def test_the_label_comes_first(page: str, elements: Elements, pizza: Verdict) -> None:
    assert pizza.label == "pizza"
    headings = [tag for tag, _ in elements.tags if re.fullmatch("h[1-3]", tag)]
    assert headings[0] == "h1" and headings.count("h1") == 1
    assert re.search(r'<h1 class="label pizza">pizza</h1>', page)
    assert page.index("<h1") < page.index(pizza.headline[:30]) < page.index("For it") < page.index("<figure")


def test_reasons_and_shares_are_stated(page: str, pizza: Verdict) -> None:
    text, judgement = text_of(page), pizza.judgement
    for reason in (*judgement.reasons_for, *judgement.reasons_against, *judgement.would_change):
        assert reason in text
    assert "pizza fit of the logits" in text and "loss recovered" in text
    assert not judgement.reasons_against and "nothing that was measured" in text


def test_names_of_irreps_stand_beside_the_label(s3_verdict: Verdict) -> None:
    assert (summary(s3_verdict).label, summary(s3_verdict).names) == ("irrep", "(2,1)")
    assert '<h1 class="label irrep">irrep <span class="names">(2,1)</span></h1>' in render_verdict(s3_verdict)


def test_every_row_of_evidence_stands_beside_its_controls(page: str, pizza: Verdict) -> None:
    text = text_of(page)
    tables = evidence_tables(pizza)
    assert sum(len(table.rows) for table in tables) == len(pizza.evidence)
    for row in pizza.evidence:
        assert row.question in text
    for table in tables:
        assert table.controls == ["random weights", "shuffled answers"]
        assert all(len(row.controls) == 2 for row in table.rows)
    algorithm = next(table for table in tables if table.title == "Which algorithm is it?")
    gradients = next(row for row in algorithm.rows if row.question == "Do gradients in E_a and E_b agree?")
    assert gradients.holds == "pizza" and gradients.value == "1.00"
    bounds = THRESHOLDS["GS_clock"], THRESHOLDS["GS_pizza"]
    assert gradients.threshold == f"{bounds[0]} clock; {bounds[1]} pizza"


def row_of(evidence: Evidence, verdict: Verdict):
    (table,) = evidence_tables(replace(verdict, evidence=(evidence,)))
    return table.rows[0], table


def test_a_control_that_reaches_the_bound_is_marked(pizza: Verdict) -> None:
    controls = {"random_weights": 0.9, "shuffled_answers": 0.2, "memorised": float("nan")}
    row, table = row_of(Evidence("works_alone", "sufficiency", "?", 0.95, controls, "≥ 0.5", True), pizza)
    assert [(cell.text, cell.reaches) for cell in row.controls] == [("90 %", True), ("20 %", False)]
    assert (row.value, row.threshold, row.holds, table.has_marks) == ("95 %", "≥ 50 %", "yes", True)
    # A control on the other side speaks for something else.
    two = Evidence("clock_share", "algorithm", "?", 0.9, {"random_weights": 0.1}, "≥ 0.7 clock; ≤ 0.3 pizza", True)
    row, table = row_of(two, pizza)
    assert (row.holds, row.threshold, table.has_marks) == ("clock", "≥ 70 % clock; ≤ 30 % pizza", False)


@pytest.mark.parametrize(
    ("value", "holds", "threshold", "shown"),
    [
        (0.5, False, "≥ 0.7 clock; ≤ 0.3 pizza", "neither"),
        (0.2, True, "≥ 0.7 clock; ≤ 0.3 pizza", "pizza"),
        (0.5, False, "≥ 0.85", "no"),
        (0.5, None, "", ""),
    ],
)
def test_what_a_row_speaks_for(pizza: Verdict, value: float, holds: bool | None, threshold: str, shown: str) -> None:
    row, _ = row_of(Evidence("x", "algorithm", "?", value, {"random_weights": 0.9}, threshold, holds), pizza)
    assert row.holds == shown


def test_accounts_are_listed_and_the_chosen_is_bold(page: str, pizza: Verdict) -> None:
    assert len(re.findall(r'<tr class="used"><th scope="row">pizza<small>', page)) == 1
    for account in pizza.accounts:
        assert account.says in text_of(page)


def test_a_control_has_the_same_place_in_every_table(pizza: Verdict) -> None:
    first, *rest = pizza.evidence
    backwards = replace(first, controls=dict(reversed(first.controls.items())))
    for evidence in ((first, *rest), (backwards, *rest)):
        for table in evidence_tables(replace(pizza, evidence=evidence)):
            assert table.controls == sorted(table.controls, key=list(map(control_name, pizza.nulls)).index)


def test_circles_are_drawn_by_the_angle_between_their_points(pizza: Verdict) -> None:
    figure = circles_alone_figure(pizza)
    assert pizza.measured.stages
    held = {circle.freq: circle.held_amplitude for circle in pizza.measured.stages.circles}
    assert names(figure) == ["k = 1: pizza (.00)", "k = 2: pizza (.00)", "k = 5: pizza (.00)"]
    assert figure.layout.xaxis3.title.text == "angle between a and b"
    circles = {circle.freq: circle for circle in pizza.measured.circles}
    cells = [[trace for trace in figure.data if (trace.xaxis or "x") == axis] for axis in ("x", "x2", "x3")]
    for circle, cell in zip(circles.values(), cells, strict=True):
        lines = {trace.name: trace for trace in cell}
        # What `by_angle` should be, by hand: the angle from b's point, turned by the phase, to a's.
        turn = np.exp(1j * (2 * np.pi * circle.freq * np.arange(13) / 13 - circle.fitted.phase))
        angles = np.degrees(np.angle(turn))
        for name, values in (
            ("alone", circle.amplitude),
            ("in the network", circle.amplitude_in_network),
            ("attention held at its mean", held[circle.freq]),
        ):
            expected = [values[np.argmin(np.abs(angles - angle))] for angle in lines[name].x]
            np.testing.assert_allclose(lines[name].y, expected, rtol=1e-4, atol=1e-4)
        assert len(lines["alone"].x) == 13 and (np.diff(lines["alone"].x) > 0).all()
        np.testing.assert_allclose(lines["an ideal clock"].y, circle.at_equal, rtol=1e-6)
        np.testing.assert_allclose(
            lines["an ideal pizza"].y, circle.at_equal * np.cos(np.radians(lines["alone"].x) / 2), rtol=1e-4, atol=1e-4
        )
        # This pizza is ideal.
        np.testing.assert_allclose(lines["alone"].y, lines["an ideal pizza"].y, rtol=0.02, atol=0.2)


def test_angles_of_frequencies_that_share_a_factor_with_n() -> None:
    circle = CircleAlone(3, np.arange(12.0), np.ones(12), 1.0, PhaseFit(1.0, 1.0, 0.0, 1.0))
    angles, alone, whole = by_angle(circle, circle.amplitude, circle.amplitude_in_network)
    assert angles.tolist() == [-180, -90, 0, 90]
    assert alone.tolist() == [6.0, 7.0, 4.0, 5.0]  # d = 2 6 10; 3 7 11; 0 4 8; 1 5 9
    assert whole.tolist() == [1, 1, 1, 1]
    turned = replace(circle, fitted=PhaseFit(1.0, 1.0, np.pi / 2, 1.0))
    assert by_angle(turned, circle.amplitude)[1].tolist() == [7.0, 4.0, 5.0, 6.0]


def test_a_circle_without_amplitude_is_called_so(pizza: Verdict) -> None:
    first, *rest = pizza.measured.circles
    measured = replace(pizza.measured, circles=(replace(first, fitted=PhaseFit(0.0, 0.0, 0.0, 1.0)), *rest))
    verdict = replace(pizza, measured=measured)
    assert names(circles_alone_figure(verdict))[0] == "k = 1: no amplitude (–)"
    assert list(clock_pizza_figure(verdict).data[0].y) == ["k = 2", "k = 5"]


def test_the_line_from_pizza_to_clock(half: Verdict) -> None:
    figure = clock_pizza_figure(half)
    circles, network = figure.data
    measured = half.measured
    assert list(circles.y) == ["k = 1", "k = 2", "k = 5"] and list(network.y) == ["network"]
    np.testing.assert_allclose(circles.x, [circle.clockness for circle in measured.circles])
    np.testing.assert_allclose(circles.marker.size, [circle.share for circle in measured.circles])
    assert circles.marker.sizemode == "area"
    assert measured.stages
    assert network.x == (measured.stages.fill,)
    assert 0.4 < measured.clock_share < 0.6
    shaded = {shape.name: (shape.x0, shape.x1) for shape in figure.layout.shapes}
    assert shaded["pizza"][1] == shaded["filled"][0] == THRESHOLDS["pizza"].bound
    assert shaded["clock"] == (THRESHOLDS["clock"].bound,) * 2
    assert "overfilled" not in shaded  # No circle lies there.
    assert names(circles_alone_figure(half)) == [f"k = {k}: torus (.50)" for k in (1, 2, 5)]


def test_an_overfilled_circle_is_drawn_where_it_is(half: Verdict) -> None:
    """Nothing is clipped at 1."""
    first, *rest = half.measured.circles
    measured = replace(half.measured, circles=(replace(first, fitted=PhaseFit(2.0, 3.0, 0.0, 1.0)), *rest))
    figure = clock_pizza_figure(replace(half, measured=measured))
    assert figure.data[0].x[0] == 1.5 and figure.layout.xaxis.range[1] > 1.5
    shaded = {shape.name: (shape.x0, shape.x1) for shape in figure.layout.shapes}
    assert shaded["overfilled"] == (THRESHOLDS["overfilled"].bound, figure.layout.xaxis.range[1])


def test_losses_are_those_of_the_examination(pizza: Verdict) -> None:
    assert pizza.examination
    drawn = dots(removals_figure(pizza))
    ways = {
        "logits": "taken off the logits",
        "neurons": "taken off the neurons",
        "zero": "set to zero",
        "mean": "set to its mean",
    }
    for part in pizza.examination.frequencies[1:]:
        assert max(part.loss, LEAST_LOSS) in drawn[ways[part.how], part.part]
    row = next(row for row in pizza.evidence if row.name == "loss_without_frequency_5_logits")
    assert row.controls["random_weights"] in drawn["random weights", "frequency 5"]
    assert row.controls["shuffled_answers"] in drawn["shuffled answers", "frequency 5"]
    replaced = dots(replacements_figure(pizza))
    assert ("this network, changed", "logits: cosines") in replaced
    for part in pizza.examination.replacements:
        assert any(max(part.loss, LEAST_LOSS) in losses for (name, _), losses in replaced.items() if "this" in name)
    found = dots(parts_figure(pizza))
    resampled = {part.part: part.loss for part in pizza.examination.parts if part.how == "resample"}
    assert {row: losses for (name, row), losses in found.items() if name == "that of another pair"} == {
        part: [loss] for part, loss in resampled.items()
    }
    changed = dots(interventions_figure(pizza))
    assert changed["this network, changed", "sign of a turned"] == [pizza.examination.interventions[3].loss]


@pytest.mark.parametrize("name", LOSS_FIGURES)
def test_the_network_and_the_uniform_guess_are_lines(pizza: Verdict, name: str) -> None:
    figure = LOSS_FIGURES[name](pizza)
    own, guess = figure.layout.shapes
    assert figure.layout.xaxis.type == "log"
    assert own.x0 == own.x1 == pytest.approx(pizza.measured.loss, rel=1e-4)
    assert guess.x0 == guess.x1 == pytest.approx(np.log(13))
    low, high = (10**exponent for exponent in figure.layout.xaxis.range)
    for trace in figure.data:
        assert all(low < x < high for x in trace.x)


def test_equal_losses_do_not_hide_each_other(pizza: Verdict) -> None:
    places = [(round(np.log10(x), 3), y) for trace in parts_figure(pizza).data for x, y in zip(trace.x, trace.y)]  # noqa: B905
    assert len(set(places)) == len(places)


def test_losses_that_are_no_number_are_left_out_and_zero_is_not(pizza: Verdict) -> None:
    assert pizza.examination
    parts = [Ablation("nothing", "none", 0.0, 1.0)]
    parts += [Ablation(f"part {loss}", "zero", loss, 0.5) for loss in (0.0, 2.0, float("nan"), float("inf"))]
    figure = parts_figure(replace(pizza, examination=replace(pizza.examination, parts=tuple(parts))))
    assert dots(figure) == {("set to zero", "part 0.0"): [LEAST_LOSS], ("set to zero", "part 2.0"): [2.0]}
    assert figure.layout.shapes[0].x0 == LEAST_LOSS


def test_of_very_many_rows_the_most_harmful_are_drawn(pizza: Verdict) -> None:
    assert pizza.examination
    parts = [Ablation("nothing", "none", 0.1, 1.0)]
    parts += [Ablation(f"frequency {k}", "logits", float(k), 0.5) for k in range(1, 60)]
    figure = removals_figure(replace(pizza, examination=replace(pizza.examination, frequencies=tuple(parts))))
    assert len(figure.layout.yaxis.ticktext) == MOST_ROWS
    assert min(figure.data[0].x) == 60 - MOST_ROWS
    assert figure.layout.title.subtitle.text == f"Of 59 rows, the {MOST_ROWS} with the largest loss are drawn."


def test_patching_shows_all_shares(pizza: Verdict) -> None:
    assert pizza.examination
    figure = patching_figure(pizza)
    for kind, axis in (("equal", None), ("unequal", "x2")):
        bars = [trace for trace in figure.data if trace.xaxis in ((axis,) if axis else (None, "x"))]
        parts = [part for part in pizza.examination.patching if part.partner == kind]
        assert [bar.name for bar in bars][1] == "the partner's"
        for bar, name in zip(bars, ("clean", "partners", "mixed", "other"), strict=True):
            assert list(bar.x) == [getattr(part, name) for part in parts]
            assert list(bar.y) == [part.place for part in parts]
    assert figure.layout.barmode == "stack"


def test_probes_are_beside_their_controls(pizza: Verdict) -> None:
    assert pizza.probes
    figure = probes_figure(pizza)
    cells = list(dict.fromkeys((place, target) for place, target, _ in pizza.probes.paths))
    assert names(figure) == [f"{place} → {target}" for place, target in cells]
    assert len(figure.data) == len(cells) * 2 * len(AMPLITUDES)
    number = 1 + cells.index(("neurons", "a+b"))
    drawn = {trace.name: trace for trace in figure.data if trace.xaxis == f"x{number}"}
    path = pizza.probes.paths["neurons", "a+b", 5]
    np.testing.assert_allclose(drawn["k = 5"].y, path.r2, rtol=1e-6)
    assert list(drawn["k = 5"].customdata) == list(path.n_features)
    assert drawn["permuted labels"].line.dash == "dash"


def test_the_certificate_is_beside_the_accuracy(pizza: Verdict) -> None:
    found = pizza.certificate
    assert found
    bars, idealised, margins = certificate_figure(pizza).data
    shares = dict(zip(bars.y, bars.x, strict=True))
    assert (shares.pop("measured"), shares.pop("in float32")) == (found.accuracy_float32, found.lower_bound_float32)
    assert shares == {proof.name: proof.lower_bound for proof in found.proofs}
    np.testing.assert_allclose(margins.y, found.margins, rtol=1e-6)
    np.testing.assert_allclose(idealised.y, found.idealised_margins, rtol=1e-6)
    assert certificate_figure(pizza).layout.shapes[0].x0 == found.chance
    worse = replace(found, margins=np.where(np.arange(13) == 4, -1.0, 1.0))
    colours = certificate_figure(replace(pizza, certificate=worse)).data[2].marker.color
    assert len(set(colours[:4])) == 1 and colours[4] != colours[0]


def test_captions_say_what_rows_are_called(pizza: Verdict) -> None:
    captions = {entry.name: entry.caption for entry in verdict_figures(pizza)}
    assert pizza.certificate
    for proof in pizza.certificate.proofs:
        for word in proof.name.replace("idealised by answer", "by answer").split(", "):
            assert f"“{word}”" in captions["certificate"].replace("“Idealised”", "“idealised”")
    assert "both does not" in captions["interventions"]


def test_irreps_are_beside_cosets(s3_verdict: Verdict) -> None:
    figure = irreps_and_cosets_figure(s3_verdict)
    for name, account in s3_verdict.measured.accounts.items():
        values = {trace.xaxis or "x": trace.x for trace in figure.data if trace.name == name}
        assert values["x"] == pytest.approx([1 - account.explained], abs=1e-7)
        assert values["x2"] == pytest.approx([account.loss])
        assert values["x3"] == (pytest.approx([account.numbers]) if account.numbers else ())
    controls = [trace for trace in figure.data if trace.name == "random weights"]
    assert len(controls) == 2
    null = s3_verdict.nulls["random_weights"].accounts["irrep"]
    assert null.loss in controls[1].x
    lines = {shape.name.split(" ")[0]: shape.x0 for shape in figure.layout.shapes}
    assert lines["needs"] == pytest.approx(1 - THRESHOLDS["explained"].bound)
    assert lines["guess"] == pytest.approx(np.log(6))


def test_figures_that_do_not_apply_are_left_out(
    pizza: Verdict, half: Verdict, s3_verdict: Verdict, untrained: Verdict
) -> None:
    def drawn(verdict: Verdict) -> list[str]:
        return [entry.name for entry in verdict_figures(verdict)]

    examined = ["replacements", "removals", "parts", "patching", "interventions", "certificate"]
    assert drawn(pizza) == ["clock-pizza", "circles-alone", "circuit", "predictions", *examined, "probes"]
    assert drawn(half) == ["clock-pizza", "circles-alone"]
    assert (
        drawn(s3_verdict)[0] == "irreps-and-cosets"
        and "probes" not in drawn(s3_verdict)
        and "clock-pizza" not in drawn(s3_verdict)
    )
    assert not untrained.judgement.account
    assert not {"clock-pizza", "circles-alone"} & set(drawn(untrained)) and "parts" in drawn(untrained)
    for verdict in (pizza, half, s3_verdict, untrained):
        assert list(figures_of(render_verdict(verdict))) == drawn(verdict)


def test_the_short_page_says_so(half: Verdict, page: str) -> None:
    short = "This is the short verdict"
    assert short in text_of(render_verdict(half)) and short not in text_of(page)


def test_a_figure_is_drawn_the_same_twice(pizza: Verdict, page: str) -> None:
    for entry in verdict_figures(pizza):
        figure = entry.draw(pizza)
        assert figure.layout.title.text and {"wide", "narrow"} <= set(figure.layout.meta), entry.name
        assert figure.to_json() == entry.draw(pizza).to_json()
    assert render_verdict(pizza) == page


def test_nothing_is_requested(elements: Elements, page: str) -> None:
    for tag, attributes in elements.tags:
        for name in ("src", "srcset", "href", "data", "action", "poster", "xlink:href"):
            value = attributes.get(name) or ""
            assert not value or value.startswith(("#", "data:,")), (tag, name, value)
    for style in elements.styles:
        assert "url(" not in style and "@import" not in style
    own = [script for script in elements.scripts if "plotly.js v" not in script[:200]]
    assert len(own) == 2
    for script in own:
        assert not re.search(r"https?:|fetch\(|XMLHttpRequest|import\(", script)
    policies = [a["content"] for tag, a in elements.tags if tag == "meta" and "http-equiv" in a]
    assert (policies[0] or "").startswith("default-src 'none';")
    assert page.count(get_plotlyjs()[:300]) == 1


def test_names_of_runs_are_text(analysed: Callable[..., Report], elements: Elements) -> None:
    report = analysed("task.p=5", "training.steps=1", name=NASTY)
    verdict = find_verdict(report.run, full=False)
    # The report's page has the explorer's data and code as well.
    for page, more in ((render_verdict(verdict), 0), (render_page(report, verdict), 2)):
        assert NASTY not in page
        shown = Elements(page)
        assert NASTY in shown.text
        assert shown.count_of_scripts == elements.count_of_scripts + more


def test_words_of_the_verdict_are_text(half: Verdict) -> None:
    nasty = "</script><script>alert(1)</script> \"'🎉"
    reasons = replace(half.judgement, reasons_for=[nasty], reasons_against=[nasty], would_change=[nasty])
    rows = (Evidence("x", "structure", nasty, 0.5, {nasty: 0.1}),)
    assert half.judgement.account
    account = replace(half.judgement.account, name=nasty, says=nasty)
    measured = replace(half.measured, accounts={nasty: account})
    hostile = replace(half, judgement=replace(reasons, account=account), evidence=rows, measured=measured)
    page = render_verdict(hostile)
    assert "<script>alert" not in page and text_of(page).count(nasty) >= 6


def test_figures_cannot_end_their_script(pizza: Verdict) -> None:
    assert pizza.examination
    nasty = "<b></script>\u2028"
    parts = (*pizza.examination.parts, Ablation(nasty, "zero", 1.0, 0.5))
    hostile = replace(pizza, examination=replace(pizza.examination, parts=parts))
    page = render_verdict(hostile)
    assert nasty not in page
    assert any("&lt;b&gt;&lt;/script&gt;" in name for name in figures_of(page)["parts"]["layout"]["yaxis"]["ticktext"])


def test_the_files(pizza: Verdict, page: str, tmp_path: Path) -> None:
    paths = write_verdict(pizza, tmp_path / "new" / "out")
    assert (paths.html, paths.json) == tuple(
        tmp_path / "new" / "out" / name for name in ("verdict.html", "verdict.json")
    )
    assert paths.html.read_text() == page
    assert json.loads(paths.json.read_text()) == pizza.to_dict()
    assert sorted(file.name for file in paths.html.parent.iterdir()) == ["verdict.html", "verdict.json"]
    again = write_verdict(pizza, tmp_path / "again")
    assert again.html.read_bytes() == paths.html.read_bytes() and again.json.read_bytes() == paths.json.read_bytes()


def test_a_fault_leaves_an_earlier_verdict_as_it_was(
    half: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_verdict(half, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(Verdict, "to_dict", lambda _: {"loss": float("nan")})
    with pytest.raises(ValueError, match="Out of range float"):
        write_verdict(replace(half, evidence=()), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_in_the_way_is_named(half: Verdict, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(GrokinterpError, match=r"cannot write .*out: a file stands where a folder is needed"):
        write_verdict(half, tmp_path / "out")


def test_a_verdict_leads_the_report(report: Report, untrained: Verdict, tmp_path: Path) -> None:
    page = render_page(report, untrained)
    assert page.index('<h1 class="label') < page.index("What the verdict hangs on") < page.index('id="finding"')
    text = text_of(page)
    for sentence in (untrained.headline, *untrained.judgement.reasons_for, *report.finding):
        assert sentence in text
    decided = [row.question for row in untrained.evidence if row.threshold]
    assert decided and all(question in text for question in decided)
    paths = write_report(report, tmp_path, untrained)
    assert paths.html.read_text() == page
    content = json.loads(paths.json.read_text())
    assert content.pop("verdict") == untrained.to_dict()["verdict"]
    assert content == report.to_dict()


def test_the_line_leads_the_report_of_circles(report: Report, untrained: Verdict) -> None:
    pizza = find_verdict(circle_network(7, {1: 9.0, 2: 8.0}, "pizza"), full=False)
    assert pizza.label == "pizza"
    seen = replace(untrained, judgement=pizza.judgement, measured=pizza.measured)
    page = render_page(report, seen)
    ids = [attributes.get("id") for _, attributes in Elements(page).tags]
    assert next(iter(figures_of(page))) == "clock-pizza" and ids.count("plot-clock-pizza") == 1
    unsure = replace(seen, judgement=replace(pizza.judgement, label="unexplained"))
    assert "clock-pizza" not in figures_of(render_page(report, unsure))


def test_a_report_without_a_verdict_says_nothing_of_one(report: Report) -> None:
    page = render_page(report)
    assert "verdict" not in page.replace(get_plotlyjs(), "").lower()
    assert "verdict" not in report.to_dict()


def test_a_verdict_on_another_checkpoint_is_refused(report: Report, pizza: Verdict) -> None:
    with pytest.raises(
        GrokinterpError,
        match=re.escape(
            "the verdict is on (a + b) mod 13 at step 0, the report on (a + b) mod 7 at step 60; needs both on one "
            "checkpoint; give a verdict on report.run"
        ),
    ):
        render_page(report, pizza)


def test_figures_have_their_titles_and_captions(pizza: Verdict, page: str) -> None:
    text = text_of(page)
    for entry in verdict_figures(pizza):
        assert entry.title in text and entry.caption in text
