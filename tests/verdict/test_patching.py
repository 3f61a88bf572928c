"""Patching on networks that are known to look pairs up, or to compute the sum."""

import math

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import Patching, patch
from grokinterp.verdict.causal import LastLayer
from grokinterp.verdict.causal._patching import (
    _logits_with,
    _mixed_answers,
    _patched_answers,
    _places,
    _with_partners,
)


def random_snapshot(task: Task, model: dict, *, scale: float, seed: int) -> Snapshot:
    config = ModelConfig(n_heads=2, d_model=16, d_head=8, d_mlp=24, biases="all", **model)
    generator = torch.Generator().manual_seed(seed)
    shapes = weight_shapes(config, task).items()
    return Snapshot(0, task, config, {name: scale * torch.randn(s, generator=generator) for name, s in shapes})


def knowing(task: Task) -> np.ndarray:
    """Logits that are right."""
    return 10.0 * np.eye(task.n_answers)[task.answers]


def adder() -> Snapshot:
    """a + b without a modulus: neurons relu(a + b − t) for all t, whose second differences are the answers' hats."""
    task = Task(TaskConfig(operation="table", table=np.add.outer(range(5), range(5)), equals_token=False))
    config = ModelConfig(architecture="mlp", d_model=1, d_mlp=20, outputs="answers")
    weights = {name: torch.zeros(shape) for name, shape in weight_shapes(config, task).items()}
    weights["embed.W_E"][:5, 0] = torch.arange(5.0)
    weights["blocks.0.mlp.W_in"][:] = 1.0
    thresholds = [t for t in range(-1, 9) for _ in range(2)]  # Each twice, so that a half may hold one of both.
    weights["blocks.0.mlp.b_in"][:] = -torch.tensor(thresholds).float()
    for neuron, t in enumerate(thresholds):
        for c, share in ((t + 1, 0.5), (t, -1.0), (t - 1, 0.5)):
            if 0 <= c < 9:
                weights["unembed.W_U"][neuron, c] = share
    return Snapshot(0, task, config, weights)


def by_place(found: tuple[Patching, ...]) -> dict[tuple[str, str], Patching]:
    return {(patching.place, patching.partner): patching for patching in found}


def shares(patching: Patching) -> tuple[float, float, float, float]:
    return patching.clean, patching.partners, patching.mixed, patching.other


@pytest.mark.parametrize(
    "settings", [{"p": 7}, {"operation": "compose", "group": "S3"}, {"operation": "subtract", "p": 5}]
)
def test_a_network_that_looks_pairs_up(settings):
    task = Task(TaskConfig(**settings))
    snapshot = exact_snapshot(task, knowing(task))
    found = by_place(patch(snapshot))
    assert len(found) == 14
    assert all(patching.n_pairs == task.n_pairs for patching in found.values())
    for partner in ("equal", "unequal"):
        assert shares(found["nothing", partner]) == (1, 0, 0, 0)
        assert shares(found["embedding of a", partner]) == (0, 0, 1, 0)
        assert shares(found["embedding of b", partner]) == (0, 0, 1, 0)
    for place in ("attention output", "residual before MLP", "neurons"):
        assert shares(found[place, "equal"]) == (1, 0, 0, 0)
        assert shares(found[place, "unequal"]) == (0, 1, 0, 0)
    # The neurons of both pairs are lost in a quarter of the cases, and the logits are then all zero.
    assert 0.6 < found["half of the neurons", "equal"].clean < 0.95
    half = found["half of the neurons", "unequal"]
    assert half.other > 0.1
    assert half.partners > 0.1


def test_a_network_that_adds_keeps_the_answer_with_half_of_a_partners_neurons():
    found = by_place(patch(adder()))
    assert shares(found["neurons", "equal"]) == (1, 0, 0, 0)
    assert shares(found["half of the neurons", "equal"]) == (1, 0, 0, 0)
    assert shares(found["neurons", "unequal"]) == (0, 1, 0, 0)
    assert found["half of the neurons", "unequal"].clean < 0.5
    assert shares(found["embedding of b", "unequal"]) == (0, 0, 1, 0)
    # The pairs (0, 0) and (4, 4) are alone with their sums; no other pair of their row or column is a partner.
    assert found["neurons", "equal"].n_pairs == 23
    assert found["neurons", "unequal"].n_pairs == 25
    assert ("attention output", "equal") not in found


@pytest.mark.parametrize("settings", [{"p": 7}, {"operation": "x2+y2", "p": 5}, {"operation": "multiply", "p": 5}])
def test_partners(settings):
    task = Task(TaskConfig(**settings))
    for kind in ("equal", "unequal"):
        clean, partners = _with_partners(task, np.arange(task.n_pairs), kind, np.random.default_rng(0))
        assert (task.pairs[clean] != task.pairs[partners]).all()
        assert ((task.answers[clean] == task.answers[partners]) == (kind == "equal")).all()
        for letter, column in (("a", 0), ("b", 1)):
            mixed = task.pairs[clean].copy()
            mixed[:, column] = task.pairs[partners, column]
            expected = [task.answers[np.flatnonzero((task.pairs == pair).all(axis=1))[0]] for pair in mixed]
            assert _mixed_answers(task, clean, partners, letter).tolist() == expected


def test_partners_are_drawn_among_all_that_fit():
    task = Task(TaskConfig(p=5))
    _, partners = _with_partners(task, np.zeros(500, dtype=np.int64), "equal", np.random.default_rng(0))
    fitting = [5 * a + (-a) % 5 for a in range(1, 5)]
    assert np.bincount(partners, minlength=25)[fitting].sum() == 500
    assert (np.bincount(partners, minlength=25)[fitting] > 80).all()


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ({"n_layers": 2, "normalization": "LN", "attention": "bidirectional"}, {}),
        ({"attention_rate": 0.3}, {"operator_token": True}),
        ({}, {"equals_token": False, "own_tokens_for_b": True}),
        ({"architecture": "mlp", "mlp_inputs": "concatenation", "n_layers": 2}, {"equals_token": False}),
    ],
)
def test_an_embedding_put_in_makes_the_mixed_pair(model, settings):
    task = Task(TaskConfig(p=5, **settings))
    snapshot = random_snapshot(task, model, scale=0.4, seed=3)
    config = snapshot.config
    rng = np.random.default_rng(0)
    clean, partners = _with_partners(task, np.arange(25), "unequal", rng)
    answers = _patched_answers(snapshot, _places(snapshot, rng), clean, partners)
    (a, b), (a2, b2) = task.pairs[clean].T, task.pairs[partners].T
    given = snapshot.logits.argmax(axis=1)
    assert answers["nothing"].tolist() == given[clean].tolist()
    assert answers["embedding of a"].tolist() == given[5 * a2 + b].tolist()
    assert answers["embedding of b"].tolist() == given[5 * a + b2].tolist()
    if config.architecture == "transformer":
        assert answers["residual before MLP"].tolist() == given[partners].tolist()
    # Without attention everything goes through the neurons.
    if config.architecture == "mlp":
        assert answers["neurons"].tolist() == given[partners].tolist()
    assert [
        name for name, hook in snapshot.model.hook_dict.items() if any(not h.is_permanent for h in hook.fwd_hooks)
    ] == []


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ({}, {}),
        ({"parallel_attn_mlp": True}, {}),
        ({"n_layers": 2, "normalization": "LN"}, {}),
        ({"attention_rate": 0.3}, {"operator_token": True}),
        ({"architecture": "mlp", "n_layers": 2}, {"equals_token": False}),
    ],
)
def test_what_is_put_in_does_what_a_hook_does(model, settings):
    task = Task(TaskConfig(p=7, **settings))
    snapshot = random_snapshot(task, model, scale=0.5, seed=5)
    config = snapshot.config
    rng = np.random.default_rng(1)
    clean, partners = _with_partners(task, np.arange(49), "unequal", rng)
    places = _places(snapshot, rng)
    by_name = {place.name: place for place in places}
    own, theirs = (LastLayer.of(snapshot, torch.from_numpy(pairs)) for pairs in (clean, partners))
    half = next(place.neurons for place in places if place.neurons is not None)
    block, everything = snapshot.last_block, slice(None)
    hooked = {"neurons": ("mlp.hook_post", everything), "half of the neurons": ("mlp.hook_post", half)}
    if config.architecture == "transformer":
        hooked["attention output"] = ("hook_attn_out", everything)
    for name, (hook, columns) in hooked.items():
        _, cache = snapshot.model.run_with_cache(task.tokens[partners], names_filter=f"{block}.{hook}")
        value = cache[f"{block}.{hook}"]

        def put(activation, hook, value=value, columns=columns):  # noqa: ARG001
            patched = activation.clone()
            patched[:, -1, columns] = value[:, -1, columns]
            return patched

        hooked_model = snapshot.model.run_with_hooks(task.tokens[clean], fwd_hooks=[(f"{block}.{hook}", put)])
        expected = hooked_model[:, -1, : task.n_answers]
        assert torch.allclose(_logits_with(by_name[name], own, theirs), expected, atol=1e-4, rtol=1e-4), name
        # At `=`, neurons beside attention read nothing of the pair.
        changes = name == "attention output" or not config.parallel_attn_mlp
        assert torch.allclose(torch.from_numpy(snapshot.logits[clean]), expected, atol=1e-2) != changes, name


def test_shares_add_up_and_chunks_do_not_matter(tiny_run, monkeypatch):
    snapshot = tiny_run.snapshot()
    found = patch(snapshot, n=30, seed=5)
    assert all(sum(shares(patching)) == pytest.approx(1) for patching in found)
    assert all(patching.partners == 0 for patching in found if patching.partner == "equal")
    assert {patching.n_pairs for patching in found} == {30}
    monkeypatch.setattr("grokinterp.verdict.causal._patching.CHUNK", 7)
    assert patch(snapshot, n=30, seed=5) == found
    assert patch(snapshot, n=30, seed=6) != found


def test_a_task_whose_answers_are_all_different_has_no_equal_partners():
    task = Task(TaskConfig(operation="table", table=np.arange(9).reshape(3, 3)))
    found = by_place(patch(exact_snapshot(task, knowing(task))))
    assert found["neurons", "equal"].n_pairs == 0
    assert all(math.isnan(share) for share in shares(found["neurons", "equal"]))
    assert shares(found["neurons", "unequal"]) == (0, 1, 0, 0)


def test_no_pairs_to_patch(tiny_run):
    with pytest.raises(GrokinterpError, match=r"^n = 0: needs at least one pair to patch; give n ≥ 1$"):
        patch(tiny_run.snapshot(), n=0)


def test_the_mainline_computes_the_sum_in_its_neurons(mainline):
    found = by_place(patch(mainline.snapshot(), n=500))
    for place in ("nothing", "attention output", "neurons"):
        assert found[place, "equal"].clean == 1
    assert found["half of the neurons", "equal"].clean > 0.98
    assert found["neurons", "unequal"].partners == 1
    assert found["embedding of a", "unequal"].mixed == 1
