"""TransformerLens 3 and 4: the same parameters by other names, and in the shapes of torch's layers.

Needs neither of the two installed.
"""

import re

import torch
from jaxtyping import Float

# Name in TransformerLens 3 → in 4, without the number of the block.
_NAMES = {
    "embed.W_E": "embed.weight",
    "pos_embed.W_pos": "pos_embed.weight",
    **{
        f"{ln}.{ours}": f"{ln}.{theirs}"
        for ln in ("ln1", "ln2", "ln_final")
        for ours, theirs in (("w", "weight"), ("b", "bias"))
    },
    **{f"attn.W_{x}": f"attn.{x.lower()}.weight" for x in "QKVO"},
    **{f"attn.b_{x}": f"attn.{x.lower()}.bias" for x in "QKVO"},
    **{f"mlp.W_{x}": f"mlp.{x}.weight" for x in ("in", "out")},
    **{f"mlp.b_{x}": f"mlp.{x}.bias" for x in ("in", "out")},
    "unembed.W_U": "unembed.weight",
    "unembed.b_U": "unembed.bias",
}
_NAMES_IN_3 = {theirs: ours for ours, theirs in _NAMES.items()}
_BLOCK = re.compile(r"(blocks\.\d+\.)?(.+)")
# The order of a weight's axes when its linear layer joins them to the two of a matrix, [output, input].
_ORDERS = {"attn.W_Q": (0, 2, 1), "attn.W_K": (0, 2, 1), "attn.W_V": (0, 2, 1), "attn.W_O": (2, 0, 1)}
_ORDERS |= {name: (1, 0) for name in ("mlp.W_in", "mlp.W_out", "unembed.W_U")}


def name_in_4(name: str) -> str:
    """What TransformerLens 4 calls a parameter of TransformerLens 3.

    >>> name_in_4("blocks.0.attn.W_Q")
    'blocks.0.attn.q.weight'
    """
    block, own = _parts(name)
    return block + _NAMES[own]


def name_in_3(name: str) -> str | None:
    """The way back; None where TransformerLens 3 has no such parameter.

    >>> name_in_3("unembed.weight")
    'unembed.W_U'
    """
    block, own = _parts(name)
    return block + _NAMES_IN_3[own] if own in _NAMES_IN_3 else None


def order_in_4(name: str) -> tuple[int, ...] | None:
    """The order of the axes of a weight of TransformerLens 3 in the matrix of 4's linear layer; None of other ones."""
    return _ORDERS.get(_parts(name)[1])


def in_shape_of_3(name: str, stored: Float[torch.Tensor, "..."], heads: int) -> Float[torch.Tensor, "..."]:
    """A parameter of TransformerLens 4 in the shape of `name`, of TransformerLens 3, with `heads` heads.

    Raises `RuntimeError`, torch's own, where no such shape can be made of it.

    >>> in_shape_of_3("blocks.0.attn.W_Q", torch.zeros(128, 64), heads=4).shape
    torch.Size([4, 64, 32])
    """
    own = _parts(name)[1]
    if own in ("attn.b_Q", "attn.b_K", "attn.b_V"):
        return stored.unflatten(0, (heads, -1))
    order = _ORDERS.get(own)
    if order is None:
        return stored
    if own.startswith("attn."):
        stored = stored.unflatten(1 if own == "attn.W_O" else 0, (heads, -1))
    return stored.permute([order.index(axis) for axis in range(len(order))])


def _parts(name: str) -> tuple[str, str]:
    """`blocks.0.` or nothing, and the name within."""
    found = _BLOCK.fullmatch(name)
    return (found[1] or "", found[2]) if found else ("", name)
