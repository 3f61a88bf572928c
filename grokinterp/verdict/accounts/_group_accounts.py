"""Irreps and cosets as rival accounts of one network: each says what its neurons see, and the network is run on that.

The input of a neuron (before the non-linearity) is a function u(a, b) of the pair. Two accounts simplify it:

    irreps   u is projected on the functions of a, and of b, in the key irreps and the constant: span{1, ρ_ij(a)} ⊗
             span{1, ρ_ij(b)} (Chughtai et al. 2023, arXiv 2302.03025)
    cosets   u is averaged over the pairs of a right coset Hg and a left coset gK, the same for each neuron: the two
             subgroups on whose cosets it is most nearly constant (Stander et al. 2024, arXiv 2312.06581)

after which the rest of the network computes its logits. They are not exclusive: on S_5 both predict the published
network to the last digit. `numbers` counts what each account lets a neuron keep of its n² inputs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import CosetConcentration, Places, neuron_cosets
from grokinterp.fourier import Subgroup
from grokinterp.runs import Snapshot
from grokinterp.verdict._replaced import Tally
from grokinterp.verdict.causal import LastLayer

# Rows of the pairs' grid: those of some a, with every b.
Grid = Float[np.ndarray, "a n d_mlp"]
# Values in float64 at a time.
_VALUES = 2**23


@dataclass(frozen=True)
class GroupAccount:
    """What becomes of the network when its neurons see only what an account lets them.

    - `explained`: 1 − ‖L̃' − L̃‖² / ‖L̃₀ − L̃‖² with L̃' the centred logits under the account and L̃₀ those of neurons that
      see their mean input only. What goes past the neurons is in both, so that it earns no account anything.
    - `loss`, `accuracy`: on all pairs; of a large network, as `explained`, on some, see `Snapshot.some_of`.
    - `numbers`: how many numbers a neuron's input is described by, mean over the neurons, of n².
    - `subgroups`: for cosets, the commonest subgroups' orders and how many neurons look at them, most first.
    """

    explained: float
    loss: float
    accuracy: float
    numbers: float
    subgroups: tuple[tuple[int, int], ...] = ()


def irrep_account(snapshot: Snapshot, keys: Iterable[int]) -> GroupAccount:
    """Project the neurons' inputs on the key irreps, in a and in b."""
    places, kept = Places.of(snapshot.task), (0, *keys)
    basis = places.structure.basis
    rows = basis.matrix[[row for irrep in kept for row in basis.rows(irrep)]]
    coefficients = np.zeros((len(rows), len(rows), snapshot.config.d_mlp))
    for a, inputs in _inputs(snapshot, places):
        coefficients += np.tensordot(rows[:, a], np.matmul(rows, inputs), (1, 0))

    def projected(a: slice) -> Grid:
        return np.matmul(rows.T, np.tensordot(rows[:, a], coefficients, (0, 0)))

    # The first row is 1/√n everywhere.
    return _account(snapshot, places, projected, coefficients[0, 0] / places.structure.n, float(len(rows) ** 2))


def coset_account(snapshot: Snapshot) -> GroupAccount | None:
    """Average the neurons' inputs over cosets; None where the group's subgroups are out of reach or there is none."""
    cosets = neuron_cosets(snapshot)
    if cosets is None or not cosets[0].subgroups:
        return None
    places, (of_a, of_b) = Places.of(snapshot.task), cosets
    tables = [
        _Averages.of(places, of_a.subgroups[first], of_b.subgroups[second], neurons)
        for (first, second), neurons in _by_subgroups(of_a.subgroup, of_b.subgroup).items()
    ]
    mean = np.zeros(snapshot.config.d_mlp)
    for a, inputs in _inputs(snapshot, places):
        mean += inputs.sum(axis=(0, 1)) / places.structure.n**2
        for table in tables:
            table.add(a, inputs)

    def averaged(a: slice) -> Grid:
        found = np.empty((len(places.grid[a]), places.structure.n, snapshot.config.d_mlp))
        for table in tables:
            found[:, :, table.neurons] = table.means[table.of_a[a]][:, table.of_b]
        return found

    numbers = sum(table.means.size for table in tables) / snapshot.config.d_mlp
    return _account(snapshot, places, averaged, mean, numbers, _commonest(cosets))


@dataclass(frozen=True, eq=False)
class _Averages:
    """The mean inputs of some neurons over the pairs of a coset of a and a coset of b."""

    neurons: Int[np.ndarray, " neuron"]
    of_a: Int[np.ndarray, " n"]
    of_b: Int[np.ndarray, " n"]
    means: Float[np.ndarray, "right left neuron"]

    @classmethod
    def of(cls, places: Places, first: Subgroup, second: Subgroup, neurons: Int[np.ndarray, " neuron"]) -> "_Averages":
        """Nothing added up yet, for the right cosets of a subgroup and the left cosets of another."""
        group = places.structure.group
        means = np.zeros((first.index, second.index, len(neurons)))
        return cls(neurons, group.cosets(first, "right"), group.cosets(second, "left"), means)

    def add(self, a: slice, inputs: Grid) -> None:
        """Add the pairs of some a to the means."""
        n, (n_a, n_b, _) = len(self.of_a), self.means.shape
        of_b = np.matmul(np.eye(n_b)[self.of_b].T * (n_b / n), inputs[:, :, self.neurons])
        self.means[:] += np.tensordot(np.eye(n_a)[self.of_a[a]] * (n_a / n), of_b, (0, 0))


def _by_subgroups(
    first: Int[np.ndarray, " neuron"], second: Int[np.ndarray, " neuron"]
) -> dict[tuple[int, int], Int[np.ndarray, " some"]]:
    """The neurons that look at the cosets of the same two subgroups."""
    pairs, which = np.unique(np.stack([first, second]), axis=1, return_inverse=True)
    return {(int(a), int(b)): np.flatnonzero(which.reshape(-1) == number) for number, (a, b) in enumerate(pairs.T)}


def _inputs(snapshot: Snapshot, places: Places) -> Iterator[tuple[slice, Grid]]:
    """What the neurons read, in float64, on the pairs of some a at a time."""
    n = places.structure.n
    step = max(1, _VALUES // (n * snapshot.config.d_mlp))
    for start in range(0, n, step):
        a = slice(start, min(start + step, n))
        yield a, snapshot.neuron_inputs_of(places.grid[a]).astype(np.float64)


def _account(
    snapshot: Snapshot,
    places: Places,
    simplified: Callable[[slice], Grid],
    mean: Float[np.ndarray, " d_mlp"],
    numbers: float,
    subgroups: tuple[tuple[int, int], ...] = (),
) -> GroupAccount:
    """`simplified`: what the neurons read under the account, for the pairs of some a; `mean`: over all pairs."""
    n, seen, blind = places.structure.n, Tally(snapshot), Tally(snapshot)
    step = max(1, _VALUES // (n * max(snapshot.config.d_mlp, snapshot.task.n_answers)))
    chosen = snapshot.some_of(np.arange(n**2))
    for start in range(0, n, step):
        a = slice(start, min(start + step, n))
        which = chosen[np.searchsorted(chosen, start * n) : np.searchsorted(chosen, (start + step) * n)]
        pairs, inputs = places.grid.reshape(-1)[which], simplified(a).reshape(-1, len(mean))[which - start * n]
        layer = LastLayer.of(snapshot, torch.from_numpy(pairs))
        for tally, read in ((seen, inputs), (blind, np.broadcast_to(mean, inputs.shape))):
            tally.add(pairs, layer.after_inputs(torch.from_numpy(read.astype(np.float32))).numpy())
    # Pairs outside the group keep what their neurons see.
    outside = snapshot.some_of(np.setdiff1d(np.arange(snapshot.task.n_pairs), places.grid))
    for tally in (seen, blind):
        tally.add(outside, snapshot.logits[outside])
    lost = 1 - blind.outcome.explained
    explained = 1 - (1 - seen.outcome.explained) / lost if lost > 0 else float("nan")
    return GroupAccount(explained, seen.outcome.loss, seen.outcome.accuracy, numbers, subgroups)


def _commonest(sides: tuple[CosetConcentration, CosetConcentration]) -> tuple[tuple[int, int], ...]:
    orders = [sides[0].subgroups[number].order for number in sides[0].subgroup.tolist()]
    values, counts = np.unique(orders, return_counts=True)
    return tuple((int(values[place]), int(counts[place])) for place in np.argsort(-counts, kind="stable"))
