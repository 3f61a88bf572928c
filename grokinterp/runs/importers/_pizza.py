"""The Clock and the Pizza (Zhong et al. 2023, fjzzq2002/pizza): `model_<run>.pt` with `config_<run>.json` beside it."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task

from ._content import number, whole_number
from ._contents import Contents
from ._described import network
from ._layout import Asked, Found, read_settings, require_tensors, translated, with_zero_biases
from ._neel import constants, is_neel, parts, sizes
from ._records import cut, shown
from ._stated import stated_training

LAYOUT = "pizza"
_FUNCTION = re.compile(r"lambdax:\((.+)\)%(\d+)")
_LINEAR = {"unembed.weight", "l1.weight", "l1.bias"}
_KINDS = ("A", "B", "C", "D", "X")
# What the function computes mod p, as their scripts would write it → our operation.
_OPERATIONS = {
    "x[0]+x[1]": "add",
    "x[1]+x[0]": "add",
    "x[0]-x[1]": "subtract",
    "x[0]*x[1]": "multiply",
    "x[1]*x[0]": "multiply",
    "x[0]**2+x[1]**2": "x2+y2",
    "x[0]*x[0]+x[1]*x[1]": "x2+y2",
    "x[0]**2+x[0]*x[1]+x[1]**2": "x2+xy+y2",
    "x[0]*x[0]+x[0]*x[1]+x[1]*x[1]": "x2+xy+y2",
}


def config_beside(path: Path) -> Path:
    """Where the settings of a model are: `config_<run>.json` beside `model_<run>.pt`."""
    return path.with_name(re.sub(r"^model_", "config_", path.stem) + ".json")


def reads(said: Contents) -> bool:
    """Whether a file is of this layout: Nanda's weights, with a configuration beside, or reading [a, b] alone."""
    if _is_linear(said.state):
        return True
    if not is_neel(dict(said.state)):
        return False
    named = said.path.name.startswith("model_") and config_beside(said.path).is_file()
    return named or len(said.state["pos_embed.W_pos"]) == 2


def files_with_settings(folder: Path) -> list[Path]:
    """The networks in a folder such as theirs, `save`: each of a run of its own, so not checkpoints of one."""
    return sorted(path for path in folder.glob("model_*.pt") if config_beside(path).is_file())


def read_file(contents: Contents, asked: Asked) -> Found:
    """One network, the last of its run; its split was never seeded, so it is unknown."""
    path, weights = contents.path, contents.tensors()
    said, beside = _settings(path, weights, asked), config_beside(path)
    if "model_type" in said:
        return _linear(path, said, weights, asked)
    if not is_neel(weights):
        raise GrokinterpError(f"{path} holds {network(weights)}; a transformer of The Clock and the Pizza is needed")
    try:
        task = asked.task_config(
            operation=_operation(said, path, asked),
            p=said["C"],
            equals_token=bool(said.get("eqn_sign", False)),
            own_tokens_for_b=bool(said.get("diff_vocab", False)),
            train_fraction=said.get("frac"),
            split_scheme="unknown",
        )
        model = asked.model_config(
            **sizes(weights, path),
            act_fn=str(said.get("act_fn", "ReLU")).lower(),
            attention="bidirectional",  # Their configuration says causal; no mask is applied.
            attention_rate=_number(said, "attn_coeff", beside),
        )
    except KeyError as missing:
        raise GrokinterpError(f"{beside} lacks {missing}; restore it from a copy") from None
    steps = whole_number(said, "epoch", beside)
    translate = partial(
        translated,
        parts=parts(model.n_layers, model.n_heads),
        config=model,
        task=Task(task),
        path=path,
        ignored=constants(weights),
    )
    return Found(
        layout=LAYOUT,
        task=task,
        model=model,
        training=stated_training(steps, said),
        checkpoints=lambda: iter([(steps or 0, translate(weights))]),
        notes=("The split is unknown: these networks were trained on pairs drawn without a seed.",),
    )


def _linear(path: Path, said: Mapping[str, Any], stored: Tensors, asked: Asked) -> Found:
    """Their linear models α, β, γ, δ and x, called A, B, C, D and X: embeddings, one or two layers, unembedding."""
    kind = said["model_type"]
    if kind not in _KINDS:
        raise GrokinterpError(f"{config_beside(path)}: model_type = {kind!r}: needs one of {', '.join(_KINDS)}")
    embeddings = ("embed1.weight", "embed2.weight") if kind == "X" else ("embed.weight",)
    sources = {*embeddings, *_LINEAR, *(("l2.weight", "l2.bias") if kind in "BC" else ())}
    require_tensors(stored.keys(), sources, path, f"those of a linear model of type {kind}; restore the file")
    task = asked.task_config(
        operation="add",
        p=said.get("C", len(stored["unembed.weight"])),
        equals_token=False,
        own_tokens_for_b=kind == "X",
        train_fraction=said.get("frac"),
        split_scheme="unknown",
    )
    model = asked.model_config(
        architecture="mlp",
        mlp_inputs="concatenation" if kind == "D" else "sum",
        n_layers=2 if kind in "BC" else 1,
        d_model=stored[embeddings[0]].shape[1],
        d_mlp=len(stored["l1.weight"]),
        outputs="answers",
    )
    weights = {
        "embed.W_E": torch.cat([stored[name] for name in embeddings]),
        "blocks.0.mlp.W_in": stored["l1.weight"].T,
        # l1(E[a]) + l1(E[b]) has the bias twice.
        "blocks.0.mlp.b_in": stored["l1.bias"] * (2 if kind == "C" else 1),
        "unembed.W_U": stored["unembed.weight"].T,
    }
    if kind in "BC":
        weights |= {"blocks.1.mlp.W_in": stored["l2.weight"].T, "blocks.1.mlp.b_in": stored["l2.bias"]}
    weights = with_zero_biases({name: x.contiguous() for name, x in weights.items()}, model, Task(task), path)
    notes = ["The split is unknown: these networks were trained on pairs drawn without a seed."]
    if kind == "C":
        notes.append("A model γ gives each input to l1 apart, which is l1 of their sum with its bias twice.")
    steps = whole_number(said, "epoch", config_beside(path))
    training = stated_training(steps, said)
    return Found(LAYOUT, task, model, training, lambda: iter([(steps or 0, weights)]), notes=tuple(notes))


def _is_linear(state: Mapping[str, Any]) -> bool:
    return state.keys() >= _LINEAR and bool({"embed.weight", "embed1.weight"} & state.keys())


def _number(said: Mapping[str, Any], name: str, beside: Path) -> float:
    found = number(said, name, beside)
    if found is None:
        raise KeyError(name)
    return found


def _settings(path: Path, weights: Tensors, asked: Asked) -> Mapping[str, Any]:
    beside = config_beside(path)
    if not beside.is_file():
        if _is_linear(weights):
            raise GrokinterpError(
                f"{path} is a linear network of The Clock and the Pizza, whose model_type (A, B, C, D or X) is in "
                f"{beside.name}; put that file beside it"
            )
        if "attention_rate" in asked.model and "p" in asked.task:
            return {"C": asked.task["p"], "attn_coeff": asked.model["attention_rate"]}
        raise GrokinterpError(
            f"{path} is a network of The Clock and the Pizza, whose attention rate is in {beside.name}; put that file "
            "beside it, or name --set task.p=59 --set model.attention_rate=0.0"
        )
    return read_settings(beside)


def _operation(said: Mapping[str, Any], path: Path, asked: Asked) -> str:
    if "operation" in asked.task:
        return asked.task["operation"]
    function = str(said.get("funcs", f"lambda x: (x[0]+x[1])%{said['C']}"))
    known = _FUNCTION.fullmatch(re.sub(r"\s", "", function))
    if known and known[1] in _OPERATIONS and int(known[2]) == said["C"]:
        return _OPERATIONS[known[1]]
    of_another = known and known[1] in _OPERATIONS
    why = f"is of another modulus than C = {shown(said['C'])}" if of_another else "is not run to see what it is"
    raise GrokinterpError(
        f"{config_beside(path)}: funcs = {cut(function, 60)!r} {why}; name the task, such as --set task.operation=add"
    )
