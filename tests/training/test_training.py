import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import cross_entropy, hooked_transformer
from grokinterp.runs import RunConfig, load_run
from grokinterp.tasks import Task
from grokinterp.training import Callback, train


def files(folder: Path) -> dict[str, bytes]:
    """All files but the record of how the run was made."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def test_cross_entropy_is_float64_where_float32_would_round_to_zero():
    logits = torch.tensor([[40.0, 0.0]], requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([0]))
    loss.backward()
    assert loss.item() == pytest.approx(np.log1p(np.exp(-40)), rel=1e-9)
    assert torch.nn.functional.cross_entropy(logits, torch.tensor([0])).item() == 0.0
    assert logits.grad is not None
    assert logits.grad.abs().max() > 0


def plain_adamw(config: RunConfig, steps: int) -> dict[str, torch.Tensor]:
    """The published loop, written plainly: HookedTransformer, LambdaLR warm-up, unfused AdamW."""
    task = Task(config.task)
    model = hooked_transformer(config.model, task)
    parameters = [w for w in model.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1.0, betas=(0.9, 0.98), foreach=False)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 10, 1))
    tokens, answers = task.tokens[task.split.train], torch.from_numpy(task.answers[task.split.train])
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(tokens)[:, -1].to(torch.float64), answers)
        loss.backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return {name: w.detach() for name, w in model.named_parameters()}


def test_training_follows_the_plain_loop(tiny_run, tiny_config):
    expected = plain_adamw(tiny_config, 40)
    found = tiny_run.weights(40)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=2e-5, err_msg=name)
    assert torch.equal(tiny_run.weights(0)["embed.W_E"], tiny_run.weights(1)["embed.W_E"])  # Warm-up starts at rate 0.


def test_two_runs_are_equal_file_by_file(tiny_run, tiny_config, tmp_path):
    train(tiny_config, tmp_path / "again", progress=False)
    assert files(tmp_path / "again") == files(tiny_run.path)


@pytest.mark.parametrize("n_steps", [12, pytest.param(200, marks=pytest.mark.long)])
def test_a_resumed_run_equals_one_that_was_never_stopped(tmp_path, n_steps):
    """The whole = a half + resume + a half, of a network of the paper's shape on two threads."""
    settings = ["task.p=23", "training.threads=2", f"training.checkpoint_every={n_steps // 4}"]
    whole = RunConfig().with_settings([*settings, f"training.steps={n_steps}"])
    half = whole.with_settings([f"training.steps={n_steps // 2}"])
    train(whole, tmp_path / "whole", progress=False)
    train(half, tmp_path / "halves", progress=False)
    train(whole, tmp_path / "halves", resume=True, progress=False)
    assert files(tmp_path / "halves") == files(tmp_path / "whole")


class StopAt(Callback):
    def __init__(self, step: int, how) -> None:
        self.step, self.how = step, how

    def on_step(self, step, metrics):  # noqa: ARG002
        if step == self.step:
            self.how()


@pytest.mark.parametrize("step", [0, 3, 17, 39])
def test_ctrl_c_leaves_a_run_that_continues_as_if_nothing_had_happened(tiny_run, tiny_config, tmp_path, step):
    stop = StopAt(step, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt, match=f"stopped at step {step + 1}"):
        train(tiny_config, tmp_path / "run", progress=False, callbacks=[stop])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert load_run(tmp_path / "run").metrics["step"].tolist() == list(range(step + 1))
    train(None, tmp_path / "run", resume=True, progress=False)
    assert files(tmp_path / "run") == files(tiny_run.path)


@pytest.mark.parametrize("step", [0, 14, 15, 16, 33])
def test_a_fault_at_any_step_loses_nothing(tiny_run, tiny_config, tmp_path, step):
    def fail():
        raise RuntimeError("the fault")

    with pytest.raises(RuntimeError, match="the fault"):
        train(tiny_config, tmp_path / "run", progress=False, callbacks=[StopAt(step, fail)])
    train(None, tmp_path / "run", resume=True, progress=False)
    assert files(tmp_path / "run") == files(tiny_run.path)


KILLED = """
import os, signal, sys
import grokinterp.runs._files as files
from grokinterp.runs import RunConfig
from grokinterp.training import train

moment, real = int(sys.argv[1]), os.fsync
def fsync(descriptor):
    global moment
    moment -= 1
    if moment < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = fsync
train(RunConfig(**__import__("json").loads(sys.argv[2])), sys.argv[3], resume=True, progress=False)
"""


LATER = (pytest.param(moment, marks=pytest.mark.long) for moment in (0, 1, 2, 4, 9, 12, 15, 18, 21, 24, 40))


@pytest.mark.parametrize("moment", [6, *LATER])
def test_a_killed_process_leaves_a_folder_that_resumes_to_the_same_run(tiny_run, tiny_config, tmp_path, moment):
    """SIGKILL in the middle of the writing of a file, the nth one written."""
    command = [sys.executable, "-c", KILLED, str(moment), tiny_config.model_dump_json(), str(tmp_path / "run")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    if (tmp_path / "run" / "run.json").exists():
        run = load_run(tmp_path / "run")
        assert run.config == tiny_config
        assert all(run.snapshot(step).step == step for step in run.steps)
    train(tiny_config, tmp_path / "run", resume=True, progress=False)
    assert files(tmp_path / "run") == files(tiny_run.path)


@pytest.mark.long
def test_kills_at_random_moments_never_lose_a_run(tiny_config, tmp_path):
    config = tiny_config.with_settings(["training.steps=3000", "training.save_every=100"])
    whole = train(config, tmp_path / "whole", progress=False)
    command = [sys.executable, "-m", "grokinterp.cli", "train", "--resume", "--out", str(tmp_path / "killed")]
    seconds = np.random.default_rng(0).uniform(3.0, 9.0, size=8)
    train(config.with_settings(["training.steps=1"]), tmp_path / "killed", progress=False)
    for wait in seconds:
        process = subprocess.Popen([*command, "--steps", "3000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.kill()
        process.wait()
        load_run(tmp_path / "killed").snapshot()
    run = train(config, tmp_path / "killed", resume=True, progress=False)
    assert (run.folder.checkpoint_path(3000)).read_bytes() == (whole.folder.checkpoint_path(3000)).read_bytes()
    assert run.metrics.equals(whole.metrics)


def test_a_full_disk_stops_with_one_line_and_the_run_resumes(tiny_run, tiny_config, tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(28, "No space left on device")

    stop = StopAt(12, lambda: monkeypatch.setattr(os, "fsync", refuse))
    with pytest.raises(
        GrokinterpError, match=r"cannot write .*: no space left on the disk; what was written before is"
    ):
        train(tiny_config, tmp_path / "run", progress=False, callbacks=[stop])
    monkeypatch.undo()
    assert load_run(tmp_path / "run").steps == [0, 1, 2, 4, 8, 10]
    train(None, tmp_path / "run", resume=True, progress=False)
    assert files(tmp_path / "run") == files(tiny_run.path)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tiny_config, tmp_path):
    config = tiny_config.with_settings(["training.learning_rate=1e18", "training.warmup_steps=0"])
    with pytest.raises(
        GrokinterpError, match=r"loss became (nan|inf) at step \d+ with learning rate 1e\+18: training s"
    ):
        train(config, tmp_path / "run", progress=False)
    run = load_run(tmp_path / "run")
    assert np.isfinite(run.snapshot().logits).all()


@pytest.mark.parametrize(("rate", "first"), [("1e3", 19), ("1e4", 5), ("1e5", 3)])
def test_moments_that_overflow_stop_the_training_and_what_is_kept_can_be_read_and_resumed(
    tiny_config, tmp_path, rate, first
):
    """The losses stay finite, and nothing moves any more: a step divided by an infinite moment is none."""
    settings = [f"training.learning_rate={rate}", "training.weight_decay=0", "training.evaluate_every=1"]
    config = tiny_config.with_settings(settings)
    said = rf"exp_avg_sq\.\S+ became inf at step {first} with learning rate .*: training stopped, the last good check"
    with pytest.raises(GrokinterpError, match=said):
        train(config, tmp_path / "run", progress=False)
    run = load_run(tmp_path / "run")
    assert np.isfinite(run.metrics["train_loss"]).all()
    assert all(run.snapshot(step).step == step for step in run.steps)
    with pytest.raises(GrokinterpError, match=said):
        train(None, tmp_path / "run", resume=True, progress=False)


def test_an_existing_run_is_never_overwritten(tiny_run, tiny_config):
    before = files(tiny_run.path)
    with pytest.raises(
        GrokinterpError, match=r"already holds a run \(up to step 40\); continue it with --resume or ch"
    ):
        train(tiny_config, tiny_run.path, progress=False)
    other = tiny_config.with_settings(["training.learning_rate=0.1", "model.seed=1"])
    with pytest.raises(
        GrokinterpError, match=r"other settings \(model\.seed 0 → 1; training\.learning_rate 0\.001 → 0\.1"
    ):
        train(other, tiny_run.path, resume=True, progress=False)
    assert train(None, tiny_run.path, resume=True, progress=False).steps == tiny_run.steps
    assert files(tiny_run.path) == before


def test_resuming_to_fewer_steps_than_are_done_is_refused(tiny_run, tiny_config):
    before = (tiny_run.path / "run.json").read_bytes()
    with pytest.raises(
        GrokinterpError, match=r"is trained to step 40 already, training\.steps = 20 is less; ask for more"
    ):
        train(tiny_config.with_settings(["training.steps=20"]), tiny_run.path, resume=True, progress=False)
    assert (tiny_run.path / "run.json").read_bytes() == before


def test_resuming_nothing_without_a_preset_is_refused(tmp_path):
    with pytest.raises(GrokinterpError, match=r"holds no run to continue; name a preset to start one"):
        train(None, tmp_path / "none", resume=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has cuda")
def test_a_device_that_is_not_there_is_named(tiny_config, tmp_path):
    for device in ("cuda", "gpu", "meta", "hpu", "cpu0"):
        config = tiny_config.with_settings([f"training.device={device}"])
        with pytest.raises(
            GrokinterpError, match=rf"training\.device = '{device}': not available here; this machine has"
        ):
            train(config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_callbacks_hear_of_steps_checkpoints_and_the_end(tiny_config, tmp_path):
    heard = []

    class Listener(Callback):
        def on_step(self, step, metrics):
            heard.append(("step", step, "test_loss" in metrics))

        def on_checkpoint(self, step, path):
            heard.append(("checkpoint", step, path.exists()))

        def on_end(self, run):
            heard.append(("end", run.steps[-1], True))

    train(tiny_config.with_settings(["training.steps=2"]), tmp_path, progress=False, callbacks=[Listener()])
    assert heard == [
        ("checkpoint", 0, True), ("step", 0, True), ("checkpoint", 1, True), ("step", 1, False),
        ("checkpoint", 2, True), ("step", 2, True), ("end", 2, True),
    ]  # fmt: skip


def test_a_model_the_fast_forward_does_not_cover_trains_plainly_and_the_log_says_so(tiny_config, tmp_path, caplog):
    train(tiny_config.with_settings(["model.n_layers=2", "training.steps=1"]), tmp_path, progress=False)
    assert "training with the plain forward: the fast one does not cover 2 layers (it covers 1)" in caplog.text


def test_threads_are_recorded_used_and_given_back(tiny_run, tiny_config, tmp_path):
    before = torch.get_num_threads()
    used = []
    threads = StopAt(1, lambda: used.append(torch.get_num_threads()))
    train(tiny_config.with_settings(["training.steps=1"]), tmp_path, progress=False, callbacks=[threads])
    assert used == [1]
    assert torch.get_num_threads() == before
    assert json.loads((tiny_run.path / "run.json").read_text())["environment"]["threads"] == 1


@pytest.mark.parametrize("n_steps", [60, pytest.param(300, marks=pytest.mark.long)])
def test_the_shipped_run_starts_as_this_code_trains_it(mainline, tmp_path, n_steps):
    """The first steps again: to three digits, until a chip's own rounding may tell (docs/reproduction.md)."""
    again = train(mainline.config.with_settings([f"training.steps={n_steps}"]), tmp_path, progress=False).metrics
    shipped = mainline.metrics.iloc[: n_steps + 1]
    for steps, loose in ((slice(0, 51), 1e-3), (slice(51, n_steps + 1), 0.25)):
        ours, theirs = again.iloc[steps], shipped.iloc[steps]
        np.testing.assert_allclose(ours["train_loss"], theirs["train_loss"], rtol=loose)
        ours, theirs = ours.dropna(), theirs.dropna()
        np.testing.assert_allclose(ours["test_loss"], theirs["test_loss"], rtol=loose)
        for name in ("train_accuracy", "test_accuracy"):
            np.testing.assert_allclose(ours[name], theirs[name], atol=min(loose, 0.05))
