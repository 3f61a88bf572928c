"""Which frequency a neuron (or an attention head) computes with."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from grokinterp.fourier import FourierBasis
from grokinterp.runs import Snapshot

CLUSTER_THRESHOLD = 0.85


@dataclass(frozen=True, eq=False)
class BestFrequencies:
    """For functions f_n(a, b): the frequency whose degree-2 polynomial explains most of each one's variance.

    The block of frequency k holds the components {1, cos w_k a, sin w_k a} × {1, cos w_k b, sin w_k b} without the
    constant. `frequency` is the arg max over k, `variance_explained` the block's share of the variance over all pairs
    (Nanda et al. 2023, §4.1; 0 for a function that is constant). `share` has it for every k = 1 … ⌊p/2⌋.
    """

    share: Float[np.ndarray, "neuron freq"]

    @property
    def frequency(self) -> Int[np.ndarray, " neuron"]:
        return self.share.argmax(axis=1) + 1

    @property
    def variance_explained(self) -> Float[np.ndarray, " neuron"]:
        return self.share.max(axis=1)

    def clusters(self, threshold: float = CLUSTER_THRESHOLD) -> dict[int, list[int]]:
        """Frequency → neurons that it explains to at least `threshold`; with 0, every neuron at its arg max."""
        clusters: dict[int, list[int]] = {}
        for neuron in np.flatnonzero(self.variance_explained >= max(threshold, np.finfo(float).tiny)):
            clusters.setdefault(int(self.frequency[neuron]), []).append(int(neuron))
        return dict(sorted(clusters.items()))

    def unclustered(self, threshold: float = CLUSTER_THRESHOLD) -> list[int]:
        """Neurons that no frequency explains to `threshold`."""
        return np.flatnonzero(self.variance_explained < max(threshold, np.finfo(float).tiny)).tolist()


def best_frequencies(functions: Float[np.ndarray, "pair neuron"], p: int, *, chunk: int = 128) -> BestFrequencies:
    """Shares of variance per frequency for columns that are functions of (a, b), pair (a, b) in row a·p + b.

    >>> a, b = np.indices((7, 7)).reshape(2, -1)
    >>> w = 2 * np.pi / 7
    >>> product = np.cos(3 * w * a) * np.cos(3 * w * b) + 5.0
    >>> best = best_frequencies(product[:, None], 7)
    >>> best.frequency, best.variance_explained.round(6)
    (array([3]), array([1.]))
    """
    shares = [_shares(functions[:, start : start + chunk], p) for start in range(0, functions.shape[1], chunk)]
    return BestFrequencies(np.concatenate(shares))


def _shares(functions: Float[np.ndarray, "pair neuron"], p: int) -> Float[np.ndarray, "neuron freq"]:
    grid = functions.astype(np.float64).reshape(p, p, -1)
    grid = grid - grid.mean(axis=(0, 1))
    power = FourierBasis(p).power_2d(grid, axes=(0, 1))
    k = np.arange(1, p // 2 + 1)
    blocks = power[k, 0] + power[0, k] + power[k, k]
    total = (grid**2).sum(axis=(0, 1))
    # A constant function leaves only rounding behind: its variance is no larger than float32's grain of its mean.
    alive = total > p**2 * (np.finfo(np.float32).eps * np.abs(functions).max(axis=0)) ** 2
    return np.where(alive, blocks / np.where(alive, total, 1.0), 0.0).T


def neuron_spectrum(snapshot: Snapshot, neuron: int) -> Float[np.ndarray, "freq freq"]:
    """Norms of a neuron's 2-D Fourier components by frequency along a (rows) and along b; its mean is left out.

    A neuron that computes with frequency k alone has (k, 0), (0, k) and (k, k) only.
    """
    p = snapshot.task.p
    grid = snapshot.neurons[:, neuron].astype(np.float64).reshape(p, p)
    return np.sqrt(FourierBasis(p).power_2d(grid - grid.mean()))


def neuron_frequencies(snapshot: Snapshot) -> BestFrequencies:
    """Best frequency of every MLP neuron, after the non-linearity."""
    return best_frequencies(snapshot.neurons, snapshot.task.p)
