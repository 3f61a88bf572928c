"""Restricted and excluded loss (Nanda et al. 2023, §5.1): how much of the network is the generalising circuit.

    restricted   CE(Σ_{k∈K} P_k L + mean_ab L)   only the circuit, with the mean logits of the same checkpoint
    excluded     CE(L − Σ_{k∈K} P_k L)           everything but the circuit, no mean correction

P_k comes in three kinds: `2d` projects the logits on cos, sin of w_k(a+b); `3d` projects them on cos(w_k(a+b−c)); and
`neurons` projects the MLP's activations on cos, sin of w_k(a+b) and lets W_out W_U carry them to the logits, as in
TransformerLens' demo (the skip connection stays); after a final LayerNorm that map is not linear, and the loss is NaN.
The projection is always fitted on all p² pairs; the data set on
which the loss is taken is the caller's choice. The paper takes excluded loss on the train pairs, restricted on all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.runs import Snapshot
from grokinterp.tasks import Task

from ._components import Table, answer_component, cosine_component, mean_by_answer, pairs_by_answer
from ._losses import DataSet, losses_by_row, pairs_of

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
            # The projection acts along the answers, W_L along the neurons: the narrower product first.
            return answer_component(self.mean_neurons_by_answer @ self.W_L.T, frequencies)
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
        (losses,) = self.losses_without([self.component(frequencies, kind)])
        return float(losses[pairs_of(self.task, data)].mean())

    def excluded_by_frequency(self, data: DataSet = "train", kind: Kind = "2d") -> dict[int, float]:
        """Loss when one frequency is removed, for each of 1 … ⌊p/2⌋."""
        every = all_frequencies(self.task.p)
        losses = self.losses_without([self.component([k], kind) for k in every])
        return dict(zip(every, losses[:, pairs_of(self.task, data)].mean(axis=1).tolist(), strict=True))

    def losses_without(self, components: Sequence[Table]) -> Float[np.ndarray, "component pair"]:
        """Loss of every pair when each of `components` is taken off its logits.

        For a pair with answer s, log Σ_c exp(L[c] − R[s, c]) = log Σ_c exp(L[c]) exp(−R[s, c]): the exponentials of the
        logits are taken once, those of a component once per answer, and the sums over c are matrix products. Both kinds
        are scaled to a largest value of 1; where the products still underflow, the exponents are added instead.
        """
        by_answer, logits, exponentials = self._by_answer
        removed = torch.from_numpy(np.stack(components))
        lowest = removed.amin(dim=2, keepdim=True)
        factors = torch.exp(lowest - removed)
        sums = torch.bmm(exponentials, factors.permute(1, 2, 0)).permute(2, 0, 1)
        log_sums = torch.log(sums) - lowest
        for number in torch.nonzero((sums < 1e-290).flatten(1).any(dim=1)).flatten().tolist():
            log_sums[number] = torch.logsumexp(logits - removed[number][:, None, :], dim=2)
        right = torch.diagonal(logits, dim1=0, dim2=2).T - torch.diagonal(removed, dim1=1, dim2=2)[:, :, None]
        losses = np.empty((len(components), self.task.n_pairs))
        losses[:, by_answer] = (log_sums - right).numpy()
        return losses

    @cached_property
    def _by_answer(self) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
        """Pairs [answer, nth], and their logits [answer, nth, c] with a largest value of 0, plain and exponentiated."""
        by_answer = pairs_by_answer(self.task)
        logits = torch.from_numpy(self.logits[by_answer]).double()
        logits -= logits.amax(dim=2, keepdim=True)
        return by_answer, logits, torch.exp(logits)


def all_frequencies(p: int) -> range:
    """1 … ⌊p/2⌋."""
    return range(1, p // 2 + 1)
