"""Circles that fill the holes of others.

A circle of frequency m can be in the embedding without a cosine of its own in the logits: at twice the frequency of a
pizza k (m = ±2k mod n) its −cos(w_k d) fills the amplitude of k where a and b lie opposite (Zhong et al. 2023 call it
accompanying; Yip et al. 2024 secondary). It shows where it is taken out of the embedding.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.analysis import Places, embedding_spectrum, loss
from grokinterp.runs import Snapshot
from grokinterp.verdict._phase_fit import fit_phase
from grokinterp.verdict._replaced import with_embeddings_in
from grokinterp.verdict.accounts import amplitude_by_distance, amplitude_in_network

from ._stages import Stages, find_stages

# Embedded as strongly as this share of the strongest key: below it a frequency is the embedding's noise.
EMBEDDED = 0.1
# Without it, at least this part of what another circle has at opposite inputs is gone.
FILLS = 0.5


@dataclass(frozen=True)
class WithoutCircle:
    """The network with one frequency taken out of its embedding.

    - `is_key`: whether its cosine is in the logits.
    - `loss`, `ratio`: on all pairs, and over the whole network's.
    - `opposite`: key frequency → amplitude at opposite inputs (without, with), see `PhaseFit.corrected`.
    - `fills`: the keys whose hole is open without it; `multiple` of each: m = ±multiple · k.
    """

    freq: int
    is_key: bool
    loss: float
    ratio: float
    opposite: dict[int, tuple[float, float]]
    fills: dict[int, int]


def without_circles(
    snapshot: Snapshot, keys: tuple[int, ...], stages: Stages | None = None
) -> tuple[WithoutCircle, ...]:
    """Take every circle of the embedding out in turn: the keys, and others that are embedded as clearly.

    `stages`: of the network with these keys, where they are known already.
    """
    places = Places.of(snapshot.task)
    n = places.structure.n
    norms = embedding_spectrum(snapshot).irrep_norms
    embedded = [m for m in range(1, len(norms)) if norms[m] >= EMBEDDED * max(norms[k] for k in keys)]
    every = range(len(norms))
    own = float(loss(snapshot.logits, snapshot.task, "all"))
    # Where b's circle is turned against a's, equal and opposite inputs are those of the neurons' phase.
    circles = (stages or find_stages(snapshot, keys)).circles
    phases = {circle.freq: circle.neurons.common_phase or 0.0 for circle in circles}
    whole = {k: _equal_and_opposite(amplitude_in_network(snapshot, k), k, phases[k]) for k in keys}
    found = []
    for freq in sorted({*keys, *embedded}):
        without = with_embeddings_in(snapshot, [m for m in every if m != freq])
        left = float(loss(without.logits, snapshot.task, "all"))
        opposite, fills = {}, {}
        for k in keys:
            if k == freq:
                continue
            amplitude = amplitude_by_distance(without.logits, places, k)
            at_equal, after = _equal_and_opposite(amplitude, k, phases[k])
            before = whole[k][1]
            opposite[k] = (after, before)
            if before > FILLS * whole[k][0] and at_equal > 0 and after <= (1 - FILLS) * before:
                fills[k] = _multiple(freq, k, n)
        found.append(WithoutCircle(freq, freq in keys, left, left / own if own else float("inf"), opposite, fills))
    return tuple(found)


def _equal_and_opposite(amplitude: Float[np.ndarray, " n"], freq: int, phase: float) -> tuple[float, float]:
    fitted = fit_phase(amplitude, freq, near=phase)
    return fitted.corrected(amplitude, freq, 0.0), fitted.corrected(amplitude, freq, np.pi)


def _multiple(freq: int, key: int, n: int) -> int:
    """The least j > 0 with freq = ±j · key mod n; 0 if there is none."""
    return next((j for j in range(1, n) if (j * key - freq) % n == 0 or (j * key + freq) % n == 0), 0)
