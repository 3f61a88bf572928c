"""`make bench`: a table of times, with ratios measured in one process, alternating between the two ways."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from cases import MAINLINE, fast_step, measured_checkpoint, output_of, plain_step, seconds_of

ROUNDS = int(os.environ.get("ROUNDS", "12"))
CHECKPOINTS = 200
# A child's `ru_maxrss` begins with what its parent held; this is its own.
PEAK = """
from pathlib import Path
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
"""
# In a process of its own, so that its peak memory is its own: the shipped checkpoints again and again.
CURVES = f"""
{PEAK}
import json, time
from grokinterp.analysis import curves
from grokinterp.runs import load_run
run = load_run({str(MAINLINE)!r})
steps = [run.steps[number % len(run.steps)] for number in range({CHECKPOINTS})]
start = time.perf_counter()
curves(run, (14, 35, 41, 42, 52), steps=steps)
print(json.dumps([time.perf_counter() - start, peak()]))
"""

VERDICT = f"""
{PEAK}
import json, time
from grokinterp import find_verdict, load_run
run = load_run({str(MAINLINE)!r})
find_verdict(run, full=FULL)  # The first one imports.
start = time.perf_counter()
find_verdict(run, full=FULL)
print(json.dumps([time.perf_counter() - start, peak()]))
"""


def alternate(*ways: Callable[[], object], rounds: int = ROUNDS, repeats: int = 3) -> list[float]:
    """Median seconds of each way; every round takes all of them in turn, so that a slow moment falls on all."""
    for way in ways:
        way()
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, times, strict=True):
            start = time.perf_counter()
            for _ in range(repeats):
                way()
            taken.append((time.perf_counter() - start) / repeats)
    return [statistics.median(taken) for taken in times]


def training_rows(table: Table) -> None:
    ways = [plain_step(), fast_step("rows"), fast_step("products")]
    losses = [way() for way in ways]
    assert max(losses) - min(losses) < 1e-6, "all ways start from the same network and must have the same loss"
    plain, *fast = alternate(*ways)
    table.add_row("training step, HookedTransformer", f"{plain * 1e3:.1f} ms", "")
    for summation, seconds in zip(("rows", "products (mainline)"), fast, strict=True):
        table.add_row(f"training step, summed by {summation}", f"{seconds * 1e3:.1f} ms", f"{plain / seconds:.2f}×")


def analysis_rows(table: Table) -> None:
    (checkpoint,) = alternate(measured_checkpoint())
    table.add_row("all curves of one checkpoint", f"{checkpoint * 1e3:.0f} ms", "")
    seconds, peak = json.loads(output_of("-c", CURVES))
    table.add_row(f"{CHECKPOINTS} checkpoints, all curves", f"{seconds:.1f} s", "")
    table.add_row("peak memory of that process", f"{peak / 1024:.0f} MB", "")


def verdict_rows(table: Table) -> None:
    for label, full in (("verdict on the mainline, what the rules look at", False), ("verdict, all of it", True)):
        seconds, peak = json.loads(output_of("-c", VERDICT.replace("FULL", str(full))))
        table.add_row(label, f"{seconds:.1f} s, {peak / 1024:.0f} MB", "")


def import_rows(table: Table) -> None:
    for label, command in (
        ("python, nothing imported", ("-c", "pass")),
        ("import grokinterp", ("-c", "import grokinterp")),
        ("import grokinterp.fourier", ("-c", "import grokinterp.fourier")),
        ("grokinterp --help", ("-m", "grokinterp.cli", "--help")),
    ):
        (seconds,) = alternate(lambda command=command: seconds_of(*command), repeats=1)
        table.add_row(label, f"{seconds * 1e3:.0f} ms", "")


def page_rows(table: Table) -> None:
    """The report's page in a browser, where there is one; skipped with a line that says so elsewhere."""
    try:
        from bench_explorer import chromium, explore
    except ModuleNotFoundError as error:
        table.add_row("the report's page", f"skipped: {(error.name or '').partition('.')[0]} is not installed", "")
        return
    if chromium() is None:
        table.add_row("the report's page", "skipped: no Chromium or Chrome is installed", "")
        return
    found = explore(MAINLINE)
    table.add_row("report.html made of its analyses", f"{found.render:.1f} s, {found.megabytes:.1f} MB", "")
    table.add_row("first drawn in a browser", f"{statistics.median(found.first_views):.2f} s", "")
    for panel, times in found.moves.items():
        moved = f"{statistics.median(times):.0f} ms, longest {max(times):.0f} ms"
        table.add_row(f"move of its slider, {panel} on the screen", moved, "")


def main() -> None:
    table = Table("measured", "median", "ratio", title=f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    training_rows(table)
    analysis_rows(table)
    verdict_rows(table)
    import_rows(table)
    page_rows(table)
    Console().print(table)


if __name__ == "__main__":
    main()
