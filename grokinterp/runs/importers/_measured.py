"""What an import read, measured, and compared with what the file states of its network.

A network at chance was most likely read in another way than it was trained, so other readings are tried (`_readings`):
where one of them answers, or gives the numbers that the file states, the network is read in that way, and it is said.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task, TaskConfig
from grokinterp.wording import listed, number, percent

from ._layout import Asked, Found, settled_by
from ._modulus import better_modulus, is_open
from ._plain import plain_logits
from ._readings import (
    ENOUGH,
    STANDARD_ERRORS,
    Reading,
    Trial,
    Tried,
    alternatives,
    best_readings,
    chosen_of,
    is_far,
    is_same,
)

# Files keep losses of the state before their last step, which differ a little from those of the weights they hold.
TOLERANCE = 0.02
# Losses below this are right or wrong together: in float32 they are rounding.
_NEGLIGIBLE = 1e-6
# Accuracies are stated in rounded percent, and for the state before the last step.
_ACCURACY = 0.01
# Up to so many pairs all are measured, else so many that are drawn with seed 0.
_MOST_MEASURED = 65_536
# A reading is worth a hint to a network that answers already if its loss is so much lower.
_MUCH_BETTER = 0.5
# Layouts of one published code, which has one order of the tokens and one architecture, and files that say the task.
_SETTLED_LAYOUTS = ("chughtai", "pizza")

Again = Callable[[Asked], Found]


@dataclass(frozen=True)
class Examined:
    """An import with what was measured of it.

    - `found`: as it was read in the end; `record`: what goes into `run.json`: `measured`, `stated` and `warnings`.
    """

    found: Found
    record: dict[str, Any]


def examined(found: Found, asked: Asked, again: Again) -> Examined:
    """What the last checkpoint does on its pairs, in the reading that fits best; `again` reads the file in another."""
    weights = _last(found)
    measured = measure(found, weights)
    modulus = None
    if measured.accuracy < ENOUGH and is_open(found):
        modulus = better_modulus(found, weights, measured.accuracy)
        if modulus is not None and modulus.answers and modulus.in_place:
            asked = replace(asked, task={**asked.task, "p": modulus.p})
            return _with_note(
                examined(again(asked), asked, again), modulus.note(Task(found.task).name, measured.accuracy)
            )
    said = found.stated or (found.said.stated if found.said else {})
    stated = {name: float(value) for name, value in said.items() if math.isfinite(value)}
    agrees = agreement(measured, stated, found.task)
    at_chance = not is_far(measured.accuracy, measured.guess, measured.pairs)
    warnings: list[str] = []
    if agrees is False or (at_chance and agrees is None):
        found, measured, agrees, warnings = _read_better(found, weights, measured, stated, agrees, asked, again)
    elif not at_chance and agrees is None:
        warnings = _hints(found, weights, asked)
    if agrees is False and not warnings:
        warnings = [_differs(measured, stated)]
    if modulus is not None:
        warnings = [modulus.warning(measured.accuracy), *warnings]
    record: dict[str, Any] = {"measured": measured.record(None if not found.step_is_known else found.training.steps)}
    if stated:
        record["stated"] = {**stated, "agrees": agrees, "tolerance": TOLERANCE}
    return Examined(found, {**record, "warnings": warnings})


def _with_note(one: Examined, note: str) -> Examined:
    return replace(one, found=replace(one.found, notes=(*one.found.notes, note)))


@dataclass(frozen=True, eq=False)
class Measured:
    """Accuracy and loss of one checkpoint, over all of the network's outputs, in float64 from float32 logits.

    - `losses`, `right`: of every pair that was measured; `train`, `test`: which of them these are, None where unknown.
    - `guess`: the share that the commonest answer alone would get right; `sampled_from`: of how many, if not all.
    """

    losses: Float[np.ndarray, " pair"]
    right: np.ndarray
    train: np.ndarray | None
    test: np.ndarray | None
    guess: float
    sampled_from: int | None

    @property
    def pairs(self) -> int:
        return len(self.losses)

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    def of(self, data: str) -> dict[str, float] | None:
        chosen = np.arange(self.pairs) if data == "all" else self.train if data == "train" else self.test
        if chosen is None or not len(chosen):
            return None
        return {"loss": float(self.losses[chosen].mean()), "accuracy": float(self.right[chosen].mean())}

    def record(self, step: int | None) -> dict[str, Any]:
        """What run.json keeps; losses that are not finite are null there."""
        parts = {data: self.of(data) for data in ("all", "train", "test")}
        finite = {
            data: part and {name: x if math.isfinite(x) else None for name, x in part.items()}
            for data, part in parts.items()
        }
        drawn = {} if self.sampled_from is None else {"sampled_from": self.sampled_from}
        return {"step": step, "pairs": self.pairs, **drawn, **finite}


def measure(found: Found, weights: Tensors) -> Measured:
    """The network on all of its pairs; on 65,536 drawn with seed 0 where there are more."""
    task = Task(found.task)
    answers = task.answers
    if task.n_pairs <= _MOST_MEASURED:
        chosen = np.arange(task.n_pairs)
    else:
        chosen = np.sort(np.random.default_rng(0).choice(task.n_pairs, _MOST_MEASURED, replace=False))
    logits = plain_logits(found.model, task, weights, task.tokens[torch.from_numpy(chosen)])
    wanted = torch.from_numpy(answers[chosen])
    losses = torch.nn.functional.cross_entropy(logits.double(), wanted, reduction="none").numpy()
    right = (logits.argmax(dim=1) == wanted).numpy()
    train = test = None
    if task.split_is_known:
        is_train = task.split.train_mask[chosen]
        train, test = np.flatnonzero(is_train), np.flatnonzero(~is_train)
    guess = float(np.bincount(answers).max() / task.n_pairs)
    return Measured(losses, right, train, test, guess, None if len(chosen) == task.n_pairs else task.n_pairs)


def agreement(measured: Measured, stated: Mapping[str, float], task: TaskConfig) -> bool | None:
    """Whether the file's own numbers are those that were measured; None where there is nothing to compare.

    Losses to 2 % (files keep those of the state before their last step) or 10⁻⁶, accuracies to .01. Where the split is
    unknown, the loss of all pairs lies between those of train and test pairs, and is another if it does not.
    """
    compared = []
    for data in ("all", "train", "test"):
        found = measured.of(data) if data == "all" or task.split_scheme != "unknown" else None
        for kind in ("loss", "accuracy"):
            says = stated.get(f"{data}_{kind}")
            if found is not None and says is not None and math.isfinite(says):
                compared.append(_alike(found[kind], says, kind))
    if compared:
        return all(compared)
    for kind in ("loss", "accuracy"):
        both = [stated[name] for name in (f"train_{kind}", f"test_{kind}") if name in stated]
        value = (measured.of("all") or {})[kind]
        if len(both) == 2 and not (min(both) <= value <= max(both) or any(_alike(value, says, kind) for says in both)):
            return False
        # Test pairs are answered no better than train pairs, so no better than all.
        of_test = stated.get(f"test_{kind}")
        is_worse = of_test is not None and (value < of_test if kind == "accuracy" else value > of_test)
        if len(both) == 1 and of_test is not None and is_worse and not _alike(value, of_test, kind):
            return False
    return None


def _alike(value: float, says: float, kind: str) -> bool:
    if not math.isfinite(value):
        return False
    if kind == "accuracy":
        return abs(value - says) <= _ACCURACY
    return abs(value - says) <= max(TOLERANCE * abs(says), _NEGLIGIBLE)


def _last(found: Found) -> Tensors:
    """The weights of the last checkpoint, the others of which are read and dropped one by one."""
    if found.last is not None:
        return found.last()
    last: Tensors = {}
    for _, weights in found.checkpoints():
        last = weights
    return last


def _settled(found: Found, asked: Asked) -> set[str]:
    """The settings that the user or the file's own words leave no question about."""
    settled = {f"task.{name}" for name in asked.task} | {f"model.{name}" for name in asked.model}
    return settled | found.settled | settled_by(found.said.config if found.said else {})


def _open_readings(found: Found, asked: Asked) -> tuple[list[Reading], list[Reading]]:
    """The readings that nothing settles, and those that the user's or the file's words exclude."""
    every = alternatives(found.task, found.model)
    if found.layout in _SETTLED_LAYOUTS:
        return [], every
    settled = _settled(found, asked)
    return (
        [reading for reading in every if not reading.settings.keys() & settled],
        [reading for reading in every if reading.settings.keys() & settled],
    )


def _read_better(
    found: Found,
    weights: Tensors,
    measured: Measured,
    stated: Mapping[str, float],
    agrees: bool | None,
    asked: Asked,
    again: Again,
) -> tuple[Found, Measured, bool | None, list[str]]:
    """The import in the reading that gives the file's numbers, or that answers; else as it is, with warnings."""
    free, settled = _open_readings(found, asked)
    trial = Trial(found.task, found.model, weights)
    choice = chosen_of(best_readings(trial, free)) if free else chosen_of([])
    if agrees is False:
        one, other, then = _that_agrees(choice.fitting, stated, asked, again)
    else:
        one, other, then = choice.chosen, None, None
    if one is not None and one.reading.settings:
        if other is None or then is None:
            other, then = _read_as(one.reading, asked, again)
        now = agreement(then, stated, other.task)
        note = _chosen_note(one.reading, then, measured, found, now)
        rivals = [rival for rival in choice.fitting if rival is not one and not is_same(rival, one)]
        return replace(other, notes=(*other.notes, note)), then, now, [_also_fit(rivals)] if rivals else []
    at_chance = not is_far(measured.accuracy, measured.guess, measured.pairs)
    warnings = [_at_chance(found, measured)] if at_chance else []
    if agrees is False:
        warnings.append(_differs(measured, stated))
    fitting = tuple(one for one in choice.fitting if one.reading.settings)
    if fitting and at_chance:
        warnings.append(f"These readings answer: {_each(fitting)}. Choose one, since nothing tells which is right.")
    elif not fitting:
        warnings += _against_what_is_said(trial, settled)
    return found, measured, agrees, warnings


def _that_agrees(
    fitting: tuple[Tried, ...], stated: Mapping[str, float], asked: Asked, again: Again
) -> tuple[Tried, Found, Measured] | tuple[None, None, None]:
    """The reading that gives the numbers of the file; none where several do that are not the same."""
    reads = [(one, *_read_as(one.reading, asked, again)) for one in fitting if one.reading.settings]
    reads = [entry for entry in reads if agreement(entry[2], stated, entry[1].task)]
    reads.sort(key=lambda entry: _distance(entry[2], stated))
    if not reads:
        return None, None, None
    first, *others = reads
    apart = [other for other in others if not is_same(other[0], first[0])]
    if any(_distance(other[2], stated) < 3 * _distance(first[2], stated) for other in apart):
        return None, None, None
    return first


def _distance(measured: Measured, stated: Mapping[str, float]) -> float:
    """How far the measured losses and accuracies are from those of the file, the largest difference."""
    apart = [0.0]
    for name, says in stated.items():
        data, _, kind = name.partition("_")
        if found := measured.of(data):
            apart.append(abs(found[kind] - says) / (1.0 if kind == "accuracy" else max(abs(says), _NEGLIGIBLE)))
    return max(apart)


def _read_as(reading: Reading, asked: Asked, again: Again) -> tuple[Found, Measured]:
    other = again(replace(asked, task={**asked.task, **reading.task}, model={**asked.model, **reading.model}))
    return other, measure(other, _last(other))


def _chosen_note(reading: Reading, then: Measured, before: Measured, found: Found, agrees: bool | None) -> str:
    stated = " and has the losses that the file states" if agrees else ""
    return (
        f"Read {reading}: so it answers {percent(then.accuracy)} of the pairs (loss {number(_loss(then))}){stated}; "
        f"{_as_it_was(found)} it answers {percent(before.accuracy)} (loss {number(_loss(before))}). "
        f"The same by hand: {reading.options}."
    )


def _as_it_was(found: Found) -> str:
    task = Task(found.task)
    return f"as {task.name}, reading [{', '.join(task.positions)}] with {found.model.act_fn}"


def _loss(measured: Measured) -> float:
    return float(measured.losses.mean())


def _also_fit(rivals: list[Tried]) -> str:
    return f"Other readings answer half as much or more, with more loss: {_each(rivals)}."


def _each(tried: Any) -> str:
    return listed(
        [
            f"{one.reading} {percent(one.accuracy)} of the pairs with loss {number(one.loss)} ({one.reading.options})"
            for one in list(tried)[:6]
        ]
    )


def _at_chance(found: Found, measured: Measured) -> str:
    """The likely reasons, with what the user can try."""
    if found.step_is_known and found.training.steps == 0:
        return (
            f"At step 0 the network answers {percent(measured.accuracy)} of the pairs, no more than guessing "
            f"({percent(measured.guess)}): if it is no initial network, its step or its reading is wrong."
        )
    transformer = found.model.architecture == "transformer"
    tries = ["--set task.operation=subtract"]
    reasons = ["another operation"]
    if transformer:
        tries += ["--set task.equals_first=true", "--set model.normalization=LNPre"]
        reasons += ["another order of the tokens, such as (b, a, =) or `=` first", "a normalization"]
        if found.model.n_layers > 1:
            tries.append("--set model.attention=bidirectional")
            reasons.append("bidirectional attention")
    tries.append(f"--set model.act_fn={'gelu' if found.model.act_fn == 'relu' else 'relu'}")
    reasons.append("another activation")
    if "task.p" in found.assumed:
        reasons.append("a smaller modulus, where some tokens are never used")
        tries.append(f"--set task.p={max(2, found.task.p - 1)}")
    if any("Square matrices" in note for note in found.notes):
        reasons.append("square matrices that are kept the other way round")
    return (
        f"The network answers {percent(measured.accuracy)} of the pairs, {_how_much_more(measured)} than guessing "
        f"({percent(measured.guess)}): it has not learned the task, or it was read in another way than it was trained. "
        f"Likely reasons: {listed(reasons)}. Try {', '.join(tries)}."
    )


def _how_much_more(measured: Measured) -> str:
    error = math.sqrt(measured.guess * (1 - measured.guess) / measured.pairs)
    return "no more" if measured.accuracy <= measured.guess + STANDARD_ERRORS * error else "little more"


def _differs(measured: Measured, stated: Mapping[str, float]) -> str:
    parts = []
    for name, says in stated.items():
        data, _, kind = name.partition("_")
        found = measured.of(data) or measured.of("all")
        form = percent if kind == "accuracy" else number
        if found is not None and kind in found and not _alike(found[kind], says, kind):
            which = f"the {data}" if measured.of(data) and data != "all" else "all"
            parts.append(f"{data} {kind} {form(says)} (measured on {which} pairs: {form(found[kind])})")
    return (
        f"The file states {listed(parts)}: the numbers are of another checkpoint or another split, or the network was "
        "read in another way than it was trained."
    )


def _against_what_is_said(trial: Trial, settled: list[Reading]) -> list[str]:
    """What would answer although the user or the file says otherwise: never chosen, but worth knowing."""
    choice = chosen_of(trial.singles(settled)) if settled else chosen_of([])
    fitting = [one for one in choice.fitting if one.reading.settings]
    if choice.chosen is not None and choice.chosen.accuracy >= ENOUGH:
        # Operations that have some answers in common with the right one.
        fitting = [one for one in fitting if one.accuracy >= ENOUGH]
    return [f"Against what the file or --set says: {_each(fitting)}."] if fitting else []


def _hints(found: Found, weights: Tensors, asked: Asked) -> list[str]:
    """Of a network that answers as it was read: whether another reading that nothing excludes fits much better."""
    free, _ = _open_readings(found, asked)
    if not free:
        return []
    default, *others = Trial(found.task, found.model, weights).singles(free)
    better = [
        one
        for one in others
        if is_far(one.accuracy, one.guess, one.pairs)
        and one.accuracy >= default.accuracy
        and one.loss <= _MUCH_BETTER * default.loss
        and default.loss > _NEGLIGIBLE
    ]
    if not better:
        return []
    best = min(better, key=lambda one: one.loss)
    return [
        f"As it is read it answers {percent(default.accuracy)} of the pairs with loss {number(default.loss)}; "
        f"{_each([best])}. Nothing in the file says which is right."
    ]
