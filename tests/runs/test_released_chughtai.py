"""Reading the released networks of Chughtai et al. 2023: the route, and what can be wrong with a folder.

Their numbers are held against the published ones in tests/analysis/test_published_groups.py.
"""

import json

import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import chughtai_snapshot
from grokinterp.tasks import Task, TaskConfig

SETTINGS = {
    "model": "Transformer",
    "group": "SymmetricGroup",
    "group_parameter": 3,
    "frac_train": 0.6,
    "seed": 1,
    "num_epochs": 50,
}


def released(folder, **changes):
    """A folder as the released code writes it, of an untrained network on S_3."""
    task = Task(TaskConfig(operation="compose", group="S3"))
    weights = dict(initial_weights(ModelConfig(outputs="answers", biases="none"), task))
    weights |= {"x_embed": weights["embed.W_E"], "blocks.0.attn.mask": torch.ones(3, 3, dtype=torch.bool)}
    torch.save(weights, folder / "model.pt")
    (folder / "cfg.json").write_text(json.dumps({key: x for key, x in (SETTINGS | changes).items() if x is not None}))
    return folder


def test_a_folder_becomes_a_snapshot_with_its_task_and_split(tmp_path):
    snapshot = chughtai_snapshot(released(tmp_path))
    assert (snapshot.step, snapshot.task.name) == (50, "a · b in S_3")
    assert "x_embed" not in snapshot.weights
    order = torch.randperm(36, generator=torch.Generator().manual_seed(1))
    assert snapshot.task.split.train.tolist() == order[:21].tolist()
    assert snapshot.task.config.element_order == "sympy"
    assert snapshot.logits.shape == (36, 6)
    cyclic = {"group": "CyclicGroup", "group_parameter": 6}
    assert chughtai_snapshot(released(tmp_path, **cyclic)).task.structure.group_name == "Z_6"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": "TwoLayerMLP"},
            r"cfg\.json: model = 'TwoLayerMLP': needs 'Transformer' or 'OneLayerMLP'",
        ),
        (
            {"group": "MonsterGroup"},
            r"cfg\.json: group = 'MonsterGroup': needs one of CyclicGroup, Dihedral",
        ),
        ({"seed": None}, r"cfg\.json lacks 'seed'; restore it from a copy"),
        ({"group_parameter": 4}, r"cfg\.json describes: embed\.W_E has shape \(7, 128\), needs \(25, 128\)"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changes, message):
    with pytest.raises(GrokinterpError, match=message):
        chughtai_snapshot(released(tmp_path, **changes))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cfg.json", None, r"holds no cfg\.json; name a folder that holds cfg\.json and model\.pt"),
        ("cfg.json", b"{", r"cfg\.json is no JSON \(.+\); restore it from a copy"),
        ("cfg.json", b"[1]", r"cfg\.json: needs keys with values; restore it from a copy"),
        ("model.pt", None, r"holds no model\.pt; name a folder that holds cfg\.json and model\.pt"),
        (
            "model.pt",
            b"version https://git-lfs",
            r"model\.pt is a Git LFS pointer, not the file it stands for; fetch that with",
        ),
    ],
)
def test_a_damaged_folder_is_named(tmp_path, name, content, message):
    path = released(tmp_path) / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GrokinterpError, match=message) as caught:
        chughtai_snapshot(tmp_path)
    assert "\n" not in str(caught.value)
