"""`progress`: the measures of a checkpoint, from the logits alone, inside a loop of one's own."""

import numpy as np
import pytest
import torch

import grokinterp
from grokinterp.analysis import find_keys, measure, progress
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, hooked_network, initial_weights
from grokinterp.runs import Run, Snapshot
from grokinterp.tasks import Task, TaskConfig

NAMES = ("train_loss", "test_loss", "all_loss", "train_accuracy", "test_accuracy", "restricted_loss", "excluded_loss")


def untrained(**settings: object) -> Snapshot:
    task, config = Task(TaskConfig(**settings)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    return Snapshot(0, task, config, initial_weights(config, task))


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({"p": 11}, (1, 4)),
        ({"p": 11, "operation": "subtract"}, (2,)),
        ({"p": 12, "operation": "multiply"}, (1,)),  # Most products are not in the group.
        ({"p": 11, "operation": "divide"}, (1, 5)),
        ({"p": 7, "operation": "x2+y2"}, (1,)),
        ({"operation": "compose", "group": "S4"}, (2, 4)),
        ({"p": 11, "split_scheme": "unknown"}, (1, 4)),
        ({"p": 11}, ()),
    ],
    ids=str,
)
def test_it_measures_what_is_measured_of_a_checkpoint(settings, keys):
    snapshot = untrained(**settings)
    row, _ = measure(snapshot, keys)
    # A column more, as that of `=`, changes nothing.
    logits = torch.from_numpy(np.pad(snapshot.logits, ((0, 0), (0, 1)))).requires_grad_()
    now = progress(snapshot.task, keys)(logits)
    for name in NAMES:
        assert getattr(now, name) == pytest.approx(row[name], rel=1e-6, nan_ok=True), name
    assert {name: row[name] for name in now.row()} == pytest.approx(now.row(), rel=1e-6, nan_ok=True)
    assert now.keys == keys
    assert list(now.excluded_by_key) == list(keys)


def test_without_keys_they_are_found_at_each_call(mainline: Run):
    snapshot = mainline.snapshot()
    measured = grokinterp.progress(mainline.task)
    now = measured(torch.from_numpy(snapshot.logits))
    assert now.keys == find_keys(snapshot).control.above_chance
    assert now.restricted_loss < 1e-5
    early = measured(torch.from_numpy(mainline.snapshot(0).logits))
    assert early.keys == ()
    assert early.restricted_loss == pytest.approx(np.log(113), abs=0.05)


def test_what_is_given_wrongly_is_said_in_one_line():
    task = Task(TaskConfig(p=7))
    with pytest.raises(
        GrokinterpError, match=r"keys = \[2, 4\]: Z_7 has no nontrivial frequency 4; give numbers from 1"
    ):
        progress(task, [2, 4])
    measured = progress(task, [2])
    for shape in ((48, 7), (49, 6), (49, 1, 7), (49,)):
        says = (
            rf"logits of shape \({', '.join(map(str, shape))},?\): \(a \+ b\) mod 7 needs those of all pairs, \(49, 7\)"
        )
        with pytest.raises(GrokinterpError, match=says):
            measured(torch.zeros(shape))
    table = Task(TaskConfig(operation="table", table=[[0, 1], [0, 0]]))
    with pytest.raises(GrokinterpError, match="no group is known in which its answers lie"):
        progress(table, [1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_it_gives_the_same():
    snapshot = untrained(p=11)
    logits = torch.from_numpy(snapshot.logits)
    measured = progress(snapshot.task, (1, 4))
    assert measured(logits.cuda()).row() == pytest.approx(measured(logits).row(), rel=1e-9)


class Squashed(torch.nn.Module):
    """A network that is none of ours."""

    def __init__(self):
        super().__init__()
        self.embedding, self.hidden = torch.nn.Embedding(12, 16), torch.nn.Linear(16, 24)
        self.head = torch.nn.Linear(24, 11)

    def forward(self, tokens):
        return torch.tanh(self.head(torch.relu(self.hidden(self.embedding(tokens).sum(dim=1)))))


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_model_is_measured_as_its_logits_are(is_ours):
    torch.manual_seed(0)
    snapshot = untrained(p=11)
    model = hooked_network(snapshot.config, snapshot.task, snapshot.weights) if is_ours else Squashed()
    measured = progress(snapshot.task, (1, 4))
    measured(model)
    with torch.no_grad():  # Its weights are those of the moment.
        for value in model.parameters():
            value += torch.randn_like(value) / 8
    calls = []
    with_hook = model.register_forward_hook(lambda *_: calls.append(1))
    now = measured(model)
    with_hook.remove()
    assert bool(calls) == (not is_ours)
    logits = model(snapshot.task.tokens)
    assert now.row() == pytest.approx(measured(logits[:, -1] if is_ours else logits).row(), rel=1e-5)
