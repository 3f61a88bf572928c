"""Which frequencies, or irreps, a network computes with: the published rules side by side, and what chance gives."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float

from ._components import Places, mean_by_quotient
from ._logits import LogitDecomposition
from ._neurons import CLUSTER_THRESHOLD, BestIrreps
from ._spectra import Basis, Spectrum

# Chughtai et al. 2023 call an irrep key if its logit similarity on the final network is above this.
SIMILAR = 0.005
# A row of W_L or W_E that is longer than this part of the longest makes its irrep key.
QUARTER = 0.25
# Logits (float32) that are relabelled at a time.
_ROWS = 2**25
# Key irreps that make up less of the logits than an account must give leave something out (`find_keys`).
ENOUGH = 0.85
# In small groups a relabeling may come near a symmetry of the group, so the network need not be above all of them.
REACHED = 0.01


@dataclass(frozen=True)
class KeyIrreps:
    """Key irreps by each rule: for Z_p frequencies, for other groups indices into the basis' irreps.

    - `W_L`: a row of the neuron-logit map in the basis is longer than a quarter of the longest (cos and sin are rows of
      a frequency). It gave a clean set on every grokked network tried (on an untrained one it names nearly all).
    - `W_E`: the same of the embedding (TransformerLens' demo). Over-selects: an embedded frequency need not be used.
    - `argmax`: best irreps of all neurons (the released code of Nanda et al. 2023). Over-selects if noisy.
    - `clusters`: irreps with at least one neuron explained to .85. Misses keys whose neurons are mixed.
    - `logits`: logit similarity above .005 (Chughtai et al. 2023) and above chance, see `LogitControl`.
    """

    W_L: tuple[int, ...]
    W_E: tuple[int, ...]
    argmax: tuple[int, ...]
    clusters: tuple[int, ...]
    logits: tuple[int, ...]

    def by_rule(self, rule: str) -> tuple[int, ...]:
        return getattr(self, rule)


RULES = tuple(field.name for field in fields(KeyIrreps))


def key_irreps(W_L: Spectrum, W_E: Spectrum, neurons: BestIrreps, control: "LogitControl", basis: Basis) -> KeyIrreps:
    """Apply all rules to the measurements of one checkpoint."""
    return KeyIrreps(
        W_L=irreps_above_quarter(W_L.component_norms, basis),
        W_E=irreps_above_quarter(W_E.component_norms, basis),
        argmax=tuple(neurons.clusters(0.0)),
        clusters=tuple(neurons.clusters(CLUSTER_THRESHOLD)),
        logits=control.above_chance,
    )


def irreps_above_quarter(component_norms: Float[np.ndarray, " n"], basis: Basis) -> tuple[int, ...]:
    """Irreps of which a row exceeds a quarter of the largest; the constant takes no part.

    >>> from grokinterp.fourier import FourierBasis
    >>> irreps_above_quarter(np.array([9.0, 4.0, 0.5, 0.9, 0.9]), FourierBasis(5))
    (1,)
    """
    longest = longest_rows(component_norms, basis)
    return tuple(np.flatnonzero(longest > QUARTER).tolist())


def longest_rows(component_norms: Float[np.ndarray, " n"], basis: Basis) -> Float[np.ndarray, " irrep"]:
    """The longest row of each irrep, as part of the longest of all; 0 for the constant and where all are 0.

    >>> from grokinterp.fourier import FourierBasis
    >>> longest_rows(np.array([9.0, 4.0, 0.5, 0.9, 0.8]), FourierBasis(5))
    array([0.   , 1.   , 0.225])
    """
    largest = component_norms[1:].max(initial=0.0)
    longest = np.zeros(len(basis.irrep_names))
    for irrep in range(1, len(longest)) if largest else ():
        longest[irrep] = component_norms[list(basis.rows(irrep))].max() / largest
    return longest


@dataclass(frozen=True)
class LogitControl:
    """What the logits' shares would be if the symbols' places in the group meant nothing to the network.

    The control gives the inputs, and apart from them the answers c, the group's elements at random. A network that
    knows nothing of the group, such as an untrained one, cannot tell its true labels from these.

    - `explained`: the fraction of variance that all irreps together explain as it is.
    - `share`: the same, mean over the relabelings.
    - `largest_share`: the largest that one irrep explains, mean over the relabelings.
    - `reached`: the fraction of the relabelings under which all irreps explain as much as they do as it is.
    - `above_chance`: irreps that explain more than twice `largest_share` and have a logit similarity above .005;
      none unless all together explain more than twice `share` and `reached` is at most 1 %.

    A group of fewer than 6 elements has too few relabelings to tell: the numbers are NaN then, and `above_chance` goes
    by the similarity alone.
    """

    explained: float
    share: float
    largest_share: float
    reached: float
    above_chance: tuple[int, ...]


def logit_control(
    logits: Float[np.ndarray, "pair answer"], places: Places, decomposition: LogitDecomposition, *, seed: int = 0
) -> LogitControl:
    """Compare a decomposition of logits with what it would be for relabelled symbols."""
    similar = decomposition.logit_similarity > SIMILAR
    if places.structure.n < 6:
        unknown = float("nan")
        return LogitControl(
            decomposition.variance_explained_by_all, unknown, unknown, unknown, tuple(np.flatnonzero(similar).tolist())
        )
    shares = _relabelled_shares(logits, places, np.random.default_rng(seed))
    together, found = shares.sum(axis=1), decomposition.variance_explained_by_all
    reached = float((together >= found).mean())
    share, largest = float(together.mean()), float(shares.max(axis=1).mean())
    above = similar & (decomposition.share > 2 * largest) & (found > 2 * share) & (reached <= REACHED)
    return LogitControl(found, share, largest, reached, tuple(np.flatnonzero(above).tolist()))


def _relabelled_shares(
    logits: Float[np.ndarray, "pair answer"], places: Places, random: np.random.Generator
) -> Float[np.ndarray, "relabeling irrep"]:
    """Shares of the logits' variance, by `decompose_logits`, for random places of the symbols."""
    structure = places.structure
    n, counts = structure.n, places.counts[places.answered]
    grid, outputs = places.grid.reshape(-1), structure.outputs
    step = max(1, _ROWS // n)
    squares = np.concatenate(
        [_squares(_centred(logits[grid[start : start + step]][:, outputs])) for start in range(0, len(grid), step)]
    )
    weights = n / np.maximum(places.counts, 1)
    answers = places.element[places.grid]
    # A symbol goes to one place whether it is a or b: the embedding is the same for both.
    place_a, place_b = np.argsort(structure.inputs_a), np.argsort(structure.inputs_b)
    of_b = place_a[np.searchsorted(np.sort(structure.inputs_a), structure.inputs_b)]
    shares = []
    for _ in range(_relabelings(n)):
        a, c = random.permutation(n), random.permutation(n)
        b = place_b[np.searchsorted(np.sort(structure.inputs_b), structure.inputs_a[a[of_b]])]
        relabelled = answers[np.ix_(a, b)].reshape(-1)
        sums = torch.zeros(n, logits.shape[1], dtype=torch.float64)
        for start in range(0, len(grid), step):
            rows = torch.from_numpy(logits[grid[start : start + step]]).double()
            sums.index_add_(0, torch.from_numpy(relabelled[start : start + step]), rows)
        means = np.zeros((n, n))
        means[places.answered] = _centred(sums.numpy()[places.answered][:, outputs]) / counts[:, None]
        profile = mean_by_quotient(means[:, c], structure, places.answered)
        coefficients = structure.basis.class_functions[1:] @ profile
        variance = float(squares @ weights[relabelled]) or 1.0
        shares.append(n * len(places.answered) * coefficients**2 / variance)
    return np.array(shares)


def _centred(rows: Float[np.ndarray, "row n"]) -> Float[np.ndarray, "row n"]:
    return rows - rows.mean(axis=1, keepdims=True)


def _squares(rows: Float[np.ndarray, "row n"]) -> Float[np.ndarray, " row"]:
    return np.einsum("nc,nc->n", rows, rows, dtype=np.float64)


def _relabelings(n: int) -> int:
    """Many in small groups, where some come near a symmetry of the group; few in large ones, where all are alike."""
    return 200 if n <= 24 else 50 if n <= 200 else 10
