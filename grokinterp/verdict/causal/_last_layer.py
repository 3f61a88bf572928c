"""The last layer at the last position: what its parts put out on all pairs, and the logits if they put out otherwise.

The logits are read at the last position, where the last layer's attention is the only thing that looks at others. So
behind it an intervention needs no forward of the whole network: with r the residual before the layer and z the heads'
mixed values, at the last position,

    A = Σ_h z_h W_O^h + b_O,            m = r + A,
    H = act(LN(m) W_in + b_in),         M = H W_out + b_out,        logits = LN(m + M) W_U + b_U

in float32 as in the network (LN is its normalization, the identity where it has none). Where attention and MLP work in
parallel, H = act(LN(r) W_in + b_in), whatever A is. A network without attention has H alone: logits = H W_U + b_U.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int

from grokinterp.models import ACTIVATIONS, FastForward, accuracy, cross_entropy, normalized
from grokinterp.runs import Snapshot

# Pairs per product: their neurons stay in the processor's cache.
CHUNK = 2048

Residual = Float[torch.Tensor, "pair d_model"]
Neurons = Float[torch.Tensor, "pair d_mlp"]
Logits = Float[torch.Tensor, "pair answer"]


@dataclass(frozen=True, eq=False)
class LastLayer:
    """What the last layer holds at the last position on all pairs, or on `pairs`; no residual and no heads without
    attention."""

    snapshot: Snapshot
    resid_pre: Residual | None
    z: Float[torch.Tensor, "pair head d_head"] | None
    pairs: Int[torch.Tensor, " pair"] | None = None

    @classmethod
    def of(cls, snapshot: Snapshot, pairs: Int[torch.Tensor, " pair"] | None = None) -> "LastLayer":
        """Evaluate the network once on all pairs, or on these.

        >>> from grokinterp.models import ModelConfig, initial_weights
        >>> from grokinterp.tasks import Task, TaskConfig
        >>> config, task = ModelConfig(n_layers=2, normalization="LN"), Task(TaskConfig(p=5))
        >>> snapshot = Snapshot(0, task, config, initial_weights(config, task))
        >>> layer = LastLayer.of(snapshot)
        >>> torch.allclose(layer.after_attention(layer.resid_mid), torch.from_numpy(snapshot.logits), atol=1e-5)
        True
        """
        if snapshot.config.architecture == "mlp":
            return cls(snapshot, None, None, pairs)
        if fast := snapshot.fast_forward:
            return cls(snapshot, *_by_fast_forward(snapshot, fast, pairs), pairs)
        tokens = snapshot.task.tokens if pairs is None else snapshot.task.tokens[pairs]
        names = [f"{snapshot.last_block}.hook_resid_pre", f"{snapshot.last_block}.attn.hook_z"]
        resid_pre, z = (value[:, -1] for value in cached(snapshot, names, tokens))
        return cls(snapshot, resid_pre, z, pairs)

    def weight(self, name: str) -> Float[torch.Tensor, "..."]:
        """A weight of the layer, float32."""
        return self.snapshot.weights[f"{self.snapshot.last_block}.{name}"].detach()

    def head(self, number: int) -> Residual:
        """What a head adds to the residual."""
        assert self.z is not None
        return self.z[:, number] @ self.weight("attn.W_O")[number]

    @cached_property
    def attn_out(self) -> Residual:
        assert self.z is not None
        return torch.addmm(self.weight("attn.b_O"), self.z.flatten(1), self.weight("attn.W_O").flatten(0, 1))

    @cached_property
    def resid_mid(self) -> Residual:
        assert self.resid_pre is not None
        return self.resid_pre + self.attn_out

    @cached_property
    def pre(self) -> Neurons:
        """The neurons' input."""
        if self.resid_pre is None:
            if self.pairs is None:
                return self.snapshot.activation(f"{self.snapshot.last_block}.mlp.hook_pre")
            return torch.from_numpy(self.snapshot.neuron_inputs_of(self.pairs.numpy()))
        return by_chunk(self._pre, self.resid_pre if self.is_parallel else self.resid_mid)

    @cached_property
    def neurons(self) -> Neurons:
        return ACTIVATIONS[self.snapshot.config.act_fn].of(self.pre)

    @property
    def is_parallel(self) -> bool:
        """Whether the MLP reads the residual before attention."""
        return self.snapshot.config.parallel_attn_mlp

    @cached_property
    def mlp_out(self) -> Residual:
        return torch.addmm(self.weight("mlp.b_out"), self.neurons, self.weight("mlp.W_out"))

    @cached_property
    def read(self) -> Float[torch.Tensor, "pair width"]:
        """What the unembedding reads: the normalized residual after the layer, or the neurons without attention."""
        if self.resid_pre is None:
            return self.neurons
        return by_chunk(lambda resid: self._normalized(resid, "ln_final"), self.resid_mid + self.mlp_out)

    def after_attention(self, resid_mid: Residual) -> Logits:
        """Logits if this is the residual after attention: of the MLP that reads it, and of the skip around that."""
        if self.is_parallel:
            return by_chunk(self._after_neurons, self.neurons, resid_mid)

        def logits(mid: torch.Tensor) -> torch.Tensor:
            return self._after_neurons(ACTIVATIONS[self.snapshot.config.act_fn].of(self._pre(mid)), mid)

        return by_chunk(logits, resid_mid)

    def after_neurons(self, neurons: Neurons) -> Logits:
        """Logits if these are the neurons' activations, the skip around the MLP left as it is."""
        if self.resid_pre is not None:
            return by_chunk(self._after_neurons, neurons, self.resid_mid)
        return by_chunk(self._unembed, neurons)

    def after_inputs(self, inputs: Neurons) -> Logits:
        """Logits if the neurons read this."""
        return self.after_neurons(ACTIVATIONS[self.snapshot.config.act_fn].of(inputs))

    @property
    def W_down(self) -> Float[torch.Tensor, "d_mlp down"]:
        """What carries the neurons on: W_out, or W_U where no residual is behind them."""
        if self.resid_pre is not None:
            return self.weight("mlp.W_out")
        return self.snapshot.weights["unembed.W_U"][:, : self.snapshot.task.n_answers].detach()

    def after_change(self, change: Float[torch.Tensor, "pair down"]) -> Logits:
        """Logits if the neurons put out H W_down + `change`."""
        if self.resid_pre is None:
            return self._logits + change
        return self.after_mlp(self.resid_mid + self.mlp_out + change)

    @cached_property
    def _logits(self) -> Logits:
        return self.after_neurons(self.neurons)

    def after_mlp(self, resid_post: Residual) -> Logits:
        """Logits if this is the residual that is unembedded."""
        return by_chunk(self._unembed, resid_post)

    def _pre(self, resid: torch.Tensor) -> torch.Tensor:
        read = self._normalized(resid, f"{self.snapshot.last_block}.ln2")
        return torch.addmm(self.weight("mlp.b_in"), read, self.weight("mlp.W_in"))

    def _after_neurons(self, neurons: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self._unembed(torch.addmm(self.weight("mlp.b_out"), neurons, self.weight("mlp.W_out")) + skip)

    def _unembed(self, resid_post: torch.Tensor) -> torch.Tensor:
        weights, answers = self.snapshot.weights, slice(self.snapshot.task.n_answers)
        read = self._normalized(resid_post, "ln_final")
        return torch.addmm(weights["unembed.b_U"][answers], read, weights["unembed.W_U"][:, answers]).detach()

    def _normalized(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return normalized(self.snapshot.config, self.snapshot.weights, name, x)


@torch.no_grad()
def _by_fast_forward(
    snapshot: Snapshot, fast: FastForward, pairs: Int[torch.Tensor, " pair"] | None
) -> tuple[Residual, Float[torch.Tensor, "pair head d_head"]]:
    """The residual before the only layer, which all pairs have in common at `=`, and the heads' values."""
    a, b = snapshot.task.inputs
    z = fast.heads(fast.batch(a, b) if pairs is None else fast.batch(a[pairs], b[pairs]))
    resid_pre = snapshot.weights["embed.W_E"][snapshot.task.equals_token] + snapshot.weights["pos_embed.W_pos"][-1]
    return resid_pre.detach().expand(len(z), -1), z


def by_chunk(function: Callable[..., torch.Tensor], *values: Float[torch.Tensor, "pair ..."]) -> torch.Tensor:
    """`function` of so many pairs at a time, joined."""
    with torch.no_grad():
        return torch.cat([function(*chunk) for chunk in zip(*(value.split(CHUNK) for value in values), strict=True)])


@torch.no_grad()
def cached(
    snapshot: Snapshot, names: Sequence[str], tokens: Int[torch.Tensor, "pair pos"]
) -> list[Float[torch.Tensor, "pair ..."]]:
    """The activations at some hooks, at all positions, from one forward of the network."""
    caches = [snapshot.model.run_with_cache(chunk, names_filter=list(names))[1] for chunk in tokens.split(CHUNK)]
    return [torch.cat([cache[name] for cache in caches]) for name in names]


def judged(logits: Float[torch.Tensor, "chosen answer"], answers: Int[torch.Tensor, " chosen"]) -> tuple[float, float]:
    """Loss, in float64, and accuracy."""
    return cross_entropy(logits, answers).item(), accuracy(logits, answers)
