"""Other readings of the same weights: what a file does not say of a network, tried on its pairs.

A reading is a change of settings under which the weights keep their names and shapes: another order of the tokens,
operation, activation, normalization, scale or direction of attention, MLP beside attention. One that is right is far
above chance, since chance does not answer pairs: `is_far` and `chosen_of` are the rule, and a test gives the rate at
which random networks pass it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.models import ACTIVATIONS, ModelConfig, weight_shapes
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import ABSENT, MODULAR, Task, TaskConfig, operation_table

from ._plain import plain_logits

# Pairs that a reading is tried on, drawn with seed 0: enough that chance is told from .1 more by 5 standard errors.
MOST_PAIRS = 2000
STANDARD_ERRORS = 5.0
MARGIN = 0.1
ENOUGH = 0.9
# How close the logits of two readings are, over their largest, to be the same reading in other words.
_SAME = 1e-3


@dataclass(frozen=True)
class Reading:
    """Settings that a network can be read with in place of those that it was read with, and how a reader says it."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    @property
    def task(self) -> dict[str, Any]:
        return {name.removeprefix("task."): x for name, x in self.settings.items() if name.startswith("task.")}

    @property
    def model(self) -> dict[str, Any]:
        return {name.removeprefix("model."): x for name, x in self.settings.items() if name.startswith("model.")}

    @property
    def options(self) -> str:
        """How the user asks for it."""
        written = {True: "true", False: "false", None: "null"}
        return " ".join(f"--set {name}={written.get(x, x)}" for name, x in self.settings.items())

    def __str__(self) -> str:
        return " and ".join(self.words) or "as it was read"

    def __add__(self, other: "Reading") -> "Reading":
        return Reading({**self.settings, **other.settings}, (*self.words, *other.words))


@dataclass(frozen=True, eq=False)
class Tried:
    """A reading on some pairs: the share that it answers, its loss over the network's outputs, the share that the
    commonest answer alone would give, how many pairs, and the logits of the answers."""

    reading: Reading
    accuracy: float
    loss: float
    guess: float
    pairs: int
    logits: Float[np.ndarray, "pair answer"]


def is_far(accuracy: float, guess: float, pairs: int) -> bool:
    """Whether an accuracy is far above what guessing gives: by .1, by five standard errors, and four times as high.

    Operations that are polynomials of degree 3 and less agree with each other on up to three pairs of p, so that a
    network that has learned one of them answers as much of another: four times the guess, or 90 %, is more.

    >>> is_far(0.15, guess=1 / 113, pairs=2000), is_far(0.35, guess=1 / 7, pairs=49)
    (True, False)
    """
    by_chance = guess + max(MARGIN, STANDARD_ERRORS * math.sqrt(guess * (1 - guess) / pairs))
    return accuracy >= max(by_chance, min(4 * guess, ENOUGH))


def alternatives(task: TaskConfig, model: ModelConfig) -> list[Reading]:
    """Readings that differ from this one in one thing, none of which the names and shapes of the weights rule out."""
    found = []
    if task.operation in MODULAR:
        found += [_reading("task.operation", name, f"as {name}") for name in MODULAR if name != task.operation]
    if not task.own_tokens_for_b:
        found.append(
            _reading("task.b_first", not task.b_first, "with a before b" if task.b_first else "with b before a")
        )
    if model.architecture != "transformer":
        return found + _activations(model)
    if task.equals_token:
        where = "with `=` last" if task.equals_first else "with `=` first"
        found.append(_reading("task.equals_first", not task.equals_first, where))
    found += _activations(model)
    without_weights = ("none", "LNPre", "RMSPre")
    if model.normalization in without_weights:
        found += [
            _reading("model.normalization", name, f"with normalization {name}")
            for name in without_weights
            if name != model.normalization
        ]
    if model.n_layers > 1:
        other = "causal" if model.attention == "bidirectional" else "bidirectional"
        found.append(_reading("model.attention", other, f"with {other} attention"))
    if model.attn_scale in (None, 1.0):
        scale = 1.0 if model.attn_scale is None else None
        words = "with attention scores divided by " + ("√d_head" if scale is None else "1")
        found.append(_reading("model.attn_scale", scale, words))
    if not model.parallel_attn_mlp:
        found.append(_reading("model.parallel_attn_mlp", True, "with attention and MLP in parallel"))
    return found


def _reading(name: str, value: Any, words: str) -> Reading:
    return Reading({name: value}, (words,))


def _activations(model: ModelConfig) -> list[Reading]:
    return [_reading("model.act_fn", name, f"with {name}") for name in ACTIVATIONS if name != model.act_fn]


class Trial:
    """The weights of one checkpoint, tried in one reading after the other on the same pairs."""

    def __init__(self, task: TaskConfig, model: ModelConfig, weights: Tensors) -> None:
        self.task, self.model, self.weights = task.without_split(), model, weights
        whole = Task(self.task)
        self._table, self._n_answers = whole.table, whole.n_answers
        rows, columns = whole.table.shape
        every = np.arange(rows * columns)
        if len(every) > MOST_PAIRS:
            every = np.sort(np.random.default_rng(0).choice(len(every), MOST_PAIRS, replace=False))
        self._first, self._second = every // columns, every % columns
        self._logits: dict[str, torch.Tensor | None] = {}

    def of(self, readings: list[Reading]) -> list[Tried]:
        """Those of `readings` that these weights can be read with, and that are not the same in other words."""
        seen: set[tuple[str, bytes]] = set()
        found = []
        for reading in readings:
            logits, answers = self._logits_in(reading), self._answers(reading)
            place = (self._forward_of(reading), answers.tobytes())
            if logits is None or place in seen or not (answers != ABSENT).any():
                continue
            seen.add(place)
            found.append(self._tried(reading, logits, answers))
        return found

    def singles(self, allowed: list[Reading]) -> list[Tried]:
        return self.of([Reading(), *allowed])

    def doubles(self, allowed: list[Reading]) -> list[Tried]:
        pairs = (one + other for one, other in combinations(allowed, 2) if not one.settings.keys() & other.settings)
        return self.of([Reading(), *allowed, *pairs])

    def _tried(self, reading: Reading, logits: torch.Tensor, answers: Int[np.ndarray, " pair"]) -> Tried:
        inside: Bool[np.ndarray, " pair"] = answers != ABSENT
        kept, wanted = logits[torch.from_numpy(inside)], torch.from_numpy(answers[inside])
        loss = torch.nn.functional.cross_entropy(kept.double(), wanted).item()
        right = (kept[:, : self._n_answers].argmax(dim=1) == wanted).double().mean().item()
        guess = np.bincount(answers[inside]).max() / inside.sum()
        return Tried(reading, right, loss, float(guess), int(inside.sum()), logits[:, : self._n_answers].numpy())

    def _answers(self, reading: Reading) -> Int[np.ndarray, " pair"]:
        """What the pairs' answers are, of the tokens at the first and the second place of the pair."""
        operation, of_task = reading.task.get("operation"), self.task
        table = self._table if operation is None else operation_table(operation, of_task.p)
        if reading.task.get("b_first", of_task.b_first) and table.shape[0] == table.shape[1]:
            table = table.T
        return table[self._first, self._second]

    @staticmethod
    def _forward_of(reading: Reading) -> str:
        """What the logits depend on: the operation and the pair's names only say what is right."""
        settings = {k: x for k, x in reading.settings.items() if k not in ("task.operation", "task.b_first")}
        return repr(sorted(settings.items(), key=str))

    def _logits_in(self, reading: Reading) -> torch.Tensor | None:
        key = self._forward_of(reading)
        if key not in self._logits:
            self._logits[key] = self._forward(reading)
        return self._logits[key]

    def _forward(self, reading: Reading) -> torch.Tensor | None:
        changed = {name: x for name, x in reading.task.items() if name == "equals_first"}
        try:
            task = Task(self.task.model_copy(update=changed))
            model = ModelConfig(**{**self.model.model_dump(), **reading.model})
            shapes = weight_shapes(model, task)
        except GrokinterpError:
            return None
        if shapes != {name: tuple(tensor.shape) for name, tensor in self.weights.items()}:
            return None
        logits = plain_logits(model, task, self.weights, self._tokens(task))
        return logits if bool(torch.isfinite(logits).all()) else None

    def _tokens(self, task: Task) -> Int[torch.Tensor, "pair pos"]:
        """The chosen pairs' tokens, those of pairs outside the operation's domain, which another has, too."""
        columns = []
        symbols = iter((self._first, self._second))
        for name in task.positions:
            if name in "ab":
                shift = task.n_symbols if name == "b" and task.config.own_tokens_for_b else 0
                columns.append(next(symbols) + shift)
            else:
                columns.append(np.full(len(self._first), task.equals_token + (name == "operator")))
        return torch.from_numpy(np.stack(columns, axis=1))


@dataclass(frozen=True, eq=False)
class Choice:
    """What trying gave: the one reading that answers, or several that do, none of which is clearly better."""

    chosen: Tried | None
    fitting: tuple[Tried, ...]


def chosen_of(tried: list[Tried]) -> Choice:
    """The reading that answers far more pairs than chance, and at least twice as many as any other.

    Where others answer half as many or more, the best one is chosen only if its loss is at most half of theirs, or if
    they give the same logits. Of equal readings the one with the fewest changes comes first in `tried`.
    """
    far = [one for one in tried if is_far(one.accuracy, one.guess, one.pairs)]
    if not far:
        return Choice(None, ())
    best = max(far, key=lambda one: (one.accuracy, -one.loss))
    rivals = [one for one in far if one is not best and one.accuracy >= best.accuracy / 2 and not is_same(one, best)]
    if all(one.loss >= 2 * best.loss for one in rivals):
        return Choice(best, (best, *rivals))
    return Choice(None, (best, *rivals))


def is_same(one: Tried, other: Tried) -> bool:
    """Whether two readings of the same tokens and operation give the same logits."""
    if one.reading.task != other.reading.task:
        return False
    apart = np.abs(one.logits - other.logits).max()
    return bool(apart <= _SAME * np.abs(other.logits).max())


def best_readings(trial: Trial, allowed: list[Reading]) -> list[Tried]:
    """What trying gives: readings with one change, and those with two where none with one answers 90 %."""
    tried = trial.singles(allowed)
    return tried if max(one.accuracy for one in tried) >= ENOUGH else trial.doubles(allowed)
