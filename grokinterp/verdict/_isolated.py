"""The amplitude of one circle that is alone in the embedding, without all the logits of that network.

What the circle leaves in the embedding is three vectors: their mean, and one each for cos w_k i and sin w_k i. In a
network that the fast forward covers a head's values are then three vectors of a, three of b and one of every other
position, so that what the neurons read of a pair is a product of a few numbers; and of the logits no more is asked than
how much of cos w_k c and sin w_k c they hold. Other networks are run as they are.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import Places
from grokinterp.models import ACTIVATIONS, FastForward
from grokinterp.runs import Snapshot

from ._replaced import with_embeddings_in
from .accounts import amplitude_by_distance, amplitude_of_waves

# Neurons per product that stay in the processor's cache.
NEURONS_AT_ONCE = 1 << 20
Pattern = Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Isolated:
    """A network with the embeddings projected on one frequency and their mean."""

    snapshot: Snapshot
    freq: int

    @classmethod
    def of(cls, snapshot: Snapshot, freq: int) -> "Isolated":
        """Of a network, one frequency.

        >>> from grokinterp.models import ModelConfig, initial_weights
        >>> from grokinterp.tasks import Task, TaskConfig
        >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
        >>> alone = Isolated.of(Snapshot(0, task, config, initial_weights(config, task)), 2)
        >>> by_logits = amplitude_by_distance(alone.snapshot.logits, Places.of(task), 2)
        >>> bool(np.allclose(alone.amplitude(), by_logits, atol=1e-6))
        True
        """
        return cls(with_embeddings_in(snapshot, (0, freq)), freq)

    @property
    def is_covered(self) -> bool:
        """Whether the fast forward covers the network."""
        return self.snapshot.fast_forward is not None

    @cached_property
    def _parts(self) -> "_Parts":
        return _Parts.of(self)

    def amplitude(self) -> Pattern:
        """f_k(d), see `amplitude_by_distance`."""
        if self.is_covered:
            return self._parts.amplitude(None)
        return amplitude_by_distance(self.snapshot.logits, Places.of(self.snapshot.task), self.freq)

    def held_amplitude(self, pattern: Float[torch.Tensor, "head pos"]) -> Pattern:
        """The same with the attention of every pair held at `pattern`; of a network that the fast forward covers."""
        return self._parts.amplitude(pattern)


@dataclass(frozen=True, eq=False)
class _Parts:
    """What neurons read and what goes around them, as sums over heads and positions.

    `reach`: per position [head, function, d_mlp + 2], the last two being the cosine and sine of the answers; functions
    of a and b are 1, cos w i, sin w i, of other positions 1. `bias`: of the same width. `waves`: neurons to those two.
    """

    fast: FastForward
    places: Places
    freq: int
    functions: Float[torch.Tensor, "n 3"]
    reach: tuple[torch.Tensor, ...]
    bias: Float[torch.Tensor, " width"]
    waves: Float[torch.Tensor, "d_mlp 2"]

    @classmethod
    @torch.no_grad()
    def of(cls, isolated: Isolated) -> "_Parts":
        snapshot, freq = isolated.snapshot, isolated.freq
        fast, places = snapshot.fast_forward, Places.of(snapshot.task)
        assert fast is not None
        structure, (heads, d_head) = places.structure, (snapshot.config.n_heads, snapshot.config.d_head)
        angles = 2 * np.pi * freq * np.arange(structure.n) / structure.n
        of_answers = torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)], axis=1)).float()
        functions = np.stack([np.ones(structure.n), np.cos(angles), np.sin(angles)], axis=1)
        inverse = torch.from_numpy(np.linalg.pinv(functions)).float()
        outputs = torch.from_numpy(structure.outputs)
        made = fast.products()
        into = torch.cat([made.to_neurons, made.to_logits[:, outputs] @ of_answers], dim=1).view(heads, d_head, -1)
        values = list(fast.tables().values)
        for position, symbols in ((0, structure.inputs_a), (len(values) - 2, structure.inputs_b)):
            values[position] = inverse @ values[position][torch.from_numpy(symbols)]
        return cls(
            fast,
            places,
            freq,
            torch.from_numpy(functions).float(),
            tuple(torch.einsum("fhk,hkm->hfm", rows.view(-1, heads, d_head), into) for rows in values),
            torch.cat([made.neuron_bias, made.logit_bias[outputs] @ of_answers]),
            made.W_L[:, outputs] @ of_answers,
        )

    @torch.no_grad()
    def amplitude(self, held: Float[torch.Tensor, "head pos"] | None) -> Pattern:
        n, d_mlp = len(self.functions), len(self.waves)
        rows = max(1, NEURONS_AT_ONCE // (n * d_mlp))
        act, found = ACTIVATIONS[self.fast.config.act_fn].of, []
        for i in torch.arange(n).split(rows):
            x = self._reached(i) if held is None else self._held(i, held)
            found.append(act(x[..., :d_mlp]) @ self.waves + x[..., d_mlp:])
        return amplitude_of_waves(torch.cat(found).double().numpy(), self.freq)

    @cached_property
    def pattern(self) -> Float[torch.Tensor, "n n head pos"]:
        """Attention from `=`, by the elements of a and b."""
        n, structure = len(self.functions), self.places.structure
        a, b = (torch.from_numpy(symbols) for symbols in (structure.inputs_a, structure.inputs_b))
        return self.fast.pattern(self.fast.batch(a.repeat_interleave(n), b.repeat(n))).unflatten(0, (n, n))

    def _reached(self, i: Int[torch.Tensor, " some"]) -> Float[torch.Tensor, "some n width"]:
        """What is read of the pairs of the elements `i` with all."""
        n = len(self.functions)
        parts, last = [], len(self.reach) - 2
        for position, reach in enumerate(self.reach):
            share = self.pattern[i, ..., position, None]
            if position == 0:
                share = share * self.functions[i][:, None, None]
            elif position == last:
                share = share * self.functions[:, None]
            parts.append(share.expand(*share.shape[:3], reach.shape[1]).flatten(2))
        together = torch.cat([reach.flatten(0, 1) for reach in self.reach])
        return torch.addmm(self.bias, torch.cat(parts, dim=2).flatten(0, 1), together).view(len(i), n, -1)

    def _held(
        self, i: Int[torch.Tensor, " some"], held: Float[torch.Tensor, "head pos"]
    ) -> Float[torch.Tensor, "some n width"]:
        mixed = [torch.einsum("h,hfm->fm", held[:, position], reach) for position, reach in enumerate(self.reach)]
        last = len(mixed) - 2
        constant = self.bias + sum(rows[0] for position, rows in enumerate(mixed) if position not in (0, last))
        return (self.functions[i] @ mixed[0] + constant)[:, None] + self.functions @ mixed[last]
