"""The logits as a sum of characters of one quotient: Σ_ρ α_ρ χ_ρ(answer · c⁻¹) / χ_ρ(1).

For Z_p that is Σ_k α_k cos(w_k(a + b − c)) (Nanda et al. 2023, §4.2); for other groups Chughtai et al. 2023, §4.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from grokinterp.runs import Snapshot

from ._components import Places, Table, mean_by_answer, mean_by_quotient
from ._remembered import remembered


@dataclass(frozen=True, eq=False)
class LogitDecomposition:
    """Coefficients of the logits on C_ρ = χ_ρ(answer · c⁻¹), unit vectors over the n³ cube.

    The cube are the pairs whose answer is in the group, and the answers in the group. Index ρ of each array is the
    irrep, for Z_p the frequency 0 … ⌊p/2⌋ with C_k = cos(w_k(answer − c)).

    - `coefficients`: v_ρ = ⟨C_ρ, L⟩. `amplitudes`: α_ρ, what v_ρ C_ρ gives to the right answer; v_k C_k = α_k cos(…).
    - `cosine_similarity`: v_ρ / ‖L‖, uncentred as in TransformerLens' demo.
    - `logit_similarity`: v_ρ / ‖L̃‖, as in Chughtai et al. 2023, L̃ = L − mean over c (the softmax ignores that mean).
    - `share`: its square, the fraction of variance. The C_ρ are orthogonal and have zero mean over c, so shares add up
      and least squares gives the same α_ρ.
    - `profile`: the mean of L̃ over all inputs and c at the same answer · c⁻¹ = g (answer − c = d), for every g.

    Where some answers have more pairs than others, every answer counts alike; one that no pair has does not count.
    """

    keys: tuple[int, ...]
    coefficients: Float[np.ndarray, " irrep"]
    amplitudes: Float[np.ndarray, " irrep"]
    cosine_similarity: Float[np.ndarray, " irrep"]
    logit_similarity: Float[np.ndarray, " irrep"]
    share: Float[np.ndarray, " irrep"]
    profile: Float[np.ndarray, " n"]

    @property
    def variance_explained(self) -> float:
        """Fraction of the variance of L̃ in the key irreps together."""
        return float(self.share[list(self.keys)].sum())

    @property
    def variance_explained_by_all(self) -> float:
        """Fraction of the variance of L̃ in all irreps together (`percent_logits_explained` of Chughtai et al. 2023)."""
        return float(self.share.sum())

    @property
    def residual(self) -> float:
        """‖L̃ − Σ_key v_ρ C_ρ‖ / ‖L̃‖."""
        return float(np.sqrt(max(0.0, 1.0 - self.variance_explained)))


def logit_decomposition(snapshot: Snapshot, keys: tuple[int, ...]) -> LogitDecomposition:
    """`decompose_logits` of a checkpoint's logits, which is done once."""
    return replace(_of_snapshot(snapshot), keys=keys)


@remembered
def _of_snapshot(snapshot: Snapshot) -> LogitDecomposition:
    return decompose_logits(snapshot.logits, Places.of(snapshot.task), (), mean_logits_by_answer(snapshot))


@remembered
def mean_logits_by_answer(snapshot: Snapshot) -> Table:
    """`mean_by_answer` of a checkpoint's logits."""
    return mean_by_answer(snapshot.logits, Places.of(snapshot.task))


def decompose_logits(
    logits: Float[np.ndarray, "pair answer"],
    places: Places,
    keys: tuple[int, ...],
    means: Table | None = None,
) -> LogitDecomposition:
    """Project logits on the character of each irrep, in float64; `means` by answer, where they are known already.

    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task = Task(TaskConfig(p=7))
    >>> angle = 2 * np.pi * (task.answers[:, None] - np.arange(7)) / 7
    >>> decomposition = decompose_logits(3 * np.cos(2 * angle) + 10, Places.of(task), (2,))
    >>> round(decomposition.amplitudes[2], 9), round(decomposition.variance_explained, 9)
    (np.float64(3.0), 1.0)
    """
    structure, weights = places.structure, places.weights
    n = structure.n
    kept = logits if n == places.task.n_answers else logits[:, np.sort(structure.outputs)]
    row_means = kept.mean(axis=1, dtype=np.float64)
    if weights is None:
        squared = np.einsum("nc,nc->", kept, kept, dtype=np.float64)
        centred = float(squared - n * row_means @ row_means)
    else:
        squares = np.einsum("nc,nc->n", kept, kept, dtype=np.float64)
        squared = squares @ weights
        centred = float((squares - n * row_means**2) @ weights)
    means = (mean_by_answer(logits, places) if means is None else means)[:, structure.outputs]
    answered = places.answered
    profile = mean_by_quotient(means - means.mean(axis=1, keepdims=True), structure, answered)
    # Every answer stands for n pairs: that many rows has the cube over which C_ρ is a unit vector.
    rows = n * len(answered)
    coefficients = np.sqrt(rows) * (structure.basis.class_functions @ profile)
    coefficients[0] = 0.0  # Exactly: the mean over c is gone.
    similarity = coefficients / np.sqrt(centred) if centred > 0 else np.zeros_like(coefficients)
    identity = structure.basis.class_functions[:, structure.group.identity]
    return LogitDecomposition(
        keys=keys,
        coefficients=coefficients,
        amplitudes=coefficients * identity / np.sqrt(rows),
        cosine_similarity=coefficients / np.sqrt(squared) if squared > 0 else np.zeros_like(coefficients),
        logit_similarity=similarity,
        share=coefficients**2 / centred if centred > 0 else np.zeros_like(coefficients),
        profile=profile,
    )
