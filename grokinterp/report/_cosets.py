"""Whether the neurons look at cosets, and of which subgroups."""

from collections import Counter

import numpy as np
import plotly.graph_objects as go

from grokinterp.analysis import Report

from ._style import OTHER, adapt, label, new_figure, nothing_to_see

BINS = 40
# Concentrations below are drawn as this: a function that is constant on cosets has 0.
LEAST = 1e-4
MOST_SUBGROUPS = 8
# Pixels: of the panels, of what lies between them, and of a subgroup's name.
UPPER, LOWER, GAP, TWO_LINES = 230, 170, 90, 36
_COLOURS = {"a": "#7766CC", "b": "#44AA99"}


def coset_neurons_figure(report: Report) -> go.Figure:
    """Coset concentration of every neuron's input from a and from b, and the subgroups of the coset neurons.

    Concentration is the sum over cosets of the variance within each, over the whole variance, for the subgroup where it
    is least (Stander et al. 2024, §5): 0 where the neuron knows of a nothing but its coset; below 1 for a coset neuron.
    """
    cosets = report.circuit.cosets
    figure = new_figure("Coset neurons", height=600, narrow_height=620)
    if cosets is None:
        return nothing_to_see(figure, "Every subgroup of a cyclic group is seen by frequencies.")
    exponents = [np.log10(np.maximum(side.least[np.isfinite(side.least)], LEAST)) for side in cosets]
    lowest = np.floor(min((float(side.min(initial=0.0)) for side in exponents), default=0.0))
    highest = max(float(side.max(initial=0.5)) for side in exponents)
    edges = np.linspace(lowest, highest + 1e-9, BINS + 1)
    counts = [Counter(found.subgroups[i].name for i in found.subgroup[found.is_coset_neuron]) for found in cosets]
    total = sum(counts, Counter())
    # Equal counts in the order of their names, so that equal reports are drawn alike.
    names = sorted(total, key=lambda name: (-total[name], name))[:MOST_SUBGROUPS][::-1]
    for (input_name, colour), values, count in zip(_COLOURS.items(), exponents, counts, strict=True):
        shared = {"marker": {"color": colour, "line_width": 0}, "legendgroup": input_name}
        figure.add_trace(
            go.Bar(
                x=(edges[:-1] + edges[1:]) / 2,
                y=np.histogram(values, edges)[0],
                name=f"input from {input_name}",
                customdata=10 ** ((edges[:-1] + edges[1:]) / 2),
                hovertemplate=f"near %{{customdata:.2g}}: %{{y}} neurons<extra>input from {input_name}</extra>",
                **shared,
            )
        )
        figure.add_trace(
            go.Bar(
                x=[count[name] for name in names],
                y=[_on_two_lines(name) for name in names],
                orientation="h",
                xaxis="x2",
                yaxis="y2",
                name=f"coset neurons, input from {input_name}",
                showlegend=False,
                hovertemplate=f"%{{y}}: %{{x}} neurons<extra>input from {input_name}</extra>",
                **shared,
            )
        )
    dotted = {"dash": "dot", "width": 1.5, "color": OTHER}
    figure.add_shape(type="line", xref="x", yref="y domain", x0=0, x1=0, y0=0, y1=1, line=dotted)
    ticks = [exponent for exponent in range(int(lowest), int(np.ceil(highest)) + 1)]
    figure.update_layout(
        barmode="group",
        bargroupgap=0,
        xaxis={
            "title": {"text": "coset concentration"},
            "tickvals": ticks,
            "ticktext": [f"{10.0**exponent:g}" for exponent in ticks],
            "range": [lowest, highest],
            "anchor": "y",
        },
        yaxis={"title": {"text": "neurons"}},
        xaxis2={"title": {"text": "coset neurons"}, "anchor": "y2", "rangemode": "tozero"},
        yaxis2={"type": "category", "anchor": "x2"},
    )
    height = UPPER + GAP + max(LOWER, TWO_LINES * len(names))
    domains = {"yaxis.domain": [1 - UPPER / height, 1.0], "yaxis2.domain": [0.0, 1 - (UPPER + GAP) / height]}
    adapt(figure, wide={"height": height + 70, **domains}, narrow={"height": height + 110, **domains})
    if not names:
        figure.update_layout(xaxis2_visible=False)
        figure.add_annotation(text="No coset neuron.", xref="paper", yref="y2 domain", x=0.5, y=0.5, showarrow=False)
    return figure


def _on_two_lines(name: str) -> str:
    """A subgroup's name, what it is above how large it is, both a space away from the bar."""
    lines = label(name).split(", ", 1) if name.count(", ") > 1 else [label(name)]
    return "<br>".join(f"{line}\u00a0" for line in lines)
