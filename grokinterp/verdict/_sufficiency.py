"""Is the circuit enough? Parts of the network give way to what they ideally are, and the loss says what that costs.

Nanda et al. 2023 (arXiv 2301.05217), §4.4 and appendix: if replacing a part by its idealisation leaves the loss, or
lowers it, nothing else in that part was needed. For Z_p the idealisations are functions of the key frequencies; for any
finite group those of the key irreps ρ, with ρ_ij in the place of cos w_k and sin w_k, and χ_ρ(ab·c⁻¹) in that of
cos(w_k(a + b − c)). All losses are over all pairs of the group, train and test, in float64.
Those of a large network (`Snapshot.is_large`) are over some of them (`Snapshot.some_of`); what parts are replaced by is
fitted on all.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import (
    Places,
    answer_component,
    character_component,
    logit_map,
    mean_logits_by_answer,
    neuron_irreps,
)
from grokinterp.fourier import FourierBasis, GroupBasis
from grokinterp.models import accuracy, cross_entropy
from grokinterp.runs import Snapshot

from ._circles import frequency_circularity, require_keys
from ._replaced import with_embeddings_in
from .causal import LastLayer

Part = Literal[
    "characters",
    "answer_functions",
    "blocks",
    "polynomials",
    "W_L_directions",
    "W_L_null_space",
    "embedding_keys",
    "embedding_without_keys",
]
Logits = Float[np.ndarray, "pair answer"]
# Values in float64 that are projected at a time.
VALUES = 2**23


@dataclass(frozen=True)
class Replacement:
    """A network with one part replaced; see `replacements` for the parts.

    - `loss`, `accuracy`: over all pairs, with the part replaced; `baseline`: the loss of the whole network.
    - `variance_explained`: 1 − ‖L̃' − L̃‖² / ‖L̃‖², for the logits L' of the replaced network, L̃ = L − mean over c (the
      softmax ignores that mean). For `characters`, `answer_functions` and `blocks`, where L̃' is a projection of L̃, it
      is a share; the mean over the pairs, which the last two keep, is in it (nearly all of an untrained network). For
      the others it can be below 0. None if L̃ = 0.
    """

    name: Part
    loss: float
    accuracy: float
    variance_explained: float | None
    baseline: float

    @property
    def change(self) -> float:
        """loss / baseline − 1: −0.5 where the replacement halves the loss.

        >>> Replacement("blocks", 1e-7, 1.0, 0.95, baseline=2e-7).change
        -0.5
        """
        return self.loss / self.baseline - 1 if self.baseline else float("nan")


def replacements(snapshot: Snapshot, keys: Sequence[int]) -> tuple[Replacement, ...]:
    """Replace each part in turn, K = `keys`, everything else as it is. L are the logits, H the last MLP's activations.

    - `characters`: L ← Σ_K α_ρ χ_ρ(answer · c⁻¹) / χ_ρ(1), α by ordinary least squares (`decompose_logits`); for Z_p
      Σ_k α_k cos(w_k(a + b − c)). Answers outside the group keep their logits, less the mean of the others.
    - `answer_functions`: L ← mean + Σ_K P_ρ L, for Z_p cos and sin of w_k(a + b): restricted loss, `ProgressMeasures`.
    - `blocks`: for every c, L ← its projection on {1, ρ_ij(a)} × {1, ρ_ij(b)} for all ρ in K; for Z_p the constant and
      8 components per frequency.
    - `polynomials`: every clustered neuron (`neuron_irreps`, .85) ← its projection on the same block of its own irrep,
      in K or not; for Z_p a polynomial of degree 2 in cos, sin of w_k a and w_k b. Other neurons stay.
    - `W_L_directions`: H ← H Q Qᵀ, Q an orthonormal basis of the directions F_ρ W_L in neuron space, for Z_p u_k, v_k.
    - `W_L_null_space`: H ← H − H Q Qᵀ. Both together are the network and the network without MLP. Rows of W_L at other
      frequencies are no control: where W_L has no more than the key directions, those lie in the same space.
    - `embedding_keys`: W_E ← its projection on the constant and K. `=` and symbols outside the group stay.
    - `embedding_without_keys`: W_E less its projection on K.

    Pairs that have no place in the group, such as products with zero, take no part. The neurons' changes are carried to
    the logits by W_L, or in a network with LayerNorm, which is not linear, by the network itself (float32).

    **Raises** `GrokinterpError` for a task without a group, and for keys that its group does not have.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=5)), ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    >>> snapshot = Snapshot(0, task, config, initial_weights(config, task))
    >>> found = {part.name: part for part in replacements(snapshot, (1, 2))}
    >>> abs(found["embedding_keys"].change) < 1e-6  # All frequencies of Z_5 are keys.
    True
    """
    parts = _Parts.of(snapshot, keys)
    return tuple(parts.judged(name, logits) for name, logits in parts.replaced())


@dataclass(frozen=True)
class KeyStructure:
    """How near the weights come to the ideal structure at the keys, in numbers.

    - `rank`: of the key rows of W_L: for Z_p two per frequency. `residual_fraction`: ‖W_L − key rows‖_F / ‖W_L‖_F.
    - `variance_explained`: key → for every direction of W_L at that key, the share of the variance of its reading of
      the neurons that is the direction's own function of the answer: for Z_p u_k·h by cos w_k(a + b), v_k·h by sin.
    - `circularity`: key → how round the embeddings' ellipse is, see `frequency_circularity`.
    """

    rank: int
    residual_fraction: float
    variance_explained: dict[int, list[float]]
    circularity: dict[int, float]


def key_structure(snapshot: Snapshot, keys: Sequence[int]) -> KeyStructure:
    """Take the numbers of `logit_map` (Nanda et al. 2023, §4.2), and the embeddings' circles beside them.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=5)), ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    >>> found = key_structure(Snapshot(0, task, config, initial_weights(config, task)), (1, 2))
    >>> found.rank, found.residual_fraction < 0.5, list(found.circularity)
    (4, True, [1, 2])
    """
    chosen = require_keys(keys, Places.of(snapshot.task).structure)
    found = logit_map(snapshot, chosen, {})
    circularity = frequency_circularity(snapshot, chosen)
    return KeyStructure(found.rank, found.residual_fraction, found.variance_explained, circularity)


@dataclass(frozen=True, eq=False)
class _Parts:
    """A network on the pairs of the group, or on some, with what the replacements of its parts need.

    `spots`: the places g·n + h of these `pairs` in the grid of all.
    """

    snapshot: Snapshot
    places: Places
    keys: tuple[int, ...]
    spots: Int[np.ndarray, " pair"]
    pairs: Int[np.ndarray, " pair"]
    logits: Logits

    @classmethod
    def of(cls, snapshot: Snapshot, keys: Sequence[int]) -> "_Parts":
        places = Places.of(snapshot.task)
        spots = snapshot.some_of(np.arange(places.grid.size))
        pairs = places.grid.reshape(-1)[spots]
        logits = snapshot.logits_of(pairs).astype(np.float64)
        return cls(snapshot, places, require_keys(keys, places.structure), spots, pairs, logits)

    @property
    def basis(self) -> FourierBasis | GroupBasis:
        return self.places.structure.basis

    @cached_property
    def neurons(self) -> Float[np.ndarray, "pair d_mlp"]:
        return self.snapshot.neurons_of(self.pairs).astype(np.float64)

    @cached_property
    def baseline(self) -> float:
        return self.loss(self.logits)

    @cached_property
    def variance(self) -> float:
        return float((_centred(self.logits) ** 2).sum())

    @cached_property
    def answers(self) -> Int[torch.Tensor, " pair"]:
        return torch.from_numpy(self.snapshot.task.answers[self.pairs])

    def loss(self, logits: Logits) -> float:
        return cross_entropy(torch.from_numpy(logits), self.answers).item()

    def judged(self, name: Part, logits: Logits) -> Replacement:
        missed = float((_centred(logits - self.logits) ** 2).sum())
        return Replacement(
            name=name,
            loss=self.loss(logits),
            accuracy=accuracy(torch.from_numpy(logits), self.answers),
            variance_explained=1 - missed / self.variance if self.variance else None,
            baseline=self.baseline,
        )

    def replaced(self) -> Iterator[tuple[Part, Logits]]:
        """The logits with each part replaced, one at a time."""
        element, means = self.places.element[self.pairs], mean_logits_by_answer(self.snapshot)
        yield "characters", self.characters()
        kept = answer_component(means, self.keys, self.places.structure) + means.mean(axis=0)
        yield "answer_functions", kept[element]
        yield "blocks", self.blocks()
        yield "polynomials", self.with_neurons(self.polynomials())
        yield "W_L_directions", self.with_directions(kept=True)
        yield "W_L_null_space", self.with_directions(kept=False)
        yield "embedding_keys", self.with_embedding((0, *self.keys))
        others = set(range(len(self.basis.irrep_names))) - set(self.keys)
        yield "embedding_without_keys", self.with_embedding(sorted(others))

    def characters(self) -> Logits:
        outputs = self.places.structure.outputs
        logits = self.logits - self.logits[:, outputs].mean(axis=1, keepdims=True)
        means = mean_logits_by_answer(self.snapshot)
        component = character_component(means, self.keys, self.places.structure)[:, outputs]
        logits[:, outputs] = component[self.places.element[self.pairs]]
        return logits

    def blocks(self) -> Logits:
        every = slice(self.snapshot.task.n_answers)
        found = _Blocks.of(self.snapshot.logits_of, dict.fromkeys(self.keys, every), self.places, every.stop)
        return sum((found.at(irrep, self.spots) for irrep in self.keys), np.tile(found.mean, (len(self.spots), 1)))

    def polynomials(self) -> Float[np.ndarray, "pair d_mlp"]:
        clusters, neurons = neuron_irreps(self.snapshot).clusters(), self.neurons.copy()
        found = _Blocks.of(self.snapshot.neurons_of, clusters, self.places, neurons.shape[1])
        for irrep, cluster in clusters.items():
            neurons[:, cluster] = found.mean[cluster] + found.at(irrep, self.spots)
        return neurons

    @cached_property
    def key_directions(self) -> Float[np.ndarray, "d_mlp rank"]:
        """An orthonormal basis of the directions in neuron space that the key rows of W_L read."""
        W_L = self.snapshot.W_L[self.places.structure.outputs]
        rows = [row for key in self.keys for row in self.basis.rows(key)]
        # Not QR, which has an arbitrary direction for one that W_L lacks.
        _, values, directions = np.linalg.svd(self.basis.transform(W_L, axis=0)[rows], full_matrices=False)
        return directions[values > np.finfo(np.float32).eps * np.linalg.norm(W_L)].T

    def with_neurons(self, neurons: Float[np.ndarray, "pair d_mlp"]) -> Logits:
        """The logits with these activations of the last MLP in the place of its own; the skip connection stays."""
        if self.snapshot.config.normalization == "none":
            return self.logits + (neurons - self.neurons) @ self.snapshot.W_L.T
        layer = LastLayer.of(self.snapshot, torch.from_numpy(self.pairs))
        return layer.after_neurons(torch.from_numpy(neurons).float()).numpy().astype(np.float64)

    def with_directions(self, *, kept: bool) -> Logits:
        """The logits with what the neurons hold in `key_directions` alone, or without it."""
        read, directions = self._read_by_keys, self.key_directions
        if self.snapshot.config.normalization != "none":
            inside = read @ directions.T
            return self.with_neurons(inside if kept else self.neurons - inside)
        # As `with_neurons`, with products as narrow as the directions are few.
        by_keys = read @ (directions.T @ self.snapshot.W_L.T)
        return self.logits + by_keys - self.neurons @ self.snapshot.W_L.T if kept else self.logits - by_keys

    @cached_property
    def _read_by_keys(self) -> Float[np.ndarray, "pair rank"]:
        return self.neurons @ self.key_directions

    def with_embedding(self, irreps: Sequence[int]) -> Logits:
        """The logits with the group's embeddings projected on `irreps`, of a and of b."""
        return with_embeddings_in(self.snapshot, irreps).logits_of(self.pairs).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Functions of the pairs projected on the products {1, ρ_ij(a)} × {1, ρ_ij(b)} without the constant, by irrep ρ.

    - `mean`: of each function over all pairs of the group.
    - `coefficients`: per irrep, on the rows of the basis of a and of b, the constant first, for its columns.
    """

    basis: FourierBasis | GroupBasis
    mean: Float[np.ndarray, " column"]
    coefficients: dict[int, Float[np.ndarray, "_ _ _"]]

    @classmethod
    def of(
        cls,
        values_of: Callable[[Int[np.ndarray, "a n"]], Float[np.ndarray, "a n column"]],
        columns: Mapping[int, list[int] | slice],
        places: Places,
        width: int,
    ) -> "_Blocks":
        """Each irrep's part of its `columns` of `width` functions, from the pairs of some a at a time."""
        basis, n = places.structure.basis, places.structure.n
        mean, coefficients = np.zeros(width), {}
        for start in range(0, n, step := max(1, VALUES // (n * width))):
            a = slice(start, min(start + step, n))
            values = values_of(places.grid[a]).astype(np.float64)
            mean += values.sum(axis=(0, 1)) / n**2
            for irrep, chosen in columns.items():
                rows = basis.matrix[[0, *basis.rows(irrep)]]
                found = np.tensordot(rows[:, a], np.matmul(rows, values[..., chosen]), (1, 0))
                coefficients[irrep] = coefficients.get(irrep, 0.0) + found
        for found in coefficients.values():
            found[0, 0] = 0.0
        return cls(basis, mean, coefficients)

    def at(self, irrep: int, spots: Int[np.ndarray, " pair"]) -> Float[np.ndarray, "pair column"]:
        """An irrep's part at some places g·n + h, which ascend."""
        rows, coefficients = self.basis.matrix[[0, *self.basis.rows(irrep)]], self.coefficients[irrep]
        n, found = self.basis.n, np.empty((len(spots), coefficients.shape[2]))
        bounds = np.searchsorted(spots, np.arange(n + 1) * n)
        for g, (first, last) in enumerate(itertools.pairwise(bounds.tolist())):
            of_b = np.tensordot(rows[:, g], coefficients, (0, 0))
            found[first:last] = rows[:, spots[first:last] - g * n].T @ of_b
        return found


def _centred(logits: Logits) -> Logits:
    return logits - logits.mean(axis=1, keepdims=True)
