"""What the errors about groups say: one line with what was given, what is needed and what to do."""

import re

import pytest

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup

S3 = FiniteGroup.symmetric(3)


def raises(text):
    return pytest.raises(GrokinterpError, match="^" + re.escape(text) + "[^\n]*$")


@pytest.mark.parametrize("family", ["cyclic", "dihedral", "symmetric", "alternating"])
@pytest.mark.parametrize("n", [0, -3, 2.0, "5", None, True])
def test_the_number_of_a_family_is_a_positive_integer(family, n):
    with raises(f"n = {n!r}: needs an integer n ≥ 1; give e.g. FiniteGroup.{family}(5)"):
        getattr(FiniteGroup, family)(n)


@pytest.mark.parametrize("n", [1, 0, None])
def test_units_need_a_modulus_of_2_or_more(n):
    with raises(f"n = {n!r}: needs an integer n ≥ 2; give e.g. FiniteGroup.units(5)"):
        FiniteGroup.units(n)


@pytest.mark.parametrize(
    ("family", "n"),
    [
        *(("cyclic", 5041), ("dihedral", 2521), ("symmetric", 8), ("alternating", 8), ("units", 5051)),
        *(("symmetric", 10**30), ("units", 10**30), ("alternating", 50)),
    ],
)
def test_a_group_whose_table_is_too_large(family, n):
    with raises(
        f"{family}({n}) has more than 5040 elements: needs at most as many, so that its table fits in memory; "
        "choose a smaller group"
    ):
        getattr(FiniteGroup, family)(n)


def test_a_product_that_is_too_large():
    with raises("S_5 × S_5 has more than 5040 elements: needs at most as many"):
        FiniteGroup.named("S5xS5")


@pytest.mark.parametrize("groups", [(), (S3,), (S3, "Z2"), (S3, None)])
def test_a_product_needs_two_groups(groups):
    with pytest.raises(
        GrokinterpError,
        match=r"^direct_product of \(.*\): needs two groups or more; give e\.g\. "
        r"FiniteGroup\.cyclic\(5\), FiniteGroup\.cyclic\(5\)$",
    ):
        FiniteGroup.direct_product(*groups)


@pytest.mark.parametrize("spec", ["", "B5", "Z", "5", "Z-5", "Q12", "Z5xx", "Z5y3", "Z5 Z5", "(Z/97)", None, 5, "S5!"])
def test_a_name_that_is_not_known_is_answered_with_those_that_are(spec):
    with raises(
        f"group {spec!r} is not known: needs Z113 or C113 (cyclic), D59 (dihedral, order 118), S5 (symmetric), "
        "A5 (alternating), U97 (residues prime to 97 under multiplication), Q8 (quaternions) or a product of them such "
        "as Z5xZ5; for others there is FiniteGroup.from_table"
    ):
        FiniteGroup.named(spec)


def test_a_name_with_a_wrong_number():
    with raises("n = 0: needs an integer n ≥ 1; give e.g. FiniteGroup.symmetric(5)"):
        FiniteGroup.named("S0")


@pytest.mark.parametrize(
    ("spec", "order"), [("Z5", "sympy"), ("Q8xU5", "sympy"), ("S5", "lexicographic"), ("S5", None)]
)
def test_the_order_of_sympy_is_for_permutations(spec, order):
    with raises(
        f'order = {order!r} of {spec!r}: needs "standard", or "sympy" for S_n and A_n, whose elements sympy numbers in '
        "its own way; leave it out"
    ):
        FiniteGroup.named(spec, order=order)


@pytest.mark.parametrize("order", ["standard", "Sympy", None, 1])
def test_permutations_come_in_two_orders(order):
    text = (
        f'order = {order!r}: needs "lexicographic" or "sympy", the order in which the elements are numbered; '
        'give "sympy" only to match weights trained with sympy\'s order'
    )
    with raises(text):
        FiniteGroup.symmetric(3, order=order)
    with raises(text):
        FiniteGroup.from_permutations([(1, 0)], order=order)


@pytest.mark.parametrize("generators", [[], None, 5])
def test_a_group_of_permutations_needs_a_generator(generators):
    with raises(
        f"generators = {generators!r}: needs one permutation or more; give images, e.g. [(1, 0, 2), (1, 2, 0)]"
    ):
        FiniteGroup.from_permutations(generators)


@pytest.mark.parametrize("generator", [(1, 2), (0, 0, 1), (0.0, 1.0), "ab", (), 5, [[0, 1]], (-1, 0)])
def test_a_generator_that_is_no_permutation(generator):
    with raises(
        f"generator {generator!r} is no permutation: needs the images of 0, 1, …, each exactly once; "
        "give e.g. (1, 2, 0)"
    ):
        FiniteGroup.from_permutations([(1, 0), generator])


def test_generators_of_different_points():
    with raises(
        "generators permute 2 points and 3 points: needs permutations of the same points; "
        "write (1, 0) with the points that it fixes"
    ):
        FiniteGroup.from_permutations([(1, 2, 0), (1, 0)])


@pytest.mark.parametrize("order", ["lexicographic", "sympy"])
def test_generators_of_too_many(order):
    with raises(
        "these permutations of 8 points generate more than 5040 elements: needs a group of at most 5040, whose table "
        "fits in memory; choose generators of a smaller one"
    ):
        FiniteGroup.from_permutations([(1, 2, 3, 4, 5, 6, 7, 0), (1, 0, 2, 3, 4, 5, 6, 7)], order=order)


@pytest.mark.parametrize("element", [(0, 1), 0, "r^1", [0, 1, 2], None])
def test_an_element_that_is_not_there(element):
    with raises(f"element {element!r} is not in S_3: needs one of ((0, 1, 2), (0, 2, 1), "):
        S3.index(element)
    with raises(f"element {element!r} is not in S_3: needs one of ((0, 1, 2), (0, 2, 1), "):
        S3.subgroup(element)


def test_an_error_of_a_large_group_stays_short():
    with pytest.raises(GrokinterpError) as caught:
        FiniteGroup.symmetric(6).index((0, 1))
    assert len(str(caught.value)) < 300


def test_all_subgroups_of_a_group_that_is_too_large():
    with raises(
        "FiniteGroup(Z_721, order 721): needs at most 720 elements for a list of all subgroups; "
        "name one by its generators with `subgroup`"
    ):
        FiniteGroup.cyclic(721).subgroups()


def test_a_group_with_too_many_subgroups(monkeypatch):
    monkeypatch.setattr("grokinterp.fourier._subgroups.MAX_SUBGROUPS", 50)
    with raises(
        "FiniteGroup(A_5, order 60) has more than 50 subgroups: needs a group with fewer; "
        "name one by its generators with `subgroup`"
    ):
        FiniteGroup.alternating(5).subgroups()


@pytest.mark.parametrize("side", ["both", None, 0])
def test_cosets_are_left_or_right(side):
    with raises(f'side = {side!r}: needs "left" for the cosets gH or "right" for Hg; give one of them'):
        S3.cosets(S3.subgroups()[0], side=side)


@pytest.mark.parametrize("subgroup", [(0,), None, "A_3"])
def test_cosets_are_those_of_a_subgroup(subgroup):
    with raises(
        f"subgroup = {subgroup!r}: needs a Subgroup of S_3; take one from its `subgroups()`, or name its generators "
        "with `subgroup`"
    ):
        S3.cosets(subgroup)


def test_cosets_are_those_of_a_subgroup_of_the_same_group():
    z6 = FiniteGroup.cyclic(6)
    for other in (FiniteGroup.cyclic(12).subgroup(6), z6.subgroup(2)):
        with raises(f"{other!r} is of another group: needs a subgroup of S_3; take one from its `subgroups()`"):
            S3.cosets(other)
