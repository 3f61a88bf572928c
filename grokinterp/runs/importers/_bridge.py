"""TransformerLens 4: state dicts of a natively booted `TransformerBridge`, in the shapes of torch's layers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import in_shape_of_3, name_in_3
from grokinterp.runs._folder import Tensors

from ._layout import Asked

# The bridge wraps a component of its own around each of the model's, which some of its state dicts name.
_WRAPPED = "._original_component"


def is_bridge(state: Mapping[str, Any]) -> bool:
    names = {name.replace(_WRAPPED, "") for name in state}
    return {"embed.weight", "unembed.weight", "blocks.0.attn.q.weight", "blocks.0.attn.o.weight"} <= names


def in_layout_of_3(stored: Tensors, asked: Asked, said: Mapping[str, Any], path: Path) -> Tensors:
    """The same weights under TransformerLens 3's names and in its shapes.

    A matrix of all heads does not tell how many there are, so the user must, or what the file `said` of itself.
    """
    heads, found = asked.model.get("n_heads", said.get("n_heads")), {}
    if type(heads) is not int or heads < 1:
        raise GrokinterpError(
            f"{path} is a state dict of TransformerLens 4, which does not say how many heads there are; name them, "
            "such as --set model.n_heads=4 --set model.d_head=32"
        )
    for stored_name, tensor in stored.items():
        name = stored_name.replace(_WRAPPED, "")
        ours = name_in_3(name)
        if ours is None:
            found[name] = tensor  # Left over: the error that names it comes with the check of all names.
            continue
        try:
            found[ours] = in_shape_of_3(ours, tensor, heads).contiguous()
        except (RuntimeError, IndexError):
            raise GrokinterpError(
                f"{path}: {stored_name} has shape {tuple(tensor.shape)}, from which no {ours} of {heads} heads can be "
                "made; correct --set model.n_heads"
            ) from None
    return found
