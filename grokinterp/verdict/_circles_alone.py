"""Each circle left alone in the embedding: does it do its work by itself, and as a clock or as a pizza?

The embeddings are projected on one frequency (their mean stays), and the network runs as it is. A clock's circle then
gives a cosine of the same amplitude at every distance i − j, a pizza's one of amplitude |cos((w_k(i − j) − ψ)/2)|. ψ is
the phase between a's and b's circle: 0 where both have the same tokens and nothing turns one of them. In the whole
network other circles fill the pizza's holes, so that its logits alone cannot tell the two apart: those of the published
pizza (model A of Zhong et al. 2023) are 99.5 % of a clock's form.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.runs import Snapshot

from ._isolated import Isolated
from ._phase_fit import PhaseFit, fit_phase
from .accounts import amplitude_in_network

# A circle of fewer points is described by anything.
FEWEST_POINTS = 5


@dataclass(frozen=True, eq=False)
class CircleAlone:
    """One key frequency k, alone in the embedding.

    - `amplitude`: f_k(d), see `amplitude_by_distance`, of the network with this circle alone.
    - `amplitude_in_network`: of the network as it is.
    - `share`: the fraction of the variance of the network's logits in the cosine of this frequency.
    - `fitted`: f_k(d) by equal and opposite inputs, see `PhaseFit`.
    """

    freq: int
    amplitude: Float[np.ndarray, " n"]
    amplitude_in_network: Float[np.ndarray, " n"]
    share: float
    fitted: PhaseFit

    @property
    def points(self) -> int:
        """n / gcd(n, k), how many places the circle has."""
        return len(self.amplitude) // math.gcd(len(self.amplitude), self.freq)

    @property
    def has_shape(self) -> bool:
        """Whether it has points enough for its amplitude over the distance to say something."""
        return self.points >= FEWEST_POINTS

    @property
    def at_equal(self) -> float:
        """Amplitude where a's point and b's coincide."""
        return self.fitted.at_equal

    @property
    def at_opposite(self) -> float:
        """Amplitude where they lie opposite."""
        return self.fitted.at_opposite

    @property
    def fit(self) -> float:
        """The fraction of Σ f² that the fit gives."""
        return self.fitted.fit

    @property
    def clockness(self) -> float:
        """Amplitude at opposite points over that at equal ones.

        1 for a clock, 0 for a pizza, more than 1 where it grows with the distance; NaN if it has none.
        """
        return self.fitted.fill

    @property
    def works_alone(self) -> float:
        """Mean amplitude alone over that in the network, 0 … 1."""
        whole = self.amplitude_in_network.mean()
        return float(np.clip(self.amplitude.mean() / whole, 0, 1)) if whole > 0 else 0.0


def circles_alone(
    snapshot: Snapshot,
    keys: Iterable[int],
    shares: Mapping[int, float],
    phases: Mapping[int, float | None] | None = None,
) -> tuple[CircleAlone, ...]:
    """Leave each key frequency of a cyclic group alone in the embedding; `shares` as in `CircleAlone`.

    `phases`: frequency → ψ where it is known, as from the neurons; see `fit_phase`.
    """
    psi = phases or {}
    return tuple(circle_alone(snapshot, Isolated.of(snapshot, freq), shares[freq], psi.get(freq)) for freq in keys)


def circle_alone(snapshot: Snapshot, isolated: Isolated, share: float, phase: float | None) -> CircleAlone:
    """One circle of `circles_alone`, of the network whose embeddings are already reduced to it."""
    freq, alone = isolated.freq, isolated.amplitude()
    return CircleAlone(freq, alone, amplitude_in_network(snapshot, freq), share, fit_phase(alone, freq, near=phase))
