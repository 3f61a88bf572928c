"""The explorer in a real browser: what is drawn is what the network does, and nothing leaves the page."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_page import NASTY

from grokinterp.analysis import Places, Report, analyze, embedding_circle, neuron_irreps, neuron_spectrum
from grokinterp.cli._serve import file_server
from grokinterp.report import ReportPaths, render_page, write_report
from grokinterp.runs import Run

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
# Half a step of the rounding, in the largest weight of a row.
HALF_STEP = 1 / 254


@dataclass
class Opened:
    """A page in the browser, what it asked for and what it complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    expected_complaint: str | None = None  # may come any number of times: a file is asked for again

    def of(self, expression: str) -> Any:
        """The value of an expression in the page; LAST is the slider's last stop."""
        return self.page.evaluate(expression.replace("LAST", "grokinterp.view.data.steps.length - 1"))

    def until(self, expression: str, seconds: float = 90) -> None:
        """Wait until it is true. The page's own policy forbids Playwright's way, which evaluates text in the page."""
        end = time.monotonic() + seconds
        while not self.of(expression):
            assert time.monotonic() < end, f"{expression} has not become true in {seconds} s"
            self.page.wait_for_timeout(20)

    def shot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


Open = Callable[..., Opened]


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """Open a page; at the end no request may have left it, and nothing been complained of."""
    opened: list[Opened] = []
    contexts = []

    def open_page(html: str, *, width: int = 1200, name: str = "report", **options: Any) -> Opened:
        path = tmp_path / f"{name}.html"
        path.write_text(html)
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        one = Opened(context.new_page())
        opened.append(one)
        one.page.on("request", lambda request: one.requests.append(request.url))
        one.page.on("console", lambda message: message.type == "error" and one.complaints.append(message.text))
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.goto(path.as_uri())
        return one

    yield open_page
    for context in contexts:
        context.close()
    for one in opened:
        expected = one.expected_complaint
        assert [said for said in one.complaints if expected is None or expected not in said] == []
        assert [url for url in one.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def small(analysed: Callable[..., Report]) -> Report:
    """Enough training for neurons that differ."""
    settings = ("task.p=11", "model.d_mlp=16", "training.steps=200", "training.checkpoint_every=50")
    return analysed(*settings, name="small")


@pytest.fixture(scope="module")
def page(small: Report) -> str:
    return render_page(small)


@pytest.fixture(scope="module")
def mainline_report(mainline: Run) -> Report:
    return analyze(mainline)


@pytest.fixture(scope="module")
def mainline_page(mainline_report: Report) -> str:
    return render_page(mainline_report)


def error_of(found: Any, exact: np.ndarray) -> float:
    """Largest error over the largest value."""
    return float(np.abs(np.asarray(found) - exact).max() / np.abs(exact).max())


def test_the_page_computes_what_the_network_does_at_every_step(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page)
    data = opened.of("grokinterp.view.data.steps")
    assert data == small.run.steps
    grid = Places.of(small.run.task).grid
    for index, step in enumerate(data):
        snapshot = small.run.snapshot(step)
        forward = f"grokinterp.view.data.at({index}).forward"
        neurons = opened.of(f"Array.from({{length: 16}}, (_, m) => Array.from({forward}.neuron(m)))")
        exact = snapshot.neurons[grid.ravel()].T
        assert error_of(neurons, exact) < 4 * HALF_STEP
        logits = opened.of(f"[[0, 0], [3, 7], [10, 2]].map(([a, b]) => Array.from({forward}.logits(a, b)))")
        assert error_of(logits, snapshot.logits[[grid[0, 0], grid[3, 7], grid[10, 2]]]) < 4 * HALF_STEP
        pattern = opened.of(f"{forward}.pattern().map(({{a, b}}) => [Array.from(a), Array.from(b)])")
        exact = snapshot.pattern[grid.ravel()][:, :, :2].transpose(1, 2, 0)
        assert error_of(pattern, exact) < 1e-5  # Scores are not rounded.


def test_without_rounding_the_page_is_as_exact_as_float32(
    open_page: Open, small: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grokinterp.report import _explorer_step

    pack = _explorer_step.pack
    monkeypatch.setattr(_explorer_step, "pack", lambda exact, rounded, **_: pack(exact | rounded, {}))
    opened = open_page(render_page(small))
    grid = Places.of(small.run.task).grid
    neurons = opened.of(
        "Array.from({length: 16}, (_, m) => Array.from(grokinterp.view.data.at(LAST).forward.neuron(m)))"
    )
    assert error_of(neurons, small.snapshot.neurons[grid.ravel()].T) < 1e-5
    logits = opened.of("Array.from(grokinterp.view.data.at(LAST).forward.logits(3, 7))")
    assert error_of(logits, small.snapshot.logits[grid[3, 7]]) < 1e-5


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(("task.operation=subtract", "task.p=7"), marks=pytest.mark.long),
        pytest.param(("task.operation=multiply", "task.p=7"), marks=pytest.mark.long),
        pytest.param(("task.operation=divide", "task.p=7"), marks=pytest.mark.long),
        pytest.param(("task.operation=compose", "task.group=S3"), marks=pytest.mark.long),
        pytest.param(("task.p=6", "model.act_fn=gelu"), marks=pytest.mark.long),
        pytest.param(("task.p=7", "model.act_fn=tanh"), marks=pytest.mark.long),
        pytest.param(("task.p=7", "task.operator_token=true"), marks=pytest.mark.long),
        ("task.operation=x2+y2", "task.p=7"),
        pytest.param(("task.p=7", "model.n_layers=2"), marks=pytest.mark.long),
        ("task.p=7", "model.normalization=LN"),
        pytest.param(("task.p=7", "task.equals_token=false", "task.own_tokens_for_b=true"), marks=pytest.mark.long),
        pytest.param(("task.p=7", "task.equals_token=false", "model.attention_rate=0.5"), marks=pytest.mark.long),
        ("task.operation=compose", "task.group=S3", "model.architecture=mlp", "model.n_layers=1"),
        pytest.param(("task.operation=x2+y2", "task.p=5", "model.n_layers=2"), marks=pytest.mark.long),
    ],
    ids=" ".join,
)
def test_other_tasks_and_networks_are_computed_as_well(
    open_page: Open, analysed: Callable[..., Report], settings: tuple[str, ...]
) -> None:
    report = analysed(*settings, "training.steps=20", name="other")
    opened = open_page(render_page(report))
    opened.of("grokinterp.drawAll()")
    task, content = report.run.task, opened.of("({a: [...grokinterp.view.data.a], b: [...grokinterp.view.data.b]})")
    place = {(int(a), int(b)): number for number, (a, b) in enumerate(task.pairs)}
    pairs = [place.get((a, b), -1) for a in content["a"] for b in content["b"]]
    known = np.flatnonzero(np.array(pairs) >= 0)
    neuron = opened.of("Array.from(grokinterp.view.data.at(LAST).forward.neuron(2))")
    exact = report.snapshot.neurons[np.array(pairs)[known], 2]
    largest = max(np.abs(exact).max(), np.abs(report.snapshot.neurons).max())
    assert np.abs(np.array(neuron)[known] - exact).max() / largest < 4 * HALF_STEP
    # Of cells (0, 0) and of the last there is a pair in all of these.
    last = [len(content["a"]) - 1, len(content["b"]) - 1]
    for (i, j), pair in (((0, 0), pairs[0]), (last, pairs[-1])):
        logits = opened.of(f"Array.from(grokinterp.view.data.at(LAST).forward.logits({i}, {j}))")
        assert error_of(logits, report.snapshot.logits[pair]) < 4 * HALF_STEP
    heads = opened.of("grokinterp.view.data.at(LAST).forward.pattern().map(({a, b}) => [Array.from(a), Array.from(b)])")
    assert len(heads) == report.snapshot.pattern.shape[1]
    assert opened.page.locator("#ex-attention").count() == bool(heads)
    if heads:
        sides = [task.positions.index(side) for side in "ab"]
        exact = report.snapshot.pattern[np.array(pairs)[known]][:, :, sides].transpose(1, 2, 0)
        assert error_of(np.array(heads)[:, :, known], exact) < HALF_STEP
    opened.of("grokinterp.goTo(0)")


def test_measured_numbers_are_the_analysis_own(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page)
    best, share = (opened.of(f"Array.from(grokinterp.view.data.at(LAST).arrays.{name})") for name in ("best", "share"))
    neurons = neuron_irreps(small.snapshot)
    assert best == neurons.irrep.tolist()
    np.testing.assert_allclose(share, neurons.variance_explained, rtol=1e-6)
    for name in ("test_loss", "gini_W_E", "sum_of_squared_weights"):
        shown = opened.of(f"grokinterp.view.data.measure({name!r}, LAST)")
        assert shown == pytest.approx(small.final[name], rel=1e-3)


def test_a_browser_without_the_quick_way_decodes_the_same(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page)
    weights = "Array.from(grokinterp.view.data.at(0).arrays.W_L)"
    assert opened.of("Boolean(Uint8Array.fromBase64)")
    quick = opened.of(weights)
    opened.page.add_init_script("delete Uint8Array.fromBase64")
    opened.page.reload()
    assert not opened.of("Boolean(Uint8Array.fromBase64)") and len(quick) == 16 * small.run.task.n_answers
    assert opened.of(weights) == quick


@pytest.mark.long
def test_spectra_and_orders_are_those_of_the_analysis(
    open_page: Open, mainline_report: Report, mainline_page: str
) -> None:
    opened, snapshot = open_page(mainline_page), mainline_report.snapshot
    opened.of("grokinterp.choose({neuron: 100})")
    values = "grokinterp.neuronOf(grokinterp.view, 100).values"
    power = opened.of(f"Array.from(grokinterp.spectrum({values}, 113, 57, grokinterp.view.basis).power)")
    assert error_of(np.sqrt(power).reshape(57, 57), neuron_spectrum(snapshot, 100)) < HALF_STEP * 2
    circles = opened.of("Array.from(grokinterp.view.data.at(25).arrays.circles)")
    exact = np.stack([embedding_circle(snapshot, k) for k in mainline_report.key_frequencies])
    assert error_of(np.reshape(circles, exact.shape), exact) < 1e-5
    # Sorted by a + b, the right answer's logit depends on the row.
    opened.of("grokinterp.choose({order: 'answer'})")
    opened.of("grokinterp.drawAll()")
    opened.until("Boolean(grokinterp.drawn.logitMap)")
    answer, along = opened.of("[grokinterp.drawn.logitMap.answer, grokinterp.drawn.logitMap.along]")
    assert answer == 16 and along > 0.9
    found = opened.of("Array.from(grokinterp.drawn.logitMap.out)")
    assert error_of(found, snapshot.logits[:, 16]) < 3 * HALF_STEP


@pytest.mark.long
def test_the_mainline_page_is_small_and_agrees(open_page: Open, mainline_report: Report, mainline_page: str) -> None:
    assert len(mainline_page.encode()) < 15e6
    opened = open_page(mainline_page)
    opened.until("grokinterp.drawn.count > 1")
    for index in (3, 9, 14, 20, 25):
        opened.of(f"grokinterp.goTo({index})")
        opened.until(f"grokinterp.view.state.index === {index}")
    logits = opened.of("Array.from(grokinterp.view.data.at(25).forward.logits(5, 11))")
    assert error_of(logits, mainline_report.snapshot.logits[5 * 113 + 11]) < 2 * HALF_STEP


def test_the_slider_moves_every_view(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page)
    slider = opened.page.locator("#ex-step")
    before_last = small.run.steps[-2]
    assert "step 200" in opened.page.inner_text("#ex-now")
    last = opened.of("grokinterp.drawn.markerX")
    slider.focus()
    opened.page.keyboard.press("ArrowLeft")
    assert f"step {before_last}" in opened.page.inner_text("#ex-now")
    assert slider.get_attribute("aria-valuetext").startswith(f"step {before_last} · test loss")
    opened.page.keyboard.press("Home")
    assert opened.of("grokinterp.view.state.index") == 0 and opened.of("grokinterp.drawn.step") == 0
    assert opened.of("grokinterp.drawn.markerX") < last
    opened.of("grokinterp.drawAll()")
    opened.of(f"grokinterp.choose({{neuron: {int(small.snapshot.neurons.std(axis=0).argmax())}}})")
    pictures = "[...document.querySelectorAll('#explorer canvas')].map((canvas) => [canvas.id, canvas.toDataURL()])"
    before = opened.of(pictures)
    opened.page.keyboard.press("End")
    end = time.monotonic() + 90
    while same := [name for (name, was), (_, now) in zip(before, opened.of(pictures), strict=True) if now == was]:
        assert time.monotonic() < end, f"{same} have not changed"
        opened.page.wait_for_timeout(20)


def test_space_plays_and_stops(open_page: Open, page: str) -> None:
    opened = open_page(page)
    opened.page.locator("#ex-step").focus()
    opened.page.keyboard.press("Space")
    assert opened.page.locator("#ex-play").get_attribute("aria-pressed") == "true"
    assert opened.page.locator("#ex-now").get_attribute("aria-live") == "off"
    opened.until("grokinterp.view.state.index >= 2")
    opened.page.keyboard.press("Space")
    stopped = opened.of("grokinterp.view.state.index")
    opened.page.wait_for_timeout(600)
    assert opened.of("grokinterp.view.state.index") == stopped
    # A curve is clicked at its right end.
    opened.page.locator("#ex-curves").click(
        position={"x": opened.of("document.getElementById('ex-curves').clientWidth") - 12, "y": 60}
    )
    assert opened.of("grokinterp.view.state.index === LAST")


def test_neurons_are_chosen_by_click_field_and_keys(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page)
    opened.page.locator("#ex-neurons").scroll_into_view_if_needed()
    opened.until("Boolean(document.getElementById('ex-neurons').cells)")
    cells, order = opened.of("[document.getElementById('ex-neurons').cells, grokinterp.view.order]")
    side = cells["side"]
    opened.page.locator("#ex-neurons").click(position={"x": 2.5 * side, "y": side / 2})
    assert opened.page.input_value("#ex-neuron") == str(order[2])
    explained = neuron_irreps(small.snapshot).variance_explained[order[2]]
    shown = opened.page.inner_text("#ex-neuron-readout")
    assert shown.startswith(f"Neuron {order[2]}") and (f"{100 * explained:.1f}" in shown or "constant" in shown)
    opened.page.keyboard.press("ArrowRight")
    assert opened.of("grokinterp.view.state.neuron") == order[3]
    opened.page.fill("#ex-neuron", "7")
    assert opened.of("grokinterp.drawn.neuron.neuron") == 7
    opened.page.fill("#ex-neuron", "999")
    assert opened.of("grokinterp.view.state.neuron") == 7
    opened.page.locator("#ex-neurons").click(position={"x": 0.5 * side, "y": side / 2}, modifiers=["Shift"])
    assert opened.of("grokinterp.view.state.other") == order[0]


def test_a_pair_is_chosen_and_its_logits_are_the_network_s(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page)
    opened.page.fill("#ex-a", "3")
    opened.page.fill("#ex-b", "7")
    opened.page.locator("#ex-logits").scroll_into_view_if_needed()
    opened.until("grokinterp.drawn.logits?.right === 10")
    own = np.array(opened.of("grokinterp.drawn.logits.own"))
    exact = small.snapshot.logits[3 * 11 + 7].astype(float)
    assert error_of(own, exact - exact.mean()) < 6 * HALF_STEP
    assert f"answers {int(exact.argmax())}" in opened.page.inner_text("#ex-logit-readout")
    opened.page.locator("#ex-neuron-map").scroll_into_view_if_needed()
    opened.until("Boolean(document.getElementById('ex-neuron-map').box)")
    box = opened.of("document.getElementById('ex-neuron-map').box")
    cell = box["width"] / 11
    opened.page.locator("#ex-neuron-map").click(position={"x": box["x"] + 4.5 * cell, "y": box["y"] + 9.5 * cell})
    assert (opened.page.input_value("#ex-a"), opened.page.input_value("#ex-b")) == ("9", "4")


@pytest.mark.long
def test_waves_are_of_the_measured_amplitudes(open_page: Open, mainline_report: Report, mainline_page: str) -> None:
    opened = open_page(mainline_page)
    opened.of("grokinterp.drawAll()")
    waves = opened.of("grokinterp.drawn.logits.waves.map(({values}) => values)")
    decomposition = mainline_report.circuit.logits
    c = np.arange(113)
    exact = [decomposition.amplitudes[k] * np.cos(2 * np.pi * k * (16 - c) / 113) for k in decomposition.keys]
    assert error_of(waves, np.array(exact)) < 1e-5
    assert int(np.argmax(opened.of("grokinterp.drawn.logits.sum"))) == 16


def test_marks_are_round_numbers(open_page: Open, page: str) -> None:
    opened = open_page(page)
    for low, high, marks in (
        (-0.3, 6.9, [0, 2, 4, 6]),
        (-0.01, 0.043, [0, 0.02, 0.04]),
        (3.1, 3.9, [3.2, 3.4, 3.6, 3.8]),
    ):
        assert opened.of(f"grokinterp.roundMarks({low}, {high}, 4)") == pytest.approx(marks)
    assert opened.of("grokinterp.roundMarks(1, 1, 4)") == [1]


def test_the_surface_is_drawn_when_asked_for(open_page: Open, page: str) -> None:
    opened = open_page(page)
    opened.page.click("#ex-draw-surface")
    opened.until("grokinterp.drawn.surface === grokinterp.view.data.steps.length - 1")
    heights = opened.of("document.getElementById('ex-surface').data[0].z.map((row) => row.length)")
    assert heights == [11] * 11
    opened.page.click("#ex-draw-surface")
    assert opened.page.locator("#ex-surface").is_hidden()


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.long), "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_it_fits_light_and_dark_wide_and_narrow(open_page: Open, page: str, scheme: str, width: int) -> None:
    opened = open_page(page, width=width, color_scheme=scheme)
    opened.of("grokinterp.drawAll()")
    assert opened.of("document.documentElement.scrollWidth") <= width
    ids = opened.of("[...document.querySelectorAll('[id]')].filter((one) => !one.closest('svg')).map(({id}) => id)")
    assert len(set(ids)) == len(ids)
    opened.until("Boolean(grokinterp.drawn.logitMap)")
    paper = opened.of("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    # Text in drawings is in the page's ink.
    assert opened.of("grokinterp.theme().ink") == {"light": "#22272e", "dark": "#e3e6ea"}[scheme]
    blank = opened.of(
        "[...document.querySelectorAll('#explorer canvas')].filter((canvas) => "
        "!canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)).map(({id}) => id)"
    )
    assert blank == []
    opened.of("document.getElementById('explorer').scrollIntoView()")
    opened.shot(f"explorer-{scheme}-{width}")


def test_all_controls_have_names_and_visible_focus(open_page: Open, page: str) -> None:
    opened = open_page(page)
    nameless = opened.of(
        "[...document.querySelectorAll('#explorer :is(button, input, select, canvas, output)')].filter((one) => "
        "!(one.ariaLabel || one.labels?.length || one.innerText)).map((one) => one.id || one.outerHTML)"
    )
    assert nameless == []
    for name in ("step", "play", "neurons", "neuron"):
        opened.page.locator(f"#ex-{name}").focus()
        opened.page.keyboard.press("Shift")
        assert opened.of(f"getComputedStyle(document.getElementById('ex-{name}')).outlineStyle") == "solid"


def test_without_javascript_finding_tables_and_main_figures_stay(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page, java_script_enabled=False)
    text = opened.page.inner_text("body").replace("\u00a0", " ")
    assert small.finding[0] in text and "Without JavaScript the slider" in text
    assert opened.page.locator("#ex-play").is_hidden()
    assert opened.page.locator("svg.still").count() >= 2
    assert opened.page.locator("svg.still").first.is_visible()
    opened.shot("explorer-without-javascript")


def test_names_are_shown_as_text(open_page: Open, analysed: Callable[..., Report]) -> None:
    report = analysed("task.p=5", "training.steps=20", name=NASTY)
    opened = open_page(render_page(report))
    assert NASTY in opened.page.inner_text(".run >> nth=0").replace("\u00a0", " ")
    opened.of("grokinterp.drawAll()")


def test_hostile_labels_cannot_end_the_data(open_page: Open, small: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    from grokinterp.report import _explorer

    hostile = "</script><script>alert(1)</script> \"'🎉"
    monkeypatch.setattr(_explorer, "element_labels", lambda *_: [hostile] * 11)
    html = render_page(small)
    assert "<script>alert" not in html
    opened = open_page(html)
    opened.of("grokinterp.drawAll()")
    assert opened.of("grokinterp.view.data.labels[3]") == hostile
    assert opened.page.locator("#ex-a").get_attribute("type") == "text"


def test_one_checkpoint_has_no_slider(open_page: Open, small: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grokinterp.report._explorer.MOST_STEPS", 1)
    opened = open_page(render_page(small))
    assert opened.page.locator("#ex-step").count() == 0 and opened.page.locator("#panel-curves").count() == 1
    opened.of("grokinterp.drawAll()")
    assert "step 200" in opened.page.inner_text("#ex-now")


@pytest.mark.parametrize(
    ("limit", "said"), [("MOST_ELEMENTS", "7 elements"), ("MOST_BYTES_OF_ACTIVATIONS", " neurons over 49 pairs")]
)
def test_a_network_too_large_to_draw_keeps_the_other_views(
    open_page: Open, analysed: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, limit: str, said: str
) -> None:
    report = analysed("task.p=7", "training.steps=20", "model.n_layers=2", name="deep")
    monkeypatch.setattr(f"grokinterp.report._explorer.{limit}", 5)
    opened = open_page(render_page(report))
    assert said in opened.page.inner_text("#explorer .lead")
    assert opened.page.locator("#ex-neurons").count() == 0 and opened.page.locator("#ex-step").count() == 1
    opened.of("grokinterp.drawAll()")
    opened.of("grokinterp.goTo(0)")
    opened.until("grokinterp.view.state.index === 0")


def test_more_checkpoints_than_there_is_room_for_are_thinned(small: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    from grokinterp.report import _explorer

    monkeypatch.setattr(_explorer, "MOST_STEPS", 3)
    explored, every = _explorer.explorer(small), len(small.run.steps)
    assert len(explored.steps) == 3 and (explored.steps[0], explored.steps[-1]) == (0, 200)
    assert explored.content["left_out"] == every - 3
    assert f"Of {every} checkpoints, 3 are here." in render_page(small).replace("\u00a0", " ")
    json.loads(_explorer.content_json(explored))


@pytest.fixture
def beside(small: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReportPaths:
    """A report whose page has room for one checkpoint."""
    from grokinterp.report import _explorer

    monkeypatch.setattr(_explorer, "MOST_BYTES", 1 + len(_explorer.explorer(small).parts["step-200"]))
    return write_report(small, tmp_path)


def test_checkpoints_beside_the_page_are_loaded_when_they_are_looked_at(
    open_page: Open, small: Report, beside: ReportPaths
) -> None:
    assert beside.steps and len(list(beside.steps.iterdir())) == len(small.run.steps) - 1
    opened = open_page(beside.html.read_text(), name="report")
    opened.of("grokinterp.drawAll()")
    assert opened.of("grokinterp.view.state.index === LAST") and not [url for url in opened.requests if "step-" in url]
    grid = Places.of(small.run.task).grid.ravel()
    for index in (1, 0, 3):
        opened.of(f"grokinterp.goTo({index})")
        opened.until(f"grokinterp.view.state.index === {index}")
        neuron = opened.of("Array.from(grokinterp.neuronOf(grokinterp.view, 3).values)")
        step = small.run.steps[index]
        assert error_of(neuron, small.run.snapshot(step).neurons[grid, 3]) < 4 * HALF_STEP
        assert f"step {step}" in opened.page.inner_text("#ex-now")
    asked = [url for url in opened.requests if "step-" in url]
    assert asked and len(set(asked)) == len(asked)
    opened.page.click("#ex-play")
    opened.until("grokinterp.view.state.index === LAST")


def test_they_are_loaded_from_the_server_as_well(open_page: Open, beside: ReportPaths) -> None:
    assert beside.steps
    with file_server({"/": beside.html}, folder=beside.steps) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        opened = open_page("", name="empty")
        address = f"http://127.0.0.1:{serving.server_port}/"
        opened.page.goto(address)
        opened.of("grokinterp.goTo(1)")
        opened.until("grokinterp.view.state.index === 1")
        opened.page.close()  # It may be asking for the next step, and would complain of a server that is gone.
        serving.shutdown()
        thread.join()
    assert [url for url in opened.requests if f"{address}report_steps/step-" in url]
    opened.requests[:] = [url for url in opened.requests if not url.startswith(address)]


def test_few_of_many_checkpoints_are_kept_in_memory(open_page: Open, beside: ReportPaths) -> None:
    opened = open_page(beside.html.read_text().replace("const MOST_KEPT = 12", "const MOST_KEPT = 1"), name="report")
    for index in (0, 2, 0, 1, 4, 0):
        opened.of(f"grokinterp.goTo({index})")
        opened.until(f"grokinterp.view.state.index === {index}")
        opened.of("grokinterp.drawAll()")
    # It was asked for anew: what is no longer looked at is forgotten.
    asked = [url for url in opened.requests if "/step-0-" in url]
    assert len(asked) > 1


def test_a_checkpoint_that_is_gone_is_said_to_be(open_page: Open, small: Report, beside: ReportPaths) -> None:
    step = small.run.steps[1]
    (gone,) = beside.steps.glob(f"step-{step}-*.js") if beside.steps else ()
    gone.unlink()
    opened = open_page(beside.html.read_text(), name="report")
    opened.expected_complaint = "ERR_FILE_NOT_FOUND"
    opened.of("grokinterp.goTo(1)")
    words = f"step {step}: report_steps/{gone.name} is not beside this page"
    opened.until(f"document.getElementById('ex-now').textContent === {words!r}")
    opened.of("grokinterp.goTo(2)")
    opened.until("grokinterp.view.state.index === 2")


def test_even_the_last_checkpoint_may_lie_beside(
    open_page: Open, small: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grokinterp.report._explorer.MOST_BYTES", 10)
    paths = write_report(small, tmp_path)
    assert paths.steps and len(list(paths.steps.iterdir())) == len(small.run.steps)
    opened = open_page(paths.html.read_text(), name="report")
    opened.until("Boolean(grokinterp.view) && grokinterp.drawn.count > 0")
    assert "step 200" in opened.page.inner_text("#ex-now")


def test_files_beside_an_earlier_page_are_removed_once_the_new_page_stands(
    small: Report, beside: ReportPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beside.steps
    (beside.steps / "notes.txt").write_text("mine")
    before = {file.name for file in beside.steps.iterdir()}
    monkeypatch.setattr("grokinterp.report._write.page_of", lambda *_: 1 / 0)
    monkeypatch.setattr("grokinterp.report._explorer.MOST_STEPS", 3)
    with pytest.raises(ZeroDivisionError):
        write_report(small, beside.html.parent)
    assert {file.name for file in beside.steps.iterdir()} == before
    monkeypatch.undo()
    assert write_report(small, beside.html.parent).steps is None
    assert [file.name for file in beside.steps.iterdir()] == ["notes.txt"]


def test_every_checkpoint_is_shown_where_asked_for(
    small: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grokinterp.report._explorer.MOST_STEPS", 2)
    few, all_of_them = (
        write_report(small, tmp_path / str(every), every_checkpoint=every).html.read_text() for every in (False, True)
    )
    assert "checkpoints, 2 are here" in few and "are here" not in all_of_them
    assert f'max="{len(small.run.steps) - 1}"' in all_of_them


def test_the_address_keeps_what_is_looked_at(open_page: Open, small: Report, page: str) -> None:
    opened = open_page(page)
    assert opened.of("location.search") == ""
    opened.of("grokinterp.goTo(2)")
    opened.of("grokinterp.choose({neuron: 7, other: 9, a: 3, b: 4, c: 5})")
    opened.until("location.search !== ''")
    assert opened.of("location.search") == f"?step={small.run.steps[2]}&neuron=7&beside=9&a=3&b=4&c=5"
    opened.page.reload()
    state = opened.of("(({index, neuron, other, a, b, c}) => [index, neuron, other, a, b, c])(grokinterp.view.state)")
    assert state == [2, 7, 9, 3, 4, 5]
    assert (
        f"step {small.run.steps[2]} " in opened.page.inner_text("#ex-now") and opened.page.input_value("#ex-a") == "3"
    )


def test_an_address_that_names_nothing_here_is_passed_over(open_page: Open, page: str, tmp_path: Path) -> None:
    opened = open_page(page)
    usual = opened.of("JSON.stringify(grokinterp.view.state)")
    opened.page.goto((tmp_path / "report.html").as_uri() + "?step=7&neuron=99&a=x&b=-1&c=<script>&beside=1.5")
    assert opened.of("JSON.stringify(grokinterp.view.state)") == usual
