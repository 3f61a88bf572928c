"""The amplitude of a circle over the distance of the inputs, with the phase of b left free."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Pattern = Float[np.ndarray, " n"]
# Angles tried at first, and again between the neighbours of the best.
ANGLES = 360


@dataclass(frozen=True)
class PhaseFit:
    """f(d) = o + (e − o)·|cos((w_k d − ψ)/2)|, by least squares in o, e and ψ.

    - `at_equal`, `at_opposite`: e and o, the amplitude where a's point and b's, turned by ψ, coincide, and where they
      lie opposite.
    - `phase`: ψ in radians, −π … π: where the two points coincide, w_k(i − j) = ψ.
    - `fit`: the share of Σ f² that it gives, 1 where f is 0.
    """

    at_equal: float
    at_opposite: float
    phase: float
    fit: float

    @property
    def fill(self) -> float:
        """o/e: 0 for a pizza, 1 for the same amplitude everywhere, more where it grows with the distance.

        NaN where nothing is left at equal inputs.
        """
        return self.at_opposite / self.at_equal if self.at_equal > 0 else float("nan")


def fit_phase(f: Pattern, freq: int, *, near: float | None = None) -> PhaseFit:
    """Fit the amplitude of a circle over d = i − j.

    `near`: the phase as the neurons show it. The fit then looks within an eighth of a turn of it, and the amplitude may
    grow with the distance (o > e). Without it o ≤ e: what grows with the distance is taken for what falls, turned by π.

    >>> d = np.arange(12)
    >>> turned = 3 * np.abs(np.cos((2 * np.pi * d / 12 - 1.0) / 2))
    >>> found = fit_phase(turned, 1)
    >>> round(found.at_equal, 2), round(found.fill, 2), round(found.phase, 2), round(found.fit, 4)
    (3.0, 0.0, 1.0, 1.0)
    """
    n, square = len(f), float(f @ f)
    if square == 0:
        return PhaseFit(0.0, 0.0, near or 0.0, 1.0)
    angles = np.linspace(-np.pi, np.pi, ANGLES, endpoint=False) if near is None else near + _around(np.pi / 4)
    width = 2 * np.pi / ANGLES if near is None else np.pi / 2 / ANGLES
    turns, found = 2 * np.pi * freq * np.arange(n) / n, (0.0, 0.0, 0.0, square)
    for _ in range(2):
        constant, slope, left = _solved(f, turns, angles)
        if near is None:
            left = np.where(slope >= 0, left, np.inf)
        best = int(np.argmin(left))
        if not np.isfinite(left[best]):  # Nothing falls with the distance: the same amplitude everywhere.
            mean = float(f.mean())
            return PhaseFit(mean, mean, 0.0, 1 - float(((f - mean) ** 2).sum()) / square)
        found = constant[best], slope[best], angles[best], left[best]
        angles = angles[best] + _around(width)
    o, rise, phase, residual = map(float, found)
    return PhaseFit(o + rise, o, float(np.angle(np.exp(1j * phase))), 1 - residual / square)


def _around(width: float) -> Float[np.ndarray, " angle"]:
    return np.linspace(-width, width, ANGLES)


def _solved(f: Pattern, turns: Pattern, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per angle: o, e − o and the sum of squares that is left."""
    patterns = np.abs(np.cos((turns - angles[:, None]) / 2))
    means, mean = patterns.mean(axis=1, keepdims=True), f.mean()
    centred = patterns - means
    variance = (centred**2).sum(axis=1)
    slope = np.where(variance > 1e-12, centred @ (f - mean) / np.maximum(variance, 1e-12), 0.0)
    left = np.maximum(((f - mean) ** 2).sum() - slope**2 * variance, 0.0)
    return mean - slope * means[:, 0], slope, left
