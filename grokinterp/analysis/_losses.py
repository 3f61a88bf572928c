"""Loss and accuracy of a network on its train, test or all pairs, over the answers, in float64.

They are against the right answers, also where a network was trained on noisy labels.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.tasks import Task
from grokinterp.training import accuracy as _accuracy
from grokinterp.training import cross_entropy as _cross_entropy

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
    chosen = torch.from_numpy(pairs_of(task, data))
    return _cross_entropy(torch.from_numpy(logits)[chosen], torch.from_numpy(task.answers)[chosen]).item()


def losses_by_row(
    logits: Float[np.ndarray, "chosen answer"], answers: Int[np.ndarray, " chosen"]
) -> Float[np.ndarray, " chosen"]:
    """Cross-entropy of each row."""
    log_p = torch.log_softmax(torch.from_numpy(logits).double(), dim=-1).numpy()
    return -log_p[np.arange(len(answers)), answers]


def accuracy(logits: Float[np.ndarray, "pair answer"], task: Task, data: DataSet) -> float:
    """Share of the pairs in `data` whose largest logit is the answer's, NaN as in `loss`."""
    if data != "all" and not task.split_is_known:
        return float("nan")
    chosen = torch.from_numpy(pairs_of(task, data))
    return _accuracy(torch.from_numpy(logits)[chosen], torch.from_numpy(task.answers)[chosen])
