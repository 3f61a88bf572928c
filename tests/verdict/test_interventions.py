"""Interventions against the formulas pair by pair, and on networks that are made to survive them."""

import math

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import examine, interventions

NOISE = {"noise N(0, 0.1)": (0, 0.1), "noise N(0, 1)": (0, 1), "noise N(1, 1)": (1, 1), "noise N(-1, 1)": (-1, 1)}
NAMES = ["none", "embedding swap", "flip both", "flip left", "flip right", *NOISE, "absolute value"]
MLP = {"architecture": "mlp", "mlp_inputs": "concatenation"}
OWN = {"equals_token": False, "own_tokens_for_b": True}
NETWORKS = {
    "sum": ({"architecture": "mlp"}, {"equals_token": False}),
    "sum of own embeddings, tanh, three layers": ({"architecture": "mlp", "act_fn": "tanh", "n_layers": 3}, OWN),
    "concatenation": (MLP, OWN),
    "concatenation of three": (MLP, {}),
    "transformer": ({}, {}),
    "no =": ({"attention": "bidirectional", "attention_rate": 0.3, "act_fn": "gelu"}, OWN),
    "operator": ({"outputs": "answers"}, {"operator_token": True}),
}


def random_snapshot(name: str, seed: int = 2) -> Snapshot:
    model, settings = NETWORKS[name]
    task = Task(TaskConfig(p=5, **settings))
    config = ModelConfig(n_heads=2, d_model=8, d_head=4, d_mlp=12, biases="all", **model)
    generator = torch.Generator().manual_seed(seed)
    shapes = weight_shapes(config, task)
    return Snapshot(0, task, config, {name: 0.5 * torch.randn(s, generator=generator) for name, s in shapes.items()})


def edited(snapshot: Snapshot, **weights: torch.Tensor) -> Snapshot:
    new = {name.replace("__", "."): value for name, value in weights.items()}
    return Snapshot(0, snapshot.task, snapshot.config, {**snapshot.weights, **new})


def losses(snapshot: Snapshot, seed: int = 0) -> dict[str, float]:
    return {found.name: found.loss for found in interventions(snapshot, seed)}


def mean_cross_entropy(logits: np.ndarray, answers: np.ndarray) -> float:
    rows = zip(logits.tolist(), answers.tolist(), strict=True)
    return sum(math.log(sum(math.exp(x - row[answer]) for x in row)) for row, answer in rows) / len(logits)


def parts_of_pair(snapshot: Snapshot, tokens: list[int]) -> dict[str, np.ndarray]:
    """left, right, rest, their exchanged versions and what bypasses the neurons, of one pair, in plain NumPy."""
    config, task = snapshot.config, snapshot.task
    w = {name.removeprefix("blocks.0."): value.double().numpy() for name, value in snapshot.weights.items()}
    E, at_a, at_b = w["embed.W_E"], task.positions.index("a"), task.positions.index("b")
    swapped = list(tokens)
    swapped[at_a], swapped[at_b] = tokens[at_b], tokens[at_a]
    d, n = config.d_model, len(tokens)
    if config.architecture == "mlp":
        joined = config.mlp_inputs == "concatenation"

        def read(position: int, token: int) -> np.ndarray:
            return E[token] @ (w["mlp.W_in"][d * position : d * (position + 1)] if joined else w["mlp.W_in"])

        bypass = np.zeros(0)
        others = w["mlp.b_in"].copy()
    else:
        x = [E[token] + w["pos_embed.W_pos"][position] for position, token in enumerate(tokens)]
        shares = np.zeros((config.n_heads, n))
        for h in range(config.n_heads):
            query = x[-1] @ w["attn.W_Q"][h] + w["attn.b_Q"][h]
            scores = [query @ (x[i] @ w["attn.W_K"][h] + w["attn.b_K"][h]) / config.d_head**0.5 for i in range(n)]
            weights = np.exp(scores) / np.exp(scores).sum()
            shares[h] = config.attention_rate * weights + 1 - config.attention_rate

        def read(position: int, token: int) -> np.ndarray:
            here = E[token] + w["pos_embed.W_pos"][position]
            out = here.copy() if position == n - 1 else np.zeros(d)
            for h in range(config.n_heads):
                out += shares[h, position] * (here @ w["attn.W_V"][h] + w["attn.b_V"][h]) @ w["attn.W_O"][h]
            return out @ w["mlp.W_in"]

        bypass = x[-1] + w["attn.b_O"]
        for h in range(config.n_heads):
            for i in range(n):
                bypass = bypass + shares[h, i] * (x[i] @ w["attn.W_V"][h] + w["attn.b_V"][h]) @ w["attn.W_O"][h]
        others = w["mlp.b_in"] + w["attn.b_O"] @ w["mlp.W_in"]
    rest = others + sum(read(i, tokens[i]) for i in range(n) if i not in (at_a, at_b))
    return {
        "left": read(at_a, tokens[at_a]),
        "right": read(at_b, tokens[at_b]),
        "exchanged": read(at_a, swapped[at_a]) + read(at_b, swapped[at_b]),
        "rest": rest,
        "bypass": bypass,
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_every_intervention_by_the_formulas(name):
    snapshot = random_snapshot(name)
    config, task = snapshot.config, snapshot.task
    w = {key: value.double().numpy() for key, value in snapshot.weights.items()}
    erf = np.vectorize(math.erf)
    acts = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh, "gelu": lambda x: x * (1 + erf(x / 2**0.5)) / 2}
    act = acts[config.act_fn]
    deviates = torch.randn(25, 12, generator=torch.Generator().manual_seed(4)).double().numpy()

    def logits(H: np.ndarray, bypass: np.ndarray) -> np.ndarray:
        if config.architecture == "mlp":
            for layer in range(1, config.n_layers):
                H = act(H @ w[f"blocks.{layer}.mlp.W_in"] + w[f"blocks.{layer}.mlp.b_in"])
            out = H
        else:
            out = H @ w["blocks.0.mlp.W_out"] + w["blocks.0.mlp.b_out"] + bypass
        return (out @ w["unembed.W_U"] + w["unembed.b_U"])[: task.n_answers]

    rows = {name: [] for name in NAMES}
    for pair, tokens in enumerate(task.tokens.tolist()):
        part = parts_of_pair(snapshot, tokens)
        l, r, rest = part["left"], part["right"], part["rest"]  # noqa: E741
        neurons = {
            "none": act(l + r + rest),
            "embedding swap": act(part["exchanged"] + rest),
            "flip both": act(-l - r + rest),
            "flip left": act(-l + r + rest),
            "flip right": act(l - r + rest),
            **{name: act(l + r + rest + m + sd * deviates[pair]) for name, (m, sd) in NOISE.items()},
            "absolute value": np.abs(l + r + rest),
        }
        for name, H in neurons.items():
            rows[name].append(logits(H, part["bypass"]))
    expected = {name: mean_cross_entropy(np.array(found), task.answers) for name, found in rows.items()}
    found = interventions(snapshot, seed=4)
    assert [one.name for one in found] == NAMES
    assert {one.name: one.loss for one in found} == pytest.approx(expected, rel=1e-4)
    for one in found:
        assert one.accuracy == (np.array(rows[one.name]).argmax(axis=1) == task.answers).mean()
    assert [
        key for key, hook in snapshot.model.hook_dict.items() if any(not h.is_permanent for h in hook.fwd_hooks)
    ] == []


def test_a_network_that_looks_pairs_up():
    """Its neuron of (i, j) is relu(a_i + b_j − 1), a_i and b_j one for the pair's own a and b."""
    logits = np.random.default_rng(0).normal(size=(25, 5)).astype(np.float32)
    snapshot = exact_snapshot(5, logits)
    (a, b), answers, found = snapshot.task.pairs.T, snapshot.task.answers, losses(snapshot)
    assert found["none"] == pytest.approx(mean_cross_entropy(logits, answers), rel=1e-6)
    for flip in ("flip both", "flip left", "flip right"):
        assert found[flip] == pytest.approx(math.log(5), rel=1e-6)
    assert found["embedding swap"] == pytest.approx(mean_cross_entropy(logits[5 * b + a], answers), rel=1e-6)
    # |x| is 1 for the pair's own neuron and for those of neither its a nor its b.
    neurons = np.array([[(i == x) == (j == y) for i, j in zip(a, b, strict=True)] for x, y in zip(a, b, strict=True)])
    assert found["absolute value"] == pytest.approx(mean_cross_entropy(neurons @ logits, answers), rel=1e-5)


def test_what_is_undone_is_as_before():
    """A network without biases whose left embeddings are negated, flipped on the left, is the network; and so on."""
    snapshot = random_snapshot("concatenation")
    W_in, E = snapshot.weights["blocks.0.mlp.W_in"], snapshot.weights["embed.W_E"]
    whole = losses(snapshot)
    negated = E.clone()
    negated[:5] *= -1
    left = losses(edited(snapshot, embed__W_E=negated))
    assert left["flip left"] == pytest.approx(whole["none"], rel=1e-6)
    assert left["none"] == pytest.approx(whole["flip left"], rel=1e-6)
    assert left["flip right"] == pytest.approx(whole["flip both"], rel=1e-6)
    swapped = losses(edited(snapshot, blocks__0__mlp__W_in=torch.cat([W_in[8:], W_in[:8]])))
    assert swapped["embedding swap"] == pytest.approx(whole["none"], rel=1e-6)
    assert swapped["none"] == pytest.approx(whole["embedding swap"], rel=1e-6)


def test_what_a_network_is_made_to_survive():
    snapshot = random_snapshot("sum")
    found = losses(snapshot)
    assert found["embedding swap"] == found["none"]
    positive = {name: value.abs() for name, value in snapshot.weights.items() if name != "unembed.W_U"}
    found = losses(Snapshot(0, snapshot.task, snapshot.config, {**snapshot.weights, **positive}))
    assert found["absolute value"] == found["none"]
    # Neurons in pairs of opposite input without bias: relu(x) − relu(−x) only changes places.
    W_in, W_U = (
        snapshot.weights[name][:, :6] if "in" in name else snapshot.weights[name][:6]
        for name in ("blocks.0.mlp.W_in", "unembed.W_U")
    )
    weights = {"blocks__0__mlp__W_in": torch.cat([W_in, -W_in], dim=1), "blocks__0__mlp__b_in": torch.zeros(12)}
    even = losses(edited(snapshot, unembed__W_U=torch.cat([W_U, W_U]), **weights))
    assert even["flip both"] == pytest.approx(even["none"], rel=1e-6)
    assert even["flip left"] != pytest.approx(even["none"], rel=1e-3)


def test_noise_is_seeded_and_the_rest_does_not_depend_on_it():
    one, same, other = (losses(random_snapshot("transformer"), seed) for seed in (1, 1, 2))
    assert one == same
    assert [name for name in NAMES if one[name] != other[name]] == list(NOISE)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"n_layers": 2}, "2 layers with normalization none"),
        ({"normalization": "LN"}, "1 layers .* LN"),
        ({"normalization": "RMSPre"}, "1 layers .* RMSPre"),
        ({"parallel_attn_mlp": True}, "1 layers with normalization none, attention and MLP in parallel"),
    ],
)
def test_a_network_whose_neurons_do_not_add(model, said):
    task, config = Task(TaskConfig(p=5)), ModelConfig(n_heads=2, d_model=8, d_head=4, d_mlp=12, **model)
    weights = {name: torch.zeros(shape) for name, shape in weight_shapes(config, task).items()}
    with pytest.raises(GrokinterpError, match=f"^interventions: a transformer of {said}: .* needs one layer, norm"):
        interventions(Snapshot(0, task, config, weights))


def test_the_mainline_computes_with_the_relation_of_its_two_inputs(mainline):
    """As published for groups: one input's sign alone undoes it, and small noise does not."""
    found = {one.name: one for one in interventions(mainline.snapshot())}
    assert found["none"].accuracy == 1
    assert found["flip left"].accuracy < 0.01
    assert found["flip right"].accuracy < 0.01
    assert found["noise N(0, 0.1)"].loss < 1e-6
    assert found["absolute value"].accuracy > 0.99


def test_deep_networks_without_attention_are_examined_and_others_say_why_not():
    deep = examine(random_snapshot("sum of own embeddings, tanh, three layers"), ())
    assert [found.name for found in deep.interventions] == NAMES
    assert deep.no_interventions == ""
    config, task = ModelConfig(n_layers=2, n_heads=2, d_model=8, d_head=4, d_mlp=12), Task(TaskConfig(p=5))
    two = examine(Snapshot(0, task, config, {n: torch.zeros(s) for n, s in weight_shapes(config, task).items()}), ())
    assert two.interventions == ()
    assert two.no_interventions.startswith(
        "a transformer of 2 layers with normalization none: its neurons' input is no sum"
    )
