"""The neurons by frequency or irrep: clusters, and examples over (a, b) and by their spectra."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import plotly.graph_objects as go

from grokinterp.analysis import CLUSTER_THRESHOLD, Circuit, Report, neuron_spectrum
from grokinterp.wording import listed, number

from ._elements import PairGrid
from ._keys import TICKS_UP, called, irrep_name, key_colours
from ._series import crop_note, cropped
from ._style import OTHER, SEQUENTIAL, axis_names, label, lay_out_cells, new_figure, nothing_to_see

BINS = 20


def neuron_clusters_figure(report: Report) -> go.Figure:
    """Neurons per frequency or irrep, and how much of each neuron's variance the best one explains.

    A neuron belongs to a cluster if a degree-2 polynomial of one frequency explains at least 85 % of its
    variance (Nanda et al. 2023, §4.1); for other groups, if the functions of a and b in one irrep do.
    """
    circuit, colours = report.circuit, key_colours(report)
    neurons, structure, word = circuit.neurons, circuit.structure, circuit.structure.irrep_word
    clusters = neurons.clusters()
    counts = {irrep_name(structure, irrep): len(members) for irrep, members in clusters.items()}
    counts["none"] = len(neurons.unclustered())
    figure = new_figure(f"Neurons by {word}", height=520, narrow_height=520)
    figure.add_trace(
        go.Bar(
            x=list(counts),
            y=list(counts.values()),
            text=list(counts.values()),
            textposition="outside",
            cliponaxis=False,
            width=min(0.8, 0.14 * len(counts)),
            marker_color=[*(colours.get(irrep, OTHER) for irrep in clusters), OTHER],
            name="neurons",
            showlegend=False,
            hovertemplate=f"{word} %{{x}}: %{{y}} neurons<extra></extra>",
        )
    )
    edges = np.linspace(0, 1, BINS + 1)
    explained, best = neurons.variance_explained, neurons.irrep
    groups = {called(structure, irrep): (best == irrep, colour) for irrep, colour in colours.items()}
    groups["other k" if structure.is_cyclic else "other irreps"] = (~np.isin(best, list(colours)), OTHER)
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
        xaxis={"type": "category", "title": {"text": f"{word} of the cluster"}, "anchor": "y"},
        yaxis={"title": {"text": "neurons"}, "domain": [0.62, 1.0]},
        xaxis2={
            "title": {"text": f"variance explained by the best {word}"},
            "range": [0, 1],
            "tickformat": ".0%",
            "anchor": "y2",
        },
        yaxis2={"title": {"text": "neurons"}, "domain": [0.0, 0.40], "anchor": "x2"},
        legend={"y": 0.41, "traceorder": "normal"},
    )
    return figure


def example_neurons_figure(report: Report) -> go.Figure:
    """Activations of up to four neurons over all (a, b): waves of one frequency (Nanda et al. 2023, §4.1).

    In a group that is not cyclic, a stands in the order of the right cosets, and b in that of the left cosets, of the
    subgroups that tell most of the neuron's input from each (Stander et al. 2024): a coset neuron shows blocks.
    """
    circuit, grid = report.circuit, PairGrid.of(report)
    figure = new_figure("Neurons over (a, b)", note=grid.note)
    chosen = example_neurons(report)
    titles = []
    for cell, neuron in enumerate(chosen, start=1):
        drawn, title = (grid, "") if circuit.cosets is None else _by_cosets(circuit, neuron, grid)
        data = drawn.heatmap(report.snapshot.neurons[:, neuron])
        x, y = _add_heatmap(figure, cell, "a = %{y}, b = %{x}<br>activation %{z:.3g}", data)
        figure.update_layout({x: drawn.axis("b"), y: {**drawn.axis("a"), "scaleanchor": x.replace("axis", "")}})
        titles.append(_title(circuit, neuron) + title)
    return _finish(figure, titles, heights=(339, grid.narrow_height), columns=(2, grid.narrow_columns))


def _by_cosets(circuit: Circuit, neuron: int, grid: PairGrid) -> tuple[PairGrid, str]:
    """The grid in the order of the cosets that the neuron tells apart, and which they are."""
    assert circuit.cosets is not None
    orders, named = [], []
    for input_name, side, found in zip("ab", ("right", "left"), circuit.cosets, strict=True):
        subgroup = found.subgroups[found.subgroup[neuron]]
        orders.append(np.argsort(circuit.structure.group.cosets(subgroup, side), kind="stable"))
        of = label(subgroup.kind) or f"order {subgroup.order}"
        named.append(f"{input_name}: {subgroup.index} cosets of {of} ({number(found.least[neuron])})")
    return grid.ordered(*orders), f"<br><span style='font-size:10px'>{'<br>'.join(named)}</span>"


def example_neuron_spectra_figure(report: Report) -> go.Figure:
    """The same neurons in the 2-D Fourier basis: norm per pair (irrep along a, irrep along b).

    Nanda et al. 2023, §4.1: a neuron of frequency k has energy at (k, 0), (0, k) and (k, k) alone. The
    constant, which the mean activation gives, is left out.
    """
    circuit = report.circuit
    structure, word = circuit.structure, circuit.structure.irrep_word
    note = crop_note(len(structure.basis.irrep_names), f"the {word}")
    figure = new_figure(f"The same neurons by {word}", note=note)
    chosen = example_neurons(report)
    for cell, neuron in enumerate(chosen, start=1):
        k = "k = " if structure.is_cyclic else ""
        hover = f"along a: {k}%{{y}}, along b: {k}%{{x}}<br>norm %{{z:.3g}}"
        data = {"z": cropped(neuron_spectrum(report.snapshot, neuron))}
        x, y = _add_heatmap(figure, cell, hover, data)
        along_a = _irreps_from_trivial(circuit, "along a" if structure.is_cyclic else "", named=True)
        along_b = _irreps_from_trivial(circuit, f"{word} along b", named=False)
        figure.update_layout({x: along_b, y: {**along_a, "scaleanchor": x.replace("axis", "")}})
    titles = [_title(circuit, neuron) for neuron in chosen]
    # Names of irreps need room at the left of every cell.
    heights, columns = ((180, 130), (4, 2)) if structure.is_cyclic else ((240, 200), (2, 1))
    return _finish(figure, titles, heights=heights, columns=columns)


def _irreps_from_trivial(circuit: Circuit, title: str, *, named: bool) -> dict[str, Any]:
    """An axis that counts all irreps; under the cells there is no room for names."""
    axis = {"title": {"text": title, "standoff": 2}, "constrain": "domain", "showgrid": False}
    if circuit.structure.is_cyclic:
        return {**axis, "nticks": 5}
    last = len(circuit.structure.basis.irrep_names)
    shown = range(0, last, -(-last // TICKS_UP))
    names = [irrep_name(circuit.structure, irrep) for irrep in shown]
    return {**axis, "tickvals": list(shown), "ticktext": names, "showticklabels": named}


def example_neurons(report: Report) -> list[int]:
    """The neurons that are drawn, at most four."""
    return [neuron for group in _examples(report) for neuron in group]


def example_neurons_words(report: Report) -> str:
    """Which neurons these are, as a caption says it."""
    of_clusters, of_others, rest = (len(group) for group in _examples(report))
    structure = report.circuit.structure
    clusters = len(report.circuit.neurons.clusters())
    parts = []
    if of_clusters:
        which = f"{clusters} clusters" if of_clusters == clusters else f"{of_clusters} largest of {clusters} clusters"
        each = "the only cluster" if clusters == 1 else f"each of the {which}"
        parts.append(f"the best-explained neuron of {each}")
    if of_others:
        words = structure.irrep_word if of_others == 1 else structure.irrep_words
        parts.append(f"the best-explained neuron of {of_others} {words} without a cluster")
    if rest:
        parts.append(f"the {rest} best-explained of the other neurons" if rest > 1 else "the best-explained other one")
    return listed(parts)


def _examples(report: Report, count: int = 4) -> tuple[list[int], list[int], list[int]]:
    """The best-explained neuron of each of the largest clusters; then of each other irrep; then of all others."""
    neurons = report.circuit.neurons
    explained = neurons.variance_explained
    clusters = neurons.clusters()
    others = {irrep: members for irrep, members in neurons.clusters(0.0).items() if irrep not in clusters}

    def best_of(groups: Iterable[list[int]]) -> list[int]:
        largest = sorted(groups, key=len, reverse=True)
        return [max(members, key=lambda neuron: explained[neuron]) for members in largest]

    of_clusters = best_of(clusters.values())[:count]
    of_others = best_of(others.values())[: count - len(of_clusters)]
    chosen = of_clusters + of_others
    rest = [int(neuron) for neuron in np.argsort(-explained, kind="stable") if neuron not in chosen]
    return of_clusters, of_others, rest[: count - len(chosen)]


def _add_heatmap(figure: go.Figure, cell: int, hover: str, data: dict[str, Any]) -> tuple[str, str]:
    """Draw a cell; the names of its axes."""
    x, y = axis_names(cell)
    figure.add_trace(
        go.Heatmap(
            **data,
            xaxis=x.replace("axis", ""),
            yaxis=y.replace("axis", ""),
            colorscale=SEQUENTIAL,
            showscale=False,
            hovertemplate=f"{hover}<extra></extra>",
        )
    )
    return x, y


def _title(circuit: Circuit, neuron: int) -> str:
    best = called(circuit.structure, int(circuit.neurons.irrep[neuron]))
    return f"neuron {neuron}: {best}, {circuit.neurons.variance_explained[neuron]:.0%}"


def _finish(figure: go.Figure, titles: list[str], *, heights: tuple[int, int], columns: tuple[int, int]) -> go.Figure:
    if not titles:
        return nothing_to_see(figure, "The network has no neurons.")
    lay_out_cells(figure, titles, heights=heights, columns=columns, gap=0.08)
    return figure
