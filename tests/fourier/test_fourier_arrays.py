"""The same numbers from NumPy, torch and JAX, in the dtype that came in, with gradients."""

import numpy as np
import pytest
import torch
from fourier_oracle import drawn

from grokinterp.fourier import FourierBasis, gini

METHODS = {
    "transform": lambda basis, x: basis.transform(x, axis=0),
    "inverse": lambda basis, x: basis.inverse(x, axis=1),
    "transform_2d": lambda basis, x: basis.transform_2d(x),
    "inverse_2d": lambda basis, x: basis.inverse_2d(x),
    "power": lambda basis, x: basis.power(x, axis=0),
    "power_2d": lambda basis, x: basis.power_2d(x),
    "project": lambda basis, x: basis.project(x, [0, basis.n // 2], axis=0),
    "fold_sums": lambda basis, x: basis.fold_sums(x),
    "fold_differences": lambda basis, x: basis.fold_differences(x, axes=(1, 0)),
}
EVERY_METHOD = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
ORDERS = pytest.mark.parametrize("n", [1, 2, 5, 6])


@EVERY_METHOD
@ORDERS
def test_torch_agrees_with_numpy(method, n):
    basis, x = FourierBasis(n), drawn(0, n, n, 3)
    result = method(basis, torch.asarray(x))
    assert result.dtype == torch.float64
    np.testing.assert_allclose(result, method(basis, x), atol=1e-12)


@EVERY_METHOD
@ORDERS
def test_jax_agrees_with_numpy(method, n):
    jnp = pytest.importorskip("jax.numpy")
    basis, x = FourierBasis(n), drawn(0, n, n, 3).astype(np.float32)
    result = method(basis, jnp.asarray(x))
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, method(basis, x), atol=1e-5)


@EVERY_METHOD
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_dtypes_stay_as_they_came(method, dtype):
    basis, x = FourierBasis(5), drawn(0, 5, 5).astype(dtype)
    assert method(basis, x).dtype == dtype
    assert method(basis, torch.asarray(x)).dtype == getattr(torch, dtype)


@EVERY_METHOD
def test_integers_booleans_and_lists_are_read_as_float64(method):
    basis, x = FourierBasis(3), [[1, 0, 1], [0, 0, 1], [1, 1, 0]]
    expected = method(basis, np.array(x, dtype=float))
    for other in (
        x,
        np.array(x),
        np.array(x, dtype=bool),
        torch.tensor(x),
        torch.tensor(x, dtype=torch.bool),
    ):
        result = method(basis, other)
        assert result.dtype == (torch.float64 if isinstance(other, torch.Tensor) else np.float64)
        np.testing.assert_allclose(result, expected, atol=1e-12)


def test_a_list_of_narrow_numbers_is_read_as_float64():
    assert FourierBasis(2).transform([np.float32(1), np.float32(2)]).dtype == np.float64


def test_half_precision_is_widened_to_float32():
    basis = FourierBasis(4)
    assert basis.transform(np.ones(4, dtype=np.float16)).dtype == np.float32
    assert basis.transform(torch.ones(4, dtype=torch.bfloat16)).dtype == torch.float32


def test_integers_in_jax_become_its_widest_floats_without_a_warning():
    jnp = pytest.importorskip("jax.numpy")
    assert FourierBasis(4).transform(jnp.arange(4)).dtype == jnp.float32


@EVERY_METHOD
@pytest.mark.parametrize("n", [1, 3, 4])
def test_gradients_flow_through_torch(method, n):
    basis = FourierBasis(n)
    x = torch.asarray(drawn(0, n, n)).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: method(basis, y), (x,), fast_mode=True)


@EVERY_METHOD
def test_jax_traces_and_differentiates(method):
    jax = pytest.importorskip("jax")
    basis, x = FourierBasis(5), drawn(0, 5, 5).astype(np.float32)
    np.testing.assert_allclose(jax.jit(lambda y: method(basis, y))(jax.numpy.asarray(x)), method(basis, x), atol=1e-5)
    assert jax.grad(lambda y: method(basis, y).sum())(jax.numpy.asarray(x)).shape == (5, 5)


def test_the_gradient_of_the_squared_norm_of_the_coefficients_is_twice_the_input():
    x = torch.asarray(drawn(3, 7)).requires_grad_()
    (FourierBasis(7).transform(x) ** 2).sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


@EVERY_METHOD
def test_the_result_stays_on_the_device_of_the_input(method):
    # The meta device stands in for an accelerator: it, too, refuses to be mixed with the CPU.
    basis, x = FourierBasis(6), drawn(0, 6, 6, 2)
    for dtype in (torch.float32, torch.int64):
        result = method(basis, torch.zeros(x.shape, dtype=dtype, device="meta"))
        assert result.device.type == "meta"
        assert tuple(result.shape) == method(basis, x).shape


@EVERY_METHOD
def test_the_input_is_left_as_it_was(method):
    x = drawn(0, 5, 5)
    before = x.copy()
    method(FourierBasis(5), x)
    assert (x == before).all()


@pytest.mark.parametrize("empty", [np.zeros((5, 5, 0)), torch.zeros(5, 5, 0)], ids=["numpy", "torch"])
@EVERY_METHOD
def test_an_empty_batch_stays_empty(method, empty):
    expected = method(FourierBasis(5), np.zeros((5, 5, 1))).shape
    assert tuple(method(FourierBasis(5), empty).shape) == (*expected[:-1], 0)


def test_torch_strides_and_views_do_not_matter():
    basis, x = FourierBasis(6), torch.asarray(drawn(4, 12, 6))[::2].T
    np.testing.assert_allclose(basis.transform(x, 0), basis.transform(x.contiguous(), 0), atol=1e-12)


def test_gini_agrees_between_the_libraries():
    jnp = pytest.importorskip("jax.numpy")
    x = abs(drawn(5, 4, 6))
    expected = gini(x)
    assert gini(torch.asarray(x)) == pytest.approx(expected, abs=1e-12)
    assert gini(torch.asarray(x).requires_grad_()) == pytest.approx(expected, abs=1e-12)
    assert gini(jnp.asarray(x)) == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(gini(torch.asarray(x), axis=0), gini(x, axis=0), atol=1e-12)
    assert gini(torch.asarray(x, dtype=torch.float32), axis=0).dtype == torch.float64
