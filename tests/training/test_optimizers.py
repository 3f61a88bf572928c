"""Optimizers: ours, one from outside, and what they keep when a run is stopped."""

import json
import math
import re
import signal
from pathlib import Path

import pytest
import torch

import grokinterp
from grokinterp.errors import GrokinterpError
from grokinterp.runs import RunConfig, TrainingConfig, load_run, read_tensors
from grokinterp.tasks import Task
from grokinterp.training import Optimizer, Trainer, register_optimizer, train
from grokinterp.training._optimizers import optimizers

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "add-an-optimizer.md"
OURS = ("adamw", "adam", "sgd")


@pytest.fixture
def lookahead():
    """That of the documentation, registered while the test runs."""
    before = {name: kind for name, kind in optimizers._kinds.items() if name in OURS}
    optimizers._kinds = dict(before)
    names: dict[str, object] = {}
    (code, *_) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(code, names)
    kind = names["lookahead"]
    assert isinstance(kind, Optimizer)
    yield register_optimizer(kind)
    optimizers._kinds = before


def settings(name: str) -> list[str]:
    rate = [] if name.startswith("adam") else ["training.learning_rate=0.05"]
    return [f"training.optimizer={name}", *rate]


def same_files(one: Path, other: Path) -> None:
    for file in ("trainer_state.safetensors", "metrics.jsonl", "checkpoints/step_000040.safetensors"):
        assert (one / file).read_bytes() == (other / file).read_bytes(), file


class Kill(grokinterp.training.Callback):
    """Ctrl-C in the middle."""

    def on_step(self, step: int, metrics: dict) -> None:  # noqa: ARG002
        if step == 23:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("lookahead")
@pytest.mark.parametrize("name", [*OURS, "lookahead"])
@pytest.mark.parametrize("more", [(), ("training.schedule=cosine", "training.max_gradient_norm=0.1")], ids=str)
def test_a_stopped_run_ends_as_one_that_was_not(name: str, more: tuple[str, ...], tiny_config, tmp_path: Path):
    config = tiny_config.with_settings([*settings(name), *more])
    whole = train(config, tmp_path / "whole", progress=False)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "killed", callbacks=[Kill()], progress=False)
    train(None, tmp_path / "killed", resume=True, progress=False)
    same_files(whole.path, tmp_path / "killed")
    assert load_run(tmp_path / "killed").config.training.optimizer == name
    first, last = (whole.metrics.iloc[place]["train_loss"] for place in (0, -1))
    assert last < first


def test_one_from_outside_goes_all_the_way(lookahead: Optimizer, tiny_config, tmp_path: Path):
    config = tiny_config.with_settings([*settings(lookahead.name), 'training.optimizer_options={"pull": 0.8}'])
    run = train(config, tmp_path / "run", progress=False)
    record = json.loads((run.path / "run.json").read_text())["config"]["training"]
    assert (record["optimizer"], record["optimizer_options"]) == ("lookahead", {"pull": 0.8})
    state = read_tensors(run.path / "trainer_state.safetensors")
    name = "blocks.0.mlp.W_in"
    assert state[f"calls:number.{name}"].item() == 40
    assert state[f"slow.{name}"].shape == state[f"last.0.{name}"].shape == state[f"weights.{name}"].shape
    grokinterp.write_report(grokinterp.analyze(run), tmp_path / "report")
    assert "lookahead" in (tmp_path / "report" / "report.html").read_text()
    assert grokinterp.find_verdict(run, full=False).label == "not generalised"
    # Whoever lacks the optimizer reads the run all the same, and cannot go on with it.
    optimizers.remove(lookahead.name)
    assert load_run(run.path).snapshot().logits.shape == run.snapshot().logits.shape
    with pytest.raises(GrokinterpError, match="optimizer 'lookahead': unknown; choose one of adamw, adam, sgd"):
        train(None, run.path, resume=True, progress=False)


def test_sgd_and_adam_are_torchs(tiny_config, tmp_path: Path):
    """One call of each by its formula: the momentum's buffer is the gradient, L2 is part of it."""
    runs = {}
    for name in ("sgd", "adam", "adamw"):
        more = [
            f"training.optimizer={name}",
            "training.warmup_steps=0",
            "training.steps=1",
            "training.weight_decay=0.1",
        ]
        runs[name] = train(tiny_config.with_settings(more), tmp_path / name, progress=False)
    before, name = runs["sgd"].weights(0), "embed.W_E"
    gradient = read_tensors(runs["sgd"].path / "trainer_state.safetensors")[f"momentum_buffer.{name}"]
    torch.testing.assert_close(runs["sgd"].weights(1)[name], before[name] - 1e-3 * gradient)
    # A first call of Adam moves each weight by the rate against the sign of its gradient; AdamW decays beside that.
    plain = gradient - 0.1 * before[name]
    for kind, of, shrunk in (("adam", gradient, 1.0), ("adamw", plain, 1 - 1e-4)):
        large = of.abs() > 1e-4
        expected = before[name] * shrunk - 1e-3 * of.sign()
        torch.testing.assert_close(runs[kind].weights(1)[name][large], expected[large], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_the_rate_warms_up_and_then_follows_the_schedule(schedule: str):
    recipe = TrainingConfig(steps=110, learning_rate=2.0, schedule=schedule)
    rates = [recipe.rate(step) for step in range(111)]
    assert rates[:11] == pytest.approx([step / 5 for step in range(11)])
    gone = [(step - 10) / 100 for step in range(10, 111)]
    expected = {
        "constant": [2.0 for _ in gone],
        "linear": [2 * (1 - t) for t in gone],
        "cosine": [1 + math.cos(math.pi * t) for t in gone],
    }
    assert rates[10:] == pytest.approx(expected[schedule])


def test_a_clipped_gradient_is_no_longer_than_asked(tiny_config, tmp_path: Path):
    more = ["training.optimizer=sgd", "training.max_gradient_norm=0.01", "training.warmup_steps=0", "training.steps=1"]
    run = train(tiny_config.with_settings([*more, "training.weight_decay=0"]), tmp_path / "run", progress=False)
    state = read_tensors(run.path / "trainer_state.safetensors")
    buffers = [value for name, value in state.items() if name.startswith("momentum_buffer.")]
    assert torch.nn.utils.get_total_norm(buffers).item() == pytest.approx(0.01, rel=1e-4)


class Keeps(torch.optim.SGD):
    """An optimizer that keeps what cannot be saved."""

    def step(self, closure=None):
        super().step(closure)
        for weight in self.param_groups[0]["params"]:
            self.state[weight]["name"] = "W"


def test_what_goes_wrong_is_said_in_one_line(lookahead: Optimizer, tiny_config, tmp_path: Path):
    with pytest.raises(GrokinterpError, match="optimizer 'lookahead' is registered already; give it another name"):
        register_optimizer(lookahead)
    with pytest.raises(GrokinterpError, match="optimizer 'muon2': unknown; choose one of lookahead, adamw, adam, sgd"):
        train(tiny_config.with_settings(["training.optimizer=muon2"]), tmp_path / "a", progress=False)
    says = r"training\.optimizer_options: sgd has no option 'nesterov'; it has momentum; correct it"
    odd = ["training.optimizer=sgd", 'training.optimizer_options={"nesterov": 1}']
    with pytest.raises(GrokinterpError, match=says):
        train(tiny_config.with_settings(odd), tmp_path / "b", progress=False)
    run = train(tiny_config, tmp_path / "c", progress=False)
    says = r"was trained with other settings \(training\.optimizer adamw → sgd\); resume with the same ones"
    with pytest.raises(GrokinterpError, match=says):
        train(tiny_config.with_settings(["training.optimizer=sgd"]), run.path, resume=True, progress=False)
    ends = tiny_config.with_settings(["training.schedule=linear"])
    run = train(ends, tmp_path / "d", progress=False)
    with pytest.raises(GrokinterpError, match=r"other settings \(training\.steps 40 → 80\)"):
        train(ends.with_settings(["training.steps=80"]), run.path, resume=True, progress=False)
    register_optimizer(Optimizer("keeps", lambda parameters, recipe, _: Keeps(parameters, recipe.learning_rate)))
    says = "the optimizer keeps name of type str: tensors and numbers can be saved; keep those"
    with pytest.raises(GrokinterpError, match=says):
        train(RunConfig.with_settings(tiny_config, ["training.optimizer=keeps"]), tmp_path / "e", progress=False)


@pytest.mark.parametrize("size", [7, 14, 10_000])
@pytest.mark.parametrize("architecture", ["transformer", "mlp"])
def test_batches_go_through_all_pairs_and_are_the_same_after_a_stop(size, architecture, tmp_path: Path):
    plain = {"transformer": [], "mlp": ["model.architecture=mlp", "task.equals_token=false"]}[architecture]
    config = RunConfig().with_settings(
        ["task.p=7", "task.train_fraction=0.5", "training.steps=40", "training.threads=1", *plain]
    )
    batches = config.with_settings([f"training.batch_size={size}"])
    whole = train(batches, tmp_path / "whole", progress=False)
    with pytest.raises(KeyboardInterrupt):
        train(batches, tmp_path / "killed", callbacks=[Kill()], progress=False)
    train(None, tmp_path / "killed", resume=True, progress=False)
    same_files(whole.path, tmp_path / "killed")
    trainer = Trainer(batches, Task(config.task), torch.device("cpu"))
    n_train = len(Task(config.task).split.train)
    if size > n_train:
        assert trainer._batch(3) is None
        full = train(config, tmp_path / "full", progress=False)
        assert (full.path / "metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()
        return
    calls = -(-n_train // size)
    for time in range(2):
        drawn = torch.cat([trainer._batch(time * calls + nth) for nth in range(calls)])
        assert sorted(drawn.tolist()) == list(range(n_train))
    assert trainer._batch(0).tolist() != trainer._batch(calls).tolist()
    # The loss of a step that is evaluated is that of all train pairs.
    row = whole.metrics.iloc[40]
    assert row["train_loss"] == pytest.approx(
        grokinterp.analysis.measure(whole.snapshot(), ())[0]["train_loss"], rel=1e-2
    )


def test_objectives_are_settings_of_a_run(tiny_config, tmp_path: Path):
    runs = {
        name: train(tiny_config.with_settings([f"training.{name}"]), tmp_path / name, progress=False)
        for name in ("objective=cross-entropy", "objective=mse", "loss_dtype=float32")
    }
    plain, squared, single = runs.values()
    assert (squared.config.training.objective, single.environment.dtype["loss"]) == ("mse", "float32")
    snapshot, task = squared.snapshot(), squared.task
    every = snapshot.fast().logits.double()
    wanted = torch.nn.functional.one_hot(torch.from_numpy(task.answers.copy()), every.shape[1])
    errors = (every - wanted).square().mean(dim=1)[torch.from_numpy(task.split.train)]
    assert squared.metrics.iloc[-1]["train_loss"] == pytest.approx(errors.mean().item(), rel=1e-6)
    # The same loss to float32's rounding, and another path from there.
    first = [run.metrics.iloc[0]["train_loss"] for run in (plain, single)]
    assert first[0] == pytest.approx(first[1], rel=1e-6)
    assert first[0] != first[1]
    # What is measured of it is the cross-entropy.
    assert grokinterp.analyze(squared).final["train_loss"] > 1
    with pytest.raises(GrokinterpError, match="objective 'hinge': unknown; choose one of cross-entropy, mse"):
        train(tiny_config.with_settings(["training.objective=hinge"]), tmp_path / "hinge", progress=False)
