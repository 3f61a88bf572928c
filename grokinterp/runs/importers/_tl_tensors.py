"""What the tensors of a TransformerLens state dict tell of the network, by their names, shapes and traces."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, n_outputs
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task

from ._described import tensors
from ._records import shown

# Buffers that older versions store beside the weights.
CONSTANT = re.compile(r"blocks\.\d+\.attn\.(mask|IGNORE)")
_NORMALIZATION = re.compile(r"(?:blocks\.\d+\.ln[12]|ln_final)\.([wb])")
# What no network here has, by a tensor that such a network has; the first that is found is named.
_NOT_HELD = {
    r"blocks\.\d+\.attn\.rotary_.*": "rotary positions",
    r"blocks\.\d+\.mlp\.experts\..*": "several experts",
    r"blocks\.\d+\.mlp\.W_gate.*": "an MLP with a gate",
    r"blocks\.\d+\.mlp\.ln\..*": "a normalization within the MLP (the activation solu_ln)",
    r"blocks\.\d+\.mlp\.(act_fn\.)?alpha_[pn]": "a trained activation",
    r"blocks\.\d+\.attn\._W_[KV]": "heads that share their keys and values",
    r"blocks\.\d+\.attn\.[qk]_norm\..*": "a normalization of queries and keys",
    r"blocks\.\d+\.attn\.sinks": "attention sinks",
    r"blocks\.\d+\.ln[12]_post\..*": "a normalization behind attention and MLP",
    r"(hook_)?embed(_ln|\.ln)\..*": "a normalization of the embeddings",
}
# The matrices that read the residual stream, whose rows TransformerLens centres when it folds a LayerNorm into them.
_READERS = ("attn.W_Q", "attn.W_K", "attn.W_V", "mlp.W_in")
# Means of rows as small as float32 leaves them, beside entries of size 1.
_CENTRED = 1e-5


def require_held(weights: Tensors, path: Path) -> None:
    """Refuse a network that none here can be, by what its tensors are called."""
    for pattern, meaning in _NOT_HELD.items():
        found = next((name for name in weights if re.fullmatch(pattern, name)), None)
        if found:
            raise GrokinterpError(
                f"{path} holds {shown(found)}: {meaning}, which no network here has; import a network without it"
            )
    there = f"it holds {tensors({name: x for name, x in weights.items() if not CONSTANT.fullmatch(name)})}"
    d_model = weights["embed.W_E"].shape[1]
    if "pos_embed.W_pos" not in weights:
        raise GrokinterpError(
            f"{path} holds no pos_embed.W_pos, so its positions are not embeddings added at the start, which all "
            f"networks here have; {there}: if it has no positions at all, add zeros of shape (3, {d_model}) under that "
            "name"
        )
    if not any(name.endswith(".mlp.W_in") for name in weights):
        raise GrokinterpError(
            f"{path} holds no blocks.0.mlp.W_in: it has no MLP, which all networks here have; {there}: a network "
            "without an MLP cannot be imported"
        )
    for name in ("pos_embed.W_pos", "blocks.0.mlp.W_in"):
        if name in weights and weights[name].ndim != 2:
            raise GrokinterpError(f"{path}: {name} has shape {tuple(weights[name].shape)}; a matrix is needed")


def sizes(weights: Tensors) -> dict[str, int]:
    """The sizes by TransformerLens' names, as the shapes tell them."""
    n_heads, d_model, d_head = weights["blocks.0.attn.W_Q"].shape
    found = {"n_heads": n_heads, "d_model": d_model, "d_head": d_head}
    found["n_layers"] = sum(name.endswith(".attn.W_O") for name in weights)
    found["d_vocab"], found["d_vocab_out"] = len(weights["embed.W_E"]), weights["unembed.W_U"].shape[-1]
    found["n_ctx"] = len(weights["pos_embed.W_pos"])
    if "blocks.0.mlp.W_in" in weights:
        found["d_mlp"] = weights["blocks.0.mlp.W_in"].shape[-1]
    return found


def normalization(weights: Tensors, said: str | None) -> tuple[str | None, str]:
    """The normalization, None where nothing tells it, and a sentence where it is not simply what is said.

    Tensors of LayerNorm or RMSNorm decide; where they are absent they may have been folded into the matrices that read
    the residual stream. TransformerLens centres these when it folds a LayerNorm, which is exact, and which training
    does not bring about.
    """
    parts = {found[1] for name in weights if (found := _NORMALIZATION.fullmatch(name))}
    if parts:
        kind = "LN" if "b" in parts else "RMS"
        if said not in (None, kind):
            return kind, f"Its configuration says normalization {said}, its tensors are those of {kind}, as it is read."
        return kind, ""
    if said in ("LN", "RMS"):
        folded = f"{said}Pre"
        return folded, f"Its configuration says {said}, whose tensors are absent: folded into the others, {folded}."
    if said is not None:
        return said, ""
    if _reads_centred(weights):
        return "LNPre", (
            "LNPre: every matrix that reads the residual stream is centred, as folding a LayerNorm into them leaves it."
        )
    return None, ""


def _reads_centred(weights: Tensors) -> bool:
    readers = [w for name, w in weights.items() if name.endswith(_READERS) or name == "unembed.W_U"]
    return all(_is_centred(matrix) for matrix in readers) and any(bool(matrix.any()) for matrix in readers)


def _is_centred(matrix: Float[torch.Tensor, "... d_model column"]) -> bool:
    matrix = matrix.double()
    return bool(matrix.mean(-2).abs().max() <= _CENTRED * matrix.square().mean().sqrt())


def direction(weights: Tensors, n_positions: int, path: Path) -> str | None:
    """Causal or bidirectional by the masks that older versions store; None without them."""
    for name, mask in weights.items():
        if not (name.endswith(".attn.mask") and CONSTANT.fullmatch(name) and mask.ndim >= 2 and mask.numel()):
            continue
        seen = mask.reshape(-1, *mask.shape[-2:])[0, :n_positions, :n_positions].bool()
        if seen.all():
            return "bidirectional"
        if torch.equal(seen, torch.ones_like(seen).tril()):
            return "causal"
        raise GrokinterpError(
            f"{path} holds {shown(name)}, a mask that is neither causal nor open: attention in a window, which no "
            "network here has; import a network without it"
        )
    return None


def biases(weights: Tensors) -> str:
    """Which biases are other than zero: `none`, `mlp` or `all`."""
    found = {name for name, tensor in weights.items() if _is_bias(name) and bool((tensor != 0).any())}
    of_mlp = {name for name in found if name.endswith((".mlp.b_in", ".mlp.b_out"))}
    return "all" if found - of_mlp else "mlp" if of_mlp else "none"


def _is_bias(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return last.startswith("b_") or last == "b"


def task_sizes(found: Mapping[str, int], asked: Mapping[str, Any], p: int | None) -> dict[str, Any]:
    """What the sizes tell of the task: the modulus and what is read, [a, b], [a, b, =] or [a, operator, b, =].

    `asked` are the task's settings that the user gave, `p` the modulus that the file states. A network with fewer
    outputs than tokens answers with these; one with as many has a token for each answer, then `=` and the operator.

    >>> task_sizes({"d_vocab": 114, "d_vocab_out": 114, "n_ctx": 3}, {}, None)
    {'p': 113, 'equals_token': True, 'operator_token': False}
    """
    tokens, outputs, n_ctx = found["d_vocab"], found["d_vocab_out"], found["n_ctx"]
    p = asked.get("p", p)
    copies = 2 if asked.get("own_tokens_for_b") else 1
    answers = p if type(p) is int else outputs if outputs < tokens else None
    others = None if answers is None else tokens - copies * answers
    equals = asked.get("equals_token", others != 0 if n_ctx != 2 else False)
    operator = asked.get("operator_token", bool(equals) and n_ctx == 4 and others in (None, 2))
    if answers is None:
        answers = max((tokens - bool(equals) - bool(operator)) // copies, 2)
    return {"p": answers, "equals_token": equals, "operator_token": operator}


def fitted(stored: Tensors, config: ModelConfig, task: Task) -> Tensors:
    """`stored` without constants, positions that are not read, and tokens and outputs beyond those of the task."""
    n_positions, n_tokens, n_answers = len(task.positions), task.n_tokens, n_outputs(config, task)
    kept = {name: tensor for name, tensor in stored.items() if not CONSTANT.fullmatch(name)}
    for name, axis, size in (
        ("pos_embed.W_pos", 0, n_positions),
        ("embed.W_E", 0, n_tokens),
        ("unembed.W_U", -1, n_answers),
        ("unembed.b_U", -1, n_answers),
    ):
        if name in kept and kept[name].ndim and kept[name].shape[axis] > size:
            kept[name] = kept[name].narrow(axis, 0, size).contiguous()
    return kept


def left_out(found: Mapping[str, int], config: ModelConfig, task: Task) -> tuple[str, ...]:
    """What `fitted` leaves out, as a sentence; none where it is nothing."""
    read = {"n_ctx": len(task.positions), "d_vocab": task.n_tokens, "d_vocab_out": n_outputs(config, task)}
    words = {"n_ctx": "positions", "d_vocab": "tokens", "d_vocab_out": "outputs"}
    parts = [f"{size} of {found[name]} {words[name]}" for name, size in read.items() if found[name] > size]
    return (f"Of a larger network the first {', '.join(parts)} are read: {_roles(task)}.",) if parts else ()


def _roles(task: Task) -> str:
    """Which token is what."""
    names = [f"0 … {task.n_symbols - 1} the inputs"]
    if task.config.own_tokens_for_b:
        names.append(f"{task.n_symbols} … {2 * task.n_symbols - 1} those of b")
    if task.config.equals_token:
        names.append(f"{task.equals_token} =")
    if task.config.operator_token:
        names.append(f"{task.equals_token + 1} the operator")
    return f"token {', '.join(names)}"
