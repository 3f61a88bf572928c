"""Reading a file of the released code of Nanda et al., for tests only."""

from pathlib import Path

import torch

from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig


def nanda_snapshot(path: Path, split_seed: int) -> tuple[Snapshot, dict]:
    """The network in a released `.pth`, turned to TransformerLens' layout, and the file's other content."""
    file = torch.load(path, map_location="cpu", weights_only=True)
    theirs = file["model"]
    config, task = ModelConfig(), Task(TaskConfig(split_seed=split_seed))
    ours = {name: torch.zeros(shape) for name, shape in weight_shapes(config, task).items()}
    attention, mlp = "blocks.0.attn.", "blocks.0.mlp."
    ours["embed.W_E"] = theirs["embed.W_E"].T
    ours["pos_embed.W_pos"] = theirs["pos_embed.W_pos"]
    for name in ("W_Q", "W_K", "W_V"):
        ours[attention + name] = theirs[attention + name].transpose(1, 2)
    ours[attention + "W_O"] = theirs[attention + "W_O"].T.reshape(4, 32, 128)
    ours |= {mlp + name: theirs[mlp + name].T for name in ("W_in", "W_out")}
    ours |= {mlp + name: theirs[mlp + name] for name in ("b_in", "b_out")}
    ours["unembed.W_U"] = theirs["unembed.W_U"]
    contiguous = {name: value.contiguous() for name, value in ours.items()}
    return Snapshot(step=0, task=task, config=config, weights=contiguous), file
