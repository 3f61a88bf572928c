"""What is measured on each network of docs/population.py, and how networks are counted."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from grokinterp.analysis import HOW_FAR_THRESHOLDS
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, Snapshot, write_whole
from grokinterp.verdict import THRESHOLDS, Measured, controls, find_verdict, measure_network, principal_circles

Row = dict[str, Any]
Scores = dict[str, Any]
# Zhong et al. 2023 call an embedding circular from here on.
CIRCULAR = 0.995
# Functions of a and b at one frequency, without a form: they are the accounts that bend most.
FREE_NEURONS = ("neurons_add", "neurons_multiply")
# Tables of the logits, by any curve or by residues, of up to n²/2 numbers.
LARGE = ("read_out", "cosets", "coset")
# Cosines of the answer alone, of at most four numbers per frequency and a mean per answer.
FEW_COSINES = ("clock", "pizza", "mixed", "restricted")
# What a row keeps of an account, and the bound that it must reach.
BARS = {"explained": "explained", "loss_recovered": "loss_recovered", "accuracy": "answers_alone"}
# An account with a much lower loss than the network's says what the network does not do: a circuit behind what it
# remembers. Chosen after the nulls were seen, so it is counted beside the three bars and is none of them.
MOST_RECOVERED = 1.1
# Gradients of so many triples: gradient symmetricity is not counted here.
TRIPLES = 200


def judged(run: Run, null: str = "") -> Row:
    """One network and its nulls by every account of the quick verdict, and its circularity; `null` as in `Family`."""
    verdict = find_verdict(run, full=False, triples=TRIPLES)
    snapshot, measured = verdict.snapshot, verdict.measured
    nulls = {
        name: _accounts(measure_network(control, measured.keys, triples=TRIPLES, with_stages=False))
        for name, control in controls(run, snapshot).items()
    }
    if null:
        # With all frequencies for keys: no account has more room.
        every = tuple(range(1, snapshot.task.n_answers // 2 + 1))
        nulls = {null: _accounts(measure_network(snapshot, every, triples=TRIPLES))}
    if null == "memorises" and not HOW_FAR_THRESHOLDS["few_unseen"].holds(measured.test_accuracy):
        nulls = {}
    return {
        "n": snapshot.task.n_answers,
        "attention_rate": run.config.model.attention_rate,
        "step": snapshot.step,
        "train_accuracy": measured.train_accuracy,
        "test_accuracy": measured.test_accuracy,
        "loss": measured.loss,
        "circularity": _circularity(snapshot),
        "label": verdict.label,
        "keys": list(measured.keys),
        "accounts": _accounts(measured),
        "nulls": nulls,
        "pairs_own_scale": None if null else _pairs_own_scale(snapshot),
    }


def _pairs_own_scale(snapshot: Snapshot) -> float:
    """The share of the logits' variance that r(a, b) M(s, c) gives: a function of the sum, and one number per pair.

    M is at first the average over equal s, then r and M are fitted by turns.
    """
    logits = snapshot.logits[:, : snapshot.task.n_answers].astype(float)
    logits -= logits.mean(-1, keepdims=True)
    answers = snapshot.task.labels
    members = np.eye(snapshot.task.n_answers)[answers]
    scale = np.ones(len(logits))
    for _ in range(20):
        by_sum = (members * scale[:, None]).T @ logits / (members.T @ scale**2)[:, None]
        fitted = by_sum[answers]
        scale = (logits * fitted).sum(-1) / (fitted**2).sum(-1)
    left = logits - scale[:, None] * fitted
    return float(1 - (left**2).sum() / (logits**2).sum())


def _accounts(measured: Measured) -> dict[str, Scores]:
    return {
        name: {bar: _plain(getattr(account, bar)) for bar in BARS}
        | {
            "is_explanation": account.is_explanation,
            "per_neuron": account.numbers is not None,
            "numbers": account.parameters if account.numbers is None else account.numbers,
            "parts": {part: round(share, 4) for part, share in account.parts.items()},
        }
        for name, account in measured.accounts.items()
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _circularity(snapshot: Snapshot) -> float | None:
    try:
        return _plain(principal_circles(snapshot).circularity)
    except GrokinterpError:  # Fewer than four components.
        return None


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """A line of JSON per network."""
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# Counting


def generalises(row: Row) -> bool:
    return row["learns"] and row["test_accuracy"] >= THRESHOLDS["generalises"].bound


def is_circular(row: Row) -> bool:
    return row["circularity"] is not None and row["circularity"] >= CIRCULAR


def reaches(scores: Scores, bars: Iterable[str] = tuple(BARS)) -> bool:
    """Whether an account reaches the bars that are named, by default all three."""
    return all((value := scores[bar]) is not None and THRESHOLDS[BARS[bar]].holds(value) for bar in bars)


def explained_by(accounts: Mapping[str, Scores]) -> list[str]:
    """The accounts that reach all three bars and would not give any network's answers (`Account.is_explanation`)."""
    return [name for name, scores in accounts.items() if scores["is_explanation"] and reaches(scores)]


def not_far_below_its_loss(accounts: Mapping[str, Scores]) -> list[str]:
    """Those of `explained_by` that recover at most `MOST_RECOVERED` of the network's own loss."""
    return [name for name in explained_by(accounts) if accounts[name]["loss_recovered"] <= MOST_RECOVERED]


def without_free_neurons(accounts: Mapping[str, Scores]) -> list[str]:
    """Those of `explained_by` that say more of a neuron, or of the logits, than at which frequency it works."""
    return [name for name in explained_by(accounts) if name not in FREE_NEURONS]


def without_large(accounts: Mapping[str, Scores]) -> list[str]:
    """Those of `without_free_neurons` that also have few numbers in every network."""
    return [name for name in without_free_neurons(accounts) if name not in LARGE]


def by_few_cosines(accounts: Mapping[str, Scores]) -> list[str]:
    """Those of `explained_by` that are sums of a few cosines of the answer."""
    return [name for name in explained_by(accounts) if name in FEW_COSINES]


class Share(NamedTuple):
    """k of n with Wilson's 95 % interval.

    >>> str(Share(8, 10))
    '8 of 10 (80 %, 49 to 94)'
    """

    k: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """(p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), z = 1.96 (Wilson 1927)."""
        if not self.n:
            return (0.0, 1.0)
        z, p, n = 1.959964, self.k / self.n, self.n
        middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        return (max(0.0, (middle - half) / (1 + z**2 / n)), min(1.0, (middle + half) / (1 + z**2 / n)))

    def __str__(self) -> str:
        if not self.n:
            return "–"
        low, high = self.interval
        return f"{self.k} of {self.n} ({self.k / self.n:.0%}, {100 * low:.0f} to {100 * high:.0f})".replace("%", " %")


def share_of(rows: Sequence[Row], holds: Callable[[Row], bool]) -> Share:
    return Share(sum(holds(row) for row in rows), len(rows))


def account_names(rows: Iterable[Row]) -> list[str]:
    """Every account that some network was judged by, in the order in which they were first met."""
    return list(dict.fromkeys(name for row in rows for name in row["accounts"]))
