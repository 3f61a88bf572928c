"""The logits as a sum of characters of answer · c⁻¹: where the group is cyclic, of cosines of answer − c."""

import numpy as np
import plotly.graph_objects as go

from grokinterp.analysis import Report
from grokinterp.wording import percent

from ._elements import element_labels
from ._keys import irrep_axis, irrep_colours, irrep_name, irrep_range, key_names_above, shown_keys, shown_note
from ._style import OTHER, adapt, fewer_names_when_narrow, new_figure

MEAN, FIT = "#7766CC", "#CC6677"


def logit_decomposition_figure(report: Report) -> go.Figure:
    """Share of the logits' variance per frequency, and the mean logit over d = answer − c with its fit.

    The fit is Σ_k α_k cos(w_k d) over the key frequencies (Nanda et al. 2023, §4.2): the waves agree at d =
    0 alone. In a group of products d is the difference of the logarithms.
    """
    structure, logits = report.circuit.structure, report.circuit.logits
    n, keys = structure.n, list(report.circuit.keys)
    figure = _shares_figure(report)
    figure.add_trace(key_names_above(report, {k: float(logits.share[k]) for k in shown_keys(report)}))
    # d = 0, the right answer, in the middle.
    differences = np.arange(n) - (n - 1) // 2
    mean = logits.profile[differences % n]
    angles = 2 * np.pi / n * np.outer(np.array(keys, dtype=np.int64), differences)
    fit = logits.amplitudes[keys] @ np.cos(angles)
    shared = {"x": differences, "xaxis": "x2", "yaxis": "y2"}
    figure.add_trace(
        go.Scatter(
            **shared,
            y=mean.astype(np.float32),
            name="mean logit",
            mode="markers",
            marker={"color": MEAN, "size": 6},
            hovertemplate="d = %{x}: %{y:.3g}<extra>mean logit</extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            **shared,
            y=fit.astype(np.float32),
            name="sum of the key frequencies' cosines",
            mode="lines",
            line={"color": FIT, "width": 1.5},
            hovertemplate="d = %{x}: %{y:.3g}<extra>fit</extra>",
        )
    )
    answer, c = (structure.symbol.format(x=name) for name in ("answer", "c"))
    figure.update_layout(xaxis2={"title": {"text": f"d = {answer} − {c}"}})
    return figure


def character_decomposition_figure(report: Report) -> go.Figure:
    """Share of the logits' variance per irrep, and the mean logit over g = answer · c⁻¹ with its fit.

    The fit is Σ_ρ α_ρ χ_ρ(g) / χ_ρ(1) over the key irreps (Chughtai et al. 2023, §4). It has one value on each
    conjugacy class; that the mean logits nearly do, a point for each g, says that they are characters.
    """
    structure, logits = report.circuit.structure, report.circuit.logits
    group, keys = structure.group, list(report.circuit.keys)
    figure = _shares_figure(report)
    labels, classes = element_labels(report.run.task, structure), group.conjugacy_classes
    figure.add_trace(
        go.Scatter(
            x=group.class_of,
            y=logits.profile.astype(np.float32),
            xaxis="x2",
            yaxis="y2",
            name="mean logit",
            mode="markers",
            marker={"color": MEAN, "size": 6, "opacity": 0.6},
            customdata=labels,
            hovertemplate="g = %{customdata}: %{y:.3g}<extra>mean logit</extra>",
        )
    )
    characters = structure.basis.class_functions[keys]
    fit = logits.amplitudes[keys] @ (characters / characters[:, [group.identity]])
    figure.add_trace(
        go.Scatter(
            x=list(range(len(classes))),
            y=np.array([fit[members[0]] for members in classes], dtype=np.float32),
            xaxis="x2",
            yaxis="y2",
            name="sum of the key irreps' characters",
            mode="markers",
            marker={"symbol": "line-ew", "size": 16, "line": {"color": FIT, "width": 2.5}},
            hovertemplate="%{y:.3g}<extra>fit</extra>",
        )
    )
    figure.update_layout(
        xaxis2={
            "title": {"text": "class of g = answer · c⁻¹"},
            "tickvals": list(range(len(classes))),
            "ticktext": [f"{labels[members[0]]} ×{len(members)}" for members in classes],
            "range": [-0.6, len(classes) - 0.4],
        }
    )
    fewer_names_when_narrow(figure, "xaxis", "xaxis2")
    # Names stand upright on a narrow screen.
    lower = {"height": 640, "yaxis.domain": [0.64, 1.0], "yaxis2.domain": [0.0, 0.36], "legend.y": 0.38}
    adapt(figure, wide={key: figure.layout[key] for key in lower}, narrow=lower)
    return figure


def _shares_figure(report: Report) -> go.Figure:
    """Bars of the share of variance, with the largest share by chance; the panel below is laid out, but empty."""
    circuit = report.circuit
    structure, irreps = circuit.structure, list(range(1, len(circuit.logits.share)))
    called = "k = %{x}" if structure.is_cyclic else "%{customdata}"
    figure = new_figure(f"The logits by {structure.irrep_word}", note=shown_note(report), height=560, narrow_height=560)
    figure.add_trace(
        go.Bar(
            x=irreps,
            y=circuit.logits.share[1:].astype(np.float32),
            marker={"color": irrep_colours(report, irreps), "line_width": 0},
            name="share of variance",
            showlegend=False,
            customdata=[irrep_name(structure, irrep) for irrep in irreps],
            hovertemplate=f"{called}: %{{y:.2%}}<extra></extra>",
        )
    )
    _add_chance(figure, circuit.found.control.largest_share)
    figure.update_layout(
        xaxis={**irrep_axis(structure), "range": irrep_range(structure), "anchor": "y"},
        yaxis={
            "title": {"text": "share of variance"},
            "tickformat": ".2~p",
            "rangemode": "tozero",
            "domain": [0.60, 1.0],
        },
        xaxis2={"anchor": "y2"},
        yaxis2={"title": {"text": "logit"}, "domain": [0.0, 0.40], "anchor": "x2"},
        legend={"y": 0.41},
    )
    return figure


def _add_chance(figure: go.Figure, chance: float) -> None:
    """The largest share that relabelled symbols have; a group of few elements has none to tell."""
    if not np.isfinite(chance):
        return
    figure.add_shape(
        type="line",
        xref="x domain",
        yref="y",
        x0=0,
        x1=1,
        y0=chance,
        y1=chance,
        line={"dash": "dot", "width": 1.5, "color": OTHER},
    )
    figure.add_annotation(
        text=f"dotted: largest by chance, {percent(chance)}",
        xref="x domain",
        yref="y domain",
        x=1,
        y=1,
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font_size=11,
    )
