"""Young's orthogonal form: the irreducible representations of S_n, by partitions of n and standard tableaux."""

import math
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

Partition: TypeAlias = tuple[int, ...]
# The row in which each of 0, 1, …, n−1 stands, from which the tableau can be drawn.
Tableau: TypeAlias = tuple[int, ...]


def partitions(n: int, largest: int | None = None) -> tuple[Partition, ...]:
    """The partitions of n into parts of at most `largest`, in descending lexicographic order.

    >>> partitions(4)
    ((4,), (3, 1), (2, 2), (2, 1, 1), (1, 1, 1, 1))
    """
    if n == 0:
        return ((),)
    top = n if largest is None else min(n, largest)
    return tuple((part, *rest) for part in range(top, 0, -1) for rest in partitions(n - part, part))


def conjugate(partition: Partition) -> Partition:
    """The partition with rows and columns exchanged.

    >>> conjugate((3, 1))
    (2, 1, 1)
    """
    return tuple(sum(part > column for part in partition) for column in range(partition[0]))


def partition_name(partition: Partition) -> str:
    """The partition as a reader writes it.

    >>> partition_name((4, 1))
    '(4,1)'
    """
    return f"({','.join(map(str, partition))})"


def standard_tableaux(partition: Partition) -> tuple[Tableau, ...]:
    """The fillings with 0, 1, …, n−1 whose rows and columns ascend, in ascending lexicographic order.

    >>> standard_tableaux((2, 1))
    ((0, 0, 1), (0, 1, 0))
    """
    if sum(partition) == 0:
        return ((),)
    found = []
    for row, part in enumerate(partition):
        # The largest entry stands at the end of its row and of its column.
        if part > (partition[row + 1] if row + 1 < len(partition) else 0):
            smaller = (*partition[:row], part - 1, *partition[row + 1 :])
            found += [(*tableau, row) for tableau in standard_tableaux(smaller)]
    return tuple(sorted(found))


def columns(tableau: Tableau) -> tuple[int, ...]:
    """The column in which each of 0, 1, …, n−1 stands: as many stand before it in its row."""
    return tuple(tableau[:k].count(row) for k, row in enumerate(tableau))


def adjacent_transpositions(partition: Partition) -> Float[np.ndarray, "transpositions d d"]:
    """The orthogonal matrices of the transpositions (0 1), (1 2), …, (n−2 n−1).

    With r the axial distance from k to k+1 in a tableau T, the difference of their contents (column − row),
    (k k+1) T = T/r + √(1 − 1/r²) T', where T' is T with k and k+1 exchanged (Young 1932; James and Kerber, The
    representation theory of the symmetric group, theorem 3.3.7). Where T' is not standard, r is 1 or −1.

    >>> adjacent_transpositions((2, 1)).round(3).tolist()
    [[[1.0, 0.0], [0.0, -1.0]], [[-0.5, 0.866], [0.866, 0.5]]]
    """
    tableaux = standard_tableaux(partition)
    number = {tableau: i for i, tableau in enumerate(tableaux)}
    n, d = sum(partition), len(tableaux)
    matrices = np.zeros((n - 1, d, d))
    for i, tableau in enumerate(tableaux):
        contents = [column - row for row, column in zip(tableau, columns(tableau), strict=True)]
        for k in range(n - 1):
            r = contents[k + 1] - contents[k]
            matrices[k, i, i] = 1 / r
            if abs(r) > 1:
                exchanged = (*tableau[:k], tableau[k + 1], tableau[k], *tableau[k + 2 :])
                matrices[k, number[exchanged], i] = math.sqrt(1 - 1 / r**2)
    return matrices


def associator(partition: Partition) -> Float[np.ndarray, "d d"]:
    """The X with X ρ(g) = sign(g) ρ(g) X for a partition that is its own conjugate; X² is 1 or −1.

    X takes each tableau to plus or minus its transpose. The axial distances of the transpose are opposite, so
    that the sign has to change when k and k+1 are exchanged: it is that of the permutation that the rows of the
    tableau spell (Thrall 1941; James and Kerber, §2.5). X commutes with the even permutations, and splits them.

    >>> associator((2, 1)).tolist()
    [[0.0, -1.0], [1.0, 0.0]]
    """
    tableaux = standard_tableaux(partition)
    number = {tableau: i for i, tableau in enumerate(tableaux)}
    matrix = np.zeros((len(tableaux), len(tableaux)))
    for i, tableau in enumerate(tableaux):
        # The row of an entry in the transpose is its column here.
        matrix[number[columns(tableau)], i] = _sign(tableau)
    return matrix


def _sign(tableau: Tableau) -> int:
    """−1 to the number of pairs that stand in the wrong order when the rows are read one after another."""
    n = len(tableau)
    inversions = sum(tableau[a] > tableau[b] for a in range(n) for b in range(a + 1, n))
    return -1 if inversions % 2 else 1
