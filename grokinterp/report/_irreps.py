"""Weights and activations by irrep: what the layers hold, how long the weights' rows are, what W_L makes of them."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.analysis import Circuit, Report, Spectrum
from grokinterp.wording import number, percent

from ._keys import irrep_axis, irrep_colours, irrep_name, irrep_range, shown_keys, shown_note
from ._series import crop_note, cropped
from ._style import (
    DIVERGING,
    OTHER,
    axis_names,
    fewer_names_when_narrow,
    label,
    lay_out_cells,
    new_figure,
    nothing_to_see,
)

# Bars of more irreps are too narrow to tell apart: the strongest are drawn, and the others together.
MOST_BARS, STRONGEST = 40, 12
MAP_SIDE = 64


def layers_figure(report: Report) -> go.Figure:
    """What the layers hold, irrep by irrep: W_E, the MLP as functions of a, of b and of the answer, and W_L.

    Fractions of ‖W‖² of the weights and of the variance of the activations (Chughtai et al. 2023, Figure 4, for W_E,
    W_L and the MLP as a function of the answer). What the MLP's three lack of the whole depends on a and b together in
    other ways.
    """
    circuit = report.circuit
    structure, hidden = circuit.structure, circuit.hidden
    rows = {
        "embedding W_E": circuit.embedding.share,
        "neurons, of a": hidden.a,
        "neurons, of b": hidden.b,
        "neurons, of the answer": hidden.answer,
        "neuron-logit map W_L": circuit.logit_map_spectrum.share,
    }
    irreps = _drawn(list(rows.values()), circuit)
    rest = [irrep for irrep in range(1, len(structure.basis.irrep_names)) if irrep not in irreps]
    names = [irrep_name(structure, irrep) for irrep in irreps] + ["others"] * bool(rest)
    figure = new_figure("What the layers hold", note=shown_note(report), height=640, narrow_height=640)
    keys, height = list(circuit.keys), 1 / len(rows)
    for place, (name, shares) in enumerate(rows.items(), start=1):
        _, y = axis_names(place)
        heights = [shares[irrep] for irrep in irreps] + [shares[rest].sum()] * bool(rest)
        figure.add_trace(
            go.Bar(
                x=names,
                y=np.array(heights, dtype=np.float32),
                yaxis=y.replace("axis", ""),
                marker={"color": [*irrep_colours(report, irreps), OTHER][: len(names)], "line_width": 0},
                name=name,
                showlegend=False,
                hovertemplate=f"{structure.irrep_word} %{{x}}: %{{y:.2%}}<extra>{name}</extra>",
            )
        )
        bottom = 1 - place * height
        axis = {"domain": [bottom, bottom + 0.7 * height], "tickformat": ".2~p", "rangemode": "tozero", "nticks": 4}
        figure.update_layout({y: axis})
        figure.add_annotation(
            text=f"{name}: key {structure.irrep_words} {percent(float(shares[keys].sum()))}" if keys else name,
            xref="x domain",
            yref=f"{y.replace('axis', '')} domain",
            x=0,
            y=1.02,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font_size=12,
        )
    title = "frequency k" if structure.is_cyclic else "irrep"
    figure.update_layout(xaxis={"type": "category", "title": {"text": title}, "anchor": f"y{len(rows)}"})
    return figure


def _drawn(rows: list[Float[np.ndarray, " irrep"]], circuit: Circuit) -> list[int]:
    """The irreps with a bar of their own: all but the trivial one, of very many the strongest."""
    irreps = range(1, len(circuit.structure.basis.irrep_names))
    strength = np.sum(rows, axis=0)
    few = len(irreps) <= MOST_BARS
    return sorted(sorted(irreps, key=lambda irrep: -float(strength[irrep]))[: None if few else STRONGEST])


def embedding_rows_figure(report: Report) -> go.Figure:
    """Norms of W_E's rows in the basis, by irrep (Nanda et al. 2023, Figure 3, for any group)."""
    return _rows_figure("The embedding W_E by irrep", report.circuit.embedding, report)


def logit_map_rows_figure(report: Report) -> go.Figure:
    """Norms of the rows of the neuron-logit map W_L in the basis, by irrep."""
    return _rows_figure("The neuron-logit map W_L by irrep", report.circuit.logit_map_spectrum, report)


def _rows_figure(title: str, spectrum: Spectrum, report: Report) -> go.Figure:
    """A point per row √(d/n) ρ_ij of an irrep of dimension d, side by side, and a quarter of the largest."""
    basis, structure = report.circuit.structure.basis, report.circuit.structure
    irreps = list(range(1, len(basis.irrep_names)))
    norms = spectrum.component_norms.astype(np.float32)
    places, rows, colours = [], [], []
    for irrep, colour in zip(irreps, irrep_colours(report, irreps), strict=True):
        own = basis.rows(irrep)
        rows += own
        # A single row stands in the middle.
        places += (irrep + (np.arange(1, 2 * len(own), 2) / len(own) - 1) * 0.35).tolist()
        colours += [colour] * len(own)
    figure = new_figure(title, note=shown_note(report), height=320, narrow_height=320)
    figure.add_trace(
        go.Scatter(
            x=np.array(places, dtype=np.float32),
            y=norms[rows],
            mode="markers",
            marker={"color": colours, "size": 5},
            customdata=[label(basis.names[row]) for row in rows],
            hovertemplate="%{customdata}: %{y:.3g}<extra></extra>",
            showlegend=False,
            name="rows",
        )
    )
    quarter = float(norms[1:].max(initial=0.0)) / 4
    line = {"dash": "dot", "width": 1.5, "color": OTHER}
    figure.add_shape(type="line", xref="x domain", yref="y", x0=0, x1=1, y0=quarter, y1=quarter, line=line)
    figure.update_xaxes(**irrep_axis(structure), range=irrep_range(structure))
    figure.update_yaxes(title_text="norm", rangemode="tozero")
    fewer_names_when_narrow(figure, "xaxis")
    return figure


def drawn_maps(report: Report) -> list[int]:
    """The shown key irreps whose map from the answer to c is a matrix worth drawing: those of dimension above 1."""
    circuit = report.circuit
    return [irrep for irrep in shown_keys(report) if circuit.structure.basis.dimensions[irrep] > 1]


def representation_map_figure(report: Report) -> go.Figure:
    """What W_L makes of each entry ρ_ij(ab) in the neurons: how much of each entry ρ_ij(c) it gives to the logits.

    The logits are the character χ_ρ(ab · c⁻¹) where this matrix is a multiple of the identity (Chughtai et al. 2023,
    appendix). Titles state the multiple, and its share of the matrix's sum of squares.
    """
    circuit, drawn = report.circuit, drawn_maps(report)
    structure, maps = circuit.structure, circuit.logit_map.representation
    largest = max((len(maps[irrep].matrix) for irrep in drawn), default=0)
    figure = new_figure("From the answer to the logits", note=crop_note(largest, "an irrep's entries", MAP_SIDE))
    if not drawn:
        return nothing_to_see(figure, "No key irrep of dimension above 1.")
    titles = []
    for cell, irrep in enumerate(drawn, start=1):
        found, rows = maps[irrep], [label(structure.basis.names[row]) for row in structure.basis.rows(irrep)][:MAP_SIDE]
        reach = float(np.abs(found.matrix).max()) or 1.0
        x, y = axis_names(cell)
        figure.add_trace(
            go.Heatmap(
                x=rows,
                y=rows,
                z=cropped(found.matrix, MAP_SIDE),
                xaxis=x.replace("axis", ""),
                yaxis=y.replace("axis", ""),
                colorscale=DIVERGING,
                zmin=-reach,
                zmax=reach,
                showscale=False,
                name=irrep_name(structure, irrep),
                hovertemplate="of the answer: %{y}<br>of c: %{x}<br>%{z:.3g}<extra></extra>",
            )
        )
        plain = {"type": "category", "constrain": "domain", "showgrid": False, "showticklabels": False, "ticks": ""}
        figure.update_layout(
            {
                x: {**plain, "title": {"text": "ρ(c)", "standoff": 2}},
                # The diagonal as matrices are written.
                y: {
                    **plain,
                    "title": {"text": f"ρ({structure.combination})", "standoff": 2},
                    "autorange": "reversed",
                    "scaleanchor": x.replace("axis", ""),
                },
            }
        )
        scale = f"{signed(found.scale)} × identity: {found.identity_share:.0%}"
        titles.append(f"{irrep_name(structure, irrep)}<br><span style='font-size:10px'>{scale}</span>")
    columns = min(len(drawn), 3 if len(drawn) in (3, 5, 6) else 4)
    lay_out_cells(figure, titles, heights=(960 // max(columns, 2) - 60, 140), columns=(columns, 2), gap=0.06)
    return figure


def signed(value: float) -> str:
    """A number with the minus sign of print."""
    return number(value).replace("-", "−")
