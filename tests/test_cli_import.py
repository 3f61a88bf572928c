"""`grokinterp import` as a user meets it."""

import subprocess
import sys
from pathlib import Path

import torch

from grokinterp.models import ModelConfig, initial_weights
from grokinterp.tasks import Task, TaskConfig


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "grokinterp.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_import_says_what_it_read_and_the_run_is_an_ordinary_one(tmp_path: Path) -> None:
    config = ModelConfig(n_heads=1, d_head=4, d_model=4, d_mlp=4)
    torch.save(initial_weights(config, Task(TaskConfig(p=5))), tmp_path / "state.pth")
    done = run("import", tmp_path / "state.pth", "--out", tmp_path / "run", "--set", "task.operation=add")
    assert "has the layout transformer-lens: (a + b) mod 5, 1 checkpoints" in done.stdout
    assert "The split is unknown." in done.stdout
    assert "next: grokinterp analyze" in done.stdout
    analysed = run("analyze", tmp_path / "run")
    assert analysed.returncode == 0, analysed.stderr
    assert "Which pairs it was trained on is not known." in analysed.stdout
    assert "state.pth, transformer-lens" in run("info", tmp_path / "run").stdout


def test_a_report_on_a_run_of_the_hub_needs_a_place() -> None:
    refused = run("analyze", "hf://user/repo")
    assert refused.returncode == 2
    assert refused.stderr == (
        "grokinterp: hf://user/repo is not on this machine: needs --out, the folder to write the report into\n"
    )


def test_what_cannot_be_imported_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    for source in ("nothing.pth", "empty.pth", "."):
        refused = run("import", tmp_path / source, "--out", tmp_path / "run")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("grokinterp: ")
        assert refused.stderr.count("\n") == 1
        assert not (tmp_path / "run").exists()
