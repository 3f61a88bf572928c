"""The logits as a sum of cosines of one angle: Σ_k α_k cos(w_k(a + b − c)) (Nanda et al. 2023, §4.2)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.tasks import Task

from ._components import cosine_coefficients, mean_by_answer, mean_by_difference


@dataclass(frozen=True, eq=False)
class LogitDecomposition:
    """Coefficients of the logits on C_k = cos(w_k(answer − c)), unit vectors over the p³ cube.

    Index k of each array is the frequency 0 … ⌊p/2⌋.

    - `coefficients`: v_k = ⟨C_k, L⟩. `amplitudes`: α_k with v_k C_k = α_k cos(w_k(answer − c)).
    - `cosine_similarity`: v_k / ‖L‖, uncentred as in TransformerLens' demo.
    - `profile`: the mean of L̃ over all inputs at the same d = answer − c, for d = 0 … p − 1.
    - `share`: v_k² / ‖L̃‖², the fraction of variance, L̃ = L − mean over c (the softmax ignores that mean). The C_k are
      orthogonal and have zero mean over c, so shares add up and least squares gives the same α_k.
    """

    key_frequencies: tuple[int, ...]
    coefficients: Float[np.ndarray, " freq"]
    amplitudes: Float[np.ndarray, " freq"]
    cosine_similarity: Float[np.ndarray, " freq"]
    share: Float[np.ndarray, " freq"]
    profile: Float[np.ndarray, " p"]

    @property
    def variance_explained(self) -> float:
        """Fraction of the variance of L̃ in the key frequencies together."""
        return float(self.share[list(self.key_frequencies)].sum())

    @property
    def residual(self) -> float:
        """‖L̃ − Σ_key v_k C_k‖ / ‖L̃‖."""
        return float(np.sqrt(max(0.0, 1.0 - self.variance_explained)))


def decompose_logits(
    logits: Float[np.ndarray, "pair p"], task: Task, key_frequencies: tuple[int, ...]
) -> LogitDecomposition:
    """Project logits on the cosines of each frequency, in float64.

    >>> from grokinterp.tasks import TaskConfig
    >>> task = Task(TaskConfig(p=7))
    >>> angle = 2 * np.pi * (task.answers[:, None] - np.arange(7)) / 7
    >>> decomposition = decompose_logits(3 * np.cos(2 * angle) + 10, task, (2,))
    >>> round(decomposition.amplitudes[2], 9), round(decomposition.variance_explained, 9)
    (np.float64(3.0), 1.0)
    """
    p = task.p
    squared = np.einsum("nc,nc->", logits, logits, dtype=np.float64)
    row_means = logits.mean(axis=1, dtype=np.float64)
    centred = float(squared - p * row_means @ row_means)
    means = mean_by_answer(logits, task)
    means = means - means.mean(axis=1, keepdims=True)
    coefficients = cosine_coefficients(means)
    coefficients[0] = 0.0  # Exactly: the mean over c is gone.
    norms = np.full(len(coefficients), np.sqrt(p**3 / 2))
    if p % 2 == 0:
        norms[-1] = np.sqrt(p**3)
    return LogitDecomposition(
        key_frequencies=key_frequencies,
        coefficients=coefficients,
        amplitudes=coefficients / norms,
        cosine_similarity=coefficients / np.sqrt(squared) if squared > 0 else np.zeros_like(coefficients),
        share=coefficients**2 / centred if centred > 0 else np.zeros_like(coefficients),
        profile=mean_by_difference(means),
    )
