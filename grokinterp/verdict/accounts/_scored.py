"""What every account of one network is held to: its logits in the group, and the three numbers of a replacement."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from grokinterp.analysis import Places, losses_by_row, mean_by_answer
from grokinterp.runs import Snapshot

Logits = Float[np.ndarray, "pair n"]
Table = Float[np.ndarray, "n n"]
# Shares of variance are sums of up to n³ squares in float64.
ROUNDING = 1e-12
# A network that knows less than this part of what guessing lacks has nothing that an account could recover.
LEAST_KNOWN = 0.1


def recovered(loss: float, own_loss: float, n: int) -> float:
    """(ln n − loss) / (ln n − own loss): how much of what the network knows beyond a uniform guess is left.

    >>> recovered(0.0, 0.0, 5), recovered(math.log(5), 0.0, 5)
    (1.0, 0.0)
    """
    known = math.log(n) - own_loss
    return float((math.log(n) - loss) / known) if known > 0 else float("nan")


def whole(share: float) -> float:
    """A share that is 1 but for rounding is 1."""
    return 1.0 if abs(share - 1) < ROUNDING else share


@dataclass(frozen=True)
class Scores:
    """An account in the network's place: share of the logits' variance, `loss`, `accuracy`, `loss_recovered`.

    `tempered`: the loss recovered with the logits of both scaled by `InGroup.scale`; NaN where the network's own loss
    is near guessing even then.
    """

    explained: float
    loss: float
    accuracy: float
    loss_recovered: float
    tempered: float | None = None

    def of_what_was(self, lost: float) -> "Scores":
        """The same where the neurons give only `lost` of the logits: 1 − ‖L̃' − L̃‖² / ‖L̃₀ − L̃‖² in place of ‖L̃‖²."""
        return replace(self, explained=whole(1 - (1 - self.explained) / lost))


@dataclass(frozen=True, eq=False)
class InGroup:
    """The logits of the pairs in the group, over its elements, float64; row i·n + j is the pair of elements i and j.

    Where some answers have more pairs than others (tasks that are no product), every answer counts alike in shares of
    variance, as in `decompose_logits`; losses and accuracies are over the pairs.
    """

    all_logits: Float[np.ndarray, "all_pairs answer"]
    places: Places

    @classmethod
    def of(cls, snapshot: Snapshot) -> "InGroup":
        return cls(snapshot.logits, Places.of(snapshot.task))

    @property
    def n(self) -> int:
        return self.places.structure.n

    @cached_property
    def answers(self) -> Int[np.ndarray, " pair"]:
        """The element of each pair's answer."""
        return self.places.element[self.places.grid.reshape(-1)]

    @cached_property
    def centred(self) -> Logits:
        """L̃ = L − mean over c."""
        kept = self.all_logits[self.places.grid.reshape(-1)][:, self.places.structure.outputs].astype(np.float64)
        kept -= kept.mean(axis=1, keepdims=True)
        return kept

    @cached_property
    def weights(self) -> Float[np.ndarray, " n"]:
        """Per answer n / (its pairs), 0 where it has none: the weight of one of its pairs in a share of variance."""
        counts = self.places.counts
        return np.where(counts > 0, self.n / np.maximum(counts, 1), 0.0)

    @cached_property
    def total(self) -> float:
        """‖L̃‖², every answer counting alike."""
        return float(np.einsum("pc,pc->p", self.centred, self.centred) @ self.weights[self.answers])

    @cached_property
    def by_answer(self) -> Table:
        """M[s, c]: the mean of L̃ over the pairs whose answer is s."""
        means = mean_by_answer(self.all_logits, self.places)[:, self.places.structure.outputs]
        return means - means.mean(axis=1, keepdims=True)

    @cached_property
    def own_loss(self) -> float:
        return float(losses_by_row(self.centred, self.answers).mean())

    @cached_property
    def scale(self) -> float:
        """The power of two ≤ 1 by which the network's logits have the least loss; 1 where they are right everywhere.

        A network that is wrong on a few pairs has a loss as large as its logits: without this, what an account recovers
        of it would depend on their scale.
        """
        if (self.centred.argmax(axis=1) == self.answers).all():
            return 1.0
        best, least = 1.0, self.own_loss
        while (loss := self._loss_at(best / 2)) < least:
            best, least = best / 2, loss
        return best

    @cached_property
    def _scaled_loss(self) -> float:
        return self._loss_at(self.scale)

    def _loss_at(self, scale: float) -> float:
        return float(losses_by_row(scale * self.centred, self.answers).mean())

    def _tempered(
        self, logits: Float[np.ndarray, "row n"], answers: Int[np.ndarray, " row"], weights: Float[np.ndarray, " row"]
    ) -> float:
        losses, own = losses_by_row(self.scale * logits, answers), self._scaled_loss
        if own > (1 - LEAST_KNOWN) * math.log(self.n):
            return float("nan")
        return recovered(float(losses @ weights / weights.sum()), own, self.n)

    def of_table(self, table: Table) -> Scores:
        """Scores of logits that are a function of the answer alone: row s of `table` for all pairs with answer s."""
        counts = self.places.counts
        answered = counts > 0
        # ⟨L̃, F⟩ = Σ_s n ⟨M[s], F[s]⟩ for an F that is the same for all pairs of one answer.
        gained = (2 * self.by_answer - table) * table
        share = self.n * float(gained[answered].sum()) / self.total if self.total else 0.0
        losses, right = losses_by_row(table, np.arange(self.n)), table.argmax(axis=1) == np.arange(self.n)
        loss, accuracy = float(losses @ counts / counts.sum()), float(right @ counts / counts.sum())
        found = recovered(loss, self.own_loss, self.n)
        tempered = self._tempered(table, np.arange(self.n), counts.astype(np.float64)) if self.scale < 1 else found
        return Scores(whole(share), loss, accuracy, found, tempered)

    def of_distances(self, table: Table, explained: float) -> Scores:
        """Scores of logits that depend on i − j and s − c alone: row d of `table` for the n pairs at that distance."""
        right = np.zeros(self.n, dtype=int)
        loss, accuracy = float(losses_by_row(table, right).mean()), float((table.argmax(axis=1) == 0).mean())
        found = recovered(loss, self.own_loss, self.n)
        tempered = self._tempered(table, right, np.ones(self.n)) if self.scale < 1 else found
        return Scores(whole(explained), loss, accuracy, found, tempered)

    def explained_by(self, logits: Logits) -> float:
        """1 − ‖L̃' − L̃‖² / ‖L̃‖²; 0 where L̃ = 0."""
        missed = logits - logits.mean(axis=1, keepdims=True) - self.centred
        squares = np.einsum("pc,pc->p", missed, missed) @ self.weights[self.answers]
        return 1 - float(squares) / self.total if self.total else 0.0

    def of_logits(self, logits: Logits) -> Scores:
        """Scores of any logits over the pairs of the group."""
        loss = float(losses_by_row(logits, self.answers).mean())
        accuracy = float((logits.argmax(axis=1) == self.answers).mean())
        found = recovered(loss, self.own_loss, self.n)
        tempered = self._tempered(logits, self.answers, np.ones(len(logits))) if self.scale < 1 else found
        return Scores(whole(self.explained_by(logits)), loss, accuracy, found, tempered)
