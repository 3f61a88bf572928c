"""The inputs of a layer's neurons as functions of a and b, and the best simple form of each: one frequency, a sum."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float, Int


class Place:
    """The inputs of a layer's neurons at one position: X[i, j] M + bias, with few columns of X where that is known.

    `of_a`, `of_b`: their means over b and over a; `variance`: over all pairs.
    """

    def __init__(
        self, X: Float[np.ndarray, "n n width"], M: Float[np.ndarray, "width d_mlp"] | None = None, bias: object = 0.0
    ) -> None:
        self.X, self.M, self.bias = X, M, np.asarray(bias)
        mean_a, mean_b = X.mean(axis=1), X.mean(axis=0)
        if M is None:
            self.of_a, self.of_b, self.variance = mean_a, mean_b, X.var(axis=(0, 1))
            return
        self.of_a, self.of_b = mean_a @ M + bias, mean_b @ M + bias
        centred = (X - mean_a.mean(axis=0)).reshape(-1, X.shape[2])
        self.variance = np.einsum("wm,wm->m", M, (centred.T @ centred / len(centred)) @ M)

    @cached_property
    def simple(self) -> "SimpleNeurons":
        """The best simple form of every neuron's input."""
        return fit_simple(self)

    @cached_property
    def products(self) -> Float[np.ndarray, "freq d_mlp"]:
        """Of each frequency f = 1 … ⌊n/2⌋ the mean square of what is cos w_f(a ± b) or sin w_f(a ± b)."""
        n = len(self.X)
        freqs = np.arange(1, n // 2 + 1)
        of_a = np.fft.rfft(self.X, axis=0)[1:] / n
        turns = np.exp(2j * np.pi * (np.outer(freqs, np.arange(n)) % n) / n)
        squares = 0.0
        for side in (turns, turns.conj()):
            found = np.matmul(side[:, None], of_a)[:, 0] / n
            squares = squares + np.abs(found if self.M is None else found @ self.M) ** 2
        # The Nyquist frequency has one function of a ± b, the others four.
        return np.where(2 * freqs == n, 0.5, 2.0)[:, None] * squares

    def coefficients(
        self, rows: Float[np.ndarray, "row n"], neurons: Int[np.ndarray, " neuron"]
    ) -> Float[np.ndarray, "row row neuron"]:
        """⟨row r of a, row s of b, input⟩ of some neurons; the first row is the constant, of unit length."""
        X = self.X if self.M is not None else self.X[:, :, neurons]
        found = np.einsum("sj,rjw->rsw", rows, np.tensordot(rows, X, (1, 0)))
        if self.M is None:
            return found
        found = found @ self.M[:, neurons]
        found[0, 0] += len(self.X) * self.bias[neurons]
        return found


@dataclass(frozen=True, eq=False)
class SimpleNeurons:
    """The best simple form of the inputs of a layer's neurons, with the elements i and j of a and b.

    - `freq`: f per neuron; `of_a`, `of_b`: r e^{iφ} and r' e^{iφ'}; `constant`: the mean input.
    - `r2`: the share of the variance of its input that the form gives; `additive`: that any f(a) + g(b) gives. Both NaN
      for an input that does not vary.
    - `freq_of_products`: the frequency whose functions of a, of b and of a ± b give most of the input.
    """

    n: int
    freq: Int[np.ndarray, " d_mlp"]
    of_a: Complex[np.ndarray, " d_mlp"]
    of_b: Complex[np.ndarray, " d_mlp"]
    constant: Float[np.ndarray, " d_mlp"]
    r2: Float[np.ndarray, " d_mlp"]
    additive: Float[np.ndarray, " d_mlp"]
    freq_of_products: Int[np.ndarray, " d_mlp"]


def fit_simple(place: Place) -> SimpleNeurons:
    """Fit by least squares, to the means over b and over a of the inputs.

    >>> wave = np.cos(2 * np.pi * 3 * np.arange(7) / 7 + 1)
    >>> found = fit_simple(Place((2 * wave[:, None] + wave + 5)[:, :, None]))
    >>> found.freq.tolist(), found.r2.round(6).tolist(), np.abs(found.of_a).round(6).tolist()
    ([3], [1.0], [2.0])
    """
    of_a, of_b, variance, n = place.of_a, place.of_b, place.variance, len(place.of_a)
    coefficients = [np.fft.rfft(side, axis=0)[1:] / n for side in (of_a, of_b)]
    # Every frequency stands for two coefficients of the transform, but the Nyquist frequency for one.
    twice = np.where(2 * np.arange(1, n // 2 + 1) == n, 1.0, 2.0)[:, None]
    power = twice * sum(np.abs(side) ** 2 for side in coefficients)
    best = power.argmax(axis=0)
    column = np.arange(power.shape[1])
    varies = variance > 0
    share, additive = (
        np.divide(of, variance, out=np.full(len(variance), np.nan), where=varies)
        for of in (power[best, column], power.sum(axis=0))
    )
    amplitude_a, amplitude_b = ((twice * side)[best, column] for side in coefficients)
    with_products = (power + place.products).argmax(axis=0) + 1
    return SimpleNeurons(n, best + 1, amplitude_a, amplitude_b, of_a.mean(axis=0), share, additive, with_products)


def folded(freq: int, n: int) -> int:
    """The frequency 0 … n/2 that is the same as `freq` on Z_n but for the sense.

    >>> folded(2 * 41, 113), folded(-3, 7)
    (31, 3)
    """
    return min(freq % n, -freq % n)
