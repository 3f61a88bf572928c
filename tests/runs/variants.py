"""Networks of TransformerLens as people keep them: drawn by a seed, made by TransformerLens, saved in their ways."""

import json
import random
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

REFUSED = {
    "positional_embedding_type": "rotary",
    "gated_mlp": True,
    "attn_only": True,
    "output_logits_soft_cap": 3.0,
    "attn_scores_soft_cap": 2.0,
    "use_local_attn": True,
    "use_qk_norm": True,
    "n_key_value_heads": 1,
}
# What a reader is told of each kind of assumption.
TOLD = {
    "normalization": "model.normalization = ",
    "act_fn": "model.act_fn = ",
    "attention_dir": "model.attention = ",
    "p": "task.p = ",
    "tokens": "that the network reads [",
    "else": "TransformerLens' defaults in all else",
}
# Ways to keep a network, and which of them can hold a configuration.
WRAPPERS = ("bare", "safetensors", "model", "nested", "parallel", "compiled", "lightning", "demo")
NAMES = ("mine", "final", "model", "checkpoint_epoch_20000", "init", "loss_0.01_seed_3", "weights-2024-05-01")


@dataclass
class Variant:
    """A file, the settings that its user gives, and what is true of it.

    - `logits`: the network's own, [pair, answer] in float64; `scale`: their largest.
    - `unstated`: kinds of settings, by the names in `TOLD`, that differ from what is usual and that nothing states.
    - `model`: what the network is, of that.
    - `must_refuse`: whether the file says that no network here can be this one.
    """

    path: Path
    settings: list[str]
    logits: torch.Tensor
    unstated: set[str] = field(default_factory=set)
    model: dict[str, str] = field(default_factory=dict)
    must_refuse: bool = False
    words: str = ""

    @property
    def scale(self) -> float:
        return float(self.logits.abs().max())


def variant(number: int, folder: Path) -> Variant:
    """The variant of this number, saved under `folder`."""
    draw = random.Random(number)
    p, how = draw.choice((5, 7, 11)), _how(draw)
    order = draw.choices(("a b =", "a b", "a o b =", "= a b", "b a ="), (6, 2, 2, 1, 1))[0]
    others = order.count("=") + order.count("o")
    padding, equals = draw.choice((0, 0, 0, 5)), p
    if padding and draw.random() < 0.3:
        equals = p + padding  # The last token that is used is the last there is.
    tokens = p + others + padding
    outputs = draw.choice((p, tokens)) if others + padding else p
    n_ctx = len(order.split()) + draw.choice((0, 0, 0, 3, 7))
    cfg, refused = _configuration(draw, tokens, outputs, n_ctx)
    network = lens_network(cfg, number, fold=draw.random() < 0.4)
    cfg = network.cfg
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    columns = {"a": pairs[:, 0], "b": pairs[:, 1], "=": torch.full((p * p,), equals)}
    columns["o"] = torch.full((p * p,), equals + 1 if equals + 1 < tokens else equals)
    with torch.no_grad():
        logits = network(torch.stack([columns[name] for name in order.split()], dim=1))[:, -1, :p].double()
    # A configuration says all that is in it.
    all_of_it = {"normalization", "act_fn", "attention_dir", "else", *REFUSED}
    told, settings = set() if how["configuration"] == "none" else all_of_it, ["task.operation=add"]
    usual = _usual(cfg)
    for name, setting in (("normalization", "normalization"), ("act_fn", "act_fn")):
        if name in usual and name not in told and not refused and draw.random() < 0.3:
            value = {"normalization": cfg.normalization_type, "act_fn": _ours(cfg.act_fn)}[name]
            settings.append(f"model.{setting}={value}")
            told.add(name)
    if padding and draw.random() < 0.6:
        settings.append(f"task.p={p}")
        told.add("p")
    if order == "a o b =" or (order == "a b" and n_ctx > 2):
        settings.append("task.equals_token=false" if order == "a b" else "task.operator_token=true")
    if is_named := order in _ORDERS and draw.random() < 0.5:
        settings.append(_ORDERS[order])
    unstated = usual - told
    if padding and "p" not in told and outputs != p:
        unstated.add("p")
    if (order in _ORDERS and not is_named) or equals != p:
        unstated.add("tokens")
    if n_ctx > 3 and order == "a b =" and "p" not in told and outputs == tokens:
        unstated.add("tokens")
    path = _save(draw, folder, network, cfg, how)
    return Variant(
        path=path,
        settings=settings,
        logits=logits,
        unstated=unstated,
        model={
            "normalization": cfg.normalization_type or "none",
            "act_fn": _ours(cfg.act_fn),
            "attention_dir": cfg.attention_dir,
        },
        must_refuse=refused in told or refused in _BY_TENSORS,
        words=f"{number}: {order}, p {p}, {tokens} tokens, {outputs} outputs, n_ctx {n_ctx}, {how}, refused {refused}"
        f"{settings}, untold {unstated}, "
        f"{cfg.normalization_type}, {cfg.act_fn}, {cfg.n_layers} layers",
    )


# Orders of the tokens that no file states, with the setting that does.
_ORDERS = {"= a b": "task.equals_first=true", "b a =": "task.b_first=true"}
# Settings that leave a trace in the tensors.
_BY_TENSORS = ("positional_embedding_type", "gated_mlp", "attn_only", "use_qk_norm", "n_key_value_heads")


def _how(draw: random.Random) -> dict[str, Any]:
    wrapper = draw.choice(WRAPPERS)
    is_alone = wrapper in ("bare", "safetensors", "parallel", "compiled")
    configurations = ("none", "beside") if is_alone else ("none", "object", "dict")
    return {
        "wrapper": wrapper,
        "configuration": draw.choice((*configurations, configurations[-1])),
        "name": draw.choice(NAMES),
        "double": draw.random() < 0.1,
    }


def _configuration(draw: random.Random, tokens: int, outputs: int, n_ctx: int) -> tuple[dict[str, Any], str]:
    cfg: dict[str, Any] = {
        "n_layers": draw.choice((1, 1, 2)),
        "n_heads": draw.choice((1, 2, 3)),
        "d_model": draw.choice((8, 16)),
        "d_head": draw.choice((4, 8)),
        "d_mlp": draw.choice((12, 32)),
        "act_fn": draw.choice(("relu", "relu", "gelu", "gelu_new", "gelu_fast", "silu")),
        "normalization_type": draw.choice((None, None, "LN", "LN", "LNPre", "RMS", "RMSPre")),
        "eps": draw.choice((1e-5, 1e-5, 1e-3)),
        "attention_dir": draw.choice(("causal", "causal", "bidirectional")),
        "use_attn_scale": draw.random() < 0.8,
        "parallel_attn_mlp": draw.random() < 0.15,
        "d_vocab": tokens,
        "d_vocab_out": outputs,
        "n_ctx": n_ctx,
        "device": "cpu",
        "init_weights": True,
        "seed": 0,
    }
    if draw.random() > 0.12:
        return cfg, ""
    refused = draw.choice(tuple(REFUSED))
    cfg[refused] = REFUSED[refused]
    cfg |= {"n_heads": 2, "parallel_attn_mlp": False}
    if refused == "use_local_attn":
        cfg |= {"window_size": 1, "attn_types": ["local"] * cfg["n_layers"]}
    return cfg, refused


def lens_network(settings: dict[str, Any], seed: int = 0, *, fold: bool = False, **more: Any) -> Any:
    """A `HookedTransformer` with random weights, into which its normalization is folded where that is asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformer_lens import HookedTransformer, HookedTransformerConfig

        torch.manual_seed(seed)
        network = HookedTransformer(HookedTransformerConfig(**settings))
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(torch.randn_like(weight) * (0.4 if weight.ndim > 1 else 0.3))
        if fold and settings["normalization_type"] in ("LN", "RMS") and not settings.get("use_qk_norm"):
            centring = {"center_writing_weights": False, "center_unembed": False}
            network.process_weights_(fold_ln=True, **{**centring, **more})
    return network


def _ours(act_fn: str) -> str:
    return {"gelu_fast": "gelu_new"}.get(act_fn, act_fn)


def _usual(cfg: Any) -> set[str]:
    """The kinds of settings in which the network is not what one without any configuration is taken for."""
    unusual = {
        "normalization": cfg.normalization_type in ("LNPre", "RMSPre"),
        "act_fn": cfg.act_fn != "relu",
        "attention_dir": cfg.attention_dir != "causal" and cfg.n_layers > 1,
        "else": not cfg.use_attn_scale or cfg.parallel_attn_mlp or (cfg.normalization_type and cfg.eps != 1e-5),
    }
    return {name for name, is_so in unusual.items() if is_so} | (
        {"else"} if cfg.output_logits_soft_cap > 0 or cfg.attn_scores_soft_cap > 0 or cfg.use_local_attn else set()
    )


def _save(draw: random.Random, folder: Path, network: Any, cfg: Any, how: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    state = {name: x.detach().clone().contiguous() for name, x in network.state_dict().items()}
    if how["double"]:
        state = {name: x.double() if x.is_floating_point() else x for name, x in state.items()}
    plain = {name: x for name, x in cfg.to_dict().items() if isinstance(x, int | float | str | type(None))}
    key, said = draw.choice(("config", "cfg")), cfg if how["configuration"] == "object" else plain
    entries = {} if how["configuration"] in ("none", "beside") else {key: said}
    wrapper, path = how["wrapper"], folder / f"{how['name']}.{draw.choice(('pt', 'pth', 'ckpt'))}"
    path = path if path.suffix != ".ckpt" or wrapper == "lightning" else path.with_suffix(".pt")
    if how["configuration"] == "beside":
        name = draw.choice(("cfg.json", "config.json", f"{path.stem}.json"))
        (folder / name).write_text(json.dumps(plain))
    if wrapper == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file({name: x for name, x in state.items() if x.numel()}, path)
        return path
    content: Any = {
        "bare": lambda: state,
        "model": lambda: {"model": state, "epoch": 750, "train_loss": 0.1} | entries,
        "nested": lambda: {"model_state_dict": state, "optimizer_state_dict": {"state": {}}, "step": 4} | entries,
        "parallel": lambda: {f"module.{name}": x for name, x in state.items()},
        "compiled": lambda: {f"_orig_mod.{name}": x for name, x in state.items()},
        "lightning": lambda: (
            {
                "state_dict": {f"model.{name}": x for name, x in state.items()},
                "epoch": 3,
                "global_step": 900,
                "pytorch-lightning_version": "2.2",
            }
            | entries
        ),
        "demo": lambda: (
            {
                "checkpoints": [state, state],
                "checkpoint_epochs": [9, 19],
                "model": state,
                "train_losses": [1.0] * 20,
                "test_losses": [2.0] * 20,
            }
            | entries
        ),
    }[wrapper]()
    torch.save(content, path)
    return path
