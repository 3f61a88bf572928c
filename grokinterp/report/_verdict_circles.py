"""Circles as clocks or pizzas: how their amplitude falls with the angle between the inputs, and where that is."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.verdict import THRESHOLDS, CircleAlone, Stages, Verdict
from grokinterp.wording import number, percent

from ._style import KEY_COLOURS, OTHER, adapt, axis_names, lay_out_cells, legend_above, new_figure, room_for_title
from ._verdict_stages import fill

CLOCK, PIZZA, NETWORK = "#44AA99", "#CC6677", "#7766CC"
IN_NETWORK = "#7A828C"
# Of the line from 0 to 1, with room for the markers that lie there.
ENDS = (-0.04, 1.04)
_REFERENCES = (("an ideal clock", CLOCK, "longdash"), ("an ideal pizza", PIZZA, "dot"))


def shown_circles(verdict: Verdict) -> dict[int, str]:
    """Frequency → colour of the circles that are drawn: those with the largest shares, in order."""
    strongest = sorted(verdict.measured.circles, key=lambda circle: -circle.share)[: len(KEY_COLOURS)]
    return dict(zip(sorted(circle.freq for circle in strongest), KEY_COLOURS, strict=False))


def kind_of(circle: CircleAlone, stages: Stages | None) -> str:
    """What forms a circle; where that has not been measured, what the bounds call its amplitude."""
    found = next((one.mechanism for one in stages.circles if one.freq == circle.freq), None) if stages else None
    if not np.isfinite(circle.clockness):
        return "no amplitude"
    bounds = {"pizza": "pizza", "overfilled": "overfilled"}
    return found or next((says for name, says in bounds.items() if THRESHOLDS[name].holds(circle.clockness)), "filled")


def circles_alone_figure(verdict: Verdict) -> go.Figure:
    """The amplitude f_k of cos(w_k(a + b − c)) against the angle between a's and b's point, a cell per key frequency.

    Thick, in the circle's colour: the network with this circle alone in its embedding; dashed: with attention held at
    its mean; thin: as it is. Dotted, an ideal pizza's |cos((w_k d − ψ)/2)|, and long dashes, the same amplitude
    everywhere, both from the fitted amplitude at equal inputs and the fitted phase ψ. Distances with the same angle are
    averaged. Zhong et al. 2023 (arXiv 2306.17844), §3.
    """
    colours = shown_circles(verdict)
    circles = [circle for circle in verdict.measured.circles if circle.freq in colours]
    left_out = len(verdict.measured.circles) - len(circles)
    stages = verdict.measured.stages
    amplitudes_held = {one.freq: one.held_amplitude for one in stages.circles} if stages else {}
    few = f"The {len(circles)} strongest of {len(circles) + left_out} circles are drawn." if left_out else ""
    figure = new_figure("Each circle alone", note=few)
    for place, circle in enumerate(circles, start=1):
        x, y = axis_names(place)
        axes = {"xaxis": x.replace("axis", ""), "yaxis": y.replace("axis", "")}
        named = {**axes, "showlegend": place == 1}
        angles, alone, whole = by_angle(circle, circle.amplitude, circle.amplitude_in_network)
        pizza = circle.at_equal * np.abs(np.cos(np.radians(angles) / 2))
        clock = np.full_like(angles, circle.at_equal)
        for (name, colour, dash), values in zip(_REFERENCES, (clock, pizza), strict=True):
            figure.add_trace(_line(angles, values, name, colour, dash, 1.4, **named))
        figure.add_trace(_line(angles, whole, "in the network", IN_NETWORK, "solid", 1.0, **named))
        if (held := amplitudes_held.get(circle.freq)) is not None:
            values, name = by_angle(circle, held)[1], "attention held at its mean"
            figure.add_trace(_line(angles, values, name, colours[circle.freq], "dash", 1.8, **named))
        figure.add_trace(_line(angles, alone, "alone", colours[circle.freq], "solid", 2.6, **axes, showlegend=False))
        figure.update_layout(
            {
                x: {"range": [-180, 180], "tickvals": [-180, 0, 180], "ticktext": ["−180°", "0°", "180°"]},
                y: {"rangemode": "tozero", "nticks": 5, "zeroline": True, "zerolinecolor": OTHER},
            }
        )
    if circles:
        figure.layout[axis_names(len(circles))[0]].title = {"text": "angle between a and b"}
    figure.update_layout(yaxis_title_text="amplitude")
    titles = [f"k = {circle.freq}: {kind_of(circle, stages)} ({fill(circle.clockness)})" for circle in circles]
    columns = min(len(circles), 3)
    lay_out_cells(figure, titles, heights=(220, 170), columns=(columns, 1), gap=0.07)
    # Half of "180°" stands there: a name that would be cut is left out.
    figure.update_layout(margin_r=22)
    _make_room_above(figure, 34)
    legend_above(figure)
    return figure


def by_angle(circle: CircleAlone, *amplitudes: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " angle"], ...]:
    """Angles between the two points, b's turned by the fitted phase, −180 … 180 degrees, and the mean amplitudes there.

    Distances with the same angle are averaged.
    """
    n = len(circle.amplitude)
    steps, place = np.unique(circle.freq * np.arange(n) % n, return_inverse=True)
    angles = np.degrees(2 * np.pi * steps / n - circle.fitted.phase)
    angles = (angles + 180) % 360 - 180
    order = np.argsort(angles)
    counts = np.bincount(place)
    means = [(np.bincount(place, weights=values) / counts)[order] for values in amplitudes]
    return angles[order], *means


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
    """Where each circle and the whole network lies between a pizza, 0, and the same amplitude everywhere, 1.

    Ranges are shaded by the rules' bounds; a dotted line marks that of the published clock.

    The place is the amplitude at opposite inputs over that at equal ones, not clipped; the area of a circle's marker is
    its share of the logits.
    """
    colours = shown_circles(verdict)
    circles = [circle for circle in verdict.measured.circles if circle.freq in colours]
    drawn = [circle for circle in circles if np.isfinite(circle.clockness)]
    stages = verdict.measured.stages
    clock_share = verdict.measured.clock_share
    network = stages.fill if stages else clock_share
    known = [value for value in (*(circle.clockness for circle in drawn), network) if np.isfinite(value)]
    low, high = min(ENDS[0], min(known, default=0) - 0.04), max(ENDS[1], max(known, default=1) + 0.06)
    rows = ["network", *(f"k = {circle.freq}" for circle in circles)]
    figure = new_figure("Between pizza and clock")
    published = THRESHOLDS["clock"]
    figure.add_shape(
        type="line", name="clock", xref="x", yref="paper", x0=published.bound, x1=published.bound, y0=0, y1=1,
        line={"color": CLOCK, "width": 1.5, "dash": "dot"}, layer="below",
    )  # fmt: skip
    pizza, overfilled = THRESHOLDS["pizza"].bound, THRESHOLDS["overfilled"].bound
    ranges = (
        ("pizza", PIZZA, low, pizza, f"pizza {THRESHOLDS['pizza']}"),
        ("filled", CLOCK, pizza, min(overfilled, high), f"filled; clock {published}"),
        ("overfilled", NETWORK, overfilled, high, f"over {overfilled}"),
    )
    for kind, colour, x0, x1, says in ranges:
        if x1 <= x0:
            continue
        figure.add_shape(
            type="rect", name=kind, xref="x", yref="paper", x0=x0, x1=x1, y0=0, y1=1,
            fillcolor=colour, opacity=0.13, line_width=0, layer="below",
        )  # fmt: skip
        figure.add_annotation(
            text=says, xref="x", yref="paper", x=(x0 + x1) / 2, y=1, yanchor="bottom",
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
            hovertemplate="%{y}: %{x:.3f}<br>clock-and-pizza fit %{customdata[0]}, keeps %{customdata[1]} of its "
            "amplitude when alone<extra></extra>",
            name="circles",
            showlegend=False,
            cliponaxis=False,
        )
    )
    if np.isfinite(network):
        figure.add_trace(
            go.Scatter(
                x=[network],
                y=["network"],
                mode="markers+text",
                marker={"symbol": "diamond", "size": 15, "color": NETWORK},
                text=[f"<b>{fill(network)}</b>"],
                textposition="middle left" if network > (low + high) / 2 else "middle right",
                hovertemplate=f"network: {number(network)}; clock share {number(clock_share)}<extra></extra>",
                name="network",
                showlegend=False,
                cliponaxis=False,
            )
        )
    figure.update_layout(
        xaxis={"range": [low, high], "title": {"text": "amplitude at opposite ÷ at equal inputs"}, "nticks": 6},
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
