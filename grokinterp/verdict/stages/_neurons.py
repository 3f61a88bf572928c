"""What the neurons of a layer add to each circle, and what they see of a and b.

A neuron's input x on the pair of elements (i, j) is additive as far as it is a(i) + b(j); what is left is a product of
the two in the widest sense. Its share of a circle's amplitude is linear in what it puts out: with h its activation and
ŵ_k = Σ_c W_L[c] exp(−i w_k c) its weight to the logits at frequency k,

    c_k = (2/n) Re ŵ_k · mean over pairs of h exp(i w_k s),    s = i + j,

and the c_k of all neurons add up to the mean amplitude of the circle, but for what goes around the MLP.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.analysis import Places
from grokinterp.models import ACTIVATIONS
from grokinterp.runs import Snapshot
from grokinterp.verdict.accounts import amplitude_in_network
from grokinterp.verdict.causal import LastLayer

Grid = Float[torch.Tensor, "n n neuron"]
# A neuron is local if it acts on a smaller share of the pairs: those of a table do, on one pair or a small patch; ReLUs
# of cosines act on a fifth and more.
LOCAL = 0.08


@dataclass(frozen=True)
class NeuronParts:
    """The neurons of a layer, as one circle sees them.

    - `additive`: share of the variance of their input that is a(i) + b(j), each neuron weighted by |c_k|.
    - `local`: share of Σ c_k that comes from neurons that act on few pairs only, as those of a table.
    - `through_neurons`: Σ c_k over the mean amplitude of the circle: what does not go around the MLP. NaN where the
      layer is not the last, whose neurons write to the logits.
    - `alignment`: |Σ c_k e^{iψ}| / Σ |c_k| with ψ the phase between a's and b's cosine in a neuron's input: 1 where all
      have the same (a disc: the circles of a and b are added), near 0 where they are spread (a torus).
    - `phase`: the angle of that sum: where the two cosines coincide, w_k(i − j) = ψ.
    """

    additive: float
    local: float
    through_neurons: float
    alignment: float
    phase: float

    @property
    def common_phase(self) -> float | None:
        """ψ where most neurons have about the same."""
        return self.phase if self.alignment > 0.5 else None


def neuron_parts(snapshot: Snapshot, freqs: Iterable[int], *, layer: int | None = None) -> dict[int, NeuronParts]:
    """The neurons of a layer, by default the last."""
    places, freqs = Places.of(snapshot.task), tuple(freqs)
    is_last = layer is None or layer == snapshot.config.n_layers - 1
    pre, out = _inputs(snapshot, layer, is_last)
    pairs = torch.from_numpy(places.grid)
    x, h = pre[pairs], out[pairs]
    n = places.structure.n
    a, b, additive = _additive(x)
    local = _acting(h) < LOCAL
    written = _written(snapshot, is_last)
    sums = torch.zeros_like(h[0])
    for i in range(n):
        sums += torch.roll(h[i], i, dims=0)
    of_sums = sums.double().numpy()
    found = {}
    for freq in freqs:
        wave = np.exp(2j * np.pi * freq * np.arange(n) / n)
        amplitude = wave @ of_sums / n**2
        weight = written(freq)
        c = 2 / n * np.real(weight * amplitude) if is_last else np.abs(amplitude) * weight
        angles = (wave.conj() @ a).conj() * (wave.conj() @ b)
        simple = np.abs(angles) / np.maximum(((a**2).sum(0) + (b**2).sum(0)) * n / 4, 1e-30)
        turned = (np.abs(c) * simple * np.exp(1j * np.angle(angles))).sum()
        weighed = float((np.abs(c) * simple).sum())
        whole = float(np.abs(c).sum())
        total = float(c.sum())
        mean = float(amplitude_in_network(snapshot, freq).mean()) if is_last else 0.0
        found[freq] = NeuronParts(
            additive=float(np.abs(c) @ additive) / whole if whole else float("nan"),
            local=float(c[local].sum()) / total if total else 0.0,
            through_neurons=total / mean if mean else float("nan"),
            alignment=float(np.abs(turned)) / weighed if weighed else float("nan"),
            phase=float(np.angle(turned)),
        )
    return found


def _inputs(
    snapshot: Snapshot, layer: int | None, is_last: bool
) -> tuple[Float[torch.Tensor, "pair neuron"], Float[torch.Tensor, "pair neuron"]]:
    pre = LastLayer.of(snapshot).pre if is_last else snapshot.activation(f"blocks.{layer}.mlp.hook_pre")
    return pre, ACTIVATIONS[snapshot.config.act_fn].of(pre)


def _additive(
    x: Grid,
) -> tuple[Float[np.ndarray, "n neuron"], Float[np.ndarray, "n neuron"], Float[np.ndarray, " neuron"]]:
    """a(i), b(j), both without their mean, and the share of the variance in their sum."""
    mean = x.mean(dim=(0, 1))
    a, b = (x.mean(dim=other).sub(mean).double().numpy() for other in (1, 0))
    # Not torch.var, which is several times slower along the first axis.
    total = (torch.linalg.vector_norm(x.flatten(0, 1) - mean, dim=0).square() / x[..., 0].numel()).double().numpy()
    both = (a**2).mean(axis=0) + (b**2).mean(axis=0)
    return a, b, np.where(total > 0, np.minimum(both / np.maximum(total, 1e-300), 1.0), 1.0)


def _acting(h: Grid) -> Float[np.ndarray, " neuron"]:
    """On which share of the pairs a neuron acts: (Σ u²)² / (n² Σ u⁴), u = h − mean: q for an indicator of few, q."""
    flat = h.flatten(0, 1)
    squares = (flat - flat.mean(dim=0)).square_()
    second = squares.mean(dim=0).double().numpy()
    fourth = squares.square_().mean(dim=0).double().numpy()
    return np.where(fourth > 0, second**2 / np.maximum(fourth, 1e-300), 1.0)


def _written(snapshot: Snapshot, is_last: bool) -> Callable[[int], Any]:
    """Frequency → ŵ_k per neuron; of a layer that is not the last, the norm of what a neuron writes."""
    if not is_last:
        return lambda freq: 1.0  # noqa: ARG005
    outputs = Places.of(snapshot.task).structure.outputs
    W_L = snapshot.W_L[outputs]
    n = len(outputs)
    return lambda freq: np.exp(-2j * np.pi * freq * np.arange(n) / n) @ W_L
