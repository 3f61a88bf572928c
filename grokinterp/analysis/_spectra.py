"""Spectra of weights by frequency or irrep, and their singular values."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from grokinterp.fourier import FourierBasis, GroupBasis, gini
from grokinterp.runs import Snapshot

from ._components import structure_needed

Basis: TypeAlias = FourierBasis | GroupBasis


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Norms of the components of a matrix along its n rows, which count a group's elements: ‖F W‖ per row of a basis F.

    - `component_norms`: a norm per row of the basis (const, cos 1, sin 1, … for Z_p).
    - `irrep_norms`: the norm of each irrep's rows together: for Z_p √(cos² + sin²) per frequency 0 … ⌊p/2⌋, which does
      not depend on where the circle starts.
    - `gini_components`, `gini_irreps`: Gini coefficients of the former (all n) and of the latter without the
      constant. The paper plots the Gini coefficient of the components' norms but released no code for it.
    """

    component_norms: Float[np.ndarray, " n"]
    irrep_norms: Float[np.ndarray, " irrep"]
    gini_components: float
    gini_irreps: float

    @classmethod
    def of(cls, matrix: Float[np.ndarray, "n column"], basis: Basis) -> "Spectrum":
        """The spectrum of an n-row matrix.

        >>> x = np.arange(7)
        >>> Spectrum.of(np.cos(2 * np.pi * 2 * x / 7)[:, None], FourierBasis(7)).irrep_norms.round(3)
        array([0.   , 0.   , 1.871, 0.   ])
        """
        component_norms = np.linalg.norm(basis.transform(matrix, axis=0), axis=1)
        irrep_norms = np.sqrt(basis.power(matrix, axis=0).sum(axis=1))
        return cls(component_norms, irrep_norms, gini(component_norms), gini(irrep_norms[1:]))

    @property
    def share(self) -> Float[np.ndarray, " irrep"]:
        """Fraction of ‖W‖² in each irrep, the constant with the trivial one (uncentred, as in Chughtai et al. 2023)."""
        squares = self.irrep_norms**2
        return squares / (squares.sum() or 1.0)


def embedding_spectrum(snapshot: Snapshot) -> Spectrum:
    """Spectrum of the embeddings over the elements of the task's group, 0 … p−1 (Nanda et al. 2023, Figure 3)."""
    structure = structure_needed(snapshot.task)
    return Spectrum.of(snapshot.W_E[structure.inputs_a], structure.basis)


def logit_map_spectrum(snapshot: Snapshot) -> Spectrum:
    """Spectrum of the neuron-logit map W_L over the answers (Nanda et al. 2023, Figure 3)."""
    structure = structure_needed(snapshot.task)
    return Spectrum.of(snapshot.W_L[structure.outputs], structure.basis)


def embedding_circle(snapshot: Snapshot, frequency: int) -> Float[np.ndarray, "n 2"]:
    """The embeddings in the plane of one frequency: a circle if the network has learnt its angles.

    Row x is element x of the task's cyclic group: the residue x, or for a product its x-th power of the primitive root.
    The plane is spanned by the d_model vectors Σ_x cos(w_k x) W_E[x] and Σ_x sin(w_k x) W_E[x], orthonormalised, the
    cos first. The Nyquist frequency of an even p has no sin: the second coordinate is 0.
    """
    structure = structure_needed(snapshot.task)
    W_E, basis = snapshot.W_E[structure.inputs_a], structure.basis
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
