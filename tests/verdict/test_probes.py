"""Sparse probes, against hand-built features and networks whose angles are known, and against least squares."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot
from sklearn.linear_model import lasso_path

from grokinterp.errors import GrokinterpError, NotApplicable
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import probe_path, sparse_probes


def network(task: Task, **model) -> Snapshot:
    """Random weights."""
    config = ModelConfig(**{"n_heads": 2, "d_head": 8, "d_model": 16, "d_mlp": 64} | model)
    return Snapshot(0, task, config, initial_weights(config, task))


def with_circles(snapshot: Snapshot, frequencies: tuple[int, ...], turn: np.ndarray | None = None) -> Snapshot:
    """The network with nothing but circles in its embedding, in the first directions or turned by a rotation."""
    structure, W_E = snapshot.task.structure, np.zeros(snapshot.weights["embed.W_E"].shape)
    angles = 2 * np.pi * np.outer(np.arange(structure.n), frequencies) / structure.n
    circles = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(structure.n, -1)
    W_E[structure.inputs_a, : circles.shape[1]] = circles
    if snapshot.task.config.own_tokens_for_b:
        W_E[snapshot.task.n_symbols + structure.inputs_b, : circles.shape[1]] = circles
    W_E = W_E if turn is None else W_E @ turn
    return replace(snapshot, weights=dict(snapshot.weights) | {"embed.W_E": torch.from_numpy(W_E).float()})


def held_out_r2(x, y, features, held_out):
    """R² on the held-out rows and on the others of least squares with an intercept, by its definition."""
    design = np.hstack([np.ones((len(x), 1)), x[:, features]])
    coefficients = np.linalg.lstsq(design[~held_out], y[~held_out], rcond=None)[0]
    mean = y[~held_out].mean(axis=0)
    return [
        1 - ((y[rows] - design[rows] @ coefficients) ** 2).sum() / ((y[rows] - mean) ** 2).sum()
        for rows in (held_out, ~held_out)
    ]


@pytest.mark.parametrize("m", [1, 3, 6])
def test_r2_jumps_where_the_last_of_m_needed_features_is_read(m):
    """y is the sum of m features of which fewer say little: all but one are noise that the last takes away."""
    random = np.random.default_rng(m)
    y, noise = random.standard_normal(4000), 3 * random.standard_normal((4000, m - 1))
    x = random.standard_normal((4000, 40))
    needed = random.permutation(40)[:m]
    x[:, needed] = np.column_stack([noise, y - noise.sum(axis=1)])
    path = probe_path(x, y[:, None], random.random(4000) < 0.3)
    at = path.n_features.tolist().index(m)
    assert path.r2[at] == pytest.approx(1, abs=1e-6)
    assert set(path.features[at]) == set(needed)
    assert (path.r2[:at] < 0.6).all()
    assert path.features_needed(0.999) == m


def test_every_point_is_least_squares_on_the_features_it_names():
    random = np.random.default_rng(0)
    x = random.standard_normal((300, 20)) @ random.standard_normal((20, 20)) * 10.0 ** random.uniform(-3, 3, 20) + 5
    y = x[:, :5] / x[:, :5].std(axis=0) @ random.standard_normal((5, 2)) + random.standard_normal((300, 2))
    held_out = np.arange(300) % 3 == 0
    path = probe_path(x, y, held_out, max_features=12)
    assert path.n_features[0] == 0 and path.n_features[-1] == 20 and len(path.n_features) > 10
    assert (np.diff(path.n_features) > 0).all()
    for n, r2, fitted, features in zip(path.n_features, path.r2, path.r2_fitted, path.features, strict=True):
        assert len(features) == n
        np.testing.assert_allclose([r2, fitted], held_out_r2(x, y, features, held_out), atol=1e-7)


def test_the_features_are_those_of_the_lasso_by_another_algorithm():
    """Coordinate descent on the features themselves, for penalties of its own."""
    random = np.random.default_rng(1)
    x = random.standard_normal((500, 30)) + random.standard_normal((500, 1))
    y = x @ random.standard_normal(30) * 0.2 + random.standard_normal(500)
    held_out = np.arange(500) < 150
    path = probe_path(x, y[:, None], held_out, max_features=15)
    fit = x[~held_out] - x[~held_out].mean(axis=0)
    _, coefficients, _ = lasso_path(
        fit / fit.std(axis=0), y[~held_out] - y[~held_out].mean(), alphas=np.geomspace(1, 0.02, 60), tol=1e-10
    )
    seen = 0
    for column in coefficients.T:
        support = np.flatnonzero(column)
        if len(support) <= 15:
            at = path.n_features.tolist().index(len(support))
            if not np.array_equal(path.features[at], support):  # Of as many features, those that fit better.
                assert held_out_r2(x, y[:, None], support, held_out)[1] < path.r2_fitted[at]
            else:
                seen += 1
    assert seen >= 20


def test_features_that_repeat_others_or_are_constant_change_nothing():
    random = np.random.default_rng(2)
    x = random.standard_normal((400, 6))
    y, held_out = x[:, [1]] - x[:, [4]], np.arange(400) < 100
    path = probe_path(np.hstack([x, x[:, [1]], np.full((400, 2), 0.1)]), y, held_out)
    assert path.features_needed(0.9999) in (2, 3)
    assert path.n_features[-1] == 7  # The constant ones cannot be read.
    nothing = probe_path(np.full((400, 3), 0.1), y, held_out)
    assert nothing.n_features.tolist() == [0] and nothing.best_r2 == 0


TASKS = {
    "add": TaskConfig(p=23),
    "subtract": TaskConfig(p=23, operation="subtract"),
    "divide": TaskConfig(p=23, operation="divide"),
    "own tokens for b": TaskConfig(p=23, own_tokens_for_b=True),
    "cyclic group": TaskConfig(operation="compose", group="Z4xZ5"),
}


@pytest.mark.parametrize("config", TASKS.values(), ids=TASKS)
def test_an_embedding_of_pure_circles_needs_two_features_a_frequency(config):
    snapshot = with_circles(network(Task(config)), (2, 5))
    probes = sparse_probes(snapshot, (2, 5, 4))
    for k in (2, 5):
        for symbol in "ab":
            path = probes.paths[f"embedding {symbol}", symbol, k]
            assert path.features_needed(0.999) == 2
            # b's circle may run the other way, but its plane is the same.
            assert set(path.features[path.n_features.tolist().index(2)]) == {2 * (k == 5), 2 * (k == 5) + 1}
    assert probes.paths["embedding a", "a", 4].best_r2 < 0.1


@pytest.mark.parametrize("config", TASKS.values(), ids=TASKS)
def test_the_sum_is_the_element_of_the_answer(config):
    """Neurons that are cos and sin of the answer's place in the group, and others that say nothing."""
    snapshot = network(Task(config))
    structure, task = snapshot.task.structure, snapshot.task
    place = np.full(task.n_answers, -1)
    place[structure.outputs] = np.arange(structure.n)
    angle = 2 * np.pi * 3 * place[task.answers] / structure.n
    noise = np.random.default_rng(0).standard_normal((task.n_pairs, 6))
    neurons = np.column_stack([noise[:, :3], np.cos(angle), np.sin(angle), noise[:, 3:]]).astype(np.float32)
    snapshot.__dict__["neurons"] = neurons  # Where the cached property keeps them.
    probes = sparse_probes(snapshot, (3, 4))
    path = probes.paths["neurons", "a+b", 3]
    assert path.features_needed(0.9999) == 2 and path.features[path.n_features.tolist().index(2)].tolist() == [3, 4]
    assert max(probes.paths["neurons", target, k].best_r2 for target, k in (("a", 3), ("b", 3), ("a+b", 4))) < 0.1


def test_turned_circles_need_a_feature_a_direction():
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))[0]
    probes = sparse_probes(with_circles(network(Task(TaskConfig(p=59))), (2, 5, 11), turn), (2, 5, 11, 4))
    for k in (2, 5, 11):
        assert probes.paths["embedding a", "a", k].features_needed(0.9999) == 6
    assert probes.paths["embedding a", "a", 4].best_r2 < 0.1


def test_an_embedding_says_nothing_of_the_other_symbol_or_of_the_sum():
    """Exactly, for unseen values: each a meets the same answers."""
    snapshot = network(Task(TaskConfig(p=23)))
    probes = sparse_probes(snapshot, (3, 7))
    for paths in (probes.paths, probes.shuffled):
        for k in (3, 7):
            for place, target in (("embedding a", "a+b"), ("embedding b", "a+b"), ("embedding a", "b")):
                assert np.abs(paths[place, target, k].r2).max() < 1e-6
                assert np.abs(paths[place, target, k].r2_fitted).max() < 1e-6


def test_with_seen_values_random_embeddings_say_anything_and_the_control_shows_it():
    snapshot = network(Task(TaskConfig(p=23)), d_model=32, n_heads=4)
    pairs, values = (sparse_probes(snapshot, (3,), held_out=kind) for kind in ("pairs", "values"))
    assert min(probes["embedding a", "a", 3].r2[-1] for probes in (pairs.paths, pairs.shuffled)) > 0.9999
    assert max(probes["embedding a", "a", 3].r2[-1] for probes in (values.paths, values.shuffled)) < 0


def test_neurons_that_know_each_pair_by_heart_hold_no_angle():
    """One neuron a pair fits all and says nothing of others."""
    snapshot = exact_snapshot(11)
    for kind in ("values", "pairs"):
        path = sparse_probes(snapshot, (2,), held_out=kind).paths["neurons", "a+b", 2]
        assert path.r2_fitted[-1] > 0.999
        assert path.best_r2 < 0.05


def test_a_circle_of_two_points_has_a_cosine_alone():
    probes = sparse_probes(with_circles(network(Task(TaskConfig(p=23, operation="multiply"))), (11,)), (11,))
    assert probes.paths["embedding a", "a", 11].features_needed(0.999) == 1


def test_a_network_without_attention_has_none_to_probe():
    snapshot = network(Task(TaskConfig(p=11)), architecture="mlp")
    assert {place for place, *_ in sparse_probes(snapshot, (2,)).paths} == {"embedding a", "embedding b", "neurons"}


def test_the_embeddings_are_what_the_network_reads():
    """Up to the positions', which are the same for all pairs."""
    from grokinterp.verdict.probes._probes import _places

    snapshot = network(Task(TaskConfig(p=7, operation="divide", own_tokens_for_b=True)))
    structure, task = snapshot.task.structure, snapshot.task
    read = snapshot.model.run_with_cache(task.tokens)[1]["hook_embed"].detach().double().numpy()
    row = {(a, b): number for number, (a, b) in enumerate(task.pairs.tolist())}
    grid = [row[a, b] for a in structure.inputs_a.tolist() for b in structure.inputs_b.tolist()]
    places = _places(snapshot)
    np.testing.assert_array_equal(places["embedding a"], read[grid, 0])
    np.testing.assert_array_equal(places["embedding b"], read[grid, 1])


@pytest.fixture(scope="module")
def of_mainline(mainline):
    """The keys, by default, and 3, which is none."""
    snapshot = mainline.snapshot(20000)
    return sparse_probes(snapshot), sparse_probes(snapshot, (3,))


KEYS = (14, 35, 41, 42, 52)


def test_the_mainline_network_holds_the_angle_of_the_sum_in_its_neurons(of_mainline):
    keys, other = of_mainline
    assert keys.frequencies == KEYS
    # Measured: .933, .987, .985, .990 and .990; .9 with 8, 7, 6, 8 and 7 of 512 neurons.
    for k in KEYS:
        assert keys.paths["neurons", "a+b", k].best_r2 > 0.92
        assert keys.paths["neurons", "a+b", k].features_needed(0.9) < 10
        assert keys.paths["embedding a", "a", k].best_r2 > 0.97
        assert keys.paths["embedding b", "b", k].best_r2 > 0.97
        assert keys.paths["embedding a", "a+b", k].best_r2 < 1e-6
    for place, target in (("neurons", "a+b"), ("attention", "a+b"), ("embedding a", "a")):
        assert other.paths[place, target, 3].best_r2 < 0.02


def test_attention_multiplies_at_the_frequencies_of_its_heads_alone(of_mainline):
    """Its heads look at frequencies 35, 42 and 52: pattern times value is already of second order in those."""
    best = {k: of_mainline[0].paths["attention", "a+b", k].best_r2 for k in KEYS}
    assert max(best[k] for k in (14, 41)) < 0.02
    # Measured: .626, .576 and .565, and .5 with 18, 12 and 20 of 128 directions, where the neurons need 5.
    assert all(0.5 < best[k] < 0.7 for k in (35, 42, 52))
    assert all(of_mainline[0].paths["attention", "a+b", k].features_needed(0.5) > 10 for k in (35, 42, 52))


def test_the_control_finds_nothing_in_the_mainline_network(of_mainline):
    control = of_mainline[0].best_r2.query("shuffled")
    assert len(control) == 4 * 3 * len(KEYS)
    assert control["r2"].max() < 0.1


@pytest.mark.long
def test_random_neurons_fit_the_sum_the_better_the_more_are_read_but_do_not_hold_it(mainline):
    """512 functions of 9,000 pairs fit 6 % of anything; these fit 8 %, and say nothing of other answers."""
    path = sparse_probes(mainline.snapshot(0), (35,)).paths["neurons", "a+b", 35]
    assert (np.diff(path.r2_fitted) > -1e-3).all()
    assert 512 / (79 * 113) < path.r2_fitted[-1] < 0.12
    assert path.best_r2 < 0.05
    assert path.r2[-1] < 0


def test_tables_have_a_row_a_point_and_a_row_a_probe():
    probes = sparse_probes(with_circles(network(Task(TaskConfig(p=13))), (3,)), (3,), max_features=4)
    table = probes.table
    assert list(table) == ["place", "target", "freq", "shuffled", "n_features", "r2", "r2_fitted"]
    assert set(table["place"]) == {"embedding a", "embedding b", "attention", "neurons"}
    assert set(table["target"]) == {"a", "b", "a+b"}
    circle = "place == 'embedding a' and target == 'a' and freq == 3 and not shuffled"
    assert table.query(circle)["n_features"].tolist()[0] == 0
    assert probes.best_r2.query(circle)["r2"].item() == pytest.approx(1, abs=1e-6)
    needed = probes.features_needed(0.99)
    assert needed.query(circle)["n_features"].item() == 2
    assert needed.query("place == 'embedding a' and target == 'b' and not shuffled")["n_features"].isna().all()
    assert len(needed) == len(probes.best_r2) == 2 * 4 * 3


def test_the_seed_draws_what_is_held_out():
    snapshot = network(Task(TaskConfig(p=13)))
    first, same, other = (sparse_probes(snapshot, (3,), seed=seed).table["r2"].to_numpy() for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert len(first) != len(other) or not np.allclose(first, other)


def test_importing_the_verdict_does_not_load_scikit_learn():
    code = "import sys, grokinterp.verdict; print('sklearn' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_groups_of_few_elements_are_probed_where_they_can_be():
    """In Z_4 and Z_6 the first draw may hold out even elements alone, on which the frequency n/2 is constant."""
    for n in (4, 6):
        task = Task(TaskConfig(operation="compose", group=f"Z{n}"))
        for seed in range(3):
            probes = sparse_probes(network(task), (1, n // 2), seed=seed)
            assert {target for _, target, _ in probes.paths} == {"a", "b", "a+b"}
    with pytest.raises(NotApplicable, match="a probe needs at least 4, two to fit on and two held out; probe a larger"):
        sparse_probes(network(Task(TaskConfig(operation="compose", group="Z3"))), (1,))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            TaskConfig(operation="compose", group="S3"),
            "a · b in S_3: S_3 is not cyclic, so a, b and the answer have no",
        ),
        (TaskConfig(p=7, operation="x2+y2"), "its answer is no product in Z_7, so a, b and the answer have no angles"),
        (TaskConfig(operation="table", table=("0,1", "1,1")), "no group is known in which its answers lie"),
    ],
)
def test_a_task_without_angles_is_refused(config, message):
    with pytest.raises(NotApplicable, match=message):
        sparse_probes(network(Task(config)), (1,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frequencies": (7,)}, r"frequency = 7: needs an integer from 0 \(the constant\) to n//2 = 6"),
        ({"frequencies": (0,)}, "frequency = 0: it is constant; needs an integer from 1 to 6"),
        ({"frequencies": ()}, r"frequencies = \(\): needs one at least, from 1 to 6; leave it out for the keys"),
        ({"share": 0.0}, "share = 0.0 of 13 holds out 0: needs at least 2 held out and 2 to fit on"),
        ({"share": 1.5, "held_out": "pairs"}, "share = 1.5 of 169 holds out 254"),
        ({"max_features": 0}, "max_features = 0: needs at least 1, the longest sparse probe"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(GrokinterpError, match=message):
        sparse_probes(network(Task(TaskConfig(p=13))), **{"frequencies": (3,)} | settings)


def test_a_network_without_keys_needs_frequencies():
    snapshot = exact_snapshot(7)
    with pytest.raises(
        GrokinterpError, match="step 0 has no key frequency to probe for; needs one at least: give freq"
    ):
        sparse_probes(snapshot)


def test_pairs_on_one_side_alone_and_a_threshold_out_of_range_are_refused():
    x = np.eye(4)
    with pytest.raises(GrokinterpError, match="0 of 4 pairs are held out: needs some held out and some not"):
        probe_path(x, x[:, :1], np.zeros(4, dtype=bool))
    with pytest.raises(GrokinterpError, match="a target does not vary over the 3 pairs that are fitted on, so that it"):
        probe_path(x, x[:, :1], np.array([True, False, False, False]))
    path = probe_path(x, x[:, :1], np.array([False, False, False, True]))
    with pytest.raises(GrokinterpError, match=r"r2 = 0.0: needs a number above 0 and at most 1, such as 0\.9"):
        path.features_needed(0.0)
