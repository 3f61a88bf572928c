"""What else changes over training: the strength of each frequency or irrep and the size of the weights."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.analysis import Report
from grokinterp.wording import character_share

from ._keys import TICKS_UP, irrep_axis, key_colours, shown_note
from ._series import every_so_many, line
from ._style import MATRIX_COLOURS, OTHER, SEQUENTIAL, adapt, label, new_figure, share_steps


def irreps_over_training_figure(report: Report) -> go.Figure:
    """Strength of every frequency or irrep at every checkpoint: in the embedding, and in the logits.

    Above, the norm of its rows of W_E (cos and sin); below, the logits' share of variance in its character, for
    frequencies cos(w_k(answer − c)). The keys are marked at the right. Shows over time what Nanda et al. 2023, Figures
    3 and 5, show at the end; Chughtai et al. 2023 follow the logit similarity of irreps, the share's root.
    """
    curves, colours, structure = report.curves, key_colours(report), report.circuit.structure
    title = f"{structure.irrep_words.capitalize()} over training"
    figure = new_figure(title, note=shown_note(report), height=620, narrow_height=560)
    chosen = every_so_many(len(curves.measures))
    steps = curves.measures["step"].to_numpy()[chosen].astype("int32")
    irreps = list(range(1, curves.embedding_norms.shape[1]))
    word = "k =" if structure.is_cyclic else "irrep"
    for number, (values, name, form) in enumerate(
        (
            (curves.embedding_norms, "norm in W_E", ".3g"),
            (curves.logit_share, character_share(structure.is_cyclic), ".1%"),
        ),
        start=1,
    ):
        axis = "y" if number == 1 else "y2"
        figure.add_trace(
            go.Heatmap(
                x=steps,
                y=irreps,
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
                hovertemplate=f"step %{{x:,}}<br>{word} %{{y}}<br>{name} %{{z:{form}}}<extra></extra>",
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
                name=f"key {structure.irrep_words}",
                showlegend=False,
                cliponaxis=False,
                hovertemplate=f"key {structure.irrep_word} %{{y}}<extra></extra>",
            )
        )
    what = "frequency k" if structure.is_cyclic else "irrep"
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={**irrep_axis(structure, f"{what} (W_E)", ticks=TICKS_UP), "domain": [0.54, 1.0]},
        yaxis2={**irrep_axis(structure, f"{what} (logits)", ticks=TICKS_UP), "domain": [0.0, 0.46], "anchor": "x"},
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

    Nanda et al. 2023, Figure 7 (total sum of squared weights, Gini). Where no group is known there are no spectra.
    """
    measures = report.curves.measures
    figure = new_figure("Size of the weights and sparsity of their spectra")
    for name, colour, values in drawn_matrices(measures):
        drawn = measures[["step"]].assign(drawn=values)
        figure.add_trace(line(drawn, "drawn", label(name), colour, dash="dot" if colour == OTHER else "solid"))
    figure.update_layout(yaxis={"title": {"text": "sum of squares"}, "rangemode": "tozero", "hoverformat": ".3g"})
    subplots = ["xy"]
    if "gini_W_E" in measures:
        subplots.append("xy2")
        # W_E has one colour above and below.
        embedding = next((trace.line.color for trace in figure.data if trace.name == "W_E"), OTHER)
        _add_gini(figure, measures, embedding)
    share_steps(figure, subplots, last=report.snapshot.step)
    return figure


def drawn_matrices(measures: pd.DataFrame) -> list[tuple[str, str, Float[np.ndarray, " step"]]]:
    """Name, colour and sum of squares over the steps of what the curves of weights show, largest at the end first.

    With many matrices, the largest have a line of their own and the others one together, so that the lines add up to
    the sum of all.
    """
    prefix = "sum_of_squared_weights_"
    # A matrix's column is missing or empty where all its weights are zero: it counts as zero in the sum of the others.
    table = measures.filter(regex=f"^{prefix}").fillna(0.0)
    ranked = table.iloc[-1].sort_values(ascending=False, kind="stable").index.tolist()
    own, others = ranked[: len(MATRIX_COLOURS)], ranked[len(MATRIX_COLOURS) :]
    drawn = [
        (column.removeprefix(prefix), colour, table[column].to_numpy(dtype=np.float64))
        for column, colour in zip(own, MATRIX_COLOURS, strict=False)
    ]
    if others:
        together = table[others].sum(axis=1).to_numpy(dtype=np.float64)
        drawn.append((f"{len(others)} smaller ones together", OTHER, together))
    return drawn


def _add_gini(figure: go.Figure, measures: pd.DataFrame, embedding: str) -> None:
    """The Gini coefficients, in a panel below."""
    for column, name, colour, dash in (
        ("gini_W_E", "Gini of W_E", embedding, "solid"),
        ("gini_W_L", "Gini of W_L", "#882255", "dash"),
    ):
        figure.add_trace(line(measures, column, name, colour, dash=dash, yaxis="y2", legend="legend2"))
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis2={
            "title": {"text": "Gini coefficient"},
            "range": [0, 1],
            "anchor": "x",
            "hoverformat": ".3f",
        },
        legend2={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.13, "yanchor": "top"},
    )
    domains = {"yaxis.domain": [0.42, 1.0], "yaxis2.domain": [0.0, 0.36]}
    adapt(figure, wide={"height": 560, **domains}, narrow={"height": 600, **domains})
