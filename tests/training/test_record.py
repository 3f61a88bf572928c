"""`record`: a run folder of a training loop of one's own."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import grokinterp
from grokinterp.errors import GrokinterpError
from grokinterp.runs import load_run
from grokinterp.tasks import Task, TaskConfig
from grokinterp.training import record

P = 7
TASK = Task(TaskConfig(p=P, equals_token=False, train_fraction=0.5))


class Mine(nn.Module):
    def __init__(self, width: int = 16):
        super().__init__()
        self.embedding, self.hidden, self.head = nn.Embedding(P, width), nn.Linear(width, 24), nn.Linear(24, P)

    def forward(self, tokens):
        return self.head(torch.relu(self.hidden(self.embedding(tokens).sum(dim=1))))


def trained(recorder, steps: range, every: int = 10) -> Mine:
    """A loop as anybody writes it."""
    torch.manual_seed(0)
    model = Mine()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1.0)
    train, answers = torch.from_numpy(TASK.split.train), torch.from_numpy(TASK.answers.copy())
    for step in range(steps.stop):
        loss = nn.functional.cross_entropy(model(TASK.tokens[train]), answers[train])
        if step >= steps.start and step % every == 0:
            recorder(step, model)
        elif step >= steps.start and step % 5 == 0:
            recorder(step, train_loss=loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def test_a_loop_becomes_an_ordinary_run(tmp_path: Path):
    out = tmp_path / "run"
    recorder = grokinterp.record(out, TASK, training={"optimizer": "AdamW", "learning_rate": 1e-2})
    trained(recorder, range(41))
    run = load_run(out)
    assert run.steps == [0, 10, 20, 30, 40]
    assert list(run.metrics["step"]) == list(range(0, 41, 5))
    assert run.config.training.steps == 40
    assert run.config.training.learning_rate == 1e-2
    assert run.provenance["layout"] == "recorded"
    last = run.metrics.iloc[-1]
    report = grokinterp.analyze(out)
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        assert report.final[name] == pytest.approx(last[name], rel=1e-6), name
    assert len(report.curves.measures) == 5
    assert grokinterp.find_verdict(run, full=False).label
    grokinterp.write_report(report, tmp_path / "page")
    assert json.loads((tmp_path / "page" / "report.json").read_text())


def test_a_killed_loop_is_gone_on_with_and_leaves_the_same_files(tmp_path: Path):
    trained(record(tmp_path / "whole", TASK), range(41))
    trained(record(tmp_path / "killed", TASK), range(31))
    # Killed while it wrote its last line, and started again at step 20.
    with (tmp_path / "killed" / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 35, "tra')
    trained(record(tmp_path / "killed", TASK, resume=True), range(20, 41))
    files = [sorted(path.rglob("*.*")) for path in (tmp_path / "whole", tmp_path / "killed")]
    assert [file.name for file in files[0]] == [file.name for file in files[1]]
    for one, other in zip(*files, strict=True):
        if one.is_file():
            assert one.read_bytes() == other.read_bytes(), one.name


def test_what_is_given_wrongly_is_said_in_one_line(tmp_path: Path):
    out = tmp_path / "run"
    recorder = record(out, TASK)
    with pytest.raises(GrokinterpError, match="step 0: the first step that is recorded needs the model; give it"):
        recorder(0, train_loss=1.0)
    recorder(3, Mine())
    with pytest.raises(GrokinterpError, match="step 3 does not come after step 3, which is recorded already"):
        recorder(3, Mine())
    with pytest.raises(GrokinterpError, match=r"step = -1: needs a whole number ≥ 0"):
        recorder(-1, Mine())
    with pytest.raises(GrokinterpError, match="train_loss = 'low': a metric needs a number"):
        recorder(4, train_loss="low")
    with pytest.raises(GrokinterpError, match="step 4: the model is another than the one that was recorded before"):
        recorder(4, Mine(8))
    with pytest.raises(
        GrokinterpError, match="holds a run up to step 3; give resume=True to go on with it, or choose an"
    ):
        record(out, TASK)
    with pytest.raises(GrokinterpError, match=r"holds a run on another task, \(a \+ b\) mod 7; choose another folder"):
        record(out, Task(TaskConfig(p=11)), resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("…")
    with pytest.raises(GrokinterpError, match="already holds something; choose another folder to record into"):
        record(tmp_path / "full", TASK)
    assert load_run(out).steps == [3]


def test_a_run_that_was_trained_here_is_not_recorded_into(tiny_run):
    with pytest.raises(GrokinterpError, match="holds a run that was not recorded; choose another folder"):
        record(tiny_run.path, tiny_run.task, resume=True)


def test_what_is_recorded_again_is_forgotten_from_the_first_step_on(tmp_path: Path):
    trained(record(tmp_path / "run", TASK), range(31))
    recorder = record(tmp_path / "run", TASK, resume=True)
    recorder(15, train_loss=1.0)
    run = recorder.load()
    assert run.steps == [0, 10]
    assert list(run.metrics["step"]) == [0, 5, 10, 15]
    recorder(22, Mine())
    assert run.steps == [0, 10, 22]
    listed = list(run.folder.read_record()["checksums"])
    assert listed == [f"checkpoints/step_0000{step:02}.safetensors" for step in run.steps]
