"""The amplitude of a circle over the distance of the inputs, with the phase of b left free."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Pattern = Float[np.ndarray, " n"]
# Angles tried at first, and again between the neighbours of the best.
ANGLES = 360
# A second harmonic is fitted too where that leaves a tenth of what is left without it. A circle of five points has
# three distances but for the sign, which e, o and h would fit whatever they are.
RIVAL, ENOUGH_POINTS = 0.1, 6


@dataclass(frozen=True)
class PhaseFit:
    """f(d) = o + (e − o)·|c| + h·(|c| − c²) with c = cos((w_k d − ψ)/2), by least squares in o, e, h and ψ.

    - `at_equal`, `at_opposite`: e and o, the amplitude where a's point and b's, turned by ψ, coincide, and where they
      lie opposite.
    - `phase`: ψ in radians, −π … π: where the two points coincide, w_k(i − j) = ψ.
    - `fit`: the share of Σ f² that it gives, 1 where f is 0.
    - `harmonic`: h, 0 unless it leaves a tenth of what is left without it. A pizza that a second harmonic fills,
      A|c| − B cos(w_k d − ψ), has o = B, e = A − B and h = 2B.
    """

    at_equal: float
    at_opposite: float
    phase: float
    fit: float
    harmonic: float = 0.0

    @property
    def fill(self) -> float:
        """o/e: 0 for a pizza, 1 for the same amplitude everywhere, more where it grows with the distance.

        NaN where nothing is left at equal inputs.
        """
        return self.at_opposite / self.at_equal if self.at_equal > 0 else float("nan")

    def amplitude(self, angle: np.ndarray) -> np.ndarray:
        """The fit at w_k d − ψ = `angle`."""
        c = np.abs(np.cos(angle / 2))
        return self.at_opposite + (self.at_equal - self.at_opposite) * c + self.harmonic * (c - c**2)

    def corrected(self, f: Pattern, freq: int, angle: float) -> float:
        """The fit at an angle, with what it misses of f at the distances nearest to it."""
        angles = 2 * np.pi * freq * np.arange(len(f)) / len(f) - self.phase
        away = np.abs(np.angle(np.exp(1j * (angles - angle))))
        nearest = away < away.min() + 1e-6
        missed = f[nearest] - self.amplitude(angles[nearest])
        return float(self.amplitude(np.array([angle]))[0] + missed.mean())


def fit_phase(f: Pattern, freq: int, *, near: float | None = None) -> PhaseFit:
    """Fit the amplitude of a circle over d = i − j.

    `near`: the phase as the neurons show it. The fit then looks within an eighth of a turn of it, and the amplitude may
    grow with the distance (o > e). Without it o ≤ e: what grows with the distance is taken for what falls, turned by π.

    >>> d = np.arange(12)
    >>> turned = 3 * np.abs(np.cos((2 * np.pi * d / 12 - 1.0) / 2))
    >>> found = fit_phase(turned, 1)
    >>> round(found.at_equal, 2), round(found.fill, 2), round(found.phase, 2), round(found.fit, 4)
    (3.0, 0.0, 1.0, 1.0)
    >>> x = 2 * np.pi * d / 12
    >>> round(fit_phase(5 * np.abs(np.cos(x / 2)) - 2 * np.cos(x), 1, near=0.0).fill, 2)
    0.67
    """
    n, square = len(f), float(f @ f)
    if square == 0:
        return PhaseFit(0.0, 0.0, near or 0.0, 1.0)
    turns = 2 * np.pi * freq * np.arange(n) / n
    found = _searched(f, turns, near, harmonic=False)
    if n // math.gcd(n, freq) >= ENOUGH_POINTS:
        other = _searched(f, turns, near, harmonic=True)
        if 1 - other.fit < RIVAL * (1 - found.fit):
            return other
    return found


def _searched(f: Pattern, turns: Pattern, near: float | None, *, harmonic: bool) -> PhaseFit:
    square = float(f @ f)
    angles = np.linspace(-np.pi, np.pi, ANGLES, endpoint=False) if near is None else near + _around(np.pi / 4)
    width, found = 2 * np.pi / ANGLES if near is None else np.pi / 2 / ANGLES, (0.0, 0.0, 0.0, 0.0, square)
    for _ in range(2):
        constant, slope, height, left = _solved(f, turns, angles, harmonic=harmonic)
        if near is None:
            left = np.where(slope >= 0, left, np.inf)
        best = int(np.argmin(left))
        if not np.isfinite(left[best]):  # Nothing falls with the distance: the same amplitude everywhere.
            mean = float(f.mean())
            return PhaseFit(mean, mean, 0.0, 1 - float(((f - mean) ** 2).sum()) / square)
        found = constant[best], slope[best], height[best], angles[best], left[best]
        angles = angles[best] + _around(width)
    o, rise, h, phase, residual = map(float, found)
    return PhaseFit(o + rise, o, float(np.angle(np.exp(1j * phase))), 1 - residual / square, h)


def _around(width: float) -> Float[np.ndarray, " angle"]:
    return np.linspace(-width, width, ANGLES)


def _solved(
    f: Pattern, turns: Pattern, angles: np.ndarray, *, harmonic: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per angle: o, e − o, h and the sum of squares that is left."""
    c = np.abs(np.cos((turns - angles[:, None]) / 2))
    means, mean = c.mean(axis=1), f.mean()
    rest, waves = f - mean, c - means[:, None]
    if not harmonic:
        variance = (waves**2).sum(axis=1)
        slope = np.where(variance > 1e-12, waves @ rest / np.maximum(variance, 1e-12), 0.0)
        left = np.maximum((rest**2).sum() - slope**2 * variance, 0.0)
        return mean - slope * means, slope, np.zeros_like(slope), left
    bump = c - c**2
    columns = np.stack([waves, bump - bump.mean(axis=1, keepdims=True)], axis=1)
    inverse = np.linalg.pinv(columns @ columns.swapaxes(1, 2), rcond=1e-9, hermitian=True)
    slope, height = (inverse @ (columns @ rest)[:, :, None])[:, :, 0].T
    left = rest - slope[:, None] * columns[:, 0] - height[:, None] * columns[:, 1]
    return mean - slope * means - height * bump.mean(axis=1), slope, height, (left**2).sum(axis=1)
