"""How the answer s is read out into logits, once a and b are forgotten but for it.

The average of the centred logits over all pairs of equal s is a table M[s, c]. Its two-dimensional Fourier transform
splits it into orthogonal parts (w_k = 2πk/n; keys are the frequencies at which the account looks):

    rotation     cos(w_k(s − c) + χ) at the keys: s and c run around the circle in the same sense
    reflection   cos(w_k(s + c) + χ) at the keys: with a rotation it makes the answers' circle an ellipse, whose half
                 axes, the gains, are the singular values of the 2 × 2 matrix M_k
    bias         a function of c alone, a mean per answer
    harmonics    s at a key frequency, c at another
    other        s at other frequencies

What the average leaves over depends on a and b beyond their answer: `distance`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ._scored import InGroup, Scores, Table

# A read-out takes so much of what the average over equal s varies with s, or as many numbers as it may.
ENOUGH_OF_THE_SUM = 0.999


@dataclass(frozen=True, eq=False)
class ReadOut:
    """Logits replaced by a table M[s, c] of the answer s.

    - `table`: the table, over the group's elements; `scores`: what it gives as an account.
    - `keys`: the frequencies of s that it holds; `parameters`: how many numbers it is made of.
    - `parts`: rotation, reflection, bias, harmonics, other and distance, shares of the variance of the centred logits
      that add up to 1 (`keys` decide which frequencies the first four are of).
    - `gains`: frequency → the singular values of M_k, the larger first: the amplitudes of cos w_k(s − c) along the two
      axes of the ellipse. Equal where the answers lie on a circle; 0 the second where they lie on a line.
    """

    table: Table
    scores: Scores
    keys: tuple[int, ...]
    parameters: int
    parts: dict[str, float]
    gains: dict[int, tuple[float, float]]


def restricted(group: InGroup, keys: Iterable[int]) -> ReadOut:
    """M = b_c + Σ_k (cos w_k c, sin w_k c) M_k (cos w_k s, sin w_k s)ᵀ, any 2 × 2 matrix M_k, by least squares.

    Rotation, reflection and bias of the parts; 4 numbers per frequency (the Nyquist frequency 1) and n for the bias.

    >>> from grokinterp.analysis import Places
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, w = Task(TaskConfig(p=7)), 2 * np.pi / 7
    >>> line = 3 * np.outer(np.cos(w * task.answers), np.cos(w * np.arange(7)))
    >>> found = restricted(InGroup(line, Places.of(task)), (1,))
    >>> round(found.scores.explained, 6), [round(gain, 6) for gain in found.gains[1]]
    (1.0, [3.0, 0.0])
    """
    keys, n = tuple(keys), group.n
    kept = _of_answer_alone(n) | _rotation(n, keys) | _reflection(n, keys)
    parameters = n + sum(1 if 2 * key == n else 4 for key in keys)
    return _read_out(group, kept, keys, keys, parameters)


def read_out(group: InGroup) -> ReadOut:
    """M = b_c + Σ_k (cos w_k s · u_k(c) + sin w_k s · v_k(c)), with any curves u_k, v_k over the answers.

    The frequencies are the strongest of s in the average over equal s, as many as give 99.9 % of what varies with s;
    fewer where they would take more than half of n² numbers, of which each has 2n (the Nyquist frequency n).
    """
    n, power = group.n, _power_by_frequency(group.by_answer)
    chosen, parameters, total = [], n, float(power[1:].sum())
    for key in np.argsort(-power[1:], kind="stable") + 1:
        more = n if 2 * key == n else 2 * n
        if power[chosen].sum() >= ENOUGH_OF_THE_SUM * total or parameters + more > n**2 / 2:
            break
        chosen.append(int(key))
        parameters += more
    keys = tuple(sorted(chosen))
    return _read_out(group, _of_answer_alone(n) | _sums_at(n, keys), keys, keys, parameters)


def average_over_sums(group: InGroup, keys: Iterable[int]) -> ReadOut:
    """M as it is: all that the logits say of s, in n² numbers, so that it shows only that all else is forgotten."""
    keys, n = tuple(keys), group.n
    return _read_out(group, np.ones((n, n), dtype=bool), keys, tuple(range(1, n // 2 + 1)), n**2)


def _read_out(
    group: InGroup, kept: Bool[np.ndarray, "n n"], of_parts: tuple[int, ...], keys: tuple[int, ...], parameters: int
) -> ReadOut:
    coefficients = np.fft.fft2(group.by_answer)
    table = np.fft.ifft2(np.where(kept, coefficients, 0)).real
    scores = group.of_table(table)
    return ReadOut(table, scores, keys, parameters, _parts(group, coefficients, of_parts), _gains(coefficients, keys))


def _parts(group: InGroup, coefficients: np.ndarray, keys: tuple[int, ...]) -> dict[str, float]:
    n = group.n
    bias, rotation, reflection = _of_answer_alone(n), _rotation(n, keys), _reflection(n, keys)
    harmonics = _sums_at(n, keys) & ~rotation & ~reflection
    masks = {"rotation": rotation, "reflection": reflection & ~rotation, "bias": bias, "harmonics": harmonics}
    masks["other"] = ~(bias | rotation | reflection | harmonics)
    # Each coefficient's square over n² is its part of Σ_sc M², and an answer stands for n pairs.
    squares = np.abs(coefficients) ** 2 / n / group.total if group.total else np.zeros((n, n))
    parts = {name: float(squares[mask].sum()) for name, mask in masks.items()}
    return parts | {"distance": max(0.0, 1 - sum(parts.values()))}


def _gains(coefficients: np.ndarray, keys: tuple[int, ...]) -> dict[int, tuple[float, float]]:
    """|rotation| ± |reflection|: the singular values of the sum of a rotation and a reflection of the plane."""
    n, gains = len(coefficients), {}
    for key in keys:
        if 2 * key == n:
            gains[key] = (float(abs(coefficients[key, key])) / n**2, 0.0)
            continue
        rotation, reflection = (2 * float(abs(coefficients[key, other])) / n**2 for other in (-key, key))
        gains[key] = (rotation + reflection, abs(rotation - reflection))
    return gains


def _power_by_frequency(table: Table) -> Float[np.ndarray, " freq"]:
    """Σ over c of the squares of each frequency of s."""
    n = len(table)
    squares = (np.abs(np.fft.fft(table, axis=0)) ** 2).sum(axis=1)
    return np.array([squares[key] + (squares[n - key] if 0 < 2 * key < n else 0) for key in range(n // 2 + 1)])


def _sums_at(n: int, keys: tuple[int, ...]) -> Bool[np.ndarray, "n n"]:
    rows = np.isin(np.arange(n), [*keys, *(n - key for key in keys)])
    return np.broadcast_to(rows[:, None], (n, n))


def _of_answer_alone(n: int) -> Bool[np.ndarray, "n n"]:
    return np.broadcast_to(np.arange(n)[:, None] == 0, (n, n))


def _rotation(n: int, keys: tuple[int, ...]) -> Bool[np.ndarray, "n n"]:
    row, column = np.indices((n, n))
    return _sums_at(n, keys) & ((row + column) % n == 0)


def _reflection(n: int, keys: tuple[int, ...]) -> Bool[np.ndarray, "n n"]:
    return _sums_at(n, keys) & np.eye(n, dtype=bool)
