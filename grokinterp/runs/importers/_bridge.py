"""TransformerLens 4: state dicts of a natively booted `TransformerBridge`, in the shapes of torch's layers."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs._folder import Tensors

from ._layout import Asked

# The bridge wraps a component of its own around each of the model's, which some of its state dicts name.
_WRAPPED = "._original_component"
_ENDS = {
    "embed.weight": "embed.W_E",
    "pos_embed.weight": "pos_embed.W_pos",
    "ln_final.weight": "ln_final.w",
    "ln_final.bias": "ln_final.b",
}
_LAYER_NORM = re.compile(r"(blocks\.\d+\.ln[12])\.(weight|bias)")
_HEADS = re.compile(r"(blocks\.\d+\.attn)\.([qkvo])\.(weight|bias)")
_LINEAR = re.compile(r"(blocks\.\d+\.mlp|unembed)(?:\.(in|out))?\.(weight|bias)")


def is_bridge(state: Mapping[str, Any]) -> bool:
    names = {name.replace(_WRAPPED, "") for name in state}
    return {"embed.weight", "unembed.weight", "blocks.0.attn.q.weight", "blocks.0.attn.o.weight"} <= names


def in_layout_of_3(stored: Tensors, asked: Asked, path: Path) -> Tensors:
    """The same weights under TransformerLens 3's names and in its shapes.

    A matrix of all heads does not tell how many there are, so the user must.
    """
    if "n_heads" not in asked.model:
        raise GrokinterpError(
            f"{path} is a state dict of TransformerLens 4, which does not say how many heads there are; name them, "
            "such as --set model.n_heads=4 --set model.d_head=32"
        )
    heads, found = asked.model["n_heads"], {}
    for stored_name, tensor in stored.items():
        name = stored_name.replace(_WRAPPED, "")
        ours, change = _translation(name, heads)
        if ours is None:
            found[name] = tensor  # Left over: the error that names it comes with the check of all names.
            continue
        try:
            found[ours] = change(tensor).contiguous()
        except RuntimeError:
            raise GrokinterpError(
                f"{path}: {stored_name} has shape {tuple(tensor.shape)}, from which no {ours} of {heads} heads can be "
                "made; correct --set model.n_heads"
            ) from None
    return found


def _translation(name: str, heads: int) -> tuple[str | None, Callable[[torch.Tensor], torch.Tensor]]:
    """Our name and what is done to the tensor."""
    if name in _ENDS:
        return _ENDS[name], lambda x: x
    if match := _LAYER_NORM.fullmatch(name):
        return f"{match[1]}.{match[2][0]}", lambda x: x
    if match := _HEADS.fullmatch(name):
        block, kind, part = match[1], match[2].upper(), match[3]
        if part == "bias":
            return f"{block}.b_{kind}", lambda x: x if kind == "O" else x.unflatten(0, (heads, -1))
        if kind == "O":
            return f"{block}.W_O", lambda x: x.T.unflatten(0, (heads, -1))
        return f"{block}.W_{kind}", lambda x: x.T.unflatten(1, (heads, -1)).transpose(0, 1)
    if match := _LINEAR.fullmatch(name):
        of = f"{match[1]}.{'W' if match[3] == 'weight' else 'b'}_{match[2] or 'U'}"
        return of, lambda x: x.T if x.ndim == 2 else x
    return None, lambda x: x
