"""What the heads look at from `=`, and with which frequency."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.runs import Snapshot

from ._neurons import BestFrequencies, best_frequencies


@dataclass(frozen=True, eq=False)
class AttentionSummary:
    """Attention of the last layer from `=`, over all p² pairs.

    - `mean`: per head, the mean attention to a, b and `=`.
    - `to_a`: per head, the frequency whose 3×3 block explains most of the attention to a as a function of (a, b).
    """

    mean: Float[np.ndarray, "head pos"]
    to_a: BestFrequencies


def attention(snapshot: Snapshot) -> AttentionSummary:
    """Summarise the attention pattern (Nanda et al. 2023, §4.1: each head computes with one key frequency)."""
    pattern = snapshot.pattern
    return AttentionSummary(
        mean=pattern.mean(axis=0, dtype=np.float64), to_a=best_frequencies(pattern[:, :, 0], snapshot.task.p)
    )
