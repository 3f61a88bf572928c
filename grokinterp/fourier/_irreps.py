"""The real irreducible representations of a finite group, verified, and their characters."""

from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

from ._array import shown
from ._closed_irreps import alternating_irreps, cyclic_irreps, dihedral_irreps, symmetric_irreps
from ._generation import generating_set
from ._group import FiniteGroup
from ._irrep import Irrep
from ._numerical_irreps import numerical_irreps
from ._product_irreps import product_irreps
from ._units import powers_of_primitive_root, primitive_root

MAX_ORDER = 2000
MAX_ORDER_WITHOUT_FORMULA = 720
TOLERANCE = 1e-10

if TYPE_CHECKING:
    Group: TypeAlias = FiniteGroup
else:
    # A checker at run time would answer first; the errors of this room say what is needed.
    Group = Any

# A group is equal to itself alone, and takes its irreps with it when nobody needs it any more.
_known: WeakKeyDictionary[FiniteGroup, tuple[Irrep, ...]] = WeakKeyDictionary()


def irreps(group: Group) -> tuple[Irrep, ...]:
    """The real irreducible representations of a group, the trivial one first; found once for each group.

    - Z_n: index k is frequency k; also for the units modulo n where they are the powers of a primitive root,
      with the logarithm to the smallest one in the place of the element.
    - D_n: trivial, sign, for even n two more of dimension 1, then the frequencies.
    - S_n, A_n: Young's orthogonal form; trivial, (sign,) then by dimension, then descending by partition.
    - Direct products: the tensor products of the factors' irreps, the last factor varying fastest.
    - Others: numerically, from the regular representation; trivial, then by dimension, kind and character.

    All are verified: homomorphism, orthogonality, kind, orthonormal functions, Σ d²/m = n.

    Raises:
        GrokinterpError: the group has more than 2000 elements, or more than 720 and no formula; its table is
            not one of a group.

    >>> [(irrep.title, irrep.dimension) for irrep in irreps(FiniteGroup.symmetric(4))]
    [('trivial', 1), ('sign (1,1,1,1)', 1), ('(2,2)', 2), ('standard (3,1)', 3), ('standard ⊗ sign (2,1,1)', 3)]
    """
    if not isinstance(group, FiniteGroup):
        raise GrokinterpError(f'group = {shown(group)}: needs a FiniteGroup; give e.g. FiniteGroup.named("S5")')
    if group not in _known:
        require_irreps_in_reach(group)
        found = tuple(_found(group))
        fault = _fault(group, found)
        if fault:
            raise _failed(group, fault)
        _known[group] = found
    return _known[group]


def character_table(group: Group) -> Float[np.ndarray, "irrep class"]:
    """The character of each irrep on each conjugacy class, in the order of `irreps` and `conjugacy_classes`.

    The irreps are real: where over the complex numbers there are two conjugate ones, the row is their sum.

    >>> character_table(FiniteGroup.symmetric(3)).round(6).tolist()  # identity, 3-cycles, transpositions
    [[1.0, 1.0, 1.0], [1.0, 1.0, -1.0], [2.0, -1.0, 0.0]]
    """
    characters = np.stack([irrep.character for irrep in irreps(group)])
    return characters[:, [members[0] for members in group.conjugacy_classes]]


def require_irreps_in_reach(group: FiniteGroup) -> None:
    """Refuse a group that has more elements than `irreps` can answer for."""
    if _has_formula(group):
        if group.order > MAX_ORDER:
            raise GrokinterpError(
                f"{group.name} has {group.order} elements: needs at most {MAX_ORDER} for its irreps, which fill a "
                "matrix of order × order numbers; choose a smaller group"
            )
    elif group.order > MAX_ORDER_WITHOUT_FORMULA:
        raise GrokinterpError(
            f"{group.name} has {group.order} elements: needs at most {MAX_ORDER_WITHOUT_FORMULA} for irreps that are "
            "found numerically; build it from cyclic, dihedral, symmetric or alternating groups and their products, "
            "or choose a smaller group"
        )


def _has_formula(group: FiniteGroup) -> bool:
    match group.family:
        case ("cyclic" | "dihedral" | "symmetric" | "alternating", _):
            return True
        case ("units", n):
            return primitive_root(n) is not None
        case ("product", left, right):
            return all(_has_formula(factor) or factor.order <= MAX_ORDER_WITHOUT_FORMULA for factor in (left, right))
    return False


def _found(group: FiniteGroup) -> list[Irrep] | tuple[Irrep, ...]:
    match group.family:
        case ("cyclic", n):
            return cyclic_irreps(np.arange(n))
        case ("units", n) if primitive_root(n) is not None:
            # The residues are in ascending order, so that sorting the powers gives the logarithm of each.
            return cyclic_irreps(np.argsort(powers_of_primitive_root(n)))
        case ("dihedral", n):
            return dihedral_irreps(n)
        case ("symmetric", _):
            return symmetric_irreps(group)
        case ("alternating", _):
            return alternating_irreps(group)
        case ("product", left, right):
            return product_irreps(irreps(left), irreps(right))
    try:
        return numerical_irreps(group.table, group.identity, group.inverses, group.class_of)
    except ArithmeticError as error:
        raise _failed(group, str(error)) from error


def _failed(group: FiniteGroup, fault: str) -> GrokinterpError:
    return GrokinterpError(
        f"the irreps of {group.name} fail their verification: {fault}: needs the table of a group; "
        "give it to FiniteGroup.from_table, which says what is wrong with it"
    )


def _fault(group: FiniteGroup, found: tuple[Irrep, ...]) -> str:
    """What is wrong with the irreps, or nothing.

    ρ(s) ρ(g) = ρ(s·g) for the generators s and all g gives the law for all pairs, word by word.
    """
    n, generators = group.order, generating_set(group.table, group.identity)
    for irrep in found:
        rho, d = irrep.matrices, irrep.dimension
        errors = {
            "the identity is no identity matrix": rho[group.identity] - np.eye(d),
            "some matrices are not orthogonal": rho @ rho.transpose(0, 2, 1) - np.eye(d),
            f"it is not {irrep.kind}": irrep.character @ irrep.character / n - irrep.commutant_dimension,
        }
        for s in generators:
            errors[f"ρ(g·h) is not ρ(g) ρ(h) for g = {shown(group.elements[s])}"] = rho[s] @ rho - rho[group.table[s]]
        for fault, error in errors.items():
            if not np.abs(error).max() < TOLERANCE:
                return f"{irrep.name}: {fault}, by {np.abs(error).max():.1e}"
    functions = np.concatenate([irrep.functions for irrep in found])
    if len(functions) != n:
        return f"they span {len(functions)} functions of {n}"
    error = np.abs(functions @ functions.T - np.eye(n)).max()
    return "" if error < TOLERANCE else f"their functions are not orthonormal, by {error:.1e}"
