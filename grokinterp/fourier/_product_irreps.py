"""The irreducible representations of a direct product, from those of its factors."""

import numpy as np

from ._irrep import Irrep
from ._standard_form import between, from_complex, to_complex


def product_irreps(left: tuple[Irrep, ...], right: tuple[Irrep, ...]) -> list[Irrep]:
    """All ρ ⊗ σ, the last varying fastest, of the pairs (a, b) in row-major order (Serre, §3.2).

    What is irreducible over the complex numbers stays so. Over the real numbers the tensor product falls apart
    when neither factor is real:

    - complex ⊗ complex into the two U ⊗ V and U ⊗ V̄, named "1 ⊗ 3" and "1 ⊗ 3*";
    - complex ⊗ quaternionic into two copies of one irrep of complex kind;
    - quaternionic ⊗ quaternionic into four copies of one irrep of real kind.
    """
    return [irrep for rho in left for sigma in right for irrep in _tensor(rho, sigma)]


def _tensor(rho: Irrep, sigma: Irrep) -> list[Irrep]:
    is_trivial = rho.name == sigma.name == "trivial"
    last = f"({sigma.name})" if "⊗" in sigma.name else sigma.name
    names = ["trivial" if is_trivial else f"{rho.name} ⊗ {last}"]
    m, k = rho.commutant_dimension, sigma.commutant_dimension
    if m == 1:
        kind, parts = sigma.kind, [_all_pairs(rho.matrices, sigma.matrices)]
    elif k == 1:
        # The blocks of scalars must stay together, so the factor that has them comes last.
        swapped = _all_pairs(sigma.matrices, rho.matrices)
        order = np.arange(len(swapped)).reshape(len(sigma.matrices), -1).T.ravel()
        kind, parts = rho.kind, [swapped[order]]
    elif m == k == 4:
        moved = between(rho.matrices, sigma.matrices)
        kind, parts = "real", [moved.reshape(-1, *moved.shape[2:])]
    else:
        U, V = to_complex(rho.matrices, m), to_complex(sigma.matrices, k)
        kind, parts = "complex", [from_complex(_all_pairs(U, V))]
        if m == k:
            parts.append(from_complex(_all_pairs(U, V.conj())))
            names.append(f"{names[0]}*")
    return [Irrep(name, part.shape[1], kind, part) for name, part in zip(names, parts, strict=True)]


def _all_pairs(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The tensor product of every matrix on the left with every one on the right."""
    pairs = np.einsum("gij,hkl->ghikjl", left, right)
    n, d = len(left) * len(right), left.shape[1] * right.shape[1]
    return pairs.reshape(n, d, d)
