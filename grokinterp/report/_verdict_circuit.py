"""The circuit of each circle, from the embeddings to the logits, and predictions of changed networks beside them."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from grokinterp.verdict import CircuitPath, Prediction, Verdict, together, with_totals
from grokinterp.verdict.causal import Name
from grokinterp.wording import percent

from ._style import OTHER, adapt, axis_names, lay_out_cells, legend_above, new_figure
from ._verdict_circles import shown_circles
from ._verdict_tables import share

# Weaker edges are not drawn; an edge of share 1 is so many pixels wide.
LEAST_SHARE, WIDEST = 0.05, 7.0
# Between parallel edges of two circles, in heights of a row.
ASIDE = 0.07
# Points per circle of a figure: thousands of pairs would hide each other.
POINTS = 250
_SAYS = {
    "reads": "of what is read of the circle",
    "carries": "of the amplitude is lost if the neurons do not get it from there",
    "writes": "of the amplitude is written here",
    "fills": "of the amplitude, at opposite inputs, comes with this head's attention",
}
_DONE = {
    "delete": "a circle deleted from the embedding",
    "opposite": "the same, at pairs opposite on the circle",
    "turn": "a circle of a turned by 90°",
    "shift": "all circles of a turned by t steps",
    "unit": "tokens multiplied by a unit",
    "project": "what the unembedding does not read taken away",
}
_CELLS: tuple[tuple[Name, str, str], ...] = (
    ("delete", "margin of each pair", "margins without a circle"),
    ("delete", "mean margin by answer", "their means by answer"),
    ("turn", "change of the logits' components", "change if a circle of a is turned"),
)


def circuit_figure(verdict: Verdict) -> go.Figure:
    """Nodes a, b, heads, MLPs and logits; a line per edge and circle, in its colour, as wide as its share (`paths`).

    Dashed lines are attention that fills a circle's hole.
    """
    assert verdict.examination
    colours = shown_circles(verdict)
    edges = [
        edge for edge in verdict.examination.circuit if edge.freq in colours and _target(edge) and _is_strong(edge)
    ]
    places = _places(edges)
    rows = max(len({y for x, y in places.values() if x == column}) for column in {x for x, _ in places.values()})
    figure = new_figure("How each circle gets to the logits")
    named: set[int] = set()
    order = {freq: number - (len(colours) - 1) / 2 for number, freq in enumerate(colours)}
    for edge in edges:
        (x0, y0), (x1, y1) = places[edge.source], places[_target(edge)]
        aside = ASIDE * order[edge.freq]
        figure.add_trace(
            go.Scatter(
                x=[x0, (x0 + x1) / 2, x1],
                y=[y0 + aside, (y0 + y1) / 2 + aside, y1 + aside],
                mode="lines",
                line={
                    "color": colours[edge.freq],
                    "width": round(max(1.0, WIDEST * min(abs(edge.share), 1.0)), 2),
                    "dash": "dot" if edge.kind == "fills" else "solid",
                },
                opacity=0.75,
                name=f"k = {edge.freq}",
                legendgroup=str(edge.freq),
                showlegend=edge.freq not in named,
                hovertemplate=f"{edge.source} → {edge.target}: {share(edge.share)} {_SAYS[edge.kind]}"
                f"<extra>k = {edge.freq}</extra>",
            )
        )
        named.add(edge.freq)
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in places.values()],
            y=[y for _, y in places.values()],
            text=list(places),
            mode="markers+text",
            textposition="top center",
            marker={"size": 13, "color": OTHER, "line": {"color": "#FFFFFF", "width": 1}},
            name="parts of the network",
            showlegend=False,
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    last = max(x for x, _ in places.values())
    half = (rows - 1) / 2
    figure.update_layout(
        xaxis={"visible": False, "range": [-0.25, last + 0.25]},
        yaxis={"visible": False, "range": [-half - 0.5, half + 0.8]},
        margin={"t": 40, "l": 8, "r": 8, "b": 8},
    )
    height = 110 + 74 * rows
    adapt(figure, wide={"height": height}, narrow={"height": height})
    legend_above(figure)
    return figure


def _is_strong(edge: CircuitPath) -> bool:
    return abs(edge.share) >= LEAST_SHARE


def _target(edge: CircuitPath) -> str:
    """The node an edge ends at; what goes to `later layers` is not one edge, and is left to verdict.json."""
    return "" if edge.target == "later layers" else edge.target


def _places(edges: list[CircuitPath]) -> dict[str, tuple[float, float]]:
    """Node → (column, height): inputs, heads and MLPs layer by layer, logits."""
    names = dict.fromkeys(name for edge in edges for name in (edge.source, _target(edge)))
    columns: dict[tuple[int, ...], list[str]] = {}
    for name in names:
        columns.setdefault(_column(name), []).append(name)
    found = {}
    for x, column in enumerate(sorted(columns)):
        nodes = sorted(columns[column])
        for number, name in enumerate(nodes):
            found[name] = (float(x), (len(nodes) - 1) / 2 - number)
    return found


def _column(name: str) -> tuple[int, ...]:
    word, _, number = name.partition(" ")
    layer = int(number.split(".")[0]) if "." in number or (word == "MLP" and number) else 0
    if word == "logits":
        return (2, 0, 0)
    if word in ("head", "MLP"):
        return (1, layer, int(word == "MLP"))
    return (1, layer, 0) if name == "earlier layers" else (0, 0, 0)


def predictions_figure(verdict: Verdict) -> go.Figure:
    """Predicted against measured values, a dot each, in their circle's colour; on the line both are the same."""
    assert verdict.examination
    found, colours = verdict.examination.predictions, shown_circles(verdict)
    cells = [cell for cell in _CELLS if not together(found, cell[0], cell[1]).not_applicable]
    figure = new_figure("Predicted and measured", note=f"At most {POINTS} values of a circle are drawn.")
    titles = []
    for place, (name, quantity, says) in enumerate(cells, start=1):
        x, y = axis_names(place)
        axes = {"xaxis": x.replace("axis", ""), "yaxis": y.replace("axis", "")}
        ones = [one for one in found if (one.name, one.quantity) == (name, quantity) and one.freq in colours]
        drawn = {one.freq: _some(one) for one in ones if len(one.predicted)}
        ends = [f(float(f(values)) for pair in drawn.values() for values in pair) for f in (min, max)]
        figure.add_trace(
            go.Scatter(
                x=ends, y=ends, mode="lines", line={"color": OTHER, "dash": "dot"}, name="as predicted",
                showlegend=place == 1, hoverinfo="skip", **axes,
            )
        )  # fmt: skip
        for freq, (predicted, measured) in drawn.items():
            assert freq is not None
            figure.add_trace(
                go.Scatter(
                    x=predicted,
                    y=measured,
                    mode="markers",
                    marker={"color": colours[freq], "size": 4, "opacity": 0.6},
                    name=f"k = {freq}",
                    legendgroup=str(freq),
                    showlegend=place == 1,
                    hovertemplate=f"predicted %{{x:.3g}}, measured %{{y:.3g}}<extra>k = {freq}</extra>",
                    **axes,
                )
            )
        r = together(found, name, quantity).r
        titles.append(f"{says}<br>" + (f"r = {r:.3f}" if np.isfinite(r) else "r is not defined"))
        figure.update_layout({x: {"title": {"text": "predicted"}, "nticks": 5}, y: {"nticks": 5}})
    figure.update_layout(yaxis_title_text="measured")
    lay_out_cells(figure, titles, heights=(250, 220), columns=(len(cells), 1), gap=0.07)
    meta: Any = figure.layout["meta"]
    figure.update_layout(margin_t=50)
    adapt(
        figure,
        wide={"height": meta["wide"]["height"] + 34},
        narrow={"height": meta["narrow"]["height"] + 34},
    )
    legend_above(figure)
    return figure


def _some(one: Prediction) -> tuple[np.ndarray, np.ndarray]:
    """Values evenly taken, the same every time, float32."""
    chosen = np.unique(np.linspace(0, len(one.predicted) - 1, POINTS).astype(int))
    return one.predicted[chosen].astype(np.float32), one.measured[chosen].astype(np.float32)


def predictions_table(verdict: Verdict) -> list[list[str]]:
    """Rows of: what was done, what was compared, r, slope, and the pairs answered right as predicted and measured."""
    if not verdict.examination:
        return []
    rows = []
    for one in with_totals(verdict.examination.predictions):
        if one.freq is None and not one.not_applicable:
            right = " / ".join(percent(value) for value in one.right) if one.right else ""
            rows.append([_DONE[one.name], one.quantity, _number(one.r), _number(one.slope), right])
    return rows


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"
