"""The page stands alone, says what the report says, and lets no name become markup."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from grokinterp.analysis import Report
from grokinterp.errors import GrokinterpError
from grokinterp.report import PageFigure, page_figures, render_page, write_report

NASTY = """<script>alert(1)<%2Fscript> "quotes" & 'more' 🎉""".replace("%2F", "\u2215")


class Elements(HTMLParser):
    """All start tags, the text of styles and scripts, and the text a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)

    @property
    def count_of_scripts(self) -> int:
        """Scripts but for the explorer's checkpoints, of which there are as many as the run has."""
        return sum(tag == "script" and not (of.get("id") or "").startswith("data-") for tag, of in self.tags)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            (self.scripts if self._inside == "script" else self.styles).append(data)
        else:
            self.text += data


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render_page(report)


@pytest.fixture(scope="module")
def elements(page: str) -> Elements:
    return Elements(page)


def test_nothing_is_requested(elements: Elements) -> None:
    for tag, attributes in elements.tags:
        for name in ("src", "srcset", "href", "data", "action", "poster", "xlink:href"):
            value = attributes.get(name) or ""
            assert not value or value.startswith(("#", "data:,")), (tag, name, value)
        assert "url(" not in (attributes.get("style") or "")
    for style in elements.styles:
        assert "url(" not in style and "@import" not in style
    own = [script for script in elements.scripts if "plotly.js v" not in script[:200]]
    # Two of data and two of code; then a checkpoint each.
    assert len([script for script in own if not re.fullmatch("[A-Za-z0-9+/=]*", script)]) == 4
    for script in own:
        assert not re.search(r"https?:|fetch\(|XMLHttpRequest|import\(", script)


def test_the_browser_is_told_to_request_nothing(elements: Elements) -> None:
    policies = [a["content"] for tag, a in elements.tags if tag == "meta" and "http-equiv" in a]
    assert policies and policies[0].startswith("default-src 'none';")
    # plotly.js' own choice of buttons has one that uploads the figure.
    assert "modeBarButtons: [[" in elements.scripts[-1] and 'plotlyServerURL: ""' in elements.scripts[-1]


def test_plotly_is_inside_once(page: str) -> None:
    assert page.count(get_plotlyjs()[:300]) == 1
    assert len(page) < len(get_plotlyjs()) + 500_000


def test_every_figure_has_a_place_a_title_and_data(report: Report, elements: Elements) -> None:
    ids = [attributes.get("id") for _, attributes in elements.tags]
    figures = json.loads(elements.scripts[-2])
    assert list(figures) == [entry.name for entry in page_figures(report)]
    for entry in page_figures(report):
        assert ids.count(f"plot-{entry.name}") == 1
        assert entry.title in elements.text
        assert figures[entry.name]["data"] and "title" not in figures[entry.name]["layout"]


def test_the_finding_leads(report: Report, page: str, elements: Elements) -> None:
    assert page.index("<h1>") < page.index("<figure")
    text = elements.text.replace("\u00a0", " ")
    for sentence in report.finding:
        assert sentence in text


def test_a_figure_of_ones_own_comes_after_the_others(report: Report, tmp_path: Path) -> None:
    mine = PageFigure(
        "mine", "Braces {and} <tags>", "A caption {with} braces", lambda _: go.Figure(go.Scatter(y=[1, 2]))
    )
    absent = PageFigure("absent", "Not here", "", mine.draw, applies=lambda _: False)
    page = write_report(report, tmp_path, extra_figures=[mine, absent]).html.read_text()
    text = Elements(page).text
    assert text.index("Braces {and} <tags>") > text.index(page_figures(report)[-1].title)
    assert "A caption {with} braces" in text
    assert "Not here" not in text
    taken = PageFigure("losses", "Mine", "", mine.draw)
    with pytest.raises(
        GrokinterpError, match="extra figure 'losses': the page has a figure of that name; give it another"
    ):
        write_report(report, tmp_path, extra_figures=[taken])


def test_key_numbers_are_stated(report: Report, elements: Elements) -> None:
    for rule in ("W_L", "W_E", "argmax", "clusters", "logits"):
        assert rule in elements.text
    assert f"{report.final['restricted_loss']:.3g}"[:4] in elements.text


def test_equal_reports_give_equal_pages(report: Report, page: str) -> None:
    assert render_page(report) == page


def test_names_are_text(analysed: Callable[..., Report], elements: Elements) -> None:
    page = render_page(analysed("task.p=3", "training.steps=1", name=NASTY))
    assert NASTY not in page
    shown = Elements(page)
    assert NASTY in shown.text
    assert shown.count_of_scripts == elements.count_of_scripts


def test_figures_cannot_end_their_script(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    from grokinterp.report import _page

    entry = page_figures(report)[0]

    def hostile(_: Report):
        figure = entry.draw(report)
        figure.data[0].name = "</script><script>alert(1)</script>\u2028"
        return figure

    figures = (type(entry)(entry.name, entry.title, entry.caption, hostile),)
    monkeypatch.setattr(_page, "page_figures", lambda _: figures)
    page = render_page(report)
    assert "<script>alert(1)" not in page
    assert json.loads(Elements(page).scripts[-2])["losses"]["data"][0]["name"].startswith("</script>")


def test_a_name_that_is_no_text_does_not_stop_the_page(analysed: Callable[..., Report]) -> None:
    report = analysed("task.p=3", "training.steps=1", name=b"caf\xe9".decode(errors="surrogateescape"))
    render_page(report).encode()


def test_the_files(report: Report, tmp_path: Path) -> None:
    paths = write_report(report, tmp_path / "new" / "out")
    assert paths.html == tmp_path / "new" / "out" / "report.html"
    assert paths.html.read_text() == render_page(report)
    assert json.loads(paths.json.read_text()) == report.to_dict()
    table = pd.read_csv(paths.csv, float_precision="round_trip")
    assert table.columns[0] == "step"
    pd.testing.assert_frame_equal(table, report.curves.measures, check_exact=True)
    assert sorted(file.name for file in paths.html.parent.iterdir()) == [
        "measures.csv",
        "report.html",
        "report.json",
    ]


def test_the_same_report_writes_the_same_bytes(report: Report, tmp_path: Path) -> None:
    first, second = (write_report(report, tmp_path / name) for name in ("a", "b"))
    for one, other in ((first.html, second.html), (first.json, second.json), (first.csv, second.csv)):
        assert one.read_bytes() == other.read_bytes()


def test_a_fault_leaves_an_earlier_report_as_it_was(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_report(report, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(Report, "to_dict", lambda _: {"loss": float("nan")})
    with pytest.raises(ValueError, match="Out of range float"):
        write_report(report, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert paths.json in before


def test_a_file_in_the_way_is_named(report: Report, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(GrokinterpError, match=r"cannot write .*out: a file stands where a folder is needed"):
        write_report(report, tmp_path / "out")
