"""The Clock and the Pizza (Zhong et al. 2023, fjzzq2002/pizza): `model_<run>.pt` with `config_<run>.json` beside it."""

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.runs._config import TrainingConfig
from grokinterp.runs._files import read_whole
from grokinterp.tasks import Task

from ._foreign import tensors_of
from ._layout import Asked, Found, is_state_dict, translated
from ._neel import constants, is_neel, parts, sizes

LAYOUT = "pizza"
_FUNCTION = re.compile(r"lambda x: \(x\[0\]([+\-*])x\[1\]\)%(\d+)")
_OPERATIONS = {"+": "add", "-": "subtract", "*": "multiply"}


def config_beside(path: Path) -> Path:
    """Where the settings of a model are: `config_<run>.json` beside `model_<run>.pt`."""
    return path.with_name(re.sub(r"^model_", "config_", path.stem) + ".json")


def reads(path: Path, content: Any) -> bool:
    """Whether a file is of this layout: Nanda's weights, with a configuration beside, or reading [a, b] alone."""
    if not is_state_dict(content) or not is_neel(dict(content)):
        return False
    return (path.name.startswith("model_") and config_beside(path).is_file()) or len(content["pos_embed.W_pos"]) == 2


def read_file(path: Path, content: Any, asked: Asked) -> Found:
    """One network, the last of its run; its split was never seeded, so it is unknown."""
    said, weights = _settings(path, asked), tensors_of(content, path)
    try:
        task = asked.task_config(
            operation=_operation(said, path, asked),
            p=said["C"],
            equals_token=bool(said.get("eqn_sign", False)),
            own_tokens_for_b=bool(said.get("diff_vocab", False)),
            train_fraction=said.get("frac", 0.8),
            split_scheme="unknown",
        )
        model = asked.model_config(
            **sizes(weights),
            act_fn=str(said.get("act_fn", "ReLU")).lower(),
            attention="bidirectional",  # Their configuration says causal; no mask is applied.
            attention_rate=float(said["attn_coeff"]),
            initialisation="pizza",
        )
    except KeyError as missing:
        raise GrokinterpError(f"{config_beside(path)} lacks {missing}; restore it from a copy") from None
    training = TrainingConfig(
        steps=int(said.get("epoch", 20_000)),
        learning_rate=float(said.get("lr", 1e-3)),
        weight_decay=float(said.get("weight_decay", 2.0)),
    )
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
        training=training,
        checkpoints=lambda: iter([(training.steps, translate(weights))]),
        notes=("The split is unknown: these networks were trained on pairs drawn without a seed.",),
    )


def _settings(path: Path, asked: Asked) -> Mapping[str, Any]:
    beside = config_beside(path)
    if not beside.is_file():
        if "attention_rate" in asked.model and "p" in asked.task:
            return {"C": asked.task["p"], "attn_coeff": asked.model["attention_rate"]}
        raise GrokinterpError(
            f"{path} is a network of The Clock and the Pizza, whose attention rate is in {beside.name}; put that file "
            "beside it, or name --set task.p=59 --set model.attention_rate=0.0"
        )
    try:
        said = json.loads(read_whole(beside))
    except ValueError:
        raise GrokinterpError(f"{beside} is no JSON; restore it from a copy") from None
    if not isinstance(said, dict):
        raise GrokinterpError(f"{beside}: needs keys with values; restore it from a copy")
    return said


def _operation(said: Mapping[str, Any], path: Path, asked: Asked) -> str:
    if "operation" in asked.task:
        return asked.task["operation"]
    function = said.get("funcs", f"lambda x: (x[0]+x[1])%{said['C']}")
    known = _FUNCTION.fullmatch(str(function).replace(" ", "").replace("lambdax", "lambda x").replace(":(", ": ("))
    if not known or int(known[2]) != said["C"]:
        raise GrokinterpError(
            f"{config_beside(path)}: funcs = {str(function)[:60]!r} is not run to see what it is; name the task, "
            "such as --set task.operation=add"
        )
    return _OPERATIONS[known[1]]
