"""The basis on one axis: its vectors, its transform and the laws that both keep."""

import dataclasses

import numpy as np
import pytest
from fourier_oracle import drawn, modest, orders, seeds, slow_matrix
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.fourier import FourierBasis

ALL_ORDERS = [*range(1, 32), 113]


@pytest.mark.parametrize("n", ALL_ORDERS)
def test_rows_are_orthonormal(n):
    matrix = FourierBasis(n).matrix
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(n), atol=1e-12)


@pytest.mark.parametrize("n", ALL_ORDERS)
def test_rows_are_the_cosines_and_sines_of_the_definition(n):
    np.testing.assert_allclose(FourierBasis(n).matrix, slow_matrix(n), atol=1e-12)


@pytest.mark.parametrize("n", ALL_ORDERS)
def test_the_transform_is_the_product_with_the_matrix(n):
    basis, x = FourierBasis(n), drawn(n, 3, n)
    np.testing.assert_allclose(basis.transform(x), x @ slow_matrix(n).T, atol=1e-12)
    np.testing.assert_allclose(basis.inverse(x), x @ slow_matrix(n), atol=1e-12)


@pytest.mark.parametrize("n", ALL_ORDERS)
def test_names_and_rows_label_every_vector_once(n):
    basis = FourierBasis(n)
    assert len(basis.names) == n
    rows = [row for k in (0, *basis.frequencies) for row in basis.rows(k)]
    assert rows == list(range(n))
    for k in basis.frequencies:
        assert [basis.names[row] for row in basis.rows(k)] == [f"cos {k}", f"sin {k}"][: len(basis.rows(k))]


def test_even_n_ends_with_one_alternating_nyquist_row():
    basis = FourierBasis(6)
    assert basis.names == ("const", "cos 1", "sin 1", "cos 2", "sin 2", "cos 3")
    assert basis.rows(3) == (5,)
    np.testing.assert_allclose(basis.matrix[5], np.array([1, -1, 1, -1, 1, -1]) / np.sqrt(6))


def test_odd_n_has_a_sine_for_every_frequency():
    basis = FourierBasis(7)
    assert basis.frequencies == (1, 2, 3)
    assert [basis.rows(k) for k in (0, 1, 2, 3)] == [(0,), (1, 2), (3, 4), (5, 6)]


def test_on_one_element_there_is_only_the_constant():
    basis = FourierBasis(1)
    assert (basis.names, basis.frequencies, basis.rows(0)) == (("const",), (), (0,))
    assert basis.transform([3.0]).tolist() == basis.inverse([3.0]).tolist() == [3.0]
    assert basis.power([3.0]).tolist() == [9.0]


def test_a_basis_is_a_frozen_value():
    assert FourierBasis(5) == FourierBasis(5) != FourierBasis(7)
    assert hash(FourierBasis(5)) == hash(FourierBasis(5))
    with pytest.raises(dataclasses.FrozenInstanceError):
        FourierBasis(5).n = 6


def test_the_matrix_is_built_once_and_cannot_be_written_to():
    basis = FourierBasis(5)
    assert basis.matrix is basis.matrix
    assert basis.matrix.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        basis.matrix[0, 0] = 1


def test_numpy_integers_are_integers():
    basis = FourierBasis(np.int64(5))
    assert basis == FourierBasis(5)
    assert type(basis.n) is int
    assert basis.rows(np.uint8(2)) == (3, 4)
    assert basis.transform(np.ones((5, 2)), np.int32(0)).shape == (5, 2)
    assert basis.project(np.ones(5), np.arange(2)).shape == (5,)


@modest
@given(orders, seeds)
def test_inverse_undoes_transform_and_transform_undoes_inverse(n, seed):
    basis, x = FourierBasis(n), drawn(seed, 2, n)
    np.testing.assert_allclose(basis.inverse(basis.transform(x)), x, atol=1e-12)
    np.testing.assert_allclose(basis.transform(basis.inverse(x)), x, atol=1e-12)


@modest
@given(orders, seeds)
def test_power_adds_up_to_the_squared_norm(n, seed):
    x = drawn(seed, 3, n)
    power = FourierBasis(n).power(x)
    assert power.shape == (3, n // 2 + 1)
    np.testing.assert_allclose(power.sum(-1), (x**2).sum(-1), rtol=1e-12)


@modest
@given(orders, seeds)
def test_power_is_the_squared_coefficients_of_the_rows_of_a_frequency(n, seed):
    basis, x = FourierBasis(n), drawn(seed, n)
    slow = [sum((slow_matrix(n)[row] @ x) ** 2 for row in basis.rows(k)) for k in (0, *basis.frequencies)]
    np.testing.assert_allclose(basis.power(x), slow, atol=1e-12)


@modest
@given(orders, seeds)
def test_the_transform_is_linear(n, seed):
    basis, (x, y) = FourierBasis(n), drawn(seed, 2, n)
    np.testing.assert_allclose(
        basis.transform(2 * x - 3 * y), 2 * basis.transform(x) - 3 * basis.transform(y), atol=1e-12
    )


@modest
@given(orders, seeds, st.integers(-30, 30))
def test_a_shift_rotates_every_pair_of_cosine_and_sine(n, seed, shift):
    basis, x = FourierBasis(n), drawn(seed, n)
    before, after = basis.transform(x), basis.transform(np.roll(x, shift))
    assert after[0] == pytest.approx(before[0], abs=1e-12)
    for k in basis.frequencies:
        angle = 2 * np.pi * k * shift / n
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        rows = list(basis.rows(k))
        np.testing.assert_allclose(after[rows], rotation[: len(rows), : len(rows)] @ before[rows], atol=1e-11)


@modest
@given(orders, seeds)
def test_the_complex_spectrum_of_numpy_says_the_same(n, seed):
    basis, x = FourierBasis(n), drawn(seed, n)
    spectrum, c = np.fft.fft(x) / np.sqrt(n), basis.transform(x)
    for k in basis.frequencies:
        if len(basis.rows(k)) == 2:
            cosine, sine = c[list(basis.rows(k))]
            assert (cosine - 1j * sine) / np.sqrt(2) == pytest.approx(spectrum[k], abs=1e-12)
        else:
            assert c[n - 1] == pytest.approx(spectrum[k].real, abs=1e-12)


@modest
@given(orders, seeds, st.data())
def test_project_is_the_orthogonal_projection_on_the_rows_of_the_frequencies(n, seed, data):
    basis, x = FourierBasis(n), drawn(seed, n)
    frequencies = data.draw(st.lists(st.integers(0, n // 2)))
    rows = slow_matrix(n)[sorted({row for k in frequencies for row in basis.rows(k)})]
    projected = basis.project(x, frequencies)
    np.testing.assert_allclose(projected, rows.T @ (rows @ x), atol=1e-12)
    np.testing.assert_allclose(basis.project(projected, frequencies), projected, atol=1e-12)


def test_projecting_on_a_frequency_and_on_all_others_gives_the_parts_of_the_whole():
    basis, x = FourierBasis(12), drawn(0, 12, 2)
    parts = [basis.project(x, [k], axis=0) for k in range(7)]
    np.testing.assert_allclose(sum(parts), x, atol=1e-12)
    np.testing.assert_allclose([(part**2).sum(0) for part in parts], basis.power(x, axis=0), atol=1e-12)


@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
def test_every_axis_can_be_transformed(axis):
    n = 6
    basis, x = FourierBasis(n), drawn(1, n, n, n)

    def through_the_last(function):
        return np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)

    for function in (basis.transform, basis.inverse, basis.power):
        np.testing.assert_allclose(function(x, axis), through_the_last(function), atol=1e-12)
    projected = through_the_last(lambda y: basis.project(y, [0, 2]))
    np.testing.assert_allclose(basis.project(x, [0, 2], axis), projected, atol=1e-12)
