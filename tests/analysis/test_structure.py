"""Spectra, neurons, W_L, attention and weights against slow oracles and networks with known answers."""

import numpy as np
import pytest
import torch
from exact_network import cosine_logits, exact_snapshot
from oracles import block_share

from grokinterp.analysis import (
    BestIrreps,
    Places,
    Spectrum,
    attention,
    best_irreps,
    embedding_circle,
    embedding_singular_values,
    embedding_spectrum,
    find_keys,
    irreps_above_quarter,
    logit_map,
    logit_map_spectrum,
    mean_attention,
    neuron_irreps,
    neuron_spectrum,
    sums_of_squared_weights,
)
from grokinterp.fourier import FourierBasis
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig


@pytest.mark.parametrize("p", [5, 8, 9])
def test_shares_are_least_squares_fits(p):
    functions = np.random.default_rng(p).normal(size=(p * p, 6)).astype(np.float32) + 2.0
    found = best_irreps(functions, Places.of(Task(TaskConfig(p=p))), chunk=4)
    for neuron in range(6):
        expected = [block_share(functions[:, neuron].astype(np.float64), p, k) for k in range(1, p // 2 + 1)]
        np.testing.assert_allclose(found.share[neuron], expected, atol=1e-6)
        assert found.irrep[neuron] == np.argmax(expected) + 1


def test_a_degree_2_polynomial_of_one_frequency_is_fully_explained():
    p, w = 11, 2 * np.pi / 11
    a, b = np.indices((p, p)).reshape(2, -1)
    neuron = 5 + np.cos(3 * w * a + 0.4) + 2 * np.sin(3 * w * b) - np.cos(3 * w * (a + b) + 1.0)
    mixed = neuron + np.cos(4 * w * a) * np.sqrt(np.var(neuron) * 1.5)
    functions = np.stack([neuron, mixed, np.full(p * p, 0.3)], axis=1)
    found = best_irreps(functions, Places.of(Task(TaskConfig(p=p))))
    assert found.irrep[:2].tolist() == [3, 3]
    np.testing.assert_allclose(found.variance_explained, [1.0, 4 / 7, 0.0], atol=1e-6)
    assert found.clusters() == {3: [0]}
    assert found.clusters(0.0) == {3: [0, 1]}
    assert found.unclustered() == [1, 2]


def test_a_delta_neuron_spreads_evenly_over_all_blocks():
    """Neuron (i, j) of the exact network fires for one pair: each 3×3 block has 8 of p² − 1 equal components."""
    found = neuron_irreps(exact_snapshot(7))
    np.testing.assert_allclose(found.share, 8 / 48, atol=1e-6)
    assert found.clusters() == {}


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.85, 1.1])
def test_clusters_divide_the_neurons(threshold):
    found = BestIrreps(np.random.default_rng(0).uniform(size=(50, 8)))
    members = [neuron for cluster in found.clusters(threshold).values() for neuron in cluster]
    assert sorted([*members, *found.unclustered(threshold)]) == list(range(50))


def test_the_spectrum_is_the_dense_transform():
    matrix = np.random.default_rng(0).normal(size=(10, 4))
    found = Spectrum.of(matrix, FourierBasis(10))
    components = np.linalg.norm(FourierBasis(10).matrix @ matrix, axis=1)
    np.testing.assert_allclose(found.component_norms, components, atol=1e-12)
    assert found.irrep_norms[0] == pytest.approx(components[0])
    assert found.irrep_norms[5] == pytest.approx(components[9])  # Nyquist: a cos row alone.
    assert found.irrep_norms[2] == pytest.approx(np.hypot(components[3], components[4]))
    assert np.sum(found.irrep_norms**2) == pytest.approx(np.sum(matrix**2))


def test_one_hot_embeddings_have_a_flat_spectrum():
    found = embedding_spectrum(exact_snapshot(7))
    np.testing.assert_allclose(found.component_norms, 1.0, atol=1e-12)
    assert found.gini_components == pytest.approx(0.0, abs=1e-12)


def with_embedding(W_E: np.ndarray) -> Snapshot:
    """A network whose embedding alone matters; the last row is that of `=`."""
    task, config = Task(TaskConfig(p=len(W_E))), ModelConfig(n_heads=1, d_head=W_E.shape[1], d_model=W_E.shape[1])
    rows = torch.from_numpy(np.vstack([W_E, np.ones(W_E.shape[1])])).float()
    return Snapshot(step=0, task=task, config=config, weights={**initial_weights(config, task), "embed.W_E": rows})


def test_circles_are_round_for_an_embedding_on_circles():
    p, k = 11, 3
    angle = 2 * np.pi * k * np.arange(p) / p
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 3)))[0].T
    W_E = 2 * np.cos(angle)[:, None] * directions[0] + 2 * np.sin(angle)[:, None] * directions[1] + 5 * directions[2]
    expected = np.stack([2 * np.cos(angle), 2 * np.sin(angle)], axis=1)
    np.testing.assert_allclose(embedding_circle(with_embedding(W_E), k), expected, atol=1e-6)


def test_circles_of_a_single_direction_are_flat():
    W_E = np.random.default_rng(0).standard_normal((6, 4))
    assert not embedding_circle(with_embedding(W_E), 3)[:, 1].any()
    assert embedding_circle(with_embedding(W_E[:, :1]), 1).shape == (6, 2)


def test_a_neuron_spectrum_is_the_dense_transform_by_blocks():
    snapshot = exact_snapshot(5)
    norms = neuron_spectrum(snapshot, 7)
    grid = snapshot.neurons[:, 7].reshape(5, 5).astype(np.float64)
    dense = FourierBasis(5).matrix @ (grid - grid.mean()) @ FourierBasis(5).matrix.T
    assert norms[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert norms[1, 2] == pytest.approx(np.linalg.norm(dense[1:3, 3:5]))
    assert norms[2, 0] == pytest.approx(np.linalg.norm(dense[3:5, 0]))


def test_W_L_of_an_exact_network_is_known():
    p, alphas = 11, {2: 3.0, 5: 1.0}
    snapshot = exact_snapshot(p, cosine_logits(p, alphas))
    found = logit_map_spectrum(snapshot)
    for k in range(1, 6):
        # Column (i, j) is α cos(w(i + j − c)): norm α √(p/2) for each of the p² neurons.
        assert found.irrep_norms[k] == pytest.approx(alphas.get(k, 0.0) * np.sqrt(p / 2) * p, abs=1e-4)
    assert irreps_above_quarter(found.component_norms, FourierBasis(p)) == (2, 5)
    clusters = {2: list(range(11)), 5: list(range(11, 121))}
    structure = logit_map(snapshot, (2, 5), clusters)
    assert structure.rank == 4
    assert structure.residual_fraction == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(
        structure.singular_values[:4], np.sqrt(p / 2) * p * np.array([3, 3, 1, 1]) / 2**0.5, rtol=1e-5
    )
    # u_k reads α cos(w(i + j)) from the one neuron that fires: all of it is the cosine of the sum.
    for shares in structure.variance_explained.values():
        np.testing.assert_allclose(shares, 1.0, atol=1e-6)
    assert logit_map(snapshot, (2,), {}).residual_fraction == pytest.approx(1 / np.sqrt(10), rel=1e-5)
    for shares in structure.norm_by_cluster.values():
        np.testing.assert_allclose([shares[2], shares[5], shares[0]], [1 / 11, 10 / 11, 0.0], atol=1e-6)


def test_the_u_v_check_fails_on_the_wrong_task():
    snapshot = exact_snapshot(11, cosine_logits(11, {2: 3.0}, "add"), "subtract")
    assert max(logit_map(snapshot, (2,), {}).variance_explained[2]) < 0.05


def test_the_u_v_check_says_nothing_of_a_frequency_that_W_L_does_not_have():
    found = logit_map(exact_snapshot(11, cosine_logits(11, {2: 3.0})), (1, 2), {})
    assert found.variance_explained[1] == [0.0, 0.0]
    assert min(found.variance_explained[2]) > 0.999


def test_rules_for_key_frequencies_side_by_side():
    p = 29
    snapshot = exact_snapshot(p, cosine_logits(p, {2: 3.0, 5: 1.0, 3: 0.5}))
    found = find_keys(snapshot)
    keys = found.by_rule
    assert (found.rule, found.chosen) == ("W_L", (2, 5))
    assert keys.W_L == keys.by_rule("W_L") == (2, 5)  # .5 is below a quarter of 3.
    assert keys.logits == (2, 3, 5)
    assert set(keys.W_E) == set(range(1, 15))  # One-hot codes: all equal.
    assert keys.clusters == ()
    assert irreps_above_quarter(np.zeros(7), FourierBasis(7)) == ()


def test_attention_of_the_exact_network_is_one_hot_and_constant():
    snapshot = exact_snapshot(7)
    np.testing.assert_allclose(mean_attention(snapshot), [[1, 0, 0], [0, 1, 0]], atol=1e-7)
    np.testing.assert_allclose(attention(snapshot).to_a.variance_explained, 0.0)


def test_random_control_has_the_norm_of_the_embedding():
    found = embedding_singular_values(exact_snapshot(7))
    assert np.sum(found.control**2) == pytest.approx(np.sum(found.values**2))
    np.testing.assert_allclose(found.values, 1.0)
    assert found.control[0] > 1.2
    np.testing.assert_array_equal(found.control, embedding_singular_values(exact_snapshot(7)).control)


def test_sums_of_squares_keep_full_names_when_short_ones_collide():
    weights = {"blocks.0.mlp.W_in": torch.ones(2, 2), "blocks.1.mlp.W_in": torch.ones(3)}
    assert sums_of_squared_weights(weights) == {"blocks.0.mlp.W_in": 4.0, "blocks.1.mlp.W_in": 3.0}
