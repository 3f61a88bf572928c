"""What a network answers when it is given an activation of another pair."""

import plotly.graph_objects as go

from grokinterp.verdict import Verdict

from ._style import OTHER, adapt, axis_names, label, legend_above, new_figure

_ANSWERS = {
    "clean": ("its own pair's answer", "#7766CC"),
    "partners": ("the partner's", "#CC6677"),
    "mixed": ("that of the mixed pair", "#DDCC77"),
    "other": ("another", OTHER),
}
_PARTNERS = {"equal": "the partner has the same answer", "unequal": "the partner has another answer"}


def patching_figure(verdict: Verdict) -> go.Figure:
    """Shares of the answers given with an activation of a partner put in, per place; above, partners that agree.

    A bar per place of `Patching`; the four shares add up to 1.
    """
    assert verdict.examination
    found = [part for part in verdict.examination.patching if part.n_pairs]
    kinds = [kind for kind in _PARTNERS if any(part.partner == kind for part in found)]
    places = list(dict.fromkeys(label(part.place) for part in found))[::-1]
    figure = new_figure("Activations of another pair")
    height = 1 / max(len(kinds), 1)
    for number, kind in enumerate(kinds, start=1):
        x, y = axis_names(number)
        parts = [part for part in found if part.partner == kind]
        for name, (words, colour) in _ANSWERS.items():
            figure.add_trace(
                go.Bar(
                    x=[getattr(part, name) for part in parts],
                    y=[label(part.place) for part in parts],
                    orientation="h",
                    xaxis=x.replace("axis", ""),
                    yaxis=y.replace("axis", ""),
                    marker={"color": colour, "line_width": 0},
                    name=words,
                    legendgroup=name,
                    showlegend=number == 1,
                    customdata=[part.n_pairs for part in parts],
                    hovertemplate=f"%{{y}}: %{{x:.1%}} of %{{customdata:,}} pairs<extra>{words}</extra>",
                )
            )
        top = 1 - (number - 1) * height
        figure.update_layout(
            {
                x: {"range": [0, 1], "tickformat": ".0%", "anchor": y.replace("axis", "")},
                y: {
                    "type": "category",
                    "categoryorder": "array",
                    "categoryarray": places,
                    "domain": [top - 0.82 * height, top - 0.1 * height],
                    "anchor": x.replace("axis", ""),
                    "showgrid": False,
                    "ticksuffix": "\u00a0",
                },
            }
        )
        figure.add_annotation(
            text=_PARTNERS[kind],
            xref=f"{x.replace('axis', '')} domain",
            yref=f"{y.replace('axis', '')} domain",
            x=0,
            y=1.02,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
        )
    figure.update_layout(
        barmode="stack",
        margin={"l": 8, "r": 26, "t": 24, "b": 8},
    )
    size = 60 + len(kinds) * (24 * len(places) + 60)
    adapt(figure, wide={"height": size, "margin.t": 24}, narrow={"height": size + 40, "margin.t": 50})
    legend_above(figure, traceorder="normal")
    return figure
