"""The files of a report and of a verdict."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grokinterp.analysis import Report
from grokinterp.runs import make_folder, only_process_in, remove_leftovers, require_inside
from grokinterp.verdict import Verdict

from ._entry import PageFigure
from ._explorer import explorer
from ._made_here import remember, write_here, write_together_here
from ._page import page_of
from ._verdict_page import render_verdict


@dataclass(frozen=True)
class ReportPaths:
    """Where a report lies: the page for people, everything for programs, and the measures as a table.

    `steps` is the folder of the checkpoints that the page itself could not hold, or None.
    """

    html: Path
    json: Path
    csv: Path
    steps: Path | None = None


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
    every_checkpoint: bool = False,
) -> ReportPaths:
    """Write `report.html`, `report.json` and `measures.csv` into the folder `out`, all three or none.

    A fault leaves the files of an earlier report as they were; so does a kill, or the next call finishes what it left.

    The explorer shows at most 26 checkpoints, spread over the training, or `every_checkpoint`. Where they are too many
    for one page (8.5 MB of them), the page has the last one, and the others lie in the folder `report_steps` beside it:
    each is loaded when it is looked at.

    With a verdict the page leads with it, and `report.json` has it under `verdict`. `extra_figures` come after
    the page's own: name, title, caption, and a function that draws a report.
    """
    folder = Path(out)
    paths = ReportPaths(folder / "report.html", folder / "report.json", folder / "measures.csv")
    measures = report.curves.measures
    columns = ["step", *(column for column in measures.columns if column != "step")]
    table = measures[columns].to_csv(index=False, lineterminator="\n")
    content = _json(report.to_dict() | ({"verdict": verdict.to_dict()["verdict"]} if verdict else {}))
    steps = _StepsFolder(folder / "report_steps")
    with only_process_in(folder, writes="is writing a report there", wait=60):
        steps.sweep()
        try:
            explored = explorer(report, every_checkpoint=every_checkpoint, keep_beside=steps.keep)
            page = page_of(report, verdict, explored, extra_figures)
            write_together_here({paths.html: page, paths.json: content, paths.csv: table})
        except BaseException:
            steps.take_back()
            raise
        steps.remove_others()
    return replace(paths, steps=steps.path) if steps.kept else paths


class _StepsFolder:
    """Checkpoints beside a page. Their names tell their content, so that those of an earlier page stay as they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept: list[Path] = []
        self._new: list[Path] = []

    def sweep(self) -> None:
        """Remove what a killed process left half written."""
        if self.path.is_dir():
            require_inside(self.path, self.path.parent)
            remove_leftovers(self.path, r"step-.*\.js")

    def keep(self, name: str, content: str) -> str:
        require_inside(self.path, self.path.parent)
        make_folder(self.path)
        file = self.path / name
        self.kept.append(file)
        # A stranger's file may have the name and another content.
        if file.is_symlink() or not file.is_file() or file.read_bytes() != content.encode():
            self._new.append(file)
            write_here(file, content)
        else:
            remember(content)
        return f"{self.path.name}/{name}"

    def take_back(self) -> None:
        """Remove what was added, for a page that was not made."""
        self._remove(self._new)

    def remove_others(self) -> None:
        """Remove the files of earlier pages, and no others."""
        if self.path.is_symlink():
            return  # What it leads to is no page's.
        self._remove(file for file in self.path.glob("step-*.js") if file not in self.kept)

    def _remove(self, files: Iterable[Path]) -> None:
        for file in files:
            file.unlink(missing_ok=True)
        # Only an empty folder can be removed.
        with suppress(OSError):
            self.path.rmdir()


def write_verdict(verdict: Verdict, out: str | Path) -> VerdictPaths:
    """Write `verdict.html` and `verdict.json` into the folder `out`, both or none.

    A fault leaves the files of an earlier verdict as they were; so does a kill, or the next call finishes what it left.
    """
    folder = Path(out)
    paths = VerdictPaths(folder / "verdict.html", folder / "verdict.json")
    page, content = render_verdict(verdict), _json(verdict.to_dict())
    with only_process_in(folder, writes="is writing a report there", wait=60):
        write_together_here({paths.html: page, paths.json: content})
    return paths


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
