"""The weights of a task in a cyclic group by frequency: spectra and circles; and the embedding's singular values."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.analysis import Report, Spectrum, embedding_circle

from ._elements import element_labels
from ._keys import irrep_axis, irrep_colours, irrep_range, key_colours, key_names_above, shown_keys, shown_note
from ._style import OTHER, axis_names, lay_out_cells, new_figure, nothing_to_see


def embedding_spectrum_figure(report: Report) -> go.Figure:
    """Norms of W_E's cos and sin components, key frequencies coloured (Nanda et al. 2023, Figure 3)."""
    return _spectrum_figure("Fourier spectrum of the embedding W_E", report.circuit.embedding, report)


def logit_map_spectrum_figure(report: Report) -> go.Figure:
    """Norms of the cos and sin components of the neuron-logit map W_L (Nanda et al. 2023, Figure 3)."""
    return _spectrum_figure("Fourier spectrum of the neuron-logit map W_L", report.circuit.logit_map_spectrum, report)


def _spectrum_figure(title: str, spectrum: Spectrum, report: Report) -> go.Figure:
    structure = report.circuit.structure
    basis, frequencies = structure.basis, list(range(1, structure.n // 2 + 1))
    bar_colours = irrep_colours(report, frequencies)
    figure = new_figure(title, note=shown_note(report), height=300, narrow_height=280)
    norms = spectrum.component_norms.astype(np.float32)
    for part, (name, opacity) in enumerate((("cos", 1.0), ("sin", 0.55))):
        # The highest frequency of an even n has no sine.
        rows = [basis.rows(k)[part] if part < len(basis.rows(k)) else None for k in frequencies]
        figure.add_trace(
            go.Bar(
                x=frequencies,
                y=np.array([np.nan if row is None else norms[row] for row in rows], dtype=np.float32),
                name=name,
                marker={"color": bar_colours, "opacity": opacity, "line_width": 0},
                hovertemplate=f"{name} %{{x}}: %{{y:.3g}}<extra></extra>",
                showlegend=False,
            )
        )
    heights = {k: float(norms[list(basis.rows(k))].max()) for k in shown_keys(report)}
    figure.add_trace(key_names_above(report, heights))
    figure.update_layout(barmode="group", bargap=0.2, bargroupgap=0)
    figure.update_xaxes(**irrep_axis(structure), range=irrep_range(structure))
    figure.update_yaxes(title_text="norm", rangemode="tozero")
    return figure


LABELS_PER_CIRCLE = 12


def embedding_circles_figure(report: Report) -> go.Figure:
    """The embeddings of the elements of a cyclic group in the plane of each key frequency: circles if learnt as angles.

    The plane is spanned by the two d_model vectors Σ_x cos(w_k x) W_E[x] and Σ_x sin(w_k x) W_E[x]. Nanda
    et al. 2023, §4.1, find the embedding to be a map to such circles. Points are coloured by kx mod n, the
    angle each should have, and joined in that order; in a group of products x is a number's logarithm, and the point
    has the number's name.
    """
    structure = report.circuit.structure
    n, labels = structure.n, element_labels(report.run.task, structure)
    shown, colours = shown_keys(report), key_colours(report)
    figure = new_figure("Circles in the embedding", note=shown_note(report))
    if not shown:
        return nothing_to_see(figure, "No key frequency, no circle.")
    elements, log_x = np.arange(n), structure.symbol.format(x="x")
    for number, k in enumerate(shown, start=1):
        xy = embedding_circle(report.snapshot, k).astype(np.float32)
        order = np.lexsort((elements, elements * k % n))
        place = elements[order] * k % n
        labelled = np.zeros(n, dtype=bool)
        labelled[np.linspace(0, n, min(n, LABELS_PER_CIRCLE), endpoint=False).astype(int)] = True
        x, y = axis_names(number)
        figure.add_trace(
            go.Scatter(
                x=xy[order, 0],
                y=xy[order, 1],
                xaxis=x.replace("axis", ""),
                yaxis=y.replace("axis", ""),
                mode="lines+markers+text",
                line={"color": colours[k], "width": 0.7},
                marker={"color": place / n, "colorscale": "Phase", "cmin": 0, "cmax": 1, "size": 5},
                text=[f"\u00a0{labels[i]}\u00a0" if named else "" for i, named in zip(order, labelled, strict=True)],
                textposition=_outwards(xy[order]),
                textfont={"size": 10},
                customdata=[[labels[i], int(angle)] for i, angle in zip(order, place, strict=True)],
                hovertemplate=f"x = %{{customdata[0]}}<br>{k}·{log_x} mod {n} = %{{customdata[1]}}<extra></extra>",
                name=f"k = {k}",
                showlegend=False,
                cliponaxis=False,
            )
        )
        reach = float(np.abs(xy).max()) * 1.25 or 1.0
        quiet = {"range": [-reach, reach], "showgrid": False, "showticklabels": False, "ticks": ""}
        zero = {"zeroline": True, "zerolinecolor": "rgba(128,134,142,0.35)", "constrain": "domain"}
        figure.update_layout({x: {**quiet, **zero}, y: {**quiet, **zero, "scaleanchor": x.replace("axis", "")}})
    columns = len(shown) if len(shown) <= 4 else 3 if len(shown) <= 6 else 4
    lay_out_cells(
        figure,
        [f"k = {k}" for k in shown],
        heights=(960 // max(columns, 2) - 60, 150),
        columns=(columns, 2),
        gap=0.04,
    )
    return figure


def _outwards(xy: Float[np.ndarray, "n 2"]) -> list[str]:
    """The side of each point that faces away from the centre."""
    angles = np.arctan2(xy[:, 1], xy[:, 0])
    sides = (
        "middle right",
        "top right",
        "top center",
        "top left",
        "middle left",
        "bottom left",
        "bottom center",
        "bottom right",
    )
    return [sides[int(side)] for side in np.round(angles / (np.pi / 4)).astype(int) % 8]


def singular_values_figure(report: Report) -> go.Figure:
    """Singular values of W_E against a random matrix of the same size: a grokked network uses few directions.

    TransformerLens' grokking demo has the same comparison.
    """
    figure = new_figure("Singular values of the embedding", height=300, narrow_height=300)
    for values, name, colour in (
        (report.singular_values.values, "W_E", "#7766CC"),
        (report.singular_values.control, "random control", OTHER),
    ):
        figure.add_trace(
            go.Scatter(
                x=list(range(1, len(values) + 1)),
                y=values.astype(np.float32),
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 1.5},
                marker={"size": 4},
                hovertemplate=f"{name}, no. %{{x}}: %{{y:.3g}}<extra></extra>",
            )
        )
    figure.update_xaxes(title_text="number, largest first")
    figure.update_yaxes(title_text="singular value", rangemode="tozero")
    return figure
