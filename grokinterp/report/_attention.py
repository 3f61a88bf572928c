"""The heads: where they look, and with which frequency or irrep."""

import plotly.graph_objects as go

from grokinterp.analysis import Report

from ._elements import PairGrid
from ._keys import called
from ._style import SEQUENTIAL, axis_names, lay_out_cells, new_figure

MOST_HEADS = 8


def attention_figure(report: Report) -> go.Figure:
    """Attention from the last position to a over all (a, b), a cell per head of the last layer, its mean above it.

    Nanda et al. 2023, §4.1: each head's attention is a wave of one key frequency.
    """
    pattern, grid, positions = report.snapshot.pattern, PairGrid.of(report), report.run.task.positions
    to_a = pattern[:, :, positions.index("a")]
    heads = min(pattern.shape[1], MOST_HEADS)
    few = f"Of {pattern.shape[1]} heads, the first {heads} are drawn." if pattern.shape[1] > heads else ""
    figure = new_figure(f"Attention from {positions[-1]}", note=" ".join(filter(None, (grid.note, few))))
    for head in range(heads):
        x, y = axis_names(head + 1)
        figure.add_trace(
            go.Heatmap(
                **grid.heatmap(to_a[:, head]),
                xaxis=x.replace("axis", ""),
                yaxis=y.replace("axis", ""),
                coloraxis="coloraxis",
                hovertemplate="a = %{y}, b = %{x}<br>attention to a %{z:.1%}<extra></extra>",
                name=f"head {head}",
            )
        )
        figure.update_layout({x: grid.axis("b"), y: {**grid.axis("a"), "scaleanchor": x.replace("axis", "")}})
    figure.update_layout(
        coloraxis={"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1, "showscale": False},
    )
    titles = [_title(report, head) for head in range(heads)]
    lay_out_cells(figure, titles, heights=(339, grid.narrow_height), columns=(2, grid.narrow_columns), gap=0.08)
    return figure


def _title(report: Report, head: int) -> str:
    """The head, the irrep that explains most of its attention to a, and where it looks on average."""
    positions = zip(report.run.task.positions, report.mean_attention[head], strict=True)
    mean = ", ".join(f"{name} {share:.0%}" for name, share in positions)
    title = f"head {head}"
    if report.in_group:
        attention, structure = report.in_group.attention, report.in_group.structure
        best = attention.to_a
        named = f"{called(structure, int(best.irrep[head]))}, {best.variance_explained[head]:.0%}"
        title += ": near-constant" if attention.is_near_constant[head] else f": {named}"
    return f"{title}<br><span style='font-size:10px'>mean {mean}</span>"
