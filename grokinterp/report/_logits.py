"""The logits as a sum of cosines of answer − c."""

import numpy as np
import plotly.graph_objects as go

from grokinterp.analysis import Report

from ._style import OTHER, frequency_colours, new_figure, shown_note


def logit_decomposition_figure(report: Report) -> go.Figure:
    """Share of the logits' variance per frequency, and the mean logit over d = answer − c with its fit.

    The fit is Σ_k α_k cos(w_k d) over the key frequencies (Nanda et al. 2023, §4.2): the waves agree at d =
    0 alone.
    """
    logits, colours = report.logits, frequency_colours(report)
    p = report.run.task.p
    frequencies = np.arange(1, len(logits.share))
    figure = new_figure("The logits by frequency", note=shown_note(report), height=560, narrow_height=560)
    figure.add_trace(
        go.Bar(
            x=frequencies,
            y=logits.share[1:].astype(np.float32),
            marker={"color": [colours.get(int(k), OTHER) for k in frequencies], "line_width": 0},
            name="share of variance",
            showlegend=False,
            hovertemplate="k = %{x}: %{y:.2%}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=list(colours),
            y=[float(logits.share[k]) for k in colours],
            text=[str(k) for k in colours],
            mode="text",
            textposition="top center",
            textfont={"size": 11},
            cliponaxis=False,
            hoverinfo="skip",
            showlegend=False,
            name="key frequencies",
        )
    )
    # d = 0, the right answer, in the middle.
    differences = np.arange(p) - (p - 1) // 2
    mean = logits.profile[differences % p]
    keys = list(report.key_frequencies)
    angles = 2 * np.pi / p * np.outer(np.array(keys, dtype=np.int64), differences)
    fit = logits.amplitudes[keys] @ np.cos(angles)
    shared = {"x": differences, "xaxis": "x2", "yaxis": "y2"}
    figure.add_trace(
        go.Scatter(
            **shared,
            y=mean.astype(np.float32),
            name="mean logit",
            mode="markers",
            marker={"color": "#7766CC", "size": 6},
            hovertemplate="d = %{x}: %{y:.3g}<extra>mean logit</extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            **shared,
            y=fit.astype(np.float32),
            name="sum of the key frequencies' cosines",
            mode="lines",
            line={"color": "#CC6677", "width": 1.5},
            hovertemplate="d = %{x}: %{y:.3g}<extra>fit</extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": {"text": "frequency k"}, "range": [0.3, len(frequencies) + 0.7], "anchor": "y"},
        yaxis={
            "title": {"text": "share of variance"},
            "tickformat": ".2~p",
            "rangemode": "tozero",
            "domain": [0.60, 1.0],
        },
        xaxis2={"title": {"text": "d = answer − c"}, "anchor": "y2"},
        yaxis2={"title": {"text": "logit"}, "domain": [0.0, 0.40], "anchor": "x2"},
        legend={"y": 0.41},
    )
    return figure
