"""Stage two: how each circle forms the sum, from its amplitude alone, with attention held, and from the neurons."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from grokinterp.analysis import Places
from grokinterp.runs import Snapshot
from grokinterp.verdict._circles_alone import CircleAlone, circle_alone
from grokinterp.verdict._isolated import Isolated
from grokinterp.verdict._phase_fit import PhaseFit, fit_phase
from grokinterp.verdict._thresholds import THRESHOLDS
from grokinterp.verdict.accounts import amplitude_by_distance

from ._held import Patterns, logits_held
from ._neurons import NeuronParts

Mechanism = Literal[
    "pizza", "filled pizza", "overfilled pizza", "torus", "product", "table", "few points", "not alone", "undecided"
]


@dataclass(frozen=True, eq=False)
class CircleStage:
    """One key frequency.

    - `alone`: the circle alone in the embedding, see `CircleAlone`.
    - `held_amplitude`, `held`: its amplitude f_k(d) with attention held at its mean over all pairs, and the fit to it;
      None in a network without attention.
    - `kept`: mean amplitude with attention held over that without; NaN without attention.
    - `neurons`: what the last layer's neurons see and add, see `NeuronParts`.
    """

    alone: CircleAlone
    held_amplitude: Float[np.ndarray, " n"] | None
    held: PhaseFit | None
    kept: float
    neurons: NeuronParts

    @property
    def points(self) -> int:
        """How many places the circle has, see `CircleAlone`."""
        return self.alone.points

    @property
    def freq(self) -> int:
        return self.alone.freq

    @property
    def fitted(self) -> PhaseFit:
        """Its amplitude over the distance, by equal and opposite inputs."""
        return self.alone.fitted

    @property
    def share(self) -> float:
        """Of the logits' variance, see `CircleAlone`."""
        return self.alone.share

    @property
    def fill(self) -> float:
        """Amplitude at opposite inputs over that at equal ones, not clipped."""
        return self.fitted.fill

    @property
    def multiplied(self) -> float:
        """Which part of the amplitude at equal inputs is gone with attention held, 0 … 1; NaN without attention.

        Filling a pizza's hole changes nothing where the inputs are equal; multiplying does.
        """
        if self.held is None or self.fitted.at_equal <= 0:
            return math.nan
        return float(np.clip(1 - self.held.at_equal / self.fitted.at_equal, 0, 1))

    @property
    def mechanism(self) -> Mechanism:
        """By what the circle is formed; the first that holds.

        | mechanism | bound |
        |---|---|
        | few points | the circle has fewer than 5 points: anything fits |
        | table | `table`: so much of its amplitude from neurons that act on few pairs |
        | not alone | less than `works_alone` of its amplitude when alone in the embedding |
        | product | less than `product` of its amplitude with attention held |
        | undecided | the fit gives less than `fit` of Σ f² |
        | pizza | opposite inputs have at most `pizza` of the amplitude at equal ones |
        | overfilled pizza | at least `overfilled` |
        | torus | in between, the neurons adding a's and b's circle in many phases (`disc`) |
        | filled pizza | in between otherwise: they add them in one, and something else fills the hole |

        The bounds are those of `THRESHOLDS`.
        """
        if not self.alone.has_shape:
            return "few points"
        return "table" if THRESHOLDS["table"].holds(self.neurons.local) else self.without_tables

    @property
    def without_tables(self) -> Mechanism:
        """By what the rest of the circle is formed, where table neurons give a part."""
        if not self.alone.has_shape:
            return "few points"
        if not THRESHOLDS["works_alone"].holds(self.alone.works_alone):
            return "not alone"
        if THRESHOLDS["product"].holds(self.kept):
            return "product"
        if math.isnan(self.fill) or not THRESHOLDS["fit"].holds(self.fitted.fit):
            return "undecided"
        if THRESHOLDS["pizza"].holds(self.fill):
            return "pizza"
        if THRESHOLDS["overfilled"].holds(self.fill):
            return "overfilled pizza"
        return "filled pizza" if THRESHOLDS["disc"].holds(self.neurons.alignment) else "torus"

    @property
    def filled_by_attention(self) -> bool:
        """Whether the hole is open once attention is held."""
        holds = THRESHOLDS["pizza"].holds
        return self.held is not None and holds(self.held.fill) and not holds(self.fill)


def circle_stage(snapshot: Snapshot, freq: int, share: float, neurons: NeuronParts, patterns: Patterns) -> CircleStage:
    """Stage two for one circle; `share` as in `CircleAlone`."""
    isolated = Isolated.of(snapshot, freq)
    alone = circle_alone(snapshot, isolated, share, neurons.common_phase)
    if not patterns:
        return CircleStage(alone, None, None, math.nan, neurons)
    if isolated.is_covered:
        amplitude = isolated.held_amplitude(patterns[0][0, :, -1])
    else:
        held_logits = logits_held(isolated.snapshot, patterns)
        amplitude = amplitude_by_distance(held_logits, Places.of(snapshot.task), freq)
    mean = float(alone.amplitude.mean())
    kept = float(amplitude.mean()) / mean if mean > 0 else math.nan
    return CircleStage(alone, amplitude, fit_phase(amplitude, freq, near=neurons.common_phase), kept, neurons)
