"""The numbers that a figure is drawn from, as one long table."""

import html
import re
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go


def figure_data(figure: go.Figure) -> pd.DataFrame:
    """A row per point of every trace.

    Its columns are `trace` (its name), `axes` (`xy`, `x2y2`, …: its panel), `x`, `y`, and where any trace has them
    `x_name`, `y_name` (what the axis calls a place that is a number), `z` (a cell of a heat map), `y_error`, `size` and
    `text`. Traces that only make an entry of the legend have no rows.

    >>> figure = go.Figure([go.Scatter(x=[0, 1], y=[5, 6], name="line"), go.Heatmap(z=[[7, 8]], name="map")])
    >>> print(figure_data(figure).to_csv(index=False), end="")
    trace,axes,x,y,z
    line,xy,0,5,
    line,xy,1,6,
    map,xy,0,0,7
    map,xy,1,0,8
    """
    tables = [_points(trace, figure.layout) for trace in figure.data]
    columns = ["trace", "axes", "x", "y", "x_name", "y_name", "z", "y_error", "size", "text"]
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=columns[:4])
    joined = pd.concat(filled, ignore_index=True)
    return joined.reindex(columns=[column for column in columns if column in joined])


def _points(trace: Any, layout: Any) -> pd.DataFrame:
    values = _cells(trace) if trace.type == "heatmap" else _series(trace)
    for axis in ("x", "y"):
        drawn_on = f"{axis}axis{_axis(trace, f'{axis}axis')[1:]}"
        if drawn_on in layout and (names := _names(values[axis], layout[drawn_on])):
            values[f"{axis}_name"] = names
    table = pd.DataFrame({name: pd.Series(list(column), dtype=object) for name, column in values.items()})
    table = table.loc[table["x"].notna() | table["y"].notna(), :]
    table.insert(0, "axes", f"{_axis(trace, 'xaxis')}{_axis(trace, 'yaxis')}")
    table.insert(0, "trace", _plain(str(trace.name or "")))
    return table


def _axis(trace: Any, which: str) -> str:
    return getattr(trace, which, None) or which[0]


def _names(places: Any, axis: Any) -> list[str]:
    """What an axis calls the places, where all of them are close to one that it names; else nothing."""
    ticks, texts = axis.tickvals, axis.ticktext
    if not ticks or not texts or any(not isinstance(place, int | float | np.number) for place in (*places, *ticks)):
        return []
    distances = np.abs(np.subtract.outer(np.asarray(places, dtype=float), np.asarray(ticks, dtype=float)))
    if not len(places) or not (distances.min(axis=1) < 0.5).all():
        return []
    return [_plain(texts[i]) for i in distances.argmin(axis=1)]


def _cells(trace: Any) -> dict[str, Any]:
    z = np.asarray(trace.z)
    x = np.arange(z.shape[1]) if trace.x is None else _texts(trace.x)
    y = np.arange(z.shape[0]) if trace.y is None else _texts(trace.y)
    return {"x": np.tile(x, len(y)), "y": np.repeat(y, len(x)), "z": z.reshape(-1)}


def _series(trace: Any) -> dict[str, Any]:
    x, y = trace.x, trace.y
    n = len(y if y is not None else x)
    values: dict[str, Any] = {
        "x": np.arange(n) if x is None else _texts(x),
        "y": np.arange(n) if y is None else _texts(y),
    }
    for name, column in (
        ("y_error", getattr(getattr(trace, "error_y", None), "array", None)),
        ("size", getattr(getattr(trace, "marker", None), "size", None)),
        ("text", trace.text),
    ):
        if column is not None and not np.isscalar(column) and len(column) == n:
            texts = _texts(column)
            if any(text != "" for text in texts):
                values[name] = texts
    return values


def _texts(values: Any) -> np.ndarray:
    """Values as they are, text without what plotly's labels need."""
    return np.array([_plain(value) if isinstance(value, str) else value for value in values], dtype=object)


def _plain(text: str) -> str:
    """Text without the tags and escapes of plotly's labels, and without the blanks that set them off.

    >>> _plain("<b>A</b><br>order &lt; 12\u00a0")
    'A order < 12'
    """
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<br\s*/?>", " ", text))).strip()
