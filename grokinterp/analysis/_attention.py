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
    - `to_a`, `to_b`: per head, the frequency whose 3×3 block explains most of the attention to a (to b) as a function
      of (a, b), and how much of its variance.
    """

    mean: Float[np.ndarray, "head pos"]
    to_a: BestFrequencies
    to_b: BestFrequencies


def attention(snapshot: Snapshot) -> AttentionSummary:
    """Summarise the attention pattern (Nanda et al. 2023, §4.1: each head computes with one key frequency)."""
    pattern, p = snapshot.pattern, snapshot.task.p
    to_a, to_b = (best_frequencies(pattern[:, :, position], p) for position in (0, 1))
    return AttentionSummary(mean=pattern.mean(axis=0, dtype=np.float64), to_a=to_a, to_b=to_b)
