"""What the explorer needs of one checkpoint: what it computes or draws activations from, and what is measured."""

import numpy as np
from jaxtyping import Float, Int

from grokinterp.analysis import Places, best_irreps, decompose_logits, embedding_circle
from grokinterp.models import FastActivations
from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure, Task

from ._packed import Packed, pack


def packed_step(snapshot: Snapshot, shown: tuple[int, ...], *, drawn: bool = True) -> Packed:
    """One checkpoint: circles of the `shown` key frequencies; if neurons and logits are `drawn`, every neuron's best
    irrep and how much of it that explains, the amplitudes of the key irreps in the logits, and what is drawn from.

    That is the tables of the fast forward, where it covers the network, and otherwise the activations themselves.
    """
    task, structure = snapshot.task, snapshot.task.structure
    exact: dict[str, np.ndarray] = {}
    if structure and structure.is_cyclic and shown:
        exact["circles"] = np.stack([embedding_circle(snapshot, k) for k in shown])
    if not drawn:
        return pack(exact, {})
    computed = snapshot.fast()
    if structure:
        places = Places.of(task)
        best = best_irreps(computed.neurons.numpy(), places)
        exact |= {"best": best.irrep.astype(np.int16), "share": best.variance_explained}
        logits = computed.logits[:, : task.n_answers].numpy()
        exact["amplitudes"] = decompose_logits(logits, places, shown).amplitudes[list(shown)]
    if snapshot.fast_forward is None:
        return pack(exact, activations(task, computed) | {"W_L": snapshot.W_L.T}, finely=("logits",))
    tables, matrices = forward_tables(snapshot)
    # What all neurons read is small enough to be rounded finely; the errors of 8 bits would add up in every one.
    return pack(exact | tables, matrices, finely=("values", "to_logits"))


def activations(task: Task, computed: FastActivations) -> dict[str, Float[np.ndarray, "row cell"]]:
    """Neurons, logits and attention to a and to b of the last layer, a row each, over the cells of the page's grid."""
    cells = pair_grid(task).reshape(-1)
    to_a, to_b = (computed.pattern[:, :, task.positions.index(side)].numpy() for side in "ab")
    found = {
        "neurons": computed.neurons.numpy(),
        "logits": computed.logits[:, : task.n_answers].numpy(),
        "attention": np.concatenate([to_a, to_b], axis=1),
    }
    return {name: np.where(cells < 0, 0, values[cells].T) for name, values in found.items()}


def bytes_of_activations(task: Task, n_neurons: int) -> int:
    """How much `activations` takes of one checkpoint, but for attention: a byte per neuron, two per logit."""
    return pair_grid(task).size * (n_neurons + 2 * task.n_answers)


def pair_grid(task: Task) -> Int[np.ndarray, "a b"]:
    """The pair in each cell of the page's grid of (a, b), −1 where there is none: by elements of the group if the task
    has one, else as written."""
    if task.structure:
        return Places.of(task).grid
    grid = np.full(np.shape(task.table), -1)
    grid[tuple(task.pairs.T)] = np.arange(task.n_pairs)
    return grid


def forward_tables(snapshot: Snapshot) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The tables of the fast forward, by the formulas at the top of `grokinterp.models._fast`, in float64.

    The first are small and kept as they are, the second are to be rounded. Tables of a and b have a row per symbol and
    differ by a constant, that of their position; in matrices that act on z, and in W_L, a row is a neuron, so that its
    own largest weight is the measure of its rounding.

    - `scores_a`, `scores_b` [symbol, head], `scores_rest` [position, head]: of the other positions, `=` last.
    - `values` [symbol, head·d_head]: W_E W_V; `values_a`, `values_b`, `values_rest` [position, head·d_head] are added.
    - `to_neurons` [d_mlp, head·d_head] and `neuron_bias`; `to_logits` [answer, head·d_head] and `logit_bias`; `W_L`
      [d_mlp, answer].
    """
    w = {name.removeprefix("blocks.0."): snapshot.weight(name) for name in snapshot.weights}
    n, answers = snapshot.task.n_symbols, snapshot.task.n_answers
    W_E, W_pos = w["embed.W_E"], w["pos_embed.W_pos"]
    rest = np.stack([W_E[n] + W_pos[-1]])
    if len(W_pos) == 4:
        rest = np.stack([W_E[n + 1] + W_pos[1], W_E[n] + W_pos[-1]])
    query = (np.einsum("d,hdk->hk", rest[-1], w["attn.W_Q"]) + w["attn.b_Q"]) / snapshot.config.score_scale
    to_scores, score_bias = np.einsum("hk,hdk->dh", query, w["attn.W_K"]), (query * w["attn.b_K"]).sum(axis=1)
    W_V, b_V = np.concatenate(list(w["attn.W_V"]), axis=1), w["attn.b_V"].ravel()
    W_O, W_U = np.concatenate(list(w["attn.W_O"])), w["unembed.W_U"][:, :answers]
    constant = rest[-1] + w["attn.b_O"]
    exact = {
        "scores_a": (W_E[:n] + W_pos[0]) @ to_scores + score_bias,
        "scores_b": (W_E[:n] + W_pos[-2]) @ to_scores + score_bias,
        "scores_rest": rest @ to_scores + score_bias,
        "values_a": W_pos[0] @ W_V + b_V,
        "values_b": W_pos[-2] @ W_V + b_V,
        "values_rest": rest @ W_V + b_V,
        "neuron_bias": constant @ w["mlp.W_in"] + w["mlp.b_in"],
        "logit_bias": (constant + w["mlp.b_out"]) @ W_U + w["unembed.b_U"][:answers],
    }
    rounded = {
        "values": W_E[:n] @ W_V,
        "to_neurons": (W_O @ w["mlp.W_in"]).T,
        "to_logits": (W_O @ W_U).T,
        "W_L": w["mlp.W_out"] @ W_U,
    }
    return exact, rounded


def group_tables(structure: Structure) -> dict[str, np.ndarray]:
    """Of a group that is not cyclic, what the page cannot compute: g·h⁻¹ in row g, inverses, and the basis."""
    tables: dict[str, np.ndarray] = {
        "quotients": structure.quotients.astype(np.int16),
        "inverses": structure.group.inverses.astype(np.int16),
        "waves": structure.basis.class_functions / structure.basis.class_functions[:, [structure.group.identity]],
    }
    basis = structure.basis
    of_row = np.concatenate([np.full(len(basis.rows(irrep)), irrep) for irrep in range(len(basis.irrep_names))])
    return tables | {"basis": basis.matrix, "irrep_of_row": of_row.astype(np.int16)}


def answers_grid(places: Places) -> Int[np.ndarray, "n n"]:
    """The element of the answer of each pair of elements; −1 where there is no such pair, or no element."""
    return np.where(places.grid < 0, -1, places.element[places.grid]).astype(np.int16)
