"""What else changes over training: the frequencies' strengths and the size of the weights."""

import numpy as np
import plotly.graph_objects as go

from grokinterp.analysis import Report

from ._series import every_so_many, line
from ._style import (
    MATRIX_COLOURS,
    OTHER,
    SEQUENTIAL,
    adapt,
    frequency_colours,
    label,
    new_figure,
    share_steps,
    shown_note,
)


def frequencies_over_training_figure(report: Report) -> go.Figure:
    """Strength of every frequency at every checkpoint: in the embedding, and in the logits.

    Above, the norm of W_E's cos and sin components; below, the logits' share of variance in cos(w_k(answer
    − c)). The key frequencies are marked at the right. Shows over time what Nanda et al. 2023, Figures 3
    and 5, show at the end.
    """
    curves, colours = report.curves, frequency_colours(report)
    figure = new_figure("Frequencies over training", note=shown_note(report), height=620, narrow_height=560)
    chosen = every_so_many(len(curves.measures))
    steps = curves.measures["step"].to_numpy()[chosen].astype("int32")
    k = list(range(1, curves.embedding_norms.shape[1]))
    for number, (values, name, form) in enumerate(
        ((curves.embedding_norms, "norm in W_E", ".3g"), (curves.cosine_share, "share of logits", ".1%")),
        start=1,
    ):
        axis = "y" if number == 1 else "y2"
        figure.add_trace(
            go.Heatmap(
                x=steps,
                y=k,
                z=values[chosen, 1:].T.astype("float32"),
                yaxis=axis,
                name=name,
                colorscale=SEQUENTIAL,
                zmin=0,
                zmax=float(np.nanmax(values[chosen, 1:], initial=0.0)) or 1.0,
                colorbar={
                    "thickness": 10,
                    "len": 0.44,
                    "y": 0.77 if number == 1 else 0.22,
                    "tickformat": ".2~p" if number == 2 else "",
                    "outlinewidth": 0,
                },
                hovertemplate=f"step %{{x:,}}<br>k = %{{y}}<br>{name} %{{z:{form}}}<extra></extra>",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[1.0] * len(colours),
                y=list(colours),
                xaxis="x2",
                yaxis=axis,
                mode="markers",
                marker={"symbol": "triangle-left", "size": 9, "color": list(colours.values())},
                name="key frequencies",
                showlegend=False,
                cliponaxis=False,
                hovertemplate="key frequency %{y}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"title": {"text": "frequency k (W_E)"}, "domain": [0.54, 1.0]},
        yaxis2={"title": {"text": "frequency k (logits)"}, "domain": [0.0, 0.46], "anchor": "x"},
    )
    share_steps(figure, [], last=report.snapshot.step)
    # After the step axis: the marks stand on an axis of their own, right of the last step at any zoom.
    figure.update_layout(
        hovermode="closest",
        xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "anchor": "y", "fixedrange": True},
    )
    return figure


def weight_norms_figure(report: Report) -> go.Figure:
    """Sum of squared weights per matrix, and the Gini coefficients of the spectra of W_E and W_L.

    Nanda et al. 2023, Figure 7 (total sum of squared weights, Gini). With many matrices, the largest have a
    line of their own and the others one together.
    """
    measures = report.curves.measures
    prefix = "sum_of_squared_weights_"
    # A matrix's column is missing or empty where all its weights are zero: it counts as zero in the sum of
    # the others.
    table = measures[["step"]].join(measures.filter(regex=f"^{prefix}").fillna(0.0))
    ranked = table.drop(columns="step").iloc[-1].sort_values(ascending=False, kind="stable").index.tolist()
    own, others = ranked[: len(MATRIX_COLOURS)], ranked[len(MATRIX_COLOURS) :]
    figure = new_figure("Size of the weights and sparsity of their spectra", height=560, narrow_height=600)
    for column, colour in zip(own, MATRIX_COLOURS, strict=False):
        figure.add_trace(line(table, column, label(column.removeprefix(prefix)), colour))
    if others:
        rest = table.assign(others=table[others].sum(axis=1))
        figure.add_trace(line(rest, "others", f"{len(others)} smaller ones together", OTHER, dash="dot"))
    for column, name, colour, dash in (
        ("gini_W_E", "Gini of W_E", "#44AA99", "solid"),
        ("gini_W_L", "Gini of W_L", "#882255", "dash"),
    ):
        figure.add_trace(line(measures, column, name, colour, dash=dash, yaxis="y2", legend="legend2"))
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"title": {"text": "sum of squares"}, "rangemode": "tozero", "hoverformat": ".3g"},
        yaxis2={
            "title": {"text": "Gini coefficient"},
            "range": [0, 1],
            "anchor": "x",
            "hoverformat": ".3f",
        },
        legend2={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.13, "yanchor": "top"},
    )
    domains = {"yaxis.domain": [0.42, 1.0], "yaxis2.domain": [0.0, 0.36]}
    adapt(figure, wide=domains, narrow=domains)
    share_steps(figure, ["xy", "xy2"], last=report.snapshot.step)
    return figure
