"""What callbacks see, and how one ends a training."""

from pathlib import Path

import torch

from grokinterp.training import Callback, train


class Watching(Callback):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def on_start(self, model, task) -> None:
        self.model, self.task = model, task

    def on_step(self, step, metrics) -> None:
        weight = dict(self.model.named_parameters())["unembed.W_U"]
        self.told.append((step, metrics["train_loss"], weight.norm().item()))

    def on_end(self, run) -> None:
        self.last = run.last_step


def test_a_callback_sees_the_network_while_it_trains(tiny_config, tmp_path: Path):
    watching = Watching()
    run = train(tiny_config, tmp_path / "run", callbacks=[watching], progress=False)
    assert watching.task.name == run.task.name
    assert [step for step, *_ in watching.told] == list(range(41))
    assert watching.last == 40
    for step in (0, 40):
        assert watching.told[step][2] == run.weights(step)["unembed.W_U"].norm().item()


def test_a_function_ends_a_training_that_can_be_gone_on_with(tiny_config, tmp_path: Path):
    seen: list[int] = []

    def enough(step: int, metrics: dict) -> bool:
        seen.append(step)
        return metrics["step"] == 17

    other = Watching()
    run = train(tiny_config, tmp_path / "run", callbacks=[enough, other], progress=False)
    assert seen == list(range(18))
    assert other.told[-1][0] == 17
    assert run.last_step == 18
    assert list(run.metrics["step"]) == list(range(18))
    run = train(None, run.path, resume=True, progress=False)
    whole = train(tiny_config, tmp_path / "whole", progress=False)
    assert run.last_step == 40
    assert (run.path / "metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()
    for name, weight in whole.weights(40).items():
        assert torch.equal(weight, run.weights(40)[name]), name
