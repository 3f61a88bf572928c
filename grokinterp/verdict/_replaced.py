"""The network run with something else in a place: what it answers then, and how much of its logits that explains."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.analysis import accuracy, loss
from grokinterp.runs import Snapshot

# Pairs per forward pass, as in `Snapshot`.
CHUNK = 2048


@dataclass(frozen=True)
class Outcome:
    """A network's answers on all pairs with a part of it replaced.

    - `explained`: 1 − ‖L̃' − L̃‖² / ‖L̃‖² of the centred logits, before (L) and after (L'): 1 where nothing changes; it
      may be negative.
    - `loss`, `accuracy`: of L'.
    """

    explained: float
    loss: float
    accuracy: float


def outcome(snapshot: Snapshot, logits: Float[np.ndarray, "pair answer"]) -> Outcome:
    """Compare `logits`, over all pairs, with the network's own."""
    own = snapshot.logits.astype(np.float64)
    own -= own.mean(axis=1, keepdims=True)
    change = logits - logits.mean(axis=1, keepdims=True, dtype=np.float64) - own
    total = float((own**2).sum())
    explained = 1 - float((change**2).sum()) / total if total else float("nan")
    return Outcome(explained, loss(logits, snapshot.task, "all"), accuracy(logits, snapshot.task, "all"))


@torch.no_grad()
def logits_with_embeddings(
    snapshot: Snapshot, of_a: Float[torch.Tensor, "pair d_model"], of_b: Float[torch.Tensor, "pair d_model"]
) -> Float[np.ndarray, "pair answer"]:
    """Logits of all pairs with these vectors where the tokens of a and of b are embedded (`hook_embed`)."""
    place_of_b, found = snapshot.task.positions.index("b"), []
    for rows in torch.arange(snapshot.task.n_pairs).split(CHUNK):

        def embed(value: torch.Tensor, hook: object, rows: torch.Tensor = rows) -> torch.Tensor:  # noqa: ARG001
            value = value.clone()
            value[:, 0], value[:, place_of_b] = of_a[rows], of_b[rows]
            return value

        out = snapshot.model.run_with_hooks(snapshot.task.tokens[rows], fwd_hooks=[("hook_embed", embed)])
        found.append(out[:, -1, : snapshot.task.n_answers])
    return torch.cat(found).numpy()


def with_averaged_embeddings(snapshot: Snapshot) -> Outcome:
    """The network with (E_a + E_b)/2 in both places: a pizza reads nothing but that sum and stays the same.

    Constant attention (Zhong et al. 2023, α = 0) passes E_a + E_b on; a network that multiplies the two loses by it.
    It says nothing where b has tokens of its own, or counts by its inverse (`Measured`).
    """
    W_E, tokens = snapshot.weights["embed.W_E"], snapshot.task.tokens
    mean = (W_E[tokens[:, 0]] + W_E[tokens[:, snapshot.task.positions.index("b")]]) / 2
    return outcome(snapshot, logits_with_embeddings(snapshot, mean, mean))


@torch.no_grad()
def logits_with_neuron_inputs(
    snapshot: Snapshot, inputs: Float[np.ndarray, "pair d_mlp"]
) -> Float[np.ndarray, "pair answer"]:
    """Logits of all pairs with these inputs of the last MLP's neurons (`mlp.hook_pre`) at the last position."""
    values, name, found = torch.from_numpy(inputs).float(), f"{snapshot.last_block}.mlp.hook_pre", []
    for rows in torch.arange(snapshot.task.n_pairs).split(CHUNK):

        def enter(value: torch.Tensor, hook: object, rows: torch.Tensor = rows) -> torch.Tensor:  # noqa: ARG001
            value = value.clone()
            value[:, -1] = values[rows]
            return value

        out = snapshot.model.run_with_hooks(snapshot.task.tokens[rows], fwd_hooks=[(name, enter)])
        found.append(out[:, -1, : snapshot.task.n_answers])
    return torch.cat(found).numpy()
