"""Which frequency or irrep a neuron (or an attention head) computes with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from grokinterp.runs import Snapshot

from ._components import Places
from ._remembered import remembered

CLUSTER_THRESHOLD = 0.85
# Of float64: coefficients that are added up at a time, and values that are transformed at a time.
_COEFFICIENTS, _VALUES = 2**25, 2**23


@dataclass(frozen=True, eq=False)
class BestIrreps:
    """For functions f_n(a, b): the irrep whose functions of a and of b explain most of each one's variance.

    The block of an irrep ρ holds the products {1, ρ_ij(a)} × {1, ρ_ij(b)} without the constant; for frequency k of Z_p
    {1, cos w_k a, sin w_k a} × {1, cos w_k b, sin w_k b}. `irrep` is the arg max over ρ, `variance_explained` the
    block's share of the variance over all pairs in the group (Nanda et al. 2023, §4.1; 0 for a function that is
    constant). `share` has it for every ρ but the trivial one, for k = 1 … ⌊p/2⌋.
    """

    share: Float[np.ndarray, "neuron irrep"]

    @cached_property
    def irrep(self) -> Int[np.ndarray, " neuron"]:
        return self.share.argmax(axis=1) + 1

    @cached_property
    def variance_explained(self) -> Float[np.ndarray, " neuron"]:
        return self.share.max(axis=1)

    def clusters(self, threshold: float = CLUSTER_THRESHOLD) -> dict[int, list[int]]:
        """Irrep → neurons that it explains to at least `threshold`; with 0, every neuron at its arg max."""
        clusters: dict[int, list[int]] = {}
        for neuron in np.flatnonzero(self.variance_explained >= max(threshold, np.finfo(float).tiny)):
            clusters.setdefault(int(self.irrep[neuron]), []).append(int(neuron))
        return dict(sorted(clusters.items()))

    def unclustered(self, threshold: float = CLUSTER_THRESHOLD) -> list[int]:
        """Neurons that no irrep explains to `threshold`."""
        return np.flatnonzero(self.variance_explained < max(threshold, np.finfo(float).tiny)).tolist()


def best_irreps(functions: Float[np.ndarray, "pair neuron"], places: Places, *, chunk: int = 128) -> BestIrreps:
    """Shares of variance per irrep for columns that are functions of the pairs (a, b).

    >>> from grokinterp.tasks import Task, TaskConfig
    >>> a, b = np.indices((7, 7)).reshape(2, -1)
    >>> w = 2 * np.pi / 7
    >>> product = np.cos(3 * w * a) * np.cos(3 * w * b) + 5.0
    >>> best = best_irreps(product[:, None], Places.of(Task(TaskConfig(p=7))))
    >>> best.irrep, best.variance_explained.round(6)
    (array([3]), array([1.]))
    """
    if _has_short_way(places):
        return BestIrreps(_shares_by_sums(functions, places))
    if not places.structure.is_cyclic:
        return BestIrreps(_shares_by_rows(functions.__getitem__, functions.shape[1], places))
    starts = range(0, max(functions.shape[1], 1), chunk)
    return BestIrreps(np.concatenate([_shares(functions[:, start : start + chunk], places) for start in starts]))


def _shares(functions: Float[np.ndarray, "pair neuron"], places: Places) -> Float[np.ndarray, "neuron irrep"]:
    basis = places.structure.basis
    grid = functions[places.grid].astype(np.float64)
    largest = np.abs(grid).max(axis=(0, 1))
    grid -= grid.mean(axis=(0, 1))
    power = basis.power_2d(grid, axes=(0, 1))
    rho = np.arange(1, len(basis.irrep_names))
    blocks = power[rho, 0] + power[0, rho] + power[rho, rho]
    total = (grid**2).sum(axis=(0, 1))
    return _share_of_variance(blocks, total, largest, basis.n)


def _has_short_way(places: Places) -> bool:
    structure = places.structure
    return structure.is_cyclic and structure.n % 2 == 1 and bool((places.grid >= 0).all())


def _shares_by_sums(functions: Float[np.ndarray, "pair neuron"], places: Places) -> Float[np.ndarray, "neuron irrep"]:
    """The shares in a cyclic group of odd order, without the transform in two dimensions.

    The block of frequency k holds a function of a, one of b, one of a + b and one of a − b, each the mean over the
    pairs that have the same a, b, a + b or a − b.
    """
    basis, n = places.structure.basis, places.structure.n
    in_order = bool((places.grid.ravel() == np.arange(n * n)).all())
    grid = (functions if in_order else functions[places.grid.ravel()]).reshape(n, n, -1)
    sums, differences, of_a, of_b = np.zeros((4, n, grid.shape[2]))
    squares = np.zeros(grid.shape[2])
    for a, rows in enumerate(grid):
        of_a[a] = rows.sum(axis=0, dtype=np.float64)
        of_b += rows
        sums += np.roll(rows, a, axis=0)
        # Row d of the reversed rows is b = a − d.
        differences += np.roll(rows[::-1], a + 1, axis=0)
        squares += np.einsum("bm,bm->m", rows, rows, dtype=np.float64)
    largest = np.maximum(grid.max(axis=(0, 1)), -grid.min(axis=(0, 1))).astype(np.float64)
    variance = squares - of_a.sum(axis=0) ** 2 / n**2
    blocks = np.sum([basis.power(of / np.sqrt(n), axis=0)[1:] for of in (of_a, of_b, sums, differences)], axis=0)
    return _share_of_variance(blocks, variance, largest, n)


def _shares_by_rows(
    values_of: Callable[[Int[np.ndarray, "a n"]], Float[np.ndarray, "a n neuron"]], n_neurons: int, places: Places
) -> Float[np.ndarray, "neuron irrep"]:
    """The shares from some rows of the grid of pairs at a time: of the transform, the blocks (ρ, ρ) alone are kept.

    In float64, or in float32 where that would need the neurons in several turns, each with all pairs anew (S_6).
    """
    basis = places.structure.basis
    rows = [list(basis.rows(irrep)) for irrep in range(1, len(basis.irrep_names))]
    kept = sum(len(of) ** 2 for of in rows)
    room, matrix = _COEFFICIENTS // kept, basis.matrix
    if room < n_neurons:
        room, matrix = 2 * room, matrix.astype(np.float32)
    width = max(1, min(n_neurons, room))
    return np.concatenate(
        [
            _shares_of_some(values_of, slice(start, min(start + width, n_neurons)), places, matrix, rows)
            for start in range(0, max(n_neurons, 1), width)
        ]
    )


def _shares_of_some(
    values_of: Callable[[Int[np.ndarray, "a n"]], Float[np.ndarray, "a n neuron"]],
    neurons: slice,
    places: Places,
    matrix: Float[np.ndarray, "row n"],
    rows: list[list[int]],
) -> Float[np.ndarray, "neuron irrep"]:
    n, width = places.structure.n, neurons.stop - neurons.start
    of_a, of_b, squares, largest = np.zeros((n, width)), np.zeros((n, width)), np.zeros(width), np.zeros(width)
    blocks = [np.zeros((len(of), len(of), width), dtype=matrix.dtype) for of in rows]
    middle = None
    step = max(1, _VALUES // (n * max(width, 1)))
    for start in range(0, n, step):
        chosen = slice(start, min(start + step, n))
        values = values_of(places.grid[chosen])[..., neurons].astype(matrix.dtype)
        largest = np.maximum(largest, np.abs(values).max(axis=(0, 1)))
        # Sums of squares about a value near the mean: of large numbers with a small spread they would lose digits.
        middle = values.mean(axis=(0, 1)) if middle is None else middle
        values -= middle
        of_a[chosen] = values.sum(axis=1, dtype=np.float64)
        of_b += values.sum(axis=0, dtype=np.float64)
        squares += np.einsum("abm,abm->m", values, values, dtype=np.float64)
        along_b = np.matmul(matrix, values)
        for of, block in zip(rows, blocks, strict=True):
            block += np.tensordot(matrix[of, chosen], along_b[:, of], (1, 0))
    variance = squares - of_a.sum(axis=0) ** 2 / n**2
    alone = [((matrix[of] @ sums) ** 2).sum(axis=0) / n for sums in (of_a, of_b) for of in rows]
    both = [np.einsum("ijm,ijm->m", block, block, dtype=np.float64) for block in blocks]
    of_irreps = np.array(both) + np.array(alone[: len(rows)]) + np.array(alone[len(rows) :])
    return _share_of_variance(of_irreps, variance, largest, n)


def _share_of_variance(
    blocks: Float[np.ndarray, "irrep neuron"],
    variance: Float[np.ndarray, " neuron"],
    largest: Float[np.ndarray, " neuron"],
    n: int,
) -> Float[np.ndarray, "neuron irrep"]:
    # A constant function leaves only rounding behind: its variance is no larger than float32's grain of its mean.
    alive = variance > n**2 * (np.finfo(np.float32).eps * largest) ** 2
    return np.where(alive, blocks / np.where(alive, variance, 1.0), 0.0).T


def neuron_spectrum(snapshot: Snapshot, neuron: int) -> Float[np.ndarray, "irrep irrep"]:
    """Norms of a neuron's components by irrep along a (rows) and along b; its mean is left out.

    A neuron that computes with frequency k alone has (k, 0), (0, k) and (k, k) only.
    """
    places = Places.of(snapshot.task)
    grid = snapshot.neurons[:, neuron].astype(np.float64)[places.grid]
    return np.sqrt(places.structure.basis.power_2d(grid - grid.mean()))


@remembered
def neuron_irreps(snapshot: Snapshot) -> BestIrreps:
    """Best irrep of every MLP neuron, after the non-linearity."""
    places = Places.of(snapshot.task)
    if places.structure.is_cyclic:
        return best_irreps(snapshot.neurons, places)
    return BestIrreps(_shares_by_rows(snapshot.neurons_of, snapshot.config.d_mlp, places))
