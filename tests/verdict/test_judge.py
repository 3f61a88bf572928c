"""Labels: of networks built by hand, of tables that look answers up, and of networks that have learned nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from circle_networks import circle_network
from exact_network import cosine_logits, exact_snapshot

from grokinterp.analysis import find_keys
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import (
    THRESHOLDS,
    Judgement,
    Verdict,
    find_verdict,
    judge,
    measure_network,
    with_random_weights,
)

P = 23
# What the circles of `circle_network` do: its clocks add in many phases, whose holes fill each other.
MECHANISM = {"clock": "torus", "pizza": "pizza"}


_CONSTANT = ModelConfig(d_model=32, n_heads=2, d_head=16, d_mlp=64, attention="bidirectional", attention_rate=0.0)
CONSTANT = Snapshot(0, Task(TaskConfig(p=7)), _CONSTANT, initial_weights(_CONSTANT, Task(TaskConfig(p=7))))


def quick(snapshot: Snapshot) -> Verdict:
    return find_verdict(snapshot, full=False, triples=500)


def circles_of(seed: int) -> dict[int, float]:
    """Two to four frequencies, strong enough to answer right."""
    random = np.random.default_rng(seed)
    chosen = random.choice(np.arange(1, P // 2 + 1), size=random.integers(2, 5), replace=False)
    return {int(freq): float(random.uniform(4, 8)) for freq in chosen}


def pizza_logits(amplitudes: dict[int, float]) -> np.ndarray:
    a, b = Task(TaskConfig(p=P)).pairs.T[:, :, None]
    waves = [
        alpha * np.abs(np.cos(np.pi * k * (a - b) / P)) * np.cos(2 * np.pi * k * (a + b - np.arange(P)) / P)
        for k, alpha in amplitudes.items()
    ]
    return sum(waves)


def right_and_random(seed: int) -> np.ndarray:
    """Logits that are right and otherwise noise: a table learned by heart."""
    task = Task(TaskConfig(p=P))
    noise = np.random.default_rng(seed).normal(size=(task.n_pairs, P))
    return 3 * noise + 20 * np.eye(P)[task.answers]


@pytest.mark.parametrize("kind", ["clock", "pizza"])
@pytest.mark.parametrize("operation", ["add", "subtract"])
def test_exact_clocks_and_pizzas_are_recognised(kind, operation):
    snapshot = circle_network(P, circles_of(1), kind, operation=operation)
    verdict = quick(snapshot)
    assert verdict.measured.all_accuracy == 1
    assert (verdict.label, verdict.judgement.published) == (MECHANISM[kind], kind)
    assert verdict.explained > 0.999
    assert verdict.loss_recovered == pytest.approx(1, abs=1e-2)
    assert set(verdict.measured.keys) == set(circles_of(1))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["clock", "pizza"])
@pytest.mark.parametrize("seed", range(20))
def test_exact_networks_of_any_seed_are_recognised_also_with_noise_on_their_weights(kind, seed):
    exact = quick(circle_network(P, circles_of(seed), kind))
    assert (exact.label, exact.explained > 0.999) == (MECHANISM[kind], True)
    noisy = quick(circle_network(P, circles_of(seed), kind, noise=0.03, seed=seed))
    assert noisy.label in (
        {MECHANISM[kind]} if noisy.measured.all_accuracy >= 0.99 else {"not generalised", "memorised"}
    )


def test_halfway_between_is_neither_by_the_published_criterion():
    verdict = quick(circle_network(P, {3: 6.0, 5: 6.0, 8: 6.0}, "0.5"))
    assert (verdict.label, verdict.judgement.published) == ("torus", "between")
    assert verdict.measured.clock_share == pytest.approx(0.5, abs=0.02)
    assert verdict.measured.stages.fill == pytest.approx(0.5, abs=0.02)
    assert "clock share 50" in verdict.judgement.published_says


def test_each_circle_is_judged_by_itself():
    clock, pizza = circle_network(P, {3: 8.0, 7: 0.0}, "clock"), circle_network(P, {3: 0.0, 7: 3.0}, "pizza")
    both = added(clock, pizza)
    verdict = quick(both)
    found = {circle.freq: round(circle.clockness, 1) for circle in verdict.measured.circles}
    assert found == {3: 1.0, 7: 0.0}
    assert {circle.freq: circle.mechanism for circle in verdict.measured.stages.circles} == {3: "torus", 7: "pizza"}
    assert verdict.label == "torus"
    assert any("1 circle (7;" in reason and "cancel" in reason for reason in verdict.judgement.reasons_for)


def added(first: Snapshot, second: Snapshot) -> Snapshot:
    """One network with the neurons of both, whose embeddings and attention are the same."""
    config = first.config.model_copy(update={"d_mlp": first.config.d_mlp + second.config.d_mlp})
    weights = dict(first.weights)
    for name, axis in (("blocks.0.mlp.W_in", 1), ("blocks.0.mlp.b_in", 0), ("blocks.0.mlp.W_out", 0)):
        weights[name] = torch.cat([first.weights[name], second.weights[name]], dim=axis)
    return Snapshot(0, first.task, config, weights)


@pytest.mark.parametrize("kind", ["clock", "pizza"])
def test_tables_with_a_circuits_logits_are_tables(kind):
    amplitudes = {3: 9.0, 5: 7.0, 8: 4.0}
    logits = cosine_logits(P, amplitudes) if kind == "clock" else pizza_logits(amplitudes)
    verdict = quick(exact_snapshot(P, logits))
    assert verdict.label == "table"
    assert verdict.measured.accounts[kind].explained > 0.999
    assert verdict.judgement.supported_by == ["circles alone", "the neurons"]


@pytest.mark.parametrize(
    ("task", "missing"),
    [
        (TaskConfig(p=P), "table"),
        (TaskConfig(p=8, operation="multiply"), "numbers"),
        (TaskConfig(operation="compose", group="S3"), "numbers"),
        (TaskConfig(operation="compose", group="S4"), "numbers"),
        (TaskConfig(operation="compose", group="Q8"), "numbers"),
        (TaskConfig(p=7, operation="x2+y2"), "unexplained table"),
        (TaskConfig(operation="table", table=["0,1,2", "2,0,1", "1,1,0"]), "no account"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.operation} {value.group or value.p}",
)
def test_a_table_that_singles_out_the_answer_is_no_algorithm(task, missing):
    task = Task(task)
    verdict = find_verdict(exact_snapshot(task, 10 * np.eye(task.n_answers)[task.answers]), full=False)
    assert verdict.measured.all_accuracy == 1
    if missing == "table":
        assert verdict.label == "table"
        assert " by a table, on " in verdict.headline
        return
    assert verdict.label == "unexplained"
    assert verdict.judgement.reasons_against
    assert verdict.judgement.unexplained == missing.removeprefix("unexplained ")
    ends = {
        "unexplained table": "but its logits only single out the answer, as a table does (table fit 100 %)",
        "numbers": "but its neurons are predicted only in so many numbers that any network's would be",
        "no account": "and there is no account of such a task that could be tested",
    }
    assert verdict.headline == f"This network answers {task.name}, {ends[missing]}."


@pytest.mark.parametrize("seed", range(4))
def test_a_table_learned_by_heart_is_no_algorithm(seed):
    verdict = quick(exact_snapshot(P, right_and_random(seed)))
    assert verdict.measured.all_accuracy == 1
    assert verdict.label in ("unexplained", "table")


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_are_no_algorithm(seed):
    task, config = Task(TaskConfig(p=P)), ModelConfig(d_model=32, n_heads=2, d_head=16, d_mlp=64, seed=seed)
    untrained = Snapshot(0, task, config, initial_weights(config, task))
    for snapshot in (untrained, with_random_weights(untrained, seed=seed)):
        measured = measure_network(snapshot, (1, 2, 3), triples=100)
        assert judge(measured, task).label == "not generalised"
        # Nor would any account pass for one if the network were right.
        assert not THRESHOLDS["explained"].holds(measured.accounts["mixed"].explained)


def test_memorising_is_told_from_failing_only_where_the_train_pairs_are_known():
    task = Task(TaskConfig(p=P, train_fraction=0.5))
    logits = np.zeros((task.n_pairs, P))
    logits[task.split.train, task.answers[task.split.train]] = 10
    memorised = quick(exact_snapshot(task, logits))
    assert memorised.label == "memorised"
    assert memorised.headline.startswith("This network has memorised its training pairs and not generalised (")
    assert "; the cosine share of all frequencies is " in memorised.headline
    unknown = Task(task.config.model_copy(update={"split_scheme": "unknown"}))
    failed = quick(exact_snapshot(unknown, logits))
    assert failed.label == "not generalised"
    assert "cannot be told from failing" in failed.judgement.reasons_against[0]


def test_lines_of_evidence_that_contradict_leave_it_mixed():
    measured = measure_network(circle_network(P, circles_of(1), "pizza"), tuple(circles_of(1)), triples=100)
    task = Task(TaskConfig(p=P))
    against_sums = {"gradient_symmetricity": 0.3, "averaged_embeddings": 0.5}

    def judged(additive: float = 1.0, alignment: float = 1.0, **changed: float) -> Judgement:
        neurons = {"additive": additive, "alignment": alignment}
        circles = tuple(replace(one, neurons=replace(one.neurons, **neurons)) for one in measured.stages.circles)
        return judge(replace(measured, stages=replace(measured.stages, circles=circles), **changed), task)

    assert judged().label == "pizza"
    assert len(judged().supported_by) >= 5
    # Two lines against the others.
    assert judged(**against_sums).label == "pizza"
    assert sum("more than E_a + E_b is read" in reason for reason in judged(**against_sums).reasons_against) == 2
    # Four against one: simple neurons are no line where no account says so.
    few = {name: measured.accounts[name] for name in ("clock", "pizza", "mixed", "lookup")}
    assert judged(0.3, 0.1, accounts=few, **against_sums).label == "mixed"
    # Numbers that are not defined do not vote.
    assert judged(gradient_symmetricity=math.nan, averaged_embeddings=math.nan).label == "pizza"


def test_what_the_configuration_decides_is_no_evidence():
    """Constant attention adds E_a and E_b whatever the network has learned."""
    found = measure_network(CONSTANT, (1, 2), triples=100).stages
    assert found.given == {"held", "additive", "sums"}
    assert "attention is constant" in found.facts[0]


def test_bounds_leave_a_gap_between_clock_and_pizza():
    for name in ("GS", "averaged"):
        clock, pizza = THRESHOLDS[f"{name}_clock"], THRESHOLDS[f"{name}_pizza"]
        assert clock.sign != pizza.sign
        assert not any(clock.holds(x) and pizza.holds(x) for x in np.linspace(-1, 2, 301).tolist())
    assert not THRESHOLDS["pizza"].holds(math.nan)


def test_many_weak_circles_beside_a_strong_one_are_all_taken():
    amplitudes = {3: 9.0} | {freq: 2.0 for freq in (1, 2, 4, 5, 6, 7, 8, 9)}
    snapshot = circle_network(P, amplitudes, "clock")
    assert find_keys(snapshot, "W_L").chosen == (3,)
    assert find_keys(snapshot).chosen == tuple(sorted(amplitudes))
    verdict = quick(snapshot)
    assert set(verdict.measured.keys) == set(amplitudes)
    assert verdict.explained > 0.999
    # Whoever names a rule gets what it chooses.
    assert find_verdict(snapshot, rule="W_L", full=False, triples=100).measured.keys == (3,)
