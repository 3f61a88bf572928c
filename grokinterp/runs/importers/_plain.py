"""Logits from the weights alone: many readings of one file are tried, for which hooks would cost too much."""

import torch
from jaxtyping import Float, Int

from grokinterp.models import ACTIVATIONS, ModelConfig, hooked_network
from grokinterp.runs._folder import Tensors
from grokinterp.runs._snapshot import CHUNK
from grokinterp.tasks import Task

Residual = Float[torch.Tensor, "pair pos d_model"]


@torch.no_grad()
def plain_logits(
    model: ModelConfig, task: Task, weights: Tensors, tokens: Int[torch.Tensor, "pair pos"]
) -> Float[torch.Tensor, "pair out"]:
    """What `hooked_network` computes at the last position, up to the rounding of float32 sums."""
    if model.architecture == "mlp":
        network = hooked_network(model, task, weights)
        return torch.cat([network(chunk)[:, -1] for chunk in tokens.split(CHUNK)])
    return torch.cat([_of_transformer(model, weights, chunk) for chunk in tokens.split(CHUNK)])


def _of_transformer(
    model: ModelConfig, weights: Tensors, tokens: Int[torch.Tensor, "pair pos"]
) -> Float[torch.Tensor, "pair out"]:
    x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"]
    for layer in range(model.n_layers):
        block = f"blocks.{layer}."
        read = _normalized(model, weights, f"{block}ln1", x)
        attended = _attention(model, weights, f"{block}attn.", read)
        if model.parallel_attn_mlp:
            x = x + attended + _mlp(model, weights, f"{block}mlp.", _normalized(model, weights, f"{block}ln2", x))
        else:
            x = x + attended
            x = x + _mlp(model, weights, f"{block}mlp.", _normalized(model, weights, f"{block}ln2", x))
    last = _normalized(model, weights, "ln_final", x[:, -1:])[:, 0]
    return last @ weights["unembed.W_U"] + weights["unembed.b_U"]


def _normalized(model: ModelConfig, weights: Tensors, name: str, x: Residual) -> Residual:
    if model.normalization == "none":
        return x
    if model.normalization.startswith("LN"):
        x = x - x.mean(dim=-1, keepdim=True)
    x = x / (x.pow(2).mean(dim=-1, keepdim=True) + model.eps).sqrt()
    if model.normalization.endswith("Pre"):
        return x
    x = x * weights[f"{name}.w"]
    return x + weights[f"{name}.b"] if model.normalization == "LN" else x


def _attention(model: ModelConfig, weights: Tensors, block: str, x: Residual) -> Residual:
    q, k, v = (
        torch.einsum("npd,hdk->nhpk", x, weights[f"{block}W_{kind}"]) + weights[f"{block}b_{kind}"][:, None]
        for kind in "QKV"
    )
    scores = q @ k.transpose(2, 3) / model.score_scale
    if model.attention == "causal":
        ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(ahead, float("-inf"))
    pattern = model.attention_rate * scores.softmax(dim=-1) + (1 - model.attention_rate)
    return torch.einsum("nhpk,hkd->npd", pattern @ v, weights[f"{block}W_O"]) + weights[f"{block}b_O"]


def _mlp(model: ModelConfig, weights: Tensors, block: str, x: Residual) -> Residual:
    neurons = ACTIVATIONS[model.act_fn].of(x @ weights[f"{block}W_in"] + weights[f"{block}b_in"])
    return neurons @ weights[f"{block}W_out"] + weights[f"{block}b_out"]
