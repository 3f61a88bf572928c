"""Networks that were changed: circles deleted from the embedding, or turned in a's, tokens multiplied by a unit."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import Places
from grokinterp.runs import Snapshot
from grokinterp.verdict._replaced import logits_of_symbols, logits_with, with_embeddings_in


def without_circles(snapshot: Snapshot, deleted: Collection[int]) -> Snapshot:
    """The network whose embedding has lost these frequencies, both a's and b's."""
    n = Places.of(snapshot.task).structure.n
    return with_embeddings_in(snapshot, [freq for freq in range(n // 2 + 1) if freq not in deleted])


def logits_with_a_turned(
    snapshot: Snapshot, angles: Mapping[int, float], pairs: Int[np.ndarray, " pair"]
) -> Float[np.ndarray, "pair answer"]:
    """Logits of some pairs with circles of a's embedding turned, at the position of a alone.

    With W_E[x] = … + u cos(w_k x) + v sin(w_k x), the token a brings u cos(w_k a + δ) + v sin(w_k a + δ) instead: what
    a token at a + δ/w_k would bring of this circle, were there one.
    """
    structure, W_E = Places.of(snapshot.task).structure, snapshot.W_E.copy()
    rows, n = structure.inputs_a, structure.n
    for freq, angle in angles.items():
        theta = 2 * np.pi * freq * np.arange(n) / n
        wave = np.stack([np.cos(theta), np.sin(theta)])
        uv = wave @ W_E[rows] / (n / 2)
        W_E[rows] += np.stack([np.cos(theta + angle), np.sin(theta + angle)]).T @ uv - wave.T @ uv
    at, chosen, own = snapshot.task.positions.index("a"), torch.from_numpy(pairs), snapshot.weights["embed.W_E"]
    turned = torch.from_numpy(W_E).to(own.dtype)
    if snapshot.fast_forward:
        a, b = (symbols[chosen] for symbols in snapshot.task.inputs)
        symbols = torch.cat([turned, own[: snapshot.task.n_symbols]])
        return logits_of_symbols(snapshot, symbols, a, b + len(turned))
    return logits_with(snapshot, "hook_embed", {at: turned[snapshot.task.tokens[chosen, at]]}, pairs)


def with_tokens_multiplied(snapshot: Snapshot, unit: int) -> Snapshot:
    """The network in which the element u·x has taken the place of x, among the inputs and among the answers.

    W_E'[u x] = W_E[x] and W_U'[:, u c] = W_U[:, c], so that L'(u a, u b, u c) = L(a, b, c): it answers the same task,
    as u is an automorphism of Z_n, and what was a cosine of frequency k is one of frequency k u⁻¹.
    """
    task, structure = snapshot.task, Places.of(snapshot.task).structure
    moved = unit * np.arange(structure.n) % structure.n
    weights = dict(snapshot.weights)
    W_E, W_U, b_U = (weights[name].clone() for name in ("embed.W_E", "unembed.W_U", "unembed.b_U"))
    symbols = [structure.inputs_a]
    if task.config.own_tokens_for_b:
        symbols.append(task.n_symbols + structure.inputs_b)
    for rows in symbols:
        W_E[rows[moved]] = weights["embed.W_E"][rows]
    W_U[:, structure.outputs[moved]] = weights["unembed.W_U"][:, structure.outputs]
    b_U[structure.outputs[moved]] = weights["unembed.b_U"][structure.outputs]
    return replace(snapshot, weights={**weights, "embed.W_E": W_E, "unembed.W_U": W_U, "unembed.b_U": b_U})
