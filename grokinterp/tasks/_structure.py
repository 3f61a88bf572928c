"""The group in which a task's structure is visible, and how its inputs and answers lie in it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup, FourierBasis, GroupBasis

Places = Int[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Structure:
    """A group G of order n, with the token and the answer that stand at each of its elements.

    Addition mod p shows its circles in Z_p, each residue standing for itself. Multiplication shows them in the group of
    the units, which for a prime p is Z_{p−1} through the discrete logarithm: element k is the residue g^k. Inputs and
    answers outside the group (zero) have no place in it; analyses by frequency or irrep leave them out.

    - `group_name`: how a reader writes G; `basis`: of the functions on G, whose irreps for a cyclic G are frequencies.
    - `inputs_a`, `inputs_b`: the token at each element, as first and as second input; `outputs`: the answer there.
    - `is_product`: the answer is the product of a's and b's elements wherever both are in G.
    - `symbol`: how a symbol's place is written: `{x}`, or `log {x}`, its logarithm to the generator.
    """

    group_name: str
    basis: FourierBasis | GroupBasis
    inputs_a: Places
    inputs_b: Places
    outputs: Places
    is_product: bool = True
    symbol: str = "{x}"

    @property
    def n(self) -> int:
        """The order of the group."""
        return self.basis.n

    @property
    def is_cyclic(self) -> bool:
        """Whether the irreps are frequencies."""
        return isinstance(self.basis, FourierBasis)

    @property
    def irrep_word(self) -> str:
        return "frequency" if self.is_cyclic else "irrep"

    @property
    def irrep_words(self) -> str:
        """The plural of `irrep_word`."""
        return "frequencies" if self.is_cyclic else "irreps"

    @property
    def combination(self) -> str:
        """How a reader writes the element of the answer: `a − b`, `log a + log b`, or `answer` if it is no product."""
        if not self.is_product:
            return "answer"
        if not self.is_cyclic:
            return "ab⁻¹" if self.inverts_b else "ab"
        return f"{self.symbol.format(x='a')} {'−' if self.inverts_b else '+'} {self.symbol.format(x='b')}"

    @property
    def inverts_b(self) -> bool:
        """Whether b counts by its inverse, as in a division."""
        return not np.array_equal(self.inputs_a, self.inputs_b)

    def require_irreps(self, keys: tuple[int, ...]) -> None:
        """Refuse numbers that are no nontrivial irreps of the group.

        **Raises** `GrokinterpError` with the first that is none.
        """
        last = len(self.basis.irrep_names) - 1
        unknown = [key for key in keys if not 1 <= key <= last]
        if unknown:
            raise GrokinterpError(
                f"keys = {list(keys)}: {self.group_name} has no nontrivial {self.irrep_word} {unknown[0]}; "
                f"give numbers from 1 to {last}"
            )

    @cached_property
    def group(self) -> FiniteGroup:
        """The group, its elements in the order of `inputs_a`."""
        return self.basis.group

    @cached_property
    def quotients(self) -> Int[np.ndarray, "n n"]:
        """s·c⁻¹ in row s, column c."""
        return self.group.table[:, self.group.inverses]

    @cached_property
    def partners(self) -> Int[np.ndarray, "n n"]:
        """The c with s·c⁻¹ = g, in row s, column g."""
        return self.group.table[self.group.inverses].T


def structure_of(group: FiniteGroup, tokens: Places, *, inverse_b: bool = False, is_product: bool = True) -> Structure:
    """The structure of a group whose element number i is written as token and answer `tokens[i]`.

    A cyclic group, whatever its elements are called, is brought to Z_n by its first generator, so that its irreps are
    frequencies. `inverse_b`: the second input counts by its inverse, as in a division.

    >>> structure = structure_of(FiniteGroup.units(7), np.arange(1, 7))
    >>> structure.group_name, structure.outputs.tolist()  # The powers of 3 modulo 7.
    ('(Z/7)^× ≅ Z_6', [1, 3, 2, 6, 4, 5])
    """
    n, name, symbol = group.order, group.name, "{x}"
    generators = np.flatnonzero(group.element_orders == n)
    if len(generators):
        places = np.empty(n, dtype=np.int64)
        places[0] = group.identity
        for exponent in range(1, n):
            places[exponent] = group.table[places[exponent - 1], generators[0]]
        basis: FourierBasis | GroupBasis = FourierBasis(n)
        inverses = -np.arange(n) % n
        if name != f"Z_{n}":
            name, symbol = f"{name} ≅ Z_{n}", "log {x}"
    else:
        places, inverses, basis = np.arange(n), group.inverses, GroupBasis(group)
    outputs = tokens[places]
    inputs_b = outputs[inverses] if inverse_b else outputs
    return Structure(name, basis, outputs, inputs_b, outputs, is_product, symbol)
