"""What a helix explains of values that it has not seen, and of values in another order."""

import math

import numpy as np
from jaxtyping import Float

from ._helix_columns import NEGLIGIBLE


def cross_validated(
    Q: np.ndarray, means: np.ndarray, counts: np.ndarray, within: np.ndarray, folds: int, rng: np.random.Generator
) -> float:
    if not folds:
        return math.nan
    Y, weight = Q.T @ means, np.sqrt(counts)[:, None]
    residual = null = 0.0
    for fold in np.array_split(rng.permutation(len(counts)), folds):
        test, targets, w = Q[fold], means[fold], weight[fold]
        # The normal equations of the other folds: Q is orthonormal over all values, so these are well conditioned
        # but for directions that the fold takes away, which the cut leaves at 0.
        gram = np.linalg.pinv(np.eye(Q.shape[1]) - test.T @ test, rcond=NEGLIGIBLE, hermitian=True)
        beta = gram @ (Y - test.T @ targets)
        mean = -(w.T @ targets) / (counts.sum() - counts[fold].sum())
        residual += float(np.square(targets - test @ beta).sum() + within[fold].sum())
        null += float(np.square(targets - w @ mean).sum() + within[fold].sum())
    return 1 - residual / null


def permuted(
    design: np.ndarray, Q: np.ndarray, means: np.ndarray, counts: np.ndarray, n: int, rng: np.random.Generator
) -> Float[np.ndarray, " permutation"]:
    """The explained sum of squares when the rows of the design change places."""
    even, weight = counts.min() == counts.max(), np.sqrt(counts)[:, None]
    orders = [rng.permutation(len(counts)) for _ in range(n)]
    at_once = max(1, 128 // Q.shape[1])
    explained = []
    for start in range(0, n, at_once):
        several = [Q[o] if even else np.linalg.qr(weight * design[o])[0] for o in orders[start : start + at_once]]
        squares = np.square(np.hstack(several).T @ means).sum(axis=1)
        explained += squares.reshape(len(several), -1).sum(axis=1).tolist()
    return np.array(explained)
