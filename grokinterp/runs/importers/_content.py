"""What stands beside the weights in a file: numbers however they were kept, and the words that describe the rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grokinterp.errors import GrokinterpError

from ._layout import is_state_dict
from ._records import cut, kind_of, shown

_MOST_NAMES = 6


def numbers(said: Mapping[str, Any], name: str, path: Path) -> list[float]:
    """The numbers under `name`: of a list, of an array, or of tensors with a number each; none if the name is absent.

    >>> numbers({"train_losses": [torch.tensor(0.5), np.float32(0.25), 1]}, "train_losses", Path("final.pth"))
    [0.5, 0.25, 1.0]
    """
    value = said.get(name)
    if value is None:
        return []
    entries = value.tolist() if isinstance(value, torch.Tensor | np.ndarray) else value
    found = [_number(entry) for entry in entries] if isinstance(entries, list | tuple) else [None]
    if None in found:
        raise GrokinterpError(f"{path}: {name} is {kind_of(value)}; a list of numbers is needed: save it again as one")
    return [entry for entry in found if entry is not None]


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
    rows = value.tolist() if isinstance(value, torch.Tensor | np.ndarray) else value
    if rows is None:
        return []
    whole = isinstance(rows, list | tuple) and all(
        isinstance(row, list | tuple) and len(row) >= 2 and all(type(entry) is int for entry in row[:2]) for row in rows
    )
    if not whole:
        raise GrokinterpError(f"{path}: {name} is {kind_of(value)}; a list of pairs of whole numbers is needed")
    return [(row[0], row[1]) for row in rows]


def described(content: Any) -> str:
    """What a file of no known layout holds, in one line."""
    if is_state_dict(content):
        return _network(content)
    if isinstance(content, Mapping):
        names = [f"{cut(str(name))}{_detail(value)}" for name, value in content.items()]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return f"a dictionary with {', '.join(names[:_MOST_NAMES])}{more}" if names else "an empty dictionary"
    if isinstance(content, list | tuple) and 0 < len(content) <= _MOST_NAMES:
        of_lists = all(isinstance(entry, list | tuple | Mapping) for entry in content)
        inside = f" ({', '.join(kind_of(entry) for entry in content)})" if of_lists else ""
        return f"{kind_of(content)}{inside}"
    return kind_of(content)


def _detail(value: Any) -> str:
    if is_state_dict(value):
        return f" ({_network(value)})"
    long = isinstance(value, list | tuple | torch.Tensor | np.ndarray) and np.size(value) > _MOST_NAMES
    return f" ({kind_of(value)})" if long else ""


def _network(state: Mapping[str, torch.Tensor]) -> str:
    """A state dict by what the network reads and gives, where it says that."""
    positions, outputs = (state.get(name) for name in ("pos_embed.W_pos", "unembed.W_U"))
    if positions is None or outputs is None or positions.ndim != 2 or outputs.ndim != 2:
        names = ", ".join(shown(name) for name in list(state)[:_MOST_NAMES])
        return f"a state dict of {len(state)} tensors, {names}{' …' if len(state) > _MOST_NAMES else ''}"
    return f"a transformer that reads {len(positions)} tokens and has {outputs.shape[1]} outputs"


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        value = value.tolist()  # A number where the tensor has no axes, a list otherwise.
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, int | float) else None
