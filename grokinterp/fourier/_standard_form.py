"""Real matrices as complex and quaternionic ones: each m×m block is multiplication by a scalar from the left.

R^d = K^(d/m) with K the real numbers, the complex numbers or the quaternions, m = 1, 2 or 4; the m parts of a
scalar (1; 1, i; 1, i, j, k) stand next to each other. What commutes with such matrices is multiplication of all
scalars of a vector by one scalar from the right.
"""

import numpy as np
from jaxtyping import Complex, Float

# Entry [a, b, c] is the part c of a·b, for the units a, b, c in 1, i, j, k (Hamilton's rules ij = k, jk = i, ki = j).
_SIGNS = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, -1, -1, 1], [1, 1, -1, -1]])
_PRODUCTS = np.zeros((4, 4, 4))
for _a in range(4):
    for _b in range(4):
        _PRODUCTS[_a, _b, _a ^ _b] = _SIGNS[_a, _b]


def left_multiplications(m: int) -> Float[np.ndarray, "m m m"]:
    """The matrix of multiplication from the left by each unit.

    >>> left_multiplications(2)[1].tolist()
    [[0.0, -1.0], [1.0, 0.0]]
    """
    return _PRODUCTS[:m, :m, :m].transpose(0, 2, 1)


def right_multiplications(m: int) -> Float[np.ndarray, "m m m"]:
    """The matrix of multiplication from the right by each unit.

    >>> right_multiplications(4)[3][:, 1].tolist()  # i·k = −j
    [0.0, 0.0, -1.0, 0.0]
    """
    return _PRODUCTS[:m, :m, :m].transpose(1, 2, 0)


def scalars(matrices: Float[np.ndarray, "n d d"], m: int) -> Float[np.ndarray, "n k k m"]:
    """The parts of the scalar by which each block multiplies."""
    n, d, _ = matrices.shape
    return matrices.reshape(n, d // m, m, d // m, m)[..., 0].transpose(0, 1, 3, 2)


def realified(parts: Float[np.ndarray, "n k k m"]) -> Float[np.ndarray, "n d d"]:
    """The real matrices whose blocks multiply by these scalars: undoes `scalars`."""
    n, k, _, m = parts.shape
    return np.einsum("nxyq,qab->nxayb", parts, left_multiplications(m)).reshape(n, k * m, k * m)


def from_complex(matrices: Complex[np.ndarray, "n k k"]) -> Float[np.ndarray, "n d d"]:
    """The real matrices of twice the size that act on real and imaginary parts.

    >>> import numpy as np
    >>> from_complex(np.array([[[1 + 2j]]])).tolist()
    [[[1.0, -2.0], [2.0, 1.0]]]
    """
    return realified(np.stack([np.real(matrices), np.imag(matrices)], axis=-1))


def to_complex(matrices: Float[np.ndarray, "n d d"], m: int) -> Complex[np.ndarray, "n k k"]:
    """Complex or quaternionic matrices in standard form as complex matrices of half the size.

    A quaternion is z + jw with complex z and w, and (z + jw)·i = zi + j(wi). So C² has the real basis 1, i, j,
    ji = −k, in which multiplication from the right by i is standard.
    """
    if m == 4:
        signs = np.tile([1, 1, 1, -1], matrices.shape[1] // 4)
        matrices = signs[:, None] * matrices * signs
    return matrices[:, ::2, ::2] + 1j * matrices[:, 1::2, ::2]


def between(left: Float[np.ndarray, "a dl dl"], right: Float[np.ndarray, "b dr dr"]) -> Float[np.ndarray, "a b d d"]:
    """How quaternionic P and Q move a quaternionic matrix A to P A Q†, as real matrices of a quarter of the size dl·dr.

    P and Q act from either side, so nothing but the real numbers is left to commute with all of them.
    """
    p = left.reshape(len(left), left.shape[1] // 4, 4, left.shape[1] // 4, 4)
    q = np.einsum("hyYu,ubc->hyYbc", scalars(right, 4) * [1, -1, -1, -1], right_multiplications(4))
    moved = np.einsum("gxaXb,hyYbc->ghxyaXYc", p, q)
    d = left.shape[1] * right.shape[1] // 4
    return moved.reshape(len(left), len(right), d, d)


def in_standard_form(
    matrices: Float[np.ndarray, "n d d"], m: int, rng: np.random.Generator
) -> Float[np.ndarray, "n d d"]:
    """An irreducible orthogonal representation with a commutant of dimension m, in a basis of standard form.

    The average of ρ(g) A ρ(g)ᵀ over the group commutes with ρ. For antisymmetric A it is a multiple of a J with
    J² = −1; J and a second one orthogonal to it multiply as i and j do.
    """
    if m == 1:
        return matrices
    basis = _basis_of_scalars(_units(matrices, m, rng))
    turned = basis.T @ matrices @ basis
    # Averaged over the scalars, so that the blocks are equal to the last digit and not only to rounding.
    n, d, _ = matrices.shape
    units, blocks = right_multiplications(m), turned.reshape(n, d // m, m, d // m, m)
    return (np.einsum("qab,nxbyc,qdc->nxayd", units, blocks, units, optimize=True) / m).reshape(n, d, d)


def _units(matrices: np.ndarray, m: int, rng: np.random.Generator) -> list[np.ndarray]:
    """What commutes with the matrices, as 1, i, … acting from the right."""
    n, d, _ = matrices.shape
    units = [np.eye(d)]
    for _ in range(m // 2):
        skew = rng.normal(size=(d, d))
        commuting = np.einsum("nab,nbc->ac", matrices @ (skew - skew.T), matrices.transpose(0, 2, 1), optimize=True) / n
        for unit in units[1:]:
            commuting = commuting - unit * (np.sum(unit * commuting) / d)
        commuting = commuting - commuting.T
        units.append(commuting * np.sqrt(d) / np.linalg.norm(commuting))
    # From the right, (v·i)·j = v·k, and the operator that acts first is written last.
    return [*units, units[2] @ units[1]] if m == 4 else units


def _basis_of_scalars(units: list[np.ndarray]) -> np.ndarray:
    """Columns v, v·i, …, w, w·i, …, orthonormal."""
    d = len(units[0])
    columns = np.zeros((d, 0))
    while columns.shape[1] < d:
        # What is left of the axis that the columns so far say least about; its multiples are orthogonal to them too.
        left_over = np.eye(d) - columns @ columns.T
        v = left_over[:, np.argmax(np.diag(left_over))]
        v = v - columns @ (columns.T @ v)
        v = v / np.linalg.norm(v)
        columns = np.column_stack([columns, *(unit @ v for unit in units)])
    return columns
