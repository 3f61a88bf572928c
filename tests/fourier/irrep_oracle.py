"""Groups without a formula, and what is known of the irreducible representations of all of them."""

from functools import cache
from itertools import product

import numpy as np

from grokinterp.fourier import FiniteGroup


def from_law(elements, law, name):
    """The group of some labels under a Python function."""
    index = {element: i for i, element in enumerate(elements)}
    return FiniteGroup.from_table([[index[law(a, b)] for b in elements] for a in elements], name, elements)


def relabelled(group, seed):
    """The same group with its elements in another order, of which nothing but the table is said."""
    order = np.random.default_rng(seed).permutation(group.order)
    places = np.argsort(order)
    return FiniteGroup.from_table(places[group.table[np.ix_(order, order)]], f"{group.name}, relabelled"), order


def dic3():
    """Z_3 ⋊ Z_4: the generator of Z_4 inverts."""
    elements = list(product(range(3), range(4)))
    return from_law(elements, lambda a, b: ((a[0] + (-1) ** a[1] * b[0]) % 3, (a[1] + b[1]) % 4), "Dic_3")


def sl_2_3():
    """The 2×2 matrices of determinant 1 modulo 3."""
    elements = [m for m in product(range(3), repeat=4) if (m[0] * m[3] - m[1] * m[2]) % 3 == 1]

    def law(m, k):
        a, b, c, d = m
        e, f, g, h = k
        return ((a * e + b * g) % 3, (a * f + b * h) % 3, (c * e + d * g) % 3, (c * f + d * h) % 3)

    return from_law(elements, law, "SL(2,3)")


# Of each group (dimension, kind) of the irreps, with how often; the functions they span add up to the order.
R, C, H = "real", "complex", "quaternionic"
KNOWN = [
    (FiniteGroup.named("Q8"), {(1, R): 4, (4, H): 1}),
    (dic3(), {(1, R): 2, (2, C): 1, (2, R): 1, (4, H): 1}),
    (sl_2_3(), {(1, R): 1, (2, C): 1, (3, R): 1, (4, H): 1, (4, C): 1}),
    (
        FiniteGroup.from_permutations([(1, 2, 3, 4, 5, 6, 0), (0, 2, 4, 6, 1, 3, 5)], "7:3"),
        {(1, R): 1, (2, C): 1, (6, C): 1},
    ),
    (FiniteGroup.from_permutations([(1, 2, 3, 4, 0), (0, 2, 4, 1, 3)], "F_20"), {(1, R): 2, (2, C): 1, (4, R): 1}),
    (FiniteGroup.named("S3xQ8"), {(1, R): 8, (2, R): 4, (4, H): 2, (8, H): 1}),
    (FiniteGroup.named("A4xZ3"), {(1, R): 1, (2, C): 4, (3, R): 1, (6, C): 1}),
    (FiniteGroup.named("Q8xQ8"), {(1, R): 16, (4, H): 8, (4, R): 1}),
    (FiniteGroup.named("Q8xZ3"), {(1, R): 4, (2, C): 4, (4, H): 1, (4, C): 1}),
    (FiniteGroup.named("Z3xQ8"), {(1, R): 4, (2, C): 4, (4, H): 1, (4, C): 1}),
    (FiniteGroup.named("U15"), {(1, R): 4, (2, C): 2}),
    (FiniteGroup.named("Z5xZ5"), {(1, R): 1, (2, C): 12}),
    (FiniteGroup.named("Z3xZ3xZ3"), {(1, R): 1, (2, C): 13}),
    (FiniteGroup.named("A4"), {(1, R): 1, (2, C): 1, (3, R): 1}),
    (FiniteGroup.named("A5"), {(1, R): 1, (3, R): 2, (4, R): 1, (5, R): 1}),
    (FiniteGroup.named("D6"), {(1, R): 4, (2, R): 2}),
]
KNOWN_IDS = [group.name for group, _ in KNOWN]


def cycle_type(p):
    """The lengths of the cycles of a permutation, descending."""
    seen, lengths = set(), []
    for start in range(len(p)):
        length, k = 0, start
        while k not in seen:
            seen.add(k)
            length, k = length + 1, p[k]
        if length:
            lengths.append(length)
    return tuple(sorted(lengths, reverse=True))


@cache
def murnaghan_nakayama(partition, cycles):
    """χ_partition at a permutation with these cycles: signs of the ways to take off rim hooks of their lengths.

    With the beta numbers b_i = part_i + (rows below), taking off a rim hook of length r moves one of them down by
    r to a free place; its sign is −1 to the number of those that it passes (James and Kerber, §2.7).
    """
    if not cycles:
        return 1
    r, *rest = cycles
    beta = [part + len(partition) - 1 - i for i, part in enumerate(partition)]
    total = 0
    for b in beta:
        if b >= r and b - r not in beta:
            passed = sum(b - r < other < b for other in beta)
            moved = sorted([other for other in beta if other != b] + [b - r], reverse=True)
            smaller = tuple(each - (len(moved) - 1 - i) for i, each in enumerate(moved))
            total += (-1) ** passed * murnaghan_nakayama(smaller, tuple(rest))
    return total
