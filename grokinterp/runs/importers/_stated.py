"""Training settings as files state them: an optimizer's own record first, then settings by their usual names."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from grokinterp.runs._stated import StatedTraining

# Ours → theirs, the first that is there and a number wins. A scheduler keeps the rate it began with as initial_lr; lr
# is then the last one, after its decay.
_OF_OPTIMIZER = {
    "learning_rate": ("initial_lr", "lr", "learning_rate"),
    "weight_decay": ("weight_decay",),
    "beta1": ("beta1",),
    "beta2": ("beta2",),
    "epsilon": ("eps", "epsilon"),
}
_OF_SETTINGS = {
    "learning_rate": ("lr", "learning_rate"),
    "weight_decay": ("weight_decay", "wd"),
    "beta1": ("beta1", "adam_beta1"),
    "beta2": ("beta2", "adam_beta2"),
    "epsilon": ("eps", "epsilon", "adam_epsilon"),
    "warmup_steps": ("warmup_steps", "warm_up_steps", "num_warmup_steps"),
    "evaluate_every": ("evaluate_every", "eval_every"),
    "checkpoint_every": ("checkpoint_every", "save_every"),
    "seed": ("seed", "random_seed"),
}
# All names of settings of a training that are read where a file has them.
NAMES = frozenset({"betas", "optimizer"} | {theirs for names in _OF_SETTINGS.values() for theirs in names})
_WHOLE = ("warmup_steps", "evaluate_every", "checkpoint_every", "seed")
# A file's words are kept as they are, but no longer than a name.
_LONGEST = 80


def stated_training(
    steps: int | None,
    settings: Mapping[str, Any] | None = None,
    optimizer: Mapping[str, Any] | None = None,
) -> StatedTraining:
    """The training as a file states it.

    `optimizer` is the state dict of one, with its `param_groups`, or the settings in it by their names or ours. What it
    holds is what was done, so it goes before `settings`: the configuration of one released file says another weight
    decay. Values that are no numbers in range are unknown, like those that are absent: how a network was trained does
    not change what it is.

    >>> stated_training(20, {"lr": 1e-3, "betas": [0.9, 0.98]}, {"param_groups": [{"weight_decay": 0.1}]}).weight_decay
    0.1
    """
    found: dict[str, Any] = {}
    for said, names in ((_group(optimizer), _OF_OPTIMIZER), (settings or {}, _OF_SETTINGS)):
        pair = _pair(said.get("betas"))
        of_betas: dict[str, Any] = {} if pair is None else dict(zip(("beta1", "beta2"), pair, strict=True))
        for ours, theirs in names.items():
            values = [_number(said.get(name)) for name in theirs]
            of_betas |= {ours: next((value for value in values if value is not None), of_betas.get(ours))}
        found = of_betas | {name: value for name, value in found.items() if value is not None}
    for name in _WHOLE:
        found[name] = _whole(found.get(name))
    called = (settings or {}).get("optimizer")
    name = called if isinstance(called, str) and 0 < len(called) <= _LONGEST else None
    return StatedTraining(steps=steps, optimizer=name, **{key: _in_range(key, x) for key, x in found.items()})


def _group(optimizer: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The first group of an optimizer, which has all parameters of the networks that are read here."""
    if not isinstance(optimizer, Mapping):
        return {}
    groups = optimizer.get("param_groups")
    if groups is None:
        return optimizer
    first = groups[0] if isinstance(groups, Sequence) and groups else None
    return first if isinstance(first, Mapping) else {}


def _pair(value: Any) -> tuple[float, float] | None:
    if isinstance(value, torch.Tensor | np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    first, second = map(_number, value)
    return None if first is None or second is None else (first, second)


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        value = value.item() if np.size(value) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # Whole numbers of any length come from JSON and pickles.
        return None
    return number if math.isfinite(number) else None


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and value.is_integer() else None


def _in_range(name: str, value: Any) -> Any:
    """The value, or None where no optimizer has it."""
    if value is None:
        return None
    low = 1 if name in ("evaluate_every", "checkpoint_every") else 0
    high = 1.0 if name in ("beta1", "beta2") else 2**63 - 1 if name in _WHOLE else math.inf
    return value if low <= value <= high else None
