"""How far a network is: the one classification that finding, verdict, `watch`, comparison and pages share.

Its rules and bounds are on one page, docs/how-far.md. A network is judged by the share of its train pairs and of the
unseen pairs that it answers right; where its split is unknown, by the share of all pairs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, Snapshot
from grokinterp.tasks import Task
from grokinterp.wording import percent

from ._losses import answers_given, share_right

Stage = Literal[
    "untrained",
    "memorising",
    "memorised",
    "generalising",
    "nearly generalised",
    "generalised",
    "lost",
    "partly learned",
    "learned",
    "diverged",
]


@dataclass(frozen=True)
class Threshold:
    """A bound, what reaching it says, and why it lies there."""

    sign: Literal["≥", "≤"]
    bound: float
    says: str
    why: str

    def holds(self, value: float) -> bool:
        """Whether `value` reaches the bound; NaN does not."""
        return value >= self.bound if self.sign == "≥" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


HOW_FAR_THRESHOLDS: dict[str, Threshold] = {
    "chance": Threshold("≤", 3.0, "answers no better than guessing", "in standard errors of as many guesses"),
    "knows_train": Threshold("≥", 0.99, "knows its train pairs", "one pair in a hundred may be wrong"),
    "few_unseen": Threshold(
        "≤", 0.45, "does not answer pairs it has not seen", "memory alone answers mirror images (b, a) of train pairs"
    ),
    "nearly": Threshold("≥", 0.9, "answers most pairs it has not seen", "nine in ten"),
    "generalises": Threshold("≥", 0.99, "answers pairs it has not seen", "as the accuracy at which a run has grokked"),
}


@dataclass(frozen=True)
class StageWords:
    """What a sentence says of a network at a stage, and the verdict's label; None where an account decides."""

    predicate: str
    label: str | None


STAGES: dict[Stage, StageWords] = {
    "untrained": StageWords("answers no better than guessing", "not generalised"),
    "memorising": StageWords("is memorising its training pairs", "not generalised"),
    "memorised": StageWords("has memorised its training pairs and not generalised", "memorised"),
    "generalising": StageWords("generalises in part", "not generalised"),
    "nearly generalised": StageWords("has nearly generalised", "not generalised"),
    "generalised": StageWords("has generalised", None),
    "lost": StageWords("has lost what it had learned", "not generalised"),
    "partly learned": StageWords("has learned part of its task", "not generalised"),
    "learned": StageWords("has learned its task", None),
    "diverged": StageWords("has diverged", "not generalised"),
}


@dataclass(frozen=True)
class Before:
    """The last earlier evaluations at which ≥ 99 % of the train, unseen and all pairs were right; None without any."""

    train: int | None = None
    test: int | None = None
    every: int | None = None

    @classmethod
    def of(cls, evaluations: pd.DataFrame, step: int) -> "Before":
        """Of the rows before `step`; columns as in the metrics of a training or in `Curves.measures`."""
        earlier = evaluations.loc[evaluations["step"] < step] if len(evaluations) else evaluations

        def last(name: str, column: str) -> int | None:
            if column not in earlier:
                return None
            enough = np.asarray(earlier[column], dtype=float) >= HOW_FAR_THRESHOLDS[name].bound
            reached = np.asarray(earlier["step"])[enough]
            return int(reached[-1]) if len(reached) else None

        labels = "train_accuracy_of_labels"
        return cls(
            last("knows_train", labels if labels in earlier else "train_accuracy"),
            last("generalises", "test_accuracy"),
            last("generalises", "all_accuracy"),
        )

    def then(self, step: int, accuracies: Mapping[str, float]) -> "Before":
        """With one more evaluation, at `step`."""

        def last(name: str, column: str, known: int | None) -> int | None:
            return step if _holds(name, accuracies.get(column, math.nan)) else known

        return Before(
            last("knows_train", "train_accuracy", self.train),
            last("generalises", "test_accuracy", self.test),
            last("generalises", "all_accuracy", self.every),
        )


NEVER = Before()


@dataclass(frozen=True)
class HowFar:
    """How far a network is, with the numbers that say so, see docs/how-far.md.

    - `stage`: one of `STAGES`.
    - `train`, `test`, `every`: the shares of its train pairs (by the labels it was trained on), of the unseen and of
      all pairs that it answers right; NaN where unknown.
    - `guess`: the share that always giving the commonest answer gets.
    - `before`: the last earlier steps at which it reached 99 %.
    """

    stage: Stage
    train: float
    test: float
    every: float
    guess: float
    before: Before = NEVER

    @property
    def is_learned(self) -> bool:
        """Whether it answers its task, so that one can ask how."""
        return self.label is None

    @property
    def label(self) -> str | None:
        """The verdict's label that follows from the stage alone, None where an account decides."""
        return STAGES[self.stage].label

    @property
    def predicate(self) -> str:
        """What is said of the network, without numbers."""
        return STAGES[self.stage].predicate

    @property
    def short(self) -> str:
        """The predicate with the number that decides."""
        return f"{self.predicate} ({self._decides})"

    @property
    def sentence(self) -> str:
        """A whole sentence with every number."""
        needed = percent(HOW_FAR_THRESHOLDS["generalises"].bound)
        guessing = f"guessing gives {percent(self.guess)}"
        if self.stage == "nearly generalised":
            guessing = f"{needed} counts as generalised, {guessing}"
        once = f"{self._once}; now " if self.stage == "lost" else ""
        said = f"This network {self.predicate}: {once}it answers {self._numbers}; {guessing}."
        if self.stage == "diverged":
            said = f"This network {self.predicate}: its loss is not a finite number."
        return said if self._split_is_known else f"{said} {UNKNOWN_SPLIT}"

    @property
    def lost(self) -> str:
        """What it had learned and when, for a network that lost it; else empty."""
        return self._once if self.stage == "lost" else ""

    @property
    def _split_is_known(self) -> bool:
        return not (math.isnan(self.test) and math.isnan(self.train))

    @property
    def _once(self) -> str:
        before = self.before
        step, what = (before.test, "unseen pairs") if self._split_is_known else (before.every, "pairs")
        if step is None:
            step, what = before.train, "training pairs"
        assert step is not None
        return f"at step {step:,} it answered at least 99 % of the {what}"

    @property
    def _decides(self) -> str:
        if self.stage == "diverged":
            return "its loss is not a finite number"
        if not self._split_is_known:
            return f"{percent(self.every)} of all pairs"
        if self.stage == "memorising":
            return f"{percent(self.train)} of them"
        of_train = math.isnan(self.test) or (self.stage == "lost" and self.before.test is None)
        return (
            f"{percent(self.train)} of its training pairs" if of_train else f"{percent(self.test)} of the unseen pairs"
        )

    @property
    def _numbers(self) -> str:
        if not self._split_is_known:
            return f"{percent(self.every)} of all pairs"
        if math.isnan(self.train):
            return f"{percent(self.test)} of the unseen pairs"
        if math.isnan(self.test):
            return f"{percent(self.train)} of its training pairs"
        return f"{percent(self.train)} of its training pairs and {percent(self.test)} of the unseen ones"


UNKNOWN_SPLIT = "Which pairs it was trained on is unknown."


def how_far(
    task: Task,
    *,
    train: float = math.nan,
    test: float = math.nan,
    every: float = math.nan,
    loss: float = 0.0,
    before: Before = NEVER,
) -> HowFar:
    """Classify a network by the shares of pairs that it answers right.

    With c the share of the commonest answer, and acc above chance where it exceeds c by more than three standard errors
    √(c (1 − c)/n) of n pairs, the first rule that applies decides:

    1. `diverged`: the loss is not a finite number.
    2. Train and unseen pairs known: `generalised` if test ≥ .99, `nearly generalised` if ≥ .9; `lost` if an earlier
       evaluation of the unseen pairs reached .99; `lost` if one of the train pairs did and train < .9; `untrained` if
       neither is above chance; `generalising` if test is above chance and (test − c) > .45 (train − c); `memorised`
       if train ≥ .99 (≥ .9 where it was .99 before); else `memorising`.
    3. Else, by all pairs: `learned` if ≥ .99, `lost` if < .9 and an earlier evaluation reached .99, `untrained` if not
       above chance, else `partly learned`.

    **Arguments:**

    - `train`, `test`, `every`: accuracies, NaN where unknown; of the train pairs by the labels it was trained on.
    - `loss`: any loss of it.
    - `before`: what earlier evaluations of the same run reached.

    >>> from grokinterp.tasks import Task, TaskConfig
    >>> how_far(Task(TaskConfig(p=113)), train=1.0, test=0.979).short
    'has nearly generalised (97.9 % of the unseen pairs)'
    """
    guess = float(np.bincount(task.answers).max() / task.n_pairs)
    stage = _stage(task, train, test, every, loss, before, guess)
    return HowFar(stage, train, test, every, guess, before)


def _stage(task: Task, train: float, test: float, every: float, loss: float, before: Before, guess: float) -> Stage:
    def is_above_chance(accuracy: float, n: int) -> bool:
        error = math.sqrt(guess * (1 - guess) / max(n, 1))
        return accuracy > guess + HOW_FAR_THRESHOLDS["chance"].bound * error

    if not math.isfinite(loss):
        return "diverged"
    if math.isnan(train) and math.isnan(test):
        if _holds("generalises", every):
            return "learned"
        if before.every is not None and not _holds("nearly", every):
            return "lost"
        return "partly learned" if is_above_chance(every, task.n_pairs) else "untrained"
    if _holds("generalises", test):
        return "generalised"
    if _holds("nearly", test):
        return "nearly generalised"
    if before.test is not None or (before.train is not None and not _holds("nearly", train)):
        return "lost"
    answers_unseen = is_above_chance(test, len(task.split.test))
    if not answers_unseen and not is_above_chance(train, len(task.split.train)):
        return "untrained"
    few = math.isnan(test) or _holds("few_unseen", (test - guess) / (train - guess) if train > guess else math.inf)
    if answers_unseen and not few:
        return "generalising"
    return "memorised" if _holds("knows_train", train) or before.train is not None else "memorising"


def _holds(name: str, value: float) -> bool:
    return HOW_FAR_THRESHOLDS[name].holds(value)


def how_far_of(snapshot: Snapshot, run: Run | None = None) -> HowFar:
    """Classify a checkpoint; with its run, as one that may have lost what earlier checkpoints had."""
    task, given = snapshot.task, answers_given(snapshot)
    train, test, every = math.nan, share_right(given, task, "test"), share_right(given, task, "all")
    if task.split_is_known:
        pairs = task.split.train
        train = float((given[pairs] == task.labels[pairs]).mean())
    found = how_far(task, train=train, test=test, every=every)
    if run is None or found.is_learned or found.stage == "nearly generalised":
        return found
    return how_far(task, train=train, test=test, every=every, before=_before(run, snapshot.step))


def final_how_far(task: Task, final: Mapping[str, Any], metrics: pd.DataFrame, measures: pd.DataFrame) -> HowFar:
    """Classify the last of a run's checkpoints by its measures, with the evaluations before it."""
    step = int(final["step"])
    evaluated = _earlier(metrics, step)
    return how_far(
        task,
        train=final.get("train_accuracy_of_labels", final["train_accuracy"]),
        test=final["test_accuracy"],
        every=final["all_accuracy"],
        loss=final["all_loss"],
        before=Before.of(measures if evaluated is None else evaluated, step),
    )


def _earlier(metrics: pd.DataFrame, step: int) -> pd.DataFrame | None:
    """The evaluations of the training; None if there are none before `step`."""
    needed = ["train_accuracy", "test_accuracy"]
    if set(needed) <= set(metrics.columns):
        evaluated = metrics.dropna(subset=needed)
        if (np.asarray(evaluated["step"]) < step).any():
            return evaluated
    return None


def _before(run: Run, step: int) -> Before:
    """What the run's evaluations before `step` reached; where the training kept none, its checkpoints are evaluated."""
    try:
        metrics = run.metrics
    except GrokinterpError:  # Damaged metrics are no reason to judge nothing.
        metrics = pd.DataFrame()
    evaluated = _earlier(metrics, step)
    return Before.of(_of_checkpoints(run, step) if evaluated is None else evaluated, step)


def _of_checkpoints(run: Run, step: int) -> pd.DataFrame:
    rows = []
    for kept in sorted(kept for kept in run.steps if kept < step):
        try:
            found = how_far_of(run.snapshot(kept))
        except GrokinterpError:  # A damaged checkpoint is no reason to give up the others.
            continue
        rows.append(
            {"step": kept, "train_accuracy": found.train, "test_accuracy": found.test, "all_accuracy": found.every}
        )
    return pd.DataFrame(rows, columns=["step", "train_accuracy", "test_accuracy", "all_accuracy"])
