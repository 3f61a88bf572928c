"""Irreps and cosets as rival accounts of one network: each says what its neurons see, and the network is run on that.

The input of a neuron (before the non-linearity) is a function u(a, b) of the pair. Two accounts simplify it:

    irreps   u is projected on the functions of a, and of b, in the key irreps and the constant: span{1, ρ_ij(a)} ⊗
             span{1, ρ_ij(b)} (Chughtai et al. 2023, arXiv 2302.03025)
    cosets   u is averaged over the pairs of a right coset Hg and a left coset gK, the same for each neuron: the two
             subgroups on whose cosets it is most nearly constant (Stander et al. 2024, arXiv 2312.06581)

after which the rest of the network computes its logits. They are not exclusive: on S_5 both predict the published
network to the last digit. `numbers` counts what each account lets a neuron keep of its n² inputs.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import CosetConcentration, Places, neuron_cosets
from grokinterp.runs import Snapshot

from ._replaced import logits_with, outcome

Grid = Float[np.ndarray, "n n d_mlp"]


@dataclass(frozen=True)
class GroupAccount:
    """What becomes of the network when its neurons see only what an account lets them.

    - `explained`: 1 − ‖L̃' − L̃‖² / ‖L̃₀ − L̃‖² with L̃' the centred logits under the account and L̃₀ those of neurons that
      see their mean input only. What goes past the neurons is in both, so that it earns no account anything.
    - `loss`, `accuracy`: on all pairs.
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
    grid = _inputs(snapshot, places)
    projected = basis.project(basis.project(grid, kept, axis=0), kept, axis=1)
    functions = sum(len(basis.rows(irrep)) for irrep in kept)
    return _account(snapshot, places, grid, projected, float(functions**2))


def coset_account(snapshot: Snapshot) -> GroupAccount | None:
    """Average the neurons' inputs over cosets; None where the group's subgroups are out of reach or there is none."""
    cosets = neuron_cosets(snapshot)
    if cosets is None or not cosets[0].subgroups:
        return None
    places = Places.of(snapshot.task)
    of_a, of_b = (_cosets_of(side, places, name) for side, name in zip(cosets, ("right", "left"), strict=True))
    grid = _inputs(snapshot, places)
    averaged = _averaged(_averaged(grid, of_a).transpose(1, 0, 2), of_b).transpose(1, 0, 2)
    numbers = (of_a.max(axis=0) + 1) * (of_b.max(axis=0) + 1)
    return _account(snapshot, places, grid, averaged, float(numbers.mean()), _commonest(cosets))


def _inputs(snapshot: Snapshot, places: Places) -> Grid:
    inputs, n = snapshot.activation(f"{snapshot.last_block}.mlp.hook_pre").numpy(), places.structure.n
    return inputs[places.grid.reshape(-1)].reshape(n, n, -1).astype(np.float64)


def _account(
    snapshot: Snapshot,
    places: Places,
    grid: Grid,
    simplified: Grid,
    numbers: float,
    subgroups: tuple[tuple[int, int], ...] = (),
) -> GroupAccount:
    seen = outcome(snapshot, _logits(snapshot, places, simplified))
    blind = outcome(snapshot, _logits(snapshot, places, np.broadcast_to(grid.mean(axis=(0, 1)), grid.shape)))
    lost = 1 - blind.explained
    explained = 1 - (1 - seen.explained) / lost if lost > 0 else float("nan")
    return GroupAccount(explained, seen.loss, seen.accuracy, numbers, subgroups)


def _logits(snapshot: Snapshot, places: Places, grid: Grid) -> Float[np.ndarray, "pair answer"]:
    # Pairs outside the group keep what their neurons see.
    hook = f"{snapshot.last_block}.mlp.hook_pre"
    inputs = snapshot.activation(hook).numpy().astype(np.float64)
    inputs[places.grid.reshape(-1)] = grid.reshape(-1, grid.shape[2])
    return logits_with(snapshot, hook, {-1: torch.from_numpy(inputs)})


def _cosets_of(found: CosetConcentration, places: Places, side: str) -> Int[np.ndarray, "n neuron"]:
    """The coset of every element for every neuron, numbered from 0."""
    group = places.structure.group
    numbers = {number: group.cosets(found.subgroups[number], side) for number in set(found.subgroup.tolist())}
    return np.stack([numbers[number] for number in found.subgroup.tolist()], axis=1)


def _averaged(grid: Grid, cosets: Int[np.ndarray, "n d_mlp"]) -> Grid:
    """Means over each neuron's cosets along the first axis."""
    averaged = np.empty_like(grid)
    patterns, which = np.unique(cosets, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        members = np.eye(pattern.max() + 1)[pattern]
        neurons = np.flatnonzero(which == number)
        means = np.einsum("gm,ghn->mhn", members, grid[:, :, neurons]) / members.sum(axis=0)[:, None, None]
        averaged[:, :, neurons] = means[pattern]
    return averaged


def _commonest(sides: tuple[CosetConcentration, CosetConcentration]) -> tuple[tuple[int, int], ...]:
    orders = [sides[0].subgroups[number].order for number in sides[0].subgroup.tolist()]
    values, counts = np.unique(orders, return_counts=True)
    return tuple((int(values[place]), int(counts[place])) for place in np.argsort(-counts, kind="stable"))
