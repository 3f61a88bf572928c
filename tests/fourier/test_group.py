"""Finite groups: the laws of algebra on every family, and what each family is."""

import math
from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
from group_oracle import GROUPS, closure, is_group
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.fourier import FiniteGroup

EVERY = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)


@EVERY
def test_it_is_a_group(group):
    assert is_group(group.table.tolist())


@EVERY
def test_the_table_is_read_only_int64(group):
    assert group.table.dtype == np.int64
    assert group.table.shape == (group.order, group.order)
    with pytest.raises(ValueError, match="read-only"):
        group.table[0, 0] = 0


@EVERY
def test_the_identity_changes_nothing_and_an_element_times_its_inverse_is_the_identity(group):
    everyone = np.arange(group.order)
    np.testing.assert_array_equal(group.table[group.identity], everyone)
    np.testing.assert_array_equal(group.table[:, group.identity], everyone)
    assert (group.table[everyone, group.inverses] == group.identity).all()
    assert (group.table[group.inverses, everyone] == group.identity).all()


@EVERY
def test_the_order_of_an_element_is_the_size_of_the_subgroup_it_generates(group):
    table = group.table.tolist()
    assert group.element_orders.tolist() == [len(closure(table, [g])) for g in range(group.order)]
    assert all(group.order % order == 0 for order in group.element_orders.tolist())


@EVERY
def test_the_conjugacy_classes_are_those_of_the_definition_in_the_stated_order(group):
    table, inverses = group.table.tolist(), group.inverses.tolist()
    everyone = range(group.order)
    classes = {tuple(sorted({table[table[inverses[x]][g]][x] for x in everyone})) for g in everyone}
    first, *others = group.conjugacy_classes
    assert first == (group.identity,)
    assert others == sorted(classes - {first}, key=lambda members: (len(members), members[0]))
    assert [g in group.conjugacy_classes[group.class_of[g]] for g in everyone] == [True] * group.order


@EVERY
def test_a_group_is_abelian_exactly_if_every_class_is_one_element(group):
    assert group.is_abelian == (len(group.conjugacy_classes) == group.order)


@EVERY
def test_an_element_is_found_by_its_label(group):
    assert [group.index(element) for element in group.elements] == list(range(group.order))


@EVERY
def test_what_is_computed_is_computed_once_and_read_only(group):
    for name in ("inverses", "element_orders", "class_of"):
        array = getattr(group, name)
        assert array is getattr(group, name)
        assert array.dtype == np.int64
        assert not array.flags.writeable


@pytest.mark.parametrize("n", [1, 2, 12, 113])
def test_cyclic_groups_add(n):
    group = FiniteGroup.cyclic(n)
    assert group.elements == tuple(range(n))
    assert all(group.table[a, b] == (a + b) % n for a in range(n) for b in range(n))
    assert (group.name, group.family, group.identity) == (f"Z_{n}", ("cyclic", n), 0)


def test_a_cyclic_group_of_2000_elements_is_made():
    assert FiniteGroup.cyclic(2000).table[1999, 1999] == 1998


@pytest.mark.parametrize("n", [1, 2, 3, 8, 59])
def test_dihedral_groups_multiply_as_those_of_chughtai(n):
    group = FiniteGroup.dihedral(n)
    for g, h in product(range(2 * n), repeat=2):
        (s1, r1), (s2, r2) = divmod(g, n), divmod(h, n)
        r, s = ((r1 + r2) % n, s2) if s1 == 0 else ((r1 - r2) % n, 1 - s2)
        assert group.table[g, h] == s * n + r
    assert (group.name, group.family, group.identity) == (f"D_{n}", ("dihedral", n), 0)


def test_the_label_of_a_dihedral_element_spells_it():
    group = FiniteGroup.dihedral(7)
    assert (group.elements[0], group.elements[3], group.elements[7], group.elements[10]) == (
        "r^0",
        "r^3",
        "r^0 s",
        "r^3 s",
    )
    r, s = group.index("r^1"), group.index("r^0 s")
    for k in range(7):
        power = group.identity
        for _ in range(k):
            power = group.table[power, r]
        assert group.elements[power] == f"r^{k}"
        assert group.elements[group.table[power, s]] == f"r^{k} s"


@pytest.mark.parametrize("n", [3, 4, 9, 10])
def test_the_classes_of_a_dihedral_group(n):
    sizes = Counter(len(members) for members in FiniteGroup.dihedral(n).conjugacy_classes)
    expected = {1: 1, 2: (n - 1) // 2, n: 1} if n % 2 else Counter({1: 2, 2: n // 2 - 1}) + Counter({n // 2: 2})
    assert sizes == expected


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_symmetric_groups_apply_the_left_factor_first(n):
    group = FiniteGroup.symmetric(n)
    assert group.elements == tuple(permutations(range(n)))
    for p, q in product(group.elements, repeat=2):
        point_by_point = [q[p[k]] for k in range(n)]
        assert list(group.elements[group.table[group.index(p), group.index(q)]]) == point_by_point
    assert (group.name, group.family) == (f"S_{n}", ("symmetric", n))


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_product_of_two_permutations_of_six_points(p, q):
    group = S6
    p, q = tuple(p), tuple(q)
    assert group.elements[group.table[group.index(p), group.index(q)]] == tuple(q[k] for k in p)


S6 = FiniteGroup.symmetric(6)


@pytest.mark.parametrize(("n", "partitions"), [(1, 1), (2, 2), (3, 3), (4, 5), (5, 7), (6, 11), (7, 15)])
def test_a_class_of_the_symmetric_group_is_a_partition(n, partitions):
    assert len(FiniteGroup.symmetric(n).conjugacy_classes) == partitions


@pytest.mark.parametrize(("n", "classes"), [(1, 1), (2, 1), (3, 3), (4, 4), (5, 5), (6, 7), (7, 9)])
def test_the_alternating_group_is_the_even_half_of_the_symmetric_group(n, classes):
    group = FiniteGroup.alternating(n)
    even = [p for p in permutations(range(n)) if sum(a > b for k, b in enumerate(p) for a in p[:k]) % 2 == 0]
    assert group.elements == tuple(even)
    assert len(group.conjugacy_classes) == classes
    assert (group.name, group.family) == (f"A_{n}", ("alternating", n))


@pytest.mark.parametrize("n", [2, 3, 8, 97, 100, 113])
def test_units_multiply_modulo_n(n):
    group = FiniteGroup.units(n)
    assert group.elements == tuple(a for a in range(n) if math.gcd(a, n) == 1)
    for a, b in product(group.elements, repeat=2):
        assert group.elements[group.table[group.index(a), group.index(b)]] == a * b % n
    assert (group.name, group.family) == (f"(Z/{n})^×", ("units", n))


def test_the_quaternions_keep_hamiltons_rules():
    group = FiniteGroup.named("Q8")

    def times(*labels):
        result = group.identity
        for label in labels:
            result = group.table[result, group.index(label)]
        return group.elements[result]

    assert group.elements == ("1", "-1", "i", "-i", "j", "-j", "k", "-k")
    assert {times(u, u) for u in "ijk"} == {times("i", "j", "k")} == {"-1"}
    assert (times("i", "j"), times("j", "k"), times("k", "i"), times("j", "i")) == ("k", "i", "j", "-k")
    assert times("-1", "-1") == "1"
    assert (group.name, group.family) == ("Q_8", None)


def test_a_product_multiplies_entry_by_entry_in_row_major_order():
    left, middle, right = FiniteGroup.symmetric(3), FiniteGroup.cyclic(2), FiniteGroup.units(8)
    group = FiniteGroup.direct_product(left, middle, right)
    assert group.elements == tuple(product(left.elements, middle.elements, right.elements))
    for x, y in product(group.elements[::3], group.elements[::5]):
        entries = tuple(
            factor.elements[factor.table[factor.index(a), factor.index(b)]]
            for factor, a, b in zip((left, middle, right), x, y, strict=True)
        )
        assert group.elements[group.table[group.index(x), group.index(y)]] == entries
    assert group.name == "S_3 × Z_2 × (Z/8)^×"


def test_products_of_products_are_products_of_all():
    z2, z3, s3 = FiniteGroup.cyclic(2), FiniteGroup.cyclic(3), FiniteGroup.symmetric(3)
    at_once = FiniteGroup.direct_product(z2, s3, z3)
    left = FiniteGroup.direct_product(FiniteGroup.direct_product(z2, s3), z3)
    right = FiniteGroup.direct_product(z2, FiniteGroup.direct_product(s3, z3))
    for group in (left, right):
        assert group.elements == at_once.elements
        assert group.name == at_once.name
        np.testing.assert_array_equal(group.table, at_once.table)


def test_the_family_of_a_product_names_its_two_sides():
    z2, z3 = FiniteGroup.cyclic(2), FiniteGroup.cyclic(3)
    assert FiniteGroup.direct_product(z2, z3).family == ("product", z2, z3)
    kind, left, right = FiniteGroup.direct_product(z2, z2, z3).family
    assert (kind, left.family, right) == ("product", ("product", z2, z2), z3)


def test_groups_of_coprime_cyclic_factors_are_cyclic():
    assert FiniteGroup.named("Z4xZ9").element_orders.max() == 36
    assert FiniteGroup.named("Z5xZ5").element_orders.max() == 5


def test_a_group_is_equal_to_itself_alone_and_can_be_a_key():
    one, other = FiniteGroup.cyclic(3), FiniteGroup.cyclic(3)
    assert one == one
    assert one != other
    assert {one: 1, other: 2}[one] == 1


def test_a_group_is_shown_short():
    assert repr(FiniteGroup.symmetric(5)) == "FiniteGroup(S_5, order 120)"


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        *(("Z113", "Z_113"), ("C113", "Z_113"), ("d_59", "D_59"), ("S5", "S_5"), ("A_5", "A_5"), ("U97", "(Z/97)^×")),
        *(("Q8", "Q_8"), ("Z5xZ5", "Z_5 × Z_5"), ("S_3 × Z2", "S_3 × Z_2"), ("Z2xZ2xZ3", "Z_2 × Z_2 × Z_3")),
        *((" z2 X u5 ", "Z_2 × (Z/5)^×"), ("(Z/5)^x x Z2", "(Z/5)^× × Z_2")),
    ],
)
def test_a_group_is_made_from_how_it_is_written(spec, name):
    group = FiniteGroup.named(spec)
    assert group.name == name
    again = FiniteGroup.named(name)
    assert again.elements == group.elements
    np.testing.assert_array_equal(again.table, group.table)
