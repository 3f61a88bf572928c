"""A verdict, with all its parts, on every kind of network and task: untrained ones never get an algorithm."""

import json

import pytest

from grokinterp.analysis import how_far
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import examine, find_verdict, judge, measure_network

SMALL = {"n_heads": 2, "d_head": 8, "d_model": 16, "d_mlp": 32}
MLP = {"architecture": "mlp", "d_model": 16, "d_mlp": 32}
NETWORKS = {
    "MLP": (ModelConfig(**MLP), TaskConfig(p=7, equals_token=False)),
    "MLP of two layers, b's own tokens": (
        ModelConfig(**MLP, mlp_inputs="concatenation", n_layers=2),
        TaskConfig(p=7, equals_token=False, own_tokens_for_b=True),
    ),
    "three layers with LayerNorm, even order": (
        ModelConfig(**SMALL, n_layers=3, normalization="LN"),
        TaskConfig(p=8, operation="subtract"),
    ),
    "S_3 behind a LayerNorm": (
        ModelConfig(**SMALL, normalization="LN"),
        TaskConfig(operation="compose", group="S3"),
    ),
    "in parallel, RMSPre, unscaled": (
        ModelConfig(**SMALL, normalization="RMSPre", parallel_attn_mlp=True, attn_scale=1.0, act_fn="silu"),
        TaskConfig(p=7),
    ),
    "two layers both ways, LNPre, narrow heads": (
        ModelConfig(**{**SMALL, "d_head": 4}, n_layers=2, normalization="LNPre", attention="bidirectional"),
        TaskConfig(p=7),
    ),
    "no product": (ModelConfig(**SMALL), TaskConfig(p=7, operation="x3+xy")),
    "pairs outside the group": (ModelConfig(**SMALL, act_fn="gelu"), TaskConfig(p=7, operation="multiply")),
    "constant attention, no equals token": (
        ModelConfig(**SMALL, attention="bidirectional", attention_rate=0.0),
        TaskConfig(p=7, equals_token=False),
    ),
    "two residues": (ModelConfig(**SMALL), TaskConfig(p=2)),
    "no group": (ModelConfig(**SMALL), TaskConfig(operation="table", table=["0,1,2", "2,0,1", "1,1,0"])),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_an_untrained_network_gets_no_algorithm(name):
    config, task = NETWORKS[name][0], Task(NETWORKS[name][1])
    snapshot = Snapshot(0, task, config, initial_weights(config, task))
    verdict = find_verdict(snapshot)
    assert verdict.label in ("not generalised", "memorised", "unexplained")
    assert verdict.how_far.predicate in verdict.headline
    json.dumps(verdict.to_dict(), allow_nan=False)
    if task.structure is None:
        return
    # Nor if it were right, whatever its key irreps.
    keys = tuple(range(1, min(4, len(task.structure.basis.irrep_names))))
    measured = measure_network(snapshot, keys, triples=50)
    right = {**vars(measured), "train_accuracy": 1.0, "test_accuracy": 1.0, "all_accuracy": 1.0}
    right["how_far"] = how_far(task, train=1.0, test=1.0, every=1.0)
    assert judge(type(measured)(**right), task).label == "unexplained"
    assert examine(snapshot, keys).parts
