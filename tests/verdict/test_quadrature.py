"""The pizza's neurons as a quadrature: exact where phases are even, with the hole and its filling, and manifolds."""

import numpy as np
import pytest
import torch
from circuits import circuit
from verdict.circle_networks import circle_network

from grokinterp.analysis import Places, find_keys
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import amplitude_by_distance
from grokinterp.verdict.accounts import accounts, manifold, quadrature


def sum_network(p: int, freq: int, phases: np.ndarray, *, secondary: float = 0.0, turn: float = 0.0, size: float = 3.0):
    """Neurons relu(cos(wa − φ) + cos(wb + turn − φ) + ε of 2w) that write cos(wc − 2φ), and no attention."""
    task = Task(TaskConfig(p=p, equals_token=False, own_tokens_for_b=True, train_fraction=0.5))
    config = ModelConfig(architecture="mlp", d_model=4, d_mlp=len(phases), outputs="answers")
    weights = {name: torch.zeros(tensor.shape) for name, tensor in initial_weights(config, task).items()}
    angle = 2 * np.pi * freq * np.arange(p) / p
    for start, own in ((0, angle), (p, angle + turn)):
        circles = np.stack([np.cos(own), np.sin(own), np.cos(2 * own), np.sin(2 * own)], axis=1)
        weights["embed.W_E"][start : start + p] = torch.from_numpy(circles).float()
    reads = [np.cos(phases), np.sin(phases), secondary * np.cos(2 * phases), secondary * np.sin(2 * phases)]
    weights["blocks.0.mlp.W_in"][:] = torch.from_numpy(np.stack(reads)).float()
    out = size * np.cos(angle[None] - 2 * phases[:, None] + turn) * 3 * np.pi / (2 * len(phases))
    weights["unembed.W_U"][:] = torch.from_numpy(out).float()
    return Snapshot(0, task, config, weights)


EVEN = 2 * np.pi * np.arange(48) / 48


def test_even_phases_give_the_integral_and_its_amplitudes() -> None:
    snapshot, n = sum_network(31, 3, EVEN), 31
    found = quadrature(snapshot, (3,))[3]
    assert found.locked == pytest.approx(1, abs=1e-6)
    assert found.error < 0.005 and found.error_of_arcs < 0.005
    pizza = 3 * np.abs(np.cos(np.pi * 3 * np.arange(n) / n))
    assert found.amplitude == pytest.approx(pizza, abs=0.01)
    assert found.secondary == pytest.approx(0, abs=1e-6)
    measured = amplitude_by_distance(snapshot.logits, Places.of(snapshot.task), 3)
    assert found.amplitude == pytest.approx(measured, abs=0.01)


@pytest.mark.parametrize("secondary", [-0.2, -0.1, 0.1])
def test_the_secondary_frequency_fills_or_digs_the_hole_as_predicted(secondary: float) -> None:
    snapshot = sum_network(31, 3, EVEN, secondary=secondary)
    found = quadrature(snapshot, (3,))[3]
    assert found.secondary == pytest.approx(secondary, abs=1e-5)
    assert found.secondary_freq == 6
    measured = amplitude_by_distance(snapshot.logits, Places.of(snapshot.task), 3)
    assert found.amplitude == pytest.approx(measured, abs=0.03)
    hole = np.abs(np.cos(np.pi * 3 * np.arange(31) / 31)).argmin()
    assert np.sign(measured[hole]) == -np.sign(secondary)
    assert found.without_secondary == pytest.approx(3 * np.abs(np.cos(np.pi * 3 * np.arange(31) / 31)), abs=0.02)


def test_few_or_crowded_phases_have_an_error_that_is_predicted() -> None:
    crowded = np.concatenate([EVEN[:24], [4.0, 5.0]])
    few, uneven = (quadrature(sum_network(31, 3, phases), (3,))[3] for phases in (EVEN[::12], crowded))
    assert few.error > 0.3
    # Arcs as weights would mend much of what equal weights spoil.
    assert uneven.error > 2 * uneven.error_of_arcs > 0.1
    assert uneven.arcs.sum() == pytest.approx(2 * np.pi)
    assert sorted(uneven.phases) == list(uneven.phases)


def test_the_account_needs_no_fit_and_a_product_has_none() -> None:
    found = {
        account.name: account for account in accounts(circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, "pizza"), (1, 2, 5))
    }
    assert found["quadrature"].explained > 0.99 and found["quadrature"].accuracy == 1.0
    for kind in ("product", "table"):
        snapshot = circuit(kind, 31, 0).snapshot
        found = {account.name: account for account in accounts(snapshot, find_keys(snapshot).chosen)}
        assert found["quadrature"].explained < 0.5


def test_equal_phases_lie_on_a_disc_and_independent_ones_on_a_torus() -> None:
    disc = manifold(sum_network(31, 3, EVEN, turn=0.7), 3)
    assert disc.kind == "disc" and disc.rank == 2
    assert disc.alignment == pytest.approx(1, abs=1e-6) and abs(disc.offset) == pytest.approx(0.7, abs=1e-5)
    assert disc.disc == pytest.approx(disc.torus, abs=1e-6) and disc.disc > 0.5
    assert disc.weight == pytest.approx(1)
    # What is read of it is a function of the answer: the disc is gone.
    assert disc.disc_read < 0.05
    torus = manifold(torus_network(31, 3), 3)
    assert torus.kind == "torus" and torus.rank == 4
    assert torus.disc < 0.7 * torus.torus
    assert manifold(torus_network(31, 3), 5) is None


def torus_network(p: int, freq: int) -> Snapshot:
    """Neurons relu(cos(wa − φ) + cos(wb − φ′)) on a grid of phases, which write cos(wc − φ − φ′)."""
    task = Task(TaskConfig(p=p, equals_token=False, own_tokens_for_b=True, train_fraction=0.5))
    first, second = np.meshgrid(2 * np.pi * np.arange(8) / 8, 2 * np.pi * np.arange(8) / 8)
    first, second = first.ravel(), second.ravel()
    config = ModelConfig(architecture="mlp", d_model=4, d_mlp=len(first), outputs="answers")
    weights = {name: torch.zeros(tensor.shape) for name, tensor in initial_weights(config, task).items()}
    angle = 2 * np.pi * freq * np.arange(p) / p
    for start in (0, p):
        column = 2 * (start > 0)
        weights["embed.W_E"][start : start + p, column] = torch.from_numpy(np.cos(angle)).float()
        weights["embed.W_E"][start : start + p, column + 1] = torch.from_numpy(np.sin(angle)).float()
    reads = np.stack([np.cos(first), np.sin(first), np.cos(second), np.sin(second)])
    weights["blocks.0.mlp.W_in"][:] = torch.from_numpy(reads).float()
    weights["unembed.W_U"][:] = torch.from_numpy(np.cos(angle[None] - (first + second)[:, None])).float()
    return Snapshot(0, task, config, weights)


def test_manifolds_are_of_circles_of_sums() -> None:
    squares = Task(TaskConfig(p=7, operation="x2+y2"))
    config = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    with pytest.raises(GrokinterpError, match="manifolds of circles need answers that are sums in a cyclic group"):
        manifold(Snapshot(0, squares, config, initial_weights(config, squares)), 1)
    sums = Task(TaskConfig(p=7))
    with pytest.raises(GrokinterpError, match=r"freq = 4: needs a frequency of Z_7, 1 … 3"):
        manifold(Snapshot(0, sums, config, initial_weights(config, sums)), 4)
