"""Runs of strangers that can be loaded: numbers at the ends of what is allowed, and what nobody measured. Whatever they
hold, every command answers with a result or with one line. Drawn from seeds; each failure names its seed."""

import json
import math
import random
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from bounds import TookTooLong, bounded, needs_linux

from grokinterp.cli import main
from grokinterp.cli._following import RunFollower
from grokinterp.errors import GrokinterpError
from grokinterp.models import initial_weights
from grokinterp.runs import RunConfig, RunFolder
from grokinterp.tasks import Task

pytestmark = pytest.mark.filterwarnings("ignore")
MODULAR = [f"task.operation={name}" for name in ("add", "subtract", "divide", "multiply")]
SMALL = ["model.n_heads=1", "model.d_head=2", "model.d_model=4", "model.d_mlp=3"]


def config(chance: random.Random) -> RunConfig:
    """Of a network at the bounds of what a configuration may be."""
    settings = [f"task.p={chance.choice((2, 3, 5, 7))}", chance.choice(MODULAR)]
    if chance.random() < 0.25:
        settings = ["task.operation=compose", f"task.group={chance.choice(('Z1', 'Z2', 'S3', 'D3', 'Z2xZ2'))}"]
    settings += [f"task.train_fraction={chance.choice((0.01, 0.5, 0.9, 0.99))}", *SMALL]
    for name, values in {
        "model.d_mlp": (1, 2, 64),
        "model.d_model": (1, 2, 16),
        "model.n_layers": (1, 2),
        "model.architecture": ("transformer", "mlp"),
        "model.act_fn": ("relu", "gelu"),
        "model.outputs": ("answers", "vocabulary"),
        "model.biases": ("none", "all"),
    }.items():
        if chance.random() < 0.2:
            settings.append(f"{name}={chance.choice(values)}")
    return RunConfig().with_settings(settings)


def extreme(weights: dict[str, torch.Tensor], chance: random.Random) -> dict[str, torch.Tensor]:
    """All, or some, of the weights with finite numbers that no training reaches."""
    kind = chance.randrange(8)
    found = {}
    for name, tensor in weights.items():
        scale = chance.choice((1e30, 1e-38, 1e38, 0.0))
        found[name] = {
            0: lambda: torch.zeros_like(tensor),  # noqa: B023
            1: lambda: torch.full_like(tensor, 1e30),  # noqa: B023
            2: lambda: torch.full_like(tensor, 1e-38),  # noqa: B023
            3: lambda: torch.ones_like(tensor),  # noqa: B023
            4: lambda: tensor * scale,  # noqa: B023
            5: lambda: tensor * scale if chance.random() < 0.3 else tensor,  # noqa: B023
            6: lambda: torch.sign(tensor) * 3e38,  # noqa: B023
            7: lambda: tensor,  # noqa: B023
        }[kind]().nan_to_num(nan=0.0, posinf=3e38, neginf=-3e38)
    return found


def metrics(steps: list[int], chance: random.Random) -> list[dict[str, Any]]:
    numbers = (0, 1, -1.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf, 2**63 - 1, 0.5)
    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "learning_rate", "other", "step ")
    at = [*steps, *(chance.choice((0, 1, 2, 7, 10**9, 2**62)) for _ in range(chance.randrange(6)))]
    kind = chance.randrange(4)
    at = [[], sorted(at), at[::-1], at * 2][kind]
    used = chance.sample(names, chance.randrange(len(names) + 1))
    rows = [{"step": step} | {name: chance.choice(numbers) for name in used} for step in at]
    return [{key: value for key, value in row.items() if key == "step" or chance.random() < 0.9} for row in rows]


def hostile_run(folder: Path, chance: random.Random) -> None:
    """A run folder in which all is of its kind."""
    made = config(chance)
    task = Task(made.task)
    run = RunFolder(folder)
    run.checkpoints_path.mkdir(parents=True)
    environment: dict[str, Any] = {}
    record: dict[str, Any] = {"config": made.model_dump(mode="json"), "environment": environment}
    steps = chance.choice(([0], [7], [0, 1, 2], [0, 10**9], [999_999, 1_000_000], []))
    for step in steps:
        weights = initial_weights(made.model, task)
        run.write_checkpoint(step, extreme(weights, chance))
    run.write_record(record)
    rows = metrics(steps, chance)
    if rows:
        run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows))


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("info", "{}"),
    ("analyze", "{}", "--no-verdict"),
    ("verdict", "{}", "--quick"),
    ("compare", "{}", "{}", "--no-verdict", "--out", "{}/comparison"),
)
# Seeds with an infinite loss, of which `analyze` drew a picture up to infinity.
WITH_FAULTS = (27, 48)
# It starts a browser.
FIGURES = ("figures", "{}", "--no-verdict", "--only", "losses")


def tried(seed: int, folder: Path, command: tuple[str, ...]) -> str:
    """What is wrong with how a command answers, or nothing."""
    sys.argv = ["grokinterp", *(part.format(folder) for part in command)]
    try:
        main()
    except SystemExit as ended:
        return "" if ended.code in (None, 0, 2) else f"{seed} {command[0]}: exit status {ended.code}"
    except (Exception, TookTooLong) as error:
        where = error.__traceback__
        lines = []
        while where:
            if "grokinterp/" in where.tb_frame.f_code.co_filename:
                lines.append(f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}")
            where = where.tb_next
        return f"{seed} {command[0]}: {type(error).__name__}: {str(error)[:120]} at {' '.join(lines[-3:])}"
    return f"{seed} {command[0]}: it did not end"


def faults(seeds: Iterable[int], tmp_path: Path, commands: Callable[[int], tuple[tuple[str, ...], ...]]) -> list[str]:
    found = []
    with bounded():
        for seed in seeds:
            folder = tmp_path / str(seed)
            try:
                hostile_run(folder, random.Random(seed))
            except GrokinterpError:
                shutil.rmtree(folder, ignore_errors=True)
                continue  # The configuration was refused, in a line.
            # `watch` follows a run that has not ended for ever; this is what it shows.
            with suppress(GrokinterpError):
                _ = RunFollower(folder).state().line
            found += [fault for command in commands(seed) if (fault := tried(seed, folder, command))]
            shutil.rmtree(folder)
    return found


@needs_linux
def test_a_few_hostile_runs_are_answered(tmp_path: Path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", [])
    assert faults((*range(8), *WITH_FAULTS), tmp_path, lambda seed: (COMMANDS[0], COMMANDS[1 + seed % 3])) == []
    assert "Traceback" not in capfd.readouterr().err


@needs_linux
@pytest.mark.long
@pytest.mark.parametrize("start", range(100, 250, 50))
def test_many_hostile_runs_are_answered(start: int, tmp_path: Path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", [])

    def commands(seed: int) -> tuple[tuple[str, ...], ...]:
        return (*COMMANDS, FIGURES) if seed % 10 == 0 else COMMANDS

    assert faults(range(start, start + 50), tmp_path, commands) == []
    assert "Traceback" not in capfd.readouterr().err
