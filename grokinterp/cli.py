"""Floor 9: the commands. They parse, call and print; heavy rooms are imported inside them."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import GrokinterpError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train networks that grok, keep their checkpoints, and read the algorithm out of them.",
)

# Text, because a path would lose a slash of hf://user/repo.
RunDir = Annotated[
    str, typer.Argument(metavar="RUN_DIR", help="A run folder made by `grokinterp train`, or hf://user/repo.")
]


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="The run folder to write.")],
    preset: Annotated[
        str | None,
        typer.Option(
            help="A recipe: quick, nanda-mainline, mod-division-97, s5-composition, …; a wrong name lists all."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer calls; the preset's number otherwise.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change task, model or training.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder, if there is one.")] = False,
) -> None:
    """Train a network and keep its checkpoints.

    A run that was stopped, by Ctrl-C or worse, is continued with
    `grokinterp train --out DIR --resume`.
    """
    from .runs import PRESETS, RunConfig, RunFolder, load_run
    from .training import train as train_run

    changes = list(settings or [])
    changes += [] if steps is None else [f"training.steps={steps}"]
    changes += [] if device is None else [f"training.device={device}"]
    if preset is not None:
        config = RunConfig.preset(preset).with_settings(changes)
    elif resume and RunFolder(out).record_path.exists():
        config = load_run(out).config.with_settings(changes)
    elif resume:
        raise GrokinterpError(f"{out} holds no run to continue; name a preset to start one: --preset quick")
    else:
        raise GrokinterpError(f"no preset given: needs --preset, one of {', '.join(PRESETS)}")
    try:
        run = train_run(config, out, resume=resume, progress=sys.stderr.isatty())
    except KeyboardInterrupt as interrupt:
        stopped = str(interrupt) or "stopped"
        if RunFolder(out).record_path.exists():
            stopped += f"; continue with: grokinterp train --out {shlex.quote(str(out))} --resume"
        _console().print(stopped)
        raise typer.Exit(130) from None
    console = _console()
    console.print(f"{run.task.name}: {len(run.steps)} checkpoints up to step {run.last_step} in {run.path}")
    console.print(f"next: grokinterp analyze {shlex.quote(str(run.path))}")


@app.command()
def analyze(
    run_dir: RunDir,
    out: Annotated[Path | None, typer.Option(help="Where to write the report; RUN_DIR/report otherwise.")] = None,
    verdict: Annotated[bool, typer.Option(help="Lead the report with a verdict on the algorithm.")] = True,
) -> None:
    """Say how a trained network works: report.html, report.json and measures.csv."""
    from tqdm import tqdm

    from .analysis import analyze as analyze_run
    from .report import write_report
    from .runs import load_run
    from .verdict import find_verdict

    if out is None and run_dir.startswith("hf://"):
        raise GrokinterpError(f"{run_dir} is not on this machine: needs --out, the folder to write the report into")
    run = load_run(run_dir)
    with tqdm(total=len(run.steps), desc="checkpoints", disable=not sys.stderr.isatty()) as bar:
        report = analyze_run(run, on_step=lambda _: bar.update())
    found = find_verdict(run, step=report.snapshot.step, full=False) if verdict else None
    paths = write_report(report, out or Path(run_dir) / "report", found)
    console = _console()
    if found:
        console.print(f"{found.label}: {found.headline}")
    for sentence in report.finding:
        console.print(sentence)
    console.print()
    for path in (paths.html, paths.json, paths.csv):
        console.print(str(path))


@app.command(name="verdict")
def verdict_(
    run_dir: Annotated[
        str, typer.Argument(metavar="RUN_DIR", help="A run folder, hf://user/repo, or a folder of runs with --csv.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write the verdict; RUN_DIR/verdict otherwise.")] = None,
    step: Annotated[int | None, typer.Option(help="Which checkpoint; the last one otherwise.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only what the rules look at.")] = False,
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

    from .report import write_verdict
    from .runs import load_run
    from .verdict import find_verdict

    if out is None and run_dir.startswith("hf://"):
        raise GrokinterpError(f"{run_dir} is not on this machine: needs --out, the folder to write the verdict into")
    run = load_run(run_dir)
    with tqdm(bar_format="{desc}", disable=not sys.stderr.isatty(), leave=False) as bar:
        found = find_verdict(run, step=step, full=not quick, on_part=bar.set_description_str)
    paths = write_verdict(found, out or Path(run_dir) / "verdict")
    console = _console()
    console.print(f"{found.label}: {found.headline}")
    for reasons, sign in ((found.judgement.reasons_for, "+"), (found.judgement.reasons_against, "−")):
        for reason in reasons:
            console.print(f"{sign} {reason}")
    if found.certificate:
        console.print(found.certificate.says)
    console.print()
    for path in (paths.html, paths.json):
        console.print(str(path))


def _verdicts(folder: str, csv: Path, jobs: int | None, *, full: bool) -> None:
    from .verdict import verdicts

    console = _console()

    def show(row: dict[str, object]) -> None:
        console.print(f"{row['run']}: {row['error'] or row['label']}")

    rows = verdicts(folder, csv, jobs=jobs, full=full, on_row=show)
    bad = sum(bool(row["error"]) for row in rows)
    console.print(f"{len(rows)} runs, {bad} of them without a verdict; the table is {csv}")


@app.command(name="import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE_OR_DIR", help="Other people's checkpoints.")],
    out: Annotated[Path, typer.Option(help="The run folder to write.")],
    layout: Annotated[str, typer.Option(help="auto, or the layout's name; a wrong name lists all.")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Say of task or model what the file does not."),
    ] = None,
) -> None:
    """Make a run folder of checkpoints from Nanda, TransformerLens, Chughtai et al. or The Clock and the Pizza."""
    from .runs import import_run

    run = import_run(source, out, layout=layout, settings=settings or [])
    console = _console()
    console.print(f"{source} has the layout {run.provenance['layout']}: {run.task.name}, {len(run.steps)} checkpoints")
    for note in run.provenance["notes"]:
        console.print(note)
    console.print(f"next: grokinterp analyze {shlex.quote(str(run.path))}")


@app.command()
def info(run_dir: RunDir) -> None:
    """What a run folder holds: task, model, training, checkpoints, last losses."""
    from rich.table import Table

    from .runs import load_run

    run = load_run(run_dir)
    table = Table(show_header=False, box=None)
    config, steps, metrics = run.config, run.steps, run.metrics
    rows = {
        "run": str(run.path),
        "preset": config.preset_name or "none",
        "task": f"{run.task.name}, {len(run.task.split.train)} train and {len(run.task.split.test)} test pairs",
        "split": f"{config.task.split_scheme}, seed {config.task.split_seed}, hash {run.task.split.hash}",
        "imported from": ", ".join(str(run.provenance[name]) for name in ("source", "layout") if run.provenance),
        "model": ", ".join(f"{key} {value}" for key, value in config.model.model_dump().items()),
        "training": ", ".join(f"{key} {value}" for key, value in config.training.model_dump().items()),
        "trained with": ", ".join(f"{name} {version}" for name, version in run.environment.versions.items()),
        "checkpoints": f"{len(steps)}, steps {steps[0]} to {steps[-1]}" if steps else "none yet",
    }
    if len(metrics):
        evaluated = metrics.dropna(subset=[name for name in metrics if name == "test_loss"]).iloc[-1:]
        for step, losses in evaluated.set_index("step").iterrows():
            rows[f"step {step}"] = ", ".join(f"{str(name).replace('_', ' ')} {x:.4g}" for name, x in losses.items())
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    _console().print(table)


def _console() -> "Console":
    from rich.console import Console

    # What is printed are paths and sentences, in which nothing is to be interpreted.
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def main() -> None:
    """Run the command line: exit status 0 done, 2 wrong input (one clear line), 1 a fault, 130 interrupted."""
    try:
        app()
    except GrokinterpError as error:
        sys.stderr.write(f"grokinterp: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
