"""What stands beside the weights in a file under a name that its layout has: numbers however they were kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grokinterp.errors import GrokinterpError

from ._records import kind_of

MOST_NUMBERS = 5_000_000


def numbers(said: Mapping[str, Any], name: str, path: Path) -> list[float]:
    """The numbers under `name`: of a list, of an array, or of tensors with a number each; none if the name is absent.

    >>> numbers({"train_losses": [torch.tensor(0.5), np.float32(0.25), 1]}, "train_losses", Path("final.pth"))
    [0.5, 0.25, 1.0]
    """
    value = said.get(name)
    if value is None:
        return []
    entries = _listed(value, name, path)
    found: list[float | None] = [None]
    if isinstance(entries, list | tuple):
        # There may be millions: no function is called for those that are numbers already.
        found = [float(entry) if type(entry) in (int, float) else _number(entry) for entry in entries]
    if None in found:
        raise GrokinterpError(f"{path}: {name} is {kind_of(value)}; a list of numbers is needed: save it again as one")
    return [entry for entry in found if entry is not None]


def _listed(value: Any, name: str, path: Path) -> Any:
    """An array as a list, which takes ten times its memory."""
    if not isinstance(value, torch.Tensor | np.ndarray):
        return value
    if np.prod(value.shape, dtype=float) > MOST_NUMBERS:
        raise GrokinterpError(f"{path}: {name} is {kind_of(value)}; at most {MOST_NUMBERS:,} numbers are read")
    return value.tolist()


def number(said: Mapping[str, Any], name: str, path: Path) -> float | None:
    """The number under `name`, or None where the file has none."""
    value = said.get(name)
    if value is None:
        return None
    found = _number(value)
    if found is None:
        raise GrokinterpError(f"{path}: {name} is {kind_of(value)}; a number is needed: save it again as one")
    return found


def whole_number(said: Mapping[str, Any], name: str, path: Path) -> int | None:
    """The same for a count, such as an epoch."""
    found = number(said, name, path)
    if found is not None and (not found.is_integer() or found < 0):
        raise GrokinterpError(f"{path}: {name} = {found:g}: a whole number ≥ 0 is needed; correct it")
    return None if found is None else int(found)


def settings(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """The dictionary of settings under `name`, empty where the file has none."""
    value = content.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise GrokinterpError(f"{path}: {name} is {kind_of(value)}; a dictionary of settings is needed")
    return dict(value)


def indices(content: Mapping[str, Any], name: str, path: Path) -> tuple[int, ...]:
    """The whole numbers under `name`."""
    found = numbers(content, name, path)
    if not all(entry.is_integer() for entry in found):
        raise GrokinterpError(f"{path}: {name} holds numbers that are not whole; indices are needed")
    return tuple(int(entry) for entry in found)


def pairs(content: Mapping[str, Any], name: str, path: Path) -> list[tuple[int, int]]:
    """The first two of each row under `name`: the released trainer keeps (a, b, p)."""
    value = content.get(name)
    rows = _listed(value, name, path)
    if rows is None:
        return []
    whole = isinstance(rows, list | tuple) and all(
        isinstance(row, list | tuple) and len(row) >= 2 and all(type(entry) is int for entry in row[:2]) for row in rows
    )
    if not whole:
        raise GrokinterpError(f"{path}: {name} is {kind_of(value)}; a list of pairs of whole numbers is needed")
    return [(row[0], row[1]) for row in rows]


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor | np.ndarray | np.generic) and np.prod(value.shape, dtype=float) == 1:
        value = value.tolist()  # A number where the tensor has no axes, a list otherwise.
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, int | float) else None
