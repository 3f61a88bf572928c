"""The heads: where they look, and with which frequency."""

import plotly.graph_objects as go

from grokinterp.analysis import Report

from ._series import crop_note, cropped
from ._style import SEQUENTIAL, axis_names, lay_out_cells, new_figure

MOST_HEADS = 8
_POSITIONS = ("a", "b", "=")


def attention_figure(report: Report) -> go.Figure:
    """Attention from `=` to a over all (a, b), a cell per head of the last layer, its mean above it.

    Nanda et al. 2023, §4.1: each head's attention is a wave of one key frequency.
    """
    p, pattern, summary = report.run.task.p, report.snapshot.pattern, report.attention
    heads = min(pattern.shape[1], MOST_HEADS)
    notes = [crop_note(p, "a and b")]
    if pattern.shape[1] > heads:
        notes.append(f"Of {pattern.shape[1]} heads, the first {heads} are drawn.")
    figure = new_figure("Attention from =", note=" ".join(filter(None, notes)))
    titles = []
    for head in range(heads):
        x, y = axis_names(head + 1)
        figure.add_trace(
            go.Heatmap(
                z=cropped(pattern[:, head, 0].reshape(p, p)),
                xaxis=x.replace("axis", ""),
                yaxis=y.replace("axis", ""),
                coloraxis="coloraxis",
                hovertemplate="a = %{y}, b = %{x}<br>attention to a %{z:.1%}<extra></extra>",
                name=f"head {head}",
            )
        )
        square = {"constrain": "domain", "showgrid": False, "nticks": 5}
        figure.update_layout(
            {
                x: {**square, "title": {"text": "b", "standoff": 2}},
                y: {**square, "title": {"text": "a", "standoff": 2}, "scaleanchor": x.replace("axis", "")},
            }
        )
        mean = ", ".join(f"{name} {share:.0%}" for name, share in zip(_POSITIONS, summary.mean[head], strict=True))
        best, explained = summary.to_a.frequency[head], summary.to_a.variance_explained[head]
        titles.append(f"head {head}: k = {best}, {explained:.0%}<br><span style='font-size:10px'>mean {mean}</span>")
    figure.update_layout(
        coloraxis={"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1, "showscale": False},
    )
    lay_out_cells(figure, titles, heights=(339, 140), columns=(2, 2), gap=0.08)
    return figure
