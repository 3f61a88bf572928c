"""Slow, plain versions of what the analyses compute, written from the formulas with loops and dense matrices."""

import math

import numpy as np


def cos_sin_directions(table: np.ndarray, k: int) -> list[np.ndarray]:
    """Unit vectors over all pairs: cos and sin of 2πk·answer/p (the sin is nothing at the Nyquist frequency)."""
    p = len(table)
    directions = []
    for function in (math.cos, math.sin):
        values = np.array([function(2 * math.pi * k * int(table[a, b]) / p) for a in range(p) for b in range(p)])
        if np.linalg.norm(values) > 1e-6:
            directions.append(values / np.linalg.norm(values))
    return directions


def project_2d(values: np.ndarray, table: np.ndarray, frequencies) -> np.ndarray:
    """Σ_k c_k c_kᵀ V + s_k s_kᵀ V."""
    result = np.zeros_like(values, dtype=np.float64)
    for k in frequencies:
        for direction in cos_sin_directions(table, k):
            result += np.outer(direction, direction @ values)
    return result


def cosine_cube(table: np.ndarray, k: int) -> np.ndarray:
    """cos(2πk(answer − c)/p) for every pair and c, as a unit vector over the cube."""
    p = len(table)
    cube = np.array(
        [[math.cos(2 * math.pi * k * (int(table[a, b]) - c) / p) for c in range(p)] for a in range(p) for b in range(p)]
    )
    return cube / np.linalg.norm(cube)


def project_3d(logits: np.ndarray, table: np.ndarray, frequencies) -> np.ndarray:
    return sum((np.sum(C * logits) * C for C in (cosine_cube(table, k) for k in frequencies)), np.zeros_like(logits))


def mean_cross_entropy(logits: np.ndarray, answers: np.ndarray) -> float:
    """Row by row with log1p of the other answers' odds."""
    losses = []
    for row, answer in zip(logits.astype(np.float64), answers, strict=True):
        losses.append(math.log1p(sum(math.exp(row[c] - row[answer]) for c in range(len(row)) if c != answer)))
    return sum(losses) / len(losses)


def block_share(function: np.ndarray, p: int, k: int) -> float:
    """R² of least squares on the products {1, cos, sin}(a) × {1, cos, sin}(b) at frequency k."""
    a, b = np.indices((p, p)).reshape(2, -1)
    w = 2 * np.pi * k / p
    columns = [
        f * g
        for f in (np.ones(p * p), np.cos(w * a), np.sin(w * a))
        for g in (np.ones(p * p), np.cos(w * b), np.sin(w * b))
    ]
    design = np.stack(columns, axis=1)
    fitted = design @ np.linalg.lstsq(design, function, rcond=None)[0]
    return 1 - np.sum((function - fitted) ** 2) / np.sum((function - function.mean()) ** 2)
