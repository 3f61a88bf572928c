"""The operations on 0 … p−1, each as the table of its answers."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

Residues = Int[np.ndarray, "..."]

# name → (the sign written between the inputs, the answer)
OPERATIONS: dict[str, tuple[str, Callable[[Residues, Residues, int], Residues]]] = {
    "add": ("+", lambda a, b, p: (a + b) % p),
    "subtract": ("−", lambda a, b, p: (a - b) % p),
}


def operation_table(operation: str, p: int) -> Int[np.ndarray, "p p"]:
    """The answers of `operation` for all pairs: row a, column b.

    >>> operation_table("subtract", 3)
    array([[0, 2, 1],
           [1, 0, 2],
           [2, 1, 0]])
    """
    a, b = np.indices((p, p))
    return OPERATIONS[operation][1](a, b, p)
