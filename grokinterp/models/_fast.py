"""The exact fast forward: logits of any pairs without a [batch, 3, d_model] pass.

In a 1-layer transformer without LayerNorm only the last position is read. Its query is that of `=`, one constant
vector; keys and values of a and b are rows of p-row tables. With x_a = W_E[a] + W_pos[0], x_b = W_E[b] + W_pos[1],
x = W_E[=] + W_pos[2]:

    scores   s_a = (x_a W_K + b_K)·(x W_Q + b_Q)/√d_head, per head; likewise s_b, s_=
    pattern  (A_a, A_b, A_=) = softmax(s_a, s_b, s_=)
    z        = A_a v_a + A_b v_b + A_= v_=,  v = x_· W_V + b_V
    neurons  = act(x' + z W_O W_in),         x' = (x + b_O) W_in + b_in
    logits   = (x + b_O + b_out) W_U + b_U + z W_O W_U + neurons W_out W_U

so that only the last three lines run per pair, and the products of weights are taken once.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch.autograd.function import once_differentiable

from ._config import ModelConfig

PairIndex = Int[torch.Tensor, " pair"]
_ACTIVATIONS = {"relu": torch.relu, "gelu": torch.nn.functional.gelu}


class FastActivations(NamedTuple):
    """What the network computes at its last position.

    **Arguments:**

    - `pattern`: attention from `=` to a, b and `=`.
    - `neurons`: the MLP's activations after the non-linearity (`blocks.0.mlp.hook_post`).
    - `logits`: over the network's outputs.
    """

    pattern: Float[torch.Tensor, "pair head pos"]
    neurons: Float[torch.Tensor, "pair d_mlp"]
    logits: Float[torch.Tensor, "pair out"]


def not_covered_by_fast_forward(config: ModelConfig) -> str | None:
    """Why the fast forward does not apply to `config`, or None if it does.

    >>> not_covered_by_fast_forward(ModelConfig(n_layers=2))
    '2 layers (it covers 1)'
    """
    if config.n_layers != 1:
        return f"{config.n_layers} layers (it covers 1)"
    if config.normalization != "none":
        return f"normalization {config.normalization} (it covers none)"
    return None


class FastForward:
    """Logits of pairs (a, b) from the parameters of a 1-layer transformer without LayerNorm.

    `parameters` are a `HookedTransformer`'s own (``dict(model.named_parameters())``), into which gradients flow, or a
    checkpoint's. Equal to ``model(tokens)[:, -1]`` up to the rounding of float32 sums.

    >>> from grokinterp.models import hooked_transformer
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> config, task = ModelConfig(), Task(TaskConfig(p=5))
    >>> model = hooked_transformer(config, task)
    >>> fast = FastForward(config, dict(model.named_parameters()))
    >>> a, b = task.tokens[:, 0], task.tokens[:, 1]
    >>> torch.allclose(fast(a, b), model(task.tokens)[:, -1], atol=1e-5)
    True
    """

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Float[torch.Tensor, "..."]]) -> None:
        reason = not_covered_by_fast_forward(config)
        if reason:
            raise ValueError(f"the fast forward does not cover this model: {reason}")
        self.config = config
        self.parameters = {name.removeprefix("blocks.0."): value for name, value in parameters.items()}

    def __call__(self, a: PairIndex, b: PairIndex) -> Float[torch.Tensor, "pair out"]:
        _, z = self._attend(a, b)
        to_neurons, neuron_bias, W_L, to_logits, logit_bias = self._products()
        if self.config.act_fn == "relu":
            return _ReluMlp.apply(z, to_neurons, neuron_bias, W_L, to_logits, logit_bias)
        neurons = _ACTIVATIONS[self.config.act_fn](torch.addmm(neuron_bias, z, to_neurons))
        return torch.addmm(logit_bias, neurons, W_L) + z @ to_logits

    def activations(self, a: PairIndex, b: PairIndex) -> FastActivations:
        """Attention pattern, neurons and logits of the pairs."""
        pattern, z = self._attend(a, b)
        to_neurons, neuron_bias, W_L, to_logits, logit_bias = self._products()
        neurons = _ACTIVATIONS[self.config.act_fn](torch.addmm(neuron_bias, z, to_neurons))
        return FastActivations(pattern, neurons, torch.addmm(logit_bias, neurons, W_L) + z @ to_logits)

    def _attend(self, a: PairIndex, b: PairIndex) -> tuple[torch.Tensor, torch.Tensor]:
        w = self.parameters
        heads, d_head = self.config.n_heads, self.config.d_head
        W_E, W_pos = w["embed.W_E"], w["pos_embed.W_pos"]
        p = len(W_E) - 1
        x_a, x_b, x = W_E[:p] + W_pos[0], W_E[:p] + W_pos[1], (W_E[p] + W_pos[2])[None]

        query = (torch.einsum("d,hdk->hk", x[0], w["attn.W_Q"]) + w["attn.b_Q"]) / math.sqrt(d_head)
        key_direction = torch.einsum("hk,hdk->dh", query, w["attn.W_K"])
        key_bias = (query * w["attn.b_K"]).sum(1)
        W_V, b_V = w["attn.W_V"].transpose(0, 1).reshape(-1, heads * d_head), w["attn.b_V"].reshape(-1)
        (s_a, v_a), (s_b, v_b), (s, v) = (
            (torch.addmm(key_bias, rows, key_direction), torch.addmm(b_V, rows, W_V)) for rows in (x_a, x_b, x)
        )
        # index_select, not table[a]: the backward of advanced indexing adds in racing order, so two runs differ.
        scores = [s_a.index_select(0, a), s_b.index_select(0, b), s.expand(len(a), heads)]
        pattern = torch.softmax(torch.stack(scores, dim=-1), dim=-1)
        to_a, to_b, to_equals = (part.unsqueeze(-1) for part in pattern.unbind(-1))
        z = to_equals * v.view(heads, d_head)
        z = torch.addcmul(z, to_a, v_a.index_select(0, a).view(-1, heads, d_head))
        z = torch.addcmul(z, to_b, v_b.index_select(0, b).view(-1, heads, d_head))
        return pattern, z.view(-1, heads * d_head)

    def _products(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        w = self.parameters
        W_O = w["attn.W_O"].reshape(-1, w["attn.W_O"].shape[-1])
        constant = w["embed.W_E"][-1] + w["pos_embed.W_pos"][2] + w["attn.b_O"]
        to_neurons, neuron_bias = W_O @ w["mlp.W_in"], constant @ w["mlp.W_in"] + w["mlp.b_in"]
        to_logits = W_O @ w["unembed.W_U"]
        logit_bias = (constant + w["mlp.b_out"]) @ w["unembed.W_U"] + w["unembed.b_U"]
        return to_neurons, neuron_bias, w["mlp.W_out"] @ w["unembed.W_U"], to_logits, logit_bias


class _ReluMlp(torch.autograd.Function):
    """logits = c + z U + relu(d + z M) W, keeping one [pair, d_mlp] array instead of autograd's three."""

    @staticmethod
    def forward(ctx: Any, z, M, d, W, U, c):
        neurons = torch.addmm(d, z, M).relu_()
        ctx.save_for_backward(z, neurons, M, W, U)
        return torch.addmm(c, neurons, W).addmm_(z, U)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads):  # pyright: ignore[reportIncompatibleMethodOverride]
        (grad,) = grads
        z, neurons, M, W, U = ctx.saved_tensors
        grad_neurons = grad @ W.T
        torch.ops.aten.threshold_backward.grad_input(grad_neurons, neurons, 0.0, grad_input=grad_neurons)
        grad_z = torch.addmm(grad @ U.T, grad_neurons, M.T)
        return grad_z, z.T @ grad_neurons, grad_neurons.sum(0), neurons.T @ grad, z.T @ grad, grad.sum(0)
