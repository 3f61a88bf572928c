"""The network run with something else in a place: what it answers then, and how much of its logits that explains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import Places, largest_logits, losses_by_row
from grokinterp.runs import CHUNK, FAST_CHUNK, Snapshot


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
    tally = Tally(snapshot)
    for pairs in np.array_split(np.arange(len(logits)), -(-len(logits) // CHUNK)):
        tally.add(pairs, logits[pairs])
    return tally.outcome


@dataclass
class Tally:
    """An `Outcome` that is added up over parts of the pairs that it is of."""

    snapshot: Snapshot
    change: float = 0.0
    total: float = 0.0
    loss: float = 0.0
    right: int = 0
    count: int = 0

    def add(self, pairs: Int[np.ndarray, " pair"], logits: Float[np.ndarray, "pair answer"]) -> None:
        """Count some pairs with these logits in."""
        for start in range(0, len(pairs), CHUNK):
            self._add(pairs[start : start + CHUNK], logits[start : start + CHUNK])

    def _add(self, pairs: Int[np.ndarray, " pair"], logits: Float[np.ndarray, "pair answer"]) -> None:
        own = self.snapshot.logits[pairs].astype(np.float64)
        own -= own.mean(axis=1, keepdims=True)
        self.count += len(pairs)
        self.total += float(np.vdot(own, own))
        own -= logits - logits.mean(axis=1, keepdims=True, dtype=np.float64)
        self.change += float(np.vdot(own, own))
        answers = self.snapshot.task.answers[pairs]
        self.loss += float(losses_by_row(logits, answers).sum())
        self.right += int((largest_logits(logits) == answers).sum())

    @property
    def outcome(self) -> Outcome:
        explained = 1 - self.change / self.total if self.total else float("nan")
        return Outcome(explained, self.loss / self.count, self.right / self.count)


@torch.no_grad()
def logits_with(
    snapshot: Snapshot,
    hook_name: str,
    values: Mapping[int, Float[torch.Tensor, "pair width"]],
    pairs: Int[np.ndarray, " pair"] | None = None,
) -> Float[np.ndarray, "pair answer"]:
    """Logits of all pairs, or of `pairs`, with these values of an activation in the place of the network's own.

    `values`: position → a row per pair of those.
    """
    found = []
    tokens = snapshot.task.tokens if pairs is None else snapshot.task.tokens[torch.from_numpy(pairs)]
    for rows in torch.arange(len(tokens)).split(CHUNK):

        def put(activation: torch.Tensor, hook: object, rows: torch.Tensor = rows) -> torch.Tensor:  # noqa: ARG001
            activation = activation.clone()
            for position, value in values.items():
                activation[:, position] = value[rows]
            return activation

        out = snapshot.model.run_with_hooks(tokens[rows], fwd_hooks=[(hook_name, put)])
        found.append(out[:, -1, : snapshot.task.n_answers])
    return torch.cat(found).numpy()


def with_averaged_embeddings(snapshot: Snapshot) -> Outcome:
    """The network with (E_a + E_b)/2 in both places: a pizza reads nothing but that sum and stays the same.

    Constant attention (Zhong et al. 2023, α = 0) passes E_a + E_b on; a network that multiplies the two loses by it.
    It says nothing where b has tokens of its own, or counts by its inverse (`Measured`).
    """
    W_E, tokens, place_of_b = snapshot.weights["embed.W_E"], snapshot.task.tokens, snapshot.task.positions.index("b")
    place_of_a = snapshot.task.positions.index("a")
    if snapshot.fast_forward:
        n = snapshot.task.n_symbols
        a, b = torch.triu_indices(n, n)
        # Every unordered pair is a symbol of its own, at both places.
        symbol = torch.empty(n, n, dtype=torch.int64)
        symbol[a, b] = symbol[b, a] = torch.arange(len(a))
        pairs = symbol[snapshot.task.inputs]
        return outcome(snapshot, logits_of_symbols(snapshot, (W_E[a] + W_E[b]) / 2, pairs, pairs))
    mean = (W_E[tokens[:, place_of_a]] + W_E[tokens[:, place_of_b]]) / 2
    return outcome(snapshot, logits_with(snapshot, "hook_embed", {place_of_a: mean, place_of_b: mean}))


@torch.no_grad()
def logits_of_symbols(
    snapshot: Snapshot,
    symbols: Float[torch.Tensor, "symbol d_model"],
    a: Int[torch.Tensor, " pair"],
    b: Int[torch.Tensor, " pair"],
) -> Float[np.ndarray, "pair answer"]:
    """Logits of pairs of other symbols, given by their embeddings, in a network that the fast forward covers."""
    assert snapshot.fast_forward is not None
    fast = snapshot.fast_forward.with_symbols(symbols)
    chunks = zip(a.split(FAST_CHUNK), b.split(FAST_CHUNK), strict=True)
    found = torch.cat([fast.activations(fast.batch(*chunk)).logits for chunk in chunks])
    return found[:, : snapshot.task.n_answers].numpy()


def with_embeddings_in(snapshot: Snapshot, irreps: Iterable[int]) -> Snapshot:
    """The network with the embeddings of a and b projected on the functions of `irreps` of the task's group.

    Embeddings of symbols outside the group, and of `=`, stay as they are. The constant is irrep 0.
    """
    structure, chosen = Places.of(snapshot.task).structure, tuple(irreps)
    symbols = [structure.inputs_a]
    if snapshot.task.config.own_tokens_for_b:
        symbols.append(snapshot.task.n_symbols + structure.inputs_b)
    # One embedding for both, b in the order of its inverses or not: an irrep's functions are the same either way.
    W_E = snapshot.weight("embed.W_E").copy()
    for rows in symbols:
        W_E[rows] = structure.basis.project(W_E[rows], chosen, axis=0)
    dtype = snapshot.weights["embed.W_E"].dtype
    return replace(snapshot, weights={**snapshot.weights, "embed.W_E": torch.from_numpy(W_E).to(dtype)})
