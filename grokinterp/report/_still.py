"""The main figures as inline SVG, for a page that is read without JavaScript."""

from collections.abc import Iterable
from html import escape
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from markupsafe import Markup

from grokinterp.analysis import Report, embedding_circle

from ._keys import called, key_colours
from ._series import series, thinned
from ._style import MEASURE_COLOURS

POINTS = 500
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 320, 70, 150, 30, 40


class _Line(NamedTuple):
    name: str
    colour: str
    x: Float[np.ndarray, " point"]
    y: Float[np.ndarray, " point"]


def still_pictures(report: Report) -> Markup:
    """Losses, progress measures and, where there are any, the circles of the key frequencies."""
    metrics, measures = report.metrics, report.curves.measures
    dense = metrics if {"step", "train_loss", "test_loss"} <= set(metrics.columns) else measures
    names = {"train_loss": "train", "test_loss": "test"}
    progress = names | {"restricted_loss": "restricted", "excluded_loss": "excluded"}
    drawn = [still_curves("Train and test loss", _lines(dense, names))]
    if report.in_group:
        drawn.append(still_curves("Restricted and excluded loss", _lines(measures, progress)))
    circles = still_circles(report)
    return Markup("\n").join([*drawn, *([circles] if circles else [])])


def _lines(table: pd.DataFrame, names: dict[str, str]) -> list[_Line]:
    found = []
    for column, name in names.items():
        steps, values = series(table, column)
        kept = thinned(values.astype(np.float64), POINTS)
        # On a logarithmic axis; an infinite loss has no place there either.
        known = kept[(values[kept] > 0) & np.isfinite(values[kept])]
        found.append(_Line(name, MEASURE_COLOURS[column], steps[known].astype(np.float64), values[known].astype(float)))
    return found


def still_curves(title: str, lines: Iterable[_Line]) -> Markup:
    """Lines over the steps on a logarithmic axis, each with its name at its end."""
    shown = [line for line in lines if len(line.x)]
    if not shown:
        return Markup("")
    low, high = (float(f(np.concatenate([np.log10(line.y) for line in shown]))) for f in (np.min, np.max))
    low, high = (low - 0.5, high + 0.5) if high - low < 1e-9 else (low, high)
    last = max(float(line.x[-1]) for line in shown) or 1.0
    parts = []
    for power in range(int(np.ceil(low)), int(np.floor(high)) + 1, max(1, round((high - low) / 6))):
        y = _place(power, low, high, HEIGHT - BOTTOM, TOP)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".15"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">10'
            f'<tspan dy="-5" font-size="9">{power}</tspan></text>'
        )
    for step in np.linspace(0, last, 5):
        x = _place(step, 0, last, LEFT, WIDTH - RIGHT)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 18}" text-anchor="middle">{step:,.0f}</text>')
    names_at = _apart([_place(float(np.log10(line.y[-1])), low, high, HEIGHT - BOTTOM, TOP) for line in shown])
    for line, name_y in zip(shown, names_at, strict=True):
        xs = _place(line.x, 0, last, LEFT, WIDTH - RIGHT)
        ys = _place(np.log10(line.y), low, high, HEIGHT - BOTTOM, TOP)
        parts.append(_path(xs, ys, line.colour))
        parts.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{name_y + 4:.1f}" fill="{line.colour}">{escape(line.name)}</text>'
        )
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 2}" text-anchor="middle">step</text>')
    return _svg(title, HEIGHT, parts)


def still_circles(report: Report) -> Markup:
    """The embedding in the plane of each key frequency at the last step; nothing where there is none."""
    circuit = report.in_group
    if circuit is None or not circuit.structure.is_cyclic or not circuit.keys:
        return Markup("")
    colours = key_colours(report)
    n, columns = circuit.structure.n, min(len(colours), 5)
    side = WIDTH / columns
    parts = []
    for number, (k, colour) in enumerate(colours.items()):
        row, column = divmod(number, columns)
        xy = embedding_circle(report.snapshot, k)
        xy = xy[np.argsort(np.arange(n) * k % n, kind="stable")] / (np.abs(xy).max() or 1.0)
        xs = (column + 0.5) * side + xy[:, 0] * (side / 2 - 16)
        ys = row * (side + 20) + 24 + side / 2 - xy[:, 1] * (side / 2 - 16)
        parts.append(_path(np.append(xs, xs[0]), np.append(ys, ys[0]), colour, width=0.7))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{colour}"/>' for x, y in zip(xs, ys, strict=True)]
        name = escape(called(circuit.structure, k))
        parts.append(
            f'<text x="{(column + 0.5) * side:.1f}" y="{row * (side + 20) + 30:.1f}" text-anchor="middle">{name}</text>'
        )
    rows = -(-len(colours) // columns)
    return _svg("The embedding in the plane of each key frequency", round(rows * (side + 20) + 16), parts)


def _place(x: Any, low: float | int, high: float | int, start: float | int, stop: float | int) -> Any:
    return start + (x - low) / ((high - low) or 1.0) * (stop - start)


def _apart(places: list[float], gap: float = 16.0) -> list[float]:
    """Heights of names, moved down where they would stand on one another."""
    found = dict.fromkeys(range(len(places)), 0.0)
    before = -np.inf
    for number in sorted(found, key=lambda i: places[i]):
        before = found[number] = max(places[number], before + gap)
    return list(found.values())


def _path(xs: Float[np.ndarray, " point"], ys: Float[np.ndarray, " point"], colour: str, width: float = 1.8) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    if len(xs) == 1:
        return f'<circle cx="{xs[0]:.1f}" cy="{ys[0]:.1f}" r="3" fill="{colour}"/>'
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _svg(title: str, height: int, parts: list[str]) -> Markup:
    # Every text in `parts` is escaped, or a number.
    return Markup(
        f'<svg class="still" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" font-size="13" '
        f'fill="currentColor"><text x="0" y="14" font-size="15" font-weight="600">{escape(title)}</text>'
        f"{''.join(parts)}</svg>"
    )
