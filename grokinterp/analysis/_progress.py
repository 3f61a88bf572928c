"""Restricted and excluded loss (Nanda et al. 2023, §5.1): how much of the network is the generalising circuit.

    restricted   CE(Σ_{k∈K} P_k L + mean_ab L)   only the circuit, with the mean logits of the same checkpoint
    excluded     CE(L − Σ_{k∈K} P_k L)           everything but the circuit, no mean correction

P_k comes in three kinds: `2d` projects the logits on cos, sin of w_k(a+b); `3d` projects them on cos(w_k(a+b−c)); and
`neurons` projects the MLP's activations on cos, sin of w_k(a+b) and lets W_out W_U carry them to the logits, as in
TransformerLens' demo (the skip connection stays); after a final LayerNorm that map is not linear, and the loss is NaN.
The projection is always fitted on all p² pairs; the data set on
which the loss is taken is the caller's choice. The paper takes excluded loss on the train pairs, restricted on all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from grokinterp.runs import Snapshot
from grokinterp.tasks import Task

from ._components import Table, answer_component, cosine_component, mean_by_answer
from ._losses import DataSet, loss_of, losses_by_row, pairs_of

Kind = Literal["2d", "3d", "neurons"]


@dataclass(frozen=True, eq=False)
class ProgressMeasures:
    """Restricted and excluded losses of one checkpoint.

    >>> from grokinterp.runs import RunConfig
    >>> from grokinterp.models import initial_weights
    >>> config = RunConfig().with_settings(["task.p=5"])
    >>> task = Task(config.task)
    >>> snapshot = Snapshot(0, task, config.model, initial_weights(config.model, task))
    >>> measures = ProgressMeasures.of(snapshot)
    >>> measures.excluded([], "train") == measures.excluded([1], "train")
    False
    """

    task: Task
    logits: Float[np.ndarray, "pair p"]
    mean_logits_by_answer: Table
    mean_neurons_by_answer: Float[np.ndarray, "p d_mlp"]
    W_L: Float[np.ndarray, "p d_mlp"]
    linear_from_neurons: bool

    @classmethod
    def of(cls, snapshot: Snapshot) -> "ProgressMeasures":
        """Evaluate the checkpoint on all pairs."""
        task = snapshot.task
        activations = snapshot.fast()
        logits = activations.logits[:, : task.p].numpy()
        return cls(
            task=task,
            logits=logits,
            mean_logits_by_answer=mean_by_answer(logits, task),
            mean_neurons_by_answer=mean_by_answer(activations.neurons.numpy(), task),
            W_L=snapshot.W_L,
            linear_from_neurons=snapshot.config.normalization == "none",
        )

    def component(self, frequencies: Iterable[int], kind: Kind = "2d") -> Table:
        """Σ_k P_k L as a table: row = answer of the pair, column = c."""
        if kind == "3d":
            return cosine_component(self.mean_logits_by_answer, frequencies)
        if kind == "neurons" and not self.linear_from_neurons:
            return np.full_like(self.mean_logits_by_answer, np.nan)
        if kind == "neurons":
            return answer_component(self.mean_neurons_by_answer, frequencies) @ self.W_L.T
        return answer_component(self.mean_logits_by_answer, frequencies)

    def kept(self, frequencies: Iterable[int], kind: Kind = "2d") -> Table:
        """The restricted logits by answer: Σ_k P_k L with the mean logits restored."""
        return self.component(frequencies, kind) + self.mean_logits_by_answer.mean(axis=0)

    def restricted(self, frequencies: Iterable[int], data: DataSet = "all", kind: Kind = "2d") -> float:
        """Loss when only `frequencies` are kept."""
        kept = self.kept(frequencies, kind)
        # All pairs with the same answer have the same kept logits: p rows stand for them all.
        answers, counts = np.unique(self.task.answers[pairs_of(self.task, data)], return_counts=True)
        return float(losses_by_row(kept[answers], answers) @ counts / counts.sum())

    def excluded(self, frequencies: Iterable[int], data: DataSet = "train", kind: Kind = "2d") -> float:
        """Loss when `frequencies` are removed."""
        pairs = pairs_of(self.task, data)
        answers = self.task.answers[pairs]
        return loss_of(self.logits[pairs] - self.component(frequencies, kind)[answers], answers)


def all_frequencies(p: int) -> range:
    """1 … ⌊p/2⌋."""
    return range(1, p // 2 + 1)
