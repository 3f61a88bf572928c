"""Projections, restricted and excluded loss and the logits' decomposition against slow oracles and exact networks."""

import numpy as np
import pytest
import torch
from exact_network import cosine_logits, exact_snapshot
from oracles import cosine_cube, mean_cross_entropy, project_2d, project_3d

from grokinterp.analysis import (
    Places,
    ProgressMeasures,
    answer_component,
    character_component,
    decompose_logits,
    loss,
    mean_by_answer,
)
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.training import train


def all_frequencies(p: int) -> range:
    return range(1, p // 2 + 1)


CASES = [(5, "add"), (7, "subtract"), (8, "add"), (11, "add"), (2, "add"), (3, "subtract")]


def random_case(p: int, operation: str) -> tuple[Task, np.ndarray]:
    rng = np.random.default_rng(p)
    return Task(TaskConfig(p=p, operation=operation, train_fraction=0.5)), rng.normal(size=(p * p, p))


@pytest.mark.parametrize(("p", "operation"), CASES)
def test_a_table_is_the_projection_of_all_pairs(p, operation):
    task, logits = random_case(p, operation)
    for frequencies in ([1], list(all_frequencies(p))):
        table = answer_component(mean_by_answer(logits, Places.of(task)), frequencies, task.structure)
        np.testing.assert_allclose(table[task.answers], project_2d(logits, task.table, frequencies), atol=1e-12)


@pytest.mark.parametrize(("p", "operation"), CASES)
def test_a_cosine_table_is_the_projection_on_the_cube(p, operation):
    task, logits = random_case(p, operation)
    for frequencies in ([1], list(all_frequencies(p))):
        table = character_component(mean_by_answer(logits, Places.of(task)), frequencies, task.structure)
        np.testing.assert_allclose(table[task.answers], project_3d(logits, task.table, frequencies), atol=1e-12)


@pytest.mark.parametrize(("p", "operation"), CASES)
def test_the_decomposition_is_the_inner_products_with_the_cube(p, operation):
    task, logits = random_case(p, operation)
    logits = logits + 3.0  # An offset the softmax ignores.
    found = decompose_logits(logits, Places.of(task), (1,))
    centred = logits - logits.mean(axis=1, keepdims=True)
    for k in all_frequencies(p):
        cube = cosine_cube(task.table, k)
        v = np.sum(cube * logits)
        assert found.coefficients[k] == pytest.approx(v, abs=1e-10)
        np.testing.assert_allclose(found.amplitudes[k] * np.ptp(cube), v * np.ptp(cube) * cube.max(), atol=1e-10)
        assert found.cosine_similarity[k] == pytest.approx(v / np.linalg.norm(logits), abs=1e-12)
        assert found.share[k] == pytest.approx((v / np.linalg.norm(centred)) ** 2, abs=1e-12)
    residual = centred - project_3d(logits, task.table, [1])
    assert found.residual == pytest.approx(np.linalg.norm(residual) / np.linalg.norm(centred), abs=1e-9)


def test_all_frequencies_of_random_logits_explain_what_chance_would():
    """⌊p/2⌋ directions of a (p² · (p − 1))-dimensional space: the share is near their ratio."""
    shares = []
    for seed in range(20):
        task = Task(TaskConfig(p=13))
        logits = np.random.default_rng(seed).normal(size=(169, 13))
        shares.append(decompose_logits(logits, Places.of(task), tuple(all_frequencies(13))).variance_explained)
    assert np.mean(shares) == pytest.approx(6 / (169 * 12), rel=0.5)


@pytest.mark.parametrize("operation", ["add", "subtract"])
@pytest.mark.parametrize("data", ["train", "test", "all"])
def test_losses_agree_with_the_oracle_on_a_trained_like_network(operation, data):
    p, keys = 7, [1, 3]
    rng = np.random.default_rng(1)
    logits = cosine_logits(p, {1: 4.0, 2: 0.5, 3: 3.0}, operation) + rng.normal(size=(p * p, p))
    snapshot = exact_snapshot(p, logits, operation)
    task, measures = snapshot.task, ProgressMeasures.of(snapshot)
    pairs = {"train": task.split.train, "test": task.split.test, "all": np.arange(p * p)}[data]
    answers = task.answers[pairs]
    np.testing.assert_allclose(snapshot.logits, logits, atol=1e-5)
    assert loss(snapshot.logits, task, data) == pytest.approx(mean_cross_entropy(logits[pairs], answers), rel=1e-5)
    # In an exact network neuron and logit projections are the same: W_L is one logit row per pair.
    for kind, project in (("2d", project_2d), ("3d", project_3d), ("neurons", project_2d)):
        component = project(logits, task.table, keys)
        excluded = mean_cross_entropy((logits - component)[pairs], answers)
        assert measures.excluded(keys, data, kind) == pytest.approx(excluded, rel=1e-5), kind
        restricted = mean_cross_entropy((component + logits.mean(axis=0))[pairs], answers)
        assert measures.restricted(keys, data, kind) == pytest.approx(restricted, rel=1e-5), kind


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e5])
def test_losses_without_components_are_those_of_the_differences_however_large(scale):
    task, logits = random_case(7, "subtract")
    places, nothing = Places.of(task), np.zeros((7, 3))
    means = mean_by_answer(scale * logits, places)
    measures = ProgressMeasures(places, scale * logits, means, nothing, nothing, True)
    tables = [np.zeros((7, 7)), scale * np.random.default_rng(1).normal(size=(7, 7)), measures.component([2])]
    found = measures.losses_without(tables)
    for losses, table in zip(found, tables, strict=True):
        rest = torch.from_numpy(scale * logits - table[task.answers])
        expected = torch.nn.functional.cross_entropy(rest, torch.from_numpy(task.answers), reduction="none")
        np.testing.assert_allclose(losses, expected, rtol=1e-9, atol=1e-12 * scale)


def test_neuron_level_losses_follow_the_demo_step_by_step(tiny_run):
    """acts → mean + Σ P_k acts → W_out W_U → mean logits restored; excluded: acts − Σ P_k acts, skip kept."""
    snapshot, task, keys = tiny_run.snapshot(), tiny_run.task, [1, 3]
    acts = snapshot.neurons.astype(np.float64)
    kept = project_2d(acts, task.table, keys)
    logits = snapshot.logits.astype(np.float64)
    restricted = (acts.mean(axis=0) + kept) @ snapshot.W_L.T
    restricted += (logits - restricted).mean(axis=0)
    rest_of_network = logits - acts @ snapshot.W_L.T
    excluded = (acts - kept) @ snapshot.W_L.T + rest_of_network
    measures, pairs = ProgressMeasures.of(snapshot), task.split.test
    answers = task.answers[pairs]
    assert measures.restricted(keys, "test", "neurons") == pytest.approx(
        mean_cross_entropy(restricted[pairs], answers), rel=1e-5
    )
    assert measures.excluded(keys, "test", "neurons") == pytest.approx(
        mean_cross_entropy(excluded[pairs], answers), rel=1e-5
    )


def test_neuron_level_losses_are_not_claimed_past_a_layer_norm(tiny_config, tmp_path):
    config = tiny_config.with_settings(["model.normalization=LN", "training.steps=1"])
    measures = ProgressMeasures.of(train(config, tmp_path, progress=False).snapshot())
    assert np.isnan(measures.excluded([1], kind="neurons"))
    assert np.isfinite(measures.excluded([1]))


@pytest.mark.parametrize(("p", "k"), [(7, 2), (11, 5), (13, 1)])
def test_an_exact_cosine_network_has_its_closed_form(p, k):
    alpha = 3.0
    snapshot = exact_snapshot(p, cosine_logits(p, {k: alpha}))
    found = decompose_logits(snapshot.logits, Places.of(snapshot.task), (k,))
    assert found.amplitudes[k] == pytest.approx(alpha, rel=1e-6)
    assert found.coefficients[k] == pytest.approx(alpha * np.sqrt(p**3 / 2), rel=1e-6)
    np.testing.assert_allclose(found.profile, alpha * np.cos(2 * np.pi * k * np.arange(p) / p), atol=1e-5)
    assert found.cosine_similarity[k] == pytest.approx(1.0, abs=1e-6)
    assert found.variance_explained == pytest.approx(1.0, abs=1e-6)
    assert found.residual == pytest.approx(0.0, abs=1e-3)
    # Every pair has the logits α cos(2πkd/p), d = answer − c; the right answer has α.
    expected = np.log(np.exp(alpha * np.cos(2 * np.pi * k * np.arange(p) / p)).sum()) - alpha
    measures = ProgressMeasures.of(snapshot)
    for kind in ("2d", "3d", "neurons"):
        assert measures.restricted([k], "all", kind) == pytest.approx(expected, rel=1e-5)
        assert measures.excluded([k], "train", kind) == pytest.approx(np.log(p), rel=1e-5)
        other = 1 if k != 1 else 2
        assert measures.excluded([other], "test", kind) == pytest.approx(expected, rel=1e-5)


def test_a_constant_network_explains_nothing_and_divides_by_nothing():
    snapshot = exact_snapshot(5)
    found = decompose_logits(snapshot.logits, Places.of(snapshot.task), (1, 2))
    assert found.variance_explained == 0.0
    assert ProgressMeasures.of(snapshot).restricted([1, 2]) == pytest.approx(np.log(5))


def test_shuffled_answers_leave_no_cosines(mainline):
    """The same logits against a relabelled task: what the frequencies explain falls to chance."""
    snapshot: Snapshot = mainline.snapshot()
    keys = (14, 35, 41, 42, 52)
    assert decompose_logits(snapshot.logits, Places.of(snapshot.task), keys).variance_explained > 0.9
    shuffled = snapshot.logits[np.random.default_rng(0).permutation(113**2)]
    assert decompose_logits(shuffled, Places.of(snapshot.task), keys).variance_explained < 1e-3
