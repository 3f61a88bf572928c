"""Whether neurons look at cosets: the coset concentration of Stander et al. 2024 (arXiv 2312.06581, §5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup, Subgroup
from grokinterp.runs import FAST_CHUNK, Snapshot

from ._components import Places
from ._remembered import remembered


@dataclass(frozen=True, eq=False)
class CosetConcentration:
    """For functions f_n on a group, C_H(f) = Σ over the cosets of H of Var[f | coset] / Var[f], least over subgroups H.

    It is 0 for a function that is constant on the cosets of H. The variances are summed, not averaged, so that a
    function that knows nothing of cosets has a value near the index of H, above 1. A neuron below 1 is a coset neuron.

    - `least`: the least value over the subgroups, infinity for a constant function or where there is no subgroup.
    - `subgroup`: the number of that subgroup in `subgroups`, which leaves out the trivial one and the whole group.
    """

    subgroups: tuple[Subgroup, ...]
    least: Float[np.ndarray, " neuron"]
    subgroup: Int[np.ndarray, " neuron"]

    @property
    def is_coset_neuron(self) -> np.ndarray:
        return self.least < 1


def coset_concentration(
    functions: Float[np.ndarray, "n neuron"],
    group: FiniteGroup,
    side: Literal["left", "right"],
    subgroups: Sequence[Subgroup] | None = None,
) -> CosetConcentration:
    """The coset concentration of functions on a group, with the left cosets gH or the right cosets Hg.

    >>> S3 = FiniteGroup.symmetric(3)
    >>> even = np.array([[1.0], [-1.0], [-1.0], [1.0], [1.0], [-1.0]])  # The sign of a permutation.
    >>> found = coset_concentration(even, S3, "left")
    >>> found.least, found.subgroups[found.subgroup[0]].order
    (array([0.]), 3)
    """
    proper = tuple(H for H in (group.subgroups() if subgroups is None else subgroups) if 1 < H.order < group.order)
    variance = functions.var(axis=0, ddof=1)
    alive = variance > (np.finfo(np.float32).eps * np.abs(functions).max(axis=0, initial=0.0)) ** 2
    least, best = np.full(functions.shape[1], np.inf), np.zeros(functions.shape[1], dtype=np.int64)
    for number, H in enumerate(proper):
        members = np.argsort(group.cosets(H, side), kind="stable").reshape(H.index, H.order)
        within = functions[members].var(axis=1, ddof=1).sum(axis=0)
        concentration = np.where(alive, within / np.where(alive, variance, 1.0), np.inf)
        better = concentration < least
        least[better], best[better] = concentration[better], number
    return CosetConcentration(proper, least, best)


@remembered
def neuron_cosets(snapshot: Snapshot) -> tuple[CosetConcentration, CosetConcentration] | None:
    """Coset concentration of the last MLP's neurons, of their input from a and of their input from b.

    A neuron's input before the non-linearity is taken as a function of a (its mean over b) on the right cosets Hg, and
    as a function of b on the left cosets gH. In the networks of Stander et al. it is a sum of such two functions.

    None where the group has too many elements or subgroups for `FiniteGroup.subgroups`.
    """
    places = Places.of(snapshot.task)
    structure = places.structure
    try:
        subgroups = structure.group.subgroups()
    except GrokinterpError:
        return None
    n = structure.n
    of_a, of_b = np.zeros((2, n, snapshot.config.d_mlp))
    for start in range(0, n, step := max(1, FAST_CHUNK // n)):
        inputs = snapshot.neuron_inputs_of(places.grid[start : start + step]).astype(np.float64)
        of_a[start : start + step] = inputs.mean(axis=1)
        of_b += inputs.sum(axis=0)
    return (
        coset_concentration(of_a, structure.group, "right", subgroups),
        coset_concentration(of_b / n, structure.group, "left", subgroups),
    )
