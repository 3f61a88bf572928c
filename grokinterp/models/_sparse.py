"""Sums of a few weighted table rows per pair, with their exact gradients.

out[pair] = Σ_j mix[pair, j] · table[index[pair, j]] is a product with a sparse matrix of 3·heads entries per row. For
4 heads it takes a tenth of the operations of the dense product it stands for, and so do its two gradients:

    d table[row]   = Σ over the entries (pair, j) at that row of mix[pair, j] · d out[pair]
    d mix[pair, j] = d out[pair] · table[index[pair, j]]

The first is a sum of weighted rows again (of d out), the second a sampled matrix product. All three run in an order
that does not depend on timing, so results repeat bit for bit.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag


@dataclass(frozen=True, eq=False)
class MixedRows:
    """Which rows of a table with `n_rows` rows each pair mixes, and the same seen from the rows."""

    index: Int[torch.Tensor, "pair mixed"]
    n_rows: int

    @cached_property
    def _entries_by_row(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Order that sorts the entries by row, the pair of each sorted entry, and where each row's entries start."""
        flat = self.index.flatten()
        order = torch.argsort(flat, stable=True)
        counts = torch.bincount(flat, minlength=self.n_rows)
        return order, order // self.index.shape[1], counts.cumsum(0) - counts

    @cached_property
    def _pattern(self) -> torch.Tensor:
        """A sparse [pair, n_rows] matrix of zeros with an entry wherever a pair mixes a row."""
        pairs, mixed = self.index.shape
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            return torch.sparse_csr_tensor(
                torch.arange(pairs + 1) * mixed,
                self.index.flatten(),
                torch.zeros(pairs * mixed),
                (pairs, self.n_rows),
                check_invariants=False,
            )

    def mix(self, mix: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        """Σ_j mix[pair, j] · table[index[pair, j]]."""
        return embedding_bag(self.index, table, per_sample_weights=mix, mode="sum")

    def table_gradient(self, mix: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
        order, pair, starts = self._entries_by_row
        return embedding_bag(pair, grad, starts, per_sample_weights=mix.flatten()[order], mode="sum")

    def mix_gradient(self, grad: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        sampled = torch.sparse.sampled_addmm(self._pattern.to(grad.dtype), grad, table.T)
        return sampled.values().view_as(self.index)


class _ReluMlpOfMixedRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows, mix, neuron_rows, neuron_bias, W, logit_rows, logit_bias):
        neurons = rows.mix(mix, neuron_rows).add_(neuron_bias).relu_()
        ctx.rows = rows
        ctx.save_for_backward(mix, neuron_rows, W, logit_rows, neurons)
        return torch.addmm(logit_bias, neurons, W).add_(rows.mix(mix, logit_rows))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads):  # pyright: ignore[reportIncompatibleMethodOverride]
        (grad,), rows = grads, ctx.rows
        mix, neuron_rows, W, logit_rows, neurons = ctx.saved_tensors
        grad = grad.contiguous()
        grad_neurons = grad @ W.T
        torch.ops.aten.threshold_backward.grad_input(grad_neurons, neurons, 0.0, grad_input=grad_neurons)
        grad_mix = rows.mix_gradient(grad_neurons, neuron_rows) + rows.mix_gradient(grad, logit_rows)
        return (
            None,
            grad_mix,
            rows.table_gradient(mix, grad_neurons),
            grad_neurons.sum(0),
            (grad.T @ neurons).T,
            rows.table_gradient(mix, grad),
            grad.sum(0),
        )


def relu_mlp_of_mixed_rows(
    rows: MixedRows,
    mix: Float[torch.Tensor, "pair mixed"],
    neuron_rows: Float[torch.Tensor, "row d_mlp"],
    neuron_bias: Float[torch.Tensor, " d_mlp"],
    W: Float[torch.Tensor, "d_mlp out"],
    logit_rows: Float[torch.Tensor, "row out"],
    logit_bias: Float[torch.Tensor, " out"],
) -> Float[torch.Tensor, "pair out"]:
    """relu(mixed neuron_rows + neuron_bias) W + mixed logit_rows + logit_bias, keeping one [pair, d_mlp] array."""
    return _ReluMlpOfMixedRows.apply(rows, mix, neuron_rows, neuron_bias, W, logit_rows, logit_bias)
