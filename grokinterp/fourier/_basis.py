"""The real Fourier basis of the functions on Z_n."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

from ._array import Array, Axes, Integer, Namespace, Order, integer, real_array, shown
from ._group import FiniteGroup
from ._irrep_basis import IrrepBasis
from ._transform import by_frequency, coefficients, reflected, sums_over_pairs, values


@dataclass(frozen=True)
class FourierBasis(IrrepBasis):
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

    @cached_property
    def irrep_names(self) -> tuple[str, ...]:
        """The irreps of Z_n by frequency.

        >>> FourierBasis(5).irrep_names
        ('0', '1', '2')
        """
        return tuple(map(str, (0, *self.frequencies)))

    @cached_property
    def dimensions(self) -> tuple[int, ...]:
        """2 for a frequency with cosine and sine, 1 for the constant and the Nyquist frequency.

        >>> FourierBasis(6).dimensions
        (1, 2, 2, 1)
        """
        return tuple(len(self.rows(k)) for k in (0, *self.frequencies))

    @cached_property
    def commutant_dimensions(self) -> tuple[int, ...]:
        """The same as `dimensions`: the rotations of a plane are the complex numbers of modulus 1."""
        return self.dimensions

    @cached_property
    def group(self) -> FiniteGroup:
        """Z_n with the table of its sums, built when asked for."""
        return FiniteGroup.cyclic(self.n)

    @cached_property
    def characters(self) -> Float[np.ndarray, "irrep {self.n}"]:
        """For each frequency 2 cos(wx), but 1 for the constant and (−1)^x for the Nyquist row; read-only.

        >>> FourierBasis(3).characters.round(6).tolist()
        [[1.0, 1.0, 1.0], [2.0, -1.0, -1.0]]
        """
        cosines = self.matrix[[self.rows(k)[0] for k in (0, *self.frequencies)]]
        characters = cosines * np.sqrt(self.n * np.array(self.dimensions))[:, None]
        characters.setflags(write=False)
        return characters

    @property
    def _group_name(self) -> str:
        return f"Z_{self.n}"

    @property
    def _product_table(self) -> np.ndarray:
        a = np.arange(self.n)
        return (a[:, None] + a) % self.n

    def _coefficients(self, xp: Namespace, x: Array) -> Array:
        return coefficients(xp, x)

    def _values(self, xp: Namespace, c: Array) -> Array:
        return values(xp, c)

    def _by_irrep(self, xp: Namespace, squares: Array) -> Array:
        return by_frequency(xp, squares)

    def sum_directions(self, frequency: Integer) -> Float[np.ndarray, "r {self.n} {self.n}"]:
        """The unit vectors over the grid proportional to cos w(a+b) and sin w(a+b), w = 2πk/n, as float64.

        As many as `rows(frequency)`; entry [i, a, b] is row_i[a + b mod n] / √n. These are the directions
        in which the logits of modular addition lie, as cos w(a+b) = cos wa cos wb − sin wa sin wb (Nanda et
        al. 2023).

        >>> FourierBasis(3).sum_directions(0).round(3).tolist()
        [[[0.333, 0.333, 0.333], [0.333, 0.333, 0.333], [0.333, 0.333, 0.333]]]
        """
        return self._directions(frequency, self._product_table)

    def difference_directions(self, frequency: Integer) -> Float[np.ndarray, "r {self.n} {self.n}"]:
        """The unit vectors over the grid proportional to cos w(a−b) and sin w(a−b), as `sum_directions`.

        >>> (2 * FourierBasis(2).difference_directions(1)).round(6).tolist()
        [[[1.0, -1.0], [-1.0, 1.0]]]
        """
        a = np.arange(self.n)
        return self._directions(frequency, (a[:, None] - a) % self.n)

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
        a, b = self._grid(x, axes)
        x = xp.moveaxis(x, (a, b), (-2, -1))
        folded = sums_over_pairs(xp, reflected(xp, x) if negate_b else x)
        # Taking out an axis before a moves the place of a one to the front.
        return xp.moveaxis(folded, -1, a - (b < a))
