"""Figures of several runs together. Here a colour always means a run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from grokinterp.analysis import ComparedRun, Comparison

from ._series import is_thinned, line, series
from ._style import (
    KEY_COLOURS,
    MATRIX_COLOURS,
    OTHER,
    adapt,
    axis_names,
    label,
    lay_out_cells,
    logarithmic,
    new_figure,
    share_steps,
)

TRAIN, TEST, ALL = "dot", "solid", "dash"
_COLOURS = (*KEY_COLOURS, *MATRIX_COLOURS)
# More names than these stand too close on an axis across.
_MOST_NAMES = 24


def run_colours(comparison: Comparison) -> dict[str, str]:
    """Run → colour, the same in every figure and table; beyond sixteen runs they repeat."""
    return {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(comparison.names)}


def losses_of_runs_figure(comparison: Comparison) -> go.Figure:
    """Train (dotted) and test loss (solid) of every run, as the training wrote them, else at the checkpoints.

    Of a run whose split nobody knows there is one loss, over all pairs (dashed).
    """
    tables = {run.name: _losses(run) for run in comparison.runs}
    long = any(is_thinned(run.metrics) for run in comparison.runs)
    note = "Long curves are drawn by the lowest and highest value of each stretch." if long else ""
    figure = new_figure("Train and test loss", note=note, height=420, narrow_height=460)
    drawn = []
    for run in comparison.runs:
        colour, table = run_colours(comparison)[run.name], tables[run.name]
        unknown = bool(run.measures["train_loss"].isna().all())
        parts = (
            [("all_loss", ALL, "all pairs")]
            if unknown
            else [("train_loss", TRAIN, "train"), ("test_loss", TEST, "test")]
        )
        for column, dash, what in parts:
            trace = line(run.measures if unknown else table, column, f"{label(run.name)}, {what}", colour, dash=dash)
            # One entry for a run, which shows and hides both its curves.
            trace.update(legendgroup=run.name, showlegend=False)
            if column == "train_loss":
                trace.update(marker_symbol="circle-open")
            figure.add_trace(trace)
            drawn.append(series(run.measures if unknown else table, column)[1])
    _name_runs(figure, comparison)
    figure.update_yaxes(title_text="loss", **logarithmic(*drawn))
    share_steps(figure, ["xy"], last=_last(comparison))
    return figure


def progress_of_runs_figure(comparison: Comparison) -> go.Figure:
    """Restricted loss (above) and excluded loss (below) of every run with known keys, per checkpoint."""
    runs = _in_groups(comparison)
    figure = new_figure("Restricted and excluded loss", height=560, narrow_height=620)
    for column, axis in (("restricted_loss", "y"), ("excluded_loss", "y2")):
        for run in runs:
            figure.add_trace(_of_run(comparison, run, column, yaxis=axis))
    _name_runs(figure, comparison, runs)
    upper, lower = (
        [series(run.measures, column)[1] for run in runs] for column in ("restricted_loss", "excluded_loss")
    )
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"title": {"text": "restricted loss"}, **logarithmic(*upper)},
        yaxis2={"title": {"text": "excluded loss"}, "anchor": "x", **logarithmic(*lower)},
    )
    adapt(
        figure,
        wide={"yaxis.domain": [0.54, 1.0], "yaxis2.domain": [0.0, 0.46]},
        narrow={"yaxis.domain": [0.54, 1.0], "yaxis2.domain": [0.0, 0.46]},
    )
    share_steps(figure, ["xy", "xy2"], last=_last(comparison))
    return figure


def explained_of_runs_figure(comparison: Comparison) -> go.Figure:
    """The cosine or character share of the final keys, at every checkpoint of every run."""
    runs = _in_groups(comparison)
    figure = new_figure("Cosine or character share of the keys", height=340, narrow_height=360)
    for run in runs:
        figure.add_trace(_of_run(comparison, run, "logit_variance_explained"))
    _name_runs(figure, comparison, runs)
    figure.update_yaxes(title_text="cosine or character share", range=[0, 1.02], tickformat=".0%", hoverformat=".2%")
    share_steps(figure, ["xy"], last=_last(comparison))
    return figure


def keys_of_runs_figure(comparison: Comparison, runs: Sequence[ComparedRun]) -> go.Figure:
    """The logits' share of variance in every irrep of one group, a row per run; its keys have the run's colour.

    `runs` are all in one group: frequencies of different groups have nothing to do with each other.
    """
    colours, cyclic = run_colours(comparison), runs[0].is_cyclic
    names = runs[0].irrep_names[1:]
    highest = max(float(np.nanmax(run.logit_share[1:], initial=0.0)) for run in runs) or 1.0
    figure = new_figure("Keys side by side")
    places = [int(name) for name in names] if cyclic else list(range(len(names)))
    word = "k = " if cyclic else ""
    for number, run in enumerate(runs, start=1):
        x, y = axis_names(number)
        axes = {"xaxis": x.replace("axis", ""), "yaxis": y.replace("axis", "")}
        keys = [name in run.keys for name in names]
        figure.add_trace(
            go.Bar(
                x=places,
                y=run.logit_share[1:].astype("float32"),
                marker={"color": [colours[run.name] if key else OTHER for key in keys], "line": {"width": 0}},
                customdata=[label(name) for name in names],
                hovertemplate=f"{word}%{{customdata}}: %{{y:.2%}}<extra>{label(run.name)}</extra>",
                name=label(run.name),
                showlegend=False,
                **axes,
            )
        )
        if cyclic:
            figure.add_trace(_names_above(run, places, axes))
        across = {"title": {"text": ""}, "showgrid": False} | ({} if number == 1 else {"matches": "x"})
        across |= {"range": [0.3, len(names) + 0.7]} if cyclic else _named(names)
        figure.update_layout({x: across, y: {"range": [0, 1.18 * highest], "tickformat": ".0%", "nticks": 4}})
    last = axis_names(len(runs))[0]
    figure.update_layout({last: {"title": {"text": "frequency k" if cyclic else "irrep"}}})
    titles = [label(run.name) for run in runs]
    lay_out_cells(figure, titles, heights=(110, 110), columns=(1, 1), gap=0.0)
    if not cyclic:
        axes = [axis_names(number)[0] for number in range(1, len(runs) + 1)]
        wide, narrow = ({f"{axis}.tickangle": angle for axis in axes} for angle in (0, -35))
        adapt(figure, wide=wide, narrow=narrow)
    return figure


def _names_above(run: ComparedRun, places: Sequence[int], axes: dict[str, str]) -> go.Scatter:
    """The key frequencies above their bars."""
    shares = {k: float(share) for k, share in zip(places, run.logit_share[1:], strict=True) if str(k) in run.keys}
    return go.Scatter(
        x=list(shares),
        y=list(shares.values()),
        text=[str(k) for k in shares],
        mode="text",
        textposition="top center",
        textfont={"size": 11},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
        name=label(run.name),
        **axes,
    )


def _named(names: Sequence[str]) -> dict[str, object]:
    shown = range(0, len(names), -(-len(names) // _MOST_NAMES) or 1)
    return {
        "tickmode": "array",
        "tickvals": list(shown),
        "ticktext": [label(names[i]) for i in shown],
        "range": [-0.6, len(names) - 0.4],
    }


def groups_of_runs(comparison: Comparison) -> list[tuple[str, list[ComparedRun]]]:
    """The runs by the group that their irreps are of, in the order in which the groups first appear."""
    found: dict[tuple[str, tuple[str, ...]], list[ComparedRun]] = {}
    for run in _in_groups(comparison):
        found.setdefault((str(run.group), run.irrep_names), []).append(run)
    return [(name, runs) for (name, _), runs in found.items()]


def _in_groups(comparison: Comparison) -> list[ComparedRun]:
    return [run for run in comparison.runs if run.group is not None]


def _losses(run: ComparedRun) -> pd.DataFrame:
    return run.metrics if {"step", "train_loss", "test_loss"} <= set(run.metrics.columns) else run.measures


def _of_run(comparison: Comparison, run: ComparedRun, column: str, **placed: str) -> go.Scatter:
    trace = line(run.measures, column, label(run.name), run_colours(comparison)[run.name], **placed)
    return trace.update(legendgroup=run.name, showlegend=False)


def _whole_dots(figure: go.Figure) -> None:
    """A run of one checkpoint is a dot, which may lie at the end of the axis."""
    figure.update_traces(selector={"mode": "markers"}, marker_size=9, cliponaxis=False)


def _name_runs(figure: go.Figure, comparison: Comparison, runs: Sequence[ComparedRun] | None = None) -> None:
    """An entry of the legend for every run, whatever its curves look like: a run of one step has no line."""
    _whole_dots(figure)
    for run in comparison.runs if runs is None else runs:
        figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode="lines",
                line={"color": run_colours(comparison)[run.name], "width": 3},
                name=label(run.name),
                legendgroup=run.name,
                showlegend=True,
                hoverinfo="skip",
            )
        )


def _last(comparison: Comparison) -> int:
    return max(run.step for run in comparison.runs)
