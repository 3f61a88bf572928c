"""Simple neurons: hand-built networks of them, of products, and of tables, which are none."""

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot
from verdict.circle_networks import circle_network

from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict.accounts import InGroup, meetings, neuron_accounts
from grokinterp.verdict.accounts._simple_form import Place, fit_simple


def found_in(snapshot: Snapshot):
    group = InGroup.of(snapshot)
    return neuron_accounts(meetings(snapshot, group), group)


@pytest.mark.parametrize("operation", ["add", "subtract"])
@pytest.mark.parametrize("kind", ["clock", "pizza"])
def test_circles_whose_neurons_are_simple_are_given_in_full(kind: str, operation: str) -> None:
    snapshot = circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, kind, operation=operation)
    found = found_in(snapshot)
    for account in found.values():
        assert account.scores.explained == pytest.approx(1, abs=1e-6)
        assert account.scores.accuracy == 1.0
        assert account.scores.loss_recovered == pytest.approx(1, abs=1e-4)
    simple = found["chinese_remainder"]
    assert set(simple.clusters) == {1, 2, 5}
    assert simple.neurons.r2 == pytest.approx(1, abs=1e-6)
    # Pizzas have a and b in phase: that is where b stands in its own direction.
    if kind == "pizza":
        apart = np.angle(simple.neurons.of_a / simple.neurons.of_b)
        assert apart == pytest.approx(0, abs=1e-5)


def product_network(p: int, freqs: tuple[int, ...]) -> Snapshot:
    """Neurons whose inputs are cos(w_k(a + b) + φ), in the second layer; those of the first are indicators of pairs."""
    task = Task(TaskConfig(p=p, equals_token=False, own_tokens_for_b=True, train_fraction=0.5))
    phases = 2 * np.pi * np.arange(8) / 8
    config = ModelConfig(architecture="mlp", n_layers=2, d_model=2 * p, d_mlp=p * p, outputs="answers")
    weights = {name: torch.zeros(tensor.shape) for name, tensor in initial_weights(config, task).items()}
    weights["embed.W_E"][: 2 * p] = torch.eye(2 * p)
    a, b = task.pairs.T
    weights["blocks.0.mlp.W_in"][a, range(p * p)] = 1.0
    weights["blocks.0.mlp.W_in"][p + b, range(p * p)] = 1.0
    weights["blocks.0.mlp.b_in"].fill_(-1.0)
    for number, (freq, phase) in enumerate((freq, phase) for freq in freqs for phase in phases):
        wave = np.cos(2 * np.pi * freq * (a + b) / p + phase)
        weights["blocks.1.mlp.W_in"][:, number] = torch.from_numpy(wave).float()
        out = np.cos(2 * np.pi * freq * np.arange(p) / p + phase)
        weights["unembed.W_U"][number] = torch.from_numpy(5 * out).float()
    return Snapshot(0, task, config, weights)


def test_products_are_no_sums_and_are_found_in_the_layer_that_forms_them() -> None:
    found = found_in(product_network(11, (1, 3, 4)))
    multiplied, added = found["neurons_multiply"], found["neurons_add"]
    assert multiplied.layer == 1
    assert multiplied.scores.explained == pytest.approx(1, abs=1e-6) and multiplied.scores.accuracy == 1.0
    assert added.scores.explained < 0.1 and found["chinese_remainder"].scores.accuracy < 0.2


@pytest.mark.parametrize("p", [13, 15])
def test_a_table_of_indicator_neurons_is_given_by_no_account_of_few_frequencies(p: int) -> None:
    snapshot = exact_snapshot(p, 30 * np.eye(p)[Task(TaskConfig(p=p)).answers])
    for account in found_in(snapshot).values():
        assert account.scores.explained < 0.85


def test_the_fast_moments_are_those_of_the_model() -> None:
    task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    snapshot = Snapshot(0, task, config, initial_weights(config, task))
    group = InGroup.of(snapshot)
    (place,) = next(meetings(snapshot, group)).places
    inputs = snapshot.activation("blocks.0.mlp.hook_pre").double().numpy().reshape(7, 7, -1)
    assert place.of_a == pytest.approx(inputs.mean(axis=1), abs=1e-6)
    assert place.of_b == pytest.approx(inputs.mean(axis=0), abs=1e-6)
    assert place.variance == pytest.approx(inputs.var(axis=(0, 1)), abs=1e-6)
    columns = np.concatenate([np.ones((7, 1)), np.random.default_rng(0).normal(size=(7, 2))], axis=1)
    rows, neurons = np.linalg.qr(columns)[0].T, np.array([3, 5])
    rows[0] = np.abs(rows[0])
    slow = np.einsum("ri,sj,ijm->rsm", rows, rows, inputs[:, :, neurons])
    assert place.coefficients(rows, neurons) == pytest.approx(slow, abs=1e-5)


def test_simple_forms_are_fitted_by_least_squares() -> None:
    n, random = 12, np.random.default_rng(0)
    inputs = random.normal(size=(n, n, 5))
    found = fit_simple(Place(inputs))
    i, j = np.indices((n, n)).reshape(2, -1)
    for neuron in range(5):
        shares = []
        for freq in range(1, n // 2 + 1):
            w = 2 * np.pi * freq / n
            columns = np.stack([np.ones(n * n), np.cos(w * i), np.sin(w * i), np.cos(w * j), np.sin(w * j)], axis=1)
            target = inputs[:, :, neuron].ravel()
            fitted = columns @ np.linalg.lstsq(columns, target, rcond=None)[0]
            shares.append(((fitted - target.mean()) ** 2).sum() / ((target - target.mean()) ** 2).sum())
        assert found.freq[neuron] == 1 + int(np.argmax(shares))
        assert found.r2[neuron] == pytest.approx(max(shares))
