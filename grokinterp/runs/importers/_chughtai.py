"""The released networks of Chughtai et al. 2023 (arXiv 2302.03025): folders with `cfg.json` and `model.pt`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._folder import Tensors
from grokinterp.runs._run import checked_weights
from grokinterp.runs._snapshot import Snapshot
from grokinterp.tasks import Task

from ._content import whole_number
from ._contents import Contents
from ._foreign import read_foreign, tensors_of
from ._layout import Asked, Found, read_settings, require_tensors, with_zero_biases
from ._stated import stated_training

LAYOUT = "chughtai"
_GROUPS = {"CyclicGroup": "Z", "DihedralGroup": "D", "SymmetricGroup": "S", "AlternatingGroup": "A"}
_MLP = frozenset({"W_x", "W_y", "W", "W_U"})
# Stored beside the weights: two names more for W_E, and the constants of attention.
_NO_WEIGHTS = ("x_embed", "y_embed", "blocks.0.attn.mask", "blocks.0.attn.IGNORE")
_DATA, _QUANTITIES = ("train", "test", "all"), {"loss": "loss", "acc": "accuracy"}


def reads(said: Contents) -> bool:
    """Whether a network has a `cfg.json` in its folder that names a group, as theirs do."""
    beside = said.path.with_name("cfg.json")
    return bool(said.state) and beside.is_file() and {"group", "frac_train"} <= read_settings(beside).keys()


def read_file(said: Contents, asked: Asked) -> Found:
    """The network at `said.path` with the settings in its folder."""
    return replace(read_folder(said.path.parent, asked, said.path.name), said=said)


def chughtai_snapshot(folder: str | Path) -> Snapshot:
    """The network in a folder of `batch_experiments` of bilal-chughtai/rep-theory-mech-interp, with its task and split.

    The folder holds `cfg.json` and `model.pt`, a state dict in TransformerLens' names and layout. The elements of S_n
    and A_n are in sympy's order and the split is `torch.randperm` under the run's seed: losses on train and test
    pairs are those of the authors' `summary_metrics.json`.

    **Raises** `GrokinterpError` for a missing or damaged file, and for an unknown group or model.
    """
    found = read_folder(Path(folder), Asked())
    ((step, weights),) = found.checkpoints()
    return Snapshot(step=step, task=Task(found.task), config=found.model, weights=weights)


def read_folder(folder: Path, asked: Asked, model_name: str = "model.pt") -> Found:
    """The folder as a run of one checkpoint, the last."""
    for name in ("cfg.json", model_name):
        if not (folder / name).is_file():
            raise GrokinterpError(f"{folder} holds no {name}; name a folder that holds cfg.json and model.pt")
    settings = read_settings(folder / "cfg.json")
    if settings.get("model") not in ("Transformer", "OneLayerMLP"):
        raise GrokinterpError(
            f"{folder / 'cfg.json'}: model = {settings.get('model')!r}: needs 'Transformer' or 'OneLayerMLP'"
        )
    is_mlp = settings["model"] == "OneLayerMLP"
    if not isinstance(settings.get("group"), str) or settings["group"] not in _GROUPS:
        raise GrokinterpError(
            f"{folder / 'cfg.json'}: group = {settings.get('group')!r}: needs one of {', '.join(_GROUPS)}"
        )
    permutes = settings["group"] in ("SymmetricGroup", "AlternatingGroup")
    try:
        task = asked.task_config(
            operation="compose",
            group=f"{_GROUPS[settings['group']]}{settings['group_parameter']}",
            element_order="sympy" if permutes else "standard",
            train_fraction=settings["frac_train"],
            split_scheme="torch",
            split_seed=settings["seed"],
            equals_token=not is_mlp,
            own_tokens_for_b=is_mlp,
        )
    except KeyError as missing:
        raise GrokinterpError(f"{folder / 'cfg.json'} lacks {missing}; restore it from a copy") from None
    note = f"The split is torch.randperm at the seed of cfg.json, {task.split_seed}."
    if task.split_seed == 0 and task.train_fraction is not None:
        # Their code reads seed 0 as no seed, and takes the pairs in their order.
        first = tuple(range(int(task.train_fraction * Task(task).n_pairs)))
        task = task.with_train_pairs(first)
        note = (
            "The train pairs are the first ones, since the released code does not shuffle at seed 0, that of cfg.json."
        )
    path = folder / model_name
    stored = tensors_of(read_foreign(path), path)
    if is_mlp:
        model, weights = _mlp(stored, Task(task), asked, path)
    else:
        model = asked.model_config(**_sizes(stored), outputs="answers", biases="none")
        kept = {name: tensor for name, tensor in stored.items() if name not in _NO_WEIGHTS}
        weights = checked_weights(kept, model, Task(task), path, described_by="cfg.json")
    beside = folder / "summary_metrics.json"
    summary = read_settings(beside) if beside.is_file() else {}
    steps = whole_number(settings, "num_epochs", folder / "cfg.json") or 0
    return Found(
        layout=LAYOUT,
        task=task,
        model=model,
        training=stated_training(steps, settings),
        checkpoints=lambda: iter([(steps, weights)]),
        notes=(note,),
        stated=_stated(summary),
        last=lambda: weights,
    )


def _stated(summary: Mapping[str, Any]) -> dict[str, float]:
    """The losses and accuracies of `summary_metrics.json`."""
    names = {f"{data}_{short}": f"{data}_{long}" for data in _DATA for short, long in _QUANTITIES.items()}
    return {ours: float(summary[name]) for name, ours in names.items() if type(summary.get(name)) in (int, float)}


def _sizes(stored: Tensors) -> dict[str, Any]:
    """The widths that the tensors tell: cfg.json does not, and the released networks all have those of the paper."""
    W_Q, W_in = stored.get("blocks.0.attn.W_Q"), stored.get("blocks.0.mlp.W_in")
    if W_Q is None or W_in is None or W_Q.ndim != 3 or W_in.ndim != 2:
        return {}  # The check of all names and shapes says what is wrong.
    heads, d_model, d_head = W_Q.shape
    return {"n_heads": heads, "d_model": d_model, "d_head": d_head, "d_mlp": W_in.shape[1]}


def _mlp(stored: Tensors, task: Task, asked: Asked, path: Path) -> tuple[ModelConfig, Tensors]:
    """ReLU([W_x[a], W_y[b]] W) W_U, without biases."""
    require_tensors(stored.keys(), _MLP, path, "W_x, W_y, W and W_U of a OneLayerMLP; restore the file")
    W_x, W_y, W, W_U = (stored[name] for name in ("W_x", "W_y", "W", "W_U"))
    if W_x.ndim != 2 or W_x.shape != W_y.shape or W.ndim != 2:
        raise GrokinterpError(
            f"{path}: W_x, W_y and W have shapes {tuple(W_x.shape)}, {tuple(W_y.shape)} and {tuple(W.shape)}; needs "
            "two equal matrices and a matrix"
        )
    model = asked.model_config(
        architecture="mlp",
        mlp_inputs="concatenation",
        d_model=W_x.shape[1],
        d_mlp=W.shape[1],
        outputs="answers",
        biases="none",
    )
    weights = {"embed.W_E": torch.cat([W_x, W_y]), "blocks.0.mlp.W_in": W, "unembed.W_U": W_U}
    return model, with_zero_biases(weights, model, task, path)
