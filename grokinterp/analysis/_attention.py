"""What the heads look at from `=`, with which frequency, and whether that changes with the input at all."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from grokinterp.runs import Snapshot

from ._components import Places
from ._neurons import BestIrreps, best_irreps

# A head whose attention varies by less than this standard deviation over the pairs is called near-constant: the irrep
# that explains most of so little, rounding in the extreme, says nothing of what the head does.
NEAR_CONSTANT = 0.01


@dataclass(frozen=True, eq=False)
class AttentionSummary:
    """Attention of the last layer from `=`, over all pairs.

    - `to_a`, `to_b`: per head, the irrep (frequency) whose block explains most of the attention to a (to b) as a
      function of (a, b), and how much of its variance.
    - `spread`: per head, the larger standard deviation of the two over the pairs: a share of attention, 0 to .5.
    """

    to_a: BestIrreps
    to_b: BestIrreps
    spread: Float[np.ndarray, " head"]

    @property
    def is_near_constant(self) -> Bool[np.ndarray, " head"]:
        """Which heads look at the same places whatever the pair, but for a standard deviation below `NEAR_CONSTANT`."""
        return self.spread < NEAR_CONSTANT


def mean_attention(snapshot: Snapshot) -> Float[np.ndarray, "head pos"]:
    """Per head of the last layer, the mean attention from `=` to a, b and `=` (`task.positions`)."""
    return snapshot.pattern.mean(axis=0, dtype=np.float64)


def attention(snapshot: Snapshot) -> AttentionSummary:
    """Summarise the attention pattern (Nanda et al. 2023, §4.1: each head computes with one key frequency)."""
    places, positions = Places.of(snapshot.task), snapshot.task.positions
    patterns = [snapshot.pattern[:, :, positions.index(name)] for name in ("a", "b")]
    spread = np.max([pattern.std(axis=0, dtype=np.float64) for pattern in patterns], axis=0)
    to_a, to_b = (best_irreps(pattern, places) for pattern in patterns)
    return AttentionSummary(to_a, to_b, spread)
