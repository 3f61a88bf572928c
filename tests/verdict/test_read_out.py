"""How the answer is read out, on tables whose parts are known in closed form, and what no read-out explains."""

import numpy as np
import pytest
from circuits import NOTHING, circuit, nothing
from exact_network import cosine_logits, exact_snapshot
from verdict.circle_networks import circle_network

from grokinterp.analysis import Places, find_keys
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import with_random_weights, with_shuffled_answers
from grokinterp.verdict.accounts import Account, InGroup, accounts, average_over_sums, read_out, residues, restricted

TASKS = [
    TaskConfig(p=13),
    TaskConfig(p=12),
    TaskConfig(p=13, operation="subtract"),
    TaskConfig(p=13, operation="multiply"),
    TaskConfig(operation="compose", group="Z3xZ5"),
]
NAMES = [f"{config.operation} {config.group or config.p}" for config in TASKS]


def of_table(task: Task, table: np.ndarray) -> InGroup:
    """Logits that are row s of `table`, by elements, for all pairs with answer s; a mean per pair on top of it."""
    places, outputs = Places.of(task), task.structure.outputs
    logits = np.zeros((task.n_pairs, task.n_answers))
    inside = places.element >= 0
    logits[np.ix_(inside, outputs)] = table[places.element[inside]]
    return InGroup(logits + np.random.default_rng(1).normal(size=(task.n_pairs, 1)), places)


def angles(n: int, freq: int) -> tuple[np.ndarray, np.ndarray]:
    w = 2 * np.pi * freq / n
    return w * np.arange(n)[:, None], w * np.arange(n)[None]


@pytest.mark.parametrize("config", TASKS, ids=NAMES)
def test_an_ellipse_and_a_bias_are_read_exactly(config: TaskConfig) -> None:
    task = Task(config)
    n, random = task.structure.n, np.random.default_rng(0)
    table, maps = random.normal(size=n) * np.ones((n, 1)), {freq: random.normal(size=(2, 2)) for freq in (1, 2)}
    for freq, gains in maps.items():
        s, c = angles(n, freq)
        left, right = np.stack([np.cos(s), np.sin(s)], axis=2), np.stack([np.cos(c), np.sin(c)], axis=2)
        table = table + np.einsum("sxi,ij,xcj->sc", left, gains, right)
    group = of_table(task, table)
    found = restricted(group, (1, 2))
    assert found.scores.explained == 1.0
    assert found.table == pytest.approx(table - table.mean(axis=1, keepdims=True), abs=1e-9)
    assert found.parameters == n + 8
    for freq, gains in maps.items():
        assert found.gains[freq] == pytest.approx(np.linalg.svd(gains, compute_uv=False))
    # One frequency too few leaves exactly what that one gives.
    missing = np.linalg.norm(maps[2]) ** 2 * n / 2 * n / 2
    share = 1 - missing / ((table - table.mean(axis=1, keepdims=True)) ** 2).sum()
    assert restricted(group, (1,)).scores.explained == pytest.approx(share)


def test_parts_are_orthogonal_and_add_up() -> None:
    task, n = Task(TaskConfig(p=13)), 13
    (s, c), (_, other) = angles(n, 2), angles(n, 5)
    table = (
        4 * np.cos(s - c + 1) + 3 * np.cos(s + c) + 2 * np.cos(s) * np.cos(other) + np.cos(3 * c) + np.cos(2 * s - c)
    )
    a, b = task.pairs.T
    logits = table[task.answers] + 1.5 * np.cos(2 * np.pi * ((a - b)[:, None] * 3 - 2 * np.arange(n)) / n)
    found = average_over_sums(InGroup(logits, Places.of(task)), (2,))
    expected = {"rotation": 8, "reflection": 4.5, "harmonics": 1, "bias": 0.5, "other": 0.5, "distance": 1.125}
    total = sum(expected.values())
    assert found.parts == pytest.approx({name: value / total for name, value in expected.items()})
    assert sum(found.parts.values()) == pytest.approx(1)
    assert found.scores.explained == pytest.approx(1 - 1.125 / total)
    assert found.parameters == n**2


@pytest.mark.parametrize("config", TASKS, ids=NAMES)
def test_any_curve_over_the_answers_is_read_out(config: TaskConfig) -> None:
    task = Task(config)
    n, random = task.structure.n, np.random.default_rng(3)
    s, _ = angles(n, 2)
    table = random.normal(size=(1, n)) + np.cos(s) * random.normal(size=(1, n)) + np.sin(s) * random.normal(size=(1, n))
    found = read_out(of_table(task, table))
    assert found.keys == (2,) and found.parameters == 3 * n
    assert found.scores.explained == 1.0
    assert restricted(of_table(task, table), (2,)).scores.explained < 0.9


@pytest.mark.parametrize("n", [6, 7, 12, 31])
def test_a_read_out_never_takes_more_than_half_of_all_numbers(n: int) -> None:
    group = of_table(Task(TaskConfig(p=n)), np.random.default_rng(0).normal(size=(n, n)))
    found = read_out(group)
    assert found.parameters <= n**2 / 2
    assert found.scores.explained < 0.85
    assert average_over_sums(group, ()).scores.explained == 1.0


def test_tables_of_right_answers_are_no_explanation() -> None:
    snapshot = exact_snapshot(31, 30 * np.eye(31)[Task(TaskConfig(p=31)).answers])
    found = {account.name: account for account in accounts(snapshot, (1, 2, 3))}
    assert found["lookup"].explained == found["sum"].explained == 1.0
    assert not found["lookup"].is_explanation and not found["sum"].is_explanation
    assert not any(passes(account) for account in found.values() if account.is_explanation)


def passes(account: Account) -> bool:
    return account.explained >= 0.85 and account.loss_recovered >= 0.9 and account.accuracy >= 0.99


def test_scores_are_those_of_the_network_that_is_replaced() -> None:
    snapshot = circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, "0.5", noise=0.02)
    group, task = InGroup.of(snapshot), snapshot.task
    found = restricted(group, (1, 2, 5))
    logits = found.table[task.answers]
    own = snapshot.logits - snapshot.logits.mean(axis=1, keepdims=True)
    assert found.scores.explained == pytest.approx(1 - ((logits - own) ** 2).sum() / (own**2).sum(), abs=1e-6)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(169), task.answers]
    assert found.scores.loss == pytest.approx(losses.mean(), rel=1e-9)
    assert found.scores.accuracy == (logits.argmax(axis=1) == task.answers).mean()


@pytest.mark.parametrize("seed", range(20))
def test_networks_that_know_nothing_pass_no_account(seed: int) -> None:
    """Random weights, and a network that answers otherwise than the task: none of the accounts predicts its answers."""
    snapshot = circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, "clock")
    for null in (with_random_weights(snapshot, seed=seed), with_shuffled_answers(snapshot, seed=seed)):
        assert not any(passes(account) for account in accounts(null, (1, 2, 5)))


@pytest.mark.parametrize("kind", sorted(NOTHING))
@pytest.mark.parametrize("seed", range(3))
def test_circuits_that_hold_nothing_pass_no_account(kind: str, seed: int) -> None:
    snapshot = nothing(kind, (15, 30, 31)[seed], seed).snapshot
    keys = find_keys(snapshot).chosen or (1, 2, 3)
    assert [account.name for account in accounts(snapshot, keys) if account.is_explanation and passes(account)] == []


def test_residues_are_told_apart_by_their_moduli() -> None:
    task = Task(TaskConfig(p=15))
    s, c = np.indices((15, 15))
    table = 3.0 * (s % 3 == c % 3) + 2.0 * (s % 5 == c % 5)
    found = residues(of_table(task, table))
    assert found.moduli == (3, 5) and found.scores.explained == 1.0
    assert found.parameters == (3 * 3 - 3) + (5 * 5 - 5)
    # Squares of the two parts: n² · 3² · (1/3)(2/3), and so on.
    by_three, by_five = 9 * (1 / 3) * (2 / 3), 4 * (1 / 5) * (4 / 5)
    assert found.parts["mod 3"] == pytest.approx(by_three / (by_three + by_five))
    assert found.parts["mod 15"] == pytest.approx(0, abs=1e-12)
    assert residues(of_table(Task(TaskConfig(p=13)), np.eye(13))) is None
    # A clock of a frequency prime to 15 is none of residues.
    clock = np.cos(2 * np.pi * 2 * (s - c) / 15)
    assert residues(of_table(task, clock)).scores.explained == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("n", [6, 12, 15, 30, 35])
def test_circuits_of_cosets_are_given_by_cosets(n: int) -> None:
    snapshot = circuit("cosets", n, 0).snapshot
    found = {account.name: account for account in accounts(snapshot, find_keys(snapshot).chosen)}
    assert passes(found["cosets"])


def test_subtraction_is_read_in_its_own_sum() -> None:
    logits = cosine_logits(13, {3: 5.0}, "subtract")
    snapshot = exact_snapshot(13, logits, "subtract")
    assert restricted(InGroup.of(snapshot), (3,)).scores.explained == pytest.approx(1, abs=1e-9)
