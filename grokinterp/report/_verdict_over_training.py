"""The stages over training: how the holes of the circles are filled, checkpoint by checkpoint."""

import numpy as np
import plotly.graph_objects as go

from grokinterp.verdict import THRESHOLDS, Verdict

from ._style import OTHER, adapt, legend_above, new_figure, share_steps
from ._verdict_circles import CLOCK, NETWORK, PIZZA, shown_circles

_OF_NETWORK = (
    ("accuracy", "accuracy", OTHER, "dot"),
    ("of_sum", "logits that are a function of s", "#7A828C", "solid"),
    ("clock_share", "clock share", CLOCK, "solid"),
    ("kept", "kept with attention held", NETWORK, "dash"),
    ("additive", "sum in the neurons’ input", PIZZA, "dash"),
)


def stages_over_training_figure(verdict: Verdict) -> go.Figure:
    """Above, what the network does with the sum at each checkpoint; below, how far the hole of each circle is filled.

    See `grokinterp.verdict.stages_over_training`. A circle is drawn from where its amplitude can be told from noise.
    """
    found, colours = verdict.over_training, shown_circles(verdict)
    assert found
    figure = new_figure("The circles, checkpoint by checkpoint")
    for name, says, colour, dash in _OF_NETWORK:
        values = np.array([getattr(point, name) for point in found.points])
        if np.isfinite(values).any():
            figure.add_trace(_line(found.steps, values, says, colour, dash, "y"))
    for freq in found.keys:
        if freq in colours:
            figure.add_trace(
                _line(found.steps, np.array(found.fills(freq)), f"k = {freq}", colours[freq], "solid", "y2")
            )
    for kind, colour in (("pizza", PIZZA), ("overfilled", NETWORK)):
        bound = THRESHOLDS[kind].bound
        figure.add_shape(
            type="line", name=f"{kind} {THRESHOLDS[kind]}", xref="paper", yref="y2", x0=0, x1=1, y0=bound, y1=bound,
            line={"color": colour, "width": 1, "dash": "dot"}, layer="below",
        )  # fmt: skip
        figure.add_annotation(
            text=f"{kind} {THRESHOLDS[kind]}", xref="paper", yref="y2", x=0, y=bound, xanchor="left",
            yanchor="top" if THRESHOLDS[kind].sign == "≤" else "bottom", showarrow=False, font={"size": 11},
        )  # fmt: skip
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"title": {"text": "share"}, "rangemode": "tozero", "tickformat": ".0%"},
        yaxis2={"title": {"text": "filled"}, "anchor": "x", "rangemode": "tozero"},
        margin={"t": 78, "r": 20},
    )
    sizes = {"yaxis.domain": [0.54, 1.0], "yaxis2.domain": [0.0, 0.46]}
    adapt(figure, wide={"height": 560, **sizes}, narrow={"height": 600, **sizes})
    share_steps(figure, ["xy", "xy2"], last=found.steps[-1])
    figure.update_xaxes(range=[found.steps[0], found.steps[-1]])
    legend_above(figure)
    return figure


def _line(steps: tuple[int, ...], values: np.ndarray, name: str, colour: str, dash: str, axis: str) -> go.Scatter:
    return go.Scatter(
        x=np.array(steps, dtype=np.int32),
        y=values.astype(np.float32),
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 1.8, "dash": dash},
        marker={"size": 4},
        yaxis=axis,
        hovertemplate="%{y:.3f}",
    )
