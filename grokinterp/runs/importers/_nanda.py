"""Nanda et al. 2023: single files, the released trainer's folders, and `full_run_data.pth`.

A file is a dictionary with `model`, a state dict, or `state_dicts`, a list of them with their `epochs`; losses,
`config` and `train_data` where it has them. Their state of epoch e has had e + 1 optimizer calls: our step e + 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._config import TrainingConfig
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task, TaskConfig

from ._foreign import read_foreign, tensors_of
from ._layout import Asked, Found, is_state_dict, translated
from ._neel import constants, is_neel, parts, sizes
from ._splits import StoredLosses, recognised, without_split

LAYOUT = "nanda"
_OPERATIONS = {"add": "add", "subtract": "subtract", "x2xyy2": "x2+xy+y2"}
# Fractions of the pairs that the paper trained on; .3 is the mainline's.
_FRACTIONS = (0.3, 0.9, 0.95, 0.8, 0.7, 0.6, 0.5, 0.4, 0.28, 0.25)
_SEEDS = range(10)


def reads(content: Any) -> bool:
    """Whether a file's content is of this layout."""
    if not isinstance(content, Mapping):
        return False
    if "state_dicts" in content and isinstance(content["state_dicts"], Sequence) and content["state_dicts"]:
        return is_state_dict(content["state_dicts"][0]) and is_neel(dict(content["state_dicts"][0]))
    model = content.get("model", content)
    return is_state_dict(model) and is_neel(dict(model)) and len(model["pos_embed.W_pos"]) == 3


def read_file(path: Path, content: Mapping[str, Any], asked: Asked) -> Found:
    """One file, with the checkpoints it holds."""
    states: list[tuple[int, Any]] = []
    if "state_dicts" in content:
        epochs = content.get("epochs", range(len(content["state_dicts"])))
        if len(epochs) != len(content["state_dicts"]):
            raise GrokinterpError(
                f"{path}: {len(content['state_dicts'])} state_dicts with {len(epochs)} epochs; needs one each"
            )
        states = [(int(epoch) + 1, state) for epoch, state in zip(epochs, content["state_dicts"], strict=True)]
    else:
        states = [(_step(content), content.get("model", content))]
    return _found(path, content, states[-1], asked, lambda: ((step, tensors_of(x, path)) for step, x in states))


def read_folder(path: Path, asked: Asked) -> Found:
    """A folder `grok_<time>` of the released trainer: init.pth, {epoch}.pth, final.pth."""
    files = {file.stem: file for file in path.glob("*.pth")}
    numbered = sorted((int(name) + 1, file) for name, file in files.items() if name.isdigit())
    last = read_foreign(files["final"] if "final" in files else numbered[-1][1])
    checkpoints = [(0, files["init"])] if "init" in files else []
    checkpoints += numbered
    last_step = _step(last)
    if "final" in files:
        checkpoints = [(step, file) for step, file in checkpoints if step != last_step] + [(last_step, files["final"])]
    content = dict(last)
    if "init" in files:
        content |= {"train_data": read_foreign(files["init"]).get("train_data")}

    def stored() -> Iterator[tuple[int, Tensors]]:
        for step, file in checkpoints:
            yield step, tensors_of(read_foreign(file)["model"], file)

    return _found(path, content, (last_step, last["model"]), asked, stored)


def _step(content: Mapping[str, Any]) -> int:
    """How many optimizer calls the state has had; the initial file has no epoch."""
    losses, epoch = content.get("train_losses"), content.get("epoch")
    if losses is not None and (epoch is None or int(epoch) in (len(losses) - 1, len(losses))):
        return len(losses)
    return 0 if epoch is None else int(epoch) + 1


def _found(path: Path, content: Mapping[str, Any], last: tuple[int, Any], asked: Asked, stored: Any) -> Found:
    step, weights = last[0], tensors_of(last[1], path)
    said = dict(content.get("config") or {})
    vocabulary = weights["embed.W_E"].shape[1]
    task = asked.task_config(p=vocabulary - 1, operation=_operation(said, asked, path))
    model = asked.model_config(**sizes(weights), act_fn=str(said.get("act_type", "relu")).lower())
    translate = partial(
        translated,
        parts=parts(model.n_layers, model.n_heads),
        config=model,
        task=Task(without_split(task)),
        path=path,
        ignored=constants(weights),
    )
    task, note = _split(task, model, translate(weights), content, said, step, asked)
    return Found(
        layout=LAYOUT,
        task=task,
        model=model,
        training=_training(said, content, step),
        checkpoints=lambda: ((at, translate(x)) for at, x in stored()),
        metrics=_metrics(content),
        notes=(note,),
    )


def _operation(said: Mapping[str, Any], asked: Asked, path: Path) -> str:
    if "operation" in asked.task:
        return asked.task["operation"]
    name = said.get("fn_name", "add")
    if name not in _OPERATIONS:
        raise GrokinterpError(
            f"{path}: fn_name = {name!r}: only {', '.join(_OPERATIONS)} are known; name the task, such as "
            "--set task.operation=table --set task.table=FILE.csv"
        )
    return _OPERATIONS[name]


def _split(
    task: TaskConfig,
    model: ModelConfig,
    weights: Tensors,
    content: Mapping[str, Any],
    said: Mapping[str, Any],
    step: int,
    asked: Asked,
) -> tuple[TaskConfig, str]:
    if asked.split_is_settled:
        return task, ""
    pairs = content.get("train_data")
    if pairs:
        listed = tuple(int(a) * task.p + int(b) for a, b, *_ in pairs)
        return task.model_copy(
            update={"split_scheme": "listed", "train_pairs": listed}
        ), "The file lists its train pairs."
    stored = _losses_at(content, step)
    if stored is None:
        if {"split_seed", "train_fraction"} & asked.task.keys():
            return task, "The split is as asked; the file has no losses to hold it against."
        return without_split(task), "The split is unknown: the file has no losses to recognise it by."
    fractions = [asked.task.get("train_fraction"), said.get("frac_train"), *_FRACTIONS]
    seeds = [asked.task.get("split_seed"), said.get("seed"), *_SEEDS]
    return recognised(
        task,
        model,
        weights,
        stored,
        fractions=[x for x in fractions if x is not None],
        seeds=[int(x) for x in seeds if x is not None],
        asked_seed=asked.task.get("split_seed"),
    )


def _losses_at(content: Mapping[str, Any], step: int) -> StoredLosses | None:
    """The losses of the state with `step` optimizer calls, or the nearest before."""
    train, test = content.get("train_losses"), content.get("test_losses")
    if train and test:
        every = _cadence(len(train), len(test))
        at = min(step, len(train) - 1)
        return StoredLosses(float(train[at]), float(test[min(at // every, len(test) - 1)]))
    train, test = content.get("train_loss"), content.get("test_loss")
    return None if train is None or test is None else StoredLosses(float(train), float(test))


def _cadence(n_train: int, n_test: int) -> int:
    """Every how many epochs the test loss was taken, if it was at epoch 0 and as a person would choose it.

    >>> _cadence(107_791, 10_780), _cadence(150, 15), _cadence(150, 150)
    (10, 10, 1)
    """
    fits = [every for every in (1, 10, 100, 1000, 2, 5, 20, 50, 4, 25) if -(-n_train // every) == n_test]
    return fits[0] if fits else -(-n_train // n_test)


def _metrics(content: Mapping[str, Any]) -> list[dict[str, int | float]]:
    """A row per epoch: the loss of epoch e is that of the state before its optimizer call."""
    train, test = content.get("train_losses"), content.get("test_losses")
    if not train:
        return []
    rows: list[dict[str, int | float]] = [{"step": epoch, "train_loss": float(x)} for epoch, x in enumerate(train)]
    every = _cadence(len(train), len(test)) if test else 0
    for number, loss in enumerate(test or []):
        if number * every < len(rows):
            rows[number * every]["test_loss"] = float(loss)
    return rows


def _training(said: Mapping[str, Any], content: Mapping[str, Any], step: int) -> TrainingConfig:
    settings: dict[str, Any] = {"steps": max(step, 1)}
    if "lr" in said:
        settings["learning_rate"] = said["lr"]
    groups = content.get("optimizer")
    groups = groups.get("param_groups") if isinstance(groups, Mapping) else None
    # What the optimizer held is what was done; the config of one released file says another weight decay.
    decay = groups[0].get("weight_decay") if groups else said.get("weight_decay")
    if decay is not None:
        settings["weight_decay"] = float(decay)
    return TrainingConfig(**settings)
