"""Arrays that know how far rounding may have moved them.

The standard model of floating-point arithmetic (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002,
§2.2 and §3.1): an operation gives the exact result times 1 + δ, |δ| ≤ u = 2⁻⁵³ for float64, so a sum of k products, in
whatever order and with fused operations or without, deviates by at most γ_k Σ|x_i||y_i|, γ_k = k u / (1 − k u). (Of
matrix products it asks that BLAS forms sums of products; Strassen's scheme would not.) Underflow adds less than the
`_TINY` counted per sum.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

U = 2.0**-53
# What the bounds' own evaluation, itself rounded, may lose: sums of k terms lose k·U < 10⁻³ for any k < 10¹².
SAFE = 1.001
_TINY = 1e-290
# exp, tanh and erf of the mathematical libraries are right to a few units in the last place; this allows 16.
_FUNCTION = 32 * U


def gamma(k: int) -> float:
    """γ_k = k u / (1 − k u).

    >>> gamma(1) > U, gamma(1000) < 1001 * U
    (True, True)
    """
    return k * U / (1 - k * U)


@dataclass(frozen=True, eq=False)
class Rounded:
    """A float64 array and one number: no entry is further than `error` from what exact arithmetic gives.

    Infinite and undefined values make the error infinite or NaN, with which nothing can be proved.

    >>> product = Rounded(np.array([[0.1]])) @ Rounded(np.array([[3.0]]))
    >>> 0 < product.error < 1e-15
    True
    """

    value: Float[np.ndarray, "..."]
    error: float = 0.0

    @property
    def largest(self) -> float:
        """max |value|."""
        return float(max(self.value.max(initial=0.0), -self.value.min(initial=0.0)))

    def __add__(self, other: "Rounded") -> "Rounded":
        return _after(self.value + other.value, self.error + other.error)

    def __sub__(self, other: "Rounded") -> "Rounded":
        return _after(self.value - other.value, self.error + other.error)

    def __mul__(self, other: "Rounded") -> "Rounded":
        carried = self.error * other.largest + other.error * self.largest + self.error * other.error
        return _after(self.value * other.value, carried)

    def __matmul__(self, other: "Rounded") -> "Rounded":
        k = self.value.shape[-1]
        of_row, of_column = _largest_sum(self.value, -1), _largest_sum(other.value, -2)
        products = min(of_row * other.largest, self.largest * of_column)
        carried = self.error * of_column + other.error * of_row + k * self.error * other.error
        return Rounded(self.value @ other.value, SAFE * (gamma(k) * products + carried) + (k + 1) * _TINY)

    def __getitem__(self, index: Any) -> "Rounded":
        return Rounded(self.value[index], self.error)

    def reshape(self, *shape: int) -> "Rounded":
        return Rounded(self.value.reshape(*shape), self.error)

    def swapaxes(self, first: int, second: int) -> "Rounded":
        return Rounded(self.value.swapaxes(first, second), self.error)

    def softmax(self, axis: int) -> "Rounded":
        """softmax moves by at most half of what its arguments move by: its Jacobian's rows sum to 2 p (1 − p) ≤ ½.

        Its own evaluation: the difference from the largest argument is off by u·range, which exp turns into a relative
        error; exp, the sum of k terms and the division add theirs; no p is above 1.
        """
        shifted = self.value - self.value.max(axis=axis, keepdims=True)
        raised = np.exp(shifted)
        value = raised / raised.sum(axis=axis, keepdims=True)
        spread = -float(shifted.min(initial=0.0))
        own = 2 * (U * spread + _FUNCTION + gamma(value.shape[axis] + 2))
        return Rounded(value, SAFE * (self.error / 2 + own) + _TINY)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray], lipschitz: float, *, exact: bool) -> "Rounded":
        """Entrywise `function` with its Lipschitz constant; `exact`: its evaluation does not round, as ReLU's.

        Of the others it is assumed that they are right to `_FUNCTION` times their argument or value.
        """
        value = function(self.value)
        own = 0.0 if exact else _FUNCTION * max(self.largest, float(np.abs(value).max(initial=0.0)))
        return Rounded(value, SAFE * (lipschitz * self.error + own) + _TINY)

    def norms_at_most(self) -> Float[np.ndarray, "..."]:
        """Upper bounds of the exact Euclidean norms along the last axis."""
        k = self.value.shape[-1]
        norms = np.sqrt(np.einsum("...k,...k->...", self.value, self.value))
        return norms * (1 + gamma(k + 8)) + (math.sqrt(k) * self.error * SAFE + k * 1e-150)


def _after(value: np.ndarray, carried: float) -> Rounded:
    """The result of one rounded operation on operands that are already off."""
    largest = float(max(value.max(initial=0.0), -value.min(initial=0.0)))
    return Rounded(value, SAFE * (carried + 2 * U * largest) + _TINY)


def _largest_sum(value: np.ndarray, axis: int) -> float:
    return float(np.abs(value).sum(axis=axis).max(initial=0.0))
