"""The neurons by frequency: clusters, and examples over (a, b) and in Fourier space."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.analysis import CLUSTER_THRESHOLD, Report, neuron_spectrum

from ._series import crop_note, cropped
from ._style import (
    OTHER,
    SEQUENTIAL,
    axis_names,
    frequency_colours,
    lay_out_cells,
    new_figure,
    nothing_to_see,
)

BINS = 20


def neuron_clusters_figure(report: Report) -> go.Figure:
    """Neurons per frequency, and how much of each neuron's variance its best frequency explains.

    A neuron belongs to a cluster if a degree-2 polynomial of one frequency explains at least 85 % of its
    variance (Nanda et al. 2023, §4.1).
    """
    neurons, colours = report.neurons, frequency_colours(report)
    clusters = neurons.clusters()
    counts = {str(k): len(members) for k, members in clusters.items()} | {"none": len(neurons.unclustered())}
    figure = new_figure("Neurons by frequency", height=520, narrow_height=520)
    figure.add_trace(
        go.Bar(
            x=list(counts),
            y=list(counts.values()),
            text=list(counts.values()),
            textposition="outside",
            cliponaxis=False,
            width=min(0.8, 0.14 * len(counts)),
            marker_color=[*(colours.get(k, OTHER) for k in clusters), OTHER],
            name="neurons",
            showlegend=False,
            hovertemplate="frequency %{x}: %{y} neurons<extra></extra>",
        )
    )
    edges = np.linspace(0, 1, BINS + 1)
    explained, best = neurons.variance_explained, neurons.frequency
    groups = {f"k = {k}": (best == k, colour) for k, colour in colours.items()}
    groups["other k"] = (~np.isin(best, list(colours)), OTHER)
    for name, (members, colour) in groups.items():
        figure.add_trace(
            go.Bar(
                x=(edges[:-1] + edges[1:]) / 2,
                y=np.histogram(np.clip(explained[members], 0, 1), edges)[0],
                width=1 / BINS,
                marker={"color": colour, "line_width": 0},
                name=name,
                xaxis="x2",
                yaxis="y2",
                hovertemplate=f"{name}, near %{{x:.1%}}: %{{y}} neurons<extra></extra>",
            )
        )
    figure.add_shape(
        type="line",
        x0=CLUSTER_THRESHOLD,
        x1=CLUSTER_THRESHOLD,
        y0=0,
        y1=1,
        xref="x2",
        yref="y2 domain",
        line={"dash": "dot", "width": 1.5, "color": OTHER},
    )
    figure.update_layout(
        barmode="stack",
        xaxis={"type": "category", "title": {"text": "frequency of the cluster"}, "anchor": "y"},
        yaxis={"title": {"text": "neurons"}, "domain": [0.62, 1.0]},
        xaxis2={
            "title": {"text": "variance explained by the best frequency"},
            "range": [0, 1],
            "tickformat": ".0%",
            "anchor": "y2",
        },
        yaxis2={"title": {"text": "neurons"}, "domain": [0.0, 0.40], "anchor": "x2"},
        legend={"y": 0.41, "traceorder": "normal"},
    )
    return figure


def example_neurons_figure(report: Report) -> go.Figure:
    """Activations of four neurons over all (a, b): waves of one frequency (Nanda et al. 2023, §4.1)."""
    p = report.run.task.p
    figure = new_figure("Four neurons over (a, b)", note=crop_note(p, "a and b"))
    chosen = example_neurons(report)
    for number, neuron in enumerate(chosen, start=1):
        grid = report.snapshot.neurons[:, neuron].reshape(p, p)
        _heatmap(figure, number, cropped(grid), "a = %{y}, b = %{x}<br>activation %{z:.3g}", ("b", "a"))
    return _finish(figure, report, chosen, heights=(339, 140), columns=(2, 2))


def example_neuron_spectra_figure(report: Report) -> go.Figure:
    """The same four neurons in the 2-D Fourier basis: norm per pair (frequency along a, frequency along b).

    Nanda et al. 2023, §4.1: a neuron of frequency k has energy at (k, 0), (0, k) and (k, k) alone. The
    constant, which the mean activation gives, is left out.
    """
    p = report.run.task.p
    figure = new_figure("The same neurons by frequency", note=crop_note(p // 2 + 1, "the frequency"))
    chosen = example_neurons(report)
    for number, neuron in enumerate(chosen, start=1):
        norms = neuron_spectrum(report.snapshot, neuron)
        hover = "along a: k = %{y}, along b: k = %{x}<br>norm %{z:.3g}"
        _heatmap(figure, number, cropped(norms), hover, ("frequency along b", "along a"))
    return _finish(figure, report, chosen, heights=(180, 130), columns=(4, 2))


def example_neurons(report: Report, count: int = 4) -> list[int]:
    """The best-explained neuron of each of the largest clusters; then the best-explained of all others."""
    neurons = report.neurons
    explained = neurons.variance_explained
    clusters = sorted(neurons.clusters().values(), key=len, reverse=True)
    chosen = [max(members, key=lambda neuron: explained[neuron]) for members in clusters[:count]]
    others = [int(neuron) for neuron in np.argsort(-explained, kind="stable") if neuron not in chosen]
    return (chosen + others)[:count]


def _heatmap(
    figure: go.Figure, number: int, grid: Float[np.ndarray, "a b"], hover: str, titles: tuple[str, str]
) -> None:
    x, y = axis_names(number)
    figure.add_trace(
        go.Heatmap(
            z=grid,
            xaxis=x.replace("axis", ""),
            yaxis=y.replace("axis", ""),
            colorscale=SEQUENTIAL,
            showscale=False,
            hovertemplate=f"{hover}<extra></extra>",
        )
    )
    square = {"constrain": "domain", "showgrid": False, "nticks": 5}
    figure.update_layout(
        {
            x: {**square, "title": {"text": titles[0], "standoff": 2}},
            y: {**square, "title": {"text": titles[1], "standoff": 2}, "scaleanchor": x.replace("axis", "")},
        }
    )


def _finish(
    figure: go.Figure,
    report: Report,
    chosen: list[int],
    *,
    heights: tuple[int, int],
    columns: tuple[int, int],
) -> go.Figure:
    if not chosen:
        return nothing_to_see(figure, "The network has no neurons.")
    frequency, explained = report.neurons.frequency, report.neurons.variance_explained
    titles = [f"neuron {n}: k = {frequency[n]}, {explained[n]:.0%}" for n in chosen]
    lay_out_cells(figure, titles, heights=heights, columns=columns, gap=0.08)
    return figure
