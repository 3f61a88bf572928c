"""Characters against printed tables and the Murnaghan–Nakayama rule."""

import numpy as np
import pytest
from irrep_oracle import KNOWN, KNOWN_IDS, cycle_type, murnaghan_nakayama

from grokinterp.fourier import FiniteGroup, FourierBasis, GroupBasis, character_table, irreps


def partition(irrep, n):
    return (n,) if irrep.name == "trivial" else tuple(map(int, irrep.name.strip("()").rstrip(",").split(",")))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_symmetric_characters_obey_the_murnaghan_nakayama_rule(n):
    group = FiniteGroup.symmetric(n)
    for irrep in irreps(group):
        expected = [murnaghan_nakayama(partition(irrep, n), cycle_type(p)) for p in group.elements]
        np.testing.assert_allclose(irrep.character, expected, atol=1e-10)


# James and Liebeck, Representations and characters of groups: columns by cycle type.
PRINTED = {
    4: {
        "cycles": [(1, 1, 1, 1), (2, 1, 1), (3, 1), (2, 2), (4,)],
        "trivial": [1, 1, 1, 1, 1],
        "(1,1,1,1)": [1, -1, 1, 1, -1],
        "(2,2)": [2, 0, -1, 2, 0],
        "(3,1)": [3, 1, 0, -1, -1],
        "(2,1,1)": [3, -1, 0, -1, 1],
    },
    5: {
        "cycles": [(1, 1, 1, 1, 1), (2, 1, 1, 1), (3, 1, 1), (2, 2, 1), (4, 1), (3, 2), (5,)],
        "trivial": [1, 1, 1, 1, 1, 1, 1],
        "(1,1,1,1,1)": [1, -1, 1, 1, -1, -1, 1],
        "(4,1)": [4, 2, 1, 0, 0, -1, -1],
        "(2,1,1,1)": [4, -2, 1, 0, 0, 1, -1],
        "(3,1,1)": [6, 0, 0, -2, 0, 0, 1],
        "(3,2)": [5, 1, -1, 1, -1, 1, 0],
        "(2,2,1)": [5, -1, -1, 1, 1, -1, 0],
    },
}


@pytest.mark.parametrize("n", PRINTED)
def test_the_character_tables_of_s4_and_s5_are_the_printed_ones(n):
    group = FiniteGroup.symmetric(n)
    table, cycles = character_table(group), PRINTED[n]["cycles"]
    columns = [cycles.index(cycle_type(group.elements[members[0]])) for members in group.conjugacy_classes]
    for irrep, row in zip(irreps(group), table, strict=True):
        np.testing.assert_allclose(row, np.array(PRINTED[n][irrep.name])[columns], atol=1e-12)


def test_the_character_table_of_a5_has_the_golden_ratio():
    # Classes by size: 1, 12 and 12 of 5-cycles, 15 of double transpositions, 20 of 3-cycles.
    golden, other = (1 + np.sqrt(5)) / 2, (1 - np.sqrt(5)) / 2
    table = character_table(FiniteGroup.alternating(5))
    if table[1, 1] < 0:
        golden, other = other, golden
    expected = [
        [1, 1, 1, 1, 1],
        [3, golden, other, -1, 0],
        [3, other, golden, -1, 0],
        [4, -1, -1, 0, 1],
        [5, 0, 0, 1, -1],
    ]
    np.testing.assert_allclose(table, expected, atol=1e-12)


def test_the_character_table_of_a4_adds_the_two_complex_ones():
    # Classes: identity, double transpositions, and two of 3-cycles, where ω + ω̄ = −1.
    expected = [[1, 1, 1, 1], [2, 2, -1, -1], [3, -1, 0, 0]]
    np.testing.assert_allclose(character_table(FiniteGroup.alternating(4)), expected, atol=1e-12)


def test_the_character_table_of_the_quaternions():
    # Classes: 1, −1, ±i, ±j, ±k; the last row is twice the complex character of dimension 2.
    table = character_table(FiniteGroup.named("Q8"))
    assert table[:, 0].round(12).tolist() == [1, 1, 1, 1, 4]
    np.testing.assert_allclose(table[4], [4, -4, 0, 0, 0], atol=1e-12)
    rows = sorted(table[:4].round(6).tolist())
    assert rows == sorted([[1, 1, 1, 1, 1], [1, 1, 1, -1, -1], [1, 1, -1, 1, -1], [1, 1, -1, -1, 1]])


def test_the_second_orthogonality_over_classes():
    """Σ_χ χ(g)χ(h) is the order of the centraliser for conjugate g, h and 0 for others, where all irreps are real."""
    for name in ("S5", "D6", "A5"):
        group = FiniteGroup.named(name)
        table = character_table(group)
        sizes = [len(members) for members in group.conjugacy_classes]
        np.testing.assert_allclose(table.T @ table, np.diag([group.order / size for size in sizes]), atol=1e-10)


@pytest.mark.parametrize("group", [group for group, _ in KNOWN], ids=KNOWN_IDS)
def test_characters_are_constant_on_classes_and_the_table_holds_their_values(group):
    basis, table = GroupBasis(group), character_table(group)
    assert table.shape == (len(irreps(group)), len(group.conjugacy_classes))
    np.testing.assert_allclose(basis.characters, table[:, group.class_of], atol=1e-10)


@pytest.mark.parametrize("group", [group for group, _ in KNOWN], ids=KNOWN_IDS)
def test_class_functions_are_orthonormal_and_inside_their_blocks(group):
    basis = GroupBasis(group)
    functions = basis.class_functions
    np.testing.assert_allclose(functions @ functions.T, np.eye(len(functions)), atol=1e-10)
    np.testing.assert_allclose(basis.power(functions), np.eye(len(functions)), atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 7, 12])
def test_both_bases_of_a_cyclic_group_have_the_same_characters(n):
    ours, theirs = FourierBasis(n), GroupBasis(FiniteGroup.cyclic(n))
    np.testing.assert_allclose(ours.characters, theirs.characters, atol=1e-12)
    np.testing.assert_allclose(ours.class_functions, theirs.class_functions, atol=1e-12)
    x = np.arange(n)
    for k, row in enumerate(ours.characters):
        np.testing.assert_allclose(row, (2 if 0 < 2 * k < n else 1) * np.cos(2 * np.pi * k * x / n), atol=1e-12)


def test_characters_cannot_be_written_to():
    for basis in (FourierBasis(5), GroupBasis(FiniteGroup.symmetric(3))):
        for array in (basis.characters, basis.class_functions):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
