"""The arithmetic of the basis on the last axes of an array, written once for every array library.

Only slices, reshapes and FFTs: no index arrays, which would have to live on the right device, and no writing
in place, so that torch's gradients and JAX's tracing pass through.
"""

import math
from collections.abc import Callable

from ._array import Array, Namespace

SQRT2 = math.sqrt(2)


def along(xp: Namespace, function: Callable, x: Array, axis: int) -> Array:
    """A function of the last axis, applied along another one."""
    return xp.moveaxis(function(xp, xp.moveaxis(x, axis, -1)), -1, axis)


def pair_count(n: int) -> int:
    """How many frequencies have both a cosine and a sine: the constant and the Nyquist row have no sine."""
    return (n - 1) // 2


def coefficients(xp: Namespace, x: Array) -> Array:
    """The last axis as const, cos 1, sin 1, …: of the orthonormal FFT, cos is √2 Re and sin is −√2 Im."""
    if 0 in x.shape:
        # torch's FFT refuses an empty batch; nothing is there to transform.
        return x
    *batch, n = x.shape
    pairs = pair_count(n)
    spectrum = xp.fft.rfft(x, norm="ortho")
    real, imaginary = xp.real(spectrum), xp.imag(spectrum)
    both = SQRT2 * xp.stack([real[..., 1 : pairs + 1], -imaginary[..., 1 : pairs + 1]], axis=-1)
    return xp.concat(
        # The last slice is the Nyquist row, and empty for odd n.
        [real[..., :1], xp.reshape(both, (*batch, 2 * pairs)), real[..., pairs + 1 :]],
        axis=-1,
    )


def values(xp: Namespace, c: Array) -> Array:
    """The inverse of `coefficients`."""
    if 0 in c.shape:
        return c
    *batch, n = c.shape
    pairs = pair_count(n)
    constant, nyquist = c[..., :1], c[..., 2 * pairs + 1 :]
    both = xp.reshape(c[..., 1 : 2 * pairs + 1], (*batch, pairs, 2)) / SQRT2
    real = xp.concat([constant, both[..., 0], nyquist], axis=-1)
    imaginary = xp.concat([xp.zeros_like(constant), -both[..., 1], xp.zeros_like(nyquist)], axis=-1)
    dtype = xp.complex64 if c.dtype == xp.float32 else xp.complex128
    spectrum = xp.astype(real, dtype) + 1j * xp.astype(imaginary, dtype)
    return xp.fft.irfft(spectrum, n=n, norm="ortho")


def by_frequency(xp: Namespace, squares: Array) -> Array:
    """The last axis, one entry per row of the basis, summed to one entry per frequency 0, 1, …, n//2."""
    *batch, n = squares.shape
    pairs = pair_count(n)
    both = xp.reshape(squares[..., 1 : 2 * pairs + 1], (*batch, pairs, 2))
    return xp.concat([squares[..., :1], xp.sum(both, axis=-1), squares[..., 2 * pairs + 1 :]], axis=-1)


def sums_over_pairs(xp: Namespace, x: Array) -> Array:
    """Σ_{a+b=s} x[…, a, b] / √n on the last two axes.

    Row a must be turned by a places before the rows are added. Doubling every row and reading the doubled
    grid with rows of 2n − 1 instead of 2n numbers does so: entry (a, s) is then x[a, (s − a) mod n].
    """
    *batch, n, _ = x.shape
    doubled = xp.reshape(xp.concat([x, x], axis=-1), (*batch, 2 * n * n))
    sheared = xp.reshape(doubled[..., n:], (*batch, n, 2 * n - 1))
    return xp.sum(sheared[..., :n], axis=-2) / math.sqrt(n)


def reflected(xp: Namespace, x: Array) -> Array:
    """x[…, −b mod n] on the last axis."""
    return xp.roll(xp.flip(x, axis=-1), 1, axis=-1)
