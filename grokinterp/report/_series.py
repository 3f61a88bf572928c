"""Making series and grids small enough to draw, without changing what is seen of them."""

from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float, Int

LINE_POINTS = 4000
GRID_SIDE = 160
GRID_STEPS = 400


def series(table: pd.DataFrame, column: str) -> tuple[Int[np.ndarray, " step"], Float[np.ndarray, " step"]]:
    """Steps and values of a column where it has any, float32 (half the bytes), thinned if very long."""
    if column not in table:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    kept = table.loc[np.isfinite(table[column].to_numpy(dtype=np.float64)), ["step", column]]
    chosen = thinned(kept[column].to_numpy(dtype=np.float64))
    return kept["step"].to_numpy(dtype=np.int32)[chosen], kept[column].to_numpy(dtype=np.float32)[chosen]


def line(table: pd.DataFrame, column: str, name: str, colour: str, *, dash: str = "solid", **placed: str) -> go.Scatter:
    """A column over the steps; `placed` names axes and legend."""
    steps, values = series(table, column)
    # A line through one point is invisible.
    mode = "lines" if len(steps) > 1 else "markers"
    style = {"color": colour, "width": 1.8, "dash": dash}
    return go.Scatter(x=steps, y=values, name=name, mode=mode, line=style, marker={"color": colour}, **placed)


def thinned(values: Float[np.ndarray, " step"], points: int = LINE_POINTS) -> Int[np.ndarray, " kept"]:
    """Which values to draw: the ends, and the extremes of each of `points`/2 stretches, so spikes stay.

    >>> thinned(np.array([0.0, 1.0, 9.0, 1.0, 0.5, 0.0, 0.0, 0.0]), points=4)
    array([0, 2, 4, 5, 7])
    """
    n = len(values)
    if n <= points:
        return np.arange(n)
    edges = np.linspace(0, n, max(2, points // 2) + 1).astype(int)
    kept = {0, n - 1}
    for start, stop in pairwise(edges):
        kept |= {start + int(np.argmin(values[start:stop])), start + int(np.argmax(values[start:stop]))}
    return np.array(sorted(kept))


def is_thinned(table: pd.DataFrame) -> bool:
    return len(table) > LINE_POINTS


def every_so_many(n: int, most: int = GRID_STEPS) -> Int[np.ndarray, " kept"]:
    """Indices of at most `most` of n columns, evenly, with both ends."""
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).round().astype(int))


def cropped(grid: Float[np.ndarray, "a b"], side: int = GRID_SIDE) -> Float[np.ndarray, "side_a side_b"]:
    """The corner of a grid that is drawn, float32. Thinning would alias the very waves it should show."""
    return np.ascontiguousarray(grid[:side, :side], dtype=np.float32)


def crop_note(n: int, what: str, side: int = GRID_SIDE) -> str:
    return f"Of {n} values of {what}, the first {side} are drawn." if n > side else ""
