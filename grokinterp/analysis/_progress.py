"""Restricted and excluded loss (Nanda et al. 2023, §5.1): how much of the network is the generalising circuit.

    restricted   CE(Σ_{ρ∈K} P_ρ L + mean_ab L)   only the circuit, with the mean logits of the same checkpoint
    excluded     CE(L − Σ_{ρ∈K} P_ρ L)           everything but the circuit, no mean correction

K are frequencies of Z_p, or irreps of another group. P_ρ comes in three kinds: `2d` projects the logits on the
functions of the answer in ρ (cos, sin of w_k(a+b)); `3d` projects them on the character χ_ρ(answer · c⁻¹)
(cos(w_k(a+b−c))); and `neurons` projects the MLP's activations on the functions of the answer and lets W_out W_U carry
them to the logits, as in TransformerLens' demo (the skip connection stays; `hidden_losses` leaves it out); after a
final normalization that map is not linear, and the loss is NaN. The projection is always fitted on all pairs; the data
set on which the loss is taken is the caller's choice. The paper takes excluded loss on the train pairs, restricted on
all. Pairs whose answer has no place in the group, such as products with zero, take no part in either.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure, Task

from ._components import (
    Places,
    Table,
    answer_component,
    character_component,
    mean_by_answer,
    mean_neurons_by_answer,
)
from ._logits import mean_logits_by_answer
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

    places: Places
    logits: Float[np.ndarray, "pair answer"]
    mean_logits_by_answer: Table
    mean_neurons_by_answer: Float[np.ndarray, "n d_mlp"]
    W_L: Float[np.ndarray, "answer d_mlp"]
    linear_from_neurons: bool

    @classmethod
    def of(cls, snapshot: Snapshot) -> "ProgressMeasures":
        """Evaluate the checkpoint on all pairs."""
        places = Places.of(snapshot.task)
        if snapshot.is_large:
            logits, means = snapshot.logits, mean_logits_by_answer(snapshot)
            of_neurons = mean_neurons_by_answer(snapshot)
        else:
            activations = snapshot.fast()
            logits = activations.logits[:, : snapshot.task.n_answers].numpy()
            means, of_neurons = (mean_by_answer(of, places) for of in (logits, activations.neurons.numpy()))
        return cls(
            places=places,
            logits=logits,
            mean_logits_by_answer=means,
            mean_neurons_by_answer=of_neurons,
            W_L=snapshot.W_L,
            linear_from_neurons=snapshot.config.normalization == "none",
        )

    @property
    def task(self) -> Task:
        return self.places.task

    @property
    def structure(self) -> Structure:
        return self.places.structure

    @property
    def irreps(self) -> range:
        """All irreps but the trivial one; for Z_p the frequencies 1 … ⌊p/2⌋."""
        return range(1, len(self.structure.basis.irrep_names))

    def component(self, irreps: Iterable[int], kind: Kind = "2d") -> Table:
        """Σ_ρ P_ρ L as a table: row = element of the pair's answer, column = c."""
        if kind == "3d":
            return character_component(self.mean_logits_by_answer, irreps, self.structure)
        if kind == "neurons" and not self.linear_from_neurons:
            return np.full_like(self.mean_logits_by_answer, np.nan)
        if kind == "neurons":
            # The projection acts along the answers, W_L along the neurons: the narrower product first.
            return answer_component(self.mean_neurons_by_answer @ self.W_L.T, irreps, self.structure)
        return answer_component(self.mean_logits_by_answer, irreps, self.structure)

    def kept(self, irreps: Iterable[int], kind: Kind = "2d") -> Table:
        """The restricted logits by answer: Σ_ρ P_ρ L with the mean logits restored."""
        return self.component(irreps, kind) + self.mean_logits_by_answer.mean(axis=0)

    def restricted_accuracy(self, irreps: Iterable[int]) -> float:
        """Share of the elements that are answered right when only `irreps` are kept."""
        answered = self.places.answered
        return float((self.kept(irreps)[answered].argmax(axis=1) == self.structure.outputs[answered]).mean())

    def restricted(self, irreps: Iterable[int], data: DataSet = "all", kind: Kind = "2d") -> float:
        """Loss when only `irreps` are kept."""
        return self.loss_of(self.kept(irreps, kind), data)

    def loss_of(self, kept: Table, data: DataSet) -> float:
        """Loss of logits that depend on the answer alone: n rows stand for all pairs."""
        elements, counts = np.unique(self.places.element[self.inside(data)], return_counts=True)
        return float(losses_by_row(kept[elements], self.structure.outputs[elements]) @ counts / counts.sum())

    def excluded(self, irreps: Iterable[int], data: DataSet = "train", kind: Kind = "2d") -> float:
        """Loss when `irreps` are removed."""
        (losses,) = self.losses_without([self.component(irreps, kind)])
        return float(losses[self.inside(data)].mean())

    def excluded_by_irrep(self, data: DataSet = "train", kind: Kind = "2d") -> dict[int, float]:
        """Loss when one irrep is removed, for each but the trivial one."""
        losses = self.losses_without([self.component([irrep], kind) for irrep in self.irreps])
        return dict(zip(self.irreps, losses[:, self.inside(data)].mean(axis=1).tolist(), strict=True))

    def inside(self, data: DataSet) -> Int[np.ndarray, " chosen"]:
        """The pairs of a data set whose answer has a place in the group."""
        pairs = pairs_of(self.task, data)
        return pairs[self.places.element[pairs] >= 0]

    def losses_without(self, components: Sequence[Table]) -> Float[np.ndarray, "component pair"]:
        """Loss of every pair when each of `components` is taken off its logits; off a pair without a place, nothing is.

        For a pair with answer s, log Σ_c exp(L[c] − R[s, c]) = log Σ_c exp(L[c]) exp(−R[s, c]): the exponentials of the
        logits are taken once, those of a component once per answer, and the sums over c are matrix products. Both kinds
        are scaled to a largest value of 1; where the products still underflow, the exponents are added instead.
        """
        places, (logits, exponentials) = self.places, self._by_answer
        removed = torch.from_numpy(np.stack(components)[:, places.answered])
        lowest = removed.amin(dim=2, keepdim=True)
        factors = torch.exp(lowest - removed)
        sums = torch.bmm(exponentials, factors.permute(1, 2, 0)).permute(2, 0, 1)
        log_sums = torch.log(sums) - lowest
        for number in torch.nonzero((sums < 1e-290).flatten(1).any(dim=1)).flatten().tolist():
            log_sums[number] = torch.logsumexp(logits - removed[number][:, None, :], dim=2)
        row, answer = torch.arange(len(logits)), torch.from_numpy(self.structure.outputs[places.answered])
        right = logits[row, :, answer] - removed[:, row, answer][:, :, None]
        losses = np.empty((len(components), self.task.n_pairs))
        losses[:, places.by_answer] = (log_sums - right).numpy()
        outside = np.flatnonzero(places.element < 0)
        losses[:, outside] = losses_by_row(self.logits[outside], self.task.answers[outside])
        return losses

    @cached_property
    def _by_answer(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The logits [answer, nth, c] with a largest value of 0, plain and exponentiated."""
        logits = torch.from_numpy(self.logits[self.places.by_answer]).double()
        logits -= logits.amax(dim=2, keepdim=True)
        return logits, torch.exp(logits)
