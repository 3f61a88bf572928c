"""One checkpoint evaluated on every input of its task."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.models import (
    ACTIVATIONS,
    FastActivations,
    FastForward,
    ModelConfig,
    hooked_network,
    misfit,
    not_covered_by_fast_forward,
)
from grokinterp.tasks import Task

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

# Pairs per pass of run_with_cache: 2,048 × 3 positions keep a cached MLP layer near 12 MB.
CHUNK = 2048
# Pairs per pass of the fast forward: up to p = 181 all of them.
FAST_CHUNK = 2**15
# Bytes of the neurons or logits of all pairs up to which they are kept and copied. A network with more is large: they
# are evaluated again whenever some are asked for, and what it does when it is changed is judged on so many pairs.
KEPT, SAMPLE = 2**28, 2**14


def is_large(task: Task, config: ModelConfig) -> bool:
    """Whether the neurons of all pairs, or their logits, are too many to be copied, in float32."""
    return 4 * task.n_pairs * max(config.d_mlp, task.n_answers) > KEPT


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network at one step, with what it computes on all pairs of its task, evaluated when first asked for.

    `logits`, `neurons` and `pattern` are float32 NumPy arrays whose first axis is the pair, row a·p + b over a full
    domain; the logit of `=`, where the network has one, is left out (it is trained on, but no answer).

    Raises `GrokinterpError` if the weights are not by name and shape those of `config` on `task`.
    """

    step: int
    task: Task
    config: ModelConfig
    weights: Mapping[str, Float[torch.Tensor, "..."]]

    def __post_init__(self) -> None:
        wrong = misfit(self.weights, self.config, self.task)
        if wrong:
            raise GrokinterpError(
                f"the weights of step {self.step} are not those of the configuration on {self.task.name}: {wrong}; "
                "give the configuration they belong to, and of a hooked model dict(model.named_parameters())"
            )

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

    @cached_property
    def fast_forward(self) -> FastForward | None:
        """The fast forward of these weights; None for a network or task that it does not cover."""
        return None if not_covered_by_fast_forward(self.config, self.task) else FastForward(self.config, self.weights)

    @torch.no_grad()
    def fast(self) -> FastActivations:
        """Pattern, neurons and logits of all pairs by the fast forward; by the model where that does not cover it."""
        if fast := self.fast_forward:
            return fast.activations(fast.batch(*self.task.inputs))
        pattern = torch.from_numpy(self.pattern)
        return FastActivations(pattern, torch.from_numpy(self.neurons), self._logits_of_model())

    @property
    def is_large(self) -> bool:
        """Whether the neurons of all pairs, or their logits, are too many to be copied."""
        return is_large(self.task, self.config)

    @cached_property
    def logits(self) -> Float[np.ndarray, "pair answer"]:
        logits = np.empty((self.task.n_pairs, self.task.n_answers), dtype=np.float32)
        self._evaluate(logits, torch.arange(self.task.n_pairs))
        return logits

    @torch.no_grad()
    def _evaluate(self, logits: Float[np.ndarray, "some answer"], pairs: Int[torch.Tensor, " some"]) -> None:
        """Write the logits of some pairs."""
        fast = self.fast_forward
        size = FAST_CHUNK if fast else CHUNK

        def forward(chunk: torch.Tensor) -> torch.Tensor:
            if fast is None:
                return self.model(self.task.tokens[chunk])[:, -1]
            return fast.activations(fast.batch(*(symbols[chunk] for symbols in self.task.inputs))).logits

        for start in range(0, len(pairs), size):
            found = forward(pairs[start : start + size])
            logits[start : start + size] = found[:, : self.task.n_answers].numpy()

    def release(self) -> None:
        """Of a large network, give up what was evaluated on all pairs; it is evaluated again when it is asked for."""
        for name in ("logits", "neurons", "pattern") if self.is_large else ():
            self.__dict__.pop(name, None)

    def some_of(self, pairs: Int[np.ndarray, " pair"]) -> Int[np.ndarray, " some"]:
        """All of these numbers, or of a large network `SAMPLE` of them, drawn at random and always the same."""
        if not self.is_large or len(pairs) <= SAMPLE:
            return pairs
        return np.sort(np.random.default_rng(0).choice(pairs, SAMPLE, replace=False))

    def logits_of(self, pairs: Int[np.ndarray, "*some"]) -> Float[np.ndarray, "*some answer"]:
        """`logits` of some pairs; those of a large network are evaluated for these alone, unless all are at hand."""
        if not self.is_large or "logits" in self.__dict__:
            return self.logits[pairs]
        logits = np.empty((pairs.size, self.task.n_answers), dtype=np.float32)
        self._evaluate(logits, torch.from_numpy(pairs.reshape(-1)))
        return logits.reshape(*pairs.shape, -1)

    def neurons_of(self, pairs: Int[np.ndarray, "*some"]) -> Float[np.ndarray, "*some d_mlp"]:
        """`neurons` of some pairs; where those of all would be too many to keep, these alone are evaluated."""
        return self._of_some(pairs, "post")

    def neuron_inputs_of(self, pairs: Int[np.ndarray, "*some"]) -> Float[np.ndarray, "*some d_mlp"]:
        """What the last MLP's neurons read on some pairs, before the non-linearity; likewise."""
        return self._of_some(pairs, "pre")

    @torch.no_grad()
    def _of_some(self, pairs: Int[np.ndarray, "*some"], which: Literal["pre", "post"]) -> np.ndarray:
        hook = f"{self.last_block}.mlp.hook_{which}"
        if not self.is_large:
            return (self.neurons if which == "post" else self._neuron_inputs)[pairs]
        chosen = torch.from_numpy(pairs.reshape(-1))
        if fast := self.fast_forward:
            found = self._by_fast_forward(fast, chosen, which)
        else:
            found = torch.cat([chunk[:, -1] for chunk in self._cached(hook, chosen)])
        return found.numpy().reshape(*pairs.shape, -1)

    def _by_fast_forward(
        self, fast: FastForward, pairs: Int[torch.Tensor, " some"], which: Literal["pre", "post"]
    ) -> torch.Tensor:
        inputs = fast.neuron_inputs(fast.batch(*(symbols[pairs] for symbols in self.task.inputs)))
        return inputs if which == "pre" else ACTIVATIONS[self.config.act_fn].of(inputs)

    @torch.no_grad()
    def _of_all(self, which: Literal["pre", "post"]) -> Float[np.ndarray, "pair d_mlp"]:
        if fast := self.fast_forward:
            chunks = torch.arange(self.task.n_pairs).split(FAST_CHUNK)
            return torch.cat([self._by_fast_forward(fast, chunk, which) for chunk in chunks]).numpy()
        return self.activation(f"{self.last_block}.mlp.hook_{which}").numpy()

    @cached_property
    def _neuron_inputs(self) -> Float[np.ndarray, "pair d_mlp"]:
        return self._of_all("pre")

    @cached_property
    def neurons(self) -> Float[np.ndarray, "pair d_mlp"]:
        """Activations of the last MLP after the non-linearity, at `=`."""
        return self._of_all("post")

    @cached_property
    def pattern(self) -> Float[np.ndarray, "pair head pos"]:
        """Attention of the last layer from `=` to every position of `task.positions`; no head where there is none."""
        return self._pattern(torch.arange(self.task.n_pairs))

    def pattern_of(self, pairs: Int[np.ndarray, " some"]) -> Float[np.ndarray, "some head pos"]:
        """`pattern` of some pairs; where all would be too many to evaluate, of these alone."""
        return self._pattern(torch.from_numpy(pairs)) if self.is_large else self.pattern[pairs]

    @torch.no_grad()
    def _pattern(self, pairs: Int[torch.Tensor, " some"]) -> Float[np.ndarray, "some head pos"]:
        if self.config.architecture == "mlp":
            return np.empty((len(pairs), 0, len(self.task.positions)), dtype=np.float32)
        if fast := self.fast_forward:
            return fast.pattern(fast.batch(*(symbols[pairs] for symbols in self.task.inputs))).numpy()
        chunks = self._cached(f"{self.last_block}.attn.hook_pattern", pairs)
        return torch.cat([chunk[:, :, -1] for chunk in chunks]).numpy()

    def activation(self, name: str, position: int = -1) -> Float[torch.Tensor, "pair ..."]:
        """Any hook's activation at a position, the last, over all pairs, by `run_with_cache` in chunks of pairs."""
        return torch.cat([chunk[:, position] for chunk in self._cached(name)])

    @torch.no_grad()
    def _cached(
        self, name: str, pairs: Int[torch.Tensor, " some"] | None = None
    ) -> list[Float[torch.Tensor, "chunk ..."]]:
        if name not in self.model.hook_dict:
            known = ", ".join(key for key in self.model.hook_dict if key.startswith(self.last_block))
            raise GrokinterpError(f"activation {name!r}: the network has no such hook; it has, among others, {known}")
        tokens = self.task.tokens if pairs is None else self.task.tokens[pairs]
        chunks = tokens.split(CHUNK)
        return [self.model.run_with_cache(chunk, names_filter=name)[1][name] for chunk in chunks]

    def _logits_of_model(self) -> Float[torch.Tensor, "pair out"]:
        return torch.cat([self.model(chunk)[:, -1] for chunk in self.task.tokens.split(CHUNK)])
