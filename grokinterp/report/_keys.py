"""The key irreps in figures and tables: which are shown, in which colour, and what they are called."""

from typing import Any

import plotly.graph_objects as go

from grokinterp.analysis import Report
from grokinterp.tasks import Structure

from ._style import KEY_COLOURS, OTHER, label

# More names than these stand too close on an axis across, or on one up.
TICKS_ACROSS, TICKS_UP = 40, 16


def shown_keys(report: Report) -> tuple[int, ...]:
    """The key irreps that get a colour, a line and a circle: the strongest in W_L, in order."""
    circuit = report.in_group
    if circuit is None:
        return ()
    norms = circuit.logit_map_spectrum.irrep_norms
    return tuple(sorted(sorted(circuit.keys, key=lambda irrep: -float(norms[irrep]))[: len(KEY_COLOURS)]))


def key_colours(report: Report) -> dict[int, str]:
    """Irrep → colour, the same in every figure; all others are grey (`OTHER`)."""
    return dict(zip(shown_keys(report), KEY_COLOURS, strict=False))


def irrep_colours(report: Report, irreps: list[int]) -> list[str]:
    """The colour of each irrep, grey where it is no key."""
    colours = key_colours(report)
    return [colours.get(irrep, OTHER) for irrep in irreps]


def shown_note(report: Report) -> str:
    """What to say where not all key irreps are shown."""
    shown, keys = shown_keys(report), report.in_group.keys if report.in_group else ()
    if len(shown) == len(keys):
        return ""
    what = report.circuit.structure.irrep_words
    return f"Of {len(keys)} key {what}, the {len(shown)} strongest in W_L have a colour of their own."


def irrep_name(structure: Structure, irrep: int) -> str:
    """The name of an irrep as plotly shows it: `14` for a frequency, `(4,1)`."""
    return label(structure.basis.irrep_names[irrep])


def called(structure: Structure, irrep: int) -> str:
    """How a sentence names an irrep: `k = 14`, or `(4,1)`."""
    return f"k = {irrep}" if structure.is_cyclic else irrep_name(structure, irrep)


def irrep_axis(structure: Structure, title: str = "", *, ticks: int = TICKS_ACROSS) -> dict[str, Any]:
    """An axis that counts the non-trivial irreps: a frequency's number says which it is, other irreps have names."""
    if structure.is_cyclic:
        return {"title": {"text": title or "frequency k"}}
    last = len(structure.basis.irrep_names) - 1
    shown = range(1, last + 1, -(-last // ticks) or 1)
    names = {"tickvals": list(shown), "ticktext": [irrep_name(structure, irrep) for irrep in shown]}
    return names | {"tickmode": "array", "title": {"text": title or "irrep"}}


def irrep_range(structure: Structure) -> list[float]:
    """What such an axis spans where bars stand on it."""
    return [0.3, len(structure.basis.irrep_names) - 0.3]


def key_names_above(report: Report, heights: dict[int, float], **placed: str) -> go.Scatter:
    """The number of each shown key frequency above its bar; irreps have their names on the axis."""
    structure = report.circuit.structure
    return go.Scatter(
        x=list(heights),
        y=list(heights.values()),
        text=[irrep_name(structure, irrep) for irrep in heights],
        mode="text",
        textposition="top center",
        textfont={"size": 11},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
        name=f"key {structure.irrep_words}",
        **placed,
    )
