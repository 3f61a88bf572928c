"""The released networks of Chughtai et al. 2023 (arXiv 2302.03025): folders with `cfg.json` and `model.pt`."""

import json
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._config import TrainingConfig
from grokinterp.runs._run import checked_weights
from grokinterp.runs._snapshot import Snapshot
from grokinterp.tasks import Task

from ._foreign import read_foreign, tensors_of
from ._layout import Asked, Found

LAYOUT = "chughtai"
_GROUPS = {"CyclicGroup": "Z", "DihedralGroup": "D", "SymmetricGroup": "S", "AlternatingGroup": "A"}
# Stored beside the weights: two names more for W_E, and the constants of attention.
_NO_WEIGHTS = ("x_embed", "y_embed", "blocks.0.attn.mask", "blocks.0.attn.IGNORE")
_FILES = ("cfg.json", "model.pt")


def reads_folder(path: Path) -> bool:
    return all((path / name).is_file() for name in _FILES)


def chughtai_snapshot(folder: str | Path) -> Snapshot:
    """The network in a folder of `batch_experiments` of bilal-chughtai/rep-theory-mech-interp, with its task and split.

    The folder holds `cfg.json` and `model.pt`, a state dict in TransformerLens' names and layout. The elements of S_n
    and A_n are in sympy's order and the split is `torch.randperm` under the run's seed: losses on train and test
    pairs are those of the authors' `summary_metrics.json`.

    **Raises** `GrokinterpError` for a missing or damaged file, for the one-layer MLPs, and for an unknown group.
    """
    found = read_folder(Path(folder), Asked())
    ((step, weights),) = found.checkpoints()
    return Snapshot(step=step, task=Task(found.task), config=found.model, weights=weights)


def read_folder(folder: Path, asked: Asked) -> Found:
    """The folder as a run of one checkpoint, the last."""
    for name in _FILES:
        if not (folder / name).is_file():
            raise GrokinterpError(f"{folder} holds no {name}; name a folder that holds cfg.json and model.pt")
    settings = _settings(folder / "cfg.json")
    if settings.get("model") != "Transformer":
        raise GrokinterpError(
            f"{folder / 'cfg.json'}: model = {settings.get('model')!r}: only the transformers are read ('Transformer')"
        )
    if settings.get("group") not in _GROUPS:
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
        )
    except KeyError as missing:
        raise GrokinterpError(f"{folder / 'cfg.json'} lacks {missing}; restore it from a copy") from None
    model, path = ModelConfig(outputs="answers", biases="none"), folder / "model.pt"
    stored = tensors_of(read_foreign(path), path)
    kept = {name: tensor for name, tensor in stored.items() if name not in _NO_WEIGHTS}
    weights = checked_weights(kept, model, Task(task), path, described_by="cfg.json")
    steps = int(settings.get("num_epochs", 0))
    return Found(
        layout=LAYOUT,
        task=task,
        model=model,
        training=TrainingConfig(steps=max(steps, 1), warmup_steps=0),
        checkpoints=lambda: iter([(steps, weights)]),
        notes=(f"The split is torch.randperm at the seed of cfg.json, {task.split_seed}.",),
    )


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text())
    except (ValueError, OSError):
        raise GrokinterpError(f"{path} is no JSON; restore it from a copy") from None
    if not isinstance(settings, dict):
        raise GrokinterpError(f"{path}: needs keys with values; restore it from a copy")
    return settings
