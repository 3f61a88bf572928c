"""What a file holds, in the words of a message."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
import torch

from ._layout import is_state_dict
from ._records import cut, kind_of

_MOST_NAMES = 6


def described(content: Any) -> str:
    """What a file of no known layout holds, in one line: weights first."""
    if is_state_dict(content):
        return network(content)
    if isinstance(content, Mapping):
        ordered = sorted(content.items(), key=lambda entry: not _holds_tensors(entry[1]))
        names = [f"{cut(str(name))}{_detail(value)}" for name, value in ordered]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return f"a dictionary with {', '.join(names[:_MOST_NAMES])}{more}" if names else "an empty dictionary"
    if isinstance(content, list | tuple) and 0 < len(content) <= _MOST_NAMES:
        of_lists = all(isinstance(entry, list | tuple | Mapping) for entry in content)
        inside = f" ({', '.join(kind_of(entry) for entry in content)})" if of_lists else ""
        return f"{kind_of(content)}{inside}"
    return kind_of(content)


def network(state: Mapping[str, torch.Tensor]) -> str:
    """A state dict by what the network reads and gives, where it says that, and by its first tensors."""
    positions, outputs = (state.get(name) for name in ("pos_embed.W_pos", "unembed.W_U"))
    if positions is not None and outputs is not None and positions.ndim == outputs.ndim == 2:
        return f"a transformer that reads {len(positions)} tokens and has {outputs.shape[1]} outputs"
    return f"a state dict of {len(state)} tensor{'s' * (len(state) > 1)}, {tensors(state)}"


def tensors(state: Mapping[str, torch.Tensor]) -> str:
    """The first tensors with their shapes: `embed.weight (8, 4), head.weight (7, 4) and 12 more`."""
    names = [f"{cut(str(name), 80)} {tuple(x.shape)}" for name, x in state.items()]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"


def _holds_tensors(value: Any) -> bool:
    return is_state_dict(value) or (isinstance(value, Mapping) and any(map(_holds_tensors, value.values())))


def _detail(value: Any) -> str:
    if _holds_tensors(value):
        return f" ({network(dict(_leaves(value, '')))})"
    if isinstance(value, torch.Tensor | np.ndarray):
        entries = prod(value.shape)
    else:
        entries = len(value) if isinstance(value, list | tuple) else 0
    return f" ({kind_of(value)})" if entries > _MOST_NAMES else ""


def _leaves(value: Mapping[Any, Any], name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a tree of dictionaries by their names."""
    for key, entry in value.items():
        inner = f"{name}.{key}" if name else str(key)
        if isinstance(entry, torch.Tensor):
            yield inner, entry
        elif isinstance(entry, Mapping):
            yield from _leaves(entry, inner)
