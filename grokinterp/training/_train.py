"""The loop: steps, what is kept of them, and how a run is continued after anything that can stop it."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from grokinterp.errors import GrokinterpError
from grokinterp.runs import (
    Environment,
    Run,
    RunConfig,
    RunFolder,
    load_run,
    refusals_explained,
    require_memory,
)
from grokinterp.tasks import Task

from ._callbacks import Callback, Function, OnStep
from ._environment import describe_environment, resolve_device
from ._interrupt import DeferredInterrupt
from ._trainer import Trainer


def train(
    config: RunConfig | str | None,
    out: str | Path,
    *,
    resume: bool = False,
    callbacks: Sequence[Callback | OnStep] = (),
    progress: bool = True,
) -> Run:
    """Train a network and keep its checkpoints in the run folder `out`.

    **Arguments:**

    - `config`: a `RunConfig`, the name of a preset, or None to continue with the folder's own configuration.
    - `out`: the run folder; it must not hold a run unless `resume`.
    - `resume`: continue from the last saved state, or start if there is none yet. The weights afterwards are those of a
      run that was never stopped, bit for bit on the same machine and number of threads.
    - `callbacks`: told of every step, checkpoint and the end, see `Callback`; a plain function is told of every step
      and its metrics. One that returns True ends the training cleanly.
    - `progress`: show a progress bar.

    **Raises** `GrokinterpError` for a configuration that does not fit, a folder that already holds a run, a full disk,
    or a loss, weight or moment that is not finite; `KeyboardInterrupt` after Ctrl-C, once the state is saved.

    >>> import tempfile
    >>> config = RunConfig().with_settings(["task.p=5", "training.steps=3"])
    >>> run = train(config, tempfile.mkdtemp(), progress=False)
    >>> run.steps
    [0, 1, 2, 3]
    """
    folder = RunFolder(out)
    config = RunConfig.preset(config) if isinstance(config, str) else config
    if config is None and not folder.record_path.exists():
        raise GrokinterpError(f"{folder.path} holds no run to continue; name a preset to start one")
    told = [callback if isinstance(callback, Callback) else Function(callback) for callback in callbacks]
    # Held from before the first look into the folder: what is there decides with what it is gone on.
    with folder.held():
        _train_in(folder, config, resume, told, progress)
    run = load_run(folder.path)
    for callback in told:
        callback.on_end(run)
    return run


def _train_in(
    folder: RunFolder, config: RunConfig | None, resume: bool, callbacks: Sequence[Callback], progress: bool
) -> None:
    config, before = _settle(config, folder, resume)
    if config.task.split_scheme == "unknown":
        raise GrokinterpError(
            "task.split_scheme = 'unknown': a network is trained on pairs that are known; choose nanda, torch or listed"
        )
    device = resolve_device(config.recipe.device)
    previous_threads = torch.get_num_threads()
    torch.set_num_threads((before.threads if before else config.recipe.threads) or previous_threads)
    try:
        task = Task(config.task)
        if device.type == "cpu":
            require_memory("training", task, config.model)
        trainer = Trainer(config, task, device)
        start = 0
        if before and _has_state(folder):
            start = folder.read_state(lambda state: trainer.restore(state, folder.state_path))
        if start > config.recipe.steps:
            raise GrokinterpError(
                f"{folder.path} is trained to step {start} already, training.steps = {config.recipe.steps} is less; "
                "ask for more steps or choose another folder"
            )
        # The line of the last step is the last thing a run writes.
        if _written(folder, start)[-1:] == [config.recipe.steps] == [start]:
            return
        now = describe_environment(device, torch.get_num_threads(), config.recipe.loss_dtype)
        environment = before.continued(start, now) if before else now
        split = {"hash": task.split.hash, "train": len(task.split.train), "test": len(task.split.test)}
        folder.write_record(
            {
                "config": config.model_dump(mode="json"),
                "environment": environment.model_dump(mode="json"),
                "split": split,
                "checksums": folder.checksums_before(start),
            }
        )
        _loop(trainer, config, folder, start, callbacks, progress)
    finally:
        torch.set_num_threads(previous_threads)


def _settle(config: RunConfig | None, folder: RunFolder, resume: bool) -> tuple[RunConfig, Environment | None]:
    """The configuration to train with, and the environment of the run in the folder if that is continued."""
    steps = folder.steps()
    if not folder.record_path.exists():
        assert config is not None, "train() asks for one before it makes the folder"
        if steps or folder.metrics_path.exists() or folder.state_path.exists():
            raise GrokinterpError(
                f"{folder.path} holds a run's files but no run.json to say what they are; "
                "restore run.json from a copy or choose another folder"
            )
        return config, None
    if not resume:
        raise GrokinterpError(
            f"{folder.path} already holds a run{f' (up to step {steps[-1]})' if steps else ''}; "
            "continue it with --resume or choose another folder"
        )
    run = load_run(folder.path)
    if run.provenance:
        raise GrokinterpError(
            f"{folder.path} was imported and cannot be trained further: its optimizer state and most of its training "
            "settings are unknown; train a network of your own, such as grokinterp train --preset quick --out DIR"
        )
    if config is None:
        return run.config, run.environment
    differences = _differences(run.config, config, run.environment.threads)
    if differences:
        raise GrokinterpError(
            f"{folder.path} was trained with other settings ({'; '.join(differences)}); "
            "resume with the same ones or choose another folder"
        )
    return config, run.environment


def _has_state(folder: RunFolder) -> bool:
    """Whether there is a state to continue from; a run that went on without one must not be begun again over itself."""
    if folder.state_path.exists():
        return True
    if any(folder.steps()) or len(folder.read_metrics()) > 1:
        raise GrokinterpError(
            f"{folder.path} has trained beyond its first step but holds no trainer_state.safetensors to continue from; "
            "restore it from a copy, or train anew in another folder"
        )
    return False


def _written(folder: RunFolder, start: int) -> list[int | float]:
    """The steps that have a line in the metrics; none before `start` may be missing."""
    written = [row["step"] for row in folder.read_metrics()]
    if written[:start] != list(range(start)):
        raise GrokinterpError(
            f"{folder.metrics_path} lacks some of the steps before {start}, from where the run would continue; "
            "restore it from a copy, or train anew in another folder"
        )
    return written


def _differences(old: RunConfig, new: RunConfig, threads: int | None) -> list[str]:
    found = []
    for section in ("task", "model", "training"):
        before, after = getattr(old, section).model_dump(), getattr(new, section).model_dump()
        if section == "training":
            # What counts is the number that was used; not to name one is to go on with it.
            before["threads"], after["threads"] = threads, after["threads"] or threads
        free = new.recipe.free_on_resume if section == "training" else ()
        found += [
            f"{section}.{key} {before[key]} → {after[key]}"
            for key in before
            if before[key] != after[key] and key not in free
        ]
    return found


def _loop(
    trainer: Trainer,
    config: RunConfig,
    folder: RunFolder,
    start: int,
    callbacks: Sequence[Callback],
    progress: bool,
) -> None:
    settings = config.recipe
    folder.truncate_metrics(start)
    for callback in callbacks:
        callback.on_start(trainer.model, trainer.task)
    is_enough = False
    bar = tqdm(total=settings.steps, initial=start, disable=not progress, unit="step", desc="training")
    # The outermost: closing the metrics writes what is left of them, and may be refused too.
    with (
        refusals_explained(folder.metrics_path),
        DeferredInterrupt() as interrupt,
        folder.metrics_path.open("a") as metrics_file,
        bar,
    ):
        for step in range(start, settings.steps + 1):
            last = step == settings.steps
            metrics = trainer.losses(step, evaluate=last or step % settings.evaluate_every == 0)
            _require_finite(metrics, {name: metrics.get(name, 0.0) for name in ("train_loss", "test_loss")}, folder)
            keep = settings.keeps(step) or is_enough
            stopping = interrupt.requested
            save = keep or step % settings.save_every == 0 or stopping
            if save or "test_loss" in metrics:
                # What a run is continued from is finite; at a rate too high moments overflow, and nothing moves on.
                _require_finite(metrics, trainer.first_not_finite(step), folder)
            if keep:
                folder.write_checkpoint(step, trainer.weights())
                for callback in callbacks:
                    callback.on_checkpoint(step, folder.checkpoint_path(step))
            if save:
                # A resumed run writes the lines from its state's step on: those before must be on disk first.
                metrics_file.flush()
                os.fsync(metrics_file.fileno())
                folder.write_state(trainer.state(step))
            if stopping:
                raise KeyboardInterrupt(f"stopped at step {step}")
            if is_enough:
                break
            metrics_file.write(json.dumps(metrics) + "\n")
            # All are told, also of the step at which one has enough.
            is_enough = True in [callback.on_step(step, metrics) for callback in callbacks]
            if last:
                break
            trainer.update(step)
            bar.update()
            if "test_loss" in metrics:
                bar.set_postfix(train=f"{metrics['train_loss']:.3g}", test=f"{metrics['test_loss']:.3g}", refresh=False)


def _require_finite(metrics: dict[str, Any], values: dict[str, float], folder: RunFolder) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            steps = folder.steps()
            kept = f"the last good checkpoint is step {steps[-1]}" if steps else "no checkpoint was reached"
            raise GrokinterpError(
                f"{name} became {value} at step {metrics['step']} with learning rate "
                f"{metrics['learning_rate']:g}: training stopped, {kept} in {folder.path}; "
                "lower training.learning_rate or raise training.warmup_steps, in another folder"
            )
