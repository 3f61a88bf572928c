"""Figures and page of tasks in groups, cyclic through a logarithm or not cyclic at all, and of tasks in none."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from grokinterp.analysis import Report, curves, find_circuit
from grokinterp.report import (
    attention_figure,
    character_decomposition_figure,
    coset_neurons_figure,
    embedding_circles_figure,
    embedding_rows_figure,
    example_neuron_spectra_figure,
    example_neurons_figure,
    irreps_over_training_figure,
    layers_figure,
    neuron_clusters_figure,
    page_figures,
    render_page,
    representation_map_figure,
)
from grokinterp.report._elements import PairGrid, element_labels
from grokinterp.report._irreps import STRONGEST
from grokinterp.report._keys import irrep_axis
from grokinterp.report._series import GRID_SIDE

TABLE = '["0,1,2,0","1,,0,2","2,0,1,1"]'
CASES = {
    "S_3": ("task.operation=compose", "task.group=S3"),
    "D_5": ("task.operation=compose", "task.group=D5"),
    "A_4": ("task.operation=compose", "task.group=A4"),
    "Q8": ("task.operation=compose", "task.group=Q8"),
    "Z_2 × Z_4": ("task.operation=compose", "task.group=Z2xZ4"),
    "S_3 conjugated": ("task.operation=conjugate", "task.group=S3"),
    "A_3, cyclic": ("task.operation=compose", "task.group=A3"),
    "U_9, cyclic": ("task.operation=compose", "task.group=U9"),
    "divide 7": ("task.operation=divide", "task.p=7"),
    "divide 11": ("task.operation=divide", "task.p=11"),
    "multiply 3": ("task.operation=multiply", "task.p=3"),
    "multiply 8, not cyclic": ("task.operation=multiply", "task.p=8"),
    "x2+y2": ("task.operation=x2+y2", "task.p=7"),
    "noise, operator": ("task.operation=add", "task.p=7", "task.noise=3", "task.operator_token=true"),
    "no group": ("task.operation=table", f"task.table={TABLE}"),
}


# Of each kind one: irreps beyond characters, several factors, no group.
FAST = ("S_3", "Z_2 × Z_4", "x2+y2")
_analysed: dict[str, Report] = {}


def run(analysed: Callable[..., Report], case: str) -> Report:
    if case not in _analysed:
        _analysed[case] = analysed(*CASES[case], "task.train_fraction=0.6", "training.steps=10")
    return _analysed[case]


@pytest.fixture(scope="module")
def s3(analysed: Callable[..., Report]) -> Report:
    """A network on S_3 with all irreps declared key, whatever it has learned."""
    report = run(analysed, "S_3")
    return keyed(report)


def keyed(report: Report) -> Report:
    keys = tuple(range(1, len(report.circuit.structure.basis.irrep_names)))
    circuit = find_circuit(report.snapshot, replace(report.circuit.found, chosen=keys))
    return replace(report, in_group=circuit, curves=curves(report.run, keys))


def not_json(_: str) -> None:
    raise AssertionError("NaN or infinity")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in FAST else [pytest.mark.long]) for case in CASES]
)
def test_every_task_has_a_page(analysed: Callable[..., Report], case: str) -> None:
    report = run(analysed, case)
    check_page(keyed(report) if report.in_group else report)


@pytest.mark.parametrize("case", ["S_3", "divide 7"])
def test_a_network_without_key_irreps_has_a_page(analysed: Callable[..., Report], case: str) -> None:
    report = run(analysed, case)
    none = replace(report.circuit.found, chosen=())
    check_page(replace(report, in_group=find_circuit(report.snapshot, none), curves=curves(report.run, ())))


def check_page(report: Report) -> None:
    """All that applies is drawn, and nothing is written that JSON or a reader cannot read."""
    page = render_page(report)
    figures = re.search(r'<script type="application/json" id="figures">(.*)</script>', page)
    assert figures
    drawn = json.loads(figures[1], parse_constant=not_json)
    assert list(drawn) == names(report)
    assert all(figure["data"] for figure in drawn.values())
    assert not any(re.search(r"[{}]", entry.caption) for entry in page_figures(report))
    assert "nan" not in page.split("<figure")[0].lower().split("<main>")[1]
    json.dumps(report.to_dict(), allow_nan=False)


def names(report: Report) -> list[str]:
    return [entry.name for entry in page_figures(report)]


def test_only_figures_that_apply_are_on_the_page(analysed: Callable[..., Report], s3: Report) -> None:
    assert {"coset-neurons", "representation-map", "layers", "embedding-rows"} < set(names(s3))
    assert not {"embedding-circles", "embedding-spectrum", "frequencies-over-training"} & set(names(s3))
    dividing = names(keyed(run(analysed, "divide 11")))
    assert "embedding-circles" in dividing and "coset-neurons" not in dividing
    assert names(run(analysed, "no group")) == ["losses", "attention", "weight-norms", "singular-values"]


def test_the_page_of_a_group_speaks_of_irreps(s3: Report) -> None:
    page = re.sub(r"<script.*?</script>|<style.*?</style>", "", render_page(s3), flags=re.DOTALL)
    assert "What each key irrep does" in page and "learned at step" in page
    assert "frequenc" not in page and "circle" not in page
    assert "(2,1)" in page


def test_the_page_without_a_group_speaks_of_neither(analysed: Callable[..., Report]) -> None:
    page = re.sub(r"<script.*?</script>|<style.*?</style>", "", render_page(run(analysed, "no group")), flags=re.DOTALL)
    assert "by each rule" not in page and "restricted" not in page and "Relabelled" not in page
    assert "3 rows, see run.json" in page


def test_noise_and_chance_are_stated(analysed: Callable[..., Report]) -> None:
    page = render_page(run(analysed, "noise, operator"))
    assert "mean attention to a, operator, b and =" in page
    assert "wrong labels, answered as they were given" in page
    assert "Of the 3 wrong labels among its training pairs it answers " in page
    assert "relabelled at random it is" in page


def test_a_rule_that_misses_what_the_logits_show_is_not_called_chance(s3: Report) -> None:
    control = replace(s3.circuit.found.control, above_chance=(2,))
    found = replace(s3.circuit.found, rule="clusters", chosen=(), control=control)
    circuit = find_circuit(s3.snapshot, found)
    page = render_page(replace(s3, in_group=circuit, curves=curves(s3.run, ())))
    assert "The rule clusters names no irrep that explains more of its logits than chance does; the rule" in page
    none = find_circuit(s3.snapshot, replace(found, control=replace(control, above_chance=())))
    page = render_page(replace(s3, in_group=none, curves=curves(s3.run, ())))
    assert "No irrep explains more of its logits than chance does: the character share of all irreps is" in page
    assert "% of such relabelings give as much." in page


def test_what_the_rule_names_by_chance_is_struck_out(s3: Report) -> None:
    found = replace(s3.circuit.found, rule="W_L", by_rule=replace(s3.circuit.found.by_rule, W_L=(1, 2)), chosen=(2,))
    page = render_page(replace(s3, in_group=replace(s3.circuit, found=found)))
    assert '<span class="k dropped">(1,1,1)</span>' in page
    assert "Struck out" in page and "Struck out" not in render_page(s3)


def test_elements_are_called_as_the_task_calls_them(analysed: Callable[..., Report]) -> None:
    def labels(case: str) -> list[str]:
        task = run(analysed, case).run.task
        assert task.structure
        return element_labels(task, task.structure)

    assert labels("divide 7") == ["1", "3", "2", "6", "4", "5"]
    assert labels("U_9, cyclic") == ["1", "2", "4", "8", "7", "5"]
    assert labels("S_3") == ["012", "021", "102", "120", "201", "210"]
    assert labels("A_3, cyclic") == ["012", "120", "201"]


@pytest.mark.parametrize("case", ["divide 7", "divide 11", "S_3", "x2+y2", "no group"])
def test_a_cell_of_a_grid_is_the_pair_its_labels_say(analysed: Callable[..., Report], case: str) -> None:
    report = run(analysed, case)
    task, grid = report.run.task, PairGrid.of(report)
    tokens = {label: int(token) for token, label in zip(task.structure.inputs_a, grid.a, strict=True)} if grid.a else {}
    for (i, j), pair in np.ndenumerate(grid.pairs):
        a, b = (tokens[grid.a[i]], tokens[grid.b[j]]) if grid.a else (i, j)
        assert task.table[a, b] == (-1 if pair < 0 else task.answers[pair])


def test_pairs_without_an_answer_are_gaps(analysed: Callable[..., Report]) -> None:
    report = run(analysed, "no group")
    drawn = attention_figure(report).data[0].z
    assert drawn.shape == (3, 4) and np.isnan(drawn[1, 1]) and np.isnan(drawn).sum() == 1


def test_grids_of_products_are_in_the_order_of_powers(analysed: Callable[..., Report]) -> None:
    report = run(analysed, "divide 7")
    figure = example_neurons_figure(report)
    assert list(figure.data[0].x) == list(figure.data[0].y) == ["1", "3", "2", "6", "4", "5"]
    assert "powers of 3: 1, 3, 2, 6, …" in figure.layout.title.subtitle.text


def test_circles_of_products_carry_residues(analysed: Callable[..., Report]) -> None:
    report = keyed(run(analysed, "divide 7"))
    for trace in embedding_circles_figure(report).data:
        assert sorted(label for label, _ in trace.customdata) == ["1", "2", "3", "4", "5", "6"]
        assert "log x mod 6" in trace.hovertemplate


def test_neurons_stand_in_the_order_of_their_cosets(s3: Report) -> None:
    figure, circuit = example_neurons_figure(s3), s3.circuit
    labels, group = element_labels(s3.run.task, circuit.structure), circuit.structure.group
    neuron = int(figure.layout.annotations[0].text.split()[1].rstrip(":"))
    assert circuit.cosets
    for drawn, side, found in zip((figure.data[0].y, figure.data[0].x), ("right", "left"), circuit.cosets, strict=True):
        numbers = group.cosets(found.subgroups[found.subgroup[neuron]], side)
        assert sorted(numbers) == [numbers[labels.index(element)] for element in drawn]
    a, b = labels.index(figure.data[0].y[1]), labels.index(figure.data[0].x[4])
    assert figure.data[0].z[1, 4] == s3.snapshot.neurons[6 * a + b, neuron]


def test_rows_stand_above_their_irrep(s3: Report) -> None:
    drawn = embedding_rows_figure(s3).data[0]
    norms = s3.circuit.embedding.component_norms
    np.testing.assert_allclose(drawn.y, norms[1:], rtol=1e-6)
    assert np.round(drawn.x).tolist() == [1, 2, 2, 2, 2]


def test_layers_are_shares_of_each(s3: Report) -> None:
    rows = {trace.name: trace for trace in layers_figure(s3).data}
    assert list(rows["neurons, of a"].x) == ["(1,1,1)", "(2,1)"]
    np.testing.assert_allclose(rows["neurons, of a"].y, s3.circuit.hidden.a[1:], rtol=1e-6)
    np.testing.assert_allclose(rows["neuron-logit map W_L"].y, s3.circuit.logit_map_spectrum.share[1:], rtol=1e-6)


def test_of_very_many_frequencies_the_strongest_have_bars(analysed: Callable[..., Report]) -> None:
    report = analysed("task.p=97", "training.steps=1")
    for trace in layers_figure(report).data:
        assert len(trace.x) == STRONGEST + 1 and trace.x[-1] == "others"
    whole = {trace.name: float(np.sum(trace.y)) for trace in layers_figure(report).data}
    assert whole["embedding W_E"] == pytest.approx(1 - report.circuit.embedding.share[0])


def test_coset_neurons_are_counted(s3: Report) -> None:
    figure, circuit = coset_neurons_figure(s3), s3.circuit
    assert circuit.cosets
    of_a, subgroups_of_a, of_b, subgroups_of_b = figure.data
    for found, histogram, subgroups in zip(circuit.cosets, (of_a, of_b), (subgroups_of_a, subgroups_of_b), strict=True):
        assert int(np.sum(histogram.y)) == int(np.isfinite(found.least).sum())
        assert sum(subgroups.x) == int(found.is_coset_neuron.sum())


def test_names_of_subgroups_have_two_lines_each(s3: Report) -> None:
    figure = coset_neurons_figure(s3)
    layout, names = figure.layout, figure.data[1].y
    low, high = layout.yaxis2.domain
    assert (high - low) * (layout.height - 110) >= 30 * len(names)


def test_a_single_matrix_is_not_as_wide_as_the_page(s3: Report) -> None:
    assert representation_map_figure(s3).layout.height < 600


def test_a_network_without_coset_neurons_says_so(s3: Report) -> None:
    assert s3.circuit.cosets
    none = tuple(replace(side, least=np.full_like(side.least, np.inf)) for side in s3.circuit.cosets)
    figure = coset_neurons_figure(replace(s3, in_group=replace(s3.circuit, cosets=none)))
    assert "No coset neuron." in [annotation.text for annotation in figure.layout.annotations]


def test_the_mean_logit_and_its_characters_agree_where_they_should(s3: Report) -> None:
    points, fit = character_decomposition_figure(s3).data[1:]
    logits, group = s3.circuit.logits, s3.circuit.structure.group
    np.testing.assert_allclose(points.y, logits.profile, rtol=1e-5)
    assert list(points.x) == group.class_of.tolist()
    # All irreps are key here: on each class the fit is the mean.
    by_class = [logits.profile[list(members)].mean() for members in group.conjugacy_classes]
    np.testing.assert_allclose(fit.y, by_class, atol=1e-5)


def test_the_chance_level_is_drawn_where_there_is_one(s3: Report) -> None:
    figure = character_decomposition_figure(s3)
    assert figure.layout.shapes[0].y0 == s3.circuit.found.control.largest_share
    control = replace(s3.circuit.found.control, share=np.nan, largest_share=np.nan)
    small = replace(s3, in_group=replace(s3.circuit, found=replace(s3.circuit.found, control=control)))
    assert not character_decomposition_figure(small).layout.shapes
    assert "Relabelled" not in render_page(small)


def test_the_representation_map_is_that_of_irreps_with_matrices(s3: Report) -> None:
    figure = representation_map_figure(s3)
    (drawn,) = figure.data
    found = s3.circuit.logit_map.representation[2]
    np.testing.assert_allclose(drawn.z, found.matrix, rtol=1e-5)
    assert f"{found.identity_share:.0%}" in figure.layout.annotations[0].text


def test_irreps_have_their_names_on_axes_and_in_titles(s3: Report) -> None:
    assert list(irreps_over_training_figure(s3).layout.yaxis.ticktext) == ["(1,1,1)", "(2,1)"]
    assert list(neuron_clusters_figure(s3).data[0].x)[-1] == "none"
    spectra = example_neuron_spectra_figure(s3)
    assert list(spectra.layout.yaxis.ticktext) == ["trivial", "(1,1,1)", "(2,1)"]
    assert re.search(r"neuron \d+: \(\d", spectra.layout.annotations[0].text)
    assert "(" in attention_figure(s3).layout.annotations[0].text


def test_names_of_irreps_are_text(s3: Report) -> None:
    basis = s3.circuit.structure.basis
    basis.__dict__["irrep_names"] = ("trivial", "<b>sign</b>", "(2,1)")
    try:
        assert irrep_axis(s3.circuit.structure)["ticktext"][0] == "&lt;b&gt;sign&lt;/b&gt;"
        assert "<b>sign</b>" not in render_page(s3)
    finally:
        del basis.__dict__["irrep_names"]


def test_of_large_groups_elements_are_left_out_evenly() -> None:
    labels = [str(i) for i in range(400)]
    grid = PairGrid(np.arange(400 * 400).reshape(400, 400), labels, labels, thins=True)
    drawn = grid.heatmap(np.arange(400 * 400, dtype=float))
    assert drawn["z"].shape == (GRID_SIDE, GRID_SIDE)
    assert drawn["x"][0] == "0" and drawn["x"][-1] == "399"
    assert isinstance(go.Heatmap(**drawn), go.Heatmap)
