"""The irreducible representations that have a formula: of cyclic, dihedral, symmetric and alternating groups."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ._generation import extended, product_levels
from ._irrep import Irrep
from ._permutations import composed
from ._young import (
    Partition,
    adjacent_transpositions,
    associator,
    conjugate,
    partition_name,
    partitions,
)

if TYPE_CHECKING:
    from ._group import FiniteGroup


def rotations(numerators: np.ndarray, n: int) -> np.ndarray:
    """The plane rotations by the angles 2π numerator/n."""
    # Reduced modulo n first, so that the angle stays exact for large numerators.
    angle = 2 * np.pi * (numerators % n) / n
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cosine, -sine], axis=-1), np.stack([sine, cosine], axis=-1)], axis=-2)


def of_numbers(values: np.ndarray) -> np.ndarray:
    """Numbers as 1×1 matrices."""
    return np.asarray(values, dtype=float)[:, None, None]


def cyclic_irreps(logarithms: np.ndarray) -> list[Irrep]:
    """Of a cyclic group whose element number i is the power logarithms[i] of a generator; index k is frequency k.

    Frequency k turns by 2πk/n for each power; 0 is constant and n/2 is (−1)^x.
    """
    n = len(logarithms)
    found = [Irrep("0", 1, "real", of_numbers(np.ones(n)))]
    found += [Irrep(str(k), 2, "complex", rotations(k * logarithms, n)) for k in range(1, (n + 1) // 2)]
    if n % 2 == 0:
        found.append(Irrep(str(n // 2), 1, "real", of_numbers(1 - 2 * (logarithms % 2))))
    return found


def dihedral_irreps(n: int) -> list[Irrep]:
    """Of D_n with the elements r^0, …, r^(n−1), r^0 s, …: "freq k" turns by 2πk/n for r and reflects for s.

    "sign" is −1 on the reflections; for even n, "alternating" is −1 on r and 1 on s, "alternating·sign" −1 on both.
    """
    s, r = np.divmod(np.arange(2 * n), n)
    sign, alternating = 1 - 2 * s, 1 - 2 * (r % 2)
    numbers = {"trivial": sign**2, "sign": sign}
    if n % 2 == 0:
        numbers |= {"alternating": alternating, "alternating·sign": alternating * sign}
    reflections = np.stack([np.ones(2 * n), sign], axis=-1)
    return [
        *(Irrep(name, 1, "real", of_numbers(values)) for name, values in numbers.items()),
        *(Irrep(f"freq {k}", 2, "real", rotations(k * r, n) * reflections[:, None, :]) for k in range(1, (n + 1) // 2)),
    ]


def symmetric_irreps(group: "FiniteGroup") -> list[Irrep]:
    """Of S_n, by partitions: trivial, sign, then by dimension, and for one dimension descending by partition.

    The transpositions (k k+1) obey the same relations for either order of composition, so that multiplying
    along the group's own table gives a homomorphism.
    """
    n = len(group.elements[0])
    generators = [group.index(transposition) for transposition in _adjacent(n)]
    levels = product_levels(group.table, group.identity, generators)
    found = []
    for partition in partitions(n):
        images = adjacent_transpositions(partition)
        matrices = extended(
            group.order, group.identity, dict(zip(generators, images, strict=True)), levels, images.shape[1]
        )
        word = _familiar(partition)
        name = word if word == "trivial" else partition_name(partition)
        found.append(Irrep(name, images.shape[1], "real", matrices, "" if word == "trivial" else word))
    # Sorting is stable, and partitions come in descending order.
    return sorted(found, key=lambda irrep: (irrep.name != "trivial", irrep.familiar != "sign", irrep.dimension))


def alternating_irreps(group: "FiniteGroup") -> list[Irrep]:
    """Of A_n, by restriction from S_n: trivial, then by dimension, and for one dimension descending by partition.

    A partition and its conjugate restrict to the same irrep, named by the larger. One that is its own conjugate
    splits over the complex numbers: into two real irreps, "(3,1,1)+" and "(3,1,1)−", or into a pair of complex
    conjugates, which is one real irrep of complex kind.
    """
    n = len(group.elements[0])
    if group.order == 1:
        return [Irrep("trivial", 1, "real", np.ones((1, 1, 1)))]
    first, *others = _adjacent(n)
    generators = [group.index(composed(first, other)) for other in others]
    levels = product_levels(group.table, group.identity, generators)
    found = []
    for partition in partitions(n):
        if partition < conjugate(partition):
            continue
        transpositions = adjacent_transpositions(partition)
        images = transpositions[0] @ transpositions[1:]
        for suffix, kind, basis in _restricted(partition):
            part = basis.T @ images @ basis
            d = basis.shape[1]
            matrices = extended(group.order, group.identity, dict(zip(generators, part, strict=True)), levels, d)
            word = _familiar(partition)
            name = word if word == "trivial" else partition_name(partition) + suffix
            found.append(Irrep(name, d, kind, matrices, "" if word == "trivial" else word))
    return sorted(found, key=lambda irrep: (irrep.name != "trivial", irrep.dimension))


def _restricted(partition: Partition) -> list[tuple[str, str, np.ndarray]]:
    """The parts of the restriction to the even permutations: what to add to the name, the kind and a basis."""
    d = adjacent_transpositions(partition).shape[1]
    if partition != conjugate(partition):
        return [("", "real", np.eye(d))]
    X = associator(partition)
    transpose = np.abs(X).argmax(axis=0)
    # One tableau of each pair of transposes.
    chosen = np.flatnonzero(np.arange(d) < transpose)
    one, other = np.eye(d)[:, chosen], X[:, chosen]
    if np.array_equal(X @ X, np.eye(d)):
        return [(sign, "real", (one + s * other) / np.sqrt(2)) for sign, s in (("+", 1), ("−", -1))]
    return [("", "complex", np.stack([one, other], axis=-1).reshape(d, d))]


def _adjacent(n: int) -> list[tuple[int, ...]]:
    return [(*range(k), after, k, *range(after + 1, n)) for k, after in pairwise(range(n))]


def _familiar(partition: Partition) -> str:
    n = sum(partition)
    if partition == (n,):
        return "trivial"
    if partition == (1,) * n:
        return "sign"
    if partition == (n - 1, 1):
        return "standard"
    return "standard ⊗ sign" if conjugate(partition) == (n - 1, 1) else ""
