"""Commands that make runs and say what they hold: train, import, info."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from grokinterp.errors import GrokinterpError

from ._terminal import RunDir, console


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
    from grokinterp.runs import PRESETS, RunConfig, RunFolder, load_run
    from grokinterp.training import train as train_run

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
        console().print(stopped)
        raise typer.Exit(130) from None
    terminal = console()
    terminal.print(f"{run.task.name}: {len(run.steps)} checkpoints up to step {run.last_step} in {run.path}")
    terminal.print(f"next: grokinterp analyze {shlex.quote(str(run.path))}")


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
    from grokinterp.runs import import_run

    run = import_run(source, out, layout=layout, settings=settings or [])
    terminal = console()
    terminal.print(f"{source} has the layout {run.provenance['layout']}: {run.task.name}, {len(run.steps)} checkpoints")
    for note in run.provenance["notes"]:
        terminal.print(note)
    terminal.print(f"next: grokinterp analyze {shlex.quote(str(run.path))}")


def info(run_dir: RunDir) -> None:
    """What a run folder holds: task, model, training, checkpoints, last losses."""
    from rich.table import Table

    from grokinterp.runs import load_run

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
    console().print(table)
