"""Clocks and pizzas built by hand, whose logits are known in closed form.

Symbols lie on a circle per frequency, E_a = (cos w_k a, sin w_k a). Head 0 looks at a alone and head 1 at b alone, each
into slots of its own. A pair of neurons relu(±<u_φ, E_a + R_ψ E_b>), R_ψ a rotation, computes

    |cos(w s/2 + ψ/2 − φ)| · 2 |cos((w d − ψ)/2)|,   s = a + b, d = a − b,

and writes cos(2φ − ψ − w c) to answer c. Summed over J angles φ = πj/J that is a multiple of |cos((wd − ψ)/2)|
cos(w(s − c)), but for terms of the order 1/J². A pizza has ψ = 0. A clock has M angles ψ around the circle, whose
holes fill each other.
"""

import numpy as np
import torch

from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig

PHASES, TURNS = 16, 16


def circle_network(
    p: int, amplitudes: dict[int, float], kind: str, *, operation: str = "add", noise: float = 0.0, seed: int = 0
) -> Snapshot:
    """A `clock`, a `pizza`, or any share in between as kind=`0.5` (the share of the clock)."""
    task = Task(TaskConfig(p=p, operation=operation, train_fraction=0.5, split_seed=seed))
    share = {"clock": 1.0, "pizza": 0.0}.get(kind)
    share = float(kind) if share is None else share
    turns = [0.0, *(2 * np.pi * np.arange(TURNS) / TURNS)]
    weights_of_turns = [1 - share, *([share / TURNS * np.pi / 2] * TURNS)]
    chosen = [(turn, weight) for turn, weight in zip(turns, weights_of_turns, strict=True) if weight]
    circles = len(amplitudes)
    # Per circle two coordinates: of the token, of a as read, of b as read; the positions; then the logits.
    token, position, read_a, read_b = 0, 2 * circles, 2 * circles + 3, 4 * circles + 3
    output = 6 * circles + 3
    d_head = -(-(output + p) // 2)
    config = ModelConfig(
        n_heads=2,
        d_head=d_head,
        d_model=2 * d_head,
        d_mlp=2 * PHASES * circles * len(chosen),
        outputs="answers",
    )
    weights = {name: torch.zeros(shape) for name, shape in weight_shapes(config, task).items()}
    block, symbols = "blocks.0.", np.arange(p)
    for place in range(3):
        weights["pos_embed.W_pos"][place, position + place] = 1.0
    for head, read in ((0, read_a), (1, read_b)):
        # A score difference beyond float32's smallest exponential.
        weights[block + "attn.W_Q"][head, position + 2, 0] = 1.0
        weights[block + "attn.W_K"][head, position + head, 0] = 1000.0 * d_head**0.5
        for coordinate in range(2 * circles):
            weights[block + "attn.W_V"][head, token + coordinate, coordinate] = 1.0
            weights[block + "attn.W_O"][head, coordinate, read + coordinate] = 1.0
    neuron, sign = 0, -1.0 if operation == "subtract" else 1.0
    for number, (freq, amplitude) in enumerate(amplitudes.items()):
        w = 2 * np.pi * freq / p
        circle = torch.from_numpy(np.stack([np.cos(w * symbols), np.sin(w * symbols)], axis=1)).float()
        weights["embed.W_E"][:p, token + 2 * number : token + 2 * number + 2] = circle
        for turn, weight in chosen:
            for phase in np.pi * np.arange(PHASES) / PHASES:
                to_logits = amplitude * weight * np.cos(2 * phase - turn - w * symbols) * 3 * np.pi / (4 * PHASES)
                for side in (1.0, -1.0):
                    # <u_φ, R_ψ E_b> = cos(w b + ψ − φ).
                    into = weights[block + "mlp.W_in"][:, neuron]
                    into[read_a + 2 * number] = side * np.cos(phase)
                    into[read_a + 2 * number + 1] = side * np.sin(phase)
                    into[read_b + 2 * number] = side * np.cos(phase - turn)
                    into[read_b + 2 * number + 1] = side * sign * np.sin(phase - turn)
                    weights[block + "mlp.W_out"][neuron, output : output + p] = torch.from_numpy(to_logits).float()
                    neuron += 1
    weights["unembed.W_U"][range(output, output + p), range(p)] = 1.0
    if noise:
        generator = torch.Generator().manual_seed(seed)
        for name, weight in weights.items():
            weight += noise * weight.std() * torch.randn(weight.shape, generator=generator) * ("W_" in name)
    return Snapshot(step=0, task=task, config=config, weights=weights)
