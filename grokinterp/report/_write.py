"""The files of a report and of a verdict."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grokinterp.analysis import Report
from grokinterp.runs import make_folder, write_whole
from grokinterp.verdict import Verdict

from ._entry import PageFigure
from ._page import render_page
from ._verdict_page import render_verdict


@dataclass(frozen=True)
class ReportPaths:
    """Where a report lies: the page for people, everything for programs, and the measures as a table."""

    html: Path
    json: Path
    csv: Path


@dataclass(frozen=True)
class VerdictPaths:
    """Where a verdict lies: the page for people and everything for programs."""

    html: Path
    json: Path


def write_report(
    report: Report,
    out: str | Path,
    verdict: Verdict | None = None,
    *,
    extra_figures: Sequence[PageFigure[Report]] = (),
) -> ReportPaths:
    """Write `report.html`, `report.json` and `measures.csv` into the folder `out`, each whole or not at all.

    All three are made before the first is written: a fault leaves the files of an earlier report as they
    were. With a verdict the page leads with it, and `report.json` has it under `verdict`. `extra_figures` come after
    the page's own: name, title, caption, and a function that draws a report.
    """
    folder = Path(out)
    paths = ReportPaths(folder / "report.html", folder / "report.json", folder / "measures.csv")
    page = render_page(report, verdict, extra_figures=extra_figures)
    found = report.to_dict() | ({"verdict": verdict.to_dict()["verdict"]} if verdict else {})
    content = _json(found)
    measures = report.curves.measures
    columns = ["step", *(column for column in measures.columns if column != "step")]
    table = measures[columns].to_csv(index=False, lineterminator="\n")
    make_folder(folder)
    write_whole(paths.html, page)
    write_whole(paths.json, content)
    write_whole(paths.csv, table)
    return paths


def write_verdict(verdict: Verdict, out: str | Path) -> VerdictPaths:
    """Write `verdict.html` and `verdict.json` into the folder `out`, each whole or not at all.

    Both are made before the first is written: a fault leaves the files of an earlier verdict as they were.
    """
    folder = Path(out)
    paths = VerdictPaths(folder / "verdict.html", folder / "verdict.json")
    page, content = render_verdict(verdict), _json(verdict.to_dict())
    make_folder(folder)
    write_whole(paths.html, page)
    write_whole(paths.json, content)
    return paths


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
