"""Nanda et al. 2023: single files, the released trainer's folders, and `full_run_data.pth`.

A file is a dictionary with `model`, a state dict, or `state_dicts`, a list of them with their `epochs`; losses,
`config` and `train_data` where it has them. Their state of epoch e has had e + 1 optimizer calls: our step e + 1.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._config import TrainingConfig
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task, TaskConfig

from ._content import indices, number, numbers, pairs, settings, whole_number
from ._foreign import read_foreign, tensors_of
from ._layout import Asked, Found, is_state_dict, translated
from ._neel import constants, is_neel, parts, sizes
from ._records import kind_of, shown
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
    states = content.get("state_dicts")
    model = states[0] if isinstance(states, list | tuple) and states else content.get("model", content)
    return is_state_dict(model) and is_neel(dict(model)) and len(model["pos_embed.W_pos"]) == 3


def read_file(path: Path, content: Mapping[str, Any], asked: Asked) -> Found:
    """One file, with the checkpoints it holds."""
    states: list[tuple[int, Any]] = []
    listed = content.get("state_dicts")
    if isinstance(listed, list | tuple) and listed:
        epochs = indices(content, "epochs", path) if "epochs" in content else tuple(range(len(listed)))
        if len(epochs) != len(listed):
            raise GrokinterpError(f"{path}: {len(listed)} state_dicts with {len(epochs)} epochs; needs one each")
        if len(set(epochs)) != len(epochs) or min(epochs) < 0:
            raise GrokinterpError(f"{path}: its epochs repeat or are negative; each state_dict needs one of its own")
        states = sorted(((epoch + 1, state) for epoch, state in zip(epochs, listed, strict=True)), key=lambda x: x[0])
    else:
        states = [(_step(content, path), content.get("model", content))]
    return _found(path, content, states[-1], asked, lambda: ((step, tensors_of(x, path)) for step, x in states))


def read_folder(path: Path, asked: Asked) -> Found:
    """A folder `grok_<time>` of the released trainer: init.pth, {epoch}.pth, final.pth."""
    files = {file.stem: file for file in path.glob("*.pth")}
    numbered = sorted((int(name) + 1, file) for name, file in files.items() if name.isdigit())
    checkpoints = [(0, files["init"])] if "init" in files else []
    checkpoints += numbered
    last = _content(files["final"] if "final" in files else checkpoints[-1][1])
    last_step = _step(last, path)
    if "final" in files:
        checkpoints = [(step, file) for step, file in checkpoints if step != last_step] + [(last_step, files["final"])]
    content = dict(last)
    if "init" in files:
        content |= {"train_data": _content(files["init"]).get("train_data")}

    def stored() -> Iterator[tuple[int, Tensors]]:
        for step, file in checkpoints:
            yield step, tensors_of(_content(file)["model"], file)

    return _found(path, content, (last_step, last["model"]), asked, stored)


def _content(file: Path) -> Mapping[str, Any]:
    """One file of a trainer's folder."""
    content = read_foreign(file)
    if not isinstance(content, Mapping) or "model" not in content:
        raise GrokinterpError(
            f"{file} holds {kind_of(content)} without model; a folder of the released trainer is needed: move other "
            "files elsewhere"
        )
    return content


def _step(content: Mapping[str, Any], path: Path) -> int:
    """How many optimizer calls the state has had; the initial file has no epoch."""
    losses, epoch = numbers(content, "train_losses", path), whole_number(content, "epoch", path)
    if losses and (epoch is None or epoch in (len(losses) - 1, len(losses))):
        return len(losses)
    return 0 if epoch is None else epoch + 1


def _found(path: Path, content: Mapping[str, Any], last: tuple[int, Any], asked: Asked, stored: Any) -> Found:
    step, weights = last[0], tensors_of(last[1], path)
    said = settings(content, "config", path)
    vocabulary = weights["embed.W_E"].shape[1]
    task = asked.task_config(p=vocabulary - 1, operation=_operation(said, asked, path))
    model = asked.model_config(**sizes(weights, path), act_fn=str(said.get("act_type", "relu")).lower())
    translate = partial(
        translated,
        parts=parts(model.n_layers, model.n_heads),
        config=model,
        task=Task(without_split(task)),
        path=path,
        ignored=constants(weights),
    )
    task, note = _split(task, model, translate(weights), content, said, step, asked, path)
    return Found(
        layout=LAYOUT,
        task=task,
        model=model,
        training=_training(said, content, step, path),
        checkpoints=lambda: ((at, translate(x)) for at, x in stored()),
        metrics=_metrics(content, path),
        notes=(note,),
    )


def _operation(said: Mapping[str, Any], asked: Asked, path: Path) -> str:
    if "operation" in asked.task:
        return asked.task["operation"]
    name = said.get("fn_name", "add")
    if not isinstance(name, str) or name not in _OPERATIONS:
        raise GrokinterpError(
            f"{path}: fn_name = {shown(name)}: only {', '.join(_OPERATIONS)} are known; name the task, such as "
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
    path: Path,
) -> tuple[TaskConfig, str]:
    if asked.split_is_settled:
        return task, ""
    of_training = pairs(content, "train_data", path)
    if of_training:
        if max(max(pair) for pair in of_training) >= task.p or min(min(pair) for pair in of_training) < 0:
            raise GrokinterpError(
                f"{path}: train_data holds numbers outside 0 … {task.p - 1}, the inputs of the network"
            )
        listed = tuple(a * task.p + b for a, b in of_training)
        return task.model_copy(
            update={"split_scheme": "listed", "train_pairs": listed}
        ), "The file lists its train pairs."
    stored = _losses_at(content, step, path)
    if stored is None and {"split_seed", "train_fraction"} & asked.task.keys():
        return task, "The split is as asked; the file has no losses to hold it against."
    fraction, seed = said.get("frac_train"), said.get("seed")
    fractions = [asked.task.get("train_fraction"), *_FRACTIONS]
    seeds = [asked.task.get("split_seed"), *_SEEDS]
    # What no split has, such as a seed of text, is no hint.
    if type(fraction) is float and 0 < fraction < 1:
        fractions.insert(1, fraction)
    if type(seed) is int and 0 <= seed < 2**63:
        seeds.insert(1, seed)
    return recognised(
        task,
        model,
        weights,
        stored,
        fractions=[x for x in fractions if x is not None],
        seeds=[int(x) for x in seeds if x is not None],
        asked_seed=asked.task.get("split_seed"),
    )


def _losses_at(content: Mapping[str, Any], step: int, path: Path) -> StoredLosses | None:
    """The losses of the state with `step` optimizer calls, or the nearest before."""
    train, test = numbers(content, "train_losses", path), numbers(content, "test_losses", path)
    if train and test:
        every = _cadence(len(train), len(test))
        at = min(step, len(train) - 1)
        return StoredLosses(train[at], test[min(at // every, len(test) - 1)])
    train, test = number(content, "train_loss", path), number(content, "test_loss", path)
    return None if train is None or test is None else StoredLosses(train, test)


def _cadence(n_train: int, n_test: int) -> int:
    """Every how many epochs the test loss was taken, if it was at epoch 0 and as a person would choose it.

    >>> _cadence(107_791, 10_780), _cadence(150, 15), _cadence(150, 150)
    (10, 10, 1)
    """
    fits = [every for every in (1, 10, 100, 1000, 2, 5, 20, 50, 4, 25) if -(-n_train // every) == n_test]
    return fits[0] if fits else -(-n_train // n_test)


def _metrics(content: Mapping[str, Any], path: Path) -> list[dict[str, int | float]]:
    """A row per epoch: the loss of epoch e is that of the state before its optimizer call."""
    train, test = numbers(content, "train_losses", path), numbers(content, "test_losses", path)
    rows: list[dict[str, int | float]] = [{"step": epoch, "train_loss": loss} for epoch, loss in enumerate(train)]
    every = _cadence(len(train), len(test)) if train and test else 0
    for at, loss in enumerate(test):
        if at * every < len(rows):
            rows[at * every]["test_loss"] = loss
    return rows


def _training(said: Mapping[str, Any], content: Mapping[str, Any], step: int, path: Path) -> TrainingConfig:
    found: dict[str, Any] = {"steps": max(step, 1)}
    rate = number(said, "lr", path)
    if rate is not None:
        found["learning_rate"] = rate
    groups = content.get("optimizer")
    groups = groups.get("param_groups") if isinstance(groups, Mapping) else None
    # What the optimizer held is what was done; the config of one released file says another weight decay.
    of_optimizer = groups[0] if isinstance(groups, list | tuple) and groups else None
    decay = number(of_optimizer if isinstance(of_optimizer, Mapping) else said, "weight_decay", path)
    if decay is not None:
        found["weight_decay"] = decay
    return TrainingConfig(**found)
