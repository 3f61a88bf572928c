"""Which frequencies a network computes with: the published rules, side by side."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from ._neurons import CLUSTER_THRESHOLD, BestFrequencies
from ._spectra import Spectrum


@dataclass(frozen=True)
class KeyFrequencies:
    """Key frequencies by each rule.

    - `W_L`: a cos or sin row of the neuron-logit map is longer than a quarter of the longest. The default: it gave a
      clean set on every grokked network tried (on an untrained one it names nearly all frequencies).
    - `W_E`: the same of the embedding (TransformerLens' demo). Over-selects: an embedded frequency need not be used.
    - `argmax`: best frequencies of all neurons (the released code of Nanda et al. 2023). Over-selects if noisy.
    - `clusters`: frequencies with at least one neuron explained to .85. Misses keys whose neurons are mixed.
    """

    W_L: tuple[int, ...]
    W_E: tuple[int, ...]
    argmax: tuple[int, ...]
    clusters: tuple[int, ...]

    def by_rule(self, rule: str = "W_L") -> tuple[int, ...]:
        return getattr(self, rule)


RULES = tuple(field.name for field in fields(KeyFrequencies))


def key_frequencies(W_L: Spectrum, W_E: Spectrum, neurons: BestFrequencies) -> KeyFrequencies:
    """Apply all rules to the spectra of one checkpoint."""
    return KeyFrequencies(
        W_L=frequencies_above_quarter(W_L.component_norms),
        W_E=frequencies_above_quarter(W_E.component_norms),
        argmax=tuple(neurons.clusters(0.0)),
        clusters=tuple(neurons.clusters(CLUSTER_THRESHOLD)),
    )


def frequencies_above_quarter(component_norms: Float[np.ndarray, " p"]) -> tuple[int, ...]:
    """Frequencies of which the cos or the sin row exceeds a quarter of the largest; the constant takes no part.

    >>> frequencies_above_quarter(np.array([9.0, 4.0, 0.5, 0.9, 0.9]))
    (1,)
    """
    norms = component_norms[1:]
    if not norms.any():
        return ()
    rows = np.flatnonzero(norms > norms.max() / 4)
    return tuple(sorted({int(row) // 2 + 1 for row in rows}))
