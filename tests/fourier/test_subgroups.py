"""Subgroups and cosets: published counts, a slow search, and the laws of Lagrange."""

import math
from collections import Counter

import numpy as np
import pytest
from group_oracle import GROUPS, closure, isomorphic, subgroups
from sympy import divisor_count, divisor_sigma

from grokinterp.fourier import FiniteGroup, Subgroup

EVERY = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
SMALL = pytest.mark.parametrize("group", [group for group in GROUPS if group.order <= 24], ids=lambda group: group.name)
S5 = FiniteGroup.symmetric(5)


@SMALL
def test_all_subgroups_are_found_and_nothing_else(group):
    found = [frozenset(subgroup.elements) for subgroup in group.subgroups()]
    assert len(set(found)) == len(found)
    assert set(found) == subgroups(group)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # OEIS A005432 and A029725; a dihedral group has σ(n) + d(n) (A007503), Z_p × Z_p has p + 3.
        *(("S1", 1), ("S2", 2), ("S3", 6), ("S4", 30), ("S5", 156), ("S6", 1455), ("A4", 10), ("A5", 59), ("A6", 501)),
        *(("D59", 62), ("D61", 64), ("Q8", 6), ("Z5xZ5", 8), ("Z2xZ2xZ2", 16), ("Z2xZ2xZ2xZ2xZ2", 374)),
    ],
)
def test_published_numbers_of_subgroups(name, count):
    assert len(FiniteGroup.named(name).subgroups()) == count


@pytest.mark.parametrize("n", [1, 2, 6, 36, 60])
def test_subgroups_of_cyclic_and_dihedral_groups_are_counted_by_divisors(n):
    assert len(FiniteGroup.cyclic(n).subgroups()) == divisor_count(n)
    if n > 2:
        assert len(FiniteGroup.dihedral(n).subgroups()) == divisor_sigma(n) + divisor_count(n)


@EVERY
def test_every_subgroup_is_closed_and_its_order_divides_that_of_the_group(group):
    for subgroup in group.subgroups():
        members = np.array(subgroup.elements)
        assert group.identity in subgroup.elements
        assert np.isin(group.table[np.ix_(members, members)], members).all()
        assert subgroup.order == len(members)
        assert subgroup.order * subgroup.index == group.order
        assert all(type(g) is int for g in subgroup.elements)


@EVERY
def test_they_are_sorted_by_order_then_by_elements_and_found_once(group):
    found = group.subgroups()
    assert found is group.subgroups()
    assert list(found) == sorted(found, key=lambda subgroup: (subgroup.order, subgroup.elements))
    assert found[0].elements == (group.identity,)
    assert found[-1].elements == tuple(range(group.order))


@EVERY
def test_a_subgroup_is_normal_exactly_if_its_left_and_right_cosets_agree(group):
    for subgroup in group.subgroups():
        agree = np.array_equal(group.cosets(subgroup, "left"), group.cosets(subgroup, "right"))
        assert subgroup.is_normal == agree


@EVERY
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_cosets_are_those_of_the_definition_numbered_by_their_first_elements(group, side):
    table = group.table.tolist()
    for subgroup in group.subgroups():
        numbers = group.cosets(subgroup, side)
        assert numbers.dtype == np.int64
        cosets = []
        for g in range(group.order):
            coset = {table[g][h] if side == "left" else table[h][g] for h in subgroup.elements}
            if coset not in cosets:
                cosets.append(coset)
            assert numbers[g] == cosets.index(coset)
        assert Counter(numbers.tolist()) == dict.fromkeys(range(subgroup.index), subgroup.order)


def test_the_stabilisers_of_points_are_the_symmetric_groups_of_the_others():
    """Right cosets Hg of the stabiliser of 0: where g sends 0. Left cosets gH: what g sends to 0."""
    fixes_0 = S5.subgroup((0, 2, 1, 3, 4), (0, 2, 3, 4, 1))
    assert fixes_0.elements == tuple(g for g, p in enumerate(S5.elements) if p[0] == 0)
    assert fixes_0.name == "S_4, order 24, index 5"
    right = S5.cosets(fixes_0, side="right")
    assert len({(number, p[0]) for number, p in zip(right.tolist(), S5.elements, strict=True)}) == 5
    left = S5.cosets(fixes_0)
    assert len({(number, p.index(0)) for number, p in zip(left.tolist(), S5.elements, strict=True)}) == 5


@EVERY
def test_generated_subgroups_are_among_all(group):
    table, found = group.table.tolist(), set(group.subgroups())
    for generators in [(0,), (0, group.order - 1), (group.order // 2, group.order // 3), ()]:
        subgroup = group.subgroup(*(group.elements[g] for g in generators))
        assert set(subgroup.elements) == closure(table, [group.identity, *generators])
        assert subgroup in found


def test_a_subgroup_of_a_group_too_large_to_list_them_is_named_by_generators():
    group = FiniteGroup.cyclic(2000)
    subgroup = group.subgroup(16, 250)
    assert (subgroup.elements, subgroup.index) == (tuple(range(0, 2000, 2)), 2)
    np.testing.assert_array_equal(group.cosets(subgroup), np.arange(2000) % 2)


@pytest.mark.parametrize("group", [S5, FiniteGroup.named("D4xZ2"), FiniteGroup.named("Q8xZ2")], ids=str)
def test_a_subgroup_is_called_what_it_is(group):
    table = group.table.tolist()
    one_of_each = {subgroup.name: subgroup for subgroup in group.subgroups()[:-1]}
    for subgroup in one_of_each.values():
        if subgroup.kind == "F_20":
            other = FiniteGroup.from_permutations([(1, 2, 3, 4, 0), (0, 2, 4, 1, 3)])
        elif subgroup.kind:
            other = FiniteGroup.named(subgroup.kind)
        else:
            continue
        assert isomorphic(table, subgroup.elements, other), subgroup


def test_the_named_subgroups_of_s5_are_as_many_as_published():
    kinds = Counter(subgroup.kind for subgroup in S5.subgroups())
    assert kinds == {
        **{"Z_1": 1, "Z_2": 25, "Z_3": 10, "Z_4": 15, "Z_5": 6, "Z_6": 10, "Z_2 × Z_2": 20, "D_3": 20, "D_4": 15},
        **{"D_5": 6, "D_6": 10, "A_4": 5, "F_20": 6, "S_4": 5, "A_5": 1, "S_5": 1},
    }
    assert [subgroup.name for subgroup in S5.subgroups() if subgroup.is_normal] == [
        "Z_1, order 1, index 120, normal",
        "A_5, order 60, index 2, normal",
        "S_5, order 120, index 1, normal",
    ]


def test_s6_has_two_families_of_six_subgroups_like_s5():
    """The outer automorphism of S_6 exchanges the stabilisers of points with subgroups that fix none."""
    kinds = Counter(subgroup.kind for subgroup in FiniteGroup.symmetric(6).subgroups())
    assert (kinds["S_5"], kinds["A_5"], kinds["F_20"]) == (12, 12, 36)


def test_conjugate_subgroups_share_their_name():
    classes = Counter(subgroup.name for subgroup in FiniteGroup.alternating(5).subgroups())
    assert classes["D_5, order 10, index 6"] == 6
    assert len(classes) == 9


def test_a_subgroup_is_shown_by_its_name_and_equal_by_its_elements():
    group = FiniteGroup.named("Z2xZ2xZ2")
    subgroup = group.subgroups()[-1]
    assert repr(subgroup) == "Subgroup(Z_2 × Z_2 × Z_2, order 8, index 1, normal)"
    assert subgroup == Subgroup(tuple(range(8)), 8, 1, True, group.name)
    assert math.prod(s.order for s in {subgroup, group.subgroup(*group.elements)}) == 8
