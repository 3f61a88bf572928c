"""The released transformers of Chughtai et al. 2023 (arXiv 2302.03025), read as snapshots."""

import json
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.tasks import Task, TaskConfig

from ._run import checked_weights
from ._snapshot import Snapshot

_GROUPS = {"CyclicGroup": "Z", "DihedralGroup": "D", "SymmetricGroup": "S", "AlternatingGroup": "A"}
# Stored beside the weights: two names more for W_E, and the constants of attention.
_NO_WEIGHTS = ("x_embed", "y_embed", "blocks.0.attn.mask", "blocks.0.attn.IGNORE")


def chughtai_snapshot(folder: str | Path) -> Snapshot:
    """The network in a folder of `batch_experiments` of bilal-chughtai/rep-theory-mech-interp, with its task and split.

    The folder holds `cfg.json` and `model.pt`, a state dict in TransformerLens' names and layout. The elements of S_n
    and A_n are in sympy's order and the split is `torch.randperm` under the run's seed: losses on train and test
    pairs are those of the authors' `summary_metrics.json`.

    **Raises** `GrokinterpError` for a missing or damaged file, for the one-layer MLPs, and for an unknown group.
    """
    folder = Path(folder)
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
        task = Task(
            TaskConfig(
                operation="compose",
                group=f"{_GROUPS[settings['group']]}{settings['group_parameter']}",
                element_order="sympy" if permutes else "standard",
                train_fraction=settings["frac_train"],
                split_scheme="torch",
                split_seed=settings["seed"],
            )
        )
    except KeyError as missing:
        raise GrokinterpError(f"{folder / 'cfg.json'} lacks {missing}; restore it from a copy") from None
    config = ModelConfig(outputs="answers", biases="none")
    path = folder / "model.pt"
    weights = checked_weights(_weights(path), config, task, path, described_by="cfg.json")
    return Snapshot(step=int(settings.get("num_epochs", 0)), task=task, config=config, weights=weights)


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text())
    except OSError as error:
        raise GrokinterpError(f"{path}: {error.strerror}; name a folder that holds cfg.json and model.pt") from None
    except ValueError:
        raise GrokinterpError(f"{path} is no JSON; restore it from a copy") from None
    if not isinstance(settings, dict):
        raise GrokinterpError(f"{path}: needs keys with values; restore it from a copy")
    return settings


def _weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise GrokinterpError(f"{path}: {error.strerror}; name a folder that holds cfg.json and model.pt") from None
    except Exception as error:  # Whatever unpickling says of a file that is none, such as a Git-LFS pointer.
        raise GrokinterpError(
            f"{path} is no file of weights ({type(error).__name__}); if it is a Git-LFS pointer, fetch the file itself"
        ) from None
    return {name: value.contiguous() for name, value in stored.items() if name not in _NO_WEIGHTS}
