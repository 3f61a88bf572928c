"""The two metrics of Zhong et al. 2023, against closed forms, a slow oracle and networks built by hand."""

import itertools
import random

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.analysis import distance_irrelevance, gradient_symmetricity
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig

SMALL = ModelConfig(n_heads=2, d_head=4, d_model=8, d_mlp=12)
ODD_CYCLIC = [
    TaskConfig(p=7),
    TaskConfig(p=9, operation="subtract"),
    TaskConfig(operation="compose", group="Z11"),
    TaskConfig(operation="compose", group="Z3xZ5"),
]


def elements(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """The elements i, j of every pair, looked up one by one."""
    structure = task.structure
    i = [structure.inputs_a.tolist().index(a) for a, _ in task.pairs]
    j = [structure.inputs_b.tolist().index(b) for _, b in task.pairs]
    return np.array(i), np.array(j)


def with_right_logits(task: Task, right: np.ndarray, wrong: float = -50.0) -> np.ndarray:
    logits = np.full((task.n_pairs, task.n_answers), wrong)
    logits[np.arange(task.n_pairs), task.answers] = right
    return logits


def random_snapshot(task: Task, config: ModelConfig = SMALL, seed: int = 1) -> Snapshot:
    """Large weights, so that attention and neurons are far from linear."""
    generator = torch.Generator().manual_seed(seed)
    weights = initial_weights(config, task)
    weights = {name: torch.randn(value.shape, generator=generator) * 0.7 for name, value in weights.items()}
    for name in weights:
        if ".attn.b_" in name or name == "unembed.b_U":
            weights[name].zero_()
    return Snapshot(step=0, task=task, config=config, weights=weights)


# Distance irrelevance.


@pytest.mark.parametrize("config", ODD_CYCLIC, ids=lambda config: f"{config.operation}-{config.group or config.p}")
@pytest.mark.parametrize("of", ["correct", "runner_up"])
def test_a_sum_of_functions_of_sum_and_distance_has_a_known_q(config, of):
    task = Task(config)
    n = task.structure.n
    i, j = elements(task)
    rng = np.random.default_rng(n)
    of_sum, of_distance = rng.normal(size=n), rng.normal(size=n)
    for s_weight, d_weight in [(1.0, 0.0), (0.0, 1.0), (1.0, 2.0), (3.0, 1.0)]:
        values = s_weight * of_sum[(i + j) % n] + d_weight * of_distance[(i - j) % n]
        if of == "correct":
            logits = with_right_logits(task, values)
        else:  # The largest wrong logit is beside the answer, the right one tells nothing.
            logits = with_right_logits(task, rng.normal(size=len(values)) + 100)
            logits[np.arange(len(values)), (task.answers + 1) % task.n_answers] = values
        expected = s_weight * of_sum.std() / np.hypot(s_weight * of_sum.std(), d_weight * of_distance.std())
        assert distance_irrelevance(logits, task, of=of) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_q_is_a_share_that_neither_scale_nor_offset_changes(seed):
    task = Task(TaskConfig(p=5))
    logits = np.random.default_rng(seed).normal(size=(25, 5))
    q = distance_irrelevance(logits, task)
    assert 0 <= q <= 1
    assert distance_irrelevance(3 * logits - 7, task) == pytest.approx(q, abs=1e-9)


def test_q_is_the_published_formula_in_loops():
    C = 7
    task = Task(TaskConfig(p=C))
    logits = np.random.default_rng(0).normal(size=(C * C, C)).astype(np.float32)
    before = logits.copy()
    right, wrong = np.zeros((C, C)), np.zeros((C, C))
    for a, b in itertools.product(range(C), repeat=2):
        row = logits[a * C + b]
        right[(a + b) % C, (a - b) % C] = row[(a + b) % C]
        wrong[(a + b) % C, (a - b) % C] = max(row[c] for c in range(C) if c != (a + b) % C)
    for of, matrix in (("correct", right), ("runner_up", wrong)):
        expected = np.mean([np.std(matrix[:, d]) for d in range(C)]) / np.std(matrix.flatten())
        assert distance_irrelevance(logits, task, of=of) == pytest.approx(expected, abs=1e-12)
    np.testing.assert_array_equal(logits, before)


def test_a_pizza_hangs_on_the_distance_and_an_ideal_clock_has_no_deviation_at_all():
    task = Task(TaskConfig(p=59))
    a, b = task.pairs.T[:, :, None]
    w, c = 2 * np.pi * 4 / 59, np.arange(59)
    clock = np.cos(w * (a + b - c))
    assert distance_irrelevance(np.abs(np.cos(w * (a - b) / 2)) * clock, task) < 1e-12
    assert np.isnan(distance_irrelevance(with_right_logits(task, np.full(59**2, 0.1)), task))
    noise = 0.01 * np.random.default_rng(0).normal(size=clock.shape)
    assert distance_irrelevance(clock + noise, task) > 0.98


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (TaskConfig(p=8), r"\(a \+ b\) mod 8: .* odd order ≥ 3, .* and Z_8 has 8 elements; give a task"),
        (TaskConfig(p=7, operation="divide"), r"\(a / b\) mod 7: .* and \(Z/7\)\^× ≅ Z_6 has 6 elements; give a task"),
        (
            TaskConfig(operation="compose", group="S3"),
            r"a · b in S_3: .* needs answers that are sums in a cyclic group",
        ),
        (TaskConfig(p=7, operation="x2+y2"), r"needs answers that are sums in a cyclic group; give a task"),
        (TaskConfig(operation="table", table=[[0, 1], [None, 2]]), r"needs answers that are sums in a cyclic group"),
    ],
)
def test_a_task_without_sums_and_distances_is_refused_in_one_line(config, said):
    task = Task(config)
    with pytest.raises(GrokinterpError, match=said) as error:
        distance_irrelevance(np.zeros((task.n_pairs, task.n_answers)), task)
    assert "\n" not in str(error.value)


def test_logits_of_another_shape_are_refused():
    with pytest.raises(GrokinterpError, match=r"logits of shape \(25, 6\): .* needs \(25, 5\), .* `Snapshot.logits`"):
        distance_irrelevance(np.zeros((25, 6)), Task(TaskConfig(p=5)))


# Gradient symmetricity.


def oracle_logits(weights: dict, embedded: list[torch.Tensor]) -> torch.Tensor:
    """Logits at the last position of a one-layer network without normalisation, head by head."""
    block = "blocks.0."
    stream = [e + weights["pos_embed.W_pos"][position] for position, e in enumerate(embedded)]
    last = stream[-1]
    out = last + weights[block + "attn.b_O"]
    for head in range(len(weights[block + "attn.W_Q"])):
        Q, K, V, O = (weights[f"{block}attn.W_{name}"][head] for name in "QKVO")  # noqa: E741
        scores = torch.stack([(last @ Q) @ (x @ K) for x in stream]) / Q.shape[1] ** 0.5
        for share, x in zip(torch.softmax(scores, dim=0), stream, strict=True):
            out = out + share * ((x @ V) @ O)
    neurons = torch.relu(out @ weights[block + "mlp.W_in"] + weights[block + "mlp.b_in"])
    out = out + neurons @ weights[block + "mlp.W_out"] + weights[block + "mlp.b_out"]
    return out @ weights["unembed.W_U"] + weights["unembed.b_U"]


def oracle_cosines(snapshot: Snapshot) -> dict[tuple[int, int, int], float]:
    """The cosine of every triple (a, b, c), a gradient at a time."""
    task = snapshot.task
    weights = {name: value.double() for name, value in snapshot.weights.items()}
    place_b, found = len(task.positions) - 2, {}
    for (a, b), tokens in zip(task.pairs.tolist(), task.tokens.tolist(), strict=True):
        for c in range(task.n_answers):
            embedded = [weights["embed.W_E"][token].clone().requires_grad_() for token in tokens]
            oracle_logits(weights, embedded)[c].backward()
            of_a, of_b = embedded[0].grad.numpy(), embedded[place_b].grad.numpy()
            found[a, b, c] = float(of_a @ of_b / np.linalg.norm(of_a) / np.linalg.norm(of_b))
    return found


@pytest.mark.parametrize(
    "config",
    [
        TaskConfig(p=5),
        TaskConfig(p=5, operator_token=True),
        TaskConfig(operation="table", table=[[0, 1, None], [2, 5, 1], [None, 3, 3], [0, 0, 1]]),
    ],
    ids=["add", "operator", "table"],
)
def test_all_triples_and_samples_agree_with_a_gradient_at_a_time(config, monkeypatch):
    monkeypatch.setattr("grokinterp.analysis._clock_pizza.CHUNK", 7)  # Several chunks, the last one short.
    snapshot = random_snapshot(Task(config))
    cosines = oracle_cosines(snapshot)
    expected = np.mean(list(cosines.values()))
    assert -0.9 < expected < 0.9
    assert gradient_symmetricity(snapshot) == pytest.approx(expected, abs=1e-10)
    for n, seed in ((1, 42), (10, 42), (10, 0)):
        triples = sorted(cosines)  # a outermost, c innermost.
        random.Random(seed).shuffle(triples)
        expected = np.mean([cosines[triple] for triple in triples[:n]])
        assert gradient_symmetricity(snapshot, triples=n, seed=seed) == pytest.approx(expected, abs=1e-10)
    with pytest.warns(DeprecationWarning, match="gradient_symmetricity: n is called triples now"):
        assert gradient_symmetricity(snapshot, n=10) == gradient_symmetricity(snapshot, triples=10)
    everything = gradient_symmetricity(snapshot, triples=len(cosines))
    assert everything == pytest.approx(gradient_symmetricity(snapshot), abs=1e-12)


@pytest.mark.parametrize("layers", [1, 2])
def test_attention_that_does_not_tell_a_from_b_gives_one(layers):
    config = ModelConfig(n_layers=layers, n_heads=2, d_head=4, d_model=8, d_mlp=12)
    snapshot = random_snapshot(Task(TaskConfig(p=5)), config)
    assert gradient_symmetricity(snapshot) < 0.9
    # In the first layer all positions weigh alike, and what a and b add to `=` goes through the same maps. A second
    # layer reads a and b themselves, whose neurons differ: it has to look away from both.
    weights = {name: torch.zeros_like(value) if "W_K" in name else value for name, value in snapshot.weights.items()}
    if layers == 2:
        weights["blocks.1.attn.W_V"] = torch.zeros_like(weights["blocks.1.attn.W_V"])
    symmetric = Snapshot(step=0, task=snapshot.task, config=config, weights=weights)
    assert gradient_symmetricity(symmetric) == pytest.approx(1, abs=1e-12)


def test_a_network_that_keeps_its_tokens_apart_is_symmetric_on_the_diagonal_alone():
    # ∂Q_abc/∂E_a = L_abc · one-hot(a): the cosine is 1 where a = b and 0 elsewhere, and there is none where L is 0.
    logits = np.random.default_rng(0).uniform(1, 2, size=(25, 5))
    assert gradient_symmetricity(exact_snapshot(5, logits)) == pytest.approx(1 / 5, abs=1e-12)
    logits[7] = 0.0  # The pair (1, 2).
    assert gradient_symmetricity(exact_snapshot(5, logits)) == pytest.approx(5 / 24, abs=1e-12)
    assert np.isnan(gradient_symmetricity(exact_snapshot(5, np.zeros((25, 5)))))


def test_where_one_input_does_not_count_the_cosine_is_zero():
    snapshot = exact_snapshot(3, np.ones((9, 3)))
    weights = dict(snapshot.weights)
    weights["blocks.0.attn.W_V"] = weights["blocks.0.attn.W_V"].clone()
    weights["blocks.0.attn.W_V"][1] = 0.0  # Nothing comes from b,
    weights["blocks.0.mlp.b_in"] = torch.zeros(9)  # and a neuron needs its a alone.
    of_a_alone = Snapshot(step=0, task=snapshot.task, config=snapshot.config, weights=weights)
    assert gradient_symmetricity(of_a_alone) == 0.0


def test_untrained_networks_are_near_one_in_both():
    task, config = Task(TaskConfig(p=23)), ModelConfig()
    snapshot = Snapshot(step=0, task=task, config=config, weights=initial_weights(config, task))
    assert gradient_symmetricity(snapshot) > 0.99
    assert distance_irrelevance(snapshot.logits, task) > 0.97


def test_the_network_of_the_snapshot_stays_as_it_is():
    snapshot = random_snapshot(Task(TaskConfig(p=5)))
    state = {name: (value, value.clone()) for name, value in snapshot.model.named_parameters()}
    wanted = {name: value.requires_grad for name, value in snapshot.model.named_parameters()}
    with torch.no_grad():  # Nor does it matter whether gradients are on.
        assert gradient_symmetricity(snapshot, triples=3) == gradient_symmetricity(snapshot, triples=3)
    for name, parameter in snapshot.model.named_parameters():
        before, copied = state[name]
        assert parameter is before and parameter.dtype == torch.float32 and torch.equal(parameter, copied)
        assert parameter.requires_grad == wanted[name] and parameter.grad is None
    assert snapshot.model.cfg.dtype == torch.float32
    assert not snapshot.model.hook_embed.fwd_hooks


def test_a_hook_that_shapes_the_network_is_heeded():
    # Without attention to a and b they have no gradient; the released networks mix their attention in such a hook.
    snapshot = random_snapshot(Task(TaskConfig(p=5)))
    snapshot.model.add_perma_hook("blocks.0.attn.hook_pattern", lambda pattern, hook: 0 * pattern)  # noqa: ARG005
    assert np.isnan(gradient_symmetricity(snapshot))


@pytest.mark.parametrize("n", [0, -1, 126])
def test_a_sample_of_no_or_too_many_triples_is_refused(n):
    snapshot = random_snapshot(Task(TaskConfig(p=5)))
    with pytest.raises(GrokinterpError, match=rf"^triples = {n}: .* needs 1 to 125 triples of \(a \+ b\) mod 5; leave"):
        gradient_symmetricity(snapshot, triples=n)
