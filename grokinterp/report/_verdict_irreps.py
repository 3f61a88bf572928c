"""Irreps against cosets: what becomes of a network whose neurons see only one of them."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from grokinterp.verdict import THRESHOLDS, Account, Verdict

from ._style import OTHER, axis_names, logarithmic, new_figure
from ._verdict_losses import GUESS, drawable, mark, mark_losses, spaced
from ._verdict_tables import control_name, share

COLOURS = {"characters": "#999933", "irrep": "#7766CC", "coset": "#CC6677"}
# Less than float32 logits can tell apart.
LEAST_UNEXPLAINED = 1e-8
NUMBERS = "numbers per neuron"
# Of three quantities, one per account (`Account.share_name`): what each lacks of 100 %.
LEFT_OVER = "left over of the account's share"
_PANELS = (LEFT_OVER, "loss", NUMBERS)


def irreps_and_cosets_figure(verdict: Verdict) -> go.Figure:
    """Per account what its share lacks of 100 %, the loss under it, and the numbers it costs.

    Grey: the same accounts of the null controls. `Account` says how each number is made.
    """
    accounts, n = verdict.measured.accounts, verdict.snapshot.task.n_answers
    names = list(accounts)[::-1]
    panels = [panel for panel in _PANELS if panel != NUMBERS or any(a.numbers for a in accounts.values())]
    figure = new_figure("Irreps and cosets", height=170 * len(panels) + 40, narrow_height=170 * len(panels) + 40)
    height = 1 / len(panels)
    for place, panel in enumerate(panels, start=1):
        x, y = (name.replace("axis", "") for name in axis_names(place))
        drawn: list[float] = []
        for control, null in verdict.nulls.items():
            values = {name: _value(panel, null.accounts[name]) for name in names if name in null.accounts}
            if panel != NUMBERS:
                drawn += _dots(figure, values, OTHER, control_name(control), x, y)
        for name in names:
            drawn += _dots(figure, {name: _value(panel, accounts[name])}, COLOURS.get(name, OTHER), name, x, y)
        if panel == "loss":
            drawn += [*drawable([verdict.measured.loss]), float(np.log(n))]
        if panel == LEFT_OVER:
            bound = 1 - THRESHOLDS["explained"].bound
            mark(figure, x, y, bound, GUESS, f"needs ≤ {share(bound)}")
            drawn += [bound, 1.0]
        values = np.array(drawn)
        is_loss = panel == "loss"
        span = mark_losses(figure, x, y, verdict.measured.loss, float(np.log(n)), values) if is_loss else spaced(values)
        top = 1 - (place - 1) * height
        axes = axis_names(place)
        figure.update_layout(
            {
                axes[0]: {
                    **(_from_zero(values) if panel == NUMBERS else {**logarithmic(values), "range": span}),
                    "title": {"text": panel},
                    "anchor": y,
                },
                axes[1]: {
                    "type": "category",
                    "categoryorder": "array",
                    "categoryarray": names,
                    "range": [-0.6, len(names) - 0.4],
                    "domain": [top - 0.66 * height, top - 0.12 * height],
                    "anchor": x,
                },
            }
        )
    return figure


def _from_zero(values: Float[np.ndarray, " value"]) -> dict[str, Any]:
    return {"type": "linear", "range": [0, 1.08 * float(values.max(initial=1.0))], "tickformat": ",d"}


def _value(panel: str, account: Account) -> float:
    if panel == "loss":
        return account.loss
    if panel == NUMBERS:
        return float("nan") if account.numbers is None else account.numbers
    return max(1 - account.explained, LEAST_UNEXPLAINED)


def _dots(figure: go.Figure, values: dict[str, float], colour: str, name: str, x: str, y: str) -> list[float]:
    """Add the values that a logarithmic axis can show, and return them."""
    shown = {row: value for row, value in values.items() if drawable([value])}
    is_control = colour == OTHER
    figure.add_trace(
        go.Scatter(
            x=list(shown.values()),
            y=list(shown),
            xaxis=x,
            yaxis=y,
            mode="markers",
            marker={"color": colour, "size": 8 if is_control else 13, "opacity": 0.8 if is_control else 1},
            name=name,
            showlegend=False,
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x:.4g}}<extra>{name}</extra>",
        )
    )
    return list(shown.values())
