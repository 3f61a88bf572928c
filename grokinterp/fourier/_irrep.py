"""One real irreducible representation of a finite group."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

COMMUTANT_DIMENSIONS = {"real": 1, "complex": 2, "quaternionic": 4}
KINDS = {m: kind for kind, m in COMMUTANT_DIMENSIONS.items()}


@dataclass(frozen=True, eq=False, repr=False)
class Irrep:
    """A real irreducible representation ρ of a group of order n: ρ(g·h) = ρ(g) ρ(h), by orthogonal d×d matrices.

    The matrices that commute with every ρ(g) are a copy of the real numbers, the complex numbers or the
    quaternions (Schur and Frobenius; Serre, Linear representations of finite groups, §13.2), of dimension m = 1,
    2 or 4. They stand here in standard form: R^d = K^(d/m), coordinates m·i, …, m·i + m−1 hold the parts of
    scalar number i (1, i or 1, i, j, k), and each m×m block of ρ(g) is multiplication by a scalar from the left,
    whose parts are the first column of the block.

    Attributes:
        name: unlike that of the group's other irreps: "3" (a frequency) for Z_n, "freq 5" for D_n, the partition
            "(4,1)" for S_n, "1 ⊗ 3" for a product; "trivial" for the constant one unless it is a frequency.
        dimension: d, over the reals.
        kind: "real", "complex" or "quaternionic", by what commutes with ρ.
        matrices: ρ(g) for each element g, read-only.
        familiar: the word for it where there is one ("sign", "standard"), else "".

    >>> from grokinterp.fourier import FiniteGroup, irreps
    >>> irreps(FiniteGroup.symmetric(5))[2]
    Irrep(standard (4,1), dimension 4, real)
    """

    name: str
    dimension: int
    kind: str
    matrices: Float[np.ndarray, "n d d"]
    familiar: str = ""

    def __post_init__(self) -> None:
        self.matrices.setflags(write=False)

    def __repr__(self) -> str:
        return f"Irrep({self.title}, dimension {self.dimension}, {self.kind})"

    @property
    def title(self) -> str:
        """The familiar word, where there is one, and the name: "standard (4,1)"."""
        return f"{self.familiar} {self.name}" if self.familiar else self.name

    @property
    def commutant_dimension(self) -> int:
        """The m of the matrices that commute with ρ: 1 real, 2 complex, 4 quaternionic."""
        return COMMUTANT_DIMENSIONS[self.kind]

    @property
    def n_functions(self) -> int:
        """How many dimensions the entries of ρ span among the functions on the group: d²/m."""
        return self.dimension**2 // self.commutant_dimension

    @property
    def character(self) -> Float[np.ndarray, " n"]:
        """χ(g) = trace ρ(g), for each element.

        >>> from grokinterp.fourier import FiniteGroup, irreps
        >>> irreps(FiniteGroup.cyclic(3))[1].character.round(6).tolist()
        [2.0, -1.0, -1.0]
        """
        return np.trace(self.matrices, axis1=1, axis2=2)

    @property
    def functions(self) -> Float[np.ndarray, "functions n"]:
        """√(d/n) ρ_ij(g) in row-major order, for all i and the first j of each block: orthonormal rows.

        By Schur's orthogonality relations (Serre, §2.2) these span what all entries of ρ span. For a rotation
        they are √(2/n) times the cosine, then the sine.
        """
        n, d, _ = self.matrices.shape
        entries = self.matrices[:, :, :: self.commutant_dimension].reshape(n, -1)
        return math.sqrt(d / n) * entries.T
