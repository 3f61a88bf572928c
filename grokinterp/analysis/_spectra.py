"""Fourier spectra and singular values of weights."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.fourier import FourierBasis, gini
from grokinterp.runs import Snapshot


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Norms of the Fourier components of a matrix along its p rows: ‖F W‖ per row of the basis F.

    - `component_norms`: a norm per row of `FourierBasis(p)` (const, cos 1, sin 1, …).
    - `frequency_norms`: √(cos² + sin²) per frequency 0 … ⌊p/2⌋: independent of where the circle starts.
    - `gini_components`, `gini_frequencies`: Gini coefficients of the former (all p) and of the latter without the
      constant. The paper plots the Gini coefficient of the components' norms but released no code for it.
    """

    component_norms: Float[np.ndarray, " p"]
    frequency_norms: Float[np.ndarray, " freq"]
    gini_components: float
    gini_frequencies: float

    @classmethod
    def of(cls, matrix: Float[np.ndarray, "p column"]) -> "Spectrum":
        """The spectrum of a p-row matrix.

        >>> x = np.arange(7)
        >>> Spectrum.of(np.cos(2 * np.pi * 2 * x / 7)[:, None]).frequency_norms.round(3)
        array([0.   , 0.   , 1.871, 0.   ])
        """
        basis = FourierBasis(len(matrix))
        component_norms = np.linalg.norm(basis.transform(matrix, axis=0), axis=1)
        frequency_norms = np.sqrt(basis.power(matrix, axis=0).sum(axis=1))
        return cls(component_norms, frequency_norms, gini(component_norms), gini(frequency_norms[1:]))


def embedding_spectrum(snapshot: Snapshot) -> Spectrum:
    """Spectrum of the embeddings of 0 … p−1 (Nanda et al. 2023, Figure 3)."""
    return Spectrum.of(snapshot.W_E)


def logit_map_spectrum(snapshot: Snapshot) -> Spectrum:
    """Spectrum of the neuron-logit map W_L over the answers (Nanda et al. 2023, Figure 3)."""
    return Spectrum.of(snapshot.W_L)


def embedding_circle(snapshot: Snapshot, frequency: int) -> Float[np.ndarray, "p 2"]:
    """The embeddings of 0 … p−1 in the plane of one frequency: a circle if the network has learnt its angles.

    The plane is spanned by the d_model vectors Σ_x cos(w_k x) W_E[x] and Σ_x sin(w_k x) W_E[x], orthonormalised, the
    cos first. The Nyquist frequency of an even p has no sin: the second coordinate is 0.
    """
    W_E = snapshot.W_E
    basis = FourierBasis(len(W_E))
    components = basis.transform(W_E, axis=0)[list(basis.rows(frequency))]
    directions, triangle = np.linalg.qr(components.T)
    directions = directions * np.where(np.diag(triangle) < 0, -1.0, 1.0)
    coordinates = (W_E - W_E.mean(axis=0)) @ directions
    return np.pad(coordinates, ((0, 0), (0, 2 - coordinates.shape[1])))


@dataclass(frozen=True, eq=False)
class SingularValues:
    """Singular values of W_E, and of a Gaussian matrix of the same shape and Frobenius norm as control."""

    values: Float[np.ndarray, " rank"]
    control: Float[np.ndarray, " rank"]


def embedding_singular_values(snapshot: Snapshot, *, seed: int = 0) -> SingularValues:
    """Singular values of the embeddings against a random control: a grokked network uses few directions."""
    W_E = snapshot.W_E
    control = np.random.default_rng(seed).standard_normal(W_E.shape)
    control *= np.linalg.norm(W_E) / np.linalg.norm(control)
    return SingularValues(*(np.linalg.svd(matrix, compute_uv=False) for matrix in (W_E, control)))
