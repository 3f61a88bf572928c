"""The phases of grokking, found from the curves.

Nanda et al. 2023 read the boundaries off the figure by eye (1,400, 9,400 and 14,000 on the mainline). The rules here:

- memorization ends at the minimum of the excluded loss (key frequencies, train pairs) before the network generalises:
  from there on the circuit carries a growing share of the train performance (a task without a group has no excluded
  loss: memorization ends when 99 % of the train pairs are known, and a circuit is known by the test loss alone);
- circuit formation ends, and cleanup begins, when the test loss falls below that of a uniform guess (ln p) for good:
  before that, what is known of unseen pairs is drowned by what was memorised;
- cleanup ends when the sum of squared weights comes within 3 % of its last value for good.

A phase that the run did not reach is None. So is all that one evaluation cannot tell: a network that is seen once knows
its pairs, but since when nobody knows, and of one checkpoint no curve has a minimum or settles.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool

SETTLED = 0.03
GROKKED = 0.99
Phase = tuple[int, int] | None


@dataclass(frozen=True)
class Phases:
    """First and last step of each phase, and when the accuracies reached 99 %.

    `…_first` is the first evaluation at ≥ 99 %, `…_sustained` the first from which no later evaluation falls below;
    None if there is none, or only one evaluation at all. Phases are None of a run of one checkpoint.
    """

    memorization: Phase
    circuit_formation: Phase
    cleanup: Phase
    train_accuracy_first: int | None
    train_accuracy_sustained: int | None
    test_accuracy_first: int | None
    test_accuracy_sustained: int | None


def find_phases(measures: pd.DataFrame, metrics: pd.DataFrame, n_answers: int) -> Phases:
    """Apply the module's rules to the measures per checkpoint and, where evaluated more often, the training metrics."""
    needed = ["train_accuracy", "test_accuracy", "test_loss"]
    trained = metrics.dropna(subset=needed) if set(needed) <= set(metrics.columns) else metrics.iloc[:0]
    evaluated = measures if len(trained) < len(measures) else trained
    train_first, train_sustained = _reached(evaluated, "train_accuracy")
    test_first, test_sustained = _reached(evaluated, "test_accuracy")
    memorization = circuit_formation = cleanup = None
    if len(measures) == 1:
        return Phases(None, None, None, train_first, train_sustained, test_first, test_sustained)

    last = int(measures["step"].iloc[-1])
    # A network that guesses has this loss too, at the start: it counts only after memorization.
    below_guess = evaluated["test_loss"].to_numpy() < np.log(n_answers)
    generalises_from = _for_good(evaluated["step"].to_numpy(), below_guess) if train_first is not None else None
    steps = measures["step"].to_numpy()
    before = steps <= (last if generalises_from is None else generalises_from)
    if train_first is not None and before.any():
        memorized = train_first
        if "excluded_loss" in measures:
            memorized = max(int(steps[before][measures["excluded_loss"].to_numpy()[before].argmin()]), train_first)
        # An easy split is never worse than a guess: cleanup then follows memorization at once.
        generalises_from = None if generalises_from is None else max(generalises_from, memorized)
        memorization = (0, memorized)
        if generalises_from is None:
            # What has not shown in the test loss yet shows in the excluded loss alone.
            circuit_formation = (memorized, last) if memorized < last and "excluded_loss" in measures else None
        elif generalises_from > memorized:
            circuit_formation = (memorized, generalises_from)
    if generalises_from is not None:
        total = measures["sum_of_squared_weights"].to_numpy()
        settled = _for_good(measures["step"].to_numpy(), np.abs(total / total[-1] - 1) <= SETTLED)
        cleanup = (generalises_from, max(generalises_from, last if settled is None else settled))
    return Phases(
        memorization=memorization,
        circuit_formation=circuit_formation,
        cleanup=cleanup,
        train_accuracy_first=train_first,
        train_accuracy_sustained=train_sustained,
        test_accuracy_first=test_first,
        test_accuracy_sustained=test_sustained,
    )


def _for_good(steps: np.ndarray, holds: Bool[np.ndarray, " step"]) -> int | None:
    """The first step from which `holds` is true to the end."""
    fails = np.flatnonzero(~holds)
    start = fails[-1] + 1 if len(fails) else 0
    return int(steps[start]) if start < len(steps) else None


def _reached(evaluated: pd.DataFrame, column: str) -> tuple[int | None, int | None]:
    if len(evaluated) == 1:
        return None, None
    holds = evaluated[column].to_numpy() >= GROKKED
    steps = evaluated["step"].to_numpy()
    return (int(steps[np.argmax(holds)]) if holds.any() else None), _for_good(steps, holds)
