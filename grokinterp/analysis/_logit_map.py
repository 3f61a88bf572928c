"""The structure of the neuron-logit map: W_L ≈ Σ_k cos(w_k c) u_kᵀ + sin(w_k c) v_kᵀ (Nanda et al. 2023, §4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.fourier import FourierBasis
from grokinterp.runs import Snapshot


@dataclass(frozen=True, eq=False)
class LogitMap:
    """How far W_L consists of the key frequencies' rows, and whether those read what they should.

    - `rank`: number of key rows (two per frequency, one for the Nyquist frequency of an even p).
    - `residual_fraction`: ‖W_L − its key rows‖_F / ‖W_L‖_F.
    - `singular_values`: of W_L.
    - `directions`: frequency → [u_k, v_k], the rows of F W_L (unnormalised).
    - `variance_explained`: frequency → share of the variance over all pairs of u_k·neurons(a, b) that is
      cos w_k·answer, and of v_k·neurons that is sin w_k·answer.
    - `norm_by_cluster`: frequency → cluster → share of ‖u_k‖² + ‖v_k‖² in that cluster's neurons (0 = unclustered).
    """

    rank: int
    residual_fraction: float
    singular_values: Float[np.ndarray, " rank"]
    directions: dict[int, Float[np.ndarray, "row d_mlp"]]
    variance_explained: dict[int, list[float]]
    norm_by_cluster: dict[int, dict[int, float]]


def logit_map(snapshot: Snapshot, key_frequencies: tuple[int, ...], clusters: Mapping[int, list[int]]) -> LogitMap:
    """Take W_L apart by the key frequencies, with the u_k, v_k check on the activations."""
    W_L, task = snapshot.W_L, snapshot.task
    basis = FourierBasis(task.p)
    coefficients = basis.transform(W_L, axis=0)
    directions = {k: coefficients[list(basis.rows(k))] for k in key_frequencies}
    residual = W_L - basis.project(W_L, key_frequencies, axis=0)
    return LogitMap(
        rank=sum(len(rows) for rows in directions.values()),
        residual_fraction=float(np.linalg.norm(residual) / np.linalg.norm(W_L)),
        singular_values=np.linalg.svd(W_L, compute_uv=False),
        directions=directions,
        variance_explained={k: _variance_explained(snapshot, basis, k, rows) for k, rows in directions.items()},
        norm_by_cluster={k: _norm_by_cluster(rows, clusters) for k, rows in directions.items()},
    )


def _variance_explained(
    snapshot: Snapshot, basis: FourierBasis, frequency: int, rows: Float[np.ndarray, "row d_mlp"]
) -> list[float]:
    neurons = snapshot.neurons.astype(np.float64)
    read = neurons @ rows.T
    read = read - read.mean(axis=0)
    # Unit vectors over the pairs: the basis row at each pair's answer, which occurs p times.
    targets = basis.matrix[list(basis.rows(frequency))][:, snapshot.task.answers] / np.sqrt(snapshot.task.p)
    total = (read**2).sum(axis=0)
    aligned = np.einsum("rn,nr->r", targets, read) ** 2
    # A row that W_L does not have reads only float32's grain of the others.
    grain = np.finfo(np.float32).eps * np.linalg.norm(neurons) * np.linalg.norm(snapshot.W_L)
    alive = total > grain**2
    return np.where(alive, aligned / np.where(alive, total, 1.0), 0.0).tolist()


def _norm_by_cluster(rows: Float[np.ndarray, "row d_mlp"], clusters: Mapping[int, list[int]]) -> dict[int, float]:
    squared = (rows**2).sum(axis=0)
    total = squared.sum() or 1.0
    shares = {k: float(squared[neurons].sum() / total) for k, neurons in clusters.items()}
    return shares | {0: float(1.0 - sum(shares.values()))}
