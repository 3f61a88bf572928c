"""One checkpoint evaluated on every input of its task."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.models import FastActivations, FastForward, ModelConfig, hooked_network, not_covered_by_fast_forward
from grokinterp.tasks import Task

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

# Pairs per pass of run_with_cache: 2,048 × 3 positions keep a cached MLP layer near 12 MB.
CHUNK = 2048


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network at one step, with what it computes on all pairs of its task, evaluated when first asked for.

    `logits`, `neurons` and `pattern` are float32 NumPy arrays whose first axis is the pair, row a·p + b over a full
    domain; the logit of `=`, where the network has one, is left out (it is trained on, but no answer).
    """

    step: int
    task: Task
    config: ModelConfig
    weights: Mapping[str, Float[torch.Tensor, "..."]]

    @cached_property
    def model(self) -> "HookedTransformer":
        """The network as a `HookedTransformer`."""
        return hooked_network(self.config, self.task, self.weights)

    def weight(self, name: str) -> Float[np.ndarray, "..."]:
        """A weight by its TransformerLens name, in float64."""
        return self.weights[name].double().numpy()

    @property
    def last_block(self) -> str:
        return f"blocks.{self.config.n_layers - 1}"

    @cached_property
    def W_E(self) -> Float[np.ndarray, "symbol d_model"]:
        """Embeddings of the symbols, such as the residues (the row of `=` left out), float64."""
        return self.weight("embed.W_E")[: self.task.n_symbols]

    @cached_property
    def W_L(self) -> Float[np.ndarray, "answer d_mlp"]:
        """Neuron-logit map (W_out W_U)ᵀ, a row per answer, float64; b_out is not in it (Nanda et al. 2023, §4.2).

        In a network without attention, whose neurons are unembedded at once, W_Uᵀ.
        """
        if self.config.architecture == "mlp":
            return self.weight("unembed.W_U")[:, : self.task.n_answers].T
        return (self.weight(f"{self.last_block}.mlp.W_out") @ self.weight("unembed.W_U")[:, : self.task.n_answers]).T

    @torch.no_grad()
    def fast(self) -> FastActivations:
        """Pattern, neurons and logits of all pairs by the fast forward; by the model where that does not cover it."""
        if not_covered_by_fast_forward(self.config, self.task):
            pattern = torch.from_numpy(self.pattern)
            return FastActivations(pattern, torch.from_numpy(self.neurons), self._logits_of_model())
        fast = FastForward(self.config, self.weights)
        return fast.activations(fast.batch(*self.task.inputs))

    @cached_property
    def logits(self) -> Float[np.ndarray, "pair answer"]:
        return self.fast().logits[:, : self.task.n_answers].numpy()

    @cached_property
    def neurons(self) -> Float[np.ndarray, "pair d_mlp"]:
        """Activations of the last MLP after the non-linearity, at `=`."""
        return self.activation(f"{self.last_block}.mlp.hook_post").numpy()

    @cached_property
    def pattern(self) -> Float[np.ndarray, "pair head pos"]:
        """Attention of the last layer from `=` to every position of `task.positions`; no head where there is none."""
        if self.config.architecture == "mlp":
            return np.empty((self.task.n_pairs, 0, len(self.task.positions)), dtype=np.float32)
        chunks = self._cached(f"{self.last_block}.attn.hook_pattern")
        return torch.cat([chunk[:, :, -1] for chunk in chunks]).numpy()

    def activation(self, name: str) -> Float[torch.Tensor, "pair ..."]:
        """Any hook's activation at the last position over all pairs, through `run_with_cache` in chunks of pairs."""
        return torch.cat([chunk[:, -1] for chunk in self._cached(name)])

    @torch.no_grad()
    def _cached(self, name: str) -> list[Float[torch.Tensor, "chunk ..."]]:
        if name not in self.model.hook_dict:
            known = ", ".join(key for key in self.model.hook_dict if key.startswith(self.last_block))
            raise GrokinterpError(f"activation {name!r}: the network has no such hook; it has, among others, {known}")
        chunks = self.task.tokens.split(CHUNK)
        return [self.model.run_with_cache(chunk, names_filter=name)[1][name] for chunk in chunks]

    def _logits_of_model(self) -> Float[torch.Tensor, "pair out"]:
        return torch.cat([self.model(chunk)[:, -1] for chunk in self.task.tokens.split(CHUNK)])
