"""The analyses on groups that are not cyclic, on products that are no sums, and where answers occur unevenly.

The oracles know of a group only its irreps' matrices, and fit by least squares over pairs.
"""

import numpy as np
import pytest
import torch
from exact_network import exact_snapshot
from oracles import mean_cross_entropy

from grokinterp.analysis import (
    Places,
    ProgressMeasures,
    RepresentationMap,
    answer_component,
    best_irreps,
    character_component,
    coset_concentration,
    decompose_logits,
    embedding_spectrum,
    find_circuit,
    find_keys,
    hidden_losses,
    hidden_shares,
    logit_control,
    mean_by_answer,
    measure,
    neuron_cosets,
)
from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup, irreps
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig

TASKS = {
    "S3": {"operation": "compose", "group": "S3"},
    "Q8": {"operation": "compose", "group": "Q8"},
    "A4": {"operation": "compose", "group": "A4"},
    "Z2xZ2xZ2": {"operation": "compose", "group": "Z2xZ2xZ2"},
    "D4 conjugation": {"operation": "conjugate", "group": "D4"},
    "division": {"operation": "divide", "p": 7},
    "multiplication": {"operation": "multiply", "p": 11},
    "multiplication mod 8": {"operation": "multiply", "p": 8},
    "squares": {"operation": "x2+y2", "p": 7},
    "aba": {"operation": "aba", "group": "S3"},
}
PRODUCTS = ["S3", "Q8", "A4", "Z2xZ2xZ2", "division", "multiplication", "multiplication mod 8"]


def the_task(name: str) -> Task:
    return Task(TaskConfig(**TASKS[name], train_fraction=0.5))


def random_logits(task: Task) -> np.ndarray:
    return np.random.default_rng(len(task.name)).normal(size=(task.n_pairs, task.n_answers))


def elements_of_pairs(task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Elements of a, b and the answer for every pair, −1 where there is none, by looking each up."""
    structure = task.structure
    lists = [structure.inputs_a.tolist(), structure.inputs_b.tolist(), structure.outputs.tolist()]
    columns = [*task.pairs.T.tolist(), task.answers.tolist()]
    places = [
        [where.index(x) if x in where else -1 for x in column] for where, column in zip(lists, columns, strict=True)
    ]
    return tuple(np.array(place) for place in places)


def entries(task: Task, irrep: int, elements: np.ndarray) -> np.ndarray:
    """All entries ρ_ij of each element, a row per element."""
    return irreps(task.structure.group)[irrep].matrices.reshape(task.structure.n, -1)[elements]


def fitted(design: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares, whatever the rank of the design."""
    root = np.sqrt(weights)[:, None]
    return design @ np.linalg.lstsq(root * design, root * values, rcond=1e-10)[0]


def places_and_weights(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """The answer's element of the pairs that have one, and weights that let every answer count alike."""
    *_, element = elements_of_pairs(task)
    inside = np.flatnonzero(element >= 0)
    return inside, 1.0 / np.bincount(element[inside])[element[inside]]


@pytest.mark.parametrize("name", TASKS)
def test_a_table_is_the_least_squares_fit_of_the_irreps_entries(name):
    task = the_task(name)
    logits, places = random_logits(task), Places.of(task)
    inside, weights = places_and_weights(task)
    *_, element = elements_of_pairs(task)
    np.testing.assert_array_equal(places.element, element)
    means = mean_by_answer(logits, places)
    answered = np.isin(np.arange(task.structure.n), element)
    if not answered.all():
        return  # Where some answer never occurs, the mean of the others stands in: no fit of what is there.
    for irrep in range(1, len(task.structure.basis.irrep_names)):
        table = answer_component(means, [irrep], task.structure)
        design = entries(task, irrep, element[inside])
        np.testing.assert_allclose(table[element[inside]], fitted(design, logits[inside], weights), atol=1e-9)


def character_cube(task: Task, irrep: int) -> np.ndarray:
    """χ_ρ(answer · c⁻¹) for every pair with a place and every c, zero for c without a place."""
    *_, element = elements_of_pairs(task)
    group = task.structure.group
    cube = np.zeros((np.count_nonzero(element >= 0), task.n_answers))
    for row, s in enumerate(element[element >= 0]):
        for c, output in enumerate(task.structure.outputs):
            quotient = group.table[s, group.inverses[c]]
            cube[row, output] = np.trace(irreps(group)[irrep].matrices[quotient])
    return cube


@pytest.mark.parametrize("name", PRODUCTS)
def test_shares_and_character_tables_are_projections_on_the_cube(name):
    task = the_task(name)
    logits, places = random_logits(task) + 2.0, Places.of(task)
    inside, _ = places_and_weights(task)
    found = decompose_logits(logits, places, (1,))
    in_group = np.zeros_like(logits[inside])
    columns = task.structure.outputs
    in_group[:, columns] = logits[np.ix_(inside, columns)]
    centred = in_group.copy()
    centred[:, columns] -= in_group[:, columns].mean(axis=1, keepdims=True)
    for irrep in range(1, len(task.structure.basis.irrep_names)):
        cube = character_cube(task, irrep)
        unit = cube / np.linalg.norm(cube)
        v = float((unit * centred).sum())
        assert found.coefficients[irrep] == pytest.approx(v, abs=1e-9)
        assert found.logit_similarity[irrep] == pytest.approx(v / np.linalg.norm(centred), abs=1e-12)
        assert found.share[irrep] == pytest.approx((v / np.linalg.norm(centred)) ** 2, abs=1e-12)
        assert found.cosine_similarity[irrep] == pytest.approx(v / np.linalg.norm(in_group), abs=1e-12)
        assert found.amplitudes[irrep] == pytest.approx(v * unit.max(), abs=1e-9)
        table = character_component(mean_by_answer(logits, places), [irrep], task.structure)
        np.testing.assert_allclose(table[places.element[inside]], v * unit, atol=1e-9)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("data", ["train", "all"])
def test_losses_agree_with_the_oracle(name, data):
    task = the_task(name)
    snapshot = exact_snapshot(task, 3 * random_logits(task))
    measures, logits = ProgressMeasures.of(snapshot), snapshot.logits.astype(np.float64)
    *_, element = elements_of_pairs(task)
    pairs = task.split.train if data == "train" else np.arange(task.n_pairs)
    pairs = pairs[element[pairs] >= 0]
    keys = list(measures.irreps)[:2]
    means = np.stack(
        [logits[element == s].mean(axis=0) if (element == s).any() else np.full(task.n_answers, np.nan)
         for s in range(task.structure.n)]
    )  # fmt: skip
    means[np.isnan(means).any(axis=1)] = np.nanmean(means, axis=0)
    design = np.hstack([entries(task, irrep, np.arange(task.structure.n)) for irrep in keys])
    component = fitted(design, means, np.ones(task.structure.n))
    removed = logits[pairs] - component[element[pairs]]
    kept = (component + means.mean(axis=0))[element[pairs]]
    assert measures.excluded(keys, data) == pytest.approx(mean_cross_entropy(removed, task.answers[pairs]), rel=1e-5)
    assert measures.restricted(keys, data) == pytest.approx(mean_cross_entropy(kept, task.answers[pairs]), rel=1e-5)
    assert set(measures.excluded_by_irrep(data)) == set(measures.irreps)


@pytest.mark.parametrize("name", TASKS)
def test_neurons_are_shared_out_by_least_squares(name):
    task = the_task(name)
    a, b, _ = elements_of_pairs(task)
    inside = np.flatnonzero((a >= 0) & (b >= 0))
    functions = np.random.default_rng(0).normal(size=(task.n_pairs, 3)).astype(np.float32)
    found = best_irreps(functions, Places.of(task), chunk=2)
    values = functions[inside].astype(np.float64)
    values -= values.mean(axis=0)
    for irrep in range(1, len(task.structure.basis.irrep_names)):
        one = np.ones((len(inside), 1))
        of_a, of_b = (np.hstack([one, entries(task, irrep, element[inside])]) for element in (a, b))
        design = np.einsum("pi,pj->pij", of_a, of_b).reshape(len(inside), -1)
        explained = (fitted(design, values, np.ones(len(inside))) ** 2).sum(axis=0) / (values**2).sum(axis=0)
        np.testing.assert_allclose(found.share[:, irrep - 1], explained, atol=1e-6)


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_hidden_layer_is_shared_out_by_least_squares(name):
    task = the_task(name)
    config = ModelConfig(n_heads=1, d_head=8, d_model=8, d_mlp=6, outputs="answers")
    weights = initial_weights(config, task)
    weights["embed.W_E"] *= 5
    snapshot = Snapshot(0, task, config, weights)
    shares = hidden_shares(snapshot)
    places = elements_of_pairs(task)
    inside = np.flatnonzero(np.min(places, axis=0) >= 0)
    H = snapshot.neurons[inside].astype(np.float64)
    centred = H - H.mean(axis=0)
    for found, element in zip((shares.a, shares.b, shares.answer), places, strict=True):
        for irrep in range(1, len(task.structure.basis.irrep_names)):
            fit = fitted(entries(task, irrep, element[inside]), centred, np.ones(len(inside)))
            assert found[irrep] == pytest.approx(float((fit**2).sum() / (centred**2).sum()), abs=1e-9)
        assert found[0] == pytest.approx(0.0, abs=1e-12)
    keys, measures = [1, 2], ProgressMeasures.of(snapshot)
    losses = hidden_losses(measures, snapshot.neurons, keys)
    design = np.hstack([entries(task, irrep, places[2][inside]) for irrep in keys])
    kept = fitted(design, H, np.ones(len(inside)))
    answers, train = task.answers[inside], np.isin(inside, task.split.train)
    assert losses.restricted == pytest.approx(mean_cross_entropy(kept @ snapshot.W_L.T, answers), rel=1e-6)
    excluded = mean_cross_entropy(((H - kept) @ snapshot.W_L.T)[train], answers[train])
    assert losses.excluded == pytest.approx(excluded, rel=1e-6)


def character_network(name: str, amplitudes: dict[int, float]) -> Snapshot:
    """An exact network whose logits are Σ α χ_ρ(answer · c⁻¹)."""
    task = the_task(name)
    *_, element = elements_of_pairs(task)
    logits = np.zeros((task.n_pairs, task.n_answers))
    logits[element >= 0] = sum(alpha * character_cube(task, irrep) for irrep, alpha in amplitudes.items())
    return exact_snapshot(task, logits)


def test_an_exact_character_network_is_read_completely():
    snapshot = character_network("A4", {2: 2.0, 1: 3.0})
    keys = find_keys(snapshot)
    assert (keys.rule, keys.chosen) == ("logits", (1, 2))
    circuit = find_circuit(snapshot, keys)
    assert circuit.key_names == tuple(circuit.structure.basis.irrep_names[irrep] for irrep in (1, 2))
    assert circuit.logits.variance_explained == pytest.approx(1.0, abs=1e-6)
    for found in circuit.logit_map.representation.values():
        assert found.identity_share == pytest.approx(1.0, abs=1e-9)
    for shares in circuit.logit_map.variance_explained.values():
        np.testing.assert_allclose(shares, 1.0, atol=1e-6)
    assert circuit.logit_map.residual_fraction == pytest.approx(0.0, abs=1e-6)
    measures = ProgressMeasures.of(snapshot)
    assert measures.restricted(keys.chosen) == pytest.approx(measures.excluded([], "all"), rel=1e-6)
    assert measures.excluded(keys.chosen) == pytest.approx(np.log(12), rel=1e-6)
    assert circuit.hidden.explained(range(3)) <= 1 + 1e-9


def test_a_map_that_mixes_an_irreps_functions_is_no_character():
    assert RepresentationMap.of(np.eye(3) * 2.0).identity_share == pytest.approx(1.0)
    rotated = RepresentationMap.of(np.array([[0.0, -1.0], [1.0, 0.0]]))
    assert (rotated.scale, rotated.identity_share) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["S3", "Q8", "A4", "division", "multiplication"])
def test_an_untrained_network_has_no_key_irreps(name):
    task, config = the_task(name), ModelConfig(n_heads=2, d_head=8, d_model=16, d_mlp=32, seed=3, outputs="answers")
    keys = find_keys(Snapshot(0, task, config, initial_weights(config, task)))
    assert keys.chosen == keys.by_rule.logits == ()


@pytest.mark.parametrize(("name", "irrep"), [("S3", 2), ("Q8", 4), ("multiplication", 3)])
def test_a_network_of_one_irrep_is_far_above_chance(name, irrep):
    snapshot = character_network(name, {irrep: 3.0})
    places = Places.of(snapshot.task)
    control = logit_control(snapshot.logits, places, decompose_logits(snapshot.logits, places, ()))
    assert control.above_chance == (irrep,)
    assert 0 < control.largest_share < control.share < 0.9


@pytest.mark.parametrize("name", ["Z6", "D3", "Z8", "D4", "Q8", "U15", "Z2xZ2xZ2", "A4"])
def test_an_exact_network_on_a_small_group_has_all_irreps_whatever_the_seed(name):
    task = Task(TaskConfig(operation="compose", group=name))
    places = Places.of(task)
    logits = 10.0 * np.eye(task.n_answers)[task.answers]
    decomposition = decompose_logits(logits, places, ())
    for seed in range(3):
        control = logit_control(logits, places, decomposition, seed=seed)
        assert control.above_chance == tuple(range(1, len(places.structure.basis.irrep_names)))
        assert control.reached <= 0.01


@pytest.mark.parametrize("p", [8, 9, 12, 16])
def test_answers_that_no_pair_has_do_not_count(p):
    task = Task(TaskConfig(operation="x2+y2", p=p))
    angle = 2 * np.pi * (task.answers[:, None] - np.arange(p)) / p
    found = decompose_logits(3 * np.cos(angle), Places.of(task), (1,))
    assert len(Places.of(task).answered) < p
    assert (found.variance_explained, found.amplitudes[1]) == pytest.approx((1.0, 3.0))


def test_a_group_of_too_many_subgroups_has_no_coset_neurons_but_all_else(monkeypatch):
    monkeypatch.setattr("grokinterp.fourier._subgroups.MAX_SUBGROUPS", 50)
    task = Task(TaskConfig(operation="compose", group="x".join(["Z2"] * 4)))
    config = ModelConfig(n_heads=1, d_head=4, d_model=4, d_mlp=4, outputs="answers")
    snapshot = Snapshot(0, task, config, initial_weights(config, task))
    assert find_circuit(snapshot, find_keys(snapshot)).cosets is None


def test_losses_of_pairs_in_the_group_stand_beside_those_of_the_circuit():
    task, config = Task(TaskConfig(operation="divide", p=9)), ModelConfig(n_heads=1, d_head=8, d_model=8, d_mlp=8)
    row, _ = measure(Snapshot(0, task, config, initial_weights(config, task)), ())
    assert row["excluded_loss"] == pytest.approx(row["train_loss_in_group"])
    assert row["all_loss_in_group"] != pytest.approx(row["all_loss"])
    assert "all_loss_in_group" not in measure(exact_snapshot(5), ())[0]


def test_a_group_too_small_for_a_control_goes_by_similarity():
    snapshot = exact_snapshot(3, 3 * np.eye(3)[Task(TaskConfig(p=3)).answers])
    keys = find_keys(snapshot)
    assert keys.chosen == (1,)
    assert np.isnan(keys.control.share)


def brute_concentration(f: np.ndarray, cosets: list[set[int]]) -> float:
    return sum(np.var(f[sorted(coset)], ddof=1) for coset in cosets) / np.var(f, ddof=1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_coset_concentration_is_the_definition(side):
    group = FiniteGroup.symmetric(4)
    f = np.random.default_rng(0).normal(size=(24, 3))
    found = coset_concentration(f, group, side)
    assert len(found.subgroups) == 30 - 2
    for neuron in range(3):
        values = []
        for H in found.subgroups:
            product = (lambda g, h: group.table[g, h]) if side == "left" else (lambda g, h: group.table[h, g])
            cosets = {frozenset(int(product(g, h)) for h in H.elements) for g in range(24)}
            values.append(brute_concentration(f[:, neuron], [set(coset) for coset in cosets]))
        assert found.least[neuron] == pytest.approx(min(values))
        assert found.subgroup[neuron] == int(np.argmin(values))
    assert not found.is_coset_neuron.any()


def test_a_function_of_right_cosets_is_seen_on_the_right_alone():
    group = FiniteGroup.symmetric(4)
    H = next(H for H in group.subgroups() if H.order == 6)  # A stabiliser: not normal.
    f = np.random.default_rng(0).normal(size=4)[group.cosets(H, "right")][:, None]
    right, left = (coset_concentration(f, group, side) for side in ("right", "left"))
    assert right.least[0] == pytest.approx(0.0, abs=1e-12)
    assert right.subgroups[right.subgroup[0]].order in (6, 3, 2)
    assert left.least[0] > 0.01
    constant = coset_concentration(np.ones((24, 1)), group, "left")
    assert np.isinf(constant.least[0])


def test_neurons_that_read_a_sign_are_coset_neurons():
    task = the_task("S3")
    sign = irreps(task.structure.group)[1].matrices[:, 0, 0]
    config = ModelConfig(n_heads=1, d_head=4, d_model=4, d_mlp=2, outputs="answers")
    weights = initial_weights(config, task)
    weights = {name: value * 0 for name, value in weights.items()}
    weights["embed.W_E"][:6, 0] = torch.tensor(sign)
    weights["blocks.0.attn.W_V"][0, 0, 0] = 1.0
    weights["blocks.0.attn.W_O"][0, 0, 1] = 1.0
    weights["blocks.0.mlp.W_in"][1] = 1.0
    snapshot = Snapshot(0, task, config, weights)
    for side in neuron_cosets(snapshot):
        np.testing.assert_allclose(side.least, 0.0, atol=1e-12)
        assert {side.subgroups[number].order for number in side.subgroup} == {3}
    assert embedding_spectrum(snapshot).share[1] == pytest.approx(1.0)


def test_a_task_without_a_group_says_so():
    task = Task(TaskConfig(operation="table", table=[[0, 1, 2], [1, 2, 0]], train_fraction=0.5))
    with pytest.raises(GrokinterpError, match=r"the table of 6 pairs \(2 × 3\): no group is known in which its"):
        find_keys(exact_snapshot(task))
