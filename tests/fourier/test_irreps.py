"""The laws that make irreps what they are, for every way in which they are found."""

from collections import Counter

import numpy as np
import pytest
from fourier_oracle import drawn, modest, seeds
from hypothesis import given
from hypothesis import strategies as st
from irrep_oracle import KNOWN, KNOWN_IDS, relabelled

from grokinterp.fourier import FiniteGroup, FourierBasis, irreps, powers_of_primitive_root
from grokinterp.fourier._numerical_irreps import polished

FAMILIES = [f"Z{n}" for n in range(1, 31)] + [f"D{n}" for n in (1, 2, *range(3, 21))]
FAMILIES += ["S1", "S2", "S3", "S4", "S5", "S6", "A1", "A2", "A3", "A6", "U2", "U7", "U8", "U97", "D4xS3"]
GROUPS = [FiniteGroup.named(name) for name in FAMILIES] + [group for group, _ in KNOWN]
EVERY_GROUP = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)


@EVERY_GROUP
def test_matrices_multiply_as_the_elements_do(group):
    for irrep in irreps(group):
        rho, d = irrep.matrices, irrep.dimension
        assert rho.shape == (group.order, d, d)
        side_by_side = rho.transpose(1, 0, 2).reshape(d, -1)
        for g, products in zip(rho, group.table, strict=True):
            error = (g @ side_by_side).reshape(d, -1, d).transpose(1, 0, 2) - rho[products]
            assert np.abs(error).max() < 1e-10


@EVERY_GROUP
def test_matrices_are_orthogonal(group):
    for irrep in irreps(group):
        gram = irrep.matrices @ irrep.matrices.transpose(0, 2, 1)
        assert np.abs(gram - np.eye(irrep.dimension)).max() < 1e-12


@EVERY_GROUP
def test_their_functions_are_an_orthonormal_basis(group):
    found = irreps(group)
    assert sum(irrep.dimension**2 // irrep.commutant_dimension for irrep in found) == group.order
    assert [len(irrep.functions) for irrep in found] == [irrep.n_functions for irrep in found]
    functions = np.concatenate([irrep.functions for irrep in found])
    np.testing.assert_allclose(functions @ functions.T, np.eye(group.order), atol=1e-10)


@EVERY_GROUP
def test_every_entry_is_spanned_by_the_functions_of_its_irrep(group):
    for irrep in irreps(group):
        entries = irrep.matrices.reshape(group.order, -1)
        kept = irrep.functions.T @ (irrep.functions @ entries)
        np.testing.assert_allclose(kept, entries, atol=1e-10)


@EVERY_GROUP
def test_characters_are_orthogonal_with_the_commutant_as_their_norm(group):
    found = irreps(group)
    characters = np.stack([irrep.character for irrep in found])
    expected = np.diag([irrep.commutant_dimension for irrep in found])
    np.testing.assert_allclose(characters @ characters.T / group.order, expected, atol=1e-10)


@EVERY_GROUP
def test_there_is_an_irrep_for_each_class_up_to_inversion(group):
    pairs = {frozenset([group.class_of[g], group.class_of[group.inverses[g]]]) for g in range(group.order)}
    assert len(irreps(group)) == len(pairs)


@EVERY_GROUP
def test_the_trivial_one_is_first_and_names_differ(group):
    found = irreps(group)
    assert (found[0].matrices == 1).all()
    assert found[0].dimension == 1
    assert len({irrep.name for irrep in found}) == len(found)


# Units 1, i, j, k acting on parts from the right, written out: x·1, x·i, x·j, x·k of x = a + bi + cj + dk.
FROM_THE_RIGHT = {
    "real": [np.eye(1)],
    "complex": [np.eye(2), np.array([[0, -1], [1, 0]])],
    "quaternionic": [
        np.eye(4),
        np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, -1, 0]]),
        np.array([[0, 0, -1, 0], [0, 0, 0, -1], [1, 0, 0, 0], [0, 1, 0, 0]]),
        np.array([[0, 0, 0, -1], [0, 0, 1, 0], [0, -1, 0, 0], [1, 0, 0, 0]]),
    ],
}


@EVERY_GROUP
def test_scalars_from_the_right_commute_with_the_matrices(group):
    for irrep in irreps(group):
        for unit in FROM_THE_RIGHT[irrep.kind]:
            scalar = np.kron(np.eye(irrep.dimension // len(unit)), unit)
            assert np.abs(scalar @ irrep.matrices - irrep.matrices @ scalar).max() < 1e-12


@pytest.mark.parametrize(("group", "expected"), KNOWN, ids=KNOWN_IDS)
def test_dimensions_and_kinds_are_those_of_the_books(group, expected):
    assert Counter((irrep.dimension, irrep.kind) for irrep in irreps(group)) == expected


@pytest.mark.parametrize(("group", "expected"), KNOWN, ids=KNOWN_IDS)
def test_the_table_alone_gives_the_same_irreps(group, expected):
    other, order = relabelled(group, seed=1)
    assert other.family is None
    assert Counter((irrep.dimension, irrep.kind) for irrep in irreps(other)) == expected
    ours = sorted(irrep.character[order].round(6).tolist() for irrep in irreps(group))
    theirs = sorted(irrep.character.round(6).tolist() for irrep in irreps(other))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@modest
@given(st.sampled_from(["D6", "S3xZ2", "Q8", "A4", "Z12", "S4", "Q8xZ3"]), seeds)
def test_the_order_of_the_elements_does_not_matter(name, seed):
    group = FiniteGroup.named(name)
    other, order = relabelled(group, seed)
    ours, theirs = irreps(group), irreps(other)
    assert Counter((i.dimension, i.kind) for i in ours) == Counter((i.dimension, i.kind) for i in theirs)
    overlap = np.stack([i.character[order] for i in ours]) @ np.stack([i.character for i in theirs]).T / group.order
    matched = overlap.round(6) != 0
    assert (matched.sum(0) == 1).all()
    assert (matched.sum(1) == 1).all()
    for irrep in theirs:
        rho = irrep.matrices
        assert np.abs(rho[:, None] @ rho - rho[other.table]).max() < 1e-10


@pytest.mark.parametrize("name", ["S6", "Z720", "Z2xZ2xZ2xZ2xZ2xZ2xZ2xZ2xZ2", "A4xQ8xZ6"])
def test_large_tables_are_found_and_precise(name):
    group, _ = relabelled(FiniteGroup.named(name), seed=2)
    for irrep in irreps(group):
        for g in range(0, group.order, 97):
            error = irrep.matrices[g] @ irrep.matrices - irrep.matrices[group.table[g]]
            assert np.abs(error).max() < 1e-11


def test_matrices_that_multiply_nearly_right_are_polished():
    group = FiniteGroup.symmetric(4)
    rho = irreps(group)[3].matrices
    nearly = rho + 1e-5 * drawn(0, *rho.shape)
    nearly[group.identity] = np.eye(3)
    mended = polished(nearly, group.table, list(range(24)))
    assert np.abs(mended[:, None] @ mended - mended[group.table]).max() < 1e-12
    assert np.abs(mended - rho).max() < 1e-4


def test_irreps_are_found_once_and_are_the_same_for_an_equal_table():
    group, _ = relabelled(FiniteGroup.named("S3xQ8"), seed=3)
    assert irreps(group) is irreps(group)
    again = FiniteGroup.from_table(group.table)
    for one, other in zip(irreps(group), irreps(again), strict=True):
        assert one.name == other.name
        assert (one.matrices == other.matrices).all()


def test_matrices_cannot_be_written_to():
    for irrep in irreps(FiniteGroup.symmetric(3)):
        with pytest.raises(ValueError, match="read-only"):
            irrep.matrices[0] = 1


def test_the_irreps_of_cyclic_groups_are_numbered_by_frequency():
    found = irreps(FiniteGroup.cyclic(6))
    assert [(irrep.name, irrep.dimension, irrep.kind) for irrep in found] == [
        ("0", 1, "real"),
        ("1", 2, "complex"),
        ("2", 2, "complex"),
        ("3", 1, "real"),
    ]
    np.testing.assert_allclose(found[2].functions, FourierBasis(6).matrix[3:5], atol=1e-15)


def test_large_frequencies_are_exact():
    rotation = irreps(FiniteGroup.cyclic(1009))[504].matrices[1008]
    angle = 2 * np.pi * 504 / 1009
    np.testing.assert_allclose(rotation, [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], atol=1e-15)


def test_units_turn_by_their_logarithm():
    group = FiniteGroup.units(97)
    places = [group.index(int(residue)) for residue in powers_of_primitive_root(97)]
    for ours, cyclic in zip(irreps(group), irreps(FiniteGroup.cyclic(96)), strict=True):
        assert ours.name == cyclic.name
        np.testing.assert_allclose(ours.matrices[places], cyclic.matrices, atol=1e-15)


def test_dihedral_irreps_rotate_and_reflect():
    group = FiniteGroup.dihedral(6)
    found = {irrep.name: irrep for irrep in irreps(group)}
    assert list(found) == ["trivial", "sign", "alternating", "alternating·sign", "freq 1", "freq 2"]
    values = {name: found[name].matrices[[group.index("r^1"), group.index("r^0 s")]] for name in found}
    assert [values[name].ravel().tolist() for name in list(found)[:4]] == [[1, 1], [1, -1], [-1, 1], [-1, -1]]
    np.testing.assert_allclose(values["freq 2"][0][:, 0], [np.cos(2 * np.pi / 3), np.sin(2 * np.pi / 3)])
    assert values["freq 2"][1].tolist() == [[1, 0], [0, -1]]
    assert [irrep.name for irrep in irreps(FiniteGroup.dihedral(5))] == ["trivial", "sign", "freq 1", "freq 2"]


def test_symmetric_irreps_are_ordered_and_titled():
    assert [(irrep.name, irrep.title, irrep.dimension) for irrep in irreps(FiniteGroup.symmetric(5))] == [
        ("trivial", "trivial", 1),
        ("(1,1,1,1,1)", "sign (1,1,1,1,1)", 1),
        ("(4,1)", "standard (4,1)", 4),
        ("(2,1,1,1)", "standard ⊗ sign (2,1,1,1)", 4),
        ("(3,2)", "(3,2)", 5),
        ("(2,2,1)", "(2,2,1)", 5),
        ("(3,1,1)", "(3,1,1)", 6),
    ]
    assert [irrep.title for irrep in irreps(FiniteGroup.symmetric(2))] == ["trivial", "sign (1,1)"]
    assert irreps(FiniteGroup.symmetric(3))[2].title == "standard (2,1)"


def test_the_sympy_order_of_the_elements_changes_only_their_places():
    pytest.importorskip("sympy")
    group, other = FiniteGroup.symmetric(4), FiniteGroup.symmetric(4, order="sympy")
    places = [other.index(p) for p in group.elements]
    for ours, theirs in zip(irreps(group), irreps(other), strict=True):
        np.testing.assert_allclose(theirs.matrices[places], ours.matrices, atol=1e-12)


def test_partitions_that_are_their_own_conjugates_split_in_alternating_groups():
    def named(n):
        return [(irrep.name, irrep.dimension, irrep.kind) for irrep in irreps(FiniteGroup.alternating(n))]

    assert named(3) == [("trivial", 1, "real"), ("(2,1)", 2, "complex")]
    assert named(4) == [("trivial", 1, "real"), ("(2,2)", 2, "complex"), ("(3,1)", 3, "real")]
    assert [name for name, _, _ in named(5)] == ["trivial", "(3,1,1)+", "(3,1,1)−", "(4,1)", "(3,2)"]
    assert [d for _, d, _ in named(6)] == [1, 5, 5, 8, 8, 9, 10]


def test_products_are_named_by_their_factors():
    names = [irrep.name for irrep in irreps(FiniteGroup.named("S3xZ5"))]
    assert names[:4] == ["trivial ⊗ 0", "trivial ⊗ 1", "trivial ⊗ 2", "(1,1,1) ⊗ 0"]
    names = [irrep.name for irrep in irreps(FiniteGroup.named("Z3xZ3"))]
    assert names == ["0 ⊗ 0", "0 ⊗ 1", "1 ⊗ 0", "1 ⊗ 1", "1 ⊗ 1*"]
    names = [irrep.name for irrep in irreps(FiniteGroup.named("Z3xZ3xZ3"))]
    assert names[-6:] == ["1 ⊗ 1 ⊗ 0", "1 ⊗ 1 ⊗ 1", "1 ⊗ 1 ⊗ 1*", "1 ⊗ 1* ⊗ 0", "1 ⊗ 1* ⊗ 1", "1 ⊗ 1* ⊗ 1*"]
    nested = FiniteGroup.direct_product(FiniteGroup.cyclic(2), FiniteGroup.named("Z2xZ2"))
    assert irreps(nested)[3].name == "0 ⊗ (1 ⊗ 1)"
    assert irreps(FiniteGroup.named("S3xQ8"))[0].name == "trivial"


def test_the_two_tensor_products_of_rotations_add_and_subtract_the_angles():
    group = FiniteGroup.named("Z5xZ5")
    found = {irrep.name: irrep.matrices[group.index((1, 1))] for irrep in irreps(group)}
    angle = 2 * np.pi / 5
    np.testing.assert_allclose(found["1 ⊗ 2"][:, 0], [np.cos(3 * angle), np.sin(3 * angle)])
    np.testing.assert_allclose(found["1 ⊗ 2*"][:, 0], [np.cos(-angle), np.sin(-angle)])


def test_other_irreps_are_named_by_number_and_dimension():
    names = [irrep.name for irrep in irreps(FiniteGroup.named("Q8"))]
    assert names == ["trivial", *(f"irrep {i} (dimension 1)" for i in (1, 2, 3)), "irrep 4 (dimension 4)"]


def test_an_irrep_says_what_it_is():
    assert repr(irreps(FiniteGroup.symmetric(4))[3]) == "Irrep(standard (3,1), dimension 3, real)"
    quaternionic = irreps(FiniteGroup.named("Q8"))[4]
    assert (quaternionic.kind, quaternionic.commutant_dimension, quaternionic.n_functions) == ("quaternionic", 4, 4)


def test_the_fourier_transform_takes_convolutions_to_products():
    """f * g (x) = Σ_h f(h) g(h⁻¹x) has Σ_x (f*g)(x) ρ(x) = Σ f ρ · Σ g ρ (Serre, §6.2)."""
    for name in ("S4", "Z7", "Q8", "A4xZ3"):
        group = FiniteGroup.named(name)
        f, g = np.random.default_rng(0).normal(size=(2, group.order))
        convolved = np.array(
            [sum(f[h] * g[group.table[group.inverses[h], x]] for h in range(group.order)) for x in range(group.order)]
        )
        for irrep in irreps(group):
            f_hat, g_hat, hat = (np.einsum("g,gij->ij", each, irrep.matrices) for each in (f, g, convolved))
            np.testing.assert_allclose(hat, f_hat @ g_hat, atol=1e-10)
