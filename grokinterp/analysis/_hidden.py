"""What the MLP holds, and what the logits would be through it alone (Chughtai et al. 2023, §5).

H are the activations of the last MLP over the pairs. Its variance splits into functions of a, of b and of the answer ab
by irrep, and the rest; for every irrep these three are orthogonal to each other and to those of other irreps.
Restricted and excluded losses carry P_ρ H and H − P_ρ H to the logits by W_L = W_out W_U alone: the skip connection and
the biases are left out, so that H must hold everything (`ProgressMeasures` with kind `neurons` keeps them). Before an
unembedding with a normalization no such map is the network's: both losses are NaN.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.runs import Snapshot

from ._components import Places, answer_component, mean_by_answer
from ._losses import losses_by_row
from ._progress import ProgressMeasures


@dataclass(frozen=True, eq=False)
class HiddenShares:
    """Fractions of ‖H − mean‖² that are functions of a, of b and of the answer, for every irrep (trivial: 0)."""

    a: Float[np.ndarray, " irrep"]
    b: Float[np.ndarray, " irrep"]
    answer: Float[np.ndarray, " irrep"]

    def explained(self, irreps: Iterable[int]) -> float:
        """The fraction in all three kinds of functions of `irreps` together ("MLP fraction of variance explained")."""
        chosen = list(irreps)
        return float(self.a[chosen].sum() + self.b[chosen].sum() + self.answer[chosen].sum())


def hidden_shares(snapshot: Snapshot) -> HiddenShares:
    """Split the variance of the MLP's activations over the pairs whose inputs are both in the group."""
    places = Places.of(snapshot.task)
    basis, n = places.structure.basis, places.structure.n
    grid = snapshot.neurons[places.grid.reshape(-1)].reshape(n, n, -1)
    of_a, of_b = grid.mean(axis=1, dtype=np.float64), grid.mean(axis=0, dtype=np.float64)
    of_answer = mean_by_answer(snapshot.neurons, places)
    total = np.einsum("abm,abm->", grid, grid, dtype=np.float64) - n**2 * float((of_a.mean(axis=0) ** 2).sum())

    def share(means: Float[np.ndarray, "n d_mlp"]) -> Float[np.ndarray, " irrep"]:
        # The mean itself is no variance.
        squares = n * basis.power(means - means.mean(axis=0), axis=0).sum(axis=1)
        return squares / total if total > 0 else np.zeros_like(squares)

    return HiddenShares(share(of_a), share(of_b), share(of_answer))


@dataclass(frozen=True)
class HiddenLosses:
    """Loss through the MLP alone: `restricted` to functions of the answer on all pairs, `excluded` on train."""

    restricted: float
    excluded: float


def hidden_losses(
    progress: ProgressMeasures, neurons: Float[np.ndarray, "pair d_mlp"], irreps: Iterable[int]
) -> HiddenLosses:
    """CE(P H W_Lᵀ) on all pairs and CE((H − P H) W_Lᵀ) on the train pairs, P = Σ_ρ P_ρ over `irreps`.

    H is not centred and the trivial irrep is not in P, as in Chughtai et al. 2023, §5.3.
    """
    if not progress.linear_from_neurons:
        return HiddenLosses(restricted=float("nan"), excluded=float("nan"))
    structure, task = progress.structure, progress.task
    kept = answer_component(progress.mean_neurons_by_answer, irreps, structure) @ progress.W_L.T
    train = progress.inside("train")
    through = neurons[train].astype(np.float64) @ progress.W_L.T - kept[progress.places.element[train]]
    excluded = losses_by_row(through, task.answers[train]).mean()
    return HiddenLosses(restricted=progress.loss_of(kept, "all"), excluded=float(excluded))
