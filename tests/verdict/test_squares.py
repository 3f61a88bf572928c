"""Tasks that are no product in a group: hand-built networks of squares, and what layers keep of a, b and the answer."""

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot

from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import find_verdict
from grokinterp.verdict._judge import SQUARES
from grokinterp.verdict._prediction import NO_EXPLANATION, SIMPLEST_FIRST
from grokinterp.verdict.accounts import Account, accounts, accounts_without_product, kept_by_layer
from grokinterp.verdict.accounts._accounts import SAYS
from grokinterp.verdict.accounts._kept import _kept
from grokinterp.verdict.accounts._squares import _of_factors

PHASES = 2 * np.pi * np.arange(16) / 16


def square_network(p: int, freqs: tuple[int, ...], operation: str = "x2+y2") -> Snapshot:
    """Neurons relu(cos(w a² − φ) + cos(w b² − φ)) that write cos(w c − 2φ): pizzas of the squares."""
    task = Task(TaskConfig(p=p, operation=operation, equals_token=False, train_fraction=0.5))
    neurons = [(freq, phase) for freq in freqs for phase in PHASES]
    config = ModelConfig(architecture="mlp", d_model=2 * len(freqs), d_mlp=len(neurons), outputs="answers")
    weights = {name: torch.zeros(tensor.shape) for name, tensor in initial_weights(config, task).items()}
    x = np.arange(p)
    for number, freq in enumerate(freqs):
        angle = 2 * np.pi * freq * x**2 / p
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        weights["embed.W_E"][:p, 2 * number : 2 * number + 2] = torch.from_numpy(circle).float()
    for neuron, (freq, phase) in enumerate(neurons):
        place = 2 * freqs.index(freq)
        weights["blocks.0.mlp.W_in"][place : place + 2, neuron] = torch.tensor([np.cos(phase), np.sin(phase)]).float()
        out = 3 * np.cos(2 * np.pi * freq * x / p - 2 * phase)
        weights["unembed.W_U"][neuron] = torch.from_numpy(out).float()
    return Snapshot(0, task, config, weights)


def by_name(snapshot: Snapshot, keys: tuple[int, ...] = ()) -> dict[str, Account]:
    return {account.name: account for account in accounts_without_product(snapshot, keys)}


def test_pizzas_of_squares_are_given_by_simple_neurons_of_squares() -> None:
    snapshot = square_network(23, (1, 3, 4, 5, 9))
    found = by_name(snapshot, (1, 3, 4, 5, 9))
    for name in ("squares", "products", "even"):
        assert found[name].explained == pytest.approx(1, abs=1e-6)
        assert found[name].loss_recovered == pytest.approx(1, abs=1e-4)
    assert found["squares"].numbers == 6 and found["even"].numbers == 12**2
    assert found["characters_of_squares"].explained < 0.3
    assert "norm" not in found
    assert accounts(snapshot, (1, 3)) == ()


def test_a_network_of_sums_is_none_of_squares() -> None:
    task = Task(TaskConfig(p=23, operation="x2+y2"))
    snapshot = exact_snapshot(task, 20 * np.eye(23)[task.answers])
    found = by_name(snapshot)
    for name in ("squares", "products", "characters_of_squares"):
        assert found[name].explained < 0.5 and found[name].accuracy < 0.5
    assert not found["lookup"].is_explanation and found["lookup"].explained == 1.0
    assert found["sum"].explained == pytest.approx(1) and not found["sum"].is_explanation


@pytest.mark.parametrize(("p", "factors"), [(7, True), (13, True), (11, False), (23, False)])
def test_the_form_factors_where_minus_three_is_a_square(p: int, factors: bool) -> None:
    task = Task(TaskConfig(p=p, operation="x2+xy+y2"))
    assert factors == any((x * x + 3) % p == 0 for x in range(p))
    found = by_name(exact_snapshot(task, 20 * np.eye(p)[task.answers]))
    assert ("norm" in found) == factors


def test_neurons_of_the_factors_are_given_by_the_norm() -> None:
    p, omega = 7, 2
    task = Task(TaskConfig(p=p, operation="x2+xy+y2"))
    a, b = task.pairs.T
    assert ((a - omega * b) * (a - omega**2 * b) % p == task.answers).all()
    random = np.random.default_rng(0)
    f, g = random.normal(size=(2, p, 3))
    i, j = np.indices((p, p))
    grid = f[(i - omega * j) % p] + g[(i - omega**2 * j) % p]
    assert _of_factors(grid, (omega, omega**2 % p)) == pytest.approx(grid)
    noise = random.normal(size=(p, p, 3))
    assert (_of_factors(noise, (omega, 4)) ** 2).sum() < 0.6 * (noise**2).sum()


@pytest.mark.parametrize("seed", range(10))
def test_random_weights_pass_none(seed: int) -> None:
    task = Task(TaskConfig(p=11, operation="x2+y2"))
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32, seed=seed)
    found = accounts_without_product(Snapshot(0, task, config, initial_weights(config, task)), (1, 2))
    assert found and not any(one.explained >= 0.85 and one.accuracy >= 0.99 for one in found)


def test_what_layers_keep_is_known_of_exact_networks() -> None:
    task = Task(TaskConfig(p=7))
    kept = {place.hook: place for place in kept_by_layer(exact_snapshot(task, 20 * np.eye(7)[task.answers]))}
    inputs, logits = kept["blocks.0.mlp.hook_pre"], kept["logits"]
    # [a = i] + [b = j]: half is a function of a, half of b.
    assert inputs.of_a == pytest.approx(0.5) and inputs.of_b == pytest.approx(0.5)
    assert logits.of_answer == pytest.approx(1) and logits.of_a == pytest.approx(0, abs=1e-9)
    assert logits.chance_a == pytest.approx(6 / 48)
    random = np.random.default_rng(0).normal(size=(49, 200))
    found = _kept("here", random, (*task.pairs.T, task.answers))
    assert found.of_a == pytest.approx(found.chance_a, abs=0.02)
    assert np.isnan(_kept("flat", np.ones((49, 2)), (*task.pairs.T, task.answers)).of_a)


def test_the_verdict_says_what_neurons_see_of_squares() -> None:
    keys = (1, 3, 4, 5, 9)
    verdict = find_verdict(square_network(23, keys), full=False)
    assert verdict.label == "squares" and verdict.judgement.supported_by == ["the embedding"]
    assert verdict.measured.even_embedding == pytest.approx(1)
    assert "answers (a² + b²) mod 23 by neurons that see one cosine of a² and of b²" in verdict.headline
    assert [place["hook"] for place in verdict.to_dict()["kept"]] == [place.hook for place in verdict.measured.kept]
    assert any("of the variance at logits" in reason for reason in verdict.judgement.reasons_for)


def test_no_account_of_squares_gives_a_table_a_label() -> None:
    task = Task(TaskConfig(p=23, operation="x2+y2"))
    verdict = find_verdict(exact_snapshot(task, 20 * np.eye(23)[task.answers]), full=False)
    assert verdict.label == "unexplained"
    kept = {place.hook: place for place in verdict.measured.kept}
    assert kept["logits"].of_answer == pytest.approx(1)
    assert sum("of the variance at " in reason for reason in verdict.judgement.reasons_against) == len(kept)


@pytest.mark.parametrize("operation", ["x2+y2", "x3+xy"])
def test_untrained_networks_on_such_tasks_get_no_label(operation: str) -> None:
    task = Task(TaskConfig(p=11, operation=operation))
    config = ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=32)
    verdict = find_verdict(Snapshot(0, task, config, initial_weights(config, task)))
    assert verdict.label == "not generalised"


def test_every_account_has_a_place_among_the_others() -> None:
    """Those of groups that are not cyclic have a rule of their own."""
    of_groups = {"characters", "irrep", "coset"}
    assert {*SIMPLEST_FIRST, *NO_EXPLANATION, *SQUARES, *of_groups} == SAYS.keys()
