"""Groups of permutations: their elements in a stated order, and the table of "apply p, then q"."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from grokinterp.errors import GrokinterpError

from ._array import integer, shown

Permutation: TypeAlias = tuple[int, ...]
ORDERS = ("lexicographic", "sympy")


def composed(p: Permutation, q: Permutation) -> Permutation:
    """Apply p, then q: the point k goes to q[p[k]]."""
    return tuple(q[k] for k in p)


def symmetric_generators(n: int) -> tuple[Permutation, ...]:
    """The generators of sympy's SymmetricGroup(n): the cycle (0 … n−1) and the transposition (0 1)."""
    cycle = (*range(1, n), 0)
    return (cycle, (1, 0, *range(2, n))) if n > 2 else (cycle,)


def alternating_generators(n: int) -> tuple[Permutation, ...]:
    """Generators of A_n: for A_5 those of Chughtai et al., for the others those of sympy's AlternatingGroup(n)."""
    if n < 3:
        return (tuple(range(n)),)
    three = (1, 2, 0, *range(3, n))
    if n == 3:
        return (three,)
    if n == 5:
        return ((1, 2, 3, 4, 0), (0, 2, 1, 4, 3))
    return (three, (*range(1, n), 0) if n % 2 else (0, *range(2, n), 1))


def generated(generators: Sequence[Permutation], order: Any, limit: int) -> tuple[Permutation, ...]:
    """All products of the generators, ascending as tuples or in the order in which sympy generates them."""
    if order not in ORDERS:
        raise GrokinterpError(
            f'order = {shown(order)}: needs "lexicographic" or "sympy", the order in which the elements are numbered; '
            'give "sympy" only to match weights trained with sympy\'s order'
        )
    identity = tuple(range(len(generators[0])))
    found, newest = {identity}, [identity]
    while newest:
        products = {composed(p, generator) for p in newest for generator in generators} - found
        found |= products
        newest = list(products)
        if len(found) > limit:
            raise GrokinterpError(
                f"these permutations of {len(identity)} points generate more than {limit} elements: needs a group "
                f"of at most {limit}, whose table fits in memory; choose generators of a smaller one"
            )
    return tuple(sorted(found)) if order == "lexicographic" else _as_sympy_generates(generators, len(found))


def _as_sympy_generates(generators: Sequence[Permutation], order: int) -> tuple[Permutation, ...]:
    # Slow to import, and only old weights need its order.
    from sympy.combinatorics import Permutation as SympyPermutation
    from sympy.combinatorics import PermutationGroup

    if order == 1:
        return (tuple(range(len(generators[0]))),)
    group: Any = PermutationGroup([SympyPermutation(list(p)) for p in generators])
    return tuple(tuple(p) for p in group.generate(af=True))


def composition_table(elements: tuple[Permutation, ...], generators: Sequence[Permutation]) -> np.ndarray:
    """table[g, h] = index of "g, then h", for the group that the generators generate.

    Row s·g of the table is row g with its entries multiplied by s from the left, since (s·g)·h = s·(g·h); so
    only the products with the few generators are looked up, and every other row is indexed from another.
    """
    n = len(elements)
    index = {element: i for i, element in enumerate(elements)}
    times = [np.array([index[composed(s, g)] for g in elements]) for s in generators]
    table = np.empty((n, n), dtype=np.int64)
    identity = index[tuple(range(len(elements[0])))]
    table[identity] = np.arange(n)
    filled, waiting = {identity}, [identity]
    for g in waiting:
        for left in times:
            product = int(left[g])
            if product not in filled:
                table[product] = left[table[g]]
                filled.add(product)
                waiting.append(product)
    return table


def read_permutations(generators: Any) -> tuple[Permutation, ...]:
    """Image tuples or sympy Permutations as tuples of one length."""
    try:
        given = list(generators)
    except TypeError:
        given = []
    if not given:
        raise GrokinterpError(
            f"generators = {shown(generators)}: needs one permutation or more; give images, e.g. [(1, 0, 2), (1, 2, 0)]"
        )
    of_sympy = [hasattr(p, "array_form") for p in given]
    images = [p.array_form if is_sympy else p for p, is_sympy in zip(given, of_sympy, strict=True)]
    permutations = [_permutation(p, original) for p, original in zip(images, given, strict=True)]
    points = max(len(p) for p in permutations)
    # sympy leaves out the points beyond the largest that it was given; the other generators say how many there are.
    permutations = [
        (*p, *range(len(p), points)) if is_sympy else p for p, is_sympy in zip(permutations, of_sympy, strict=True)
    ]
    for p in permutations:
        if len(p) != points:
            raise GrokinterpError(
                f"generators permute {len(p)} points and {points} points: needs permutations of the same points; "
                f"write {p} with the points that it fixes"
            )
    return tuple(permutations)


def _permutation(images: Any, original: Any) -> Permutation:
    try:
        points = [integer(k) for k in images]
    except TypeError:
        points = []
    known = tuple(k for k in points if k is not None)
    if not points or len(known) < len(points) or sorted(known) != list(range(len(points))):
        raise GrokinterpError(
            f"generator {shown(original)} is no permutation: needs the images of 0, 1, …, each exactly once; "
            "give e.g. (1, 2, 0)"
        )
    return known
