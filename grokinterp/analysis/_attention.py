"""What the heads look at from `=`, and with which frequency."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.runs import Snapshot

from ._components import Places
from ._neurons import BestIrreps, best_irreps


@dataclass(frozen=True, eq=False)
class AttentionSummary:
    """Attention of the last layer from `=`, over all pairs.

    - `to_a`, `to_b`: per head, the irrep (frequency) whose block explains most of the attention to a (to b) as a
      function of (a, b), and how much of its variance.
    """

    to_a: BestIrreps
    to_b: BestIrreps


def mean_attention(snapshot: Snapshot) -> Float[np.ndarray, "head pos"]:
    """Per head of the last layer, the mean attention from `=` to a, b and `=` (`task.positions`)."""
    return snapshot.pattern.mean(axis=0, dtype=np.float64)


def attention(snapshot: Snapshot) -> AttentionSummary:
    """Summarise the attention pattern (Nanda et al. 2023, §4.1: each head computes with one key frequency)."""
    places, positions = Places.of(snapshot.task), snapshot.task.positions
    to_a, to_b = (best_irreps(snapshot.pattern[:, :, positions.index(name)], places) for name in ("a", "b"))
    return AttentionSummary(to_a, to_b)
