"""The basis of the functions on a group: one interface with FourierBasis, on every array library."""

import numpy as np
import pytest
import torch
from fourier_oracle import drawn, modest, seeds
from hypothesis import given
from hypothesis import strategies as st
from irrep_oracle import dic3, sl_2_3

from grokinterp.fourier import FiniteGroup, FourierBasis, GroupBasis, irreps

NAMES = ["Z1", "Z2", "Z9", "D3", "D8", "S3", "S4", "S5", "A4", "A5", "Z5xZ5", "Q8", "U8", "S3xQ8"]
BASES = [GroupBasis(FiniteGroup.named(name)) for name in NAMES] + [GroupBasis(dic3()), GroupBasis(sl_2_3())]
EVERY_BASIS = pytest.mark.parametrize("basis", BASES, ids=lambda basis: basis.group.name)
SMALL = st.sampled_from([basis for basis in BASES if basis.n <= 60])
S3 = GroupBasis(FiniteGroup.symmetric(3))


@pytest.mark.parametrize("n", [*range(1, 31), 113, 118])
def test_on_a_cyclic_group_it_is_the_fourier_basis(n):
    ours, theirs = FourierBasis(n), GroupBasis(FiniteGroup.cyclic(n))
    np.testing.assert_allclose(ours.matrix, theirs.matrix, atol=1e-12)
    assert ours.irrep_names == theirs.irrep_names
    assert ours.dimensions == theirs.dimensions
    assert ours.commutant_dimensions == theirs.commutant_dimensions
    assert [ours.rows(k) for k in range(n // 2 + 1)] == [theirs.rows(k) for k in range(n // 2 + 1)]
    assert ours.group.table.tolist() == theirs.group.table.tolist()


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_every_method_of_both_bases_of_a_cyclic_group_agrees(n):
    ours, theirs, x = FourierBasis(n), GroupBasis(FiniteGroup.cyclic(n)), drawn(0, n, n, 2)
    for method in ("transform", "inverse", "power"):
        np.testing.assert_allclose(getattr(ours, method)(x, 1), getattr(theirs, method)(x, 1), atol=1e-12)
    for method in ("transform_2d", "inverse_2d", "power_2d"):
        np.testing.assert_allclose(getattr(ours, method)(x), getattr(theirs, method)(x), atol=1e-12)
    np.testing.assert_allclose(ours.project(x, [n // 2], 0), theirs.project(x, [n // 2], 0), atol=1e-12)
    np.testing.assert_allclose(ours.product_directions(n // 2), theirs.product_directions(n // 2), atol=1e-12)
    assert (ours.product_directions(n // 2) == ours.sum_directions(n // 2)).all()


@EVERY_BASIS
def test_rows_are_orthonormal_and_labelled_once(basis):
    n = basis.n
    assert n == basis.group.order
    np.testing.assert_allclose(basis.matrix @ basis.matrix.T, np.eye(n), atol=1e-10)
    assert [row for i in range(len(basis.irrep_names)) for row in basis.rows(i)] == list(range(n))
    assert len(set(basis.names)) == n
    for i, (name, d, m) in enumerate(zip(basis.irrep_names, basis.dimensions, basis.commutant_dimensions, strict=True)):
        assert basis.rows(name) == basis.rows(i)
        assert len(basis.rows(i)) == d * d // m
        assert all(name in basis.names[row] for row in basis.rows(i))


@EVERY_BASIS
def test_rows_are_the_entries_of_the_irreps(basis):
    for i, irrep in enumerate(irreps(basis.group)):
        d, m = irrep.dimension, irrep.commutant_dimension
        entries = [irrep.matrices[:, a, b] for a in range(d) for b in range(0, d, m)]
        np.testing.assert_allclose(basis.matrix[list(basis.rows(i))], np.sqrt(d / basis.n) * np.array(entries))


@EVERY_BASIS
def test_translations_act_inside_the_blocks(basis):
    """f(s⁻¹x) and f(xs) have the coefficients of f, turned within each irrep."""
    block = np.repeat(np.arange(len(basis.irrep_names)), [len(basis.rows(i)) for i in range(len(basis.irrep_names))])
    across = block[:, None] != block
    table, inverses = basis.group.table, basis.group.inverses
    for s in range(0, basis.n, 5):
        for moved in (table[inverses[s]], table[:, s]):
            turned = basis.matrix @ basis.matrix[:, moved].T
            assert np.abs(turned[across]).max(initial=0) < 1e-10


@modest
@given(SMALL, seeds)
def test_inverse_undoes_transform_and_power_adds_up(basis, seed):
    x = drawn(seed, 3, basis.n)
    np.testing.assert_allclose(basis.transform(x), x @ basis.matrix.T, atol=1e-12)
    np.testing.assert_allclose(basis.inverse(basis.transform(x)), x, atol=1e-10)
    np.testing.assert_allclose(basis.transform(basis.inverse(x)), x, atol=1e-10)
    power = basis.power(x)
    assert power.shape == (3, len(basis.irrep_names))
    np.testing.assert_allclose(power.sum(-1), (x**2).sum(-1), rtol=1e-10)


@modest
@given(SMALL, seeds, st.data())
def test_project_is_the_orthogonal_projection_on_the_rows_of_the_irreps(basis, seed, data):
    x = drawn(seed, basis.n)
    some = data.draw(st.lists(st.sampled_from(basis.irrep_names)))
    rows = basis.matrix[sorted({row for name in some for row in basis.rows(name)})]
    projected = basis.project(x, some)
    np.testing.assert_allclose(projected, rows.T @ (rows @ x), atol=1e-10)
    np.testing.assert_allclose(basis.project(projected, some), projected, atol=1e-10)


@modest
@given(SMALL, seeds)
def test_the_projection_on_an_irrep_is_a_convolution_with_its_character(basis, seed):
    """(d/(n·m)) Σ_h χ(h) f(h⁻¹x), the projection formula of Serre, §2.6."""
    x, group = drawn(seed, basis.n), basis.group
    quotients = x[group.table[group.inverses]]
    for i, (d, m) in enumerate(zip(basis.dimensions, basis.commutant_dimensions, strict=True)):
        expected = d / (basis.n * m) * basis.characters[i] @ quotients
        np.testing.assert_allclose(basis.project(x, [i]), expected, atol=1e-10)


@EVERY_BASIS
def test_product_directions_are_orthonormal_and_depend_on_the_product_alone(basis):
    last = len(basis.irrep_names) - 1
    directions = basis.product_directions(last)
    flat = directions.reshape(len(directions), -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(directions)), atol=1e-10)
    g, h = 1 % basis.n, 2 % basis.n
    product = basis.group.table[g, h]
    row = basis.matrix[list(basis.rows(last))]
    np.testing.assert_allclose(directions[:, g, h], row[:, product] / np.sqrt(basis.n))


def test_a_product_direction_is_a_sum_of_products_of_rows_of_one_irrep():
    """ρ(gh)_ij = Σ_k ρ(g)_ik ρ(h)_kj, so the two-dimensional power is in one block."""
    basis = GroupBasis(FiniteGroup.symmetric(4))
    power = basis.power_2d(basis.product_directions("(3,1)")[4])
    assert power[3, 3] == pytest.approx(1)
    assert power.sum() == pytest.approx(1)


def test_the_matrix_is_built_once_and_cannot_be_written_to():
    assert S3.matrix is S3.matrix
    assert S3.matrix.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        S3.matrix[0, 0] = 1


def test_bases_of_one_group_are_equal():
    group = FiniteGroup.symmetric(3)
    assert GroupBasis(group) == GroupBasis(group) != S3
    assert hash(GroupBasis(group)) == hash(GroupBasis(group))
    assert repr(GroupBasis(group)) == "GroupBasis(group=FiniteGroup(S_3, order 6))"
    assert GroupBasis(group).irreps is irreps(group)


def test_irreps_are_named_by_index_or_name():
    assert S3.index("(2,1)") == S3.index(2) == S3.index(np.int64(2)) == 2
    np.testing.assert_allclose(S3.project(np.eye(6), "(2,1)"), S3.project(np.eye(6), [2]))
    assert S3.names == ("trivial", "(1,1,1)", "(2,1) [0,0]", "(2,1) [0,1]", "(2,1) [1,0]", "(2,1) [1,1]")


def test_the_fourier_basis_builds_no_table_unless_asked():
    basis = FourierBasis(100_003)
    assert basis.transform(np.ones(100_003)).shape == (100_003,)
    assert basis.irrep_names[-1] == "50001"
    assert basis.dimensions[:2] == (1, 2)


METHODS = {
    "transform": lambda basis, x: basis.transform(x, axis=0),
    "inverse": lambda basis, x: basis.inverse(x, axis=1),
    "transform_2d": lambda basis, x: basis.transform_2d(x),
    "inverse_2d": lambda basis, x: basis.inverse_2d(x),
    "power": lambda basis, x: basis.power(x, axis=0),
    "power_2d": lambda basis, x: basis.power_2d(x),
    "project": lambda basis, x: basis.project(x, [0, "(2,1)"], axis=0),
}
EVERY_METHOD = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@EVERY_METHOD
def test_torch_and_jax_agree_with_numpy(method):
    jnp = pytest.importorskip("jax.numpy")
    x = drawn(0, 6, 6, 3)
    expected = method(S3, x)
    result = method(S3, torch.asarray(x))
    assert result.dtype == torch.float64
    np.testing.assert_allclose(result, expected, atol=1e-12)
    result = method(S3, jnp.asarray(x, dtype=jnp.float32))
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, expected, atol=1e-5)


@EVERY_METHOD
def test_dtypes_lists_and_devices_are_kept(method):
    x = drawn(0, 6, 6)
    assert method(S3, x.astype(np.float32)).dtype == np.float32
    assert method(S3, torch.asarray(x, dtype=torch.bfloat16)).dtype == torch.float32
    np.testing.assert_allclose(method(S3, x.tolist()), method(S3, x))
    on_meta = method(S3, torch.zeros(6, 6, 2, device="meta"))
    assert on_meta.device.type == "meta"
    assert method(S3, np.zeros((6, 6, 0))).shape[-1] == 0


@EVERY_METHOD
def test_gradients_flow(method):
    jax = pytest.importorskip("jax")
    x = drawn(0, 6, 6)
    assert torch.autograd.gradcheck(lambda y: method(S3, y), (torch.asarray(x).requires_grad_(),), fast_mode=True)
    traced = jax.jit(lambda y: method(S3, y))(jax.numpy.asarray(x, dtype=np.float32))
    np.testing.assert_allclose(traced, method(S3, x), atol=1e-5)
    assert jax.grad(lambda y: method(S3, y).sum())(jax.numpy.asarray(x, dtype=np.float32)).shape == (6, 6)


@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
def test_every_axis_can_be_transformed(axis):
    x = drawn(1, 6, 6, 6)

    def through_the_last(function):
        return np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)

    for function in (S3.transform, S3.inverse, S3.power):
        np.testing.assert_allclose(function(x, axis), through_the_last(function), atol=1e-12)
    kept = through_the_last(lambda y: S3.project(y, [0, 2]))
    np.testing.assert_allclose(S3.project(x, [0, 2], axis), kept, atol=1e-12)
