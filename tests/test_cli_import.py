"""`grokinterp import` as a user meets it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch

from grokinterp.models import ModelConfig, initial_weights
from grokinterp.tasks import Task, TaskConfig

Command: TypeAlias = Callable[..., tuple[int, str, str]]


def test_an_import_says_what_it_read_and_the_run_is_an_ordinary_one(tmp_path: Path, run_command: Command) -> None:
    config = ModelConfig(n_heads=1, d_head=4, d_model=4, d_mlp=4)
    torch.save(initial_weights(config, Task(TaskConfig(p=5))), tmp_path / "state.pth")
    words = ("import", tmp_path / "state.pth", "--out", tmp_path / "run", "--set", "task.operation=add")
    status, out, error = run_command(*words)
    assert status == 0, error
    assert "has the layout transformer-lens: (a + b) mod 5, 1 checkpoint, step unknown" in out
    assert "The split is unknown." in out
    assert "next: grokinterp analyze" in out
    status, out, error = run_command("analyze", tmp_path / "run")
    assert status == 0, error
    assert "Which pairs it was trained on is unknown." in out
    assert "state.pth, transformer-lens" in run_command("info", tmp_path / "run")[1]


def test_a_report_on_a_run_of_the_hub_needs_a_place(run_command: Command) -> None:
    says = "hf://user/repo is not on this machine: needs --out, the folder to write the report into"
    assert run_command("analyze", "hf://user/repo") == (2, "", f"grokinterp: {says}\n")


def test_what_cannot_be_imported_is_one_line(tmp_path: Path, run_command: Command) -> None:
    (tmp_path / "empty.pth").touch()
    for source in ("nothing.pth", "empty.pth", "."):
        status, out, error = run_command("import", tmp_path / source, "--out", tmp_path / "run")
        assert (status, out) == (2, "")
        assert error.startswith("grokinterp: ")
        assert error.count("\n") == 1
        assert not (tmp_path / "run").exists()
