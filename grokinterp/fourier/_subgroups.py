"""The subgroups of a finite group, and the cosets of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grokinterp.errors import GrokinterpError

from ._array import shown
from ._units import prime_factors

if TYPE_CHECKING:
    from ._group import FiniteGroup

MAX_ORDER = 720
MAX_SUBGROUPS = 20_000


@dataclass(frozen=True, repr=False)
class Subgroup:
    """A subgroup, by the indices of its elements in the group.

    Attributes:
        elements: indices, ascending.
        order: the number of elements.
        index: the number of cosets, |G| / order.
        is_normal: whether gH = Hg for every g.
        kind: "Z_4" and such for a cyclic or dihedral group, "G" for the whole group's name; "" where no name
            is cheap.

    Two subgroups of one group are equal when they have the same elements.
    """

    elements: tuple[int, ...]
    order: int
    index: int
    is_normal: bool
    kind: str = ""

    @property
    def name(self) -> str:
        """What the subgroup is, in words: "Z_4, order 4, index 30", "order 12, index 10".

        Conjugate subgroups share their name.
        """
        known = f"{self.kind}, " if self.kind else ""
        return f"{known}order {self.order}, index {self.index}{', normal' if self.is_normal else ''}"

    def __repr__(self) -> str:
        return f"Subgroup({self.name})"


def all_subgroups(group: "FiniteGroup") -> tuple[Subgroup, ...]:
    """Every subgroup, found layer by layer: each arises from a smaller one H as ⟨H, z⟩, z of prime-power order.

    This is the cyclic extension method (Neubüser 1960), with two savings: only one H of each conjugacy class is
    extended, as ⟨H, z⟩ conjugated is ⟨H conjugated, z conjugated⟩; and only one z of each double coset HzH, as
    the elements of HzH extend H alike.
    """
    if group.order > MAX_ORDER:
        raise GrokinterpError(
            f"{group!r}: needs at most {MAX_ORDER} elements for a list of all subgroups; "
            "name one by its generators with `subgroup`"
        )
    found: dict[bytes, Subgroup] = {}
    conjugations = _conjugations(group)
    cyclic = _prime_power_generators(group)
    waiting = _add_class(group, found, conjugations, np.array([group.identity]))
    for members, generators in waiting:
        left = np.zeros(group.order, dtype=bool)
        left[cyclic] = True
        left[members] = False
        while left.any():
            z = int(np.argmax(left))
            left[group.table[np.ix_(group.table[members, z], members)]] = False
            larger = _joined(group, members, (*generators, z))
            waiting += _add_class(group, found, conjugations, larger, (*generators, z))
    return tuple(sorted(found.values(), key=lambda subgroup: (subgroup.order, subgroup.elements)))


def _add_class(
    group: "FiniteGroup",
    found: dict[bytes, Subgroup],
    conjugations: list[np.ndarray],
    members: np.ndarray,
    generators: tuple[int, ...] = (),
) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """Enter a subgroup and its conjugates; the subgroup with its generators if it is new, else nothing."""
    if _key(group, members) in found:
        return []
    conjugates = {_key(group, members): members}
    for conjugate in (queue := [members]):
        for conjugation in conjugations:
            image = np.sort(conjugation[conjugate])
            key = _key(group, image)
            if key not in conjugates:
                conjugates[key] = image
                queue.append(image)
    if len(found) + len(conjugates) > MAX_SUBGROUPS:
        raise GrokinterpError(
            f"{group!r} has more than {MAX_SUBGROUPS} subgroups: needs a group with fewer; "
            "name one by its generators with `subgroup`"
        )
    # Conjugate subgroups are isomorphic, so one look at the structure is enough for all.
    kind = _kind(group, members)
    for key, conjugate in conjugates.items():
        found[key] = _subgroup(group, conjugate, kind, is_normal=len(conjugates) == 1)
    return [(members, generators)]


def generated_subgroup(group: "FiniteGroup", generators: list[int]) -> Subgroup:
    """The smallest subgroup that holds some elements."""
    members = _joined(group, np.array([group.identity]), generators)
    is_normal = all(np.array_equal(np.sort(image[members]), members) for image in _conjugations(group))
    return _subgroup(group, members, _kind(group, members), is_normal=is_normal)


def coset_numbers(group: "FiniteGroup", subgroup: Any, side: Any) -> np.ndarray:
    """The number of each element's coset, in the order of the cosets' first elements."""
    if not isinstance(subgroup, Subgroup):
        raise GrokinterpError(
            f"subgroup = {shown(subgroup)}: needs a Subgroup of {group.name}; take one from its `subgroups()`, or name "
            "its generators with `subgroup`"
        )
    if side not in ("left", "right"):
        raise GrokinterpError(
            f'side = {shown(side)}: needs "left" for the cosets gH or "right" for Hg; give one of them'
        )
    members = np.array(subgroup.elements)
    if subgroup.order * subgroup.index != group.order or not _is_closed(group, members):
        raise GrokinterpError(
            f"{subgroup!r} is of another group: needs a subgroup of {group.name}; take one from its `subgroups()`"
        )
    first = group.table[:, members].min(axis=1) if side == "left" else group.table[members].min(axis=0)
    return np.unique(first, return_inverse=True)[1]


def _is_closed(group: "FiniteGroup", members: np.ndarray) -> bool:
    inside = np.zeros(group.order, dtype=bool)
    inside[members] = True
    return bool(inside[group.table[np.ix_(members, members)]].all())


def _joined(group: "FiniteGroup", members: np.ndarray, generators: Sequence[int]) -> np.ndarray:
    """The elements of ⟨H, generators⟩, of which some generate H: the cosets Hr that the generators lead to.

    Times a generator s, the coset Hr becomes H(rs), so one representative of each is followed (Dimino).
    """
    inside = np.zeros(group.order, dtype=bool)
    inside[members] = True
    for r in (representatives := [group.identity]):
        for s in generators:
            product = int(group.table[r, s])
            if not inside[product]:
                inside[group.table[members, product]] = True
                representatives.append(product)
    return np.flatnonzero(inside)


def _conjugations(group: "FiniteGroup") -> list[np.ndarray]:
    """The maps x ↦ s⁻¹·x·s for generators s of the group."""
    members, generators = np.array([group.identity]), []
    while len(members) < group.order:
        generators.append(int(np.setdiff1d(np.arange(group.order), members)[0]))
        members = _joined(group, members, generators)
    return [group.table[group.table[group.inverses[s]], s] for s in generators]


def _prime_power_generators(group: "FiniteGroup") -> np.ndarray:
    """One generator of each cyclic subgroup of prime-power order greater than 1."""
    kept, seen = [], np.zeros(group.order, dtype=bool)
    for g, order in enumerate(group.element_orders.tolist()):
        if not seen[g] and len(prime_factors(order)) == 1:
            kept.append(g)
            powers = _joined(group, np.array([group.identity]), [g])
            seen[powers[group.element_orders[powers] == order]] = True
    return np.array(kept, dtype=np.int64)


def _key(group: "FiniteGroup", members: np.ndarray) -> bytes:
    inside = np.zeros(group.order, dtype=bool)
    inside[members] = True
    return np.packbits(inside).tobytes()


def _subgroup(group: "FiniteGroup", members: np.ndarray, kind: str, *, is_normal: bool) -> Subgroup:
    order = len(members)
    return Subgroup(tuple(members.tolist()), order, group.order // order, is_normal, kind)


# Element orders and how many elements have them; no other group of that order has the same.
_KNOWN_BY_ELEMENT_ORDERS = {
    ((1, 1), (2, 3), (3, 8)): "A_4",
    ((1, 1), (2, 9), (3, 8), (4, 6)): "S_4",
    ((1, 1), (2, 5), (4, 10), (5, 4)): "F_20",
    ((1, 1), (2, 15), (3, 20), (5, 24)): "A_5",
    ((1, 1), (2, 25), (3, 20), (4, 30), (5, 24), (6, 20)): "S_5",
}


def _kind(group: "FiniteGroup", members: np.ndarray) -> str:
    """How a reader writes the subgroup's structure, where the orders of its elements tell it."""
    n, orders = len(members), group.element_orders[members]
    if n == group.order:
        return group.name
    if orders.max() == n:
        return f"Z_{n}"
    if n == 4:
        return "Z_2 × Z_2"
    half = members[orders == n // 2]
    if n % 2 == 0 and len(half):
        rotations = _joined(group, np.array([group.identity]), [int(half[0])])
        # With a rotation c, both s and sc are involutions, so s inverts c: these are the symmetries of a polygon.
        if (group.element_orders[np.setdiff1d(members, rotations)] == 2).all():
            return f"D_{n // 2}"
    counts = zip(*np.unique(orders, return_counts=True), strict=True)
    return _KNOWN_BY_ELEMENT_ORDERS.get(tuple((int(order), int(count)) for order, count in counts), "")
