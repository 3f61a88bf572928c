"""Groups given by their table: every table of a group is taken, no other is."""

import re
from itertools import product

import numpy as np
import pytest
from fourier_oracle import modest
from group_oracle import GROUPS, is_group
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup

# The smallest Latin square with an identity that is no group: every element is its own inverse, and 5 is odd.
LOOP = [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]]


def raises(text):
    return pytest.raises(GrokinterpError, match="^" + re.escape(text) + "[^\n]*$")


def taken(table):
    try:
        FiniteGroup.from_table(table)
    except GrokinterpError as error:
        assert "\n" not in str(error)
        return False
    return True


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_the_table_of_a_group_is_taken_as_it_is(group):
    again = FiniteGroup.from_table(group.table, name=group.name, elements=group.elements)
    np.testing.assert_array_equal(again.table, group.table)
    assert (again.name, again.elements, again.family) == (group.name, group.elements, None)
    assert (again.identity, again.conjugacy_classes) == (group.identity, group.conjugacy_classes)


@modest
@given(st.sampled_from(GROUPS), st.randoms(use_true_random=False))
def test_the_names_of_the_elements_do_not_matter(group, random):
    new = list(range(group.order))
    random.shuffle(new)
    table = np.empty_like(group.table)
    table[np.ix_(new, new)] = np.array(new)[group.table]
    renamed = FiniteGroup.from_table(table)
    assert renamed.identity == new[group.identity]
    assert sorted(map(len, renamed.conjugacy_classes)) == sorted(map(len, group.conjugacy_classes))
    np.testing.assert_array_equal(renamed.element_orders[new], group.element_orders)


@pytest.mark.parametrize("n", [1, 2])
def test_of_all_small_tables_exactly_the_groups_are_taken(n):
    for entries in product(range(n), repeat=n * n):
        table = np.reshape(entries, (n, n))
        assert taken(table) == is_group(table.tolist())


def test_of_all_tables_of_three_elements_with_an_identity_exactly_one_is_taken():
    tables = [[[0, 1, 2], [1, a, b], [2, c, d]] for a, b, c, d in product(range(3), repeat=4)]
    assert [table for table in tables if taken(table)] == [table for table in tables if is_group(table)]
    assert sum(map(taken, tables)) == 1


@modest
@given(st.lists(st.integers(0, 3), min_size=9, max_size=9))
def test_tables_of_four_elements_with_an_identity(entries):
    table = np.add.outer(np.arange(4), np.arange(4)) % 4
    table[1:, 1:] = np.reshape(entries, (3, 3))
    assert taken(table) == is_group(table.tolist())


@modest
@given(st.sampled_from([group for group in GROUPS if group.order > 1]), st.data())
def test_a_group_with_one_entry_changed_is_no_group(group, data):
    g, h = (data.draw(st.integers(0, group.order - 1)) for _ in range(2))
    table = group.table.copy()
    table[g, h] = data.draw(st.integers(0, group.order - 1).filter(lambda entry: entry != table[g, h]))
    assert not taken(table)


def test_the_table_is_copied():
    table = np.array([[0, 1], [1, 0]])
    group = FiniteGroup.from_table(table)
    table[:] = 0
    assert group.table.tolist() == [[0, 1], [1, 0]]
    assert group.elements == (0, 1)


def test_the_labels_are_those_given():
    group = FiniteGroup.from_table([[0, 1], [1, 0]], name="signs", elements=["+", "−"])
    assert (repr(group), group.index("−")) == ("FiniteGroup(signs, order 2)", 1)


def test_a_latin_square_that_is_not_associative_is_caught_at_its_first_triple():
    broken = [t for t in product(range(5), repeat=3) if LOOP[LOOP[t[0]][t[1]]][t[2]] != LOOP[t[0]][LOOP[t[1]][t[2]]]]
    assert broken[0] == (1, 1, 2)
    with raises(
        "the table is no group: (1·1)·2 = 2 but 1·(1·2) = 4: needs (a·b)·c = a·(b·c) for all elements; "
        "mend the entries that differ"
    ):
        FiniteGroup.from_table(LOOP)


def test_the_triple_that_is_shown_is_the_first_wherever_it_is():
    """A product with the loop as its second factor, whose law is broken away from the first rows."""
    n, z2 = 5, [[0, 1], [1, 0]]
    table = [[n * z2[g // n][h // n] + LOOP[g % n][h % n] for h in range(2 * n)] for g in range(2 * n)]
    everyone = range(2 * n)
    a, b, c = next(
        t for t in product(everyone, repeat=3) if table[table[t[0]][t[1]]][t[2]] != table[t[0]][table[t[1]][t[2]]]
    )
    with raises(f"the table is no group: ({a}·{b})·{c} = {table[table[a][b]][c]} but "):
        FiniteGroup.from_table(table)


def test_an_entry_that_is_no_element_is_named():
    table = np.array(FiniteGroup.cyclic(8).table)
    table[3, 4] = 9
    with raises("the table is no group: entry [3, 4] = 9: needs 0 … 7; number the elements from 0"):
        FiniteGroup.from_table(table)
    table[2, 1] = -1
    with raises("the table is no group: entry [2, 1] = -1: needs 0 … 7"):
        FiniteGroup.from_table(table)


def test_no_identity():
    with raises(
        "the table is no group: no identity: no row equals 0 … 2: needs an e with e·g = g = g·e; "
        "mend its row and column"
    ):
        FiniteGroup.from_table([[0, 2, 1], [2, 1, 0], [1, 0, 2]])
    with raises("the table is no group: no identity: row 0 equals 0 … 1 but column 0 does not: needs an e "):
        FiniteGroup.from_table([[0, 1], [0, 1]])


def test_an_identity_need_not_be_the_first_element_whose_row_equals_all():
    assert not taken([[0, 1, 2], [0, 1, 2], [2, 2, 1]])
    with raises("the table is no group: element 0 has no inverse"):
        FiniteGroup.from_table([[0, 0], [0, 1]])


def test_an_element_without_an_inverse_is_named():
    with raises(
        "the table is no group: element 2 has no inverse: needs an h with 2·h = h·2 = 0, the identity; "
        "mend row and column 2"
    ):
        FiniteGroup.from_table([[0, 1, 2], [1, 0, 2], [2, 2, 2]])


@pytest.mark.parametrize("table", [[[0, 1]], [0, 1], 3, [], np.zeros((2, 2, 2), int)])
def test_a_table_is_square(table):
    with raises(f"table has shape {np.shape(table)}: needs n rows of n integers; give table[g][h] = index of g·h"):
        FiniteGroup.from_table(table)


def test_a_ragged_table_is_no_array():
    with raises("table = [[0, 1], [1]] is no array: needs n rows of n integers; give table[g][h] = index of g·h"):
        FiniteGroup.from_table([[0, 1], [1]])


@pytest.mark.parametrize(("dtype", "name"), [(float, "float64"), (bool, "bool"), (str, "<U21"), (object, "object")])
def test_a_table_holds_integers(dtype, name):
    with raises(f"table has dtype {name}: needs integers, the index of g·h in row g and column h; convert it first"):
        FiniteGroup.from_table(np.array([[0, 1], [1, 0]]).astype(dtype))


def test_a_table_that_is_too_large():
    with raises(
        "the table has more than 5040 elements: needs at most as many, so that its table fits in memory; "
        "choose a smaller group"
    ):
        FiniteGroup.from_table(np.broadcast_to(np.int8(0), (5041, 5041)))


@pytest.mark.parametrize(("elements", "count", "different"), [("abc", 3, 3), ("aa", 2, 1), ([1], 1, 1)])
def test_there_is_a_label_for_each_element(elements, count, different):
    with raises(
        f"elements = {elements!r} are {count} labels, {different} of them different: needs 2 different ones, "
        "a label for each row of the table; leave them out for 0 … 1"
    ):
        FiniteGroup.from_table([[0, 1], [1, 0]], elements=elements)


@pytest.mark.parametrize("elements", [5, [[0], [1]]])
def test_labels_can_be_looked_up(elements):
    with raises(f"elements = {elements!r}: needs 2 labels that can be looked up; give integers, strings or tuples"):
        FiniteGroup.from_table([[0, 1], [1, 0]], elements=elements)
