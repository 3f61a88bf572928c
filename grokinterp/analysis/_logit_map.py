"""The structure of the neuron-logit map: W_L ≈ Σ_ρ over its key irreps' rows (Nanda et al. 2023, §4.2).

For frequency k of Z_p these are W_L ≈ Σ_k cos(w_k c) u_kᵀ + sin(w_k c) v_kᵀ. For any group, the logits are a character
χ_ρ(ab·c⁻¹) = Σ_ij ρ_ij(ab) ρ_ij(c) if the neurons hold every ρ_ij(ab) and W_L carries each to its own ρ_ij(c), and no
other: the map in the representation basis is then a multiple of the identity (Chughtai et al. 2023, appendix).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.runs import FAST_CHUNK, Snapshot

from ._components import Places, mean_neurons_by_answer


@dataclass(frozen=True, eq=False)
class RepresentationMap:
    """The map of one irrep from the functions of the answer in the neurons to those of c in the logits.

    - `matrix`: entry [i, j] is what basis row i of the answer gives to basis row j of c.
    - `scale`: the multiple of the identity nearest to it; `identity_share`: its share of ‖matrix‖²_F.
    """

    matrix: Float[np.ndarray, "row row"]
    scale: float
    identity_share: float

    @classmethod
    def of(cls, matrix: Float[np.ndarray, "row row"]) -> "RepresentationMap":
        """
        >>> RepresentationMap.of(np.array([[3.0, 0.0], [4.0, 3.0]])).identity_share.__round__(3)
        0.529
        """
        squared = float((matrix**2).sum())
        share = float(np.trace(matrix) ** 2 / (len(matrix) * squared)) if squared > 0 else 0.0
        return cls(matrix, float(np.trace(matrix) / len(matrix)), share)


@dataclass(frozen=True, eq=False)
class LogitMap:
    """How far W_L consists of the key irreps' rows, and whether those read what they should.

    - `rank`: number of key rows (for Z_p two per frequency, one for the Nyquist frequency of an even p).
    - `residual_fraction`: ‖W_L − its key rows‖_F / ‖W_L‖_F.
    - `singular_values`: of W_L.
    - `directions`: irrep → the rows of F W_L (unnormalised); [u_k, v_k] for frequency k.
    - `variance_explained`: irrep → for every row, the share of the variance over all pairs of row·neurons(a, b) that is
      the row's own function of the answer (cos w_k·answer for u_k, sin w_k·answer for v_k).
    - `norm_by_cluster`: irrep → cluster → share of the rows' squared norm in that cluster's neurons (0 = unclustered).
    - `representation`: irrep → the map in the representation basis.
    """

    rank: int
    residual_fraction: float
    singular_values: Float[np.ndarray, " rank"]
    directions: dict[int, Float[np.ndarray, "row d_mlp"]]
    variance_explained: dict[int, list[float]]
    norm_by_cluster: dict[int, dict[int, float]]
    representation: dict[int, RepresentationMap]


def logit_map(snapshot: Snapshot, keys: tuple[int, ...], clusters: Mapping[int, list[int]]) -> LogitMap:
    """Take W_L apart by the key irreps, with the check on the activations of what each row reads."""
    places = Places.of(snapshot.task)
    structure, basis = places.structure, places.structure.basis
    W_L = snapshot.W_L[structure.outputs]
    coefficients = basis.transform(W_L, axis=0)
    directions = {irrep: coefficients[list(basis.rows(irrep))] for irrep in keys}
    residual = W_L - basis.project(W_L, keys, axis=0)
    means = mean_neurons_by_answer(snapshot)
    answers = basis.transform(means, axis=0)
    norm = float(np.linalg.norm(W_L)) or 1.0
    return LogitMap(
        rank=sum(len(rows) for rows in directions.values()),
        residual_fraction=float(np.linalg.norm(residual)) / norm,
        singular_values=np.linalg.svd(W_L, compute_uv=False),
        directions=directions,
        variance_explained=_variance_explained(snapshot, places, directions, means),
        norm_by_cluster={irrep: _norm_by_cluster(rows, clusters) for irrep, rows in directions.items()},
        representation={
            irrep: RepresentationMap.of(answers[list(basis.rows(irrep))] @ rows.T) for irrep, rows in directions.items()
        },
    )


def _variance_explained(
    snapshot: Snapshot,
    places: Places,
    directions: Mapping[int, Float[np.ndarray, "row d_mlp"]],
    means: Float[np.ndarray, "n d_mlp"],
) -> dict[int, list[float]]:
    """Per irrep and row, from some pairs at a time; `means` are those of the neurons by answer."""
    if not directions:
        return {}
    basis, inside = places.structure.basis, np.flatnonzero(places.element >= 0)
    rows = np.concatenate(list(directions.values()))
    targets = basis.matrix[[row for irrep in directions for row in basis.rows(irrep)]]
    lengths = np.sqrt(targets**2 @ places.counts)
    mean = places.counts @ means / len(inside)
    total, aligned, squares = np.zeros(len(rows)), np.zeros(len(rows)), 0.0
    for start in range(0, len(inside), FAST_CHUNK):
        pairs = inside[start : start + FAST_CHUNK]
        neurons = snapshot.neurons_of(pairs).astype(np.float64)
        read = (neurons - mean) @ rows.T
        squares += float(np.vdot(neurons, neurons))
        total += np.einsum("nr,nr->r", read, read)
        aligned += np.einsum("rn,nr->r", targets[:, places.element[pairs]], read)
    # A row that W_L does not have reads only float32's grain of the others.
    grain = np.finfo(np.float32).eps * np.sqrt(squares) * np.linalg.norm(snapshot.W_L)
    alive = (total > grain**2) & (lengths > 0)
    shares = np.where(alive, (aligned / np.where(alive, lengths, 1.0)) ** 2 / np.where(alive, total, 1.0), 0.0)
    ends = np.cumsum([len(of) for of in directions.values()])[:-1]
    return {irrep: of.tolist() for irrep, of in zip(directions, np.split(shares, ends), strict=True)}


def _norm_by_cluster(rows: Float[np.ndarray, "row d_mlp"], clusters: Mapping[int, list[int]]) -> dict[int, float]:
    squared = (rows**2).sum(axis=0)
    total = squared.sum() or 1.0
    shares = {k: float(squared[neurons].sum() / total) for k, neurons in clusters.items()}
    return shares | {0: float(1.0 - sum(shares.values()))}
