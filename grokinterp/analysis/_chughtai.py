"""The metrics of Chughtai et al. 2023 (arXiv 2302.03025) under their own names, corrected or as released.

What each name means, with H the MLP's activations, U = W_out W_U, ρ an irrep and P_ρ the projection on functions of the
answer in ρ, is said at `chughtai_metrics`. Two of the released numbers are not what they are called:

- In a cyclic group the projections of H also hold two directions per irrep that rounding made (`_released`).
- Over more than 15,000 pairs the means of 8 chunks are summed: the losses of S_6 are 8 times too large.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import irreps
from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure, Task

from ._components import character_component, structure_needed
from ._hidden import HiddenLosses, HiddenShares, hidden_losses, hidden_shares
from ._key_irreps import SIMILAR
from ._logits import decompose_logits
from ._losses import accuracy, loss
from ._progress import ProgressMeasures
from ._released import released_hidden
from ._spectra import Spectrum, embedding_spectrum, logit_map_spectrum
from ._weights import sums_of_squared_weights

Compat = Literal["released"]
Shares = Float[np.ndarray, " irrep"]
_DATA = ("train", "test", "all")
_FAMILIAR = {"standard": "standard", "standard ⊗ sign": "standard_sign", "sign": "sign"}
# Their names of the other irreps, by partition.
_PARTITIONS = {
    "(2,2,1)": "s5_5d_a",
    "(3,2)": "s5_5d_b",
    "(3,1,1)": "s5_6d",
    "(3,3)": "s6_5d_a",
    "(2,2,2)": "s6_5d_b",
}


def chughtai_metrics(snapshot: Snapshot, *, compat: str | None = None) -> dict[str, float]:
    """The keys of the released `summary_metrics.json` for a network on a group, as far as they are about the network.

    - `logit_ρ_rep_trace_similarity`: ⟨L̃, χ̂_ρ⟩ / ‖L̃‖ over the cube; `percent_logits_explained`: Σ_ρ of its square;
      `logit_restricted_loss_ρ_rep` on all pairs keeps that component alone, `logit_excluded_loss_ρ_rep` on the train
      pairs removes it; `total_logit_…` for the key irreps, whose similarity is above .005.
    - `percent_x_embed_ρ_rep`, `percent_unembed_ρ_rep`: share of ‖W_E‖² and ‖U‖² in ρ; `…_explained` in the key irreps.
    - `percent_hidden_{x,y,xy}_ρ_rep`: share of ‖H − mean‖² that is a function of a, of b, of the answer in ρ.
    - `hidden_restricted_loss_ρ_rep`, `hidden_excluded_loss_ρ_rep`: of P_ρ H U on all pairs and (H − P_ρ H) U on the
      train pairs; `total_hidden_…` for the key irreps.

    **Arguments:**

    - `compat`: None computes all of this as it is defined. `"released"` reproduces the numbers of the released files:
      losses over more than 15,000 pairs are 8 times too large, a transformer's `sum_of_squared_weights` is 0 (an MLP's
      is right), and in Z_113 every `hidden` quantity holds the junk of `released_hidden`; in other cyclic
      groups that junk is not known.

    **Raises** `GrokinterpError` for another `compat`, and for `"released"` in a cyclic group other than Z_113.
    """
    if compat not in (None, "released"):
        raise GrokinterpError(f"compat = {compat!r}: unknown; choose None or 'released'")
    progress = ProgressMeasures.of(snapshot)
    task, structure, neurons = progress.task, progress.structure, snapshot.neurons
    decomposition = decompose_logits(progress.logits, progress.places, ())
    similarity = decomposition.logit_similarity
    keys = [irrep for irrep in progress.irreps if similarity[irrep] > SIMILAR]
    (of_a, of_b), unembedding = _embedding_shares(snapshot), logit_map_spectrum(snapshot).share
    if compat and structure.is_cyclic:
        hidden, losses_of = released_hidden(progress, neurons)
    else:
        hidden, losses_of = hidden_shares(snapshot), lambda chosen: hidden_losses(progress, neurons, chosen)
    metrics = {f"{data}_loss": loss(progress.logits, task, data) for data in _DATA}
    metrics |= {f"{data}_acc": accuracy(progress.logits, task, data) for data in ("train", "test")}
    for irrep in range(len(structure.basis.irrep_names)):
        name = f"{irrep_name(structure, irrep)}_rep"
        metrics |= _of_layers(name, (of_a[irrep], of_b[irrep]), unembedding[irrep], hidden, irrep)
        metrics |= _of_hidden_losses("", f"_{name}", losses_of([irrep]))
        if irrep:
            metrics[f"logit_{name[:-4]}_rep_trace_similarity"] = similarity[irrep]
            metrics |= _of_logit_losses("", f"_{name}", progress, [irrep])
    metrics |= _of_logit_losses("total_", "", progress, keys) | _of_hidden_losses("total_", "", losses_of(keys))
    metrics |= {
        "percent_logits_explained": decomposition.variance_explained_by_all,
        "percent_x_embed_explained": of_a[keys].sum(),
        "percent_y_embed_explained": of_b[keys].sum(),
        "percent_unembed_explained": unembedding[keys].sum(),
        "percent_hidden_explained": hidden.explained(keys),
        "percent_hidden_xy_explained": hidden.answer[keys].sum(),
        "sum_of_squared_weights": _sum_of_squared_weights(snapshot, compat),
    }
    if compat:
        metrics = {name: value * _chunks(task, name) for name, value in metrics.items()}
    metrics["test_loss_restricted_loss_ratio"] = metrics["test_loss"] / metrics["total_hidden_restricted_loss"]
    return {name: float(value) for name, value in metrics.items()}


def _sum_of_squared_weights(snapshot: Snapshot, compat: str | None) -> float:
    # The released code sums over names that hold `weight`, which no matrix of its transformers is called.
    if compat and snapshot.config.architecture == "transformer":
        return 0.0
    return sum(sums_of_squared_weights(snapshot.weights).values())


def irrep_name(structure: Structure, irrep: int) -> str:
    """The name of an irrep in the released files.

    >>> from grokinterp.tasks import TaskConfig
    >>> structure = Task(TaskConfig(operation="compose", group="S5")).structure
    >>> [irrep_name(structure, irrep) for irrep in range(5)]
    ['trivial', 'sign', 'standard', 'standard_sign', 's5_5d_b']
    """
    if irrep == 0:
        return "trivial"
    if structure.is_cyclic:
        return f"freq_{irrep}"
    name = structure.basis.irrep_names[irrep]
    familiar = _FAMILIAR.get(irreps(structure.group)[irrep].familiar)
    return familiar or _PARTITIONS.get(name) or name.replace(" ", "_")


def _embedding_shares(snapshot: Snapshot) -> tuple[Shares, Shares]:
    """Shares of ‖W_E‖² in each irrep, as a and as b; an MLP's embeddings are carried on by their halves of W first."""
    if snapshot.config.architecture != "mlp" or snapshot.config.mlp_inputs != "concatenation":
        share = embedding_spectrum(snapshot).share
        return share, share
    structure, W_E = structure_needed(snapshot.task), snapshot.weight("embed.W_E")
    W_a, W_b = np.split(snapshot.weight("blocks.0.mlp.W_in"), 2)
    of_a, of_b = W_E[structure.inputs_a] @ W_a, W_E[structure.inputs_b - snapshot.task.n_symbols] @ W_b
    return Spectrum.of(of_a, structure.basis).share, Spectrum.of(of_b, structure.basis).share


def _of_layers(
    name: str, embedding: tuple[float, float], unembedding: float, hidden: HiddenShares, irrep: int
) -> dict[str, float]:
    a, b, answer = hidden.a[irrep], hidden.b[irrep], hidden.answer[irrep]
    return {
        f"percent_x_embed_{name}": embedding[0],
        f"percent_y_embed_{name}": embedding[1],
        f"percent_unembed_{name}": unembedding,
        f"percent_hidden_x_{name}": a,
        f"percent_hidden_y_{name}": b,
        f"percent_hidden_xy_{name}": answer,
        f"total_percent_hidden_{name}": a + b + answer,
    }


def _of_hidden_losses(before: str, after: str, losses: HiddenLosses) -> dict[str, float]:
    return {
        f"{before}hidden_excluded_loss{after}": losses.excluded,
        f"{before}hidden_restricted_loss{after}": losses.restricted,
    }


def _of_logit_losses(before: str, after: str, progress: ProgressMeasures, chosen: list[int]) -> dict[str, float]:
    component = character_component(progress.mean_logits_by_answer, chosen, progress.structure)
    return {
        f"{before}logit_excluded_loss{after}": progress.excluded(chosen, kind="3d"),
        f"{before}logit_restricted_loss{after}": progress.loss_of(component, "all"),
    }


def _chunks(task: Task, name: str) -> int:
    """By how much the released code multiplies a loss."""
    if "loss" not in name:
        return 1
    train, test = len(task.split.train), len(task.split.test)
    pairs = test if name == "test_loss" else train if "excluded" in name or name == "train_loss" else train + test
    return 8 if pairs > 15_000 else 1
