"""Which part of a network a tensor of people's own PyTorch code is, by its name: one table of aliases."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

# Part of the network → what people call it, without `.weight` and `.bias`. Within a layer, after the names of attention
# or MLP, a short name such as `proj` is enough.
_GLOBAL = {
    "embed": "embed embedding embeddings emb tok_emb tok_embed token_emb token_embed token_embedding token_embeddings "
    "word_emb word_embedding word_embeddings embed_tokens input_embedding input_embed wte W_E WE embed.W_E tok",
    "embed_b": "embed_b embedding_b emb_b embed2 embedding2 emb2 embed_y embedding_y emb_y W_y embed_right b_embed",
    "embed_a": "embed_a embedding_a emb_a embed1 embedding1 emb1 embed_x embedding_x emb_x W_x embed_left a_embed",
    "pos": "pos pos_emb pos_embed pos_embedding pos_embeddings position_emb position_embed position_embedding "
    "position_embeddings positional_emb positional_embed positional_embedding positional_encoding positional_encodings "
    "pos_enc pos_encoding wpe W_pos pos_embed.W_pos pe pos_encoder.pe pos_enc.pe positional_encoding.pe",
    "unembed": "unembed unembedding head lm_head out_head output_head fc_out output output_layer output_proj "
    "output_projection out out_proj classifier to_logits logits W_U WU unembed.W_U proj_out readout decoder final "
    "final_layer final_linear out_layer linear_out lin_out",
    "ln_final": "ln_f lnf ln_final final_norm norm_f norm final_ln final_layer_norm final_layernorm ln_out out_norm "
    "rms_f rmsnorm_f norm_final final_rms_norm ln_final_norm",
}
_ATTENTION = {
    "qkv": "qkv qkv_proj c_attn to_qkv in_proj Wqkv W_qkv query_key_value in_proj qkv_linear",
    "q": "W_Q W_q WQ Wq wq q q_proj query queries to_q q_linear linear_q lin_q proj_q query_proj",
    "k": "W_K W_k WK Wk wk k k_proj key keys to_k k_linear linear_k lin_k proj_k key_proj",
    "v": "W_V W_v WV Wv wv v v_proj value values to_v v_linear linear_v lin_v proj_v value_proj",
    "o": "W_O W_o WO Wo wo o o_proj out_proj proj c_proj to_out to_out.0 out dense output out_linear linear_o lin_o "
    "output_proj fc_o proj_o fc_out resid_proj",
}
_MLP = {
    "in": "W_in Win w_in fc1 fc_1 fc_in linear1 linear_1 lin1 l1 c_fc up up_proj w1 W1 0 layers.0 net.0 fc.0 dense1 "
    "dense_h_to_4h hidden in_proj in lin_in linear_in proj_in",
    "out": "W_out Wout w_out fc2 fc_2 fc_out linear2 linear_2 lin2 l2 c_proj down down_proj w2 W2 2 3 layers.2 "
    "layers.3 net.2 net.3 fc.2 dense2 dense_4h_to_h out_proj out lin_out linear_out proj_out proj",
    "gate": "gate gate_proj w3 W3 W_gate w_gate wg fc_gate",
}
_NORMS = {
    "ln1": "ln1 ln_1 norm1 norm_1 attn_norm attention_norm input_layernorm pre_attn_norm ln_attn layernorm1 "
    "layernorm_1 layer_norm1 layer_norm_1 norm_attn attn_ln ln_before_attn rms1 rms_1 rmsnorm1 rms_norm1",
    "ln2": "ln2 ln_2 norm2 norm_2 mlp_norm ffn_norm post_attention_layernorm pre_mlp_norm ln_mlp layernorm2 "
    "layernorm_2 layer_norm2 layer_norm_2 norm_mlp mlp_ln ff_norm norm_ff ln_before_mlp rms2 rms_2 rmsnorm2 rms_norm2",
}
# Of these, names that say the part without those of attention or MLP before them.
_OF_NEITHER_ALONE = {"o", "proj", "c_proj", "out", "dense", "output", "out_proj", "output_proj", "fc_out", "in_proj"}
_OF_MLP_ALONE = {
    "w_in", "win", "fc1", "fc_1", "fc_in", "linear1", "linear_1", "lin1", "c_fc", "up_proj", "w1", "gate_proj", "w3",
    "w_out", "wout", "fc2", "fc_2", "linear2", "linear_2", "lin2", "down_proj", "w2", "w_gate", "l1", "l2",
}  # fmt: skip
_OF_ATTENTION = re.compile(r"(?:self_attn|attn|attention|self_attention|mha|multihead_attn|multihead|sa|mhsa)\.")
_OF_MLP = re.compile(
    r"(?:mlp|ffn|ff|feed_forward|feedforward|MLP|mlp_block|ffwd|ff_net)\.(?:(?:net|model|seq|layers|ff)\.)?"
)
_LAYER = re.compile(
    r"(?:(?:transformer|encoder|decoder|backbone|gpt)\.)*"
    r"(?:blocks?|layers?|h|transformer_blocks?|transformer_layers?|encoder_layers?|decoder_layers?)[._]?(\d{1,2})\."
)
_CONTAINER = re.compile(r"(?:transformer|encoder|decoder|backbone|gpt|embedding_layer|embeddings)\.")
# What is no weight: masks, positions counted up, and counters of statistics.
_BUFFER = re.compile(
    r"(?:.*\.)?(?:mask|causal_mask|attn_mask|attention_mask|tril|IGNORE|masked_bias|position_ids|positions|"
    r"num_batches_tracked|_extra_state)"
)
_ROTARY = re.compile(r"(?:.*[._])?(?:inv_freq|rotary|rope|freqs_cis|cos_cached|sin_cached)(?:[._].*)?")
# What no network here has, by the last parts of a tensor's name.
_UNLIKE = {
    r"(?:.*\.)?weight_[ih]h_l\d+(?:_reverse)?|(?:.*\.)?weight_[ih]h": "a recurrent layer (RNN, LSTM or GRU)",
    r"(?:.*\.)?running_(?:mean|var)": "a batch normalization",
    r"(?:.*\.)?(?:A_log|dt_proj\.(?:weight|bias))": "a state-space layer",
    r"(?:.*[._])?lora_[AB](?:\..*)?": "an adapter (LoRA) of another network",
}
_BIASES = ("bias", "b", "beta")
_WEIGHTS = ("weight", "w", "W", "gamma", "scale", "kernel", "embedding")


@dataclass(frozen=True)
class Part:
    """What a tensor is: part of layer `layer` (None outside), `kind` weight or bias, kept by a module or bare."""

    role: str
    layer: int | None
    kind: str
    of_module: bool


def _table(*groups: dict[str, str]) -> dict[str, str]:
    return {name.lower(): role for group in groups for role, names in group.items() for name in names.split()}


_GLOBAL_NAMES = _table(_GLOBAL)
_NORM_NAMES = _table(_NORMS)
_ATTENTION_NAMES = _table(_ATTENTION)
_MLP_NAMES = _table(_MLP)
_LOOSE_NAMES = {name: role for name, role in _ATTENTION_NAMES.items() if name not in _OF_NEITHER_ALONE}
_LOOSE_NAMES |= {name: role for name, role in _MLP_NAMES.items() if name in _OF_MLP_ALONE}


def is_buffer(name: str) -> bool:
    return bool(_BUFFER.fullmatch(name))


def is_rotary(name: str) -> bool:
    return bool(_ROTARY.fullmatch(name))


def unlike_any(state: Mapping[str, torch.Tensor]) -> tuple[str, str] | None:
    """The first tensor that no network here has, and what it is of; None where there is no such tensor.

    >>> unlike_any({"lstm.weight_hh_l0": torch.ones(8, 2)})
    ('lstm.weight_hh_l0', 'a recurrent layer (RNN, LSTM or GRU)')
    >>> unlike_any({"features.0.weight": torch.ones(8, 3, 5, 5)})
    ('features.0.weight', 'a convolution')
    """
    for name, x in state.items():
        if name.endswith("weight") and (
            x.ndim > 3 or (x.ndim == 3 and re.fullmatch(r"(?:.*\.)?conv\d*\.weight", name))
        ):
            return name, "a convolution"
        meaning = next((meaning for pattern, meaning in _UNLIKE.items() if re.fullmatch(pattern, name)), None)
        if meaning is not None:
            return name, meaning
    return None


def part_of(name: str) -> Part | None:
    """What the tensor `name` is; None if no alias fits.

    >>> part_of("blocks.0.attn.in_proj_weight"), part_of("W_in.bias").role
    (Part(role='qkv', layer=0, kind='weight', of_module=True), 'in')
    >>> part_of("lm_head.weight").role, part_of("pos").of_module
    ('unembed', False)
    """
    found = _LAYER.match(name)
    layer, rest = (int(found[1]), name[found.end() :]) if found else (None, name)
    module, kind, of_module = _without_kind(rest)
    role = _role(module, in_layer=layer is not None)
    if role is None and layer is None:
        role = _role(_CONTAINER.sub("", module, count=1), in_layer=False)
    if role is None:
        return None
    if role not in _GLOBAL and layer is None:
        layer = 0
    return Part(role, layer, kind, of_module)


def _without_kind(name: str) -> tuple[str, str, bool]:
    """The module's name, whether the tensor is its weight or bias, and whether a module keeps it."""
    module, _, last = name.rpartition(".")
    if module and last in _BIASES:
        return module, "bias", True
    if module and last in _WEIGHTS:
        return module, "weight", True
    if last in ("in_proj_weight", "in_proj_bias"):
        return name.replace(last, "in_proj"), last.removeprefix("in_proj_"), True
    if last.startswith("b_") and len(last) > 2:
        of = last.removeprefix("b_")
        names = {"in": "W_in", "out": "W_out", "u": "W_U", "e": "W_E", "q": "W_Q", "k": "W_K", "v": "W_V", "o": "W_O"}
        if of.lower() in names:
            start = f"{module}." if module else ""
            return start + names[of.lower()], "bias", False
    if last.endswith("_bias"):
        return name.removesuffix("_bias"), "bias", False
    return name.removesuffix("_weight"), "weight", False


def _role(module: str, *, in_layer: bool) -> str | None:
    attention, mlp = _OF_ATTENTION.match(module), _OF_MLP.match(module)
    if attention:
        return _ATTENTION_NAMES.get(module[attention.end() :].lower())
    if mlp:
        return _MLP_NAMES.get(module[mlp.end() :].lower())
    name = module.lower()
    if in_layer:
        return _NORM_NAMES.get(name) or _LOOSE_NAMES.get(name)
    return _GLOBAL_NAMES.get(name) or _NORM_NAMES.get(name) or _LOOSE_NAMES.get(name)


def examples(roles: Iterable[str]) -> str:
    """Parts by what they are most often called, for a message.

    >>> examples(["embed", "pos"])
    'an embedding (embed, embedding), positions (pos, pos_emb)'
    """
    words = {
        "embed": "an embedding", "pos": "positions", "unembed": "an unembedding", "ln1": "a norm before attention",
        "ln2": "a norm before the MLP", "ln_final": "a norm before the unembedding", "q": "queries", "k": "keys",
        "v": "values", "o": "attention's output", "in": "the MLP's first matrix", "out": "the MLP's second matrix",
    }  # fmt: skip
    tables = _GLOBAL | _ATTENTION | _MLP | _NORMS
    return ", ".join(f"{words[role]} ({', '.join(tables[role].split()[:2])})" for role in roles)
