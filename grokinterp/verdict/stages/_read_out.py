"""Stage three: what shape the read-out of s has.

L̄[s, c] is the mean of the centred logits over the pairs of equal s. Its 2-D Fourier transform over the group says what
each frequency k of s becomes at the answers: a rotation cos w_k(s − c), as in a clock and a pizza; a reflection
cos(w_k(s + c) + φ), which makes an ellipse of the answers' circle; harmonics, other frequencies of c. Beside them there
is the bias of the answers, the same for every s.
"""

from dataclasses import dataclass

import numpy as np

from grokinterp.analysis import Places, mean_by_answer
from grokinterp.runs import Snapshot


@dataclass(frozen=True)
class CircleReadOut:
    """One frequency of s, as shares of the variance of L̄.

    `gains`: the singular values of the 2 × 2 map from (cos w_k s, sin w_k s) to (cos w_k c, sin w_k c): equal for a
    rotation, unequal for an ellipse, one of them 0 for a line.
    """

    freq: int
    rotation: float
    reflection: float
    harmonics: float
    gains: tuple[float, float]

    @property
    def roundness(self) -> float:
        """The smaller gain over the larger: 1 for a circle, 0 for a line."""
        return self.gains[1] / self.gains[0] if self.gains[0] > 0 else float("nan")


@dataclass(frozen=True)
class ReadOut:
    """All circles, and what is left: shares of the variance of L̄ that add up to 1.

    `bias`: of the answers, the same for every s; `rest`: the frequencies of s that are no keys.
    """

    circles: tuple[CircleReadOut, ...]
    bias: float
    rest: float

    @property
    def rotation(self) -> float:
        return sum(circle.rotation for circle in self.circles)

    @property
    def reflection(self) -> float:
        return sum(circle.reflection for circle in self.circles)

    @property
    def harmonics(self) -> float:
        return sum(circle.harmonics for circle in self.circles)


def read_out(snapshot: Snapshot, keys: tuple[int, ...]) -> ReadOut:
    """Take the read-out of a network on a cyclic group apart.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    >>> found = read_out(Snapshot(0, task, config, initial_weights(config, task)), (1, 2, 3))
    >>> round(found.rotation + found.reflection + found.harmonics + found.bias + found.rest, 6)
    1.0
    """
    places = Places.of(snapshot.task)
    n = places.structure.n
    table = mean_by_answer(snapshot.logits, places)[:, places.structure.outputs]
    table = table - table.mean(axis=1, keepdims=True)
    waves = np.fft.fft2(table) / n**2
    power = np.abs(waves) ** 2
    total = float(power.sum()) or 1.0
    circles = []
    for freq in keys:
        is_real = 2 * freq == n
        of_s = power[freq].sum() * (1 if is_real else 2)
        turned, mirrored = waves[freq, -freq % n], waves[freq, freq]
        rotation = np.abs(turned) ** 2 * (1 if is_real else 2)
        reflection = 0.0 if is_real else 2 * np.abs(mirrored) ** 2
        long, short = np.abs(turned), 0.0 if is_real else np.abs(mirrored)
        circles.append(
            CircleReadOut(
                freq,
                float(rotation / total),
                float(reflection / total),
                float((of_s - rotation - reflection) / total),
                (float(2 * (long + short)), float(2 * abs(long - short))),
            )
        )
    bias = float(power[0].sum() / total)
    used = sum(circle.rotation + circle.reflection + circle.harmonics for circle in circles)
    return ReadOut(tuple(circles), bias, max(0.0, 1 - bias - used) if power.sum() else 0.0)
