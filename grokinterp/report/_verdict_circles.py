"""Circles as clocks or pizzas: how their amplitude falls with the angle between the inputs, and where that is."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.verdict import THRESHOLDS, CircleAlone, Verdict
from grokinterp.wording import number, percent

from ._style import KEY_COLOURS, OTHER, adapt, axis_names, lay_out_cells, legend_above, new_figure, room_for_title

CLOCK, PIZZA, NETWORK = "#44AA99", "#CC6677", "#7766CC"
IN_NETWORK = "#7A828C"
# Of the line from 0 to 1, with room for the markers that lie there.
ENDS = (-0.04, 1.04)
_REFERENCES = (("clock", CLOCK, "dash"), ("pizza", PIZZA, "dot"))


def shown_circles(verdict: Verdict) -> dict[int, str]:
    """Frequency → colour of the circles that are drawn: those with the largest shares, in order."""
    strongest = sorted(verdict.measured.circles, key=lambda circle: -circle.share)[: len(KEY_COLOURS)]
    return dict(zip(sorted(circle.freq for circle in strongest), KEY_COLOURS, strict=False))


def clockness(value: float) -> str:
    """A place between 0 and 1 as titles write it.

    >>> clockness(0.0), clockness(0.904), clockness(1.0), clockness(float("nan"))
    ('.00', '.90', '1.00', '–')
    """
    return f"{value:.2f}".removeprefix("0") if np.isfinite(value) else "–"


def kind_of(value: float) -> str:
    """What the bounds call a circle, or a network, at this place of the line."""
    if not np.isfinite(value):
        return "no amplitude"
    return next((kind for kind in ("clock", "pizza") if THRESHOLDS[kind].holds(value)), "in between")


def circles_alone_figure(verdict: Verdict) -> go.Figure:
    """The amplitude f_k of cos(w_k(a + b − c)) against the angle between a's and b's point, a cell per key frequency.

    Thick, in the circle's colour: the network with this circle alone in its embedding; thin: as it is.
    Dashed, a clock's (flat) and a pizza's |cos(w_k d/2)|, from the fitted amplitude at equal inputs. Distances with the
    same angle, d and −d, are averaged. Zhong et al. 2023 (arXiv 2306.17844), §3.
    """
    colours = shown_circles(verdict)
    circles = [circle for circle in verdict.measured.circles if circle.freq in colours]
    left_out = len(verdict.measured.circles) - len(circles)
    few = f"The {len(circles)} strongest of {len(circles) + left_out} circles are drawn." if left_out else ""
    figure = new_figure("Each circle alone", note=few)
    for place, circle in enumerate(circles, start=1):
        x, y = axis_names(place)
        axes = {"xaxis": x.replace("axis", ""), "yaxis": y.replace("axis", "")}
        named = {**axes, "showlegend": place == 1}
        angles, alone, whole = by_angle(circle)
        pizza = circle.at_equal * np.cos(np.radians(angles) / 2)
        clock = np.full_like(angles, circle.at_equal)
        for (name, colour, dash), values in zip(_REFERENCES, (clock, pizza), strict=True):
            figure.add_trace(_line(angles, values, f"an ideal {name}", colour, dash, 1.4, **named))
        figure.add_trace(_line(angles, whole, "in the network", IN_NETWORK, "solid", 1.0, **named))
        figure.add_trace(_line(angles, alone, "alone", colours[circle.freq], "solid", 2.6, **axes, showlegend=False))
        figure.update_layout(
            {
                x: {"range": [0, 180], "tickvals": [0, 60, 120, 180], "ticktext": ["0°", "60°", "120°", "180°"]},
                y: {"rangemode": "tozero", "nticks": 5, "zeroline": True, "zerolinecolor": OTHER},
            }
        )
    if circles:
        figure.layout[axis_names(len(circles))[0]].title = {"text": "angle between a and b"}
    figure.update_layout(yaxis_title_text="amplitude")
    titles = [f"k = {circle.freq}: {kind_of(circle.clockness)} ({clockness(circle.clockness)})" for circle in circles]
    columns = min(len(circles), 3)
    lay_out_cells(figure, titles, heights=(220, 170), columns=(columns, 1), gap=0.07)
    # Half of "180°" stands there: a name that would be cut is left out.
    figure.update_layout(margin_r=22)
    _make_room_above(figure, 34)
    legend_above(figure)
    return figure


def by_angle(circle: CircleAlone) -> tuple[Float[np.ndarray, " angle"], ...]:
    """Angles between the two points in degrees, ascending, and the mean amplitudes there, alone and in the network."""
    n = len(circle.amplitude)
    turns = circle.freq * np.arange(n) % n
    steps, place = np.unique(np.minimum(turns, n - turns), return_inverse=True)
    counts = np.bincount(place)
    alone, whole = (
        np.bincount(place, weights=values) / counts for values in (circle.amplitude, circle.amplitude_in_network)
    )
    return 360 * steps / n, alone, whole


def _line(
    x: np.ndarray, y: np.ndarray, name: str, colour: str, dash: str, width: float, **placed: object
) -> go.Scatter:
    return go.Scatter(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        name=name,
        legendgroup=name,
        mode="lines",
        line={"color": colour, "width": width, "dash": dash},
        hovertemplate=f"%{{x:.0f}}°: %{{y:.3g}}<extra>{name}</extra>",
        **placed,
    )


def _make_room_above(figure: go.Figure, room: int) -> None:
    """Pixels above the cells for the legend."""
    meta: Any = figure.layout["meta"]
    figure.update_layout(margin_t=16 + room)
    adapt(
        figure,
        wide={"height": meta["wide"]["height"] + room},
        narrow={"height": meta["narrow"]["height"] + room},
    )


def clock_pizza_figure(verdict: Verdict) -> go.Figure:
    """Where each circle and the whole network lies between a pizza, 0, and a clock, 1; the rules' bounds are shaded.

    The place is the amplitude at opposite inputs over that at equal ones; the area of a circle's marker is its share of
    the logits. Of the null controls the network's place is in grey.
    """
    colours = shown_circles(verdict)
    circles = [circle for circle in verdict.measured.circles if circle.freq in colours]
    drawn = [circle for circle in circles if np.isfinite(circle.clockness)]
    rows = ["network", *(f"k = {circle.freq}" for circle in circles)]
    figure = new_figure("Between pizza and clock")
    for kind, colour in (("pizza", PIZZA), ("clock", CLOCK)):
        bound = THRESHOLDS[kind].bound
        x0, x1 = (ENDS[0], bound) if THRESHOLDS[kind].sign == "≤" else (bound, ENDS[1])
        figure.add_shape(
            type="rect", name=kind, xref="x", yref="paper", x0=x0, x1=x1, y0=0, y1=1,
            fillcolor=colour, opacity=0.13, line_width=0, layer="below",
        )  # fmt: skip
        figure.add_annotation(
            text=f"{kind} {THRESHOLDS[kind]}", xref="x", yref="paper", x=(x0 + x1) / 2, y=1, yanchor="bottom",
            showarrow=False, font={"size": 12},
        )  # fmt: skip
    largest = max((circle.share for circle in drawn), default=1.0) or 1.0
    figure.add_trace(
        go.Scatter(
            x=[circle.clockness for circle in drawn],
            y=[f"k = {circle.freq}" for circle in drawn],
            mode="markers",
            marker={
                "size": [circle.share for circle in drawn],
                "sizemode": "area",
                # plotly's rule for the largest marker's diameter.
                "sizeref": 2 * largest / 24**2,
                "sizemin": 4,
                "color": [colours[circle.freq] for circle in drawn],
                "opacity": 1,
                "line": {"width": 0},
            },
            customdata=[[percent(circle.share), percent(circle.works_alone)] for circle in drawn],
            hovertemplate="%{y}: %{x:.3f}<br>%{customdata[0]} of the logits, keeps %{customdata[1]} of its "
            "amplitude when alone<extra></extra>",
            name="circles",
            showlegend=False,
            cliponaxis=False,
        )
    )
    share = verdict.measured.clock_share
    if np.isfinite(share):
        figure.add_trace(
            go.Scatter(
                x=[share],
                y=["network"],
                mode="markers+text",
                marker={"symbol": "diamond", "size": 15, "color": NETWORK},
                text=[f"<b>{clockness(share)}</b>"],
                textposition="middle left" if share > 0.5 else "middle right",
                hovertemplate=f"network: {number(share)}<extra></extra>",
                name="network",
                showlegend=False,
                cliponaxis=False,
            )
        )
    figure.update_layout(
        xaxis={"range": list(ENDS), "title": {"text": "amplitude at opposite ÷ at equal inputs"}, "nticks": 6},
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": rows[::-1],
            "range": [-0.6, len(rows) - 0.4],
            "ticksuffix": "\u00a0",
        },
        margin={"t": 34, "l": 8, "r": 26, "b": 8},
    )
    height = 110 + 32 * len(rows)
    adapt(figure, wide={"height": height}, narrow={"height": height})
    room_for_title(figure)
    return figure
