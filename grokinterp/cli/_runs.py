"""Commands that make runs and say what they hold: train, import, info."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grokinterp.errors import GrokinterpError
from grokinterp.wording import counted, percent, step_named

from ._terminal import RunDir, console

if TYPE_CHECKING:
    from grokinterp.runs import Run


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
    from grokinterp.runs import import_run, measured_words, stated_words, warnings_of

    run = import_run(source, out, layout=layout, settings=settings or [])
    terminal = console()
    terminal.print(f"{source} has the layout {run.provenance['layout']}: {run.task.name}, {_checkpoints(run)}")
    terminal.print(f"network: {_network(run)}")
    terminal.print(f"split: {_split(run)}, {_pairs(run)}")
    for name, words in (("measured", measured_words), ("the file states", stated_words)):
        if text := words(run.provenance):
            terminal.print(f"{name}: {text}")
    for note in run.provenance["notes"]:
        terminal.print(note)
    for warning in warnings_of(run.provenance):
        terminal.print(f"warning: {warning}")
    terminal.print(f"next: grokinterp analyze {shlex.quote(str(run.path))}")


def info(run_dir: RunDir) -> None:
    """What a run folder holds: task, model, training, checkpoints, last losses."""
    from rich.table import Table

    from grokinterp.runs import StatedTraining, about_import, load_run, settings_words

    run = load_run(run_dir)
    table = Table(show_header=False, box=None)
    config, metrics = run.config, run.metrics
    imported = about_import(run.provenance)
    rows = {
        "run": str(run.path),
        "preset": "" if run.provenance else config.preset_name or "none",
        "task": f"{run.task.name}, {_pairs(run)}",
        "split": _split(run),
        "model": ", ".join(f"{key} {value}" for key, value in settings_words(config.model).items()),
        "training": ", ".join(f"{key} {value}" for key, value in settings_words(config.training).items()),
        "trained with": ", ".join(f"{name} {version}" for name, version in run.environment.versions.items()),
        "checkpoints": _checkpoints(run),
        "imported from": ", ".join(text for name, text in imported if name in ("source", "layout")),
        **{name: text for name, text in imported if name not in ("source", "layout")},
    }
    if run.provenance and not isinstance(config.training, StatedTraining):
        rows["defaults"] = (
            "an earlier version imported it, and put defaults where the files say nothing of the training, the seeds "
            "and the split; import it again to see which are known"
        )
    if len(metrics):
        evaluated = metrics.dropna(subset=[name for name in metrics if name == "test_loss"]).iloc[-1:]
        for step, losses in evaluated.set_index("step").iterrows():
            rows[f"step {step}"] = ", ".join(f"{str(name).replace('_', ' ')} {x:.4g}" for name, x in losses.items())
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    console().print(table)


def _pairs(run: "Run") -> str:
    if not run.task.split_is_known:
        return f"{run.task.n_pairs} pairs"
    return f"{len(run.task.split.train)} train and {len(run.task.split.test)} test pairs"


def _split(run: "Run") -> str:
    """How the train pairs were chosen; what is unknown of it is said to be."""
    config = run.task.config
    if not run.task.split_is_known:
        fraction = (
            "" if config.train_fraction is None else f", {percent(config.train_fraction)} of the pairs in training"
        )
        return f"unknown{fraction}"
    drawn = "" if config.split_seed is None else f", seed {config.split_seed}"
    return f"{config.split_scheme}{drawn}, hash {run.task.split.hash}"


def _checkpoints(run: "Run") -> str:
    steps = run.steps
    if not steps:
        return "no checkpoint yet"
    if len(steps) == 1:
        return f"1 checkpoint, {step_named(run.known_step(steps[0]))}"
    return f"{len(steps)} checkpoints, steps {steps[0]} to {steps[-1]}"


def _network(run: "Run") -> str:
    """The network in a line: the settings that tell networks of one kind apart."""
    model = run.config.model
    layers = counted(model.n_layers, "layer")
    if model.architecture == "mlp":
        return f"{model.architecture} of {layers}, d_model {model.d_model}, d_mlp {model.d_mlp}, {model.act_fn}"
    shape = f"{counted(model.n_heads, 'head')} of {model.d_head}, d_model {model.d_model}, d_mlp {model.d_mlp}"
    reads = f"reads {' '.join(run.task.positions)}"
    return (
        f"{model.architecture} of {layers}, {shape}, {model.act_fn}, normalization {model.normalization}, "
        f"{model.attention} attention, {reads}"
    )
