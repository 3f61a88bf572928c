"""Losses over training: what one sees from outside, and two that see the circuit form."""

import plotly.graph_objects as go

from grokinterp.analysis import Report, one_excluded

from ._keys import called, key_colours, shown_note
from ._series import is_thinned, line, series
from ._style import MEASURE_COLOURS, adapt, logarithmic, new_figure, share_steps

_PHASE_COLOURS = {"memorization": "#7A828C", "circuit_formation": "#E69F00", "cleanup": "#009E73"}


def losses_figure(report: Report) -> go.Figure:
    """Train and test loss at every step they were taken, with the phases.

    The phases are those that Nanda et al. 2023 (arXiv 2301.05217) tell apart. The losses are those of training,
    over all of the network's outputs.
    """
    metrics = report.metrics
    dense = metrics if {"step", "train_loss", "test_loss"} <= set(metrics.columns) else report.curves.measures
    note = "Long curves are drawn by the lowest and highest value of each stretch." if is_thinned(dense) else ""
    figure = new_figure("Train and test loss", note=note, height=360, narrow_height=420)
    for column, name in (("train_loss", "train loss"), ("test_loss", "test loss")):
        figure.add_trace(line(dense, column, name, MEASURE_COLOURS[column]))
    figure.update_yaxes(title_text="loss", **logarithmic(series(dense, "train_loss")[1], series(dense, "test_loss")[1]))
    share_steps(figure, ["xy"], last=report.snapshot.step)
    _shade_phases(figure, report)
    return figure


def progress_figure(report: Report) -> go.Figure:
    """Restricted and excluded loss per checkpoint, below them one key irrep excluded at a time (dashed).

    Nanda et al. 2023, Figure 7, for frequencies. The losses are over the answers.
    """
    measures, structure = report.curves.measures, report.circuit.structure
    what = structure.irrep_words
    together = {
        "train_loss": "train",
        "test_loss": "test",
        "restricted_loss": "restricted (all pairs)",
        "excluded_loss": f"excluded (key {what})",
        f"excluded_loss_all_{what}": f"excluded (all {what})",
    }
    figure = new_figure("Progress measures", note=shown_note(report), height=620, narrow_height=720)
    for column, name in together.items():
        figure.add_trace(line(measures, column, name, MEASURE_COLOURS[column]))
    one_removed = {
        f"excluded_loss_{one_excluded(structure, irrep)}": (f"without {called(structure, irrep)}", colour)
        for irrep, colour in key_colours(report).items()
    }
    for column, (name, colour) in one_removed.items():
        figure.add_trace(line(measures, column, name, colour, dash="dash", yaxis="y2", legend="legend2"))
    train = line(measures, "train_loss", "train", MEASURE_COLOURS["train_loss"], yaxis="y2", legend="legend2")
    figure.add_trace(train)
    upper = [series(measures, column)[1] for column in together]
    lower = [series(measures, column)[1] for column in (*one_removed, "train_loss")]
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"title": {"text": "loss"}, **logarithmic(*upper)},
        yaxis2={
            "title": {"text": f"excluded loss, one {'k' if structure.is_cyclic else 'irrep'}"},
            "anchor": "x",
            **logarithmic(*lower),
        },
        legend2={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.12, "yanchor": "top"},
    )
    adapt(
        figure,
        wide={"yaxis.domain": [0.42, 1.0], "yaxis2.domain": [0.0, 0.36]},
        narrow={"yaxis.domain": [0.44, 1.0], "yaxis2.domain": [0.0, 0.38]},
    )
    share_steps(figure, ["xy", "xy2"], last=report.snapshot.step)
    _shade_phases(figure, report)
    return figure


def _shade_phases(figure: go.Figure, report: Report) -> None:
    for phase, colour in _PHASE_COLOURS.items():
        span = getattr(report.phases, phase)
        if span is None:
            continue
        figure.add_shape(
            type="rect",
            xref="x",
            yref="paper",
            x0=span[0],
            x1=span[1],
            y0=0,
            y1=1,
            fillcolor=colour,
            opacity=0.13,
            line_width=0,
            layer="below",
            showlegend=True,
            name=phase_name(report, phase),
        )


def phase_name(report: Report, phase: str) -> str:
    """A phase with its steps as a legend writes them; of one that is not over, only the first."""
    first, last = getattr(report.phases, phase)
    steps = f"from {first:,}, not over" if report.phases.is_open(phase) else f"{first:,}–{last:,}"
    return f"{phase.replace('_', ' ')}, {steps}"
