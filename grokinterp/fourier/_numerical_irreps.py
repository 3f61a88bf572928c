"""The irreducible representations of any finite group, from its table alone."""

import numpy as np

from ._generation import Products, extended, generating_set, product_levels
from ._irrep import KINDS, Irrep
from ._standard_form import in_standard_form

ATTEMPTS = 8
# Eigenvalues of one irrep agree to rounding, about 1e-13; those of different ones differ by chance, at order
# 720 seldom by less than 1e-6.
SAME = 1e-9
PRECISE = 1e-12


def numerical_irreps(table: np.ndarray, identity: int, inverses: np.ndarray, class_of: np.ndarray) -> list[Irrep]:
    """Irreps named "irrep 3 (dimension 4)": trivial, then by dimension, by kind and by character.

    The matrices M[h, k] = c(h⁻¹k) commute with the left translations of the functions on the group. For random
    c(x) = c(x⁻¹) such an M is symmetric, and its eigenspaces are irreducible with probability one: each irrep of
    dimension d has d/m of them, of dimension d. One of each is chosen, by its character.

    Raises:
        ArithmeticError: chance was against it each time, or the table is not one of a group.
    """
    rng = np.random.default_rng(0)
    generators = generating_set(table, identity)
    levels = product_levels(table, identity, generators)
    for _ in range(ATTEMPTS):
        spaces = _irreducible_spaces(table, identity, inverses, class_of, rng)
        if spaces is not None:
            break
    else:
        raise ArithmeticError("no eigenspaces were found whose characters are those of irreducible representations")
    found = []
    for space, character, m in spaces:
        matrices = _representation(space, table, identity, inverses, generators, levels)
        matrices = in_standard_form(matrices, m, rng)
        found.append((_sort_key(character, m, identity), matrices, m))
    irreps = []
    for i, (_, matrices, m) in enumerate(sorted(found, key=lambda each: each[0])):
        d = matrices.shape[1]
        irreps.append(Irrep(f"irrep {i} (dimension {d})" if i else "trivial", d, KINDS[m], matrices))
    return irreps


def _sort_key(character: np.ndarray, m: int, identity: int) -> tuple:
    # The trivial one has the largest character of its dimension, and the real kind comes first.
    return (round(float(character[identity])), m, tuple((-character).round(6) + 0.0))


def _irreducible_spaces(
    table: np.ndarray, identity: int, inverses: np.ndarray, class_of: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray, int]] | None:
    """One invariant space of each irrep, as orthonormal columns, with its character and m; None by bad luck."""
    n = len(table)
    c = rng.normal(size=n)
    values, vectors = np.linalg.eigh((c + c[inverses])[table[inverses]])
    cuts = np.flatnonzero(np.diff(values) > SAME * np.abs(values).max()) + 1
    found, spanned = [], 0
    for space in np.split(vectors, cuts, axis=1):
        # The projection P on the space commutes with the translations, so that the trace of P times a
        # translation by g is n times the average of P[e, x] over the x of the class of g⁻¹.
        row = space @ space[identity]
        averages = np.bincount(class_of, row) / np.bincount(class_of)
        character = n * averages[class_of][inverses]
        if any(abs(character @ other) > n / 2 for _, other, _ in found):
            continue
        m = float(character @ character) / n
        if min(abs(m - kind) for kind in KINDS) > 1e-3:
            return None
        found.append((space, character, round(m)))
        spanned += space.shape[1] ** 2 // round(m)
    return found if spanned == n else None


def _representation(
    space: np.ndarray,
    table: np.ndarray,
    identity: int,
    inverses: np.ndarray,
    generators: list[int],
    levels: list[Products],
) -> np.ndarray:
    """How the left translations (L_g f)(h) = f(g⁻¹h) act on an invariant space: L_g V = V ρ(g)."""
    images = {g: _nearest_orthogonal(space.T @ space[table[inverses[g]]]) for g in generators}
    return polished(extended(len(table), identity, images, levels, space.shape[1]), table, generators)


def polished(matrices: np.ndarray, table: np.ndarray, generators: list[int]) -> np.ndarray:
    """Matrices that multiply nearly as the elements do, moved until they do so to rounding.

    ρ(g·h) ρ(h)ᵀ averaged over h is ρ(g) with an error that is the square of the former one (Kazhdan 1982, On
    ε-representations).
    """
    n, d, _ = matrices.shape
    for _ in range(3):
        error = max((np.abs(matrices[g] @ matrices - matrices[table[g]]).max() for g in generators), default=0.0)
        if error < PRECISE:
            break
        side_by_side = matrices.transpose(1, 0, 2).reshape(d, -1)
        sums = [matrices[row].transpose(1, 0, 2).reshape(d, -1) @ side_by_side.T for row in table]
        matrices = _nearest_orthogonal(np.stack(sums) / n)
    return matrices


def _nearest_orthogonal(matrices: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(matrices)
    return left @ right
