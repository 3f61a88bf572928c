"""On what manifold a circle's neurons lie: a disc if a and b are in phase in each of them, a torus if they are not.

The neurons of one frequency f have inputs r cos(w_f a + φ) + r' cos(w_f b + φ'). If φ − φ' is the same in all of them,
they are functions of the two coordinates cos w_f a + cos(w_f b + δ), sin w_f a + sin(w_f b + δ), a disc (rank 2); if
the phases are independent, of cos w_f a, sin w_f a, cos w_f b, sin w_f b, a torus (rank 4): Moisescu-Pareja et al. 2026
(arXiv 2512.25060). That describes the representation; what is computed with it (`stages`) is another question, and
pizzas and clocks can both lie on a disc.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Snapshot

from ._meeting import meetings
from ._scored import InGroup

# Between a disc, whose alignment is 1, and a torus, whose alignment is 0 but for 1/√neurons.
DISC, TORUS = 0.9, 0.5


@dataclass(frozen=True, eq=False)
class Manifold:
    """The neurons of one frequency in the last layer.

    - `neurons`: how many have it as their best frequency; `weight`: their share in what all neurons write.
    - `alignment`: |Σ v e^{i(φ − φ')}| / Σ v, v what each neuron writes times |r r'|: 1 for equal phases, 0 for
      independent ones. `offset`: the angle of the sum, δ, in radians: b's turn against a.
    - `singular_values`: of the neurons' coefficients on cos w a, sin w a, cos w b, sin w b, each neuron weighted by the
      root of what it writes; largest 1. A disc has two, a torus four. `rank`: how many are above a tenth.
    - `disc`, `torus`: the share of the variance of their activations in the two, or the four, coordinates; `disc_read`,
      `torus_read`: of the logits that these neurons write, H W_Lᵀ over them. The reviewers of the paper suspected that
      the likeness vanishes there, in the row space of the unembedding: it does where the answer alone is read.
    """

    freq: int
    neurons: int
    weight: float
    alignment: float
    offset: float
    singular_values: tuple[float, float, float, float]
    disc: float
    torus: float
    disc_read: float
    torus_read: float

    @property
    def rank(self) -> int:
        return sum(value > 0.1 for value in self.singular_values)

    @property
    def kind(self) -> str:
        """`disc`, `torus`, or `between`, by the phases."""
        return "disc" if self.alignment >= DISC else "torus" if self.alignment <= TORUS else "between"


def manifold(snapshot: Snapshot, freq: int) -> Manifold | None:
    """Measure the neurons of a frequency of a cyclic group; None where no neuron has it as its own.

    float64, over all pairs of the group. Neurons of the last layer at the last position.

    **Raises** `GrokinterpError` for a task that is no sum in a cyclic group, and for a frequency it does not have.
    """
    structure = snapshot.task.structure
    if structure is None or not (structure.is_cyclic and structure.is_product):
        raise GrokinterpError(
            f"{snapshot.task.name}: manifolds of circles need answers that are sums in a cyclic group; give a "
            "task such as addition modulo p"
        )
    n = structure.n
    if not 1 <= freq <= n // 2:
        raise GrokinterpError(f"freq = {freq}: needs a frequency of {structure.group_name}, 1 … {n // 2}")
    group = InGroup.of(snapshot)
    *_, last = meetings(snapshot, group)
    simple = last.places[0].simple
    active = snapshot.neurons[group.places.grid.reshape(-1)].astype(np.float64)
    active -= active.mean(axis=0)
    W_L = snapshot.W_L[structure.outputs] - snapshot.W_L[structure.outputs].mean(axis=0)
    written = active.var(axis=0) * (W_L**2).sum(axis=0)
    own = np.flatnonzero((simple.freq == freq) & (written > 0))
    if not len(own):
        return None
    of_a, of_b, written_here = simple.of_a[own], simple.of_b[own], written[own]
    both = written_here * np.abs(of_a * of_b)
    turned = (both * np.exp(1j * (np.angle(of_a) - np.angle(of_b)))).sum()
    alignment = float(abs(turned) / both.sum()) if both.sum() else 0.0
    columns = np.stack([np.real(of_a), np.imag(of_a), np.real(of_b), np.imag(of_b)], axis=1)
    scale = np.sqrt(written_here) / np.maximum(np.linalg.norm(columns, axis=1), np.finfo(float).tiny)
    values = np.linalg.svd(columns * scale[:, None], compute_uv=False)
    values = np.pad(values, (0, 4 - len(values))) / values[0]
    disc, torus = _coordinates(n, freq, -float(np.angle(turned)))
    seen = active[:, own] @ W_L[:, own].T
    return Manifold(
        freq,
        len(own),
        float(written_here.sum() / written.sum()),
        alignment,
        float(np.angle(turned)),
        tuple(values.tolist()),
        _share(active[:, own], disc),
        _share(active[:, own], torus),
        _share(seen, disc),
        _share(seen, torus),
    )


def _coordinates(n: int, freq: int, turn: float) -> tuple[Float[np.ndarray, "pair 2"], Float[np.ndarray, "pair 4"]]:
    """Orthonormal columns over the pairs: of the disc, b turned by `turn`, and of the torus."""
    i, j = np.indices((n, n)).reshape(2, -1)
    a, b = (2 * np.pi * (freq * place % n) / n for place in (i, j))
    disc = np.stack([np.cos(a) + np.cos(b + turn), np.sin(a) + np.sin(b + turn)], axis=1)
    torus = np.stack([np.cos(a), np.sin(a), np.cos(b), np.sin(b)], axis=1)
    return _orthonormal(disc), _orthonormal(torus)


def _orthonormal(columns: Float[np.ndarray, "pair column"]) -> Float[np.ndarray, "pair column"]:
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, values > 1e-9 * values[0]]


def _share(values: Float[np.ndarray, "pair width"], columns: Float[np.ndarray, "pair column"]) -> float:
    total = float((values**2).sum())
    return float(((columns.T @ values) ** 2).sum()) / total if total else float("nan")
