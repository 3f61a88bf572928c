"""Primitive roots and the discrete logarithm."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup, powers_of_primitive_root, primitive_root


def units(n):
    return {a % n for a in range(1, n + 1) if math.gcd(a, n) == 1}


def test_the_smallest_primitive_root_by_trying_all():
    for n in range(1, 120):
        roots = [g for g in range(n) if {pow(g, k, n) for k in range(n)} == units(n)]
        assert primitive_root(n) == (roots[0] if roots else None), n


@pytest.mark.parametrize(
    ("p", "root"), [(2, 1), (3, 2), (7, 3), (23, 5), (41, 6), (71, 7), (97, 5), (113, 3), (191, 19)]
)
def test_published_primitive_roots(p, root):
    assert primitive_root(p) == root


def test_a_root_of_a_large_prime_is_found_at_once():
    assert primitive_root(10**9 + 7) == 5


@given(st.integers(1, 400).filter(lambda n: primitive_root(n) is not None))
def test_the_powers_are_the_units_and_turn_addition_into_multiplication(n):
    powers = powers_of_primitive_root(n)
    assert powers.dtype == np.int64
    assert powers[0] == 1 % n
    assert sorted(powers.tolist()) == sorted(units(n))
    k = np.arange(len(powers))
    np.testing.assert_array_equal(powers[(k[:, None] + k) % len(k)], powers[:, None] * powers % n)


@pytest.mark.parametrize("n", [2, 9, 97, 98])
def test_in_the_order_of_the_powers_the_group_of_units_is_cyclic(n):
    group = FiniteGroup.units(n)
    place = np.array([group.index(a) for a in powers_of_primitive_root(n).tolist()])
    logarithm = np.argsort(place)
    np.testing.assert_array_equal(logarithm[group.table[np.ix_(place, place)]], FiniteGroup.cyclic(group.order).table)


@given(st.integers(2, 150))
def test_there_is_a_primitive_root_exactly_if_an_element_has_the_order_of_the_group(n):
    group = FiniteGroup.units(n)
    assert (primitive_root(n) is not None) == (group.element_orders.max() == group.order)


@pytest.mark.parametrize("function", [primitive_root, powers_of_primitive_root])
@pytest.mark.parametrize("n", [0, -7, 2.0, "97", None, True])
def test_the_modulus_is_a_positive_integer(function, n):
    text = f"n = {n!r}: needs an integer n ≥ 1, the modulus; give e.g. 113"
    with pytest.raises(GrokinterpError, match="^" + re.escape(text) + "$"):
        function(n)


def test_without_a_primitive_root_there_is_no_logarithm():
    text = (
        "n = 8 has no primitive root: needs 1, 2, 4, a power of an odd prime or twice one; "
        "use FiniteGroup.units(8), which is no cyclic group"
    )
    with pytest.raises(GrokinterpError, match="^" + re.escape(text) + "$"):
        powers_of_primitive_root(8)
