"""Ways of circles: what is written adds up, and what is carried and filled is as built or as a slow run says."""

import math

import numpy as np
import pytest
import torch
from circle_networks import circle_network

from grokinterp.errors import NotApplicable
from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import circuit_to_dict, filled_by, paths
from grokinterp.verdict.causal import centred, component

KINDS = {
    "transformer": ({}, {}),
    "two layers, LN": ({"n_layers": 2, "normalization": "LN"}, {}),
    "RMS, b's own tokens": ({"normalization": "RMS"}, {"own_tokens_for_b": True}),
    "three layers, parallel": ({"n_layers": 3, "parallel_attn_mlp": True, "normalization": "LNPre"}, {}),
    "no =": ({"attention": "bidirectional", "act_fn": "gelu"}, {"equals_token": False, "operation": "subtract"}),
    "sum": ({"architecture": "mlp"}, {"equals_token": False}),
    "concatenation, two layers": (
        {"architecture": "mlp", "mlp_inputs": "concatenation", "n_layers": 2},
        {"equals_token": False, "own_tokens_for_b": True},
    ),
}


def random_network(kind: str, p: int = 9) -> Snapshot:
    model, settings = KINDS[kind]
    task = Task(TaskConfig(p=p, **settings))
    config = ModelConfig(n_heads=2, d_model=8, d_head=4, d_mlp=12, biases="all", **model)
    generator = torch.Generator().manual_seed(3)
    shapes = weight_shapes(config, task)
    return Snapshot(0, task, config, {name: 0.7 * torch.randn(s, generator=generator) for name, s in shapes.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_parts_write_is_the_amplitude(kind):
    """For any network, at any frequency, of a composite n too."""
    snapshot = random_network(kind)
    found = paths(snapshot, (1, 3, 4))
    for freq in (1, 3, 4):
        whole = component(centred(snapshot), freq).real.mean()
        written = [path for path in found if path.freq == freq and path.kind == "writes"]
        assert sum(path.amount for path in written) == pytest.approx(whole, rel=1e-4, abs=1e-5)
        assert sum(path.share for path in written) == pytest.approx(1, rel=1e-6)
        read = [path.share for path in found if path.freq == freq and path.kind == "reads"]
        assert sum(read) == pytest.approx(1)


def test_amplitudes_of_the_even_group_include_the_alternating_one():
    snapshot = random_network("transformer", p=8)
    written = [path.amount for path in paths(snapshot, (4,)) if path.kind == "writes"]
    assert sum(written) == pytest.approx(component(centred(snapshot), 4).real.mean(), rel=1e-4)


@pytest.mark.parametrize("kind", ["transformer", "RMS, b's own tokens", "no ="])
def test_what_a_head_carries_by_a_slow_run(kind):
    """The head's output without the circle is put before the MLP alone, pair by pair; the skip stays."""
    snapshot, freq = random_network(kind), 2
    n, config = snapshot.task.n_answers, snapshot.config
    structure = snapshot.task.structure
    pairs = [(i, j) for i in range(n) for j in range(n)]
    row = {tuple(pair): number for number, pair in enumerate(snapshot.task.pairs.tolist())}
    order = [row[int(structure.inputs_a[i]), int(structure.inputs_b[j])] for i, j in pairs]
    _, cache = snapshot.model.run_with_cache(snapshot.task.tokens[order])
    out = torch.einsum("phk,hkd->phd", cache["blocks.0.attn.hook_z"][:, -1], snapshot.weights["blocks.0.attn.W_O"])
    w = 2 * math.pi * freq / n
    columns = [
        [math.cos(w * i), math.sin(w * i), math.cos(w * j), math.sin(w * j)]
        + [f(w * (i + s * j)) for s in (1, -1) for f in (math.cos, math.sin)]
        for i, j in pairs
    ]
    design = torch.tensor(columns)
    gone = design @ torch.linalg.lstsq(design, out[:, 1]).solution

    def amplitude(logits: torch.Tensor) -> float:
        total = 0.0
        for (i, j), values in zip(pairs, logits, strict=True):
            for c in range(n):
                total += float(values[structure.outputs[c]]) * math.cos(w * (i + j - c)) * 2 / n
        return total / len(pairs)

    def read(resid: torch.Tensor, name: str) -> torch.Tensor:
        if config.normalization == "none":
            return resid
        scaled = resid / (resid.square().mean(dim=1, keepdim=True) + config.eps).sqrt()
        return scaled * snapshot.weights[f"{name}.w"]

    block, resid = "blocks.0.", cache["blocks.0.hook_resid_mid"][:, -1]
    act = {"relu": torch.relu, "gelu": torch.nn.functional.gelu}[config.act_fn]
    changed = act(
        read(resid - gone, block + "ln2") @ snapshot.weights[block + "mlp.W_in"] + snapshot.weights[block + "mlp.b_in"]
    )
    lost = (cache[block + "mlp.hook_post"][:, -1] - changed) @ snapshot.weights[block + "mlp.W_out"]
    # Frozen scale: what is lost is added to the logits as it would be with the network's own divisor.
    post = cache[block + "hook_resid_post"][:, -1]
    scale = torch.ones(len(post), 1)
    if config.normalization == "RMS":
        scale = snapshot.weights["ln_final.w"] / (post.square().mean(dim=1, keepdim=True) + config.eps).sqrt()
    expected = amplitude((lost * scale) @ snapshot.weights["unembed.W_U"])
    found = next(p for p in paths(snapshot, (freq,)) if p.kind == "carries" and p.source == "head 1")
    assert found.amount == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_a_built_pizza_goes_by_its_two_heads_and_no_attention_fills_it():
    """Head 0 brings a alone and head 1 b alone; both are needed; the MLP writes everything."""
    found = paths(circle_network(23, {3: 5.0, 7: 4.0}, "pizza"), (3, 7))
    shares = {(path.freq, path.kind, path.source): path.share for path in found}
    for freq in (3, 7):
        assert shares[freq, "writes", "MLP"] == pytest.approx(1)
        assert shares[freq, "reads", "a"] == pytest.approx(0.5)
        assert {path.target for path in found if path.kind == "reads" and path.source == "b"} == {"head 1"}
        assert shares[freq, "carries", "head 0"] == pytest.approx(1, abs=0.02)
        assert shares[freq, "carries", "head 1"] == pytest.approx(1, abs=0.02)
        assert filled_by(found, freq) is None
    assert [circle["freq"] for circle in circuit_to_dict(found)] == [3, 7]


def test_earlier_layers_carry_what_later_ones_need():
    """A layer that only passes on: without its circle nothing is left, and a layer that is silent carries nothing."""
    built = circle_network(11, {3: 5.0}, "pizza")
    config = built.config.model_copy(update={"n_layers": 2})
    weights = {name: value.clone() for name, value in built.weights.items()}
    for name, value in built.weights.items():
        if name.startswith("blocks.0."):
            weights[name.replace("blocks.0.", "blocks.1.")] = torch.zeros_like(value)
    found = paths(Snapshot(0, built.task, config, weights), (3,))
    shares = {(path.kind, path.source): path.share for path in found}
    assert shares["writes", "MLP 0"] == pytest.approx(1)
    assert shares["carries", "head 0.0"] == pytest.approx(1, abs=0.02)
    assert shares["carries", "MLP 0"] == pytest.approx(0, abs=1e-5)
    assert shares["carries", "head 1.0"] == pytest.approx(0, abs=1e-5)


def test_heads_that_fill(mainline):
    """In the mainline attention fills the holes of 35, 42 and 52; held at its mean, heads leave less there."""
    found = paths(mainline.snapshot(), (35,))
    assert filled_by(found, 35) == "head 0"
    assert sum(path.share for path in found if path.kind == "writes") == pytest.approx(1)


def test_paths_need_circles():
    with pytest.raises(NotApplicable, match="predictions need circles"):
        paths(random_network("transformer"), ())
    assert np.isfinite([path.share for path in paths(random_network("sum"), (1,))]).all()
