"""How the elements of a group arise from a few of them, by which a homomorphism is known from those few."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Products(NamedTuple):
    """Elements that are products of known ones: element[i] = left[i] · right[i]."""

    element: np.ndarray
    left: np.ndarray
    right: np.ndarray


def generating_set(table: np.ndarray, identity: int) -> list[int]:
    """Elements that generate the group, at most log₂ n: the first, and then the first not yet generated.

    >>> import numpy as np
    >>> a = np.arange(6)
    >>> generating_set((a[:, None] + a) % 6, identity=0)
    [1]
    """
    reached = np.zeros(len(table), dtype=bool)
    reached[identity] = True
    generators = []
    while not reached.all():
        generators.append(int(np.argmin(reached)))
        reached[generators[-1]] = True
        before = 0
        while before < (count := np.count_nonzero(reached)) < len(table):
            before, members = count, np.flatnonzero(reached)
            reached[table[np.ix_(members, members)]] = True
    return generators


def product_levels(table: np.ndarray, identity: int, generators: Sequence[int]) -> list[Products]:
    """Every element but the identity and the generators as a product of two elements of earlier levels.

    Words double in length from level to level, so that even in a cyclic group there are only log₂ n levels.

    >>> import numpy as np
    >>> a = np.arange(5)
    >>> [level.element.tolist() for level in product_levels((a[:, None] + a) % 5, 0, [1])]
    [[2], [3, 4]]
    """
    n, levels = len(table), []
    known = np.unique([identity, *generators])
    while len(known) < n:
        position = np.full(n, -1)
        position[table[np.ix_(known, known)].ravel()] = np.arange(len(known) ** 2)
        position[known] = -1
        new = np.flatnonzero(position >= 0)
        left, right = np.divmod(position[new], len(known))
        levels.append(Products(new, known[left], known[right]))
        known = np.union1d(known, new)
    return levels


def extended(
    n: int, identity: int, images: dict[int, np.ndarray], levels: list[Products], d: int
) -> Float[np.ndarray, "n d d"]:
    """The homomorphism to d×d matrices with these images of the generators, on all n elements."""
    matrices = np.empty((n, d, d))
    matrices[identity] = np.eye(d)
    for element, image in images.items():
        matrices[element] = image
    for level in levels:
        matrices[level.element] = matrices[level.left] @ matrices[level.right]
    return matrices
