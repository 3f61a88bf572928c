"""The exact fast forward: logits of any pairs without a [batch, 3, d_model] pass.

In a 1-layer transformer without normalization only the last position is read. Its query is that of `=`, one constant
vector; keys and values of a and b are rows of tables with a row per symbol. With x_a = W_E[a] + W_pos[0],
x_b = W_E[b] + W_pos[1], x = W_E[=] + W_pos[2] (an operator between a and b is one more constant, like `=`):

    scores   s_a = (x_a W_K + b_K)·(x W_Q + b_Q)/s, s = √d_head or another, per head; likewise s_b, s_=
    pattern  (A_a, A_b, A_=) = softmax(s_a, s_b, s_=)
    z        = A_a v_a + A_b v_b + A_= v_=,  v = x_· W_V + b_V
    neurons  = act(x' + z W_O W_in),         x' = (x + b_O) W_in + b_in
    logits   = (x + b_O + b_out) W_U + b_U + z W_O W_U + neurons W_out W_U

The last two lines, per pair, can be summed in two orders, equal but for rounding:

- `products`: z is formed and multiplied with W_O W_in and W_O W_U;
- `rows`: z W_O W_in is taken as a sum of 3·heads rows, weighted by the pattern, of one [(2n + 1)·heads, d_mlp] table
  for n symbols, and z W_O W_U likewise: a third fewer operations per training step (`_sparse`; for ReLU on a CPU).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch.autograd.function import once_differentiable

from grokinterp.tasks import Task

from ._activations import ACTIVATIONS
from ._config import ModelConfig
from ._sparse import MixedRows, relu_mlp_of_mixed_rows

Summation = Literal["rows", "products"]
PairIndex = Int[torch.Tensor, " pair"]
# In place where there is such a function: the arrays are large.
_ACTIVATIONS = {name: activation.of for name, activation in ACTIVATIONS.items()}
_ACTIVATIONS |= {"relu": torch.relu_, "tanh": torch.tanh_}


class FastTables(NamedTuple):
    """Per position, scores [rows, head] and values [rows, head·d_head]: a row per symbol for a and b, else one row."""

    scores: tuple[torch.Tensor, ...]
    values: tuple[torch.Tensor, ...]


class FastActivations(NamedTuple):
    """What the network computes at its last position.

    **Arguments:**

    - `pattern`: attention from `=` to every position, a, b and `=`.
    - `neurons`: the MLP's activations after the non-linearity (`blocks.0.mlp.hook_post`).
    - `logits`: over the network's outputs.
    """

    pattern: Float[torch.Tensor, "pair head pos"]
    neurons: Float[torch.Tensor, "pair d_mlp"]
    logits: Float[torch.Tensor, "pair out"]


class FastProducts(NamedTuple):
    """What the last two lines of the formulas above multiply z with.

    neurons' inputs = z `to_neurons` + `neuron_bias`; logits = z `to_logits` + `logit_bias` + neurons `W_L`.
    """

    to_neurons: Float[torch.Tensor, "width d_mlp"]
    neuron_bias: Float[torch.Tensor, " d_mlp"]
    W_L: Float[torch.Tensor, "d_mlp out"]
    to_logits: Float[torch.Tensor, "width out"]
    logit_bias: Float[torch.Tensor, " out"]


class FastInputs(NamedTuple):
    """z of some pairs, and what it is multiplied with."""

    z: Float[torch.Tensor, "pair width"]
    products: FastProducts


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs (a, b) to be evaluated, with what can be prepared once for many evaluations."""

    a: PairIndex
    b: PairIndex
    n_symbols: int
    n_positions: int
    n_heads: int

    def at(self, position: int) -> PairIndex | None:
        """The symbols at a position; None where all pairs have the same token, as at `=`."""
        return {0: self.a, self.n_positions - 2: self.b}.get(position)

    @cached_property
    def rows(self) -> MixedRows:
        """The rows that each pair mixes in tables of the layout (position, token, head)."""
        head = torch.arange(self.n_heads, device=self.a.device)
        tokens, start = [], 0
        for position in range(self.n_positions):
            symbols = self.at(position)
            tokens.append(torch.full_like(self.a, start) if symbols is None else start + symbols)
            start += 1 if symbols is None else self.n_symbols
        return MixedRows(
            (torch.stack(tokens, dim=1)[:, :, None] * self.n_heads + head).flatten(1), start * self.n_heads
        )


def not_covered_by_fast_forward(config: ModelConfig, task: Task | None = None) -> str | None:
    """Why the fast forward does not apply to `config` (on `task`), or None if it does.

    >>> not_covered_by_fast_forward(ModelConfig(n_layers=2))
    '2 layers (it covers 1)'
    """
    if config.architecture != "transformer":
        return f"the architecture {config.architecture} (it covers transformer)"
    if task and not task.config.equals_token:
        return "a network that reads no ="
    if task and not task.reads_in_order:
        return f"a network that reads {' '.join(task.positions)}"
    if task and task.config.own_tokens_for_b:
        return "tokens of b's own"
    if config.attention_rate != 1:
        return f"attention rate {config.attention_rate} (it covers 1)"
    if config.n_layers != 1:
        return f"{config.n_layers} layers (it covers 1)"
    if config.parallel_attn_mlp:
        return "attention and MLP in parallel (it covers one after the other)"
    if config.normalization != "none":
        return f"normalization {config.normalization} (it covers none)"
    return None


class FastForward:
    """Logits of pairs (a, b) from the parameters of a network that `not_covered_by_fast_forward` has no reason against.

    `parameters` are a `HookedTransformer`'s own (``dict(model.named_parameters())``), into which gradients flow, or a
    checkpoint's. Equal to ``model(tokens)[:, -1]`` up to the rounding of float32 sums, whose order `summation` chooses.

    >>> from grokinterp.models import hooked_transformer
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> config, task = ModelConfig(), Task(TaskConfig(p=5))
    >>> model = hooked_transformer(config, task)
    >>> fast = FastForward(config, dict(model.named_parameters()))
    >>> logits = fast(fast.batch(task.tokens[:, 0], task.tokens[:, 1]))
    >>> torch.allclose(logits, model(task.tokens)[:, -1], atol=1e-5)
    True
    """

    def __init__(
        self,
        config: ModelConfig,
        parameters: Mapping[str, Float[torch.Tensor, "..."]],
        *,
        summation: Summation = "rows",
    ) -> None:
        reason = not_covered_by_fast_forward(config)
        if reason:
            raise ValueError(f"the fast forward does not cover this model: {reason}")
        self.config = config
        self.summation: Summation = summation
        self.parameters = {name.removeprefix("blocks.0."): value for name, value in parameters.items()}

    def batch(self, a: PairIndex, b: PairIndex) -> PairBatch:
        """Pairs to evaluate; keep it when the same pairs are evaluated again and again."""
        n_positions = len(self.parameters["pos_embed.W_pos"])
        return PairBatch(a.contiguous(), b.contiguous(), self._n_symbols, n_positions, self.config.n_heads)

    def with_symbols(self, symbols: Float[torch.Tensor, "symbol d_model"]) -> "FastForward":
        """The network with other symbols, given by their embeddings; `=` and an operator stay."""
        W_E = torch.cat([symbols, self.parameters["embed.W_E"][self._n_symbols :]])
        return FastForward(self.config, {**self.parameters, "embed.W_E": W_E}, summation=self.summation)

    @property
    def _n_symbols(self) -> int:
        # Every position but those of a and b has a token of its own.
        return len(self.parameters["embed.W_E"]) - (len(self.parameters["pos_embed.W_pos"]) - 2)

    def __call__(self, batch: PairBatch) -> Float[torch.Tensor, "pair out"]:
        """Logits of the pairs; gradients flow into the parameters."""
        if self.config.act_fn != "relu":
            return self.activations(batch).logits
        tables, (to_neurons, neuron_bias, W_L, to_logits, logit_bias) = self.tables(), self.products()
        pattern = self._pattern(batch, tables)
        if self.summation == "products" or batch.a.device.type != "cpu":
            z = self._z(batch, tables, pattern)
            return _ReluMlp.apply(z, to_neurons, neuron_bias, W_L, to_logits, logit_bias)
        # Per head: its values carried on to the neurons and to the logits.
        by_head = (self.config.n_heads, self.config.d_head, -1)
        values = torch.cat(tables.values).view(-1, *by_head[:2])
        neuron_rows = torch.einsum("xhk,hkm->xhm", values, to_neurons.view(by_head)).flatten(0, 1)
        logit_rows = torch.einsum("xhk,hko->xho", values, to_logits.view(by_head)).flatten(0, 1)
        mix = pattern.transpose(1, 2).flatten(1)
        return relu_mlp_of_mixed_rows(batch.rows, mix, neuron_rows, neuron_bias, W_L, logit_rows, logit_bias)

    def mlp_inputs(self, batch: PairBatch) -> FastInputs:
        """What the neurons' inputs and the logits are made of before the non-linearity."""
        tables = self.tables()
        return FastInputs(self._z(batch, tables, self._pattern(batch, tables)), self.products())

    def pattern(self, batch: PairBatch) -> Float[torch.Tensor, "pair head pos"]:
        """Attention from `=` to every position."""
        return self._pattern(batch, self.tables())

    def activations(self, batch: PairBatch) -> FastActivations:
        """Attention pattern, neurons and logits of the pairs."""
        tables, (to_neurons, neuron_bias, W_L, to_logits, logit_bias) = self.tables(), self.products()
        pattern = self._pattern(batch, tables)
        z = self._z(batch, tables, pattern)
        neurons = _ACTIVATIONS[self.config.act_fn](torch.addmm(neuron_bias, z, to_neurons))
        return FastActivations(pattern, neurons, torch.addmm(logit_bias, neurons, W_L).addmm_(z, to_logits))

    def neuron_inputs(self, batch: PairBatch) -> Float[torch.Tensor, "pair d_mlp"]:
        """What the neurons read, before the non-linearity."""
        tables, (to_neurons, neuron_bias, *_) = self.tables(), self.products()
        return torch.addmm(neuron_bias, self._z(batch, tables, self._pattern(batch, tables)), to_neurons)

    def heads(self, batch: PairBatch) -> Float[torch.Tensor, "pair head d_head"]:
        """The values that each head mixes at the last position."""
        tables = self.tables()
        return self._z(batch, tables, self._pattern(batch, tables)).unflatten(1, (self.config.n_heads, -1))

    def tables(self) -> FastTables:
        """What each position puts in, before the pairs are known."""
        w, n = self.parameters, self._n_symbols
        W_E, W_pos = w["embed.W_E"], w["pos_embed.W_pos"]
        inputs = [W_E[:n] + W_pos[0], W_E[:n] + W_pos[-2], (W_E[n] + W_pos[-1])[None]]
        if len(W_pos) == 4:
            inputs.insert(1, (W_E[n + 1] + W_pos[1])[None])

        query = (torch.einsum("d,hdk->hk", inputs[-1][0], w["attn.W_Q"]) + w["attn.b_Q"]) / self.config.score_scale
        key_direction = torch.einsum("hk,hdk->dh", query, w["attn.W_K"])
        key_bias = (query * w["attn.b_K"]).sum(1)
        W_V, b_V = w["attn.W_V"].transpose(0, 1).flatten(1), w["attn.b_V"].flatten()
        scores = tuple(torch.addmm(key_bias, rows, key_direction) for rows in inputs)
        return FastTables(scores, tuple(torch.addmm(b_V, rows, W_V) for rows in inputs))

    def _pattern(self, batch: PairBatch, tables: FastTables) -> Float[torch.Tensor, "pair head pos"]:
        scores = [_of_pairs(batch, position, rows) for position, rows in enumerate(tables.scores)]
        return torch.softmax(torch.stack([rows.expand(len(batch.a), -1) for rows in scores], dim=-1), dim=-1)

    def _z(self, batch: PairBatch, tables: FastTables, pattern: torch.Tensor) -> torch.Tensor:
        heads = (-1, self.config.n_heads, self.config.d_head)
        *others, to_equals = (part.unsqueeze(-1) for part in pattern.unbind(-1))
        z = to_equals * tables.values[-1].view(heads)
        for position, share in enumerate(others):
            z = torch.addcmul(z, share, _of_pairs(batch, position, tables.values[position]).view(heads))
        return z.flatten(1)

    def products(self) -> FastProducts:
        """The products of weights that all pairs share."""
        w = self.parameters
        W_O = w["attn.W_O"].flatten(0, 1)
        constant = w["embed.W_E"][self._n_symbols] + w["pos_embed.W_pos"][-1] + w["attn.b_O"]
        to_neurons, neuron_bias = W_O @ w["mlp.W_in"], constant @ w["mlp.W_in"] + w["mlp.b_in"]
        to_logits = W_O @ w["unembed.W_U"]
        logit_bias = (constant + w["mlp.b_out"]) @ w["unembed.W_U"] + w["unembed.b_U"]
        return FastProducts(to_neurons, neuron_bias, w["mlp.W_out"] @ w["unembed.W_U"], to_logits, logit_bias)


def _of_pairs(batch: PairBatch, position: int, rows: torch.Tensor) -> torch.Tensor:
    """The row of each pair's symbol at a position; the one row where all pairs have the same token."""
    symbols = batch.at(position)
    # index_select, not rows[symbols]: the backward of advanced indexing adds in racing order, so two runs differ.
    return rows if symbols is None else rows.index_select(0, symbols)


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
