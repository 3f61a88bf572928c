"""The operations on 0 … p−1: how they are written and spoken of, and their answers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

Residues = Int[np.ndarray, "..."]


@dataclass(frozen=True)
class Operation:
    """What a network is asked to do: `sign` between the inputs, `verb` for what it does, `answer` of (a, b, p)."""

    sign: str
    verb: str
    answer: Callable[[Residues, Residues, int], Residues]


OPERATIONS: dict[str, Operation] = {
    "add": Operation("+", "adds", lambda a, b, p: (a + b) % p),
    "subtract": Operation("−", "subtracts", lambda a, b, p: (a - b) % p),
}


def operation_table(operation: str, p: int) -> Int[np.ndarray, "p p"]:
    """The answers of `operation` for all pairs: row a, column b.

    >>> operation_table("subtract", 3)
    array([[0, 2, 1],
           [1, 0, 2],
           [2, 1, 0]])
    """
    a, b = np.indices((p, p))
    return OPERATIONS[operation].answer(a, b, p)
