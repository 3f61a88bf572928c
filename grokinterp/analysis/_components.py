"""The parts of the logits that depend on the answer alone, as tables with a row per element of the task's group.

Projecting the logit rows of all pairs on functions of the answer gives the same row for all pairs with the same answer.
So the projection on an irrep ρ (for Z_p: on cos and sin of a frequency) is found from the mean row per answer,
M[s, c] = mean over the pairs with answer s of L[ab, c], by projecting along s: P_ρ L[ab, c] = (P_ρ M)[answer(ab), c]. A
table stands for [n², n] logits at an n-th of their size, no n³ cube is built, and what the task computes only changes
which pairs share an answer. Where some answers have more pairs than others, every answer counts alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.runs import FAST_CHUNK, Snapshot
from grokinterp.tasks import Structure, Task

from ._remembered import remembered

Table = Float[np.ndarray, "n answer"]


def structure_needed(task: Task) -> Structure:
    """The task's structure, or an error that says that there is none to read the network in."""
    if task.structure is None:
        raise GrokinterpError(
            f"{task.name}: no group is known in which its answers lie, so there are no frequencies or irreps to read; "
            "give a task on residues or on a group, or a table that is a group's"
        )
    return task.structure


@dataclass(frozen=True, eq=False)
class Places:
    """Where the pairs of a task stand in its group.

    - `element`: per pair, the element of its answer; −1 where the answer has none.
    - `grid`: the pair (g, h) of inputs for all elements g, h of the group.
    """

    task: Task
    structure: Structure

    @classmethod
    def of(cls, task: Task) -> "Places":
        return cls(task, structure_needed(task))

    @cached_property
    def element(self) -> Int[np.ndarray, " pair"]:
        place = np.full(self.task.n_answers, -1)
        place[self.structure.outputs] = np.arange(self.structure.n)
        return place[self.task.answers]

    @cached_property
    def grid(self) -> Int[np.ndarray, "n n"]:
        number = np.full(self.task.table.shape, -1)
        number[tuple(self.task.pairs.T)] = np.arange(self.task.n_pairs)
        return number[np.ix_(self.structure.inputs_a, self.structure.inputs_b)]

    @cached_property
    def counts(self) -> Int[np.ndarray, " n"]:
        """How many pairs have each answer."""
        return np.bincount(self.element[self.element >= 0], minlength=self.structure.n)

    @cached_property
    def answered(self) -> Int[np.ndarray, " answered"]:
        """The elements that are the answer of some pair."""
        return np.flatnonzero(self.counts)

    @cached_property
    def by_answer(self) -> Int[np.ndarray, "answered nth"]:
        """A row per answered element: its pairs, the first repeated where others have more."""
        pairs = np.argsort(self.element, kind="stable")[np.count_nonzero(self.element < 0) :]
        ends = np.cumsum(self.counts[self.answered])
        starts = ends - self.counts[self.answered]
        nth = starts[:, None] + np.arange(self.counts.max())
        return pairs[np.where(nth < ends[:, None], nth, starts[:, None])]

    @cached_property
    def weights(self) -> Float[np.ndarray, " pair"] | None:
        """n / (pairs with the same answer), so that every answer counts alike; 0 for a pair without a place.

        None where all pairs count 1.
        """
        if (self.element >= 0).all() and (self.counts == self.structure.n).all():
            return None
        weights = self.structure.n / np.maximum(self.counts, 1)
        return np.where(self.element >= 0, weights[self.element], 0.0)


def mean_by_answer(values: Float[np.ndarray, "pair column"], places: Places) -> Float[np.ndarray, "n column"]:
    """M[s] = mean of the rows whose pair has the answer s, in float64; the mean of the others where no pair has."""
    counts = places.counts[places.answered]
    means = np.zeros((len(counts), values.shape[1]))
    for nth, pairs in enumerate(places.by_answer.T):  # Adding slices keeps the working set small.
        if nth < counts.min():
            means += values[pairs]
        else:
            means[counts > nth] += values[pairs[counts > nth]]
    return _with_unanswered(means / counts[:, None], places)


def _with_unanswered(means: Float[np.ndarray, "answered column"], places: Places) -> Float[np.ndarray, "n column"]:
    if len(means) == places.structure.n:
        return means
    every = np.tile(means.mean(axis=0), (places.structure.n, 1))
    every[places.answered] = means
    return every


@remembered
def mean_neurons_by_answer(snapshot: Snapshot) -> Float[np.ndarray, "n d_mlp"]:
    """`mean_by_answer` of the last MLP's neurons, some answers at a time where all pairs would not fit."""
    places = Places.of(snapshot.task)
    if not snapshot.is_large:
        return mean_by_answer(snapshot.neurons, places)
    counts, every = places.counts[places.answered], places.by_answer
    means = np.zeros((len(counts), snapshot.config.d_mlp))
    step = max(1, FAST_CHUNK // every.shape[1])
    for start in range(0, len(counts), step):
        chosen = slice(start, start + step)
        counted = (np.arange(every.shape[1]) < counts[chosen, None]).astype(np.float64)
        neurons = snapshot.neurons_of(every[chosen]).astype(np.float64)
        means[chosen] = np.matmul(counted[:, None], neurons)[:, 0]
    return _with_unanswered(means / counts[:, None], places)


def answer_component(
    means: Float[np.ndarray, "n column"], irreps: Iterable[int], structure: Structure
) -> Float[np.ndarray, "n column"]:
    """Σ_ρ P_ρ, the projection on the functions of the answer that belong to `irreps`.

    For Z_p these are cos and sin of w_k·answer (Nanda et al. 2023, §5.1).
    """
    return structure.basis.project(means, tuple(irreps), axis=0)


def character_component(means: Table, irreps: Iterable[int], structure: Structure) -> Table:
    """Σ_ρ v_ρ C_ρ with C_ρ = χ_ρ(answer · c⁻¹) as unit vector over the n³ cube and v_ρ = ⟨C_ρ, L⟩.

    For Z_p, C_k = cos(w_k(answer − c)). Answers outside the group have no part in it.
    """
    chosen = structure.basis.class_functions[list(irreps)]
    values = (chosen @ mean_by_quotient(means[:, structure.outputs], structure)) @ chosen
    component = np.zeros_like(means)
    component[:, structure.outputs] = values[structure.quotients]
    return component


def mean_by_quotient(
    in_group: Float[np.ndarray, "n n"], structure: Structure, rows: Int[np.ndarray, " s"] | slice = slice(None)
) -> Float[np.ndarray, " n"]:
    """D[g] = mean over all s, c with s · c⁻¹ = g of M[s, c], both by their elements; for Z_p over answer − c = g.

    `rows`: the s that take part, such as those that are the answer of some pair; all by default.
    """
    return in_group[np.arange(structure.n)[rows, None], structure.partners[rows]].mean(axis=0)
