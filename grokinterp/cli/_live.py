"""Commands that stay until they are stopped: open, watch."""

import os
import sys
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grokinterp.errors import GrokinterpError
from grokinterp.guard import read_json

from ._findings import write_report_of
from ._terminal import RunDir, console, folder_for

if TYPE_CHECKING:
    from rich.table import Table

    from ._following import RunFollower, RunState


def open_(
    run_dir: RunDir,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for a port that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the address in a browser.")] = True,
    out: Annotated[Path | None, typer.Option(help="Where the report is; RUN_DIR/report otherwise.")] = None,
    trust_page: Annotated[
        bool, typer.Option("--trust-page", help="Show pages that were not made here, such as a colleague's.")
    ] = False,
) -> None:
    """Show the report in a browser, made first where there is none of the last checkpoint; ends on Ctrl-C.

    It is served on this machine alone. A page is a program: one that was not made on this machine by this version is
    made anew, unless --trust-page says that whoever made it may be trusted.
    """
    from grokinterp.report import was_made_here
    from grokinterp.runs import finish_killed, load_run

    from ._serve import LOOPBACK, file_server

    report = folder_for("report", run_dir, out)
    judged = None if run_dir.startswith("hf:/") else folder_for("verdict", run_dir, None)
    run = load_run(run_dir)
    files = {f"/{name}": report / name for name in ("report.html", "report.json", "measures.csv")}
    verdict = {f"/{name}": judged / name for name in ("verdict.html", "verdict.json")} if judged else {}
    accepts = _anything if trust_page else was_made_here
    terminal = console()
    # Before the report is made, which takes long, so that a port that is taken is known at once.
    for folder in (report, judged):
        if folder:
            finish_killed(folder)
    with file_server(
        {"/": report / "report.html"} | files | verdict, port, folder=report / "report_steps", accepts=accepts
    ) as server:
        if is_stale(report, run.folder.checkpoint_path(run.last_step), run.last_step, accepts):
            there = (report / "report.html").exists()
            terminal.print("the report is made anew: it is older, or was not made here" if there else _FIRST)
            write_report_of(run, report)
        address = f"http://{LOOPBACK}:{server.server_port}/"
        try:
            terminal.print(f"the report: {address}")
            if page := verdict.get("/verdict.html"):
                if _accepted(page, accepts):
                    terminal.print(f"the verdict: {address}verdict.html")
                elif page.exists():
                    terminal.print(f"the verdict there was not made here: make it with grokinterp verdict {run_dir}")
            terminal.print("Ctrl-C ends it")
            sys.stdout.flush()
            if browser and _has_windows():
                webbrowser.open(address)
            server.serve_forever()
        except KeyboardInterrupt:
            terminal.print("ended")


_FIRST = "the report is made first"
_MOST = 256 * 2**20  # bytes of a page


def is_stale(report: Path, checkpoint: Path, step: int, accepts: Callable[[bytes], bool]) -> bool:
    """Whether there is no report of this checkpoint: none at all, one of another step, one older than its file, or one
    that may not be shown."""
    from grokinterp.runs import read_regular

    page, content = report / "report.html", report / "report.json"
    if not (_accepted(page, accepts) and _accepted(content, accepts)):
        return True
    try:
        found = read_json(read_regular(content, _MOST))["final"]["step"]
        return found != step or page.stat().st_mtime < checkpoint.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError, GrokinterpError):
        return True


def _accepted(file: Path, accepts: Callable[[bytes], bool]) -> bool:
    """Whether a file is there and may be shown."""
    from grokinterp.runs import read_regular

    try:
        return accepts(read_regular(file, _MOST, within=file.parent))
    except GrokinterpError:
        return False


def _anything(_: bytes) -> bool:
    return True


def _has_windows() -> bool:
    """Whether a browser can show itself: one that runs in the terminal would hold up the server."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def watch(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run folder that is trained in.")],
    every: Annotated[float, typer.Option(min=0.05, help="Seconds from one look to the next.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Say how far it is and end.")] = False,
) -> None:
    """Follow a run while it trains: step, losses, phase and checkpoints; ends with the training, or on Ctrl-C."""
    from ._following import RunFollower

    follower = RunFollower(run_dir)
    terminal = console()
    state = follower.state()
    if once:
        terminal.print(state.line)
        return
    try:
        if terminal.is_terminal:
            _show_live(follower, state, every)
        else:
            _print_lines(follower, state, every)
    except KeyboardInterrupt:
        terminal.print("no longer watched; the training goes on")


def _print_lines(follower: "RunFollower", state: "RunState", every: float) -> None:
    terminal, said = console(), ""
    while True:
        if state.line != said:
            said = state.line
            terminal.print(said)
            sys.stdout.flush()
        if state.ended:
            return
        time.sleep(every)
        state = follower.state()


def _show_live(follower: "RunFollower", state: "RunState", every: float) -> None:
    from rich.live import Live

    with Live(_table(state), console=console(), auto_refresh=False) as live:
        while not state.ended:
            time.sleep(every)
            state = follower.state()
            live.update(_table(state), refresh=True)


def _table(state: "RunState") -> "Table":
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("task", state.task)
    for name, text in state.rows:
        table.add_row(name, text)
    if state.step is not None and state.last is not None:
        table.add_row("", ProgressBar(total=max(state.last, 1), completed=state.step, width=40))
    return table
