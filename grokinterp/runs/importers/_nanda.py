"""Nanda et al. 2023: single files, the released trainer's folders, and `full_run_data.pth`.

A file is a dictionary with `model`, a state dict, or `state_dicts`, a list of them with their `epochs`; losses,
`config` and `train_data` where it has them. Their state of epoch e has had e + 1 optimizer calls: our step e + 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task, TaskConfig

from ._content import indices, number, numbers, pairs, settings, whole_number
from ._contents import Contents, contents_of
from ._foreign import read_foreign, tensors_of
from ._layout import Asked, Found, is_state_dict, settled_by, translated
from ._neel import constants, is_neel, parts, sizes
from ._records import shown
from ._splits import StoredLosses, recognised
from ._stated import stated_training
from ._steps import checked_step

LAYOUT = "nanda"
_OPERATIONS = {"add": "add", "subtract": "subtract", "x2xyy2": "x2+xy+y2"}
# Fractions of the pairs that the paper trained on; .3 is the mainline's.
_FRACTIONS = (0.3, 0.9, 0.95, 0.8, 0.7, 0.6, 0.5, 0.4, 0.28, 0.25)
_SEEDS = range(10)


def reads(said: Contents) -> bool:
    """Whether a file's content is of this layout."""
    states = _listed(said.content)
    if states and isinstance(states[0], Mapping):
        return is_state_dict(states[0]) and _is_theirs(dict(states[0]))
    return _is_theirs(dict(said.state))


def _is_theirs(state: Tensors) -> bool:
    return is_neel(state) and len(state["pos_embed.W_pos"]) == 3


def _listed(content: Any) -> list[Any]:
    """The state dicts of `full_run_data.pth`."""
    states = content.get("state_dicts") if isinstance(content, Mapping) else None
    return list(states) if isinstance(states, list | tuple) else []


def read_file(said: Contents, asked: Asked) -> Found:
    """One file, with the checkpoints it holds."""
    path, content = said.path, _content(said)
    states: list[tuple[int, Any]] = []
    step: int | None = None
    if listed := _listed(content):
        epochs = indices(content, "epochs", path) if "epochs" in content else tuple(range(len(listed)))
        if len(epochs) != len(listed):
            raise GrokinterpError(f"{path}: {len(listed)} state_dicts with {len(epochs)} epochs; needs one each")
        if len(set(epochs)) != len(epochs) or min(epochs) < 0:
            raise GrokinterpError(f"{path}: its epochs repeat or are negative; each state_dict needs one of its own")
        states = sorted(((epoch + 1, state) for epoch, state in zip(epochs, listed, strict=True)), key=lambda x: x[0])
        step = states[-1][0]
    else:
        step = step_of(said)
        states = [(step or 0, said.state)]
    last = (step, states[-1][1])
    found = _found(path, content, last, asked, lambda: ((at, tensors_of(x, path)) for at, x in states))
    counted = bool(listed) or bool(numbers(content, "train_losses", path))
    notes = (*found.notes, *said.notes, *([said.step_note] if said.step_note and not counted else []))
    return replace(found, said=said, notes=notes)


def is_trainers(files: Sequence[Path]) -> bool:
    """Whether a folder's files are named as those of the released trainer: init.pth, {epoch}.pth, final.pth."""
    return any(file.stem in ("init", "final") for file in files)


def is_trainers_name(file: Path) -> bool:
    return file.stem in ("init", "final") or (file.stem.isascii() and file.stem.isdigit())


def read_folder(path: Path, files: Sequence[Path], asked: Asked) -> Found:
    """A folder `grok_<time>` of the released trainer, whose files are all of this layout."""
    by_name = {file.stem: file for file in files if is_trainers_name(file)}
    checkpoints = [(0, by_name["init"])] if "init" in by_name else []
    checkpoints += sorted((int(name) + 1, file) for name, file in by_name.items() if name not in ("init", "final"))
    last = _look(by_name["final"] if "final" in by_name else checkpoints[-1][1])
    last_step = step_of(last) or 0 if "final" in by_name else checkpoints[-1][0]
    if "final" in by_name:
        checkpoints = [(step, file) for step, file in checkpoints if step != last_step]
        checkpoints.append((last_step, by_name["final"]))
    content = dict(_content(last))
    if "init" in by_name:
        content |= {"train_data": _content(_look(by_name["init"])).get("train_data")}

    def stored() -> Iterator[tuple[int, Tensors]]:
        for step, file in checkpoints:
            yield checked_step(step, file), _look(file).tensors()

    return replace(_found(path, content, (last_step, last.state), asked, stored), said=last)


def _look(file: Path) -> Contents:
    return contents_of(file, read_foreign(file))


def _content(said: Contents) -> Mapping[str, Any]:
    """What stands beside the weights, which may be the file's whole content."""
    return said.content if isinstance(said.content, Mapping) else {}


def step_of(said: Contents) -> int | None:
    """How many optimizer calls the state has had; None where neither epoch nor losses nor the file's name tell."""
    content, path = _content(said), said.path
    losses, epoch = numbers(content, "train_losses", path), whole_number(content, "epoch", path)
    if epoch is None and said.step is not None:
        epoch = said.step
    if losses and (epoch is None or epoch in (len(losses) - 1, len(losses))):
        return len(losses)
    return None if epoch is None else checked_step(epoch + 1, path)


def _found(path: Path, content: Mapping[str, Any], last: tuple[int | None, Any], asked: Asked, stored: Any) -> Found:
    step, weights = last[0], tensors_of(last[1], path)
    said = settings(content, "config", path)
    vocabulary = weights["embed.W_E"].shape[1]
    task = asked.task_config(p=vocabulary - 1, operation=_operation(said, asked, path))
    model = asked.model_config(**sizes(weights, path), act_fn=str(said.get("act_type", "relu")).lower())
    translate = partial(
        translated,
        parts=parts(model.n_layers, model.n_heads),
        config=model,
        task=Task(task.without_split()),
        path=path,
        ignored=constants(weights),
    )
    task, note = _split(task, model, translate(weights), content, said, step, asked, path)
    stated = _losses_at(content, step, path)
    return Found(
        layout=LAYOUT,
        task=task,
        model=model,
        training=stated_training(step, said, content.get("optimizer")),
        checkpoints=lambda: ((at, translate(x)) for at, x in stored()),
        metrics=_metrics(content, path),
        notes=(note,),
        stated={} if stated is None else {"train_loss": stated.train, "test_loss": stated.test},
        settled=settled_by(said),
        last=lambda: translate(weights),
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
    step: int | None,
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
        return task.with_train_pairs(listed), "The file lists its train pairs."
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
    found, note = recognised(
        task,
        model,
        weights,
        stored,
        fractions=[x for x in fractions if x is not None],
        seeds=[int(x) for x in seeds if x is not None],
        asked_seed=asked.task.get("split_seed"),
    )
    if found.split_scheme == "unknown" and type(fraction) is float and 0 < fraction < 1:
        found = found.model_copy(update={"train_fraction": fraction})
    return found, note


def _losses_at(content: Mapping[str, Any], step: int | None, path: Path) -> StoredLosses | None:
    """The losses of the state with `step` optimizer calls, or the nearest before."""
    train, test = numbers(content, "train_losses", path), numbers(content, "test_losses", path)
    if train and test:
        every = _cadence(len(train), len(test))
        at = len(train) - 1 if step is None else min(step, len(train) - 1)
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
