"""The network with attention held at its mean: every head looks at every position as much as it does on average.

What a head then carries is the sum of a part from a and one from b, so that no product of the two is left; what can
still be added is added.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.models import normalized
from grokinterp.runs import CHUNK, Snapshot
from grokinterp.verdict.causal import LastLayer

Patterns = dict[int, Float[torch.Tensor, "1 head query pos"]]


@torch.no_grad()
def mean_patterns(snapshot: Snapshot) -> Patterns:
    """Layer → attention from every position to every position, the mean over all pairs; float32."""
    if snapshot.config.architecture == "mlp":
        return {}
    if snapshot.config.n_layers == 1:
        last = torch.from_numpy(snapshot.pattern).mean(dim=0, dtype=torch.float64).float()
        # The other positions are read by nobody.
        return {0: last[None, :, None, :]}
    names = {layer: f"blocks.{layer}.attn.hook_pattern" for layer in range(snapshot.config.n_layers)}
    sums = {layer: torch.zeros(1) for layer in names}
    for chunk in snapshot.task.tokens.split(CHUNK):
        cache = snapshot.model.run_with_cache(chunk, names_filter=list(names.values()))[1]
        sums = {layer: total + cache[names[layer]].sum(dim=0) for layer, total in sums.items()}
    return {layer: (total / snapshot.task.n_pairs)[None] for layer, total in sums.items()}


@torch.no_grad()
def logits_held(snapshot: Snapshot, patterns: Patterns) -> Float[np.ndarray, "pair answer"]:
    """Logits of all pairs with attention held at `patterns`."""
    if not patterns:
        return snapshot.logits
    if snapshot.config.n_layers == 1:
        return _of_one_layer(snapshot, patterns[0][0, :, -1])

    def holding(held: torch.Tensor) -> Callable[..., torch.Tensor]:
        return lambda activation, **_: held.expand_as(activation)

    hooks: list[tuple[str | Callable, Callable]] = [
        (f"blocks.{layer}.attn.hook_pattern", holding(held)) for layer, held in patterns.items()
    ]
    found = [
        snapshot.model.run_with_hooks(chunk, fwd_hooks=hooks)[:, -1] for chunk in snapshot.task.tokens.split(CHUNK)
    ]
    return torch.cat(found)[:, : snapshot.task.n_answers].numpy()


def _of_one_layer(snapshot: Snapshot, held: Float[torch.Tensor, "head pos"]) -> Float[np.ndarray, "pair answer"]:
    """The values at a position depend on its token alone, so that what heads put out is a sum of rows of tables."""
    weights, tokens = snapshot.weights, snapshot.task.tokens
    block = snapshot.last_block
    heads, resid_pre = weights[f"{block}.attn.b_O"], torch.empty(0)
    for position in range(tokens.shape[1]):
        symbols, row = torch.unique(tokens[:, position], return_inverse=True)
        resid = weights["embed.W_E"][symbols] + weights["pos_embed.W_pos"][position]
        read = normalized(snapshot.config, weights, f"{block}.ln1", resid)
        values = torch.einsum("sd,hdk->shk", read, weights[f"{block}.attn.W_V"]) + weights[f"{block}.attn.b_V"]
        out = torch.einsum("h,shk,hkd->sd", held[:, position], values, weights[f"{block}.attn.W_O"])
        heads, resid_pre = heads + out[row], resid[row]
    return LastLayer(snapshot, resid_pre, None).after_attention(resid_pre + heads).numpy()
