"""A transformer built by hand whose logits are prescribed exactly.

Head 0 looks at a alone and head 1 at b alone (score differences beyond float32's smallest exponential), each copying
its token's one-hot code to its own slots. Neuron (i, j) is relu(a_i + b_j − 1): one for the pair (i, j), zero for all
others. W_out writes the prescribed logits of that pair to output slots, which W_U reads out. So every quantity the
analyses measure is known in closed form from the prescribed logits.
"""

import numpy as np
import torch

from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig


def exact_snapshot(task: int | Task, logits: np.ndarray | None = None, operation: str = "add") -> Snapshot:
    """A network for a task, or for `operation` mod p, whose answer logits over all pairs are `logits` (float32)."""
    task = task if isinstance(task, Task) else Task(TaskConfig(p=task, operation=operation, train_fraction=0.5))
    p, out, pairs = task.n_symbols, task.n_answers, task.n_pairs
    table = np.zeros((pairs, out)) if logits is None else logits
    token, position, copy_a, copy_b, output = 0, p + 1, p + 4, 2 * p + 4, 3 * p + 4
    d_head = (4 * p + 4 + 1) // 2
    d_model = 2 * d_head
    config = ModelConfig(n_heads=2, d_head=d_head, d_model=d_model, d_mlp=pairs, outputs="answers")
    weights = {name: torch.zeros(shape) for name, shape in weight_shapes(config, task).items()}
    weights["embed.W_E"][range(p + 1), range(token, token + p + 1)] = 1.0
    weights["pos_embed.W_pos"][range(3), range(position, position + 3)] = 1.0
    block = "blocks.0."
    for head, copied in ((0, copy_a), (1, copy_b)):
        weights[block + "attn.W_Q"][head, position + 2, 0] = 1.0
        weights[block + "attn.W_K"][head, position + head, 0] = 1000.0 * d_head**0.5
        for residue in range(p):
            weights[block + "attn.W_V"][head, token + residue, residue] = 1.0
            weights[block + "attn.W_O"][head, residue, copied + residue] = 1.0
    for pair, (i, j) in enumerate(task.pairs):
        weights[block + "mlp.W_in"][copy_a + i, pair] = 1.0
        weights[block + "mlp.W_in"][copy_b + j, pair] = 1.0
    weights[block + "mlp.b_in"].fill_(-1.0)
    weights[block + "mlp.W_out"][:, output : output + out] = torch.from_numpy(table).float()
    weights["unembed.W_U"][range(output, output + out), range(out)] = 1.0
    return Snapshot(step=0, task=task, config=config, weights=weights)


def cosine_logits(p: int, amplitudes: dict[int, float], operation: str = "add") -> np.ndarray:
    """Σ_k α_k cos(2πk(answer − c)/p) for all pairs."""
    task = Task(TaskConfig(p=p, operation=operation))
    difference = task.answers[:, None] - np.arange(p)
    return sum(alpha * np.cos(2 * np.pi * k * difference / p) for k, alpha in amplitudes.items())
