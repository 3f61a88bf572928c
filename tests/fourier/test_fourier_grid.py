"""The basis on the grid of pairs (a, b): two-dimensional transforms, sum and difference directions, folds."""

import itertools

import numpy as np
import pytest
from fourier_oracle import drawn, modest, orders, seeds, slow_fold, slow_matrix, slow_unfold
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.fourier import FourierBasis

GRIDS = [1, 2, 3, 4, 7, 8, 13]
SIGNS = pytest.mark.parametrize("sign", [1, -1], ids=["sums", "differences"])


def fold(basis, sign):
    return basis.fold_sums if sign == 1 else basis.fold_differences


def directions(basis, sign):
    return basis.sum_directions if sign == 1 else basis.difference_directions


@pytest.mark.parametrize("n", GRIDS)
def test_products_of_rows_are_orthonormal_over_the_grid(n):
    products = np.einsum("ia,jb->ijab", *[FourierBasis(n).matrix] * 2).reshape(n * n, n * n)
    np.testing.assert_allclose(products @ products.T, np.eye(n * n), atol=1e-12)


@modest
@given(orders, seeds)
def test_the_2d_transform_is_the_matrix_on_both_sides(n, seed):
    basis, x, matrix = FourierBasis(n), drawn(seed, n, n), slow_matrix(n)
    np.testing.assert_allclose(basis.transform_2d(x), matrix @ x @ matrix.T, atol=1e-11)
    np.testing.assert_allclose(basis.inverse_2d(x), matrix.T @ x @ matrix, atol=1e-11)
    np.testing.assert_allclose(basis.inverse_2d(basis.transform_2d(x)), x, atol=1e-12)


@modest
@given(orders, seeds)
def test_power_2d_sums_the_squares_of_each_block_of_frequencies(n, seed):
    basis, x = FourierBasis(n), drawn(seed, n, n)
    squares = (slow_matrix(n) @ x @ slow_matrix(n).T) ** 2
    slow = [[squares[np.ix_(basis.rows(i), basis.rows(j))].sum() for j in range(n // 2 + 1)] for i in range(n // 2 + 1)]
    np.testing.assert_allclose(basis.power_2d(x), slow, atol=1e-11)
    assert basis.power_2d(x).sum() == pytest.approx((x**2).sum())


@SIGNS
@pytest.mark.parametrize("n", GRIDS)
def test_directions_are_orthonormal_across_all_frequencies(n, sign):
    basis = FourierBasis(n)
    vectors = [directions(basis, sign)(k).reshape(-1, n * n) for k in (0, *basis.frequencies)]
    assert [len(v) for v in vectors] == [len(basis.rows(k)) for k in (0, *basis.frequencies)]
    vectors = np.concatenate(vectors)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(n), atol=1e-12)


@SIGNS
@pytest.mark.parametrize("n", [5, 6])
def test_directions_are_the_normed_cosine_and_sine_of_the_sum_or_difference(n, sign):
    basis = FourierBasis(n)
    for k in basis.frequencies:
        for waves, vector in zip((np.cos, np.sin), directions(basis, sign)(k), strict=False):
            wave = waves([[2 * np.pi * k * (a + sign * b) / n for b in range(n)] for a in range(n)])
            np.testing.assert_allclose(vector, wave / np.linalg.norm(wave), atol=1e-12)


def test_the_constant_direction_is_the_constant_unit_vector():
    basis = FourierBasis(4)
    np.testing.assert_allclose(basis.sum_directions(0), np.full((1, 4, 4), 0.25))
    np.testing.assert_allclose(basis.difference_directions(0), np.full((1, 4, 4), 0.25))


@SIGNS
@modest
@given(n=orders, seed=seeds)
def test_folding_adds_up_the_pairs_with_the_same_sum_or_difference(n, seed, sign):
    x = drawn(seed, n, n)
    np.testing.assert_allclose(fold(FourierBasis(n), sign)(x), slow_fold(x, sign), atol=1e-12)


@SIGNS
@modest
@given(n=orders, seed=seeds)
def test_folding_is_the_adjoint_and_the_left_inverse_of_unfolding(n, seed, sign):
    folding = fold(FourierBasis(n), sign)
    x, y = drawn(seed, n, n), drawn(seed + 1, n)
    assert folding(x) @ y == pytest.approx((x * slow_unfold(y, sign)).sum(), abs=1e-11)
    np.testing.assert_allclose(folding(slow_unfold(y, sign)), y, atol=1e-12)


@SIGNS
@modest
@given(n=orders, seed=seeds)
def test_the_transform_of_a_fold_holds_the_coefficients_on_the_directions(n, seed, sign):
    basis, x = FourierBasis(n), drawn(seed, n, n)
    c = basis.transform(fold(basis, sign)(x))
    for k in (0, *basis.frequencies):
        expected = (directions(basis, sign)(k) * x).sum((-2, -1))
        np.testing.assert_allclose(c[list(basis.rows(k))], expected, atol=1e-11)


@pytest.mark.parametrize(("n", "k"), [(5, 1), (8, 3), (8, 4), (113, 17)])
def test_a_cosine_of_the_sum_folds_to_the_cosine_and_has_no_difference(n, k):
    basis, w = FourierBasis(n), 2 * np.pi * k / n
    a, b = np.ogrid[:n, :n]
    wave = np.cos(w * (a + b))
    np.testing.assert_allclose(basis.fold_sums(wave), np.sqrt(n) * np.cos(w * np.arange(n)), atol=1e-11)
    # At the Nyquist frequency a + b and a − b have the same parity.
    difference = np.sqrt(n) * np.cos(w * np.arange(n)) if 2 * k == n else np.zeros(n)
    np.testing.assert_allclose(basis.fold_differences(wave), difference, atol=1e-11)


@pytest.mark.parametrize("axes", [*itertools.permutations(range(3), 2), (-1, 0), (-3, -2), (2, -2)])
def test_every_pair_of_axes_spans_a_grid(axes):
    n = 5
    basis, x = FourierBasis(n), drawn(2, n, n, n)
    a, b = (axis % 3 for axis in axes)
    (batch,) = {0, 1, 2} - {a, b}
    front = np.transpose(x, (a, b, batch))

    def back(y):
        return np.transpose(y, np.argsort((a, b, batch)))

    np.testing.assert_allclose(basis.transform_2d(x, axes), back(basis.transform_2d(front)), atol=1e-12)
    np.testing.assert_allclose(basis.inverse_2d(x, axes), back(basis.inverse_2d(front)), atol=1e-12)
    np.testing.assert_allclose(basis.power_2d(x, axes), back(basis.power_2d(front)), atol=1e-12)
    for sign in (1, -1):
        one_by_one = np.stack([slow_fold(front[..., i], sign) for i in range(n)], axis=-1)
        expected = one_by_one if a < batch else one_by_one.T
        np.testing.assert_allclose(fold(basis, sign)(x, axes), expected, atol=1e-12)


@given(st.integers(1, 6))
@modest
def test_a_fold_puts_the_sum_in_the_place_of_a_and_takes_b_out(batch):
    basis, x = FourierBasis(4), np.zeros((batch, 4, batch + 1, 4))
    assert basis.fold_sums(x, axes=(1, 3)).shape == (batch, 4, batch + 1)
    assert basis.fold_sums(x, axes=(3, 1)).shape == (batch, batch + 1, 4)
    assert basis.fold_differences(x, axes=(-1, -3)).shape == (batch, batch + 1, 4)
