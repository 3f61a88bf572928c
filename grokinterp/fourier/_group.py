"""Finite groups: numbered elements and the table of their products."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Int

from grokinterp.errors import GrokinterpError

from . import _families
from ._array import Integer, shown
from ._subgroups import Subgroup, all_subgroups, coset_numbers, generated_subgroup
from ._table import conjugacy_classes, element_labels, element_orders, group_table, read_only

if TYPE_CHECKING:
    Text: TypeAlias = str
    Group: TypeAlias = "FiniteGroup"
    Several: TypeAlias = Iterable
else:
    # A checker at run time would answer first; the errors of this room say what is needed.
    Text = Group = Several = Any


@dataclass(frozen=True, eq=False, repr=False)
class FiniteGroup:
    """A finite group: its elements in a stated order, and the table of their products.

    `table[g, h]` is the index of g·h, where g, h and g·h are indices into `elements`, the labels a reader sees.
    The order of the elements is part of the group: weights of a network that was trained on the group have a
    row for each element, in that order. Groups are made by the constructors below, of at most 5040 elements.

    Attributes:
        name: as a reader writes it, e.g. "S_5".
        elements: the labels, in order.
        table: read-only int64.
        family: how the group was made, ("cyclic", n), ("dihedral", n), ("symmetric", n), ("alternating", n),
            ("units", n) or ("product", left group, right group), from which its representations are known by
            formula; None for a group given otherwise.

    Two groups are equal only if they are the same object.

    >>> group = FiniteGroup.symmetric(3)
    >>> group, group.elements[group.table[group.index((1, 0, 2)), group.index((1, 2, 0))]]
    (FiniteGroup(S_3, order 6), (2, 1, 0))
    """

    name: str
    elements: tuple
    table: Int[np.ndarray, "n n"]
    family: tuple | None = None

    def __post_init__(self) -> None:
        # A frozen group with a table that can be written would change under its cached properties.
        read_only(self.table)

    def __repr__(self) -> str:
        return f"FiniteGroup({self.name}, order {self.order})"

    @classmethod
    def cyclic(cls, n: Integer) -> "FiniteGroup":
        """Z_n: the integers 0, …, n−1 under addition modulo n.

        >>> FiniteGroup.cyclic(3).table.tolist()
        [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
        """
        return cls(*_families.cyclic(n))

    @classmethod
    def dihedral(cls, n: Integer) -> "FiniteGroup":
        """D_n: the 2n symmetries of the n-gon, the rotations r^0, …, r^(n−1), then the reflections r^0 s, ….

        (r1, s1)·(r2, s2) = (r1 + r2, s2) for s1 = 0 and (r1 − r2, 1 − s2) for s1 = 1, as in Chughtai et al. 2023
        (arXiv 2302.03025), whose order of the elements this is.

        >>> group = FiniteGroup.dihedral(5)
        >>> group.elements[group.table[group.index("r^0 s"), group.index("r^2")]]
        'r^3 s'
        """
        return cls(*_families.dihedral(n))

    @classmethod
    def symmetric(cls, n: Integer, order: Text = "lexicographic") -> "FiniteGroup":
        """S_n: the permutations of 0, …, n−1 as tuples of images; p·q is "apply p, then q".

        Args:
            n: at most 7.
            order: "lexicographic", or "sympy" for that of `SymmetricGroup(n).generate()` in sympy 1.14, in
                which Chughtai et al. 2023 (arXiv 2302.03025) number the elements; it needs sympy.

        >>> FiniteGroup.symmetric(5, order="sympy").elements[:2]
        ((0, 1, 4, 2, 3), (1, 2, 0, 3, 4))
        """
        return cls(*_families.symmetric(n, order))

    @classmethod
    def alternating(cls, n: Integer, order: Text = "lexicographic") -> "FiniteGroup":
        """A_n: the even permutations of 0, …, n−1, as in `symmetric`.

        The order "sympy" is that of `AlternatingGroup(n).generate()`, but for n = 5 that of the generators
        (0 1 2 3 4) and (1 2)(3 4), which Chughtai et al. 2023 use.

        >>> FiniteGroup.alternating(3).elements
        ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        """
        return cls(*_families.alternating(n, order))

    @classmethod
    def units(cls, n: Integer) -> "FiniteGroup":
        """(Z/n)^×: the residues prime to n, ascending, under multiplication modulo n.

        Where they are the powers of one, `powers_of_primitive_root` gives their order as a cyclic group.

        >>> FiniteGroup.units(8).elements
        (1, 3, 5, 7)
        """
        return cls(*_families.units(n))

    @classmethod
    def direct_product(cls, *groups: Group) -> "FiniteGroup":
        """Tuples of elements, multiplied entry by entry; the last entry varies fastest (row-major order).

        The factors of a factor that is a product become factors themselves.

        >>> FiniteGroup.direct_product(FiniteGroup.cyclic(2), FiniteGroup.units(4)).elements
        ((0, 1), (0, 3), (1, 1), (1, 3))
        """
        if len(groups) < 2 or not all(isinstance(group, FiniteGroup) for group in groups):
            raise GrokinterpError(
                f"direct_product of {shown(groups)}: needs two groups or more; "
                "give e.g. FiniteGroup.cyclic(5), FiniteGroup.cyclic(5)"
            )
        product = groups[0]
        for group in groups[1:]:
            product = cls(*_families.product(product, group))
        return product

    @classmethod
    def from_permutations(cls, generators: Several, name: str = "G", order: Text = "lexicographic") -> "FiniteGroup":
        """The permutations that some generate: image tuples or sympy Permutations; p·q is "apply p, then q".

        >>> FiniteGroup.from_permutations([(1, 2, 3, 4, 0), (0, 2, 4, 1, 3)], name="F_20")
        FiniteGroup(F_20, order 20)
        """
        return cls(*_families.permutations(generators, name, order))

    @classmethod
    def from_table(cls, table: Any, name: str = "G", elements: Several | None = None) -> "FiniteGroup":
        """The group with table[g][h] = index of g·h, checked to be one.

        Args:
            table: n rows of n integers from 0 to n−1; it is copied.
            name: as a reader writes it.
            elements: n different labels; the integers 0, …, n−1 if left out.

        Raises:
            GrokinterpError: the first entry, element or triple that breaks the law of a group.

        >>> FiniteGroup.from_table([[0, 1], [1, 1]])
        Traceback (most recent call last):
        grokinterp.errors.GrokinterpError: the table is no group: element 1 has no inverse: needs ...
        """
        checked = group_table(table)
        return cls(name, element_labels(elements, len(checked)), checked)

    @classmethod
    def named(cls, spec: Text, order: Text = "standard") -> "FiniteGroup":
        """The group that a reader writes so: "Z113" or "C113", "D59", "S5", "A5", "U97", "Q8", "Z5xZ5", "S_3 × Z_2".

        Args:
            spec: also the `name` of any group that this makes.
            order: "standard", or "sympy" for the order of sympy in the S_n and A_n that are named.

        >>> FiniteGroup.named("S_3 x Z2")
        FiniteGroup(S_3 × Z_2, order 12)
        """
        groups = [cls(*parts) for parts in _families.spelled(spec, order)]
        return groups[0] if len(groups) == 1 else cls.direct_product(*groups)

    @property
    def order(self) -> int:
        """The number of elements."""
        return len(self.elements)

    @cached_property
    def identity(self) -> int:
        """The index of the identity."""
        return int(np.flatnonzero(self.table[:, 0] == 0)[0])

    @cached_property
    def inverses(self) -> Int[np.ndarray, " n"]:
        """The index of the inverse of each element.

        >>> FiniteGroup.cyclic(5).inverses.tolist()
        [0, 4, 3, 2, 1]
        """
        return read_only(np.argmax(self.table == self.identity, axis=1))

    @cached_property
    def is_abelian(self) -> bool:
        """Whether g·h = h·g for all elements."""
        return np.array_equal(self.table, self.table.T)

    @cached_property
    def element_orders(self) -> Int[np.ndarray, " n"]:
        """For each element the least k ≥ 1 whose k-th power is the identity.

        >>> FiniteGroup.named("Q8").element_orders.tolist()
        [1, 2, 4, 4, 4, 4, 4, 4]
        """
        return read_only(element_orders(self.table, self.identity))

    @cached_property
    def conjugacy_classes(self) -> tuple[tuple[int, ...], ...]:
        """The classes {x⁻¹·g·x}, as ascending indices: that of the identity, then by size, then by first index.

        >>> FiniteGroup.dihedral(3).conjugacy_classes
        ((0,), (1, 2), (3, 4, 5))
        """
        return conjugacy_classes(self.table, self.inverses, self.identity)

    @cached_property
    def class_of(self) -> Int[np.ndarray, " n"]:
        """The number of the conjugacy class of each element.

        >>> FiniteGroup.dihedral(3).class_of.tolist()
        [0, 1, 1, 2, 2, 2]
        """
        numbers = np.empty(self.order, dtype=np.int64)
        for number, members in enumerate(self.conjugacy_classes):
            numbers[list(members)] = number
        return read_only(numbers)

    @cached_property
    def _indices(self) -> dict:
        return {element: i for i, element in enumerate(self.elements)}

    def index(self, element: Any) -> int:
        """The index of an element, given by its label.

        >>> FiniteGroup.units(7).index(3)
        2
        """
        try:
            return self._indices[element]
        except (KeyError, TypeError) as error:
            raise GrokinterpError(
                f"element {shown(element)} is not in {self.name}: needs one of {shown(self.elements)}; "
                "write it as in `elements`"
            ) from error

    def subgroup(self, *generators: Any) -> Subgroup:
        """The subgroup that some elements generate, given by their labels.

        >>> FiniteGroup.cyclic(12).subgroup(8, 6)
        Subgroup(Z_6, order 6, index 2, normal)
        """
        return generated_subgroup(self, [self.index(generator) for generator in generators])

    def subgroups(self) -> tuple[Subgroup, ...]:
        """All subgroups, sorted by order, then by elements; found once.

        Raises:
            GrokinterpError: the group has more than 720 elements, or more than 20 000 subgroups.

        >>> [subgroup.order for subgroup in FiniteGroup.cyclic(12).subgroups()]
        [1, 2, 3, 4, 6, 12]
        """
        return self._subgroups

    @cached_property
    def _subgroups(self) -> tuple[Subgroup, ...]:
        return all_subgroups(self)

    def cosets(self, subgroup: Any, side: Text = "left") -> Int[np.ndarray, " n"]:
        """The number of the coset of each element: gH for side "left", Hg for "right".

        The cosets are numbered by their first elements.

        >>> group = FiniteGroup.dihedral(3)
        >>> flip = group.subgroup("r^0 s")
        >>> group.cosets(flip).tolist(), group.cosets(flip, side="right").tolist()
        ([0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 2, 1])
        """
        return coset_numbers(self, subgroup, side)
