"""What a multiplication table says: whether it is one of a group, and if not why; orders and classes of elements."""

from typing import Any

import numpy as np

from grokinterp.errors import GrokinterpError

from ._array import shown
from ._families import MAX_ORDER, too_large


def group_table(table: Any) -> np.ndarray:
    """The table as int64, when table[g, h] = index of g·h is the law of a group.

    Raises:
        GrokinterpError: with the first entry, element or triple that breaks the law.
    """
    table = _square_of_indices(table)
    identity = _identity(table)
    _check_inverses(table, identity)
    if not _is_associative(table):
        raise _first_broken_triple(table)
    return table


def _square_of_indices(given: Any) -> np.ndarray:
    try:
        table = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise GrokinterpError(
            f"table = {shown(given)} is no array: needs n rows of n integers; give table[g][h] = index of g·h"
        ) from error
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.size == 0:
        raise GrokinterpError(
            f"table has shape {table.shape}: needs n rows of n integers; give table[g][h] = index of g·h"
        )
    if not np.issubdtype(table.dtype, np.integer):
        raise GrokinterpError(
            f"table has dtype {table.dtype}: needs integers, the index of g·h in row g and column h; convert it first"
        )
    n = len(table)
    if n > MAX_ORDER:
        raise too_large("the table")
    outside = np.argwhere((table < 0) | (table >= n))
    if len(outside):
        g, h = outside[0].tolist()
        raise GrokinterpError(
            f"the table is no group: entry [{g}, {h}] = {table[g, h]}: needs 0 … {n - 1}; number the elements from 0"
        )
    # A copy, so that what the caller does to the array later does not change the group.
    return table.astype(np.int64)


def _identity(table: np.ndarray) -> int:
    n = len(table)
    rows = np.flatnonzero((table == np.arange(n)).all(axis=1))
    if not len(rows):
        raise GrokinterpError(
            f"the table is no group: no identity: no row equals 0 … {n - 1}: needs an e with e·g = g = g·e; "
            "mend its row and column"
        )
    for e in rows.tolist():
        if (table[:, e] == np.arange(n)).all():
            return e
    e = int(rows[0])
    raise GrokinterpError(
        f"the table is no group: no identity: row {e} equals 0 … {n - 1} but column {e} does not: "
        "needs an e with e·g = g = g·e; mend its row and column"
    )


def _check_inverses(table: np.ndarray, identity: int) -> None:
    to_identity = table == identity
    lonely = np.flatnonzero(~(to_identity & to_identity.T).any(axis=1))
    if len(lonely):
        raise GrokinterpError(
            f"the table is no group: element {lonely[0]} has no inverse: needs an h with {lonely[0]}·h = h·{lonely[0]} "
            f"= {identity}, the identity; mend row and column {lonely[0]}"
        )


def _is_associative(table: np.ndarray) -> bool:
    """(a·g)·b = a·(g·b) for all a, b and the g of a generating set, which is enough (Light's test).

    The g that pass are closed under products, so when generators pass, all pass (Clifford and Preston, The
    algebraic theory of semigroups I, §1.2). A group of order n has at most log₂ n generators.
    """
    n = len(table)
    reached, generators = np.zeros(n, dtype=bool), []
    for g in range(n):
        if reached[g]:
            continue
        if not np.array_equal(table[table[:, g]], table[:, table[g]]):
            return False
        generators.append(g)
        reached[g] = True
        newest = np.flatnonzero(reached)
        while len(newest):
            products = np.unique(table[np.ix_(newest, generators)])
            newest = products[~reached[products]]
            reached[newest] = True
    return True


def _first_broken_triple(table: np.ndarray) -> GrokinterpError:
    # One a at a time: all triples at once would be n³ numbers.
    wrong = (np.argwhere(table[row] != row[table]) for row in table)
    a, (b, c) = next((a, pairs[0].tolist()) for a, pairs in enumerate(wrong) if len(pairs))
    return GrokinterpError(
        f"the table is no group: ({a}·{b})·{c} = {table[table[a, b], c]} but {a}·({b}·{c}) = {table[a, table[b, c]]}: "
        "needs (a·b)·c = a·(b·c) for all elements; mend the entries that differ"
    )


def element_labels(elements: Any, n: int) -> tuple:
    """The labels of n elements, when they are different and can be looked up; 0, …, n−1 for None."""
    if elements is None:
        return tuple(range(n))
    try:
        labels = tuple(elements)
        different = len(set(labels))
    except TypeError as error:
        raise GrokinterpError(
            f"elements = {shown(elements)}: needs {n} labels that can be looked up; give integers, strings or tuples"
        ) from error
    if len(labels) != n or different != n:
        raise GrokinterpError(
            f"elements = {shown(elements)} are {len(labels)} labels, {different} of them different: needs {n} "
            f"different ones, a label for each row of the table; leave them out for 0 … {n - 1}"
        )
    return labels


def element_orders(table: np.ndarray, identity: int) -> np.ndarray:
    """For each element the least k ≥ 1 whose k-th power is the identity."""
    everyone = np.arange(len(table))
    power, orders, k = everyone, np.zeros(len(table), dtype=np.int64), 0
    while not orders.all():
        k += 1
        orders[(power == identity) & (orders == 0)] = k
        power = table[power, everyone]
    return orders


def conjugacy_classes(table: np.ndarray, inverses: np.ndarray, identity: int) -> tuple[tuple[int, ...], ...]:
    """The classes {x⁻¹·g·x}: that of the identity, then by size, then by first index."""
    everyone = np.arange(len(table))
    seen, classes = np.zeros(len(table), dtype=bool), []
    for g in range(len(table)):
        if not seen[g]:
            conjugates = np.unique(table[table[inverses, g], everyone])
            seen[conjugates] = True
            classes.append(tuple(conjugates.tolist()))
    return tuple(sorted(classes, key=lambda members: (members != (identity,), len(members), members)))


def read_only(array: np.ndarray) -> np.ndarray:
    """The same array, which can no longer be written."""
    array.setflags(write=False)
    return array
