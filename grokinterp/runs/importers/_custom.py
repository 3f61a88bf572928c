"""State dicts of people's own PyTorch code: the same networks under other names, which are translated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs._folder import Tensors

from . import _custom_mlp, _transformer_lens
from ._aliases import Part, examples, is_buffer, is_rotary, part_of, unlike_any
from ._contents import Contents
from ._described import tensors
from ._layout import Asked, Found
from ._neel import is_neel
from ._records import cut

LAYOUT = "pytorch"
_RENAME = "; if it is such a network, rename the tensors to TransformerLens' names"
_WHOLE = "save all of it, as torch.save(model.state_dict(), path)"
_HEADS = ("n_heads", "n_head", "num_heads", "nhead", "heads", "num_attention_heads", "n_attn_heads", "nheads", "H")
_ACTIVATIONS = (
    "act_fn", "activation", "act", "nonlinearity", "activation_function", "hidden_act", "act_type", "activation_fn",
)  # fmt: skip
_CAUSAL = ("attention_dir", "attention", "causal", "is_causal", "use_causal_mask", "causal_mask")
_NORM_FIRST = ("norm_first", "pre_norm", "prenorm", "pre_ln")
_IN_LENS = {
    "embed": "embed.W_E", "pos": "pos_embed.W_pos", "unembed": "unembed.W_U", "ln_final": "ln_final",
    "ln1": "ln1", "ln2": "ln2", "in": "mlp.W_in", "out": "mlp.W_out",
    "q": "attn.W_Q", "k": "attn.W_K", "v": "attn.W_V", "o": "attn.W_O",
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A tensor of theirs, its name, and the part of a network that it is."""

    name: str
    tensor: torch.Tensor
    part: Part


def reads(said: Contents) -> bool:
    """Whether the names are those of a transformer or an MLP that somebody wrote in PyTorch."""
    if unlike_any(said.state) is not None:
        return False
    if is_neel(dict(said.state)):
        return False  # Nanda's names with other positions: a network of another task.
    roles = {part.role for name in said.state if (part := part_of(name)) is not None}
    attention = bool({"q", "qkv"} & roles) and bool({"embed"} & roles)
    return (attention and "unembed" in roles) or _custom_mlp.reads(said.state)


def has_embedding(said: Contents) -> bool:
    """Whether it can be a whole network: an MLP within a layer has linear layers, too."""
    return any((part := part_of(name)) is not None and part.role.startswith("embed") for name in said.state)


def read_file(said: Contents, asked: Asked) -> Found:
    """One network under TransformerLens' names, with a note of what was taken for what."""
    config = dict(said.config)
    activation = next((config[name] for name in _ACTIVATIONS if name in config), None)
    if activation is not None:
        config["act_fn"] = activation_name(activation)
    if _custom_mlp.reads(said.state):
        return _custom_mlp.read_file(replace(said, config=config), asked)
    state, notes = in_lens_names(said.tensors(), said.config, asked, said.path)
    if any(name.startswith("blocks.1.") for name in state):
        config["attention_dir"] = _direction(said, asked)
    renamed = replace(said, state=state, config=config, notes=(*said.notes, *notes))
    return replace(_transformer_lens.read_file(renamed, asked), layout=LAYOUT)


def _direction(said: Contents, asked: Asked) -> str:
    """Which way attention goes in several layers, where it makes a difference: as settings or a stored mask say."""
    if "attention" in asked.model:
        return asked.model["attention"]
    told = next((said.config[name] for name in _CAUSAL if name in said.config), None)
    if told in ("causal", "bidirectional"):
        return str(told)
    if isinstance(told, bool):
        return "causal" if told else "bidirectional"
    if any(is_buffer(name) or (name.endswith(".bias") and x.ndim > 2) for name, x in said.state.items()):
        return "causal"
    raise GrokinterpError(
        f"{said.path} holds a network of several layers, and nothing says whether its attention is masked; name it: "
        "--set model.attention=causal or --set model.attention=bidirectional"
    )


def activation_name(value: Any) -> str:
    """An activation as a setting names it: a function, a class or its name.

    >>> activation_name("torch.nn.modules.activation.ReLU"), activation_name("F.gelu"), activation_name("SiLU()")
    ('relu', 'gelu', 'silu')
    """
    name = str(value).rpartition(".")[2].strip("()' ").lower()
    return {"swish": "silu", "newgelu": "gelu_new", "gelu_tanh": "gelu_new"}.get(name, name)


def in_lens_names(
    stored: Tensors, config: Mapping[str, Any], asked: Asked, path: Path
) -> tuple[Tensors, tuple[str, ...]]:
    """`stored` in TransformerLens 3's names and shapes, and what was taken for what.

    Shapes decide whether a matrix is turned; those of square ones do not tell, and go by how the others of the file are
    kept, else by convention: `.weight` of nn.Linear is out × in, a bare parameter in × out.

    Raises `GrokinterpError` where the network has parts that ours have not, or lacks one.
    """
    named, unknown = [], {}
    for name, tensor in stored.items():
        if is_rotary(name):
            raise _refused(
                path,
                stored,
                f"{cut(name)} is of rotary positions; learned positions are needed",
            )
        if is_buffer(name) or (name.endswith(".bias") and tensor.ndim > 2):
            continue
        part = part_of(name)
        if part is None:
            unknown[name] = tensor
        else:
            named.append(Named(name, tensor, part))
    if unknown:
        raise _refused(path, stored, f"{tensors(unknown)}: no part of the networks here has such a name{_RENAME}")
    network = Network(named, config, asked, path, stored)
    return network.weights(), network.notes()


def _refused(path: Path, stored: Tensors, why: str) -> GrokinterpError:
    return GrokinterpError(
        f"{path} holds a network in names of its own ({tensors(stored)}), which cannot be read: {why}"
    )


class Network:
    """The parts of a transformer in somebody's names, and the steps that turn them into ours."""

    def __init__(
        self, named: list[Named], config: Mapping[str, Any], asked: Asked, path: Path, stored: Tensors
    ) -> None:
        self.config, self.asked, self.path, self.stored = config, asked, path, stored
        self.parts: dict[tuple[str, int | None, str], Named] = {}
        for entry in named:
            key = (entry.part.role, entry.part.layer, entry.part.kind)
            if key in self.parts:
                raise self.refused(
                    f"{cut(self.parts[key].name)} and {cut(entry.name)} are both named as one part{_RENAME}"
                )
            self.parts[key] = entry
        self.layers = sorted({layer for _, layer, _ in self.parts if layer is not None})
        self._require()
        self.d_model = self._width()
        self.turned = self._convention()
        self.assumed: list[str] = []

    def refused(self, why: str) -> GrokinterpError:
        return _refused(self.path, self.stored, why)

    def has(self, role: str, layer: int | None = None, kind: str = "weight") -> bool:
        return (role, layer, kind) in self.parts

    def _require(self) -> None:
        """Refuse a network that lacks a part, or has one that ours have not."""
        lacking = [role for role in ("embed", "pos", "unembed") if not self.has(role)]
        norms = [self.has(role, layer) for layer in self.layers for role in ("ln1", "ln2")] + [self.has("ln_final")]
        for layer in self.layers:
            if self.has("gate", layer):
                raise self.refused("its MLP is gated (two matrices before the activation), and such cannot be imported")
            lacking += [role for role in ("o", "in", "out") if not self.has(role, layer)]
            if not self.has("qkv", layer):
                lacking += [role for role in ("q", "k", "v") if not self.has(role, layer)]
        if lacking:
            missing = dict.fromkeys(lacking)
            advice = "a network without an MLP cannot be imported" if missing.keys() <= {"in", "out"} else _WHOLE
            raise self.refused(f"it lacks {examples(missing)}; {advice}")
        if self.layers != list(range(len(self.layers))):
            raise self.refused(f"its layers are numbered {', '.join(map(str, self.layers))}, not from 0 on{_RENAME}")
        of_torch = any(".self_attn.in_proj_weight" in name for name in self.stored) and any(norms)
        first = next((self.config[name] for name in _NORM_FIRST if name in self.config), None)
        if first is False or (of_torch and first is not True):
            raise self.refused(
                "it is a torch.nn.TransformerEncoder, whose LayerNorm comes after each part unless norm_first=True; a "
                "norm before each part is needed (say norm_first in a config.json beside the file if it has that)"
            )
        if any(norms) and not all(norms) and "normalization" not in self.asked.model:
            missing = [role for role in ("ln1", "ln2") if not all(self.has(role, layer) for layer in self.layers)]
            missing += [] if self.has("ln_final") else ["ln_final"]
            raise self.refused(
                f"it has norms but lacks {examples(missing)}; if those have no weights of their own, say so by "
                "--set model.normalization=LN"
            )

    def _width(self) -> int:
        """d_model: the axis that embedding, positions and unembedding share."""
        shapes = [set(_plain(self.parts[role, None, "weight"].tensor).shape) for role in ("embed", "pos", "unembed")]
        shared = set.intersection(*shapes)
        if len(shared) > 1:  # Two axes fit, as where p = d_model: rows of an embedding are tokens.
            shared &= {_plain(self.parts["pos", None, "weight"].tensor).shape[-1]}
        if not shared:
            shown = ", ".join(
                f"{cut(x.name)} {tuple(x.tensor.shape)}" for x in self.parts.values() if x.part.layer is None
            )
            raise self.refused(f"embedding, positions and unembedding share no width ({shown}){_RENAME}")
        return min(shared)

    def _convention(self) -> dict[bool, bool]:
        """Whether matrices of modules (True) and bare ones (False) are kept out × in, as most of those do that tell."""
        votes: dict[bool, list[bool]] = {True: [], False: []}
        for entry in self.parts.values():
            x, role = entry.tensor, entry.part.role
            if entry.part.kind == "weight" and x.ndim == 2 and x.shape[0] != x.shape[1] and self.d_model in x.shape:
                if role in ("in", "qkv", "unembed", "q", "k", "v"):
                    votes[entry.part.of_module].append(x.shape[1] == self.d_model)
                elif role in ("out", "o"):
                    votes[entry.part.of_module].append(x.shape[0] == self.d_model)
        return {kind: 2 * sum(told) > len(told) if told else kind for kind, told in votes.items()}

    def matrix(self, role: str, layer: int | None, width: int | None = None) -> torch.Tensor:
        """A matrix as in × out; `width` is its axis on the side of the residual stream."""
        entry = self.parts[role, layer, "weight"]
        x, width = _plain(entry.tensor), self.d_model if width is None else width
        reads = role not in ("out", "o")  # It reads the residual stream; the others write to it.
        if x.ndim != 2 or width not in x.shape:
            raise self.refused(
                f"{cut(entry.name)} has shape {tuple(entry.tensor.shape)}; a matrix with an axis of {width}"
            )
        if x.shape[0] == x.shape[1]:
            self.assumed.append(entry.name)
            return x.T if self.turned[entry.part.of_module] else x
        return x.T if (x.shape[1] == width) == reads else x

    def bias(self, role: str, layer: int | None) -> torch.Tensor | None:
        entry = self.parts.get((role, layer, "bias"))
        return None if entry is None else entry.tensor.flatten()

    def weights(self) -> Tensors:
        embed, pos = (_plain(self.parts[role, None, "weight"].tensor) for role in ("embed", "pos"))
        found: dict[str, torch.Tensor | None] = {
            "embed.W_E": embed if embed.shape[-1] == self.d_model else embed.T,
            "pos_embed.W_pos": pos if pos.shape[-1] == self.d_model else pos.T,
            "unembed.W_U": self.matrix("unembed", None),
            "unembed.b_U": self.bias("unembed", None),
        }
        for layer in self.layers:
            block = f"blocks.{layer}"
            found |= {
                f"{block}.mlp.W_in": self.matrix("in", layer),
                f"{block}.mlp.b_in": self.bias("in", layer),
                f"{block}.mlp.W_out": self.matrix("out", layer),
                f"{block}.mlp.b_out": self.bias("out", layer),
                f"{block}.attn.b_O": self.bias("o", layer),
            }
            found |= {f"{block}.attn.{name}": x for name, x in self._attention(layer).items()}
            found |= {f"{block}.{name}": x for role in ("ln1", "ln2") for name, x in self._norm(role, layer).items()}
        found |= self._norm("ln_final", None)
        return {name: x.contiguous() for name, x in found.items() if x is not None}

    def _norm(self, role: str, layer: int | None) -> dict[str, torch.Tensor | None]:
        if not any(name.startswith("ln") for name, _, _ in self.parts):
            return {}
        scale, shift = (self.parts.get((role, layer, kind)) for kind in ("weight", "bias"))
        of_rms = any("rms" in entry.name.lower() for entry in self.parts.values() if entry.part.role.startswith("ln"))
        w = torch.ones(self.d_model) if scale is None else scale.tensor.flatten()
        if of_rms:
            return {f"{role}.w": w}
        return {f"{role}.w": w, f"{role}.b": torch.zeros(self.d_model) if shift is None else shift.tensor.flatten()}

    def _attention(self, layer: int) -> dict[str, torch.Tensor | None]:
        heads = self._heads(layer)
        found: dict[str, torch.Tensor | None] = {}
        if self.has("qkv", layer):
            joined, bias = self.matrix("qkv", layer), self.bias("qkv", layer)
            if joined.shape[1] % (3 * heads):
                name = cut(self.parts["qkv", layer, "weight"].name)
                raise GrokinterpError(
                    f"{self.path}: {name} joins {joined.shape[1]} rows of queries, keys and values, which {heads} "
                    "heads do not share; correct --set model.n_heads"
                )
            for letter, part in zip("QKV", joined.chunk(3, dim=1), strict=True):
                found[f"W_{letter}"] = part.unflatten(1, (heads, -1)).permute(1, 0, 2)
            for letter, part in zip("QKV", () if bias is None else bias.chunk(3), strict=bias is not None):
                found[f"b_{letter}"] = part.unflatten(0, (heads, -1))
        for letter in "QKV" if not self.has("qkv", layer) else "":
            found |= self._one_of_heads(letter, layer, heads)
        W_O = self.parts["o", layer, "weight"].tensor
        if W_O.ndim == 3:
            found["W_O"] = W_O if W_O.shape[2] == self.d_model else W_O.transpose(1, 2)
        else:
            width = next(iter(found.values())).shape[-1] * heads  # pyright: ignore[reportOptionalMemberAccess]
            found["W_O"] = self._output(layer, width).unflatten(0, (heads, -1))
        return found

    def _output(self, layer: int, width: int) -> torch.Tensor:
        """W_O of all heads as (heads · d_head) × d_model."""
        entry = self.parts["o", layer, "weight"]
        if tuple(sorted(entry.tensor.shape)) != tuple(sorted((width, self.d_model))):
            raise self.refused(
                f"{cut(entry.name)} has shape {tuple(entry.tensor.shape)}, where {width} × {self.d_model} is needed"
            )
        return self.matrix("o", layer)

    def _one_of_heads(self, letter: str, layer: int, heads: int) -> dict[str, torch.Tensor | None]:
        entry, bias = self.parts[letter.lower(), layer, "weight"], self.bias(letter.lower(), layer)
        x = entry.tensor
        if x.ndim == 3:
            if x.shape[1] != self.d_model and x.shape[2] == self.d_model:
                x = x.transpose(1, 2)  # heads, d_head, d_model
            elif x.shape[1] != self.d_model and x.shape[0] == self.d_model:
                x = x.permute(1, 0, 2)  # d_model, heads, d_head
        else:
            x = self.matrix(letter.lower(), layer)
            if x.shape[1] % heads:
                raise GrokinterpError(
                    f"{self.path}: {cut(entry.name)} has {x.shape[1]} rows, which {heads} heads do not share; correct "
                    "--set model.n_heads"
                )
            x = x.unflatten(1, (heads, -1)).permute(1, 0, 2)
        return {f"W_{letter}": x, f"b_{letter}": None if bias is None else bias.unflatten(0, (len(x), -1))}

    def _heads(self, layer: int) -> int:
        """How many heads: as the user or the configuration says, or as an axis of the queries tells."""
        said = self.asked.model.get("n_heads", next((self.config[x] for x in _HEADS if x in self.config), None))
        W_Q = self.parts.get(("q", layer, "weight"))
        if W_Q is not None and W_Q.tensor.ndim == 3:
            first, second, _ = W_Q.tensor.shape
            return second if first == self.d_model != second and W_Q.tensor.shape[2] != self.d_model else first
        if type(said) is not int or not 1 <= said <= 1024:
            name = (self.parts.get(("qkv", layer, "weight")) or self.parts["q", layer, "weight"]).name
            raise GrokinterpError(
                f"{self.path}: {cut(name)} joins all heads, and nothing says how many there are; name them, such as "
                "--set model.n_heads=4"
            )
        return said

    def notes(self) -> tuple[str, ...]:
        taken = ", ".join(
            f"{cut(entry.name, 60)} for {_IN_LENS.get(role, 'W_Q, W_K and W_V')}"
            for (role, layer, kind), entry in self.parts.items()
            if kind == "weight" and layer in (None, 0)
        )
        notes = [f"Read under other names: {taken}{' (and so in every layer)' if len(self.layers) > 1 else ''}."]
        if any(role == "qkv" for role, _, _ in self.parts):
            notes.append("The fused matrix is read as queries, keys and values one after another, each head by head.")
        if self.assumed:
            kept = {part_of(name).of_module for name in self.assumed}  # pyright: ignore[reportOptionalMemberAccess]
            how = " and ".join(
                f"{'.weight' if kind else 'bare ones'} as {'out × in' if self.turned[kind] else 'in × out'}"
                for kind in sorted(kept, reverse=True)
            )
            notes.append(f"Square matrices do not show which way they are kept; read are {how}.")
        return tuple(notes)


def _plain(x: torch.Tensor) -> torch.Tensor:
    """Without axes of one entry, which positions are often kept with."""
    return x.squeeze() if x.ndim > 2 else x
