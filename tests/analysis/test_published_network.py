"""Values of a released network of Nanda et al., computed independently in float64 by others."""

import numpy as np
import pytest
from nanda_files import nanda_snapshot

from grokinterp.analysis import (
    Places,
    ProgressMeasures,
    accuracy,
    decompose_logits,
    embedding_spectrum,
    find_keys,
    logit_map,
    logit_map_spectrum,
    loss,
    neuron_irreps,
    sums_of_squared_weights,
)
from grokinterp.runs import Snapshot

KEYS = (6, 23, 37, 39, 41)


@pytest.fixture(scope="module")
def snapshot(shared_data) -> Snapshot:
    path = shared_data / "nanda" / "wd_10-1_mod_addition_loss_curve.pth"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return nanda_snapshot(path, split_seed=1)[0]


@pytest.fixture(scope="module")
def progress(snapshot) -> ProgressMeasures:
    return ProgressMeasures.of(snapshot)


def test_the_recovered_split_is_seed_1(snapshot):
    assert snapshot.task.split.hash == "ab77910573740b2c"


@pytest.mark.parametrize(("data", "published"), [("all", 3.519741e-7), ("train", 9.202424e-9), ("test", 4.988379e-7)])
def test_losses_are_the_published_ones(snapshot, data, published):
    assert loss(snapshot.logits, snapshot.task, data) == pytest.approx(published, rel=1e-4)
    assert accuracy(snapshot.logits, snapshot.task, data) == 1.0


def test_key_frequencies_by_every_rule(snapshot):
    keys = find_keys(snapshot).by_rule
    assert keys.W_L == KEYS
    assert len(keys.W_E) == 10
    assert len(keys.argmax) == 10
    assert keys.clusters == KEYS


def test_neuron_clusters_have_the_published_sizes(snapshot):
    neurons = neuron_irreps(snapshot)
    assert {k: len(members) for k, members in neurons.clusters().items()} == {6: 47, 23: 31, 37: 65, 39: 11, 41: 31}
    assert len(neurons.unclustered()) == 327


def test_spectra_and_gini_are_the_published_ones(snapshot):
    W_E, W_L = embedding_spectrum(snapshot), logit_map_spectrum(snapshot)
    for spectrum, published in (
        (W_E, {23: 6.84, 6: 5.75, 37: 5.47, 41: 5.32, 39: 5.00, 46: 2.53}),
        (W_L, {23: 37.69, 6: 24.28, 41: 21.59, 39: 20.66, 37: 19.42, 54: 3.03}),
    ):
        for k, norm in published.items():
            assert spectrum.irrep_norms[k] == pytest.approx(norm, abs=0.006)
    assert (W_E.gini_components, W_L.gini_components) == pytest.approx((0.5386, 0.7576), abs=6e-5)
    assert (W_E.gini_irreps, W_L.gini_irreps) == pytest.approx((0.5265, 0.7500), abs=6e-5)


def test_restricted_losses_are_the_published_ones(progress):
    for data, published in (("all", 2.2011e-9), ("train", 2.092e-9), ("test", 2.248e-9)):
        assert progress.restricted(KEYS, data) == pytest.approx(published, rel=1e-3)


def test_excluded_losses_are_the_published_ones(progress):
    assert progress.excluded(KEYS) == pytest.approx(8.3854, rel=1e-4)
    published = {6: 0.02926, 23: 1.1758, 37: 4.356e-4, 39: 6.548e-5, 41: 2.608e-4}
    for k, value in published.items():
        assert progress.excluded([k]) == pytest.approx(value, rel=1e-3)


def test_logit_decomposition_is_the_published_one(snapshot):
    logits = decompose_logits(snapshot.logits, Places.of(snapshot.task), KEYS)
    np.testing.assert_allclose(logits.coefficients[list(KEYS)], [7962.9, 26586.0, 5779.6, 4289.8, 5153.5], rtol=1e-4)
    assert logits.variance_explained == pytest.approx(0.9748, abs=6e-5)
    assert np.sum(logits.cosine_similarity[list(KEYS)] ** 2) == pytest.approx(0.9748, abs=6e-5)


def test_logit_map_residual_and_weight_norm_are_the_published_ones(snapshot):
    assert logit_map(snapshot, KEYS, {}).residual_fraction == pytest.approx(0.0996, abs=6e-5)
    assert sum(sums_of_squared_weights(snapshot.weights).values()) == pytest.approx(1180.966, abs=2e-3)


def test_single_logits_are_the_published_ones(snapshot):
    row = snapshot.logits[3 * 113 + 5]
    np.testing.assert_allclose(row[[0, 1, 8]], [-34.6811, -44.0974, 59.3547], atol=2e-4)
