"""The Gini coefficient: closed forms, laws, and the definition by pairs."""

import math

import numpy as np
import pytest
from fourier_oracle import drawn, modest, seeds
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.fourier import gini


def slow_gini(values):
    """Half the mean absolute difference of all ordered pairs, over the mean."""
    n = len(values)
    return sum(abs(x - y) for x in values for y in values) / (2 * n * sum(values))


@pytest.mark.parametrize("n", [1, 2, 5, 113])
def test_equal_values_have_gini_zero(n):
    assert gini(np.full(n, 0.3)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 113])
def test_a_single_nonzero_value_has_gini_one_minus_one_over_n(n):
    values = np.zeros(n)
    values[n // 2] = 7
    assert gini(values) == pytest.approx((n - 1) / n)


def test_a_run_of_integers_has_its_closed_form():
    n = 20
    assert gini(range(1, n + 1)) == pytest.approx((n - 1) / (3 * n))


@modest
@given(seeds, st.integers(1, 30))
def test_it_is_the_mean_difference_over_twice_the_mean(seed, n):
    values = drawn(seed, n) ** 2
    assert gini(values) == pytest.approx(slow_gini(values), abs=1e-12)


@modest
@given(seeds, st.floats(1e-300, 1e300))
def test_neither_scale_nor_order_matters(seed, scale):
    values = drawn(seed, 12) ** 2
    shuffled = np.random.default_rng(seed).permutation(values)
    assert gini(shuffled * scale) == pytest.approx(gini(values), abs=1e-12)


def test_values_near_the_limits_of_float64_do_not_overflow_or_vanish():
    assert gini([1.7e308, 1.7e308]) == pytest.approx(0)
    assert gini([0.0, 5e-324]) == pytest.approx(0.5)


def test_values_that_are_all_zero_have_no_gini():
    assert math.isnan(gini([0.0, 0.0]))
    rows = gini([[0.0, 0.0], [0.0, 1.0]], axis=1)
    assert math.isnan(rows[0])
    assert rows[1] == 0.5


def test_without_an_axis_all_values_are_taken_together_into_a_python_float():
    values = abs(drawn(0, 3, 4))
    assert type(gini(values)) is float
    assert gini(values) == pytest.approx(gini(values.ravel()))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_along_an_axis_every_line_is_measured_alone(axis):
    values = abs(drawn(0, 3, 4, 5))
    expected = np.apply_along_axis(slow_gini, axis, values)
    result = gini(values, axis)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_an_empty_batch_has_no_results():
    assert gini(np.ones((0, 4)), axis=1).shape == (0,)


def test_the_result_is_computed_in_float64():
    assert gini(np.ones((2, 2), dtype=np.float32), axis=0).dtype == np.float64
