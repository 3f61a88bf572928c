"""The figures show the numbers of the report they are given, and nothing makes them fail."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from grokinterp.analysis import KeyIrreps, LogitMap, Report, mean_attention
from grokinterp.fourier import FourierBasis
from grokinterp.models import initial_weights
from grokinterp.report import (
    attention_figure,
    embedding_circles_figure,
    embedding_spectrum_figure,
    example_neuron_spectra_figure,
    example_neurons_figure,
    irreps_over_training_figure,
    layers_figure,
    logit_decomposition_figure,
    logit_map_spectrum_figure,
    losses_figure,
    neuron_clusters_figure,
    page_figures,
    progress_figure,
    render_page,
    singular_values_figure,
    weight_norms_figure,
)
from grokinterp.report._keys import key_colours, shown_keys
from grokinterp.report._series import cropped, every_so_many, thinned
from grokinterp.report._style import KEY_COLOURS, OTHER
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task


def traces(figure: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in figure.data}


def test_every_figure_is_returned_and_carries_a_title(report: Report) -> None:
    for entry in page_figures(report):
        figure = entry.draw(report)
        assert isinstance(figure, go.Figure), entry.name
        assert figure.layout.title.text, entry.name
        assert {"wide", "narrow"} <= set(figure.layout.meta), entry.name


def test_a_figure_draws_the_same_twice(report: Report) -> None:
    for entry in page_figures(report):
        assert entry.draw(report).to_json() == entry.draw(report).to_json(), entry.name


def test_losses_are_those_of_training(report: Report) -> None:
    metrics = report.run.metrics
    lines = traces(losses_figure(report))
    assert set(lines) == {"train loss", "test loss"}
    np.testing.assert_allclose(lines["train loss"].y, metrics["train_loss"], rtol=1e-6)
    evaluated = metrics.dropna(subset=["test_loss"])
    np.testing.assert_array_equal(lines["test loss"].x, evaluated["step"])
    np.testing.assert_allclose(lines["test loss"].y, evaluated["test_loss"], rtol=1e-6)


def test_phases_are_shaded_where_there_are_any(report: Report) -> None:
    phases = replace(report.phases, memorization=(0, 20), circuit_formation=None, cleanup=(40, 60))
    shapes = losses_figure(replace(report, phases=phases)).layout.shapes
    assert [(shape.x0, shape.x1) for shape in shapes] == [(0, 20), (40, 60)]
    assert shapes[0].name == "memorization, 0–20"
    stopped = replace(report, phases=replace(phases, open_phase="cleanup"))
    assert losses_figure(stopped).layout.shapes[1].name == "cleanup, from 40, not over"
    nothing = replace(phases, memorization=None, cleanup=None)
    assert not losses_figure(replace(report, phases=nothing)).layout.shapes


def test_progress_shows_each_measure_and_each_key_frequency(report: Report) -> None:
    measures = report.curves.measures
    figure = progress_figure(report)
    above = {trace.name: trace for trace in figure.data if trace.yaxis != "y2"}
    np.testing.assert_allclose(above["restricted (all pairs)"].y, measures["restricted_loss"], rtol=1e-6)
    np.testing.assert_allclose(above["excluded (key frequencies)"].y, measures["excluded_loss"], rtol=1e-6)
    for k in report.key_frequencies:
        line = traces(figure)[f"without k = {k}"]
        np.testing.assert_allclose(line.y, measures[f"excluded_loss_k{k}"], rtol=1e-6)
        assert line.line.dash == "dash"


def test_figures_over_steps_share_one_axis(report: Report) -> None:
    for draw in (losses_figure, progress_figure, weight_norms_figure, irreps_over_training_figure):
        figure = draw(report)
        assert "step_subplots" in figure.layout.meta
        assert figure.layout.xaxis.range == losses_figure(report).layout.xaxis.range


def test_heat_maps_over_training_leave_out_the_constant(report: Report) -> None:
    above, below = (trace for trace in irreps_over_training_figure(report).data if trace.type == "heatmap")
    np.testing.assert_allclose(above.z, report.curves.embedding_norms[:, 1:].T, rtol=1e-6)
    np.testing.assert_allclose(below.z, report.curves.logit_share[:, 1:].T, rtol=1e-6)
    np.testing.assert_array_equal(above.x, report.curves.measures["step"])


@pytest.mark.parametrize("which", ["embedding", "logit_map_spectrum"])
def test_spectra_colour_key_frequencies_alone(report: Report, which: str) -> None:
    draw = {"embedding": embedding_spectrum_figure, "logit_map_spectrum": logit_map_spectrum_figure}[which]
    bars = traces(draw(report))
    norms = getattr(report.circuit, which).component_norms
    np.testing.assert_allclose(bars["cos"].y, norms[1::2], rtol=1e-6)
    np.testing.assert_allclose(bars["sin"].y, norms[2::2], rtol=1e-6)
    colours = key_colours(report)
    assert list(bars["cos"].marker.color) == [colours.get(k, OTHER) for k in (1, 2, 3)]


def test_the_highest_frequency_of_an_even_p_has_no_sine(analysed: Callable[..., Report]) -> None:
    even = analysed("task.p=6", "training.steps=3")
    bars = traces(embedding_spectrum_figure(even))
    assert np.isnan(bars["sin"].y[-1]) and np.isfinite(bars["cos"].y).all()


def test_circles_carry_every_residue_once(report: Report) -> None:
    for trace in embedding_circles_figure(report).data:
        assert sorted(int(x) for x, _ in trace.customdata) == list(range(7))


def test_clusters_count_every_neuron_once(report: Report) -> None:
    above, *below = neuron_clusters_figure(report).data
    assert sum(above.y) == len(report.circuit.neurons.irrep)
    assert sum(int(np.sum(trace.y)) for trace in below) == len(report.circuit.neurons.irrep)


def test_example_neurons_are_activations_and_their_spectra(report: Report) -> None:
    neurons, spectra = example_neurons_figure(report), example_neuron_spectra_figure(report)
    assert len(neurons.data) == len(spectra.data) == 4
    number = int(neurons.layout.annotations[0].text.split()[1].rstrip(":"))
    grid = report.snapshot.neurons[:, number].reshape(7, 7)
    np.testing.assert_array_equal(neurons.data[0].z, grid)
    power = FourierBasis(7).power_2d(grid.astype(float))
    power[0, 0] = 0
    np.testing.assert_allclose(spectra.data[0].z, np.sqrt(power), atol=1e-6)


def test_logits_are_averaged_over_equal_differences(report: Report) -> None:
    lines = traces(logit_decomposition_figure(report))
    logits = report.snapshot.logits.astype(float)
    logits -= logits.mean(axis=1, keepdims=True)
    slow = {int(d): [] for d in lines["mean logit"].x}
    for pair, answer in enumerate(report.run.task.answers):
        for c in range(7):
            slow[(int(answer) - c + 3) % 7 - 3].append(logits[pair, c])
    expected = [np.mean(slow[int(d)]) for d in lines["mean logit"].x]
    np.testing.assert_allclose(lines["mean logit"].y, expected, atol=1e-5)
    np.testing.assert_allclose(lines["share of variance"].y, report.circuit.logits.share[1:], rtol=1e-6)


def test_attention_titles_state_the_summary(report: Report) -> None:
    figure = attention_figure(report)
    assert len(figure.data) == 2
    np.testing.assert_array_equal(figure.data[1].z, report.snapshot.pattern[:, 1, 0].reshape(7, 7))
    assert f"k = {report.circuit.attention.to_a.irrep[1]}" in figure.layout.annotations[1].text


@pytest.mark.parametrize("order", [{"b_first": True}, {"equals_first": True}, {"equals_token": False}], ids=str)
def test_attention_is_to_a_wherever_a_stands(order: dict[str, bool], report: Report) -> None:
    config = report.run.config
    task = Task(config.task.model_copy(update=order))
    snapshot = Snapshot(40, task, config.model, initial_weights(config.model, task))
    run = replace(report.run, config=config.model_copy(update={"task": task.config}), split_hash=None)
    figure = attention_figure(replace(report, run=run, snapshot=snapshot, mean_attention=mean_attention(snapshot)))
    place, last = task.positions.index("a"), task.positions[-1]
    np.testing.assert_array_equal(figure.data[1].z, snapshot.pattern[:, 1, place].reshape(7, 7))
    assert figure.layout.title.text.startswith(f"Attention from {last}")


def test_weight_norms_add_up_to_the_total(report: Report) -> None:
    figure = weight_norms_figure(report)
    norms = [trace for trace in figure.data if trace.yaxis != "y2"]
    total = sum(np.asarray(trace.y, dtype=float) for trace in norms)
    np.testing.assert_allclose(total, report.curves.measures["sum_of_squared_weights"], rtol=1e-5)
    assert "smaller ones together" in norms[-1].name


def test_the_embedding_has_one_colour_above_and_below(report: Report) -> None:
    drawn = traces(weight_norms_figure(report))
    assert drawn["Gini of W_E"].line.color == drawn["W_E"].line.color
    others = {name: trace.line.color for name, trace in drawn.items() if name not in ("W_E", "Gini of W_E")}
    assert drawn["W_E"].line.color not in others.values()


def test_singular_values_stand_beside_the_control(report: Report) -> None:
    lines = traces(singular_values_figure(report))
    np.testing.assert_allclose(lines["W_E"].y, report.singular_values.values, rtol=1e-6)
    np.testing.assert_allclose(lines["random control"].y, report.singular_values.control, rtol=1e-6)


def test_at_most_eight_key_frequencies_are_coloured_and_the_reader_is_told(
    analysed: Callable[..., Report],
) -> None:
    many = analysed("task.p=23", "training.steps=2")
    found = replace(many.circuit.found, chosen=tuple(range(1, 12)))
    many = replace(many, in_group=replace(many.circuit, found=found))
    assert len(shown_keys(many)) == len(KEY_COLOURS) == 8
    norms = many.circuit.logit_map_spectrum.irrep_norms
    hidden = set(range(1, 12)) - set(shown_keys(many))
    assert max(norms[k] for k in hidden) <= min(norms[k] for k in shown_keys(many))
    figure = embedding_circles_figure(many)
    assert len(figure.data) == 8
    assert "Of 11 key frequencies, the 8 strongest" in figure.layout.title.subtitle.text


def test_without_key_frequencies_every_figure_still_draws_but_there_are_no_circles(report: Report) -> None:
    circuit = report.circuit
    nothing = KeyIrreps(W_L=(), W_E=(), argmax=(), clusters=(), logits=())
    none = replace(
        report,
        in_group=replace(
            circuit,
            found=replace(circuit.found, by_rule=nothing, chosen=()),
            logit_map=LogitMap(0, 1.0, circuit.logit_map.singular_values, {}, {}, {}, {}),
            logits=replace(circuit.logits, keys=()),
        ),
    )
    assert embedding_circles_figure(none).layout.annotations[0].text == "No key frequency, no circle."
    assert "embedding-circles" not in [entry.name for entry in page_figures(none)]
    assert "none" in render_page(none)


def test_layers_hold_all_of_the_embedding_but_its_mean(report: Report) -> None:
    figure = layers_figure(report)
    drawn = traces(figure)
    assert list(drawn["embedding W_E"].x) == ["1", "2", "3"]
    np.testing.assert_allclose(drawn["embedding W_E"].y, report.circuit.embedding.share[1:], rtol=1e-6)
    np.testing.assert_allclose(drawn["neurons, of the answer"].y, report.circuit.hidden.answer[1:], rtol=1e-6)
    assert len(drawn) == 5


@pytest.mark.parametrize(
    "settings",
    [
        ("task.p=2", "training.steps=5"),
        ("task.p=3", "training.steps=5"),
        ("task.p=4", "training.steps=2"),
        ("task.p=6", "task.operation=subtract", "training.steps=2"),
        ("task.p=5", "training.steps=1", "model.d_mlp=1"),
        ("task.p=5", "training.steps=2", "model.n_layers=2"),
        ("task.p=5", "training.steps=2", "model.d_model=12", "model.n_heads=12", "model.d_head=1"),
    ],
    ids=" ".join,
)
def test_odd_runs_have_a_page(analysed: Callable[..., Report], settings: tuple[str, ...]) -> None:
    assert render_page(analysed(*settings)).endswith("</html>\n")


def test_a_run_of_one_checkpoint_without_metrics_shows_its_points(analysed: Callable[..., Report]) -> None:
    once = analysed("task.p=5", "training.steps=1")
    once = replace(once, metrics=once.metrics.iloc[:0, :0])
    curves = replace(
        once.curves,
        measures=once.curves.measures.iloc[:1],
        embedding_norms=once.curves.embedding_norms[:1],
        logit_map_norms=once.curves.logit_map_norms[:1],
        logit_share=once.curves.logit_share[:1],
    )
    once = replace(once, curves=curves)
    assert losses_figure(once).data[0].mode == "markers"
    assert losses_figure(once).data[0].y[0] == pytest.approx(once.curves.measures["train_loss"][0])
    shown = {entry.name for entry in page_figures(once)}
    assert not shown & {"losses", "progress", "frequencies-over-training", "weight-norms"}
    assert "embedding-spectrum" in shown
    render_page(once)


def test_measures_that_are_not_numbers_are_left_out(report: Report) -> None:
    measures = report.curves.measures.assign(restricted_loss=np.nan, excluded_loss=np.inf, gini_W_E=np.nan)
    broken = replace(report, curves=replace(report.curves, measures=measures))
    assert len(traces(progress_figure(broken))["restricted (all pairs)"].x) == 0
    for entry in page_figures(report):
        entry.draw(broken)


def test_thinning_keeps_ends_and_spikes() -> None:
    values = np.sin(np.arange(50_000) / 500.0)
    values[31_234] = 99.0
    kept = thinned(values, 1000)
    assert len(kept) <= 1002
    assert {0, 31_234, 49_999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_large_grids_are_cropped_and_many_steps_thinned() -> None:
    assert cropped(np.zeros((500, 500))).shape == (160, 160)
    chosen = every_so_many(5000)
    assert len(chosen) == 400 and chosen[0] == 0 and chosen[-1] == 4999


def test_names_of_matrices_are_shown_as_they_are(report: Report) -> None:
    measures: pd.DataFrame = report.curves.measures.rename(
        columns={"sum_of_squared_weights_W_E": "sum_of_squared_weights_<b>W</b>"}
    )
    odd = replace(report, curves=replace(report.curves, measures=measures))
    assert "&lt;b&gt;W&lt;/b&gt;" in traces(weight_norms_figure(odd))
