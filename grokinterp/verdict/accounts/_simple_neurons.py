"""Simple neurons: each sees a and b through one frequency, and the network votes among a few of them.

McCracken et al. 2025 (arXiv 2505.18266) call a neuron simple whose input is, but for a constant,

    u(a, b) = r cos(w_f a + φ) + r' cos(w_f b + φ'),   w_f = 2πf/n.

A frequency f that shares a factor g with n sees exactly the residues modulo n/g, that is cosets; any other sees an
approximate coset, the elements near one place of the circle. Neurons of m frequencies that vote for the answer are then
an approximate Chinese remainder theorem; m > ln n frequencies are enough for a gap between the right answer and the
others (their theorem at δ = π/e³, ρ = 1/2). Multiplying all elements by f⁻¹ makes a frequency prime to n frequency 1.

Three accounts replace the inputs of the neurons, where a and b first meet, by their projection on functions of each
neuron's own frequency f, and run the rest of the network as it is:

    chinese_remainder   the simple form: 6 numbers a neuron (f, r, φ, r', φ' and the constant)
    neurons_add         sums of a function of a and one of b at f and its double 2f: 10 numbers
    neurons_multiply    the products of these functions as well: 26 numbers

so that the first says how far simple neurons are enough, and the last two together how much of the network is products.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.analysis import ENOUGH

from ._meeting import Meeting
from ._scored import InGroup, Scores
from ._simple_form import Place, SimpleNeurons, folded

Kind = Literal["chinese_remainder", "neurons_add", "neurons_multiply"]
NUMBERS: dict[Kind, int] = {"chinese_remainder": 6, "neurons_add": 10, "neurons_multiply": 26}
# A cluster of neurons counts where it gives so much of what the neurons write.
CLUSTER = 0.01
# Where blinding the neurons of a layer costs less of the logits, the answer is not formed there.
MATTERS = 0.5


@dataclass(frozen=True, eq=False)
class NeuronAccount:
    """The network whose neurons, where a and b meet, see one frequency each.

    - `scores`: as of `GroupAccount`, over the pairs in the group: what bypasses the neurons earns nothing.
    - `layer`: where a and b meet: the first layer in which neurons that may multiply give 85 % of the logits, else the
      best; `neurons`: the simple form of their inputs at the last position.
    - `weights`: the share of each neuron in the variance that simple neurons write to the logits (in a layer before the
      last, in the variance of their activations).
    """

    kind: Kind
    scores: Scores
    layer: int
    neurons: SimpleNeurons
    weights: Float[np.ndarray, " d_mlp"]

    @cached_property
    def clusters(self) -> dict[int, float]:
        """Frequency → the weight of its neurons, those of at least 1 %."""
        found = np.bincount(self.neurons.freq, self.weights, minlength=self.neurons.n // 2 + 1)
        return {int(freq): float(found[freq]) for freq in np.flatnonzero(found >= CLUSTER)}

    @property
    def enough_frequencies(self) -> float:
        """ln n: more frequencies than that are enough (McCracken et al. 2025, at δ = π/e³, ρ = 1/2)."""
        return math.log(self.neurons.n)

    @property
    def exact_cosets(self) -> float:
        """The weight of clusters whose frequency shares a factor with n, which see residues modulo a divisor of it."""
        return sum(weight for freq, weight in self.clusters.items() if math.gcd(freq, self.neurons.n) > 1)

    @property
    def fine_tuning(self) -> dict[int, int]:
        """Frequency f → h with 2h = ±f mod n, where both have a cluster and h's is weaker (fine-tuning neurons)."""
        n, found = self.neurons.n, {}
        for half, weight in self.clusters.items():
            double = folded(2 * half, n)
            if self.clusters.get(double, 0.0) > weight:
                found[double] = half
        return found


def neuron_accounts(meetings: Iterable[Meeting], group: InGroup) -> dict[Kind, NeuronAccount]:
    """All three accounts, in the layer where a and b meet; none where no neuron matters to the logits."""
    found: list[tuple[float, dict[Kind, NeuronAccount]]] = []
    for meeting in meetings:
        lost = 1 - group.explained_by(meeting.blind_logits())
        if not lost >= MATTERS:
            continue
        weights = meeting.weights(_seen("chinese_remainder", meeting.places[0]))
        accounts: dict[Kind, NeuronAccount] = {kind: _account(kind, meeting, weights, lost) for kind in NUMBERS}
        found.append((accounts["neurons_multiply"].scores.explained, accounts))
        if found[-1][0] >= ENOUGH:
            break
    return max(found, key=lambda one: one[0])[1] if found else {}


def _account(kind: Kind, meeting: Meeting, weights: Float[np.ndarray, " d_mlp"], lost: float) -> NeuronAccount:
    scores = meeting.group.of_logits(meeting.logits([_seen(kind, place) for place in meeting.places]))
    return NeuronAccount(kind, scores.of_what_was(lost), meeting.layer, meeting.places[0].simple, weights)


def _seen(kind: Kind, place: Place) -> torch.Tensor:
    """The inputs of all neurons projected on what the account lets them see."""
    simple = place.simple
    n, found = simple.n, torch.empty(simple.n, simple.n, len(simple.freq), dtype=torch.float32)
    own = simple.freq_of_products if kind == "neurons_multiply" else simple.freq
    for freq in np.unique(own).tolist():
        cluster = np.flatnonzero(own == freq)
        seen = (freq,) if kind == "chinese_remainder" else (freq, folded(2 * freq, n))
        rows = _functions(n, tuple(dict.fromkeys(one for one in seen if one)))
        coefficients = place.coefficients(rows, cluster)
        if kind != "neurons_multiply":
            coefficients[1:, 1:] = 0
        # Row r of a times the function of b that goes with it.
        of_b = np.tensordot(rows.T, coefficients, (1, 1)).transpose(1, 0, 2).reshape(len(rows), -1)
        grid = torch.from_numpy(rows.T.astype(np.float32)) @ torch.from_numpy(of_b.astype(np.float32))
        found[:, :, cluster] = grid.view(n, n, -1)
    return found.flatten(0, 1)


def _functions(n: int, freqs: tuple[int, ...]) -> Float[np.ndarray, "function n"]:
    """The constant, and the cosine and sine of each frequency, orthonormal."""
    rows = [np.full(n, n**-0.5)]
    for freq in freqs:
        angle = 2 * np.pi * (freq * np.arange(n) % n) / n
        waves = (np.cos(angle),) if 2 * freq == n else (np.cos(angle), np.sin(angle))
        rows += [wave / np.sqrt(n if 2 * freq == n else n / 2) for wave in waves]
    return np.stack(rows)
