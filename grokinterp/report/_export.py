"""Figures as files for a paper: SVG, PNG or PDF a column wide, and beside each the numbers it is drawn from."""

import hashlib
import html
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from grokinterp.analysis import Comparison, Report
from grokinterp.errors import GrokinterpError
from grokinterp.runs import only_process_in, remove_leftovers, write_whole
from grokinterp.verdict import Verdict

from ._compare_page import comparison_figures
from ._entry import PageFigure
from ._export_data import figure_data
from ._export_draw import browser_needed, render_images
from ._figures import WITHOUT_GROUP, page_figures
from ._of_frequencies import OF_FREQUENCIES
from ._of_irreps import OF_IRREPS
from ._of_verdict import OF_VERDICT, verdict_figures

IMAGE_FORMATS = ("svg", "png", "pdf")
# 3.5 in at the 96 px of CSS, in which 12 px are 9 pt: a column of most journals.
COLUMN_WIDTH = 336
REPORT_NAMES = tuple(dict.fromkeys(entry.name for entry in (*OF_FREQUENCIES, *OF_IRREPS, *WITHOUT_GROUP)))
VERDICT_NAMES = tuple(entry.name for entry in OF_VERDICT)

Result = Report | Verdict | Comparison


@dataclass(frozen=True)
class FigurePaths:
    """Where a figure lies, and its numbers; `note` is what a reader must be told of it, empty for most."""

    name: str
    image: Path
    csv: Path
    note: str


def write_figures(
    results: Result | Sequence[Result],
    out: str | Path,
    *,
    format: str = "svg",
    only: Collection[str] = (),
    on_figure: Callable[[str], object] | None = None,
) -> list[FigurePaths]:
    """Write the figures of reports, verdicts or comparisons into the folder `out`, with their numbers as CSV.

    `<name>.<format>` and `<name>.csv`, where the names are those of the page's anchors. They are drawn for light paper,
    3.5 inches wide with text of 9 points, without titles: a paper has captions. One browser draws all, before the first
    file is written; each file is whole or not at all. An SVG depends on its figure alone.

    ```python
    report = grokinterp.analyze(run)
    write_figures(report, "paper/figures", format="pdf", only=["losses", "progress"])
    ```

    **Arguments:**

    - `format`: svg, png (at 300 dpi) or pdf.
    - `only`: names of figures; all by default.
    - `on_figure`: called with the name of each figure before it is drawn.

    **Raises** `GrokinterpError` if kaleido or a browser is missing, or a name or the format is not known.
    """
    given = [results] if isinstance(results, Report | Verdict | Comparison) else list(results)
    image_format_needed(format)
    browser_needed()
    entries = [(entry, result) for result in given for entry in _entries(result)]
    chosen = [(entry, result) for entry, result in entries if not only or entry.name in only]
    missing = [name for name in only if name not in {entry.name for entry, _ in entries}]
    if missing:
        raise no_such_figure(missing[0], [entry.name for entry, _ in entries])
    figures, notes, tables = {}, {}, {}
    for entry, result in chosen:
        figure = entry.draw(result)
        tables[entry.name] = figure_data(figure).to_csv(index=False, lineterminator="\n")
        layout: Any = figure.layout
        notes[entry.name] = html.unescape(layout.title.subtitle.text or "")
        figures[entry.name] = for_paper(figure)
    images = render_images(figures, format, on_figure=on_figure)
    folder = Path(out)
    paths = []
    with only_process_in(folder, writes="is writing figures there", wait=60):
        remove_leftovers(folder, rf"\w+\.({'|'.join(IMAGE_FORMATS)}|csv)")
        for name, image in images.items():
            made = FigurePaths(name, folder / f"{name}.{format}", folder / f"{name}.csv", notes[name])
            write_whole(made.image, _repeatable(image, name) if format == "svg" else image)
            write_whole(made.csv, tables[name])
            paths.append(made)
    return paths


def image_format_needed(format: str) -> None:
    if format not in IMAGE_FORMATS:
        raise GrokinterpError(f"format {format!r}: not one that figures are written in; choose svg, png or pdf")


def no_such_figure(name: str, names: Sequence[str]) -> GrokinterpError:
    return GrokinterpError(f"no figure is named {name!r} here; choose one of {', '.join(names)}")


def for_paper(figure: go.Figure) -> go.Figure:
    """A copy as a paper's column has it: laid out as for narrow screens, on white, without a title."""
    drawn = go.Figure(figure)
    layout: Any = drawn.layout
    for path, value in (layout.meta or {}).get("narrow", {}).items():
        layout[path] = value
    for number, trace in enumerate(drawn.data):
        # Otherwise a random one, which an SVG would have in it.
        trace.update(uid=f"{number:06x}")
    drawn.update_layout(
        width=COLUMN_WIDTH,
        title=None,
        meta=None,
        paper_bgcolor="white",
        plot_bgcolor="white",
        font_family="Helvetica, Arial, 'Liberation Sans', sans-serif",
    )
    return drawn


def _entries(result: Result) -> tuple[PageFigure, ...]:
    if isinstance(result, Report):
        return page_figures(result)
    return verdict_figures(result) if isinstance(result, Verdict) else comparison_figures(result)


def _repeatable(svg: bytes, name: str) -> bytes:
    """The SVG with the random number in plotly's ids replaced by one that the figure's name gives."""
    found = re.search(rb'id="defs-([0-9a-f]{6})"', svg)
    return svg.replace(found[1], hashlib.sha256(name.encode()).hexdigest()[:6].encode()) if found else svg
