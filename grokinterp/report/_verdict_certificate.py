"""What is proved of a network's answers, beside what is measured."""

import numpy as np
import plotly.graph_objects as go

from grokinterp.verdict import Certificate, Verdict
from grokinterp.wording import percent

from ._style import OTHER, adapt, new_figure

PROVED, NOT_PROVED, IDEALISED, MEASURED = "#44AA99", "#CC6677", OTHER, "#7766CC"


def certificate_figure(verdict: Verdict) -> go.Figure:
    """Above, the share of all inputs that each proof proves right, beside the accuracy; below, margins per answer.

    A margin is the proved bound on (logit of the answer − largest other logit) over the answer's inputs: above 0 all of
    them are proved. Gross et al. 2024 (arXiv 2406.11779).
    """
    found = verdict.certificate
    assert found
    rows = {proof.name: proof.lower_bound for proof in found.proofs}
    work = {proof.name: proof.multiplications / found.brute_force for proof in found.proofs}
    figure = new_figure("What is proved", height=520, narrow_height=560)
    names = ["measured", "in float32", *list(rows)[::-1]]
    shares = [found.accuracy_float32, found.lower_bound_float32, *(rows[name] for name in names[2:])]
    texts = [percent(share) for share in shares]
    texts[2:] = [f"{text}, {percent(work[name])} of the work" for name, text in zip(names[2:], texts[2:], strict=True)]
    figure.add_trace(
        go.Bar(
            x=shares,
            y=names,
            orientation="h",
            marker={"color": [MEASURED, *([PROVED] * (1 + len(rows)))], "line_width": 0, "opacity": 0.6},
            text=texts,
            textposition=["inside" if share > 0.5 else "outside" for share in shares],
            insidetextanchor="end",
            hovertemplate="%{y}: %{x:.2%} of all inputs<extra></extra>",
            name="share of inputs",
            showlegend=False,
        )
    )
    figure.add_shape(
        type="line", name="guessing", xref="x", yref="y domain", x0=found.chance, x1=found.chance, y0=0, y1=1,
        line={"color": OTHER, "width": 1.5, "dash": "dot"},
    )  # fmt: skip
    _add_margins(figure, found)
    figure.update_layout(
        xaxis={"range": [0, 1], "tickformat": ".0%", "anchor": "y"},
        yaxis={"type": "category", "ticksuffix": "\u00a0"},
        xaxis2={"title": {"text": "answer"}, "anchor": "y2", "nticks": 10},
        yaxis2={"title": {"text": "proved margin"}, "anchor": "x2", "zeroline": True, "zerolinecolor": OTHER},
        legend={"y": 0.5, "yanchor": "bottom"},
    )
    domains = {"yaxis.domain": [0.66, 1.0], "yaxis2.domain": [0.0, 0.48]}
    adapt(figure, wide={"height": 520, **domains}, narrow={"height": 520, **domains})
    return figure


def _add_margins(figure: go.Figure, found: Certificate) -> None:
    answers = np.arange(len(found.margins))
    for name, values, symbol in (("idealised", found.idealised_margins, "circle"), ("margin", found.margins, "circle")):
        colour = [PROVED if value > 0 else NOT_PROVED for value in values]
        is_last = name == "margin"
        figure.add_trace(
            go.Scatter(
                x=answers,
                y=values.astype(np.float32),
                xaxis="x2",
                yaxis="y2",
                mode="markers",
                marker={"color": colour if is_last else IDEALISED, "size": 7 if is_last else 5, "symbol": symbol},
                name=f"by “{found.proofs[-1].name if is_last else 'idealised'}”" if found.proofs else name,
                hovertemplate=f"answer %{{x}}: %{{y:.3g}}<extra>{name}</extra>",
            )
        )
