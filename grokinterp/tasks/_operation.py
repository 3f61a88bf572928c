"""The operations: how they are written and spoken of, their answers, and where they have none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

from grokinterp.fourier import FiniteGroup

Indices = Int[np.ndarray, "..."]

# The entry of a table for a pair that is not in its domain.
ABSENT = -1


@dataclass(frozen=True)
class ModularOperation:
    """An operation on the residues modulo p.

    - `formula`: how a reader writes it, `{p}` standing for the modulus; `verb`: what a network does that answers it;
    - `answer`: of (a, b, p), `ABSENT` where there is none;
    - `structure`: the group in which it is a product: `sum` of residues, `product` of units, or `none`, where answers
      are residues but no group makes them a product of a and b. `sign` is −1 where b counts by its inverse.
    """

    formula: str
    verb: str
    answer: Callable[[Indices, Indices, int], Indices]
    structure: Literal["sum", "product", "none"] = "none"
    sign: int = 1


@dataclass(frozen=True)
class GroupOperation:
    """An operation on a finite group; `answer` is of (a, b, group), `composes` says that it is the product itself."""

    formula: str
    verb: str
    answer: Callable[[Indices, Indices, FiniteGroup], Indices]
    composes: bool = False


def _quotient(a: Indices, b: Indices, p: int) -> Indices:
    """a / b where b has an inverse modulo p."""
    inverse = np.full(p, ABSENT)
    for unit in range(p):
        if np.gcd(unit, p) == 1:
            inverse[unit] = pow(unit, -1, p)
    return np.where(inverse[b] == ABSENT, ABSENT, a * inverse[b] % p)


# The operations of Power et al. 2022 (arXiv 2201.02177, appendix A.1.1) and of the released openai/grok. The last three
# switch by parity: the first by that of b, the others by that of a.
MODULAR: dict[str, ModularOperation] = {
    "add": ModularOperation("(a + b) mod {p}", "adds", lambda a, b, p: (a + b) % p, "sum"),
    "subtract": ModularOperation("(a − b) mod {p}", "subtracts", lambda a, b, p: (a - b) % p, "sum", -1),
    "multiply": ModularOperation("(a · b) mod {p}", "multiplies", lambda a, b, p: a * b % p, "product"),
    "divide": ModularOperation("(a / b) mod {p}", "divides", _quotient, "product", -1),
    "x2+y2": ModularOperation("(a² + b²) mod {p}", "adds squares", lambda a, b, p: (a**2 + b**2) % p),
    "x2+xy+y2": ModularOperation("(a² + ab + b²) mod {p}", "answers", lambda a, b, p: (a**2 + a * b + b**2) % p),
    "x2+xy+y2+x": ModularOperation(
        "(a² + ab + b² + a) mod {p}", "answers", lambda a, b, p: (a**2 + a * b + b**2 + a) % p
    ),
    "x3+xy": ModularOperation("(a³ + ab) mod {p}", "answers", lambda a, b, p: (a**3 + a * b) % p),
    "x3+xy2+y": ModularOperation("(a³ + ab² + b) mod {p}", "answers", lambda a, b, p: (a**3 + a * b**2 + b) % p),
    "divide-or-subtract": ModularOperation(
        "(a / b if b is odd, else a − b) mod {p}",
        "answers",
        lambda a, b, p: np.where(b % 2 == 1, _quotient(a, b, p), (a - b) % p),
    ),
    "add-or-multiply": ModularOperation(
        "(a + b if a is even, else a · b) mod {p}",
        "answers",
        lambda a, b, p: np.where(a % 2 == 0, (a + b) % p, a * b % p),
    ),
    "add-or-subtract": ModularOperation(
        "(a + b if a is even, else a − b) mod {p}",
        "answers",
        lambda a, b, p: np.where(a % 2 == 0, (a + b) % p, (a - b) % p),
    ),
}
GROUP: dict[str, GroupOperation] = {
    "compose": GroupOperation("a · b in {group}", "composes", lambda a, b, group: group.table[a, b], composes=True),
    "conjugate": GroupOperation(
        "a · b · a⁻¹ in {group}",
        "conjugates",
        lambda a, b, group: group.table[group.table[a, b], group.inverses[a]],
    ),
    "aba": GroupOperation("a · b · a in {group}", "answers", lambda a, b, group: group.table[group.table[a, b], a]),
}
TABLE = "table"
OPERATIONS = (*MODULAR, *GROUP, TABLE)


def operation_table(operation: str, domain: int | FiniteGroup) -> Int[np.ndarray, "a b"]:
    """The answers of `operation` for all pairs, row a, column b; −1 where the pair is not in the operation's domain.

    `domain` is the modulus of a modular operation, or the group of one on a group.

    >>> operation_table("divide", 3)
    array([[-1,  0,  0],
           [-1,  1,  2],
           [-1,  2,  1]])
    """
    if isinstance(domain, FiniteGroup):
        a, b = np.indices((domain.order, domain.order))
        return GROUP[operation].answer(a, b, domain)
    a, b = np.indices((domain, domain))
    return MODULAR[operation].answer(a, b, domain)
