"""The real Fourier basis of the functions on Z_n."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from array_api_compat import device
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

from ._array import (
    Array,
    Axes,
    Integer,
    Integers,
    Order,
    axis_of_length,
    grid_axes,
    integer,
    real_array,
    shown,
)
from ._transform import along, by_frequency, coefficients, reflected, sums_over_pairs, values


@dataclass(frozen=True)
class FourierBasis:
    """The orthonormal real Fourier basis of the functions on Z_n: const, cos 1, sin 1, cos 2, sin 2, …

    With w = 2πk/n, the rows are 1/√n, √(2/n) cos(wx) and √(2/n) sin(wx) for 0 < k < n/2, and for even n the
    Nyquist row (−1)^x/√n, last. They are orthonormal because the characters e^{iwx} of Z_n are orthogonal.
    It is the basis in which Nanda et al. 2023 (arXiv 2301.05217) read the weights of a network that adds
    modulo n.

    Every method takes NumPy, torch and JAX arrays, on any device, and answers in kind; gradients flow.
    float32 stays float32 and float64 stays float64; half precision becomes float32; integers and booleans
    become float64 (float32 on MPS and in JAX without x64); lists become float64 NumPy arrays. The work is
    done by the FFT: the n×n matrix is built only when `matrix` or the directions are asked for.

    Raises:
        GrokinterpError: n is no positive integer. The methods raise it for an axis that is not there or not
            of length n, for a frequency outside 0..n//2, and for complex input.

    >>> FourierBasis(5).names
    ('const', 'cos 1', 'sin 1', 'cos 2', 'sin 2')
    """

    n: Order

    def __post_init__(self) -> None:
        n = integer(self.n)
        if n is None or n < 1:
            raise GrokinterpError(
                f"n = {shown(self.n)}: needs an integer n ≥ 1, the number of elements of Z_n; "
                "give the modulus, e.g. FourierBasis(113)"
            )
        # A NumPy integer would hash alike but print and serialise differently.
        object.__setattr__(self, "n", n)

    @property
    def frequencies(self) -> tuple[int, ...]:
        """The frequencies 1, …, n//2 of the rows that are not constant.

        >>> FourierBasis(6).frequencies
        (1, 2, 3)
        """
        return tuple(range(1, self.n // 2 + 1))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each row.

        >>> FourierBasis(4).names
        ('const', 'cos 1', 'sin 1', 'cos 2')
        """
        return ("const", *(f"{kind} {k}" for k in self.frequencies for kind in ("cos", "sin")))[: self.n]

    def rows(self, frequency: Integer) -> tuple[int, ...]:
        """The rows of one frequency: the cosine, then the sine where there is one.

        >>> basis = FourierBasis(6)
        >>> basis.rows(0), basis.rows(2), basis.rows(3)
        ((0,), (3, 4), (5,))
        """
        k = integer(frequency)
        if k is None or not 0 <= k <= self.n // 2:
            raise GrokinterpError(
                f"frequency = {shown(frequency)}: needs an integer from 0 (the constant) to n//2 = "
                f"{self.n // 2}; on Z_{self.n} a frequency k above that is {self.n} − k"
            )
        return (0,) if k == 0 else tuple(row for row in (2 * k - 1, 2 * k) if row < self.n)

    @cached_property
    def matrix(self) -> Float[np.ndarray, "{self.n} {self.n}"]:
        """The basis vectors as rows, read-only float64 NumPy, built once; the transpose is the inverse.

        >>> FourierBasis(3).matrix.round(3).tolist()
        [[0.577, 0.577, 0.577], [0.816, -0.408, -0.408], [0.0, 0.707, -0.707]]
        """
        n, x = self.n, np.arange(self.n)
        matrix = np.full((n, n), 1 / math.sqrt(n))
        for k in self.frequencies:
            # Reduced modulo n first, so that the angle stays exact for large kx.
            angle = 2 * np.pi * (k * x % n) / n
            if 2 * k == n:
                matrix[n - 1] = (1 - 2 * (x % 2)) / math.sqrt(n)
            else:
                matrix[2 * k - 1] = math.sqrt(2 / n) * np.cos(angle)
                matrix[2 * k] = math.sqrt(2 / n) * np.sin(angle)
        matrix.setflags(write=False)
        return matrix

    def transform(self, x: Array, axis: Integer = -1) -> Float[Array, "..."]:
        """The coefficients Σ_j row[j] x[j] along an axis of length n, which counts the rows in the result.

        >>> FourierBasis(4).transform([1, 2, 1, 0]).round(3).tolist()  # 1 + sin(2πx/4)
        [2.0, 0.0, 1.414, 0.0]
        """
        xp, x = real_array(x)
        return along(xp, coefficients, x, axis_of_length(x, axis, self.n))

    def inverse(self, coefficients: Array, axis: Integer = -1) -> Float[Array, "..."]:
        """The function Σ_row coefficient · row with these coefficients along an axis: undoes `transform`.

        >>> FourierBasis(4).inverse([2, 0, 0, 0]).tolist()
        [1.0, 1.0, 1.0, 1.0]
        """
        xp, c = real_array(coefficients, "coefficients")
        return along(xp, values, c, axis_of_length(c, axis, self.n))

    def transform_2d(self, x: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The coefficients on the products row_i[a] row_j[b], along two axes of length n.

        >>> basis = FourierBasis(5)
        >>> int(basis.transform_2d(np.outer(basis.matrix[1], basis.matrix[4])).argmax())  # 5 · 1 + 4
        9
        """
        _, x = real_array(x)
        a, b = grid_axes(x, axes, self.n)
        return self.transform(self.transform(x, a), b)

    def inverse_2d(self, coefficients: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The function on the grid with these coefficients along two axes: undoes `transform_2d`.

        >>> FourierBasis(2).inverse_2d([[2, 0], [0, 0]]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
        """
        _, c = real_array(coefficients, "coefficients")
        a, b = grid_axes(c, axes, self.n)
        return self.inverse(self.inverse(c, a), b)

    def power(self, x: Array, axis: Integer = -1) -> Float[Array, "..."]:
        """The squared norm of each frequency's part of x: the axis now counts the frequencies 0, …, n//2.

        It adds up to Σ x² along the axis (Parseval).

        >>> FourierBasis(4).power([1, 0, -1, 0]).round(6).tolist()
        [0.0, 2.0, 0.0]
        """
        xp, x = real_array(x)
        index = axis_of_length(x, axis, self.n)
        c = along(xp, coefficients, x, index)
        return along(xp, by_frequency, c * c, index)

    def power_2d(self, x: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The squares of `transform_2d`, summed over each block (frequency of a, frequency of b).

        Both axes now have length n//2 + 1, and all blocks together add up to Σ x² over the grid.

        >>> FourierBasis(4).power_2d([[1, 0, -1, 0]] * 4).round(6).tolist()  # does not depend on a
        [[0.0, 8.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
        """
        xp, c = real_array(self.transform_2d(x, axes))
        a, b = grid_axes(c, axes, self.n)
        return along(xp, by_frequency, along(xp, by_frequency, c * c, a), b)

    def project(self, x: Array, irreps: Integers, axis: Integer = -1) -> Float[Array, "..."]:
        """The orthogonal projection of x on the named frequencies (0 is the constant) along an axis.

        >>> FourierBasis(4).project([4.0, 2.0, 0.0, 2.0], [0]).tolist()
        [2.0, 2.0, 2.0, 2.0]
        """
        try:
            named = list(irreps)
        except TypeError as error:
            raise GrokinterpError(
                f"irreps = {shown(irreps)}: needs several integers; give a list, e.g. [0, 5]"
            ) from error
        kept = np.zeros(self.n)
        for frequency in named:
            kept[list(self.rows(frequency))] = 1
        xp, x = real_array(x)
        index = axis_of_length(x, axis, self.n)
        c = coefficients(xp, xp.moveaxis(x, index, -1))
        mask = xp.asarray(kept, dtype=c.dtype, device=device(c))
        return xp.moveaxis(values(xp, c * mask), -1, index)

    def sum_directions(self, frequency: Integer) -> Float[np.ndarray, "r {self.n} {self.n}"]:
        """The unit vectors over the grid proportional to cos w(a+b) and sin w(a+b), w = 2πk/n, as float64.

        As many as `rows(frequency)`; entry [i, a, b] is row_i[a + b mod n] / √n. These are the directions
        in which the logits of modular addition lie, as cos w(a+b) = cos wa cos wb − sin wa sin wb (Nanda et
        al. 2023).

        >>> FourierBasis(3).sum_directions(0).round(3).tolist()
        [[[0.333, 0.333, 0.333], [0.333, 0.333, 0.333], [0.333, 0.333, 0.333]]]
        """
        a = np.arange(self.n)
        return self._directions(frequency, (a[:, None] + a) % self.n)

    def difference_directions(self, frequency: Integer) -> Float[np.ndarray, "r {self.n} {self.n}"]:
        """The unit vectors over the grid proportional to cos w(a−b) and sin w(a−b), as `sum_directions`.

        >>> (2 * FourierBasis(2).difference_directions(1)).round(6).tolist()
        [[[1.0, -1.0], [-1.0, 1.0]]]
        """
        a = np.arange(self.n)
        return self._directions(frequency, (a[:, None] - a) % self.n)

    def _directions(self, frequency: Integer, point: np.ndarray) -> np.ndarray:
        return self.matrix[list(self.rows(frequency))][:, point] / math.sqrt(self.n)

    def fold_sums(self, x: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The function s ↦ (1/√n) Σ_{a+b=s} x[a, b] on Z_n: the part of x that depends on a + b alone.

        A co-isometry from the functions on the grid, whose coefficients are those of x on the sum
        directions: transform(fold_sums(x))[rows(k)] = ⟨sum_directions(k), x⟩. It costs one pass over the n²
        pairs, and no n³-sized array of cosines. With axes = (axis of a, axis of b), the result is x with
        the axis of b taken out and s in the place of a.

        >>> FourierBasis(2).fold_sums([[1, 2], [3, 4]]).round(3).tolist()  # (1 + 4)/√2, (2 + 3)/√2
        [3.536, 3.536]
        """
        return self._fold(x, axes, negate_b=False)

    def fold_differences(self, x: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The function d ↦ (1/√n) Σ_{a−b=d} x[a, b] on Z_n, as `fold_sums` with the difference directions.

        >>> FourierBasis(3).fold_differences([[3, 0, 0], [0, 3, 0], [0, 0, 3]]).round(3).tolist()
        [5.196, 0.0, 0.0]
        """
        return self._fold(x, axes, negate_b=True)

    def _fold(self, x: Array, axes: Axes, *, negate_b: bool) -> Array:
        xp, x = real_array(x)
        a, b = grid_axes(x, axes, self.n)
        x = xp.moveaxis(x, (a, b), (-2, -1))
        folded = sums_over_pairs(xp, reflected(xp, x) if negate_b else x)
        # Taking out an axis before a moves the place of a one to the front.
        return xp.moveaxis(folded, -1, a - (b < a))
