"""`grokinterp figures` as a user meets it: images for a paper, and the numbers they are drawn from."""

import builtins
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from grokinterp.analysis import analyze, compare_runs
from grokinterp.errors import GrokinterpError
from grokinterp.report import (
    REPORT_NAMES,
    VERDICT_NAMES,
    browser_needed,
    figure_data,
    page_figures,
    verdict_figures,
    write_figures,
)
from grokinterp.verdict import find_verdict

# What the browser leaves to the garbage collector is kaleido's.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
BROWSER = "install Chromium or Chrome, or run `kaleido_get_chrome`"


@pytest.fixture
def browser():
    try:
        browser_needed()
    except GrokinterpError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def report(tiny_run):
    return analyze(tiny_run)


def names_in(folder: Path, kind: str) -> list[str]:
    return sorted(file.stem for file in folder.glob(f"*.{kind}"))


@pytest.mark.usefixtures("browser")
def test_every_figure_of_report_and_verdict_as_svg(run_command, tiny_run, report, tmp_path):
    status, out, error = run_command("figures", tiny_run.path, "--out", tmp_path / "f")
    assert (status, error) == (0, "")
    entries = [*page_figures(report), *verdict_figures(find_verdict(tiny_run))]
    names = [entry.name for entry in entries]
    assert len(set(names)) == len(names)
    assert names_in(tmp_path / "f", "svg") == names_in(tmp_path / "f", "csv") == sorted(names)
    assert len(list((tmp_path / "f").iterdir())) == 2 * len(names)
    lines = out.splitlines()
    assert [line.split(" (")[0] for line in lines[:-1]] == [str(tmp_path / "f" / f"{name}.svg") for name in names]
    assert lines[-1] == f"{len(names)} figures, each with its numbers in a CSV of the same name"
    for name in names:
        root = ET.fromstring((tmp_path / "f" / f"{name}.svg").read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.attrib["width"] == "336", "3.5 inches at 96 px"


@pytest.mark.long
@pytest.mark.usefixtures("browser")
def test_some_figures_as_png_and_pdf(run_command, tiny_run, tmp_path):
    status, out, _ = run_command(
        "figures", tiny_run.path, "--format", "png", "--only", "losses,layers", "--out", tmp_path
    )
    assert status == 0
    assert names_in(tmp_path, "png") == ["layers", "losses"]
    png = (tmp_path / "losses.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 1050, "3.5 inches at 300 dpi"
    assert "2 figures" in out
    status, *_ = run_command(
        "figures", tiny_run.path, "--format", "pdf", "--only", "losses", "--only", "weight-norms", "--out", tmp_path
    )
    assert status == 0
    assert names_in(tmp_path, "pdf") == ["losses", "weight-norms"]
    pdf = (tmp_path / "losses.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    width = float(re.search(rb"/MediaBox \[0 0 ([0-9.]+) ", pdf)[1])
    assert width == pytest.approx(3.5 * 72, abs=1)


@pytest.mark.usefixtures("browser")
def test_equal_figures_give_equal_svgs_and_none_asks_for_anything(report, tmp_path):
    for place in ("one", "two"):
        write_figures(report, tmp_path / place, only=["losses", "layers"])
    for name in ("losses", "layers"):
        one, two = ((tmp_path / place / f"{name}.svg").read_bytes() for place in ("one", "two"))
        assert one == two
        assert not re.search(rb'href="https?:', one)
        assert b"<script" not in one
        # White paper, whatever the page's own colours.
        assert re.search(rb'^<svg [^>]*><rect [^>]*style="fill: rgb\(255, 255, 255\); fill-opacity: 1;"', one)


@pytest.mark.usefixtures("browser")
def test_a_comparison_has_its_figures_too(tiny_run, tmp_path):
    comparison = compare_runs([tiny_run, tiny_run])
    paths = write_figures(comparison, tmp_path)
    assert [made.name for made in paths] == ["losses", "progress", "explained", "keys"]


@pytest.mark.usefixtures("browser")
def test_it_runs_where_an_event_loop_runs_already(report, tmp_path):
    """As in a notebook."""
    import asyncio

    async def cell() -> list:
        return write_figures(report, tmp_path, only=["losses"])

    # In a thread of its own: where Playwright's tests ran in this process before, its loop is still running here.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(lambda: asyncio.run(cell())).result()
    assert [made.name for made in found] == ["losses"]


# The numbers


@pytest.mark.usefixtures("browser")
def test_the_numbers_are_those_that_are_drawn(report, tmp_path):
    (made,) = write_figures(report, tmp_path, only=["losses"])
    table = pd.read_csv(made.csv)
    for name, column in (("train loss", "train_loss"), ("test loss", "test_loss")):
        drawn = table[table["trace"] == name]
        expected = report.metrics.dropna(subset=[column])
        np.testing.assert_array_equal(drawn["x"], expected["step"])
        np.testing.assert_allclose(drawn["y"], expected[column], rtol=1e-6)


def test_every_point_of_every_trace_has_a_row(report, tiny_run):
    verdict = find_verdict(tiny_run)
    for entries, result in ((page_figures(report), report), (verdict_figures(verdict), verdict)):
        for entry in entries:
            figure = entry.draw(result)
            expected = 0
            for trace in figure.data:
                if trace.type == "heatmap":
                    expected += np.asarray(trace.z).size
                else:
                    x = trace.x if trace.x is not None else trace.y
                    y = trace.y if trace.y is not None else trace.x
                    expected += sum(not (pd.isna(a) and pd.isna(b)) for a, b in zip(x, y, strict=True))
            assert len(figure_data(figure)) == expected, entry.name


def test_a_heat_map_is_a_row_per_cell():
    z = np.arange(6.0).reshape(2, 3)
    figure = go.Figure(go.Heatmap(z=z, x=["a", "b", "c"], y=[10, 20], xaxis="x2", yaxis="y2", name="m"))
    table = figure_data(figure)
    assert set(table["axes"]) == {"x2y2"}
    cells = table.pivot(index="y", columns="x", values="z")
    np.testing.assert_array_equal(cells.to_numpy(), z)
    assert (list(cells.index), list(cells.columns)) == ([10, 20], ["a", "b", "c"])


def test_sizes_errors_and_names_of_places_are_kept():
    figure = go.Figure(
        [
            go.Scatter(
                x=[1, 2], y=[0.9, 2.1], marker={"size": [3, 4]}, error_y={"array": [0.1, 0.2]}, name="&lt;a&gt;"
            ),
            go.Scatter(x=[None], y=[None], name="only in the legend"),
        ]
    )
    figure.update_yaxes(tickvals=[1, 2], ticktext=["one<br>", "<b>two</b>\u00a0"])
    table = figure_data(figure)
    assert table.to_dict(orient="list") == {
        "trace": ["<a>", "<a>"],
        "axes": ["xy", "xy"],
        "x": [1, 2],
        "y": [0.9, 2.1],
        "y_name": ["one", "two"],
        "y_error": [0.1, 0.2],
        "size": [3, 4],
    }


def test_a_figure_of_nothing_has_a_table_of_nothing():
    assert figure_data(go.Figure()).columns.tolist() == ["trace", "axes", "x", "y"]


# What is refused


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["hf://user/repo"],
            "hf://user/repo is not on this machine: needs --out, the folder to write the figures into",
        ),
        (
            ["absent", "--only", "lossess"],
            f"no figure is named 'lossess' here; choose one of {', '.join((*REPORT_NAMES, *VERDICT_NAMES))}",
        ),
        (
            ["absent", "--only", "clock-pizza", "--no-verdict"],
            f"no figure is named 'clock-pizza' here; choose one of {', '.join(REPORT_NAMES)}",
        ),
        (["absent", "--format", "gif"], "format 'gif': not one that figures are written in; choose svg, png or pdf"),
        (["absent"], "absent: no such folder; give a run folder made by `grokinterp train`"),
    ],
)
def test_bad_input_is_one_line(run_command, arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command("figures", *arguments) == (2, "", f"grokinterp: {says}\n")


@pytest.mark.usefixtures("browser")
def test_a_figure_that_this_run_does_not_have(run_command, tiny_run, tmp_path):
    status, out, error = run_command("figures", tiny_run.path, "--only", "representation-map", "--out", tmp_path / "f")
    assert (status, out) == (2, "")
    assert error.startswith(
        "grokinterp: no figure is named 'representation-map' here; choose one of losses, progress, "
    )
    assert not (tmp_path / "f").exists()


def test_without_kaleido(run_command, tiny_run, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] in ("kaleido", "choreographer"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    says = "figures are drawn by kaleido 1, which is not installed; pip install 'grokinterp[figures]'"
    assert run_command("figures", tiny_run.path) == (2, "", f"grokinterp: {says}\n")


def test_without_a_browser(run_command, tiny_run, monkeypatch):
    chromium = pytest.importorskip("choreographer.browsers.chromium")
    monkeypatch.setattr(chromium.Chromium, "find_browser", lambda **_: None)
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    says = f"figures are drawn by a browser, and none was found; {BROWSER}, or name one in BROWSER_PATH"
    assert run_command("figures", tiny_run.path) == (2, "", f"grokinterp: {says}\n")


def test_a_browser_that_is_named_and_is_not_there(run_command, tiny_run, monkeypatch):
    chromium = pytest.importorskip("choreographer.browsers.chromium")
    monkeypatch.setattr(chromium, "get_chrome_download_path", lambda **_: None)
    monkeypatch.setattr(chromium, "get_old_chrome_download_path", lambda: None)
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")
    says = f"BROWSER_PATH=/nowhere/chrome is no browser; name one that is installed, or {BROWSER}"
    assert run_command("figures", tiny_run.path) == (2, "", f"grokinterp: {says}\n")


def test_a_browser_that_does_not_start(report, tmp_path, monkeypatch):
    chromium = pytest.importorskip("choreographer.browsers.chromium")
    broken = tmp_path / "chrome"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(chromium.Chromium, "find_browser", lambda **_: str(broken))
    with pytest.raises(GrokinterpError) as refused:
        write_figures(report, tmp_path / "f", only=["losses"])
    assert re.fullmatch(
        r"the browser that draws figures did not start \(\w+Error\); check that it runs by itself, or "
        + re.escape(BROWSER),
        str(refused.value),
    )
    assert not (tmp_path / "f").exists()
