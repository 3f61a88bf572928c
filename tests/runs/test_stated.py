"""What no file states of an imported run stays unknown."""

from pathlib import Path

import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Run, RunConfig, import_run
from grokinterp.runs.importers._stated import stated_training
from grokinterp.tasks import Task, TaskConfig
from grokinterp.training import train


def imported(tmp_path: Path, **beside: object) -> Run:
    weights = initial_weights(ModelConfig(n_heads=1, d_head=8, d_model=8, d_mlp=16), Task(TaskConfig(p=7)))
    torch.save({"model_state_dict": weights, **beside}, tmp_path / "theirs.pth")
    return import_run(tmp_path / "theirs.pth", tmp_path / "run", settings=["task.operation=add"])


def test_what_nobody_states_is_null(tmp_path: Path, run_command):
    run = imported(tmp_path)
    assert set(run.config.training.model_dump(exclude={"kind"}).values()) == {None}
    assert (run.config.model.seed, run.config.model.initialisation) == (None, None)
    assert (run.config.task.split_seed, run.config.task.train_fraction, run.split_hash) == (None, None, None)
    assert run.known_step(run.last_step) is None
    said = " ".join(run_command("info", run.path)[1].split())
    for words in ("learning_rate –", "weight_decay –", "seed –", "split unknown", "1 checkpoint, step unknown"):
        assert words in said
    assert "0 train" not in said


def test_what_the_optimizer_states_is_kept(tmp_path: Path):
    groups = {"param_groups": [{"lr": 5e-4, "weight_decay": 0.1, "betas": (0.9, 0.999)}]}
    run = imported(tmp_path, epoch=750, optimizer_state_dict={"state": {}, **groups})
    training = run.config.training
    assert (training.steps, training.learning_rate, training.weight_decay, training.beta2) == (750, 5e-4, 0.1, 0.999)
    assert training.model_dump()["warmup_steps"] is None


def test_values_that_are_no_settings_are_unknown():
    said = {"lr": "fast", "weight_decay": float("nan"), "beta1": 10**400, "warmup_steps": 2.5, "seed": -1}
    assert set(stated_training(None, said).model_dump(exclude={"kind"}).values()) == {None}


def test_an_import_is_not_trained_further(tmp_path: Path):
    run = imported(tmp_path)
    with pytest.raises(GrokinterpError, match=r"run was imported and cannot be trained further: its optimizer state"):
        train(None, run.path, resume=True, progress=False)
    with pytest.raises(GrokinterpError, match=r"the training of an imported run is known in part at most"):
        run.config.with_settings(["training.steps=5"])
    with pytest.raises(GrokinterpError, match=r"model\.seed = null: initial weights need it; name one"):
        initial_weights(run.config.model, run.task)


def test_a_split_that_is_drawn_needs_its_numbers():
    with pytest.raises(
        GrokinterpError, match=r"task\.split_seed = null: needs a number where task\.split_scheme = 'nan"
    ):
        TaskConfig(split_seed=None)
    with pytest.raises(GrokinterpError, match=r"training = int: needs keys with values"):
        RunConfig(training=3)
