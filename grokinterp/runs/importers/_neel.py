"""The weights of Nanda's transformer, which Zhong et al. took over: output dimensions first, W_O flat."""

import re
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs._folder import Tensors

from ._layout import Part

_MATRICES = ("embed.W_E", "pos_embed.W_pos", "unembed.W_U", "blocks.0.attn.W_O")
# Constants that are stored beside the weights: the causal mask.
_CONSTANT = re.compile(r"blocks\.\d+\.attn\.mask")


def is_neel(stored: Tensors) -> bool:
    """Whether the tensors are of this layout, which differs from TransformerLens' by a flat W_O."""
    return all(name in stored and stored[name].ndim == 2 for name in _MATRICES)


def constants(stored: Tensors) -> frozenset[str]:
    return frozenset(name for name in stored if _CONSTANT.fullmatch(name))


def sizes(stored: Tensors, path: Path) -> dict[str, Any]:
    """The settings of `ModelConfig` that the shapes tell."""
    for name, axes in (("blocks.0.attn.W_K", 3), ("blocks.0.mlp.W_in", 2)):
        if name not in stored or stored[name].ndim != axes:
            has = f"has shape {tuple(stored[name].shape)}" if name in stored else "is missing"
            raise GrokinterpError(
                f"{path}: {name} {has}; a transformer with attention and an MLP in every layer is needed"
            )
    heads, d_head, d_model = stored["blocks.0.attn.W_K"].shape
    return {
        "n_layers": sum(name.endswith(".attn.W_O") for name in stored),
        "n_heads": heads,
        "d_head": d_head,
        "d_model": d_model,
        "d_mlp": len(stored["blocks.0.mlp.W_in"]),
    }


def parts(n_layers: int, heads: int) -> dict[str, Part]:
    """Our name → their name and what is done to it."""
    table = {
        "embed.W_E": Part("embed.W_E", _turned),
        "pos_embed.W_pos": Part("pos_embed.W_pos"),
        "unembed.W_U": Part("unembed.W_U"),
    }
    for block in (f"blocks.{layer}" for layer in range(n_layers)):
        for name in ("W_Q", "W_K", "W_V"):
            table[f"{block}.attn.{name}"] = Part(f"{block}.attn.{name}", lambda W: W.transpose(1, 2))
        # 'd (i h) -> i h d'. A bare reshape of the same size would load and be wrong.
        table[f"{block}.attn.W_O"] = Part(f"{block}.attn.W_O", lambda W: W.T.unflatten(0, (heads, -1)))
        for name in ("W_in", "W_out"):
            table[f"{block}.mlp.{name}"] = Part(f"{block}.mlp.{name}", _turned)
        for name in ("b_in", "b_out"):
            table[f"{block}.mlp.{name}"] = Part(f"{block}.mlp.{name}")
    return table


def _turned(W: torch.Tensor) -> torch.Tensor:
    if W.ndim != 2:
        raise IndexError
    return W.T
