"""Where a and b meet: the inputs of a layer's neurons over all pairs of the group, and the network run on others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.models import ACTIVATIONS, FastInputs
from grokinterp.runs import Snapshot
from grokinterp.verdict._replaced import logits_with

from ._scored import InGroup
from ._simple_form import Place

# Inputs that one element alone decides to this share are no place where a and b meet.
ALONE = 0.999


@dataclass(frozen=True, eq=False)
class Meeting:
    """A layer's neurons at every position at which both inputs count, the last one first."""

    snapshot: Snapshot
    group: InGroup
    layer: int
    positions: tuple[int, ...]
    places: tuple[Place, ...]
    parts: FastInputs | None = None

    def logits(self, inputs: Sequence[Float[torch.Tensor, "pair d_mlp"]]) -> Float[np.ndarray, "pair n"]:
        """The logits of the pairs in the group with these inputs of the neurons at the positions."""
        task, outputs = self.snapshot.task, self.group.places.structure.outputs
        if self.parts:
            active = ACTIVATIONS[self.snapshot.config.act_fn].of(inputs[0].to(self.parts.products.W_L.dtype))
            logits = torch.addmm(self._bypass, active, self.parts.products.W_L)
            return logits[:, : task.n_answers].double().numpy()[:, outputs]
        hook, pairs, replaced = self._hook, self.group.places.grid.reshape(-1), {}
        for position, values in zip(self.positions, inputs, strict=True):
            # Pairs outside the group keep what their neurons see.
            replaced[position] = self.snapshot.activation(hook, position).clone()
            replaced[position][pairs] = values.to(replaced[position].dtype)
        return logits_with(self.snapshot, hook, replaced)[pairs][:, outputs].astype(np.float64)

    @cached_property
    def _bypass(self) -> Float[torch.Tensor, "pair out"]:
        assert self.parts is not None
        return torch.addmm(self.parts.products.logit_bias, self.parts.z, self.parts.products.to_logits)

    def blind_logits(self) -> Float[np.ndarray, "pair n"]:
        """The logits where every neuron has its mean input."""
        constants = [torch.from_numpy(place.of_a.mean(axis=0)) for place in self.places]
        if not self.parts:
            return self.logits([one.expand(self.group.n**2, -1) for one in constants])
        written = (
            ACTIVATIONS[self.snapshot.config.act_fn].of(constants[0].to(self.parts.products.W_L.dtype))
            @ self.parts.products.W_L
        )
        logits = (self._bypass + written)[:, : self.snapshot.task.n_answers].double().numpy()
        return logits[:, self.group.places.structure.outputs]

    def weights(self, inputs: Float[torch.Tensor, "pair d_mlp"]) -> Float[np.ndarray, " d_mlp"]:
        """The share of each neuron of the last position in the variance that they write."""
        active = ACTIVATIONS[self.snapshot.config.act_fn].of(inputs)
        # Activations have means of the size of their deviations: the difference of squares is exact enough.
        written = (
            active.square().mean(dim=0, dtype=torch.float64) - active.mean(dim=0, dtype=torch.float64) ** 2
        ).numpy()
        written = np.maximum(written, 0.0)
        if self.layer == self.snapshot.config.n_layers - 1:
            W_L = self.snapshot.W_L[self.group.places.structure.outputs]
            written = written * ((W_L - W_L.mean(axis=0)) ** 2).sum(axis=0)
        return written / written.sum() if written.sum() > 0 else np.zeros(len(written))

    @property
    def _hook(self) -> str:
        return f"blocks.{self.layer}.mlp.hook_pre"


def meetings(snapshot: Snapshot, group: InGroup) -> Iterator[Meeting]:
    """The neurons of each layer, the first layer first."""
    n, pairs, config = group.n, group.places.grid.reshape(-1), snapshot.config
    if fast := snapshot.fast_forward:
        # Inputs are linear in what the heads write, which is narrower.
        a, b = snapshot.task.inputs
        with torch.no_grad():
            parts = fast.mlp_inputs(fast.batch(a[pairs], b[pairs]))
        X = parts.z.double().numpy().reshape(n, n, -1)
        place = Place(X, parts.products.to_neurons.double().numpy(), parts.products.neuron_bias.double().numpy())
        yield Meeting(snapshot, group, 0, (-1,), (place,), parts)
        return
    for layer in range(config.n_layers):
        last = layer == config.n_layers - 1 or config.architecture == "mlp"
        found = {}
        for position in range(-1, -2 if last else -1 - len(snapshot.task.positions), -1):
            inputs = snapshot.activation(f"blocks.{layer}.mlp.hook_pre", position)[pairs]
            place = Place(inputs.double().numpy().reshape(n, n, -1))
            alone = max(float(side.var(axis=0).sum()) for side in (place.of_a, place.of_b))
            if position == -1 or alone < ALONE * float(place.variance.sum()):
                found[position] = place
        yield Meeting(snapshot, group, layer, tuple(found), tuple(found.values()))
