"""Where in a file the weights are: under a name, in a tuple, in a tree, and behind the prefixes that wrappers put."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ._layout import is_state_dict

# What trainers call the weights; the first of these that holds any counts before other names.
STATES = (
    "model", "state_dict", "model_state_dict", "model_state", "model_dict", "weights", "params", "parameters", "net",
    "network", "net_state_dict", "network_state_dict", "model_weights", "state", "checkpoint",
)  # fmt: skip
# Tensors that are no network: the moments of an optimizer, averages of the weights, states of random generators.
_OTHERS = ("optim", "sched", "scaler", "ema", "swa", "rng", "random", "grad", "init", "best", "cache", "activation")
# Modules that torch and Lightning put between a name and the rest of it, wherever they stand.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
_DEEPEST = 4
# A file whose first level holds this many matrices beside other entries is a state dict with settings in it.
_FEWEST_MATRICES = 3

State = Mapping[str, torch.Tensor]


def find_state(content: Any) -> tuple[State, tuple[str, ...]]:
    """The weights in `content` and the names they stand under; nothing of both where there are none.

    >>> find_state(({"epoch": 3, "model": {"w": torch.ones(2)}}, {}))[1]
    ('0', 'model')
    """
    states = list(_states(content, (), 0))
    if not states:
        return {}, ()
    ranks = {place: _rank(place) for place, _ in states}
    place, state = min(states, key=lambda found: (ranks[found[0]], -_size(found[1])))
    return state, place


def twins_of(content: Any, place: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Where else in `content` there are weights with the same names as those at `place`, and as likely meant."""
    states = dict(_states(content, (), 0))
    if place not in states:
        return []
    names, rank = states[place].keys(), _rank(place)
    return [at for at, state in states.items() if at != place and _rank(at) == rank and state.keys() == names]


def without_wrappers(state: State) -> dict[str, torch.Tensor]:
    """`state` without the names that torch.compile, DataParallel, Lightning and others put before every tensor's.

    >>> list(without_wrappers({"_orig_mod.module.embed.W_E": torch.ones(1), "_orig_mod.module.b": torch.ones(1)}))
    ['embed.W_E', 'b']
    """
    plain = {".".join(part for part in name.split(".") if part not in _WRAPPERS): x for name, x in state.items()}
    if len(plain) < len(state):
        plain = dict(state)
    while (first := _shared(plain)) is not None:
        plain = {name.removeprefix(f"{first}."): x for name, x in plain.items()}
    return plain


def prefixes(state: State) -> list[str]:
    """What stands before a dot in the names, the longest last: where a network can be, beside other tensors."""
    found = {name[:at] for name in state for at, letter in enumerate(name) if letter == "."}
    return sorted(found, key=lambda prefix: (prefix.count("."), prefix))


def under(state: State, prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix` and a dot, without these."""
    start = f"{prefix}."
    return {name.removeprefix(start): x for name, x in state.items() if name.startswith(start)}


def _shared(state: State) -> str | None:
    """The first part of the names, if all have the same, more follows, and there are several tensors."""
    firsts = {name.partition(".")[0] if "." in name else None for name in state}
    return firsts.pop() if len(firsts) == 1 and len(state) > 1 and not _is_blocks(state) else None


def _is_blocks(state: State) -> bool:
    """Whether the names' second parts are numbers alone: layers in order, whose name says what they are."""
    return all(name.split(".")[1].isdigit() for name in state if "." in name)


def _states(value: Any, place: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], State]]:
    """Every set of weights with where it is: a state dict, or a tree of dictionaries and lists of tensors alone."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list | tuple) and len(value) <= _DEEPEST:
        for number, entry in enumerate(value):
            if isinstance(entry, Mapping):
                yield from _states(entry, (*place, str(number)), depth + 1)
    if not isinstance(value, Mapping) or not value or {"state", "param_groups"} <= value.keys():
        return  # The latter is an optimizer's, whose moments are no network.
    if is_state_dict(value):
        yield place, {str(name): x for name, x in value.items()}
        return
    named = {str(name): x for name, x in value.items() if isinstance(x, Mapping | list | tuple)}
    inside = [found for name, x in named.items() for found in _states(x, (*place, name), depth + 1)]
    wanted = [found for found in inside if _rank(found[0]) < len(STATES)]
    tree = dict(_leaves(value, "", 0))
    whole = tree and all(isinstance(x, torch.Tensor) for x in tree.values())
    if not wanted and whole and not _are_networks(list(value.values())):
        yield place, tree
        return
    direct = {str(name): x for name, x in value.items() if isinstance(x, torch.Tensor) and x.is_floating_point()}
    if not wanted and sum(x.ndim >= 2 for x in direct.values()) >= _FEWEST_MATRICES:
        yield place, direct
        return
    yield from inside


def _are_networks(entries: list[Any]) -> bool:
    """Whether these are several networks of one kind, and not the parts of one."""
    alike = len(entries) > 1 and all(is_state_dict(x) and x.keys() == entries[0].keys() for x in entries)
    return alike and sum(x.ndim >= 2 for x in entries[0].values()) >= _FEWEST_MATRICES


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    entries = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, entry in entries:
        inner = f"{name}.{key}" if name else str(key)
        if isinstance(entry, Mapping | list | tuple) and depth < 2 * _DEEPEST:
            yield from _leaves(entry, inner, depth + 1)
        else:
            yield inner, entry


def _rank(place: tuple[str, ...]) -> int:
    """How likely the weights at `place` are those of the network: the lower, the likelier."""
    names = [name.lower() for name in place if not name.isdigit()]
    if any(name.startswith(_OTHERS) for name in names):
        return len(STATES) + 2
    known = [STATES.index(name) for name in names if name in STATES]
    return min(known, default=0 if not names else len(STATES))


def _size(state: State) -> int:
    return sum(x.numel() for x in state.values())
