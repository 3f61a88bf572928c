"""What the errors of irreps and their bases say: what was given, what is needed and what to do."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from irrep_oracle import from_law

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup, GroupBasis, _irreps, character_table, irreps

S3 = GroupBasis(FiniteGroup.symmetric(3))


def raises(text):
    return pytest.raises(GrokinterpError, match="^" + re.escape(text) + "[^\n]*$")


@pytest.mark.parametrize("function", [irreps, character_table, GroupBasis])
@pytest.mark.parametrize("group", [5, "S5", None])
def test_a_group_is_needed(function, group):
    with raises(f'group = {group!r}: needs a FiniteGroup; give e.g. FiniteGroup.named("S5")'):
        function(group)


@pytest.mark.parametrize(("name", "shown", "order"), [("D1001", "D_1001", 2002), ("A7", "A_7", 2520)])
def test_groups_with_a_formula_may_have_2000_elements(name, shown, order):
    with raises(
        f"{shown} has {order} elements: needs at most 2000 for its irreps, which fill a matrix of order × order "
        "numbers; choose a smaller group"
    ):
        GroupBasis(FiniteGroup.named(name))
    assert len(irreps(FiniteGroup.named("Z1009"))) == 505
    assert len(irreps(FiniteGroup.named("S5xZ13"))) == 49


def test_groups_without_a_formula_may_have_720_elements():
    text = (
        "AGL(1,31) has 930 elements: needs at most 720 for irreps that are found numerically; build it from cyclic, "
        "dihedral, symmetric or alternating groups and their products, or choose a smaller group"
    )
    group = FiniteGroup.from_permutations([(*range(1, 31), 0), tuple(3 * x % 31 for x in range(31))], name="AGL(1,31)")
    with raises(text):
        irreps(group)
    with raises("(Z/2000)^× has 800 elements: needs at most 720"):
        irreps(FiniteGroup.units(2000))
    with raises("AGL(1,31) × Z_2 has 1860 elements: needs at most 720"):
        irreps(FiniteGroup.direct_product(group, FiniteGroup.cyclic(2)))


def test_a_table_that_is_no_group_has_no_irreps():
    # Subtraction modulo 5 with an identity patched in: every row and column holds each element once, no more.
    table = np.array([[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]])
    loop = FiniteGroup("loop", tuple(range(5)), table)
    with raises("the irreps of loop fail their verification: "):
        irreps(loop)
    with raises("the irreps of loop fail their verification: "):
        irreps(loop)


def test_a_wrong_family_is_seen():
    klein = from_law([0, 1, 2, 3], lambda a, b: a ^ b, "Klein")
    wrong = FiniteGroup("Z_4?", klein.elements, klein.table, ("cyclic", 4))
    with raises(
        "the irreps of Z_4? fail their verification: 1: ρ(g·h) is not ρ(g) ρ(h) for g = 1, by 2.0e+00: needs the "
        "table of a group; give it to FiniteGroup.from_table, which says what is wrong with it"
    ):
        irreps(wrong)


def tampered(change, index=2):
    """The irreps of S_3 with one of them changed."""
    group = FiniteGroup.symmetric(3)
    found = list(irreps(group))
    found[index] = dataclasses.replace(found[index], **change(found[index]))
    return _irreps._fault(group, tuple(found))


def test_verification_says_which_law_is_broken():
    assert _irreps._fault(S3.group, S3.irreps) == ""
    assert tampered(lambda irrep: {"matrices": -irrep.matrices}) == (
        "(2,1): the identity is no identity matrix, by 2.0e+00"
    )
    skewed = np.array([[1, 1], [0, 1]])
    assert tampered(lambda irrep: {"matrices": np.linalg.inv(skewed) @ irrep.matrices @ skewed}).startswith(
        "(2,1): some matrices are not orthogonal, by "
    )
    assert tampered(lambda _: {"kind": "complex"}) == "(2,1): it is not complex, by 1.0e+00"
    # Another order of the elements, in which only the identity stays where it was.
    shuffled = [0, *np.roll(np.arange(1, 6), 1)]
    assert tampered(lambda irrep: {"matrices": irrep.matrices[shuffled]}).startswith(
        "(2,1): ρ(g·h) is not ρ(g) ρ(h) for g = (0, 2, 1), by "
    )
    assert _irreps._fault(S3.group, S3.irreps[:2]) == "they span 2 functions of 6"
    assert _irreps._fault(S3.group, (S3.irreps[0], *S3.irreps[::2])) == (
        "their functions are not orthonormal, by 1.0e+00"
    )
    assert tampered(lambda irrep: {"matrices": irrep.matrices * np.nan}).startswith("(2,1): the identity is no")


@pytest.mark.parametrize("irrep", ["(4,1)", -1, 3, 1.0, True, None, [1]])
@pytest.mark.parametrize("method", [S3.rows, S3.index, S3.product_directions, lambda i: S3.project(np.zeros(6), [i])])
def test_an_irrep_must_be_known(method, irrep):
    with raises(
        f"irrep = {irrep!r}: S_3 has none of that name or number; needs an index from 0 to 2 or one of 'trivial', "
        "'(1,1,1)', '(2,1)'"
    ):
        method(irrep)


def test_only_the_first_names_of_many_are_listed():
    basis = GroupBasis(FiniteGroup.dihedral(59))
    with pytest.raises(GrokinterpError, match=r"needs an index from 0 to 30 or one of 'trivial', .*'freq 18', …$"):
        basis.rows("freq 30")


def test_project_needs_several_irreps():
    with raises("irreps = 2: needs several; give a list, e.g. [0, 5]"):
        S3.project(np.zeros(6), 2)


@pytest.mark.parametrize("method", [S3.transform, S3.inverse, S3.power, lambda x, i: S3.project(x, [1], i)])
def test_an_axis_of_another_length_is_named_with_the_group(method):
    text = (
        "axis 1 of an array of shape (6, 7) has length 7: needs length n = 6; "
        "choose another axis or slice this one to the 6 elements of S_3"
    )
    with raises(text):
        method(np.zeros((6, 7)), 1)
    with raises(text):
        method(torch.zeros(6, 7), 1)


def test_grids_and_complex_input_are_refused_as_on_cyclic_groups():
    with raises("axes = (0, 0) name one axis of shape (6, 6) twice"):
        S3.transform_2d(np.zeros((6, 6)), (0, 0))
    with raises("axis 1 of an array of shape (6, 5) has length 5: needs length n = 6"):
        S3.power_2d(np.zeros((6, 5)))
    with raises("x has dtype complex128: needs real numbers; transform its real and its imaginary part apart"):
        S3.transform(np.zeros(6, complex))
    with raises("coefficients has dtype complex128: needs real numbers"):
        S3.inverse(np.zeros(6, complex))
