"""The refusal of a file that no layout reads: what is there, the nearest layout and what it lacks, what to do."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from grokinterp.errors import GrokinterpError

from . import _custom_mlp
from ._aliases import examples, part_of, unlike_any
from ._contents import Contents
from ._described import described, tensors
from ._records import cut

_SAVE = "save the whole network, as torch.save(model.state_dict(), path)"
_RENAME = (
    "if it is such a network, rename its tensors to TransformerLens' names, such as embed.W_E, pos_embed.W_pos, "
    "blocks.0.attn.W_Q, blocks.0.mlp.W_in and unembed.W_U"
)
_LOOKED_FOR = (
    "looked for a state dict whose W_O is flat (nanda, pizza) or has a row per head (transformer-lens), checkpoints "
    "with checkpoint_epochs (transformer-lens-demo), cfg.json with a group beside the weights (chughtai), and a "
    "transformer or an MLP in names of its own (pytorch)"
)
# What a network in TransformerLens' names has in its first layer and around it.
_LENS = (
    "embed.W_E", "pos_embed.W_pos", *(f"blocks.0.attn.W_{letter}" for letter in "QKVO"), "blocks.0.mlp.W_in",
    "blocks.0.mlp.W_out", "unembed.W_U",
)  # fmt: skip
_CHUGHTAI = ("W_x", "W_y", "W", "W_U")
_PIZZA = ("embed.weight", "l1.weight", "l1.bias", "unembed.weight")
_ATTENTION = {"qkv", "q", "k", "v", "o"}
_DEEPEST = 6

State = Mapping[str, torch.Tensor]


def refusal(said: Contents, layout: str, fits: str | None = None) -> GrokinterpError:
    """The error for a file that no layout reads, or not `layout`, but `fits`."""
    known = "no layout known" if layout == "auto" else f"another layout than {layout}, or of none known"
    arrays = {} if said.state else dict(_arrays(said.content, ""))
    holds = f"arrays of NumPy or JAX, {tensors(arrays)}" if arrays else described(said.content)
    if fits is not None:
        near, advice = f"it is of layout {fits}", "leave --layout out"
    elif arrays:
        near = "every layout has tensors of PyTorch"
        advice = (
            "if it is a transformer or an MLP, save it as torch.save({'embed.W_E': torch.tensor(array), …}, path), "
            "with TransformerLens' names; its matrices are in × out, as a kernel of JAX is"
        )
    elif said.state:
        near, advice = _of_weights(said.state)
    else:
        near, advice = _of_no_weights(said.content)
    return GrokinterpError(f"{said.path} is of {known}: it holds {holds}; {near}: {advice}")


def _of_no_weights(content: Any) -> tuple[str, str]:
    advice = "give the file that holds the weights, saved as torch.save(model.state_dict(), path)"
    if not isinstance(content, Mapping):
        return _LOOKED_FOR, advice
    for key, other, layout in (
        ("checkpoint_epochs", "checkpoints", "transformer-lens-demo"),
        ("checkpoints", "checkpoint_epochs", "transformer-lens-demo"),
        ("epochs", "state_dicts", "nanda"),
    ):
        if key in content and other not in content:
            return f"it is nearest to {layout}, of which it lacks {other}", f"save them in the same file, under {other}"
    if {"state", "param_groups"} <= content.keys():
        return "it is the state of an optimizer, without the network's weights", advice
    if content:
        return "it lacks the weights, which every layout has", advice
    return _LOOKED_FOR, advice


def _of_weights(state: State) -> tuple[str, str]:
    strange = unlike_any(state)
    if strange is not None:
        name, meaning = strange
        return (
            f"it is no network of pairs: {cut(name)} is of {meaning}",
            "transformers and MLPs that read two inputs, a and b, can be imported, and nothing else",
        )
    for nearest in (_in_lens_names, _as_chughtai, _as_pizza, _as_transformer, _as_mlp):
        found = nearest(state)
        if found is not None:
            return found
    return "none of them is named as a part of a transformer or an MLP", _RENAME


def _in_lens_names(state: State) -> tuple[str, str] | None:
    """TransformerLens' and Nanda's names, of which at least two are there."""
    if len(state.keys() & set(_LENS)) < 2:
        return None
    W_O, positions = state.get("blocks.0.attn.W_O"), state.get("pos_embed.W_pos")
    flat = W_O is not None and W_O.ndim == 2
    layout = "transformer-lens" if not flat else "pizza" if positions is not None and len(positions) == 2 else "nanda"
    missing = [name for name in _LENS if name not in state]
    axes = {name: 3 if ".W_Q" in name or (".W_O" in name and not flat) else 2 for name in _LENS if ".W_K" not in name}
    odd = [f"{name} {tuple(state[name].shape)}" for name, n in axes.items() if name in state and state[name].ndim != n]
    near = f"it is nearest to {layout}"
    if flat and positions is not None and len(positions) not in (2, 3):
        return (
            f"{near}, which reads a, b and =, where this reads {len(positions)} tokens",
            "import a network that reads two inputs",
        )
    if missing:
        without_mlp = all(".mlp." in name for name in missing)
        advice = "a network without an MLP cannot be imported" if without_mlp else _SAVE
        return f"{near}, of which it lacks {', '.join(missing)}", advice
    if odd:
        return f"{near}, whose tensors have other axes than its {', '.join(odd)}", _SAVE
    return None


def _as_chughtai(state: State) -> tuple[str, str] | None:
    """The MLP of Chughtai et al., by its embeddings of a and b."""
    missing = [name for name in _CHUGHTAI if name not in state]
    if not {"W_x", "W_y"} & state.keys() or len(missing) > 2 or not missing:
        return None
    return f"it is nearest to chughtai, of whose MLP it lacks {', '.join(missing)}", f"{_SAVE}, beside its cfg.json"


def _as_pizza(state: State) -> tuple[str, str] | None:
    """The linear models of Zhong et al., by the first of their layers."""
    missing = [name for name in _PIZZA if name not in state]
    if "l1.weight" not in state or len(missing) > 2 or not missing:
        return None
    return f"it is nearest to pizza, of whose linear networks it lacks {', '.join(missing)}", _SAVE


def _as_transformer(state: State) -> tuple[str, str] | None:
    """Somebody's transformer, by names of attention."""
    parts = [part for name in state if (part := part_of(name)) is not None]
    roles = {part.role for part in parts}
    if not roles & _ATTENTION:
        return None
    lacking = [role for role in ("embed", "pos", "unembed") if role not in roles]
    lacking += [role for role in ("q", "k", "v") if role not in roles and "qkv" not in roles]
    lacking += [role for role in ("o", "in", "out") if role not in roles]
    if not lacking:
        return None
    near = f"it is nearest to pytorch, a transformer in names of its own, of which it lacks {examples(lacking)}"
    if lacking == ["unembed"]:
        return near, "where the output shares the embedding's weights, save a copy of them as lm_head.weight"
    if set(lacking) <= {"in", "out"}:
        return near, "a network without an MLP cannot be imported; where it has one, rename its matrices so"
    return near, f"{_SAVE}; where it has them under other names, rename them"


def _as_mlp(state: State) -> tuple[str, str] | None:
    """Somebody's MLP: embeddings, linear layers, or both."""
    embeddings, layers, rest = _custom_mlp.parts_of(state)
    near = "it is nearest to pytorch, an MLP in names of its own"
    positions = any((part := part_of(name)) is not None and part.role == "pos" for name in state)
    if embeddings and (positions or len(layers) < 2):
        lacking = "attention and an MLP" if positions else "the linear layers that read its embeddings, two or more"
        kind = "it is nearest to pytorch, a transformer in names of its own" if positions else near
        return f"{kind}, of which it lacks {lacking}", f"{_SAVE}; where it has them under other names, rename them"
    if len(layers) < 2 or any(layer.weight.ndim != 2 for layer in layers):
        return None
    if rest and (embeddings or _chains([layer.weight for layer in layers])):
        return f"{near}, which has no norm, and so no {', '.join(map(cut, rest[:3]))}", "import a network without norms"
    first, last = layers[0].weight, layers[-1].weight
    if embeddings:
        width = embeddings[0].shape[-1]
        return (
            f"{near}, whose first matrix reads {width} numbers (embeddings added) or {2 * width} (one after the "
            f"other), where {cut(layers[0].name)} is {tuple(first.shape)}",
            "import a network that combines its embeddings so",
        )
    numbered = all(re.fullmatch(r"(?:.*\.)?\d+\.weight", layer.name) for layer in layers)
    if (numbered or any(map(part_of, state))) and _chains([layer.weight for layer in layers]):
        return (
            f"{near}, which has embeddings or reads one-hot inputs, 2p numbers of which it makes p, where "
            f"{cut(layers[0].name)} is {tuple(first.shape)} and {cut(layers[-1].name)} {tuple(last.shape)}",
            "save its embeddings with it, if it has any; no other MLP can be imported",
        )
    return None


def _chains(matrices: list[torch.Tensor]) -> bool:
    """Whether each matrix, out × in, reads what the one before gives."""
    return all(before.shape[0] == after.shape[1] for before, after in pairwise(matrices))


def _arrays(value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    """The arrays in a tree of dictionaries by their names, as tensors of their shapes without numbers."""
    if isinstance(value, np.ndarray) and value.ndim and re.search(r"[^\d.]", name):
        yield name, torch.empty(value.shape, device="meta")
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for key, entry in value.items():
            yield from _arrays(entry, f"{name}.{key}" if name else str(key), depth + 1)
