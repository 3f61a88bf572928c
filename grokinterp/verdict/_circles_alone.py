"""Each circle left alone in the embedding: does it do its work by itself, and as a clock or as a pizza?

The embeddings are projected on one frequency (their mean stays), and the network runs as it is. A clock's circle then
gives a cosine of the same amplitude at every distance i − j, a pizza's one of amplitude |cos(w_k(i − j)/2)|. In the
whole network other circles fill the pizza's holes, so that its logits alone cannot tell the two apart: those of the
published pizza (model A of Zhong et al. 2023) are 99.5 % of a clock's form.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.analysis import Places
from grokinterp.runs import Snapshot

from ._amplitudes import amplitude_by_distance, pizza_pattern
from ._replaced import with_embeddings_in


@dataclass(frozen=True, eq=False)
class CircleAlone:
    """One key frequency k, alone in the embedding.

    - `amplitude`: f_k(d), see `amplitude_by_distance`, of the network with this circle alone.
    - `amplitude_in_network`: of the network as it is.
    - `share`: the fraction of the variance of the network's logits in the cosine of this frequency.
    - `at_equal`, `at_opposite`: amplitude where a's and b's points coincide and where they lie opposite, of the least-
      squares fit f(d) = at_opposite + (at_equal − at_opposite)·|cos(w_k d/2)|; `fit` is the fraction of Σ f² that it
      gives.
    """

    freq: int
    amplitude: Float[np.ndarray, " n"]
    amplitude_in_network: Float[np.ndarray, " n"]
    share: float
    at_equal: float
    at_opposite: float
    fit: float

    @property
    def clockness(self) -> float:
        """Amplitude at opposite points over that at equal ones: 1 for a clock, 0 for a pizza; NaN if it has none."""
        return float(np.clip(self.at_opposite / self.at_equal, 0, 1)) if self.at_equal > 0 else float("nan")

    @property
    def works_alone(self) -> float:
        """Mean amplitude alone over that in the network, 0 … 1."""
        whole = self.amplitude_in_network.mean()
        return float(np.clip(self.amplitude.mean() / whole, 0, 1)) if whole > 0 else 0.0


def circles_alone(snapshot: Snapshot, keys: Iterable[int], shares: Mapping[int, float]) -> tuple[CircleAlone, ...]:
    """Leave each key frequency of a cyclic group alone in the embedding; `shares` as in `CircleAlone`."""
    places = Places.of(snapshot.task)
    return tuple(_circle_alone(snapshot, places, freq, shares[freq]) for freq in keys)


def _circle_alone(snapshot: Snapshot, places: Places, freq: int, share: float) -> CircleAlone:
    alone = amplitude_by_distance(with_embeddings_in(snapshot, (0, freq)).logits, places, freq)
    pattern = pizza_pattern(places.structure.n, freq)
    columns = np.stack([np.ones_like(pattern), pattern], axis=1)
    constant, slope = np.linalg.lstsq(columns, alone, rcond=1e-9)[0]
    fitted, square = columns @ np.array([constant, slope]), float(alone @ alone)
    return CircleAlone(
        freq=freq,
        amplitude=alone,
        amplitude_in_network=amplitude_by_distance(snapshot.logits, places, freq),
        share=share,
        at_equal=float(constant + slope),
        at_opposite=float(constant),
        fit=float(fitted @ fitted) / square if square else 0.0,
    )
