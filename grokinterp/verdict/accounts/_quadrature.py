"""The pizza's MLP as numerical quadrature (Yip et al. 2024, arXiv 2412.03773).

In a pizza the neurons of frequency k see cos(w_k a − φ) + cos(w_k b − φ) = 2 cos(w_k d/2) cos(w_k s/2 − φ) and write
cos(w_k c − 2φ). With phases φ_i around the circle their sum is a quadrature of

    (1/2π) ∫ ReLU(cos(u − φ)) cos(v − 2φ) dφ = cos(2u − v) / 3π,     u = w_k s/2, v = w_k c,

so that neuron i, which stands for the arc between its neighbours, should weigh as much as that arc, times the mean, and
what the sum misses of the integral is the predicted error. Neurons also see the secondary frequency 2k a little, as
ε cos(2(w_k a − φ)), whose sum over a and b, 2ε cos(w_k d) cos(w_k s − 2φ), is largest at opposite inputs: it fills the
pizza's hole. So the amplitude of cos w_k(s − c) at every distance follows from the weights, without a fit:

    f_k(d) = Σ_i o_i (1/2π) ∫ act(2 r_i cos(w_k d/2) cos t + 2 ε_i cos(w_k d) cos 2t + κ_i) cos 2t dt,

r, ε the sizes of neuron i's inputs at k and 2k, κ its mean input, o_i the size of what it writes at 2φ_i.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float, Int

from grokinterp.models import ACTIVATIONS
from grokinterp.runs import Snapshot

from ._amplitudes import Pattern
from ._meeting import Meeting, meetings
from ._scored import InGroup, Scores
from ._simple_form import SimpleNeurons, folded

# Angles at which a quadrature is compared with its integral.
ANGLES, ANGLES_OF_INPUTS = 360, 72


@dataclass(frozen=True, eq=False)
class Quadrature:
    """The neurons of one frequency as points of a quadrature, sorted by phase.

    - `phases`: φ_i, 0 … 2π; `weights`: m_i, signed by whether the neuron writes at 2φ_i or opposite to it; `arcs`: half
      the way to either neighbour, in radians, of the neurons that read at this frequency.
    - `locked`: Σ |m| cos(ψ − 2φ) / Σ |m|, ψ the phase at which a neuron writes: 1 if all write at twice their phase.
    - `amplitude`: f_k(d) by the integrals, from the weights alone; `without_secondary`: the same with ε = 0.
    - `error`: the sum's distance from the integral over its size, root mean square over u, with the measured weights;
      `error_of_arcs`: the same with the arcs as weights, which is what these phases could do at best without tuning.
    - `secondary`: Σ |m| ε / Σ |m| r, negative where it lowers the amplitude at equal inputs and fills the hole at
      opposite ones; `secondary_freq`: 2k, as a frequency up to n/2.
    """

    freq: int
    phases: Float[np.ndarray, " neuron"]
    weights: Float[np.ndarray, " neuron"]
    arcs: Float[np.ndarray, " neuron"]
    locked: float
    amplitude: Pattern
    without_secondary: Pattern
    error: float
    error_of_arcs: float
    secondary: float
    secondary_freq: int


def quadrature(snapshot: Snapshot, keys: Iterable[int]) -> dict[int, Quadrature]:
    """Key frequency → its quadrature, in the last layer; without those that fewer than three neurons have.

    float64; the Nyquist frequency, which is no circle, has none. Nothing is fitted but each neuron's own frequency.

    **Raises** `GrokinterpError` for a task without a group; its answers should be sums in a cyclic group.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    >>> found = quadrature(Snapshot(0, task, config, initial_weights(config, task)), (1, 2, 3))
    >>> all(one.amplitude.shape == (7,) for one in found.values())
    True
    """
    *_, last = meetings(snapshot, InGroup.of(snapshot))
    return quadrature_of(last, keys)


def integral_account(group: InGroup, found: dict[int, Quadrature]) -> Scores:
    """The logits as Σ_k f_k(d) cos(w_k(s − c)), the amplitudes as the integrals predict them."""
    n = group.n
    i, j, c = np.ogrid[:n, :n, :n]
    logits = np.zeros((n, n, n))
    for freq, one in found.items():
        wave = np.cos(2 * np.pi * (freq * np.arange(n) % n) / n)
        logits += one.amplitude[(i - j) % n] * wave[(i + j - c) % n]
    return group.of_logits(logits.reshape(n**2, n))


def quadrature_of(last: Meeting, keys: Iterable[int]) -> dict[int, Quadrature]:
    """`quadrature` where the neurons of the last layer are at hand."""
    simple, n = last.places[0].simple, last.group.n
    W_L = last.snapshot.W_L[last.group.places.structure.outputs]
    written = np.fft.fft(W_L - W_L.mean(axis=0), axis=0) * 2 / n
    found = {}
    for freq in keys:
        own = np.flatnonzero(simple.freq == freq)
        if 2 * freq != n and len(own) > 2:
            found[freq] = _of_neurons(freq, own, simple, written[freq, own], last)
    return found


def _of_neurons(
    freq: int,
    own: Int[np.ndarray, " neuron"],
    simple: SimpleNeurons,
    out: Complex[np.ndarray, " neuron"],
    last: Meeting,
) -> Quadrature:
    # Where b's circle is turned against a's, the mean of both is what the neuron stands for: a's and b's as one sum.
    n, reads = last.group.n, (simple.of_a[own] + simple.of_b[own]) / 2
    phases = -np.angle(reads) % (2 * np.pi)
    order = np.argsort(phases, kind="stable")
    phases, reads, out, own = phases[order], reads[order], out[order], own[order]
    # Σ_c W_L[c] e^{−iwc} of o cos(wc − ψ) has the phase −ψ.
    lag = -np.angle(out) - 2 * phases
    size, written = np.abs(reads) * np.abs(out), np.abs(out) * np.cos(lag)
    total = float(size.sum())
    gaps = np.diff(phases, append=phases[0] + 2 * np.pi)
    arcs = (gaps + np.roll(gaps, 1)) / 2
    secondary = _secondary(last, own, freq, reads)
    sizes = (np.abs(reads), secondary, simple.constant[own])
    return Quadrature(
        freq,
        phases,
        size * np.cos(lag),
        arcs,
        float((size * np.cos(lag)).sum() / total) if total else float("nan"),
        _amplitude(last, freq, written, *sizes),
        _amplitude(last, freq, written, sizes[0], np.zeros(len(own)), sizes[2]),
        _error(phases, size * np.exp(1j * lag)),
        _error(phases, arcs),
        float(secondary @ size / (np.abs(reads) @ size)) if total else float("nan"),
        folded(2 * freq, n),
    )


def _secondary(last: Meeting, own: Int[np.ndarray, " neuron"], freq: int, reads: np.ndarray) -> np.ndarray:
    """ε: of the inputs at 2k what is in step with the inputs at k, cos 2(w a + θ) beside cos(w a + θ)."""
    n, place = last.group.n, last.places[0]
    if folded(2 * freq, n) in (0, freq):
        return np.zeros(len(own))
    wave = np.exp(-2j * np.pi * (2 * freq * np.arange(n) % n) / n) / n
    size = wave @ (place.of_a[:, own] + place.of_b[:, own])
    return np.real(size * np.exp(-2j * np.angle(reads)))


def _amplitude(
    last: Meeting,
    freq: int,
    written: Float[np.ndarray, " neuron"],
    first: Float[np.ndarray, " neuron"],
    second: Float[np.ndarray, " neuron"],
    constant: Float[np.ndarray, " neuron"],
) -> Pattern:
    n = last.group.n
    # d and −d have one amplitude; midpoints, since ReLU's kinks lie anywhere.
    distance, t = np.arange(n // 2 + 1), 2 * np.pi * (np.arange(ANGLES_OF_INPUTS) + 0.5) / ANGLES_OF_INPUTS
    half = np.cos(np.pi * freq * distance / n)
    inputs = (
        np.outer(half, np.cos(t))[:, :, None] * (2 * first)
        + np.outer(2 * half**2 - 1, np.cos(2 * t))[:, :, None] * (2 * second)
        + constant
    )
    active = ACTIVATIONS[last.snapshot.config.act_fn].of(torch.from_numpy(inputs)).numpy()
    found = np.einsum("dti,t,i->d", active, np.cos(2 * t) / ANGLES_OF_INPUTS, written, optimize=True)
    return np.concatenate([found, found[1 : (n + 1) // 2][::-1]])


def _error(phases: Float[np.ndarray, " neuron"], weights: np.ndarray) -> float:
    """‖Σ m ReLU(cos(u − φ)) e^{i2φ} − integral‖ / ‖integral‖ over u, the weights brought to a sum of 1."""
    total = np.real(weights).sum()
    if total <= 0:
        return float("nan")
    u = 2 * np.pi * np.arange(ANGLES) / ANGLES
    seen = np.maximum(np.cos(u[:, None] - phases), 0) @ (weights / total * np.exp(2j * phases))
    whole = np.exp(2j * u) / (3 * np.pi)
    return float(np.sqrt((np.abs(seen - whole) ** 2).sum() / (np.abs(whole) ** 2).sum()))
