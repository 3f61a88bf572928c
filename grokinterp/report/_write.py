"""The three files of a report."""

import json
from dataclasses import dataclass
from pathlib import Path

from grokinterp.analysis import Report
from grokinterp.runs import make_folder, write_whole

from ._page import render_page


@dataclass(frozen=True)
class ReportPaths:
    """Where a report lies: the page for people, everything for programs, and the measures as a table."""

    html: Path
    json: Path
    csv: Path


def write_report(report: Report, out: str | Path) -> ReportPaths:
    """Write `report.html`, `report.json` and `measures.csv` into the folder `out`, each whole or not at all.

    All three are made before the first is written: a fault leaves the files of an earlier report as they
    were.
    """
    folder = Path(out)
    paths = ReportPaths(folder / "report.html", folder / "report.json", folder / "measures.csv")
    page = render_page(report)
    content = json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"
    measures = report.curves.measures
    columns = ["step", *(column for column in measures.columns if column != "step")]
    table = measures[columns].to_csv(index=False, lineterminator="\n")
    make_folder(folder)
    write_whole(paths.html, page)
    write_whole(paths.json, content)
    write_whole(paths.csv, table)
    return paths
