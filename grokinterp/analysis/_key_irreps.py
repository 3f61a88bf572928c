"""Which frequencies, or irreps, a network computes with: the published rules side by side, and what chance gives."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from grokinterp.tasks import Structure

from ._components import character_coefficients
from ._logits import LogitDecomposition
from ._neurons import CLUSTER_THRESHOLD, BestIrreps
from ._spectra import Basis, Spectrum

# Chughtai et al. 2023 call an irrep key if its logit similarity on the final network is above this.
SIMILAR = 0.005
RELABELINGS = 100


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
    largest = component_norms[1:].max(initial=0.0)
    if not largest:
        return ()
    rows = range(1, len(basis.irrep_names))
    return tuple(irrep for irrep in rows if component_norms[list(basis.rows(irrep))].max() > largest / 4)


@dataclass(frozen=True)
class LogitControl:
    """What the logits' shares would be if the answers' places in the group meant nothing to the network.

    The control gives the answers c the group's elements at random, `RELABELINGS` times: a network that knows nothing of
    the group, such as an untrained one, cannot tell its true labels from these.

    - `share`: mean over the relabelings of the fraction of variance that all irreps together explain.
    - `largest_share`: the largest that any irrep explains in any of them.
    - `above_chance`: irreps that explain more than twice the largest share by chance, and have a logit similarity
      above .005. What is found is taken out and the rest tried again, so that strong irreps do not drown weak ones.
    """

    share: float
    largest_share: float
    above_chance: tuple[int, ...]


def logit_control(decomposition: LogitDecomposition, structure: Structure, *, seed: int = 0) -> LogitControl:
    """Compare a decomposition of logits with those of randomly relabelled answers."""
    random = np.random.default_rng(seed)
    orders = [random.permutation(structure.n) for _ in range(RELABELINGS)]
    share, similarity = decomposition.share, decomposition.logit_similarity
    means, found, chance = decomposition.means, (), None
    while True:
        shares = _relabelled(means, orders, structure) / (decomposition.variance or 1.0)
        chance = (float(shares.sum(axis=1).mean()), float(shares.max())) if chance is None else chance
        above = np.flatnonzero((share > 2 * shares.max()) & (similarity > SIMILAR)).tolist()
        new = tuple(sorted({*found, *above}))
        if new == found:
            return LogitControl(*chance, found)
        found = new
        rest = [irrep for irrep in range(len(share)) if irrep not in found]
        means = structure.basis.project(decomposition.means, rest, axis=0)


def _relabelled(
    means: Float[np.ndarray, "n answer"], orders: list[np.ndarray], structure: Structure
) -> Float[np.ndarray, "relabeling irrep"]:
    """Squared coefficients of the logits on every irrep but the trivial one, with the columns in each order."""
    squares = []
    for order in orders:
        relabelled = means.copy()
        relabelled[:, structure.outputs] = means[:, structure.outputs[order]]
        squares.append(character_coefficients(relabelled, structure)[1:] ** 2)
    return np.array(squares)
