"""What a configuration says of a network of TransformerLens' kind: settings of ours, or why no network here has them.

Configurations come from a file of weights, or from JSON beside it, and are TransformerLens' own (`cfg.to_dict()`) or a
trainer's, which has some of the same settings under other names among settings of the training.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ACTIVATIONS

from ._records import cut, shown
from ._stated import NAMES

_ACTIVATION = ("act_fn", "act_type", "activation", "activation_fn", "act", "nonlinearity", "hidden_act")
_NORMALIZATION = ("normalization_type", "norm_type", "normalization", "use_ln", "use_layernorm", "layer_norm")
_DIRECTION = ("attention_dir", "attention")
_ACTIVATIONS = {name: name for name in ACTIVATIONS} | {"gelu_fast": "gelu_new", "gelu_pytorch_tanh": "gelu_new"}
_ACTIVATIONS |= {"swish": "silu"}
_NORMALIZATIONS: dict[Any, str] = {None: "none", False: "none", True: "LN"} | {
    "none": "none", "": "none", "ln": "LN", "layernorm": "LN", "layer_norm": "LN", "lnpre": "LNPre",
    "rms": "RMS", "rmsnorm": "RMS", "rms_norm": "RMS", "rmspre": "RMSPre",
}  # fmt: skip
# What each size is called by TransformerLens; all are compared with the tensors.
SIZES = ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "d_vocab", "d_vocab_out", "n_ctx")
_MODULUS = ("p", "P", "modulus", "mod", "prime", "mod_p", "modulo", "prime_p", "p_mod", "mod_base")
_OPERATION = ("operation", "op", "fn_name", "operator", "task")
_OPERATIONS = {
    "add": "add", "addition": "add", "plus": "add", "+": "add", "sum": "add", "x+y": "add", "modadd": "add",
    "subtract": "subtract", "subtraction": "subtract", "sub": "subtract", "minus": "subtract", "-": "subtract",
    "x-y": "subtract", "multiply": "multiply", "multiplication": "multiply", "mul": "multiply", "*": "multiply",
    "times": "multiply", "x*y": "multiply", "divide": "divide", "division": "divide", "div": "divide", "/": "divide",
    "x/y": "divide", "modular_addition": "add", "modular addition": "add", "mod_add": "add",
}  # fmt: skip
# Its other settings that change nothing of what a network without them computes on three tokens.
_WITHOUT_EFFECT = {
    "ungroup_grouped_query_attention", "use_attn_result", "use_split_qkv_input", "use_hook_mlp_in", "use_attn_in",
    "use_hook_tokens", "model_name", "from_checkpoint", "checkpoint_index", "checkpoint_label_type", "n_devices",
    "checkpoint_value", "tokenizer_name", "tokenizer_prepends_bos", "default_prepend_bos", "init_mode", "init_weights",
    "initializer_range", "device", "dtype", "seed", "n_params", "trust_remote_code", "quantization_method",
    "uses_rms_norm", "layer_norm_folding", "window_size", "attn_types", "rotary_dim", "rotary_base", "architecture",
    "rotary_base_local", "rotary_scaling_factor", "rotary_adjacent_pairs", "experts_per_token", "norm_topk_prob",
    "relative_attention_max_distance", "relative_attention_num_buckets", "decoder_start_token_id",
    "tie_word_embeddings",
    "use_NTK_by_parts_rope", "NTK_by_parts_low_freq_factor", "NTK_by_parts_high_freq_factor", "NTK_by_parts_factor",
    "NTK_original_ctx_len", "use_yarn_rope", "yarn_factor", "yarn_attention_factor", "yarn_beta_fast",
    "yarn_beta_slow", "yarn_original_max_position_embeddings", "yarn_truncate", "yarn_global_attn_only",
    "train_seq_length", "use_dynamic_ntk_rope", "use_logn_attn", "rmsnorm_uses_offset", "default_padding_side",
    "tokenizer_appends_eos", "split_attention_weights", "attn_implementation", "is_audio_model", "is_visual_model",
    "is_stateful", "is_multimodal", "per_layer_head_dim", "per_layer_num_key_value_heads", "n_key_value_heads",
    "original_architecture", "attn_scale", "use_attn_scale", "eps", "parallel_attn_mlp", "scale_embedding",
    "rope_scaling", "vision_hidden_size", "vision_num_layers", "vision_num_heads", "mm_tokens_per_image",
}  # fmt: skip


def _is_off(value: Any, _: Mapping[str, int]) -> bool:
    return not value or (isinstance(value, int | float) and value <= 0)


# Setting → whether its value changes nothing in a network of these sizes, and what it means where it does.
_REFUSED: dict[str, tuple[Callable[[Any, Mapping[str, int]], bool], str]] = {
    "positional_embedding_type": (
        lambda value, _: value in (None, "standard"),
        "positions that are not embeddings added at the start",
    ),
    "gated_mlp": (_is_off, "an MLP with a gate"),
    "num_experts": (_is_off, "several experts"),
    "n_key_value_heads": (
        lambda value, sizes: value in (None, sizes["n_heads"]),
        "heads that share their keys and values",
    ),
    "attn_only": (_is_off, "no MLP"),
    "use_local_attn": (_is_off, "attention in a window"),
    "use_normalization_before_and_after": (_is_off, "a normalization behind attention and MLP"),
    "post_embedding_ln": (_is_off, "a normalization of the embeddings"),
    "attn_scores_soft_cap": (_is_off, "attention scores with a soft cap"),
    "output_logits_soft_cap": (_is_off, "logits with a soft cap"),
    "scale_attn_by_inverse_layer_idx": (
        lambda value, sizes: not value or sizes["n_layers"] == 1,
        "attention scaled by the layer's number",
    ),
    "use_qk_norm": (_is_off, "a normalization of queries and keys"),
    "use_attention_sinks": (_is_off, "attention sinks"),
    "clip_qkv": (_is_off, "clipped queries, keys and values"),
    "load_in_4bit": (_is_off, "weights of four bits"),
    "original_architecture": (
        lambda value, _: not str(value).startswith(("Olmo2", "Olmo3")),
        "a normalization behind attention and MLP",
    ),
}


@dataclass(frozen=True)
class Stated:
    """What a configuration states of a network.

    - `model`: settings of `ModelConfig`; `task`: `p` and `operation`, where it states them.
    - `read`: the names it states them under; `unused`: names that say nothing here.
    """

    model: Mapping[str, Any]
    task: Mapping[str, Any]
    read: tuple[str, ...]
    unused: tuple[str, ...]


def stated(config: Mapping[str, Any], sizes: Mapping[str, int], path: Path) -> Stated:
    """Read a configuration of a network whose tensors have these `sizes` (those of `SIZES` that they tell).

    Raises `GrokinterpError` where it says what no network here has, or sizes that are not those of the tensors.

    >>> stated({"act_fn": "silu", "use_attn_scale": False, "lr": 1.0}, {}, Path("x.pth")).model
    {'act_fn': 'silu', 'attn_scale': 1.0}
    """
    _require_sizes(config, sizes, path)
    for name, (is_harmless, meaning) in _REFUSED.items():
        if name in config and not is_harmless(config[name], sizes):
            raise _refusal(path, name, config[name], meaning)
    found: dict[str, Any] = {}
    read: list[str] = []

    def take(setting: str, name: str, value: Any) -> None:
        found[setting] = value
        read.append(name)

    for name in _present(config, _ACTIVATION, isinstance_of=str):
        act_fn = _ACTIVATIONS.get(config[name].lower())
        if act_fn is None:
            known = ", ".join(ACTIVATIONS)
            raise _refusal(path, name, config[name], f"an activation that is none of {known}")
        take("act_fn", name, act_fn)
    for name in _present(config, _NORMALIZATION, isinstance_of=str | bool | None):
        value = config[name]
        kind = _NORMALIZATIONS.get(value.lower() if isinstance(value, str) else value)
        if kind is None:
            raise _refusal(path, name, value, "a normalization that is none of LN, LNPre, RMS and RMSPre")
        if config.get("final_rms") and kind in ("LN", "LNPre"):
            raise _refusal(path, "final_rms", True, "LayerNorm in the layers and RMSNorm before the unembedding")
        take("normalization", name, kind)
        # The number of a trainer's optimizer may have the same name.
        if name == "normalization_type" and _is_number(config.get("eps")) and kind != "none":
            take("eps", "eps", float(config["eps"]))
    for name in _present(config, _DIRECTION, isinstance_of=str):
        if config[name] in ("causal", "bidirectional"):
            take("attention", name, config[name])
    if isinstance(config.get("parallel_attn_mlp"), bool):
        take("parallel_attn_mlp", "parallel_attn_mlp", config["parallel_attn_mlp"])
    scale, is_scaled = config.get("attn_scale"), config.get("use_attn_scale")
    if is_scaled is False:
        take("attn_scale", "use_attn_scale", 1.0)
    elif scale is not None and _is_number(scale) and scale > 0:
        root = sizes["d_head"] ** 0.5
        take("attn_scale", "attn_scale", None if abs(scale - root) <= 1e-6 * root else float(scale))
    elif is_scaled is True:
        take("attn_scale", "use_attn_scale", None)
    task: dict[str, Any] = {}
    for name in _MODULUS:
        if "p" not in task and type(config.get(name)) is int and config[name] >= 2:
            task["p"] = config[name]
            read.append(name)
    for name in _present(config, _OPERATION, isinstance_of=str):
        if (operation := _OPERATIONS.get(config[name].lower().strip())) is not None:
            task["operation"] = operation
            read.append(name)
    known = {*read, *SIZES, *_REFUSED, *_WITHOUT_EFFECT, *NAMES, "final_rms"}
    return Stated(found, task, tuple(read), tuple(cut(name) for name in config if name not in known))


def of_training(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without the settings of the network that are called as settings of a training are."""
    return {name: x for name, x in config.items() if not (name == "eps" and "normalization_type" in config)}


def _present(config: Mapping[str, Any], names: tuple[str, ...], *, isinstance_of: Any) -> list[str]:
    """The first of `names` that the configuration has with a value of this type; at most one."""
    return [name for name in names if name in config and isinstance(config[name], isinstance_of)][:1]


def _require_sizes(config: Mapping[str, Any], sizes: Mapping[str, int], path: Path) -> None:
    for name in SIZES:
        value, size = config.get(name), sizes.get(name)
        # -1 and None: what TransformerLens derives itself.
        if size is None or type(value) is not int or value < 1 or value == size:
            continue
        raise GrokinterpError(
            f"{path}: its configuration says {name} = {value}, its weights {size}: it is of another network; correct "
            "it, or save the weights without it and in a folder of their own"
        )


def _refusal(path: Path, name: str, value: Any, meaning: str) -> GrokinterpError:
    return GrokinterpError(
        f"{path}: its configuration says {cut(name)} = {shown(value)}: {meaning}, which no network here has; import "
        "a network without it, or, if the configuration is of another one, save the weights without it"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
