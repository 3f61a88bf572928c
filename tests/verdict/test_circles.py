"""Circles in embeddings: the published definition in loops, ellipses built by hand, and the published networks."""

import cmath
import math

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot

from grokinterp.analysis import distance_irrelevance
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot, import_run
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import frequency_circularity, isolate_circle, principal_circles


def with_embedding(config: TaskConfig, rows: np.ndarray, *, seed: int = 0) -> Snapshot:
    """A random network whose embeddings of the group's elements are `rows`."""
    task = Task(config)
    model = ModelConfig(n_heads=1, d_head=rows.shape[1], d_model=rows.shape[1], d_mlp=12, seed=seed)
    weights = initial_weights(model, task)
    weights["embed.W_E"][torch.from_numpy(task.structure.inputs_a)] = torch.from_numpy(rows).float()
    return Snapshot(0, task, model, weights)


def ellipses(n: int, axes: dict[int, tuple[float, float]], seed: int = 0) -> np.ndarray:
    """Σ_k long_k cos(w_k x) e + short_k sin(w_k x) f, turned at random, with a mean and an angle to start at."""
    rng, x = np.random.default_rng(seed), np.arange(n)
    columns = []
    for k, (long, short) in axes.items():
        angle = 2 * np.pi * k * x / n
        columns += [long * np.cos(angle), short * np.sin(angle)]
    rotation = np.linalg.qr(rng.normal(size=(len(columns) + 2, len(columns) + 2)))[0]
    return np.stack(columns, axis=1) @ rotation[: len(columns)] + rng.normal(size=len(columns) + 2)


# By frequency.


@pytest.mark.parametrize("config", [{"p": 11}, {"p": 11, "operation": "divide"}, {"p": 13, "operation": "multiply"}])
def test_circularity_is_the_ratio_of_the_half_axes(config):
    config = TaskConfig(**config, train_fraction=0.5)
    n = Task(config).structure.n
    snapshot = with_embedding(config, ellipses(n, {1: (3, 3), 2: (2, 1), 3: (1, 0), 4: (5, 4)}))
    found = frequency_circularity(snapshot, (4, 1, 2, 3))
    assert found == pytest.approx({1: 1, 2: 0.5, 3: 0, 4: 0.8}, abs=1e-6)
    assert list(found) == [1, 2, 3, 4]


def test_circularity_does_not_depend_on_where_the_angle_starts():
    rows = ellipses(11, {2: (3, 1), 5: (2, 2)})
    shifted = frequency_circularity(with_embedding(TaskConfig(p=11), np.roll(rows, 4, axis=0)), (2, 5))
    assert shifted == pytest.approx({2: 1 / 3, 5: 1}, abs=1e-6)


def test_a_frequency_that_is_not_there_is_no_circle():
    assert math.isnan(frequency_circularity(with_embedding(TaskConfig(p=11), ellipses(11, {2: (3, 1)})), (3,))[3])


def test_frequencies_without_a_sine_and_large_irreps_have_no_circle():
    assert frequency_circularity(exact_snapshot(8), (3, 4)) == pytest.approx({3: 1})
    for group, names in (("S3", set()), ("A4", {"(2,2)"}), ("Q8", set())):
        task = Task(TaskConfig(operation="compose", group=group, train_fraction=0.5))
        basis = task.structure.basis
        found = frequency_circularity(exact_snapshot(task), range(1, len(basis.irrep_names)))
        assert {basis.irrep_names[key] for key in found} == names, group
        assert list(found.values()) == pytest.approx([1] * len(found), abs=1e-6)


# By principal component.


def published_circularity(W_E: np.ndarray) -> tuple[float, list[int]]:
    """Zhong et al. 2023, eval-main.ipynb, in loops over δ and t; their PCA is a decomposition of the covariance."""
    C = len(W_E)
    centred = W_E - W_E.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    circularities, steps = [], []
    for column in np.argsort(values)[::-1][:4]:
        v = centred @ directions[:, column]
        v = v / np.linalg.norm(v) / C**0.5
        found = [
            2 * abs(sum(v[(t * i) % C] * cmath.exp(2j * math.pi * t / C) for t in range(C))) ** 2 for i in range(1, C)
        ]
        best = int(np.argmax(found)) + 1
        circularities.append(min(max(found), 1.0))
        steps.append(min(best, C - best))
    return float(np.mean(circularities)), steps


@pytest.mark.parametrize(("p", "seed"), [(5, 0), (7, 1), (11, 2), (13, 3), (13, 4)])
def test_circularity_of_components_is_the_published_formula(p, seed):
    rows = np.random.default_rng(seed).normal(size=(p, 9)) * np.linspace(3, 1, 9)
    found = principal_circles(with_embedding(TaskConfig(p=p), rows))
    circularity, steps = published_circularity(rows.astype(np.float32).astype(float))
    assert found.circularity == pytest.approx(circularity, abs=1e-6)
    assert found.step[:4].tolist() == steps
    assert 0 < found.circularity < 0.99
    assert found.variance_explained.sum() == pytest.approx(1)
    assert (np.diff(found.variance_explained) <= 0).all()


def test_circles_are_found_in_the_order_of_their_size():
    found = principal_circles(with_embedding(TaskConfig(p=59), ellipses(59, {17: (3, 3), 4: (2, 2), 20: (1, 0.9)})))
    assert found.circularity == pytest.approx(1, abs=1e-6)
    assert found.frequency[:6].tolist() == [17, 17, 4, 4, 20, 20]
    assert found.step[:6].tolist() == [7, 7, 15, 15, 3, 3]  # 7·17 = 2·59 + 1, 15·4 = 59 + 1, 3·20 = 59 + 1
    assert found.variance_explained[:6] == pytest.approx(np.array([9, 9, 4, 4, 1, 0.81]) / 27.81, abs=1e-6)


def test_a_composite_order_has_steps_where_the_frequency_has_an_inverse():
    found = principal_circles(with_embedding(TaskConfig(p=12), ellipses(12, {5: (3, 3), 3: (2, 2)})))
    assert found.circularity == pytest.approx(1, abs=1e-6)
    assert found.frequency[:4].tolist() == [5, 5, 3, 3]
    assert found.step[:4].tolist() == [5, 5, 0, 0]


def test_products_are_read_at_their_logarithms():
    config = TaskConfig(p=13, operation="multiply", train_fraction=0.5)
    found = principal_circles(with_embedding(config, ellipses(12, {5: (3, 3), 1: (2, 2)})))
    assert found.circularity == pytest.approx(1, abs=1e-6)
    assert found.frequency[:4].tolist() == [5, 5, 1, 1]


def test_embeddings_that_are_all_the_same_have_no_circle():
    found = principal_circles(with_embedding(TaskConfig(p=7), np.ones((7, 8))))
    assert math.isnan(found.circularity)
    assert np.isnan(found.share).all()


# One alone.


def test_an_isolated_circle_is_the_circle():
    rows = ellipses(11, {2: (3, 3), 4: (2, 2), 5: (1, 1)})
    snapshot = with_embedding(TaskConfig(p=11), rows)
    for circle, k in enumerate((2, 4, 5)):
        alone = isolate_circle(snapshot, circle)
        angle = 2 * np.pi * k * np.arange(11) / 11
        design = np.stack([np.ones(11), np.cos(angle), np.sin(angle)], axis=1)
        np.testing.assert_allclose(alone.W_E, design @ np.linalg.lstsq(design, rows, rcond=None)[0], atol=1e-5)
        by_hand = {**snapshot.weights, "embed.W_E": snapshot.weights["embed.W_E"].clone()}
        by_hand["embed.W_E"][:11] = torch.from_numpy(alone.W_E).float()
        logits = Snapshot(0, snapshot.task, snapshot.config, by_hand).logits
        np.testing.assert_allclose(alone.logits, logits, atol=1e-5)
    np.testing.assert_allclose(isolate_circle(alone, 0).W_E, alone.W_E, atol=1e-5)
    np.testing.assert_array_equal(snapshot.W_E, rows.astype(np.float32))


def test_symbols_outside_the_group_and_the_equals_sign_stay():
    config = TaskConfig(p=13, operation="multiply", train_fraction=0.5)
    snapshot = with_embedding(config, ellipses(12, {5: (3, 3), 1: (2, 2)}))
    before, after = snapshot.weights["embed.W_E"], isolate_circle(snapshot, 0).weights["embed.W_E"]
    torch.testing.assert_close(after[[0, 13]], before[[0, 13]], rtol=0, atol=0)
    assert (after[1:13] - before[1:13]).abs().max() > 0.5


# What is refused.


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: principal_circles(group("S3")),
            r"a · b in S_3: principal circles need a cyclic group, and S_3 is none;",
        ),
        (
            lambda: isolate_circle(group("A4"), 0),
            r"principal circles need a cyclic group, and A_4 is none; give a task",
        ),
        (
            lambda: isolate_circle(exact_snapshot(7), 4),
            r"circle = 4: .* 7 principal components, .* circles 0 … 2; choose",
        ),
        (lambda: isolate_circle(exact_snapshot(7), -1), r"circle = -1: the 7 embeddings have 7 principal components"),
        (lambda: principal_circles(exact_snapshot(3)), r"3 embeddings of width \d+: .* needs 4 principal components, "),
        (lambda: frequency_circularity(exact_snapshot(7), (0,)), r"keys = \(0,\): needs frequencies of Z_7 other than"),
        (
            lambda: isolate_circle(own_tokens(), 0),
            r"tokens of b's own: isolating a circle needs one embedding for a and",
        ),
    ],
)
def test_what_has_no_circles_is_refused_in_one_line(call, said):
    with pytest.raises(GrokinterpError, match=said) as error:
        call()
    assert "\n" not in str(error.value)


def group(name: str) -> Snapshot:
    return exact_snapshot(Task(TaskConfig(operation="compose", group=name, train_fraction=0.5)))


def own_tokens() -> Snapshot:
    task = Task(TaskConfig(p=7, own_tokens_for_b=True))
    config = ModelConfig(n_heads=1, d_head=8, d_model=8, d_mlp=8)
    return Snapshot(0, task, config, initial_weights(config, task))


# The published networks.


def pizza(shared_data, tmp_path, name: str) -> Snapshot:
    path = shared_data / "pizza" / f"model_{name}.pt"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: set GROKINTERP_SHARED_DATA to the folder of other people's checkpoints")
    return import_run(path, tmp_path / "run").snapshot()


def agreement(pattern: np.ndarray, logits: np.ndarray) -> float:
    """Their score of a pattern, 2ρ − 1: explained variance after both are standardised."""
    return 2 * np.corrcoef(pattern.ravel(), logits.ravel())[0, 1] - 1


def patterns(task: Task, w: float) -> dict[str, np.ndarray]:
    a, b = task.pairs.T[:, :, None]
    c = np.arange(task.n_answers)
    half = w * (a + b - c) / 2
    return {
        "clock": np.cos(2 * half),
        "pizza": 2 * np.abs(np.cos(w * (a - b) / 2)) * (np.abs(np.cos(half)) - np.abs(np.sin(half))),
        "accompanying": -np.cos(w * (a - b)) * np.cos(2 * half),
    }


@pytest.mark.parametrize(
    ("name", "circularity", "steps", "frequencies"),
    [
        ("p99zdpze5l", 0.99782, [7, 7, 20, 20], [17, 17, 3, 3, 15, 15]),
        ("l8k1hzciux", 0.9989, [9, 9, 11, 11], [13, 13, 16, 16, 21, 21]),
    ],
)
def test_published_circularity(shared_data, tmp_path, name, circularity, steps, frequencies):
    snapshot = pizza(shared_data, tmp_path, name)
    found = principal_circles(snapshot)
    assert found.circularity == pytest.approx(circularity, abs=5e-5)
    assert found.circularity == pytest.approx(published_circularity(snapshot.W_E)[0], abs=1e-9)
    assert found.step[:4].tolist() == steps
    assert found.frequency[:6].tolist() == frequencies


def test_the_isolated_circles_of_the_published_pizza(shared_data, tmp_path):
    snapshot = pizza(shared_data, tmp_path, "p99zdpze5l")
    found = principal_circles(snapshot)
    published = [(0.7541, 0.9831), (0.7562, 0.9831), (0.7538, 0.9841), 0.9756, 0.9723, 0.9769]
    for circle, scores in enumerate(published):
        logits = isolate_circle(snapshot, circle).logits
        w = 2 * np.pi * int(found.frequency[2 * circle]) / 59
        if isinstance(scores, tuple):
            by_pattern = patterns(snapshot.task, w)
            measured = tuple(agreement(by_pattern[kind], logits) for kind in ("clock", "pizza"))
            assert measured == pytest.approx(scores, abs=1e-4)
        else:  # The embeddings have twice the frequency of the circle that they accompany.
            assert agreement(patterns(snapshot.task, 30 * w)["accompanying"], logits) == pytest.approx(scores, abs=1e-4)


def test_the_isolated_circles_of_the_published_clock(shared_data, tmp_path):
    snapshot = pizza(shared_data, tmp_path, "l8k1hzciux")
    found = principal_circles(snapshot)
    for circle, (irrelevance, clock) in enumerate([(0.995, 0.766), (0.999, 0.051), (0.990, -0.599)]):
        logits = isolate_circle(snapshot, circle).logits
        assert distance_irrelevance(logits, snapshot.task) == pytest.approx(irrelevance, abs=5e-4)
        w = 2 * np.pi * int(found.frequency[2 * circle]) / 59
        assert agreement(patterns(snapshot.task, w)["clock"], logits) == pytest.approx(clock, abs=5e-4)
