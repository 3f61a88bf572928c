"""Losses and accuracies that a file states, under the many names that people give them."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ._content import MOST_NUMBERS

_SPLITS = {"train": "train", "training": "train", "tr": "train"} | dict.fromkeys(
    ("test", "val", "valid", "validation", "eval", "te", "heldout"), "test"
)
_QUANTITIES = dict.fromkeys(("loss", "losses", "ce", "xent"), "loss") | dict.fromkeys(
    ("acc", "accs", "accuracy", "accuracies"), "accuracy"
)
# Words that may stand beside these without changing what is meant; "best" or "target" would.
_FILLERS = {
    "final", "last", "current", "history", "hist", "curve", "log", "logs", "list", "values", "per", "epoch", "step",
    "metrics", "results", "stats", "all",
}  # fmt: skip
_PERCENT = {"percent", "percentage", "pct", "perc"}
_FILLERS |= _PERCENT
# A share that is more than 1 by more than rounding is one in percent.
_MOST_ROUNDED = 1.001
_TIMES = {"epoch", "epochs", "step", "steps", "iteration", "iterations", "iter", "iters"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_DEEPEST = 4

Series = dict[str, tuple[float, ...]]


def told(content: Mapping[str, Any], skipped: Collection[str]) -> tuple[Series, dict[str, float], set[str]]:
    """The lists and the numbers that `content` states, and the names of the entries they stand in.

    Both are by `train_loss`, `test_loss`, `train_accuracy` and `test_accuracy`; a list of the steps they were taken at
    is under `step`. A list's last number is the number where no other is stated; accuracies in percent are divided.

    >>> told({"trainLoss": [2.0, 0.5], "val_acc": 97.5, "best_loss": 0.1}, ())[:2]
    ({'train_loss': (2.0, 0.5)}, {'test_accuracy': 0.975, 'train_loss': 0.5})
    """
    series: Series = {}
    stated: dict[str, float] = {}
    read: set[str] = set()
    for top, value in content.items():
        if top in skipped:
            continue
        for words, found in _numbers(value, _words(top), 0):
            name = _named(words, len(found) > 1 or not _are_numbers((value,)))
            if name is None or not found:
                continue
            read.add(top)
            if name.endswith("accuracy") and (max(found) > _MOST_ROUNDED or _PERCENT & set(words)):
                found = tuple(x / 100 for x in found)
            if len(found) == 1:
                stated.setdefault(name, found[0])
            else:
                series.setdefault(name, found)
    for name, found in series.items():
        if name != "step" and math.isfinite(found[-1]):
            stated.setdefault(name, found[-1])
    return series, stated, read


def _words(name: Any) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(str(name)))


def _named(words: tuple[str, ...], is_list: bool) -> str | None:
    """What the numbers under these words are, None where that is not sure."""
    splits = {_SPLITS[word] for word in words if word in _SPLITS}
    quantities = {_QUANTITIES[word] for word in words if word in _QUANTITIES}
    others = {word for word in words if word not in _SPLITS and word not in _QUANTITIES} - _FILLERS
    if len(splits) == 1 and len(quantities) == 1 and not others:
        return f"{splits.pop()}_{quantities.pop()}"
    if is_list and words and words[-1] in _TIMES and not (set(words) - _TIMES - _FILLERS - {"eval", "logged"}):
        return "step"
    return None


def _numbers(value: Any, words: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], tuple[float, ...]]]:
    """Numbers and lists of numbers in `value`, each with the words of the names that lead to it."""
    if isinstance(value, torch.Tensor | np.ndarray):
        if value.ndim > 2 or (value.ndim == 2 and min(value.shape) > 1):
            return
        if math.prod(value.shape) > MOST_NUMBERS:
            return
        value = value.reshape(-1).tolist()
    if _are_numbers((value,)):
        yield words, (float(value),)
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for name, inner in value.items():
            yield from _numbers(inner, (*words, *_words(name)), depth + 1)
    elif isinstance(value, list | tuple) and value:
        if all(isinstance(row, Mapping) for row in value):
            if len(value) * len(value[0]) > MOST_NUMBERS:
                return
            columns = {name: [row.get(name) for row in value] for name in value[0]}
            yield from _numbers(columns, words, depth + 1)
            return
        entries = _plain(value)
        if _are_numbers(entries):
            yield words, tuple(float(entry) for entry in entries)


# A list has up to a million entries: no function is called for each.


def _plain(values: Sequence[Any]) -> list[Any]:
    """The entries, those that were kept as a tensor or a list of one number as that number."""
    held = [
        value.reshape(-1).tolist()
        if isinstance(value, torch.Tensor | np.ndarray) and value.shape in ((), (1,))
        else value
        for value in values
    ]
    return [value[0] if isinstance(value, list) and len(value) == 1 else value for value in held]


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 for value in values
    )
