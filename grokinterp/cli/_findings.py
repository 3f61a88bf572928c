"""Commands that say what is in one run: analyze, verdict."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grokinterp.errors import GrokinterpError

from ._terminal import RunDir, console, folder_for, telling

if TYPE_CHECKING:
    from grokinterp.analysis import Report
    from grokinterp.report import ReportPaths
    from grokinterp.runs import Run
    from grokinterp.verdict import Verdict


def analyze(
    run_dir: RunDir,
    out: Annotated[Path | None, typer.Option(help="Where to write the report; RUN_DIR/report otherwise.")] = None,
    verdict: Annotated[bool, typer.Option(help="Lead the report with a verdict on the algorithm.")] = True,
    every_checkpoint: Annotated[
        bool, typer.Option("--every-checkpoint", help="Show all checkpoints in the explorer, not 26 of them.")
    ] = False,
) -> None:
    """Say how a trained network works: report.html, report.json and measures.csv."""
    from grokinterp.runs import load_run

    folder = folder_for("report", run_dir, out)
    report, found, paths = write_report_of(
        load_run(run_dir), folder, verdict=verdict, every_checkpoint=every_checkpoint
    )
    terminal = console()
    if found:
        terminal.print(f"{found.label}: {found.headline}")
    for sentence in report.finding:
        terminal.print(sentence)
    for sentence in found.why_shares_differ if found else ():
        terminal.print(sentence)
    terminal.print()
    for path in (paths.html, paths.json, paths.csv, paths.steps):
        if path:
            terminal.print(str(path))


def write_report_of(
    run: "Run", out: Path, *, verdict: bool = True, every_checkpoint: bool = False
) -> "tuple[Report, Verdict | None, ReportPaths]":
    """Analyse a run, with a bar in the terminal, and write its report."""
    from tqdm import tqdm

    from grokinterp.analysis import analyze as analyze_run
    from grokinterp.report import write_report
    from grokinterp.runs import require_memory
    from grokinterp.verdict import find_verdict

    if verdict:
        # Of both, before the minutes that the first takes.
        require_memory("quick verdict", run.task, run.config.model)
    with tqdm(total=len(run.steps), desc="checkpoints", disable=not sys.stderr.isatty()) as bar:
        report = analyze_run(run, on_step=lambda _: bar.update())
    found = find_verdict(run, step=report.snapshot.step, full=False) if verdict else None
    return report, found, write_report(report, out, found, every_checkpoint=every_checkpoint)


def verdict(
    run_dir: Annotated[
        str, typer.Argument(metavar="RUN_DIR", help="A run folder, hf://user/repo, or a folder of runs with --csv.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write the verdict; RUN_DIR/verdict otherwise.")] = None,
    step: Annotated[int | None, typer.Option(help="Which checkpoint; the last one otherwise.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only what the rules look at.")] = False,
    every_step: Annotated[
        bool, typer.Option("--every-step", help="Follow its circles over all checkpoints, not 12 at most.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Judge all runs below RUN_DIR into this table; resumable.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes for --csv; one per core otherwise.")] = None,
) -> None:
    """Say which algorithm a trained network uses, with evidence and controls: verdict.html and verdict.json."""
    if csv is not None:
        if out is not None or step is not None:
            raise GrokinterpError("--csv judges the last step of many runs: needs neither --out nor --step")
        _verdicts(run_dir, csv, jobs, full=not quick)
        return
    from tqdm import tqdm

    from grokinterp.report import write_verdict
    from grokinterp.runs import load_run
    from grokinterp.verdict import find_verdict

    folder = folder_for("verdict", run_dir, out)
    run = load_run(run_dir)
    with tqdm(bar_format="{desc}", disable=not sys.stderr.isatty(), leave=False) as bar:
        found = find_verdict(run, step=step, full=not quick, every_step=every_step, on_part=telling(bar))
    paths = write_verdict(found, folder)
    terminal = console()
    terminal.print(f"{found.label}: {found.headline}")
    for reasons, sign in ((found.judgement.reasons_for, "+"), (found.judgement.reasons_against, "−")):
        for reason in reasons:
            terminal.print(f"{sign} {reason}")
    if found.judgement.published_says:
        terminal.print(f"By the published criterion: {found.judgement.published_says}.")
    for doubt in found.key_doubts:
        terminal.print(doubt)
    if found.sampled_pairs:
        terminal.print(
            f"Where something in it is changed, it is judged on {found.sampled_pairs:,} of its "
            f"{found.snapshot.task.n_pairs:,} pairs, drawn at random."
        )
    if found.certificate:
        terminal.print(found.certificate.says)
    elif reason := found.not_applicable.get("certificate"):
        terminal.print(f"Nothing is proved of its answers: {reason}.")
    terminal.print()
    for path in (paths.html, paths.json):
        terminal.print(str(path))


def _verdicts(folder: str, csv: Path, jobs: int | None, *, full: bool) -> None:
    from grokinterp.verdict import verdicts

    terminal = console()

    def show(row: dict[str, object]) -> None:
        terminal.print(f"{row['run']}: {row['error'] or row['label']}")

    try:
        rows = verdicts(folder, csv, jobs=jobs, full=full, on_row=show)
    except KeyboardInterrupt:
        terminal.print(f"stopped; what is judged is in {csv}, and the same command goes on from there")
        raise typer.Exit(130) from None
    bad = sum(bool(row["error"]) for row in rows)
    terminal.print(f"{len(rows)} runs, {bad} of them without a verdict; the table is {csv}")


def figures(
    run_dir: RunDir,
    format: Annotated[str, typer.Option(help="svg, png or pdf.")] = "svg",
    out: Annotated[Path | None, typer.Option(help="Where to write the figures; RUN_DIR/figures otherwise.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="These figures alone; a wrong name lists all.")
    ] = None,
    verdict: Annotated[bool, typer.Option(help="Also the figures of the full verdict.")] = True,
) -> None:
    """Write the figures for a paper, and beside each its numbers: losses.svg, losses.csv, …"""
    from tqdm import tqdm

    from grokinterp.analysis import analyze as analyze_run
    from grokinterp.report import (
        REPORT_NAMES,
        VERDICT_NAMES,
        browser_needed,
        image_format_needed,
        no_such_figure,
        write_figures,
    )
    from grokinterp.runs import load_run
    from grokinterp.verdict import find_verdict

    folder = folder_for("figures", run_dir, out)
    # What can be refused is refused before the minutes that the analyses take.
    names = [name.strip() for names in only or () for name in names.split(",") if name.strip()]
    known = (*REPORT_NAMES, *(VERDICT_NAMES if verdict else ()))
    for name in names:
        if name not in known:
            raise no_such_figure(name, known)
    image_format_needed(format)
    run = load_run(run_dir)
    browser_needed()
    with tqdm(bar_format="{desc}", disable=not sys.stderr.isatty(), leave=False) as bar:
        tell = telling(bar)
        results = []
        if not names or set(names) & set(REPORT_NAMES):
            results.append(analyze_run(run, on_step=lambda step: tell(f"step {step:,}")))
        if verdict and (not names or set(names) & set(VERDICT_NAMES)):
            results.append(find_verdict(run, on_part=tell))
        paths = write_figures(results, folder, format=format, only=names, on_figure=tell)
    terminal = console()
    for made in paths:
        terminal.print(str(made.image) + (f" ({made.note})" if made.note else ""))
    terminal.print(f"{len(paths)} figures, each with its numbers in a CSV of the same name")
