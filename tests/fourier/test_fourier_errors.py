"""What the errors say: one line with what was given, what is needed and what to do."""

import re

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FourierBasis, gini

BASIS = FourierBasis(5)


def raises(text):
    return pytest.raises(GrokinterpError, match="^" + re.escape(text) + "[^\n]*$")


@pytest.mark.parametrize("n", [0, -3, True, np.True_, 2.0, "5", None, np.float64(5)])
def test_n_must_be_a_positive_integer(n):
    with pytest.raises(GrokinterpError) as caught:
        FourierBasis(n)
    assert str(caught.value) == (
        f"n = {n!r}: needs an integer n ≥ 1, the number of elements of Z_n; give the modulus, e.g. FourierBasis(113)"
    )


def test_a_long_n_is_cut_to_one_short_line():
    with pytest.raises(GrokinterpError) as caught:
        FourierBasis(np.zeros((50, 50)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("method", [BASIS.transform, BASIS.inverse, BASIS.power, lambda x, i: BASIS.project(x, [1], i)])
def test_an_axis_of_another_length_is_named_with_its_length_the_shape_and_n(method):
    text = (
        "axis 1 of an array of shape (5, 7) has length 7: needs length n = 5; "
        "choose another axis or slice this one to the 5 elements of Z_5"
    )
    with raises(text):
        method(np.zeros((5, 7)), 1)
    with raises(text):
        method(torch.zeros(5, 7), 1)


@pytest.mark.parametrize("axis", [2, -3, 1.0, True, None, "a"])
def test_an_axis_that_is_not_there_is_refused(axis):
    text = (
        f"axis = {axis!r} of an array of shape (5, 7): needs an integer from -2 to 1; name an axis that the array has"
    )
    with raises(text):
        BASIS.transform(np.zeros((5, 7)), axis)
    if axis is not None:
        with raises(text):
            gini(np.zeros((5, 7)), axis)


def test_a_single_number_has_no_axis():
    with raises("axis = -1 of a single number: needs an array; give one of shape (n,)"):
        BASIS.transform(3.0)


GRID_METHODS = pytest.mark.parametrize(
    "method",
    [BASIS.transform_2d, BASIS.inverse_2d, BASIS.power_2d, BASIS.fold_sums, BASIS.fold_differences],
)


@GRID_METHODS
@pytest.mark.parametrize("axes", [(0, 0), (1, -1)])
def test_the_two_axes_of_a_grid_must_differ(method, axes):
    with raises(
        f"axes = {axes} name one axis of shape (5, 5) twice: needs two different axes, "
        "for a and for b; give e.g. axes=(0, 1)"
    ):
        method(np.zeros((5, 5)), axes)


@GRID_METHODS
def test_both_axes_of_a_grid_must_have_length_n(method):
    with raises("axis 1 of an array of shape (5, 7) has length 7: needs length n = 5"):
        method(np.zeros((5, 7)))


@GRID_METHODS
@pytest.mark.parametrize("axes", [0, (0,), (0, 1, 2), "01", None])
def test_a_grid_needs_a_pair_of_axes(method, axes):
    with raises(f"axes = {axes!r}: needs a pair of axes, for a and for b; give e.g. axes=(0, 1)"):
        method(np.zeros((5, 5)), axes)


@pytest.mark.parametrize("frequency", [-1, 3, 1.0, True, "1", None])
@pytest.mark.parametrize(
    "method",
    [BASIS.rows, BASIS.sum_directions, BASIS.difference_directions, lambda k: BASIS.project(np.zeros(5), [k])],
)
def test_a_frequency_must_be_an_integer_from_0_to_half_of_n(method, frequency):
    with raises(
        f"frequency = {frequency!r}: needs an integer from 0 (the constant) to n//2 = 2; "
        "on Z_5 a frequency k above that is 5 − k"
    ):
        method(frequency)


@pytest.mark.parametrize("frequencies", [2, np.array(2), None])
def test_project_needs_several_frequencies(frequencies):
    with raises(f"irreps = {frequencies!r}: needs several; give a list, e.g. [0, 5]"):
        BASIS.project(np.zeros(5), frequencies)


@pytest.mark.parametrize("x", [np.zeros(5, complex), torch.zeros(5, dtype=torch.complex128), [1j] * 5])
def test_complex_input_is_to_be_split(x):
    with pytest.raises(GrokinterpError, match=r"^x has dtype (torch\.)?complex128: needs real numbers; "):
        BASIS.transform(x)
    with pytest.raises(GrokinterpError, match=r"; transform its real and its imaginary part apart$"):
        BASIS.transform_2d(x)


def test_errors_call_the_input_by_the_name_of_its_argument():
    with pytest.raises(GrokinterpError, match=r"^coefficients has dtype complex128: "):
        BASIS.inverse(np.zeros(5, complex))
    with pytest.raises(GrokinterpError, match=r"^coefficients has dtype complex128: "):
        BASIS.inverse_2d(np.zeros((5, 5), complex))
    with pytest.raises(GrokinterpError, match=r"^values has dtype complex128: "):
        gini([1j])


def test_text_and_objects_are_no_numbers():
    with raises("x has dtype <U1: needs real numbers; convert it to float64 first"):
        BASIS.transform(["a"] * 5)
    with raises("x has dtype object: needs real numbers; convert it to float64 first"):
        BASIS.transform(np.array([1, None], dtype=object))


def test_a_ragged_list_is_no_array():
    with raises("x = [[1, 2], [3]] is no array: needs real numbers in a rectangular shape; give an array"):
        BASIS.transform([[1, 2], [3]])


def test_gini_needs_values():
    with raises("values of shape (2, 0): needs one value or more; give an array that has some"):
        gini(np.zeros((2, 0)), axis=1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gini_needs_finite_values(bad):
    with raises("values hold nan or infinity: needs finite numbers; drop those entries first"):
        gini([1.0, bad])


def test_gini_needs_values_that_are_not_negative():
    with raises("values go down to -2: needs numbers ≥ 0; give squares or absolute values"):
        gini([1.0, -2.0])
    with raises("values go down to -2: needs numbers ≥ 0"):
        gini(torch.tensor([1.0, -2.0], requires_grad=True))
