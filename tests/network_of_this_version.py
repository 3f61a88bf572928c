"""Writes to a file what networks compute under the installed TransformerLens; `test_transformer_lens_4.py` runs it."""

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from grokinterp.models import ModelConfig, hooked_transformer, weight_shapes
from grokinterp.runs import RunConfig
from grokinterp.tasks import Task, TaskConfig
from grokinterp.training import train

SIZES = {"n_heads": 2, "d_model": 16, "d_head": 8, "d_mlp": 24}


def variants() -> dict[str, ModelConfig]:
    """Ways in which networks differ, and the mainline."""
    choices = {
        "act_fn": ("relu", "gelu", "tanh"),
        "attention": ("causal", "bidirectional"),
        "attention_rate": (1.0, 0.3),
        "normalization": ("none", "LN"),
        "n_layers": (1, 2),
        "outputs": ("vocabulary", "answers"),
    }
    found = {"mainline": ModelConfig()}
    for values in itertools.product(*choices.values()):
        config = ModelConfig(**SIZES, biases="all", **dict(zip(choices, values, strict=True)))
        found[" ".join(map(str, values))] = config
    for kind in (
        {"normalization": "LNPre", "parallel_attn_mlp": True},
        {"normalization": "RMS", "act_fn": "silu", "attn_scale": 1.0, "n_layers": 2},
        {"normalization": "RMSPre", "act_fn": "gelu_new", "d_head": 5, "eps": 0.01},
    ):
        found[str(kind)] = ModelConfig(**{**SIZES, **kind}, biases="all")
    return found


def computed(config: ModelConfig) -> dict[str, dict[str, torch.Tensor]]:
    """Logits and activations by name, and the gradients of a loss by parameter."""
    mainline = config == ModelConfig()
    task = Task(TaskConfig(p=113 if mainline else 13))
    generator = torch.Generator().manual_seed(7)
    weights = {n: 0.3 * torch.randn(s, generator=generator) for n, s in weight_shapes(config, task).items()}
    model = hooked_transformer(config, task, None if mainline else weights)
    logits, cache = model.run_with_cache(task.tokens[:500])
    logits[:, -1].square().mean().backward()
    # A bridge has more hooks than a HookedTransformer: which are wanted, its reader decides.
    activations = {"logits": logits, **cache}
    return {
        "activations": {name: value.detach() for name, value in activations.items() if value.is_floating_point()},
        "gradients": {name: w.grad for name, w in model.named_parameters() if w.grad is not None},
    }


def trained(folder: Path, **model: Any) -> dict[str, torch.Tensor]:
    """Weights after twenty steps."""
    settings = ["task.p=13", "training.steps=20", "training.threads=1", "training.checkpoint_every=20"]
    settings += [f"model.{name}={value}" for name, value in {**SIZES, **model}.items()]
    return dict(train(RunConfig().with_settings(settings), folder, progress=False).weights(20))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "fast": trained(Path(folder) / "fast"),
            "plain": trained(Path(folder) / "plain", normalization="LN", n_layers=2),
        }
    torch.save({"computed": {name: computed(c) for name, c in variants().items()}, "trained": runs}, sys.argv[1])
