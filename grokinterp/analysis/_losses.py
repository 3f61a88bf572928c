"""Loss and accuracy of a network on its train, test or all pairs, over the answers, in float64.

They are against the right answers, also where a network was trained on noisy labels.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.runs import CHUNK, Snapshot
from grokinterp.tasks import Task

from ._remembered import remembered

DataSet = Literal["train", "test", "all"]


def pairs_of(task: Task, data: DataSet) -> Int[np.ndarray, " chosen"]:
    """Indices of the pairs in `data`; where nobody knows the split, of all pairs for each."""
    if data == "all" or not task.split_is_known:
        return np.arange(task.n_pairs)
    return task.split.train if data == "train" else task.split.test


def loss(logits: Float[np.ndarray, "pair answer"], task: Task, data: DataSet) -> float:
    """Mean cross-entropy on `data`; `logits` are those of all pairs, over the answers (`=` left out).

    NaN on train and test pairs where nobody knows which they are.
    """
    if data != "all" and not task.split_is_known:
        return float("nan")
    losses = losses_by_row(logits, task.answers, None if data == "all" else pairs_of(task, data))
    return float(losses.mean()) if len(losses) else float("nan")


def losses_by_row(
    logits: Float[np.ndarray, "row answer"],
    answers: Int[np.ndarray, " row"],
    rows: Int[np.ndarray, " chosen"] | None = None,
) -> Float[np.ndarray, " chosen"]:
    """Cross-entropy of each row, or of each chosen one."""
    # A table's answers are read-only, which torch warns of.
    every, right = torch.from_numpy(logits), torch.from_numpy(np.array(answers))
    losses = np.empty(len(every) if rows is None else len(rows))
    for start in range(0, len(losses), CHUNK):  # In float64 all rows are several times the logits.
        chosen = slice(start, start + CHUNK)
        which = chosen if rows is None else torch.from_numpy(rows[chosen])
        found = torch.nn.functional.cross_entropy(every[which].double(), right[which], reduction="none")
        losses[chosen] = found.numpy()
    return losses


def largest_logits(logits: Float[np.ndarray, "row answer"]) -> Int[np.ndarray, " row"]:
    """The answer with the largest logit of each row."""
    return torch.from_numpy(logits).argmax(dim=-1).numpy()


def losses_by_pair(snapshot: Snapshot) -> Float[np.ndarray, " pair"]:
    """The network's own cross-entropy on each pair."""
    return _judged(snapshot)[0]


def answers_given(snapshot: Snapshot) -> Int[np.ndarray, " pair"]:
    """What the network answers to each pair."""
    return _judged(snapshot)[1]


@remembered
def _judged(snapshot: Snapshot) -> tuple[Float[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    return losses_by_row(snapshot.logits, snapshot.task.answers), largest_logits(snapshot.logits)


def accuracy(logits: Float[np.ndarray, "pair answer"], task: Task, data: DataSet) -> float:
    """Share of the pairs in `data` whose largest logit is the answer's, NaN as in `loss`."""
    if data != "all" and not task.split_is_known:
        return float("nan")
    return share_right(largest_logits(logits), task, data)


def share_right(given: Int[np.ndarray, " pair"], task: Task, data: DataSet) -> float:
    """Share of the pairs in `data` that are answered right; NaN as in `loss`."""
    if data != "all" and not task.split_is_known:
        return float("nan")
    chosen = pairs_of(task, data)
    return float((given[chosen] == task.answers[chosen]).mean()) if len(chosen) else float("nan")
