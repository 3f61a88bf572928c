"""The exact fast forward: logits of any pairs without a [batch, 3, d_model] pass.

In a 1-layer transformer without LayerNorm only the last position is read. Its query is that of `=`, one constant
vector; keys and values of a and b are rows of p-row tables. With x_a = W_E[a] + W_pos[0], x_b = W_E[b] + W_pos[1],
x = W_E[=] + W_pos[2]:

    scores   s_a = (x_a W_K + b_K)·(x W_Q + b_Q)/√d_head, per head; likewise s_b, s_=
    pattern  (A_a, A_b, A_=) = softmax(s_a, s_b, s_=)
    z        = A_a v_a + A_b v_b + A_= v_=,  v = x_· W_V + b_V
    neurons  = act(x' + z W_O W_in),         x' = (x + b_O) W_in + b_in
    logits   = (x + b_O + b_out) W_U + b_U + z W_O W_U + neurons W_out W_U

z W_O W_in is a sum of 3·heads rows, weighted by the pattern, of one [(2p + 1)·heads, d_mlp] table, and z W_O W_U
likewise.
Where the sums of rows are quicker than the matrix product (ReLU on a CPU) `_sparse` takes them; elsewhere z is formed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int

from ._config import ModelConfig
from ._sparse import MixedRows, relu_mlp_of_mixed_rows

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


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs (a, b) to be evaluated, with what can be prepared once for many evaluations."""

    a: PairIndex
    b: PairIndex
    p: int
    n_heads: int

    @cached_property
    def rows(self) -> MixedRows:
        """The rows that each pair mixes in tables of the layout (token, head): p tokens as a, p as b, then `=`."""
        head = torch.arange(self.n_heads, device=self.a.device)
        tokens = torch.stack([self.a, self.p + self.b, torch.full_like(self.a, 2 * self.p)], dim=1)
        return MixedRows((tokens[:, :, None] * self.n_heads + head).flatten(1), (2 * self.p + 1) * self.n_heads)


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
    >>> logits = fast(fast.batch(task.tokens[:, 0], task.tokens[:, 1]))
    >>> torch.allclose(logits, model(task.tokens)[:, -1], atol=1e-5)
    True
    """

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Float[torch.Tensor, "..."]]) -> None:
        reason = not_covered_by_fast_forward(config)
        if reason:
            raise ValueError(f"the fast forward does not cover this model: {reason}")
        self.config = config
        self.parameters = {name.removeprefix("blocks.0."): value for name, value in parameters.items()}

    def batch(self, a: PairIndex, b: PairIndex) -> PairBatch:
        """Pairs to evaluate; keep it when the same pairs are evaluated again and again."""
        p = len(self.parameters["embed.W_E"]) - 1
        return PairBatch(a.contiguous(), b.contiguous(), p, self.config.n_heads)

    def __call__(self, batch: PairBatch) -> Float[torch.Tensor, "pair out"]:
        """Logits of the pairs; gradients flow into the parameters."""
        if self.config.act_fn == "relu" and batch.a.device.type == "cpu":
            pattern, values = self._attend(batch)
            to_neurons, to_logits, neuron_bias, logit_bias, W_L = self._products()
            # Per head: its values carried on to the neurons and to the logits.
            neuron_rows = torch.einsum("xhk,hkm->xhm", values, to_neurons).flatten(0, 1)
            logit_rows = torch.einsum("xhk,hko->xho", values, to_logits).flatten(0, 1)
            mix = pattern.transpose(1, 2).flatten(1)
            return relu_mlp_of_mixed_rows(batch.rows, mix, neuron_rows, neuron_bias, W_L, logit_rows, logit_bias)
        return self.activations(batch).logits

    def activations(self, batch: PairBatch) -> FastActivations:
        """Attention pattern, neurons and logits of the pairs."""
        pattern, values = self._attend(batch)
        to_neurons, to_logits, neuron_bias, logit_bias, W_L = self._products()
        to_a, to_b, to_equals = (part.unsqueeze(-1) for part in pattern.unbind(-1))
        # index_select, not values[a]: the backward of advanced indexing adds in racing order, so two runs differ.
        z = torch.addcmul(to_equals * values[-1], to_a, values.index_select(0, batch.a))
        z = torch.addcmul(z, to_b, values.index_select(0, batch.p + batch.b)).flatten(1)
        neurons = _ACTIVATIONS[self.config.act_fn](torch.addmm(neuron_bias, z, to_neurons.flatten(0, 1)))
        logits = torch.addmm(logit_bias, neurons, W_L) + z @ to_logits.flatten(0, 1)
        return FastActivations(pattern, neurons, logits)

    def _attend(self, batch: PairBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Pattern per pair, and the values [2p + 1, head, d_head] of the tokens as a, as b, and of `=`."""
        w, p = self.parameters, batch.p
        W_E, W_pos = w["embed.W_E"], w["pos_embed.W_pos"]
        x = torch.cat([W_E[:p] + W_pos[0], W_E[:p] + W_pos[1], W_E[p:] + W_pos[2]])

        query = (torch.einsum("d,hdk->hk", x[-1], w["attn.W_Q"]) + w["attn.b_Q"]) / math.sqrt(self.config.d_head)
        key_direction = torch.einsum("hk,hdk->dh", query, w["attn.W_K"])
        scores = x @ key_direction + (query * w["attn.b_K"]).sum(1)
        of_pairs = [
            scores.index_select(0, batch.a),
            scores.index_select(0, p + batch.b),
            scores[-1].expand(len(batch.a), -1),
        ]
        pattern = torch.softmax(torch.stack(of_pairs, dim=-1), dim=-1)
        return pattern, torch.einsum("xd,hdk->xhk", x, w["attn.W_V"]) + w["attn.b_V"]

    def _products(self) -> tuple[torch.Tensor, ...]:
        """The products of weights that all pairs share."""
        w = self.parameters
        W_O, W_in, W_out, W_U = w["attn.W_O"], w["mlp.W_in"], w["mlp.W_out"], w["unembed.W_U"]
        constant = w["embed.W_E"][-1] + w["pos_embed.W_pos"][2] + w["attn.b_O"]
        neuron_bias = constant @ W_in + w["mlp.b_in"]
        logit_bias = (constant + w["mlp.b_out"]) @ W_U + w["unembed.b_U"]
        return W_O @ W_in, W_O @ W_U, neuron_bias, logit_bias, W_out @ W_U
