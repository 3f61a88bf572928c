"""What a network's loss becomes without a part, or with something else in its place: a dot per change."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.verdict import Verdict
from grokinterp.wording import number, percent

from ._style import OTHER, adapt, label, legend_above, logarithmic, new_figure
from ._verdict_tables import control_name

BASELINE, GUESS = "solid", "dot"
LINE = "#7A828C"
# Losses of 0, where every answer is right beyond float64's rounding, are drawn here.
LEAST_LOSS = 1e-16
MOST_ROWS = 32
_CONTROL_SYMBOLS = {"random_weights": "x-thin", "shuffled_answers": "line-ns", "memorised": "triangle-up"}
_STYLES = {
    "": ("#7766CC", "circle"),
    "zero": ("#7766CC", "circle"),
    "mean": ("#44AA99", "square"),
    "resample": ("#CC6677", "diamond"),
    "logits": ("#999933", "circle"),
    "neurons": ("#CC6677", "diamond"),
}
_LEGEND = {
    "zero": "set to zero",
    "mean": "set to its mean",
    "resample": "that of another pair",
    "logits": "taken off the logits",
    "neurons": "taken off the neurons",
}
_REPLACED = {
    "characters": "logits: characters",
    "answer_functions": "logits: keys of the answer",
    "blocks": "logits: key blocks in a and b",
    "polynomials": "neurons: their own key",
    "W_L_directions": "MLP: key directions of W_L",
    "W_L_null_space": "MLP: without key directions",
    "embedding_keys": "embedding: keys alone",
    "embedding_without_keys": "embedding: without keys",
}
_INTERVENED = {
    "embedding swap": "a and b exchanged",
    "flip both": "sign of both turned",
    "flip left": "sign of a turned",
    "flip right": "sign of b turned",
    "noise N(-1, 1)": "noise N(−1, 1)",
}


@dataclass(frozen=True)
class Change:
    """A changed network: the row it stands in, how it was changed, its loss, accuracy and its controls' losses."""

    row: str
    how: str
    loss: float
    accuracy: float
    controls: dict[str, float] = field(default_factory=dict)


def replacements_figure(verdict: Verdict) -> go.Figure:
    """Loss with parts replaced by what they ideally are, or without the keys (`replacements`)."""
    assert verdict.examination
    found, structure = verdict.examination.replacements, verdict.snapshot.task.structure
    names = _REPLACED | ({"characters": "logits: cosines"} if structure and structure.is_cyclic else {})
    changes = [
        Change(names[part.name], "", part.loss, part.accuracy, _controls(verdict, f"loss_{part.name}"))
        for part in found
    ]
    return _losses_figure("Parts replaced", verdict, changes, found[0].baseline)


def parts_figure(verdict: Verdict) -> go.Figure:
    """Loss without each part of the last layer (`ablate_parts`)."""
    assert verdict.examination
    whole, *found = verdict.examination.parts
    changes = [Change(part.part, part.how, part.loss, part.accuracy) for part in found]
    return _losses_figure("Parts taken away", verdict, changes, whole.loss)


def removals_figure(verdict: Verdict) -> go.Figure:
    """Loss without each key frequency or irrep, and without its neurons (`ablate_frequencies`)."""
    assert verdict.examination
    whole, *found = verdict.examination.frequencies
    changes = [
        Change(
            part.part,
            part.how,
            part.loss,
            part.accuracy,
            _controls(verdict, f"loss_without_{part.part}_{part.how}".replace(" ", "_")),
        )
        for part in found
    ]
    return _losses_figure("Keys taken away", verdict, changes, whole.loss)


def interventions_figure(verdict: Verdict) -> go.Figure:
    """Loss with the neurons' inputs from a and from b changed (`interventions`)."""
    assert verdict.examination
    whole, *found = verdict.examination.interventions
    changes = [Change(_INTERVENED.get(part.name, part.name), "", part.loss, part.accuracy) for part in found]
    return _losses_figure("Neurons' inputs changed", verdict, changes, whole.loss)


def _controls(verdict: Verdict, name: str) -> dict[str, float]:
    return next((row.controls for row in verdict.evidence if row.name == name), {})


def _losses_figure(title: str, verdict: Verdict, changes: list[Change], baseline: float) -> go.Figure:
    """A row per change, the losses on a logarithmic axis with the network's own and that of a uniform guess, ln n."""
    guess = float(np.log(verdict.snapshot.task.n_answers))
    kept = _most_harmful(changes)
    total = len({change.row for change in changes})
    few = f"Of {total} rows, the {MOST_ROWS} with the largest loss are drawn." if total > MOST_ROWS else ""
    changes = [change for change in changes if change.row in kept]
    rows = list(dict.fromkeys(change.row for change in changes))[::-1]
    figure = new_figure(title, note=few)
    places = {row: place for place, row in enumerate(rows)}
    # Controls lie below.
    controls = list(dict.fromkeys(name for change in changes for name in change.controls))
    for name in controls:
        _add_dots(figure, [(places[c.row], c, c.controls.get(name, float("nan"))) for c in changes], name, "")
    ways = {row: [change.how for change in changes if change.row == row] for row in rows}
    for how in dict.fromkeys(change.how for change in changes):
        own = [(places[c.row] + _aside(ways[c.row], how), c, c.loss) for c in changes if c.how == how]
        _add_dots(figure, own, "", how)
    hows = {change.how for change in changes if change.how}
    figure.update_layout(showlegend=bool(controls or hows))
    values = np.array(drawable([*(c.loss for c in changes), *(v for c in changes for v in c.controls.values())]))
    span = np.array([*values, *drawable([baseline, guess])])
    figure.update_layout(
        xaxis={
            **logarithmic(span),
            "title": {"text": "loss"},
            "range": mark_losses(figure, "x", "y", baseline, guess, span),
            "tickangle": 0,
        },
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [f"{label(row)}\u00a0" for row in rows],
            "range": [-0.7, len(rows) - 0.3],
        },
    )
    # Room for the legend: a line holds four names, on a narrow screen one.
    names = len(controls) + max(len(hows), 1)
    lines = [-(-names // columns) if controls or hows else 0 for columns in (4, 1)]
    wide, narrow = (24 + 20 * count + (16 if count else 0) for count in lines)
    height = 70 + 27 * len(rows)
    layout: Any = figure.layout
    every = layout.xaxis.dtick
    fewer = {"xaxis.dtick": 2 * every} if every else {}
    adapt(
        figure,
        wide={"height": height + wide, "margin.t": wide, "yaxis.tickfont.size": 12, **dict.fromkeys(fewer, every)},
        narrow={"height": height + narrow, "margin.t": narrow, "yaxis.tickfont.size": 11, **fewer},
    )
    legend_above(figure)
    return figure


def _most_harmful(changes: list[Change]) -> set[str]:
    """The rows to draw: all, or those with the largest losses."""
    worst: dict[str, float] = {}
    for change in changes:
        worst[change.row] = max(worst.get(change.row, 0.0), *drawable([change.loss]), 0.0)
    return set(sorted(worst, key=lambda row: -worst[row])[:MOST_ROWS])


def _aside(ways: list[str], how: str) -> float:
    """How far above its row's middle a way stands, so that equal losses do not hide each other."""
    return 0.2 * ((len(ways) - 1) / 2 - ways.index(how))


def _add_dots(figure: go.Figure, placed: list[tuple[float | int, Change, float]], control: str, how: str) -> None:
    """A dot per (height, change, loss) that a logarithmic axis can show."""
    drawn = [(height, change, loss) for height, change, loss in placed if drawable([loss])]
    colour, symbol = _STYLES.get(how, _STYLES[""])
    style = {"color": colour, "symbol": symbol, "size": 9}
    if control:
        symbol = _CONTROL_SYMBOLS.get(control, "circle-open")
        style = {"color": OTHER, "symbol": symbol, "size": 8, "line": {"color": OTHER, "width": 1.6}}
    name = control_name(control) if control else _LEGEND.get(how, "this network, changed")
    figure.add_trace(
        go.Scatter(
            x=[drawable([loss])[0] for _, _, loss in drawn],
            y=[height for height, _, _ in drawn],
            mode="markers",
            marker=style,
            name=name,
            showlegend=True,
            cliponaxis=False,
            customdata=[
                [label(change.row), number(loss), "" if control else f", accuracy {percent(change.accuracy)}"]
                for _, change, loss in drawn
            ],
            hovertemplate=f"%{{customdata[0]}}: loss %{{customdata[1]}}%{{customdata[2]}}<extra>{name}</extra>",
        )
    )


def drawable(values: Iterable[float]) -> list[float]:
    """The finite values of at least 0 as a logarithmic axis shows them.

    >>> drawable([2.0, 0.0, float("nan"), float("inf")])
    [2.0, 1e-16]
    """
    return [max(float(value), LEAST_LOSS) for value in values if np.isfinite(value) and value >= 0]


def spaced(values: Float[np.ndarray, " value"]) -> list[float]:
    """The range of a logarithmic axis, in powers of ten, with room for markers at its ends."""
    exponents = np.log10(values)
    low, high = float(exponents.min()), float(exponents.max())
    room = 0.06 * max(high - low, 1.0)
    return [low - room, high + room]


def mark_losses(
    figure: go.Figure, x: str, y: str, loss: float, guess: float, values: Float[np.ndarray, " value"]
) -> list[float]:
    """Lines at the network's own loss and at a guess's; returns the range of a logarithmic axis for these values.

    Names of lines that are near each other stand outwards, with room for the right one.
    """
    low, high = spaced(values)
    lines = [(loss, BASELINE, f"as it is {number(loss)}"), (guess, GUESS, f"guess {number(guess)}")]
    places = [float(np.log10(drawable([value])[0])) if drawable([value]) else -np.inf for value in (loss, guess)]
    near = abs(places[0] - places[1]) < 0.5 * (high - low)
    if near:
        high = max(high, low + (max(places) - low) / 0.75)
    for (value, dash, text), place in zip(lines, places, strict=True):
        leftmost = place == min(places) and (places[0] != places[1] or dash == BASELINE)
        mark(figure, x, y, value, dash, text, xanchor=("right" if leftmost else "left") if near else "center")
    return [low, high]


def mark(figure: go.Figure, x: str, y: str, value: float, dash: str, text: str, *, xanchor: str = "center") -> None:
    """A line across the rows at a value, named above it."""
    shown = drawable([value])
    if not shown:
        return
    figure.add_shape(
        type="line", name=text, xref=x, yref=f"{y} domain", x0=shown[0], x1=shown[0], y0=0, y1=1,
        line={"color": LINE, "width": 1.5, "dash": dash}, layer="below",
    )  # fmt: skip
    figure.add_annotation(
        text=text, xref=x, yref=f"{y} domain", x=float(np.log10(shown[0])), y=1, xanchor=xanchor, yanchor="bottom",
        showarrow=False, font={"size": 11},
    )  # fmt: skip
