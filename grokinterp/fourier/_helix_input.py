"""What `fit_helix` is given, checked."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from grokinterp.errors import GrokinterpError

from ._array import Array, integer, real_array, shown


def numbers(x: Array, name: str) -> np.ndarray:
    _, x = real_array(x, name)
    if is_torch_array(x):
        x = x.detach().cpu()
    x = np.asarray(x, dtype=np.float64)
    if not np.isfinite(x).all():
        raise GrokinterpError(f"{name} hold nan or infinity: needs finite numbers; drop those first")
    return x


def examples(activations: Array, values: Array) -> tuple[np.ndarray, np.ndarray]:
    x, a = numbers(activations, "activations"), numbers(values, "values")
    if x.ndim != 2 or a.ndim != 1 or len(x) != len(a) or x.size == 0:
        raise GrokinterpError(
            f"activations of shape {x.shape} with values of shape {a.shape}: needs shapes (example, d) and (example,) "
            "with as many examples; reshape one of them"
        )
    if (x == x[0]).all():
        raise GrokinterpError(
            "activations are the same in every example: needs some variance to explain; take other activations"
        )
    if not 1e-140 < np.abs(x).max() < 1e140:
        raise GrokinterpError(
            f"activations go to ±{np.abs(x).max():.3g}: needs numbers whose squares float64 holds; rescale them"
        )
    return x, a


def periods_of(periods: Any) -> list[float]:
    found = np.atleast_1d(numbers(list(periods) if isinstance(periods, Iterator) else periods, "periods"))
    if found.ndim != 1 or found.size == 0 or (found <= 0).any():
        raise GrokinterpError(
            f"periods = {shown(periods)}: needs one positive number or more; give e.g. [2, 5, 10, 100], or p/k for "
            "frequency k of Z_p"
        )
    return found.tolist()


def flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise GrokinterpError(f"{name} = {shown(value)}: needs True or False; give one of them")
    return bool(value)


def count(value: Any, name: str, needed: str, allowed: Any) -> int:
    n = integer(value)
    if n is None or not allowed(n):
        raise GrokinterpError(f"{name} = {shown(value)}: needs an integer, {needed}; give another number")
    return n


def listed_periods(periods: tuple[float, ...]) -> str:
    return ", ".join(f"{period:.6g}" for period in periods)
