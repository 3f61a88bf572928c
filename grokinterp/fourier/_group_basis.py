"""The real Fourier basis of the functions on a finite group."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from array_api_compat import device
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

from ._array import Array, Namespace, integer, shown
from ._irrep import Irrep
from ._irrep_basis import IrrepBasis, IrrepKey
from ._irreps import Group, irreps


@dataclass(frozen=True)
class GroupBasis(IrrepBasis):
    """The orthonormal real Fourier basis of the functions on a finite group G of order n, in blocks by irrep.

    The rows of an irrep ρ of dimension d are √(d/n) ρ_ij(g): d² of them for a real ρ, d²/m for one that commutes
    with the complex numbers (m = 2) or the quaternions (m = 4), whose entries repeat. They are orthonormal by
    Schur's relations and complete by the theorem of Peter and Weyl (Serre, Linear representations of finite
    groups, §2.2 and §2.4). On Z_n they are those of `FourierBasis(n)`.

    In this basis Chughtai et al. 2023 (arXiv 2302.03025) read networks that multiply in a group. Translations of
    G act within each block. The transform is a product with the n×n matrix.

    Irreps are named by their index in `irreps`, or by their name.

    Attributes:
        group: of at most 2000 elements, or 720 where the irreps have no formula.
        n: its order.

    Raises:
        GrokinterpError: the group is none, or too large. The methods raise it for an axis that is not there or
            not of length n, for an irrep that the group does not have, and for complex input.

    >>> from grokinterp.fourier import FiniteGroup
    >>> basis = GroupBasis(FiniteGroup.symmetric(3))
    >>> basis.irrep_names, basis.dimensions, basis.rows("(2,1)")
    (('trivial', '(1,1,1)', '(2,1)'), (1, 1, 2), (2, 3, 4, 5))
    """

    group: Group
    n: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        irreps(self.group)
        object.__setattr__(self, "n", self.group.order)

    @property
    def irreps(self) -> tuple[Irrep, ...]:
        """The irreps whose blocks these are."""
        return irreps(self.group)

    @cached_property
    def irrep_names(self) -> tuple[str, ...]:
        """The name of each irrep."""
        return tuple(irrep.name for irrep in self.irreps)

    @cached_property
    def dimensions(self) -> tuple[int, ...]:
        """The dimension d of each irrep over the reals."""
        return tuple(irrep.dimension for irrep in self.irreps)

    @cached_property
    def commutant_dimensions(self) -> tuple[int, ...]:
        """For each irrep m: 1 for the real kind, 2 for complex, 4 for quaternionic."""
        return tuple(irrep.commutant_dimension for irrep in self.irreps)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each row: "(4,1) [0,2]" for an entry, "cos 1" and "sin 1" for a rotation.

        >>> from grokinterp.fourier import FiniteGroup
        >>> GroupBasis(FiniteGroup.alternating(4)).names[:4]
        ('trivial', 'cos (2,2)', 'sin (2,2)', '(3,1) [0,0]')
        """
        return tuple(name for irrep in self.irreps for name in _row_names(irrep))

    @cached_property
    def _blocks(self) -> tuple[tuple[int, ...], ...]:
        ends = np.cumsum([irrep.n_functions for irrep in self.irreps]).tolist()
        return tuple(tuple(range(start, end)) for start, end in zip([0, *ends], ends, strict=False))

    def rows(self, irrep: IrrepKey) -> tuple[int, ...]:
        """The rows of one irrep, given by its index or its name: ρ_00, ρ_01, …, row by row.

        >>> from grokinterp.fourier import FiniteGroup
        >>> GroupBasis(FiniteGroup.dihedral(5)).rows("freq 2")
        (6, 7, 8, 9)
        """
        return self._blocks[self.index(irrep)]

    def index(self, irrep: IrrepKey) -> int:
        """The index of an irrep, given by its index or its name.

        >>> from grokinterp.fourier import FiniteGroup
        >>> GroupBasis(FiniteGroup.dihedral(5)).index("freq 2")
        3
        """
        if isinstance(irrep, str) and irrep in self.irrep_names:
            return self.irrep_names.index(irrep)
        index = integer(irrep)
        if index is None or not 0 <= index < len(self.irrep_names):
            raise GrokinterpError(
                f"irrep = {shown(irrep)}: {self.group.name} has none of that name or number; needs an index from 0 to "
                f"{len(self.irrep_names) - 1} or one of {', '.join(map(repr, self.irrep_names[:20]))}"
                f"{', …' if len(self.irrep_names) > 20 else ''}"
            )
        return index

    @cached_property
    def _rows(self) -> np.ndarray:
        # Writable, because torch warns of sharing memory that is not.
        return np.concatenate([irrep.functions for irrep in self.irreps])

    @cached_property
    def matrix(self) -> Float[np.ndarray, "{self.n} {self.n}"]:
        """The basis vectors as rows, read-only float64 NumPy, built once; the transpose is the inverse.

        >>> from grokinterp.fourier import FiniteGroup
        >>> GroupBasis(FiniteGroup.dihedral(2)).matrix[1].tolist()
        [0.5, 0.5, -0.5, -0.5]
        """
        matrix = self._rows.view()
        matrix.setflags(write=False)
        return matrix

    @cached_property
    def characters(self) -> Float[np.ndarray, "irrep {self.n}"]:
        """χ(g) = trace ρ(g) for each irrep and element, read-only.

        >>> from grokinterp.fourier import FiniteGroup
        >>> GroupBasis(FiniteGroup.dihedral(3)).characters.round(6).tolist()[2]
        [2.0, -1.0, -1.0, 0.0, 0.0, 0.0]
        """
        characters = np.stack([irrep.character for irrep in self.irreps])
        characters.setflags(write=False)
        return characters

    @cached_property
    def _membership(self) -> np.ndarray:
        """1 where a row belongs to an irrep."""
        sizes = [irrep.n_functions for irrep in self.irreps]
        return np.repeat(np.eye(len(sizes)), sizes, axis=0)

    @property
    def _group_name(self) -> str:
        return self.group.name

    @property
    def _product_table(self) -> np.ndarray:
        return self.group.table

    def _coefficients(self, xp: Namespace, x: Array) -> Array:
        return x @ xp.asarray(self._rows.T, dtype=x.dtype, device=device(x))

    def _values(self, xp: Namespace, c: Array) -> Array:
        return c @ xp.asarray(self._rows, dtype=c.dtype, device=device(c))

    def _by_irrep(self, xp: Namespace, squares: Array) -> Array:
        return squares @ xp.asarray(self._membership, dtype=squares.dtype, device=device(squares))


def _row_names(irrep: Irrep) -> tuple[str, ...]:
    d, m = irrep.dimension, irrep.commutant_dimension
    if d == 1:
        return (irrep.name,)
    if d == m == 2:
        return (f"cos {irrep.name}", f"sin {irrep.name}")
    return tuple(f"{irrep.name} [{i},{j}]" for i in range(d) for j in range(0, d, m))
