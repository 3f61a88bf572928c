"""A network that multiplies permutations, written down: its neurons see i → j by a and j → k by b."""

import numpy as np
import torch

from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig

GAP = 6.0
SHARP = 100.0


def permutation_network(n: int, *, d_mlp: int | None = None, seed: int = 0, noise: float = 0.02) -> Snapshot:
    """S_n in a transformer of one layer, with n³ neurons ReLU([a(i) = j] + [b(j) = k] − 1) and `noise` on all weights.

    The logit of c is `GAP` times the number of points at which it agrees with ab, one more than the standard
    representation's character of ab·c⁻¹. The two heads look at a and at b alone. Neurons beyond n³ are random.
    """
    task = Task(TaskConfig(operation="compose", group=f"S{n}"))
    assert task.structure is not None
    images = np.array(task.structure.group.elements)
    matrices = np.eye(n)[images].reshape(len(images), n * n)  # [g, (i, g(i))]
    _, _, span = np.linalg.svd(matrices, full_matrices=False)
    width = (n - 1) ** 2 + 1
    V = span[:width]
    i, j, k = np.indices((n, n, n)).reshape(3, -1)
    d_model = 3 * width + n * n + 3
    config = ModelConfig(n_heads=2, d_head=width, d_model=d_model, d_mlp=d_mlp or n**3)
    random = np.random.default_rng(seed)
    weights = {name: noise * random.normal(size=value.shape) / np.sqrt(d_model) for name, value in
               initial_weights(config, task).items()}  # fmt: skip
    token, of_a, of_b, sums = (slice(s * width, (s + 1) * width) for s in range(4))
    sums = slice(3 * width, 3 * width + n * n)
    weights["embed.W_E"][: len(images), token] += matrices @ V.T
    for position in range(3):
        weights["pos_embed.W_pos"][position, d_model - 3 + position] += 1.0
    for head, written in enumerate((of_a, of_b)):
        weights["blocks.0.attn.W_Q"][head, -1, 0] += SHARP
        weights["blocks.0.attn.W_K"][head, d_model - 3 + head, 0] += SHARP
        weights["blocks.0.attn.W_V"][head, token] += np.eye(width)
        weights["blocks.0.attn.W_O"][head, :, written] += np.eye(width)
    m = slice(n**3)
    weights["blocks.0.mlp.W_in"][of_a, m] += V[:, i * n + j]
    weights["blocks.0.mlp.W_in"][of_b, m] += V[:, j * n + k]
    weights["blocks.0.mlp.b_in"][m] -= 1.0
    weights["blocks.0.mlp.W_out"][m, sums] += np.eye(n * n)[i * n + k]
    weights["unembed.W_U"][sums, : len(images)] += GAP * matrices.T
    return Snapshot(0, task, config, {name: torch.from_numpy(value).float() for name, value in weights.items()})
