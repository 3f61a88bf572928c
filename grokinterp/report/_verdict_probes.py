"""How many features it takes to read an angle, place by place."""

import numpy as np
import plotly.graph_objects as go

from grokinterp.verdict import ProbePath, Verdict

from ._style import KEY_COLOURS, OTHER, axis_names, label, lay_out_cells, legend_above, new_figure
from ._verdict_circles import shown_circles

# Probes that have learnt what does not hold go far below 0.
LOWEST = -0.35
# Where a logarithmic axis shows a probe that reads nothing.
NO_FEATURE = 0.4


def probes_figure(verdict: Verdict) -> go.Figure:
    """Held-out R² of sparse probes against the number of features; a cell per place (down) and target (across).

    A line per key frequency; dashed grey, its control with permuted labels. Gurnee et al. 2023 (arXiv 2305.01610).
    """
    probes = verdict.probes
    assert probes
    shown = shown_circles(verdict)
    frequencies = [freq for freq in probes.frequencies if freq in shown or not shown][: len(KEY_COLOURS)]
    colours = {freq: shown.get(freq, KEY_COLOURS[place]) for place, freq in enumerate(frequencies)}
    cells = list(dict.fromkeys((place, target) for place, target, _ in probes.paths))
    most = max((int(path.n_features[-1]) for path in probes.paths.values()), default=1)
    ticks = [10**exponent for exponent in range(int(np.log10(most)) + 1)]
    left_out = len(probes.frequencies) - len(frequencies)
    figure = new_figure(
        "Sparse probes",
        note=f"The {len(frequencies)} strongest of {len(probes.frequencies)} frequencies are drawn."
        if left_out
        else "",
    )
    for number, (place, target) in enumerate(cells, start=1):
        x, y = axis_names(number)
        axes = {"xaxis": x.replace("axis", ""), "yaxis": y.replace("axis", "")}
        for freq in frequencies:
            control = probes.shuffled[place, target, freq]
            first = {"showlegend": number == 1 and freq == frequencies[0], "legendgroup": "control"}
            figure.add_trace(_line(control, "permuted labels", OTHER, "dash", 1.0, **axes, **first))
        for freq in frequencies:
            path, first = probes.paths[place, target, freq], {"showlegend": number == 1, "legendgroup": str(freq)}
            figure.add_trace(_line(path, f"k = {freq}", colours[freq], "solid", 1.8, **axes, **first))
        figure.update_layout(
            {
                x: {
                    "type": "log",
                    "range": [np.log10(NO_FEATURE) - 0.05, np.log10(most) + 0.08],
                    "tickvals": [NO_FEATURE, *ticks],
                    "ticktext": ["0", *map(str, ticks)],
                },
                y: {"range": [LOWEST, 1.05], "tickvals": [0, 0.5, 1], "zeroline": True, "zerolinecolor": OTHER},
            }
        )
        if number == len(cells):
            figure.layout[x].title = {"text": "features"}
    figure.update_layout(yaxis_title_text="R²")
    titles = [f"{label(place)} → {label(target)}" for place, target in cells]
    lay_out_cells(figure, titles, heights=(130, 110), columns=(3, 2), gap=0.05)
    legend_above(figure)
    return figure


def _line(path: ProbePath, name: str, colour: str, dash: str, width: float, **placed: object) -> go.Scatter:
    return go.Scatter(
        x=np.maximum(path.n_features, NO_FEATURE).astype(np.float32),
        customdata=path.n_features,
        y=path.r2.astype(np.float32),
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": width, "dash": dash},
        marker={"size": 3},
        hovertemplate=f"%{{customdata}} features: R² = %{{y:.3f}}<extra>{name}</extra>",
        **placed,
    )
