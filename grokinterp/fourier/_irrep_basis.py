"""What the Fourier bases of all groups have in common: orthonormal rows in blocks, a block for each irrep."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from array_api_compat import device
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

from ._array import Array, Axes, Integer, Namespace, axis_of_length, grid_axes, real_array, shown
from ._transform import along

if TYPE_CHECKING:
    IrrepKey: TypeAlias = Hashable
    IrrepKeys: TypeAlias = Iterable[Hashable]
else:
    # A checker at run time would answer first; the errors of this room say what is needed.
    IrrepKey = IrrepKeys = Any


class IrrepBasis(ABC):
    """An orthonormal basis of the real functions on a group of order n, in blocks by irrep.

    Irreps are named by their index, 0 for the trivial one; on Z_n that is the frequency.

    Every method takes NumPy, torch and JAX arrays, on any device, and answers in kind; gradients flow.
    float32 stays float32 and float64 stays float64; half precision becomes float32; integers and booleans
    become float64 (float32 on MPS and in JAX without x64); lists become float64 NumPy arrays.
    """

    n: int

    @cached_property
    def irrep_names(self) -> tuple[str, ...]:
        """A name for each irrep."""
        raise NotImplementedError

    @cached_property
    def dimensions(self) -> tuple[int, ...]:
        """The dimension d of each irrep over the reals."""
        raise NotImplementedError

    @cached_property
    def commutant_dimensions(self) -> tuple[int, ...]:
        """For each irrep the dimension m of what commutes with it; it has d²/m rows."""
        raise NotImplementedError

    @cached_property
    def matrix(self) -> np.ndarray:
        """The basis vectors as rows."""
        raise NotImplementedError

    @cached_property
    def characters(self) -> np.ndarray:
        """The trace of each irrep at each element."""
        raise NotImplementedError

    @abstractmethod
    def rows(self, irrep: Any, /) -> tuple[int, ...]:
        """The rows of one irrep."""

    @property
    @abstractmethod
    def _group_name(self) -> str:
        """How errors call the group."""

    @property
    @abstractmethod
    def _product_table(self) -> np.ndarray:
        """The index of g·h in row g, column h."""

    @abstractmethod
    def _coefficients(self, xp: Namespace, x: Array) -> Array:
        """The transform of the last axis."""

    @abstractmethod
    def _values(self, xp: Namespace, c: Array) -> Array:
        """The inverse transform of the last axis."""

    @abstractmethod
    def _by_irrep(self, xp: Namespace, squares: Array) -> Array:
        """The last axis, an entry for each row, summed to an entry for each irrep."""

    @cached_property
    def class_functions(self) -> Float[np.ndarray, "irrep {self.n}"]:
        """The characters at unit length, χ/√(n·m): an orthonormal row for each irrep, read-only.

        They span what is constant on every class of conjugate elements and their inverses.

        >>> from grokinterp.fourier import FourierBasis
        >>> FourierBasis(3).class_functions.round(3).tolist()
        [[0.577, 0.577, 0.577], [0.816, -0.408, -0.408]]
        """
        functions = self.characters / np.sqrt(self.n * np.array(self.commutant_dimensions))[:, None]
        functions.setflags(write=False)
        return functions

    def transform(self, x: Array, axis: Integer = -1) -> Float[Array, "..."]:
        """The coefficients Σ_g row[g] x[g] along an axis of length n, which counts the rows in the result.

        >>> from grokinterp.fourier import FourierBasis
        >>> FourierBasis(4).transform([1, 2, 1, 0]).round(3).tolist()  # 1 + sin(2πx/4)
        [2.0, 0.0, 1.414, 0.0]
        """
        xp, x = real_array(x)
        return along(xp, self._coefficients, x, self._axis(x, axis))

    def inverse(self, coefficients: Array, axis: Integer = -1) -> Float[Array, "..."]:
        """The function Σ_row coefficient · row with these coefficients along an axis: undoes `transform`.

        >>> from grokinterp.fourier import FourierBasis
        >>> FourierBasis(4).inverse([2, 0, 0, 0]).tolist()
        [1.0, 1.0, 1.0, 1.0]
        """
        xp, c = real_array(coefficients, "coefficients")
        return along(xp, self._values, c, self._axis(c, axis))

    def transform_2d(self, x: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The coefficients on the products row_i[a] row_j[b], along two axes of length n.

        >>> from grokinterp.fourier import FourierBasis
        >>> basis = FourierBasis(5)
        >>> int(basis.transform_2d(np.outer(basis.matrix[1], basis.matrix[4])).argmax())  # 5 · 1 + 4
        9
        """
        _, x = real_array(x)
        a, b = self._grid(x, axes)
        return self.transform(self.transform(x, a), b)

    def inverse_2d(self, coefficients: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The function on the grid with these coefficients along two axes: undoes `transform_2d`.

        >>> from grokinterp.fourier import FourierBasis
        >>> FourierBasis(2).inverse_2d([[2, 0], [0, 0]]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
        """
        _, c = real_array(coefficients, "coefficients")
        a, b = self._grid(c, axes)
        return self.inverse(self.inverse(c, a), b)

    def power(self, x: Array, axis: Integer = -1) -> Float[Array, "..."]:
        """The squared norm of each irrep's part of x: the axis now counts the irreps.

        It adds up to Σ x² along the axis (Parseval).

        >>> from grokinterp.fourier import FourierBasis
        >>> FourierBasis(4).power([1, 0, -1, 0]).round(6).tolist()
        [0.0, 2.0, 0.0]
        """
        xp, x = real_array(x)
        index = self._axis(x, axis)
        c = along(xp, self._coefficients, x, index)
        return along(xp, self._by_irrep, c * c, index)

    def power_2d(self, x: Array, axes: Axes = (0, 1)) -> Float[Array, "..."]:
        """The squares of `transform_2d`, summed over each block (irrep of a, irrep of b).

        Both axes now count the irreps, and all blocks together add up to Σ x² over the grid.

        >>> from grokinterp.fourier import FourierBasis
        >>> FourierBasis(4).power_2d([[1, 0, -1, 0]] * 4).round(6).tolist()  # does not depend on a
        [[0.0, 8.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
        """
        xp, c = real_array(self.transform_2d(x, axes))
        a, b = self._grid(c, axes)
        return along(xp, self._by_irrep, along(xp, self._by_irrep, c * c, a), b)

    def project(self, x: Array, irreps: IrrepKeys, axis: Integer = -1) -> Float[Array, "..."]:
        """The orthogonal projection of x on the rows of the named irreps (0 is the constant) along an axis.

        >>> from grokinterp.fourier import FourierBasis
        >>> FourierBasis(4).project([4.0, 2.0, 0.0, 2.0], [0]).tolist()
        [2.0, 2.0, 2.0, 2.0]
        """
        kept = np.zeros(self.n)
        for irrep in self._several(irreps):
            kept[list(self.rows(irrep))] = 1
        xp, x = real_array(x)
        index = self._axis(x, axis)
        c = self._coefficients(xp, xp.moveaxis(x, index, -1))
        mask = xp.asarray(kept, dtype=c.dtype, device=device(c))
        return xp.moveaxis(self._values(xp, c * mask), -1, index)

    def product_directions(self, irrep: IrrepKey) -> Float[np.ndarray, "r {self.n} {self.n}"]:
        """The unit vectors over the grid that depend on g·h alone, as `rows(irrep)` says: row[g·h]/√n, float64.

        These are the directions in which the logits of a network lie that multiplies in the group, as
        ρ(g·h) = ρ(g) ρ(h) (Chughtai et al. 2023, arXiv 2302.03025).

        >>> from grokinterp.fourier import FourierBasis
        >>> (2 * FourierBasis(2).product_directions(1)).round(6).tolist()
        [[[1.0, -1.0], [-1.0, 1.0]]]
        """
        return self._directions(irrep, self._product_table)

    def _directions(self, irrep: IrrepKey, point: np.ndarray) -> np.ndarray:
        return self.matrix[list(self.rows(irrep))][:, point] / math.sqrt(self.n)

    def _several(self, irreps: IrrepKeys) -> list:
        try:
            # The letters of a name are no irreps.
            return [irreps] if isinstance(irreps, str) else list(irreps)
        except TypeError as error:
            raise GrokinterpError(f"irreps = {shown(irreps)}: needs several; give a list, e.g. [0, 5]") from error

    def _axis(self, x: Array, axis: Integer) -> int:
        return axis_of_length(x, axis, self.n, self._group_name)

    def _grid(self, x: Array, axes: Axes) -> tuple[int, int]:
        return grid_axes(x, axes, self.n, self._group_name)
