"""The known families of finite groups: their elements in order, their table, and how they are written."""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from grokinterp.errors import GrokinterpError

from ._array import integer, shown
from ._permutations import (
    alternating_generators,
    composition_table,
    generated,
    read_permutations,
    symmetric_generators,
)
from ._units import unit_count, unit_residues

if TYPE_CHECKING:
    from ._group import FiniteGroup

MAX_ORDER = 5040  # the order of S_7; its table takes 200 MB


class Parts(NamedTuple):
    """What a group is made of, in the order of the fields of `FiniteGroup`."""

    name: str
    elements: tuple
    table: np.ndarray
    family: tuple | None


def cyclic(n: Any) -> Parts:
    n = _parameter(n, "cyclic", lambda n: n)
    a = np.arange(n)
    return Parts(f"Z_{n}", tuple(range(n)), (a[:, None] + a) % n, ("cyclic", n))


def dihedral(n: Any) -> Parts:
    n = _parameter(n, "dihedral", lambda n: 2 * n)
    s, r = np.divmod(np.arange(2 * n), n)
    # r^a s is its own inverse and s r^b = r^(−b) s, so a reflection on the left turns the angles on its right.
    angle = (r[:, None] + np.where(s[:, None] == 0, r, -r)) % n
    elements = (*(f"r^{k}" for k in range(n)), *(f"r^{k} s" for k in range(n)))
    return Parts(f"D_{n}", elements, n * (s[:, None] ^ s) + angle, ("dihedral", n))


def symmetric(n: Any, order: Any) -> Parts:
    n = _parameter(n, "symmetric", _permutation_count)
    return permutations(symmetric_generators(n), f"S_{n}", order, ("symmetric", n))


def alternating(n: Any, order: Any) -> Parts:
    n = _parameter(n, "alternating", lambda n: _permutation_count(n) // 2)
    return permutations(alternating_generators(n), f"A_{n}", order, ("alternating", n))


def permutations(generators: Any, name: str, order: Any, family: tuple | None = None) -> Parts:
    read = read_permutations(generators)
    elements = generated(read, order, MAX_ORDER)
    return Parts(name, elements, composition_table(elements, read), family)


def units(n: Any) -> Parts:
    n = _parameter(n, "units", unit_count, least=2)
    elements = unit_residues(n)
    residues = np.array(elements)
    number = np.zeros(n, dtype=np.int64)
    number[residues] = np.arange(len(residues))
    return Parts(f"(Z/{n})^×", elements, number[residues[:, None] * residues % n], ("units", n))


def quaternion() -> Parts:
    """Q_8 with i² = j² = k² = ijk = −1; element 2u + (1 if negative) is ±u, with u = 1, i, j, k."""
    # Row u, column v of u·v: which unit, and whether negative (Hamilton's rules ij = k, jk = i, ki = j).
    unit = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    negative = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1]])
    u, sign = np.divmod(np.arange(8), 2)
    table = 2 * unit[u[:, None], u] + (negative[u[:, None], u] ^ sign[:, None] ^ sign)
    return Parts("Q_8", ("1", "-1", "i", "-i", "j", "-j", "k", "-k"), table, None)


def product(left: "FiniteGroup", right: "FiniteGroup") -> Parts:
    """Pairs in row-major order: (a, b) has the index a·|right| + b."""
    n = left.order * right.order
    if n > MAX_ORDER:
        raise too_large(f"{left.name} × {right.name}")
    table = left.table[:, None, :, None] * right.order + right.table[None, :, None, :]
    elements = tuple((*_flat(left, a), *_flat(right, b)) for a in left.elements for b in right.elements)
    return Parts(f"{left.name} × {right.name}", elements, table.reshape(n, n), ("product", left, right))


def _flat(group: "FiniteGroup", element: Any) -> tuple:
    # Asked of the group, not of the element: a permutation is a tuple too.
    return element if group.family is not None and group.family[0] == "product" else (element,)


def _parameter(given: Any, family: str, order: Callable[[int], int], least: int = 1) -> int:
    n = integer(given)
    if n is None or n < least:
        raise GrokinterpError(f"n = {shown(given)}: needs an integer n ≥ {least}; give e.g. FiniteGroup.{family}(5)")
    # φ(n) ≥ √(n/2), so beyond this every family is too large, and n! need not be tried.
    if n > 2 * MAX_ORDER**2 or order(n) > MAX_ORDER:
        raise too_large(f"{family}({n})")
    return n


def too_large(name: str) -> GrokinterpError:
    """The error for a group whose table would not fit in memory."""
    return GrokinterpError(
        f"{name} has more than {MAX_ORDER} elements: needs at most as many, so that its table fits in memory; "
        "choose a smaller group"
    )


def _permutation_count(n: int) -> int:
    return math.factorial(n) if n < 10 else math.factorial(10)


WRITTEN = (
    "Z113 or C113 (cyclic), D59 (dihedral, order 118), S5 (symmetric), A5 (alternating), U97 (residues prime to 97 "
    "under multiplication), Q8 (quaternions) or a product of them such as Z5xZ5"
)
_FACTOR = re.compile(r"([ZCDSAUQ])_?([0-9]{1,9})|\(Z/([0-9]{1,9})\)\^[X×]")
_MAKERS = {"Z": cyclic, "C": cyclic, "D": dihedral, "S": symmetric, "A": alternating, "U": units}


def spelled(spec: Any, order: Any) -> list[Parts]:
    """The factors of a group written such as "S5", "Z_5 × Z_5" or "(Z/97)^×"."""
    # The lookahead leaves the × of (Z/97)^× alone, after which no group starts.
    words = re.split(r"\s*[X×]\s*(?=[ZCDSAUQ(])", spec.strip().upper()) if isinstance(spec, str) else [""]
    factors = [_factor(word, spec) for word in words]
    has_permutations = any(letter in "SA" for letter, _ in factors)
    if order not in ("standard", "sympy") or (order == "sympy" and not has_permutations):
        raise GrokinterpError(
            f'order = {shown(order)} of {shown(spec)}: needs "standard", or "sympy" for S_n and A_n, whose elements '
            "sympy numbers in its own way; leave it out"
        )
    permutation_order = "sympy" if order == "sympy" else "lexicographic"
    return [
        quaternion() if letter == "Q" else _MAKERS[letter](n, *([permutation_order] if letter in "SA" else []))
        for letter, n in factors
    ]


def _factor(word: str, spec: Any) -> tuple[str, int]:
    match = _FACTOR.fullmatch(word)
    if match is None or (match[1] == "Q" and int(match[2]) != 8):
        raise GrokinterpError(
            f"group {shown(spec)} is not known: needs {WRITTEN}; for others there is FiniteGroup.from_table"
        )
    return ("U", int(match[3])) if match[1] is None else (match[1], int(match[2]))
