"""TransformerLens 4: the network as a `TransformerBridge` whose parameters go by TransformerLens 3's names and shapes.

Only `_transformer.py` imports this module, and only where no `HookedTransformer` exists.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources.native import NativeAttention, NativeBlock

from ._layouts import name_in_4, order_in_4


class Bridge(TransformerBridge):
    """A natively booted bridge that trains, and names, the parameters of TransformerLens 3.

    `named_parameters()` and `state_dict()` give TransformerLens 3's names, shapes and order; the weights in the shapes
    of TransformerLens 4 (`model.blocks[0].attn.q.weight`) are computed from them, so gradients flow into them.
    """

    names: tuple[str, ...]

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        del recurse, remove_duplicate  # All are its modules' own, and no two are the same.
        for name in self.names:
            module, attribute = _place(self, name)
            yield f"{prefix}.{name}" if prefix else name, getattr(module, attribute)

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        del recurse
        return (parameter for _, parameter in self.named_parameters())

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if args or kwargs:
            return super().state_dict(*args, **kwargs)
        return {name: parameter.detach() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take up weights under TransformerLens 3's names, in place; the masks in such files are passed over."""
        given = [name for name in state_dict if not name.endswith((".mask", ".IGNORE"))]
        missing = [name for name in self.names if name not in state_dict]
        unexpected = [name for name in given if name not in self.names]
        if assign or (strict and (missing or unexpected)):
            raise ValueError(f"the weights need these names, in place: lacking {missing}, unknown {unexpected}")
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name in state_dict:
                    parameter.copy_(state_dict[name])
        return nn.modules.module._IncompatibleKeys(missing, unexpected)


def boot(settings: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> Bridge:
    """A bridge of these settings (those of a `HookedTransformerConfig`) with parameters of these names and shapes."""
    with torch.random.fork_rng(devices=[]):  # The layers draw first values of their own.
        model = TransformerBridge.boot_native(TransformerBridgeConfig(**settings))
    # boot() has no argument for the class.
    model.__class__ = Bridge
    assert isinstance(model, Bridge)
    for name, shape in shapes.items():
        layer, attribute = _place(model, name)
        if attribute in ("W", "b"):
            layer.__class__ = _Linear
            delattr(layer, {"W": "weight", "b": "bias"}[attribute])
            setattr(layer, attribute, nn.Parameter(torch.zeros(shape)))
            order = order_in_4(name)
            if order is not None:
                layer.order = order
    for block in model.blocks:
        if settings["parallel_attn_mlp"]:
            block.original_component.__class__ = _ParallelBlock
        attention = block.attn.original_component
        attention.__class__ = _Attention
        attention.scale = settings["attn_scale"]  # Its own is √d_head where scores are not scaled.
        attention.hook_attn_scores, attention.hook_pattern = block.attn.hook_attn_scores, block.attn.hook_pattern
    model.names = tuple(shapes)
    return model


class _ParallelBlock(NativeBlock):
    """A block whose MLP reads what its attention reads; TransformerLens 4's own is always one after the other."""

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        del args, kwargs
        attended, _ = self.attn(self.ln1(hidden_states))
        return (hidden_states + attended + self.mlp(self.ln2(hidden_states)),)


class _Attention(NativeAttention):
    """Its attention with both hooks where a `HookedTransformer` has them.

    As it comes, `hook_attn_scores` sees the pattern and what a hook on it returns has no effect.
    """

    accepts_pattern_fn = False
    hook_attn_scores: nn.Module
    hook_pattern: nn.Module

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        del args, kwargs  # All positions are there, and no input is padded.
        q, k, v = (
            project(hidden_states).unflatten(2, (self.n_heads, self.d_head)).transpose(1, 2)
            for project in (self.q, self.k, self.v)
        )
        scores = q @ k.transpose(2, 3) / self.scale
        if self.causal:
            length = hidden_states.shape[1]
            scores = scores.masked_fill(self.causal_mask[:length, :length], float("-inf"))
        pattern = self.hook_pattern(self.hook_attn_scores(scores).softmax(dim=-1))
        # No second value: the bridge would fire the hooks again, on that.
        return self.o((pattern @ v).transpose(1, 2).flatten(2)), None


class _Linear(nn.Linear):
    """A linear layer whose parameters are `W` and `b`, in TransformerLens 3's shapes."""

    W: nn.Parameter
    b: nn.Parameter
    order: tuple[int, ...]

    @property
    def weight(self) -> torch.Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.W.permute(self.order).reshape(self.out_features, self.in_features).contiguous()

    @property
    def bias(self) -> torch.Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.b.flatten()


def _place(model: TransformerBridge, name: str) -> tuple[Any, str]:
    """The module that holds a parameter, and its attribute there: in linear layers `W` and `b`, which are ours."""
    path, _, theirs = name_in_4(name).rpartition(".")
    is_linear = order_in_4(name) is not None or name.rpartition(".")[2].startswith("b_")
    attribute = {"weight": "W", "bias": "b"}[theirs] if is_linear else theirs
    return model.get_submodule(path).original_component, attribute
