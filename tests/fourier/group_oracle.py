"""Slow and independent answers about finite groups, and groups to ask about."""

from itertools import product

from grokinterp.fourier import FiniteGroup

NAMES = [
    *(
        "Z1",
        "Z2",
        "Z6",
        "Z13",
        "D1",
        "D2",
        "D5",
        "D6",
        "S1",
        "S2",
        "S3",
        "S4",
        "A2",
        "A3",
        "A4",
        "A5",
        "U2",
        "U8",
        "U15",
    ),
    *("U17", "Q8", "Z5xZ5", "S3xZ2", "Z2xZ2xZ2", "Q8xZ3", "D3xU5"),
]
GROUPS = [FiniteGroup.named(name) for name in NAMES]
GROUPS += [
    FiniteGroup.symmetric(4, order="sympy"),
    FiniteGroup.from_permutations([(1, 2, 3, 4, 0), (0, 2, 4, 1, 3)], name="F_20"),
    FiniteGroup.from_table([[1, 2, 0], [2, 0, 1], [0, 1, 2]], name="Z_3 with its identity last"),
]


def is_group(table):
    """The definition, read aloud."""
    n = len(table)
    everyone = range(n)
    identities = [e for e in everyone if all(table[e][g] == g == table[g][e] for g in everyone)]
    return (
        len(identities) == 1
        and all(any(table[g][h] == identities[0] == table[h][g] for h in everyone) for g in everyone)
        and all(table[table[a][b]][c] == table[a][table[b][c]] for a, b, c in product(everyone, repeat=3))
    )


def closure(table, generators):
    """All products of some elements: for a finite group, the subgroup that they generate."""
    members = set(generators)
    while True:
        products = {table[a][b] for a in members for b in members} | members
        if products == members:
            return frozenset(members)
        members = products


def subgroups(group):
    """Every subgroup, each from a smaller one and one more element."""
    table = group.table.tolist()
    found, waiting = set(), [frozenset([group.identity])]
    while waiting:
        members = waiting.pop()
        if members not in found:
            found.add(members)
            waiting += [closure(table, members | {g}) for g in range(group.order) if g not in members]
    return found


def isomorphic(table, members, other):
    """Whether the elements `members` of a table form a group like `other`: all generators' images are tried."""
    if len(members) != other.order:
        return False
    generators, theirs = [], other.table.tolist()
    while len(closure(theirs, [other.identity, *generators])) < other.order:
        generators.append(min(set(range(other.order)) - closure(theirs, [other.identity, *generators])))
    identity = next(e for e in members if table[e][e] == e)
    for images in product(members, repeat=len(generators)):
        image, waiting, consistent = {other.identity: identity}, [other.identity], True
        while waiting and consistent:
            g = waiting.pop()
            for generator, its_image in zip(generators, images, strict=True):
                to = theirs[g][generator]
                if to not in image:
                    image[to] = table[image[g]][its_image]
                    waiting.append(to)
                consistent &= image[to] == table[image[g]][its_image]
        if consistent and len(set(image.values())) == other.order:
            return True
    return False
