"""TransformerLens: state dicts of a `HookedTransformer` (3) or a bridge (4), and the file of its Grokking demo."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task, TaskConfig

from ._bridge import in_layout_of_3, is_bridge
from ._content import indices, numbers
from ._contents import Contents
from ._foreign import tensors_of
from ._layout import Asked, Found, is_state_dict, with_zero_biases
from ._split_said import curves_said, split_of, split_said
from ._stated import stated_training
from ._tl_config import of_training, stated
from ._tl_tensors import biases, direction, fitted, left_out, normalization, require_held, sizes, task_sizes

LAYOUT = "transformer-lens"
DEMO = "transformer-lens-demo"
_TELLING = {"embed.W_E": 2, "unembed.W_U": 2, "blocks.0.attn.W_Q": 3, "blocks.0.attn.W_O": 3}
# Settings that tensors do not always tell; what is not assumed of them is known.
_OPEN = {"model.act_fn", "model.normalization", "model.attention"}
_MOST_NAMED = 12


def reads(said: Contents) -> bool:
    """Whether the weights are a state dict in TransformerLens' layout: W_O has a row per head, or linear layers."""
    return _is_state_dict_of_lens(said.state)


def reads_demo(said: Contents) -> bool:
    """Whether it is the demo's file: checkpoints of that layout with their epochs."""
    content = said.content
    if not isinstance(content, Mapping) or not {"checkpoints", "checkpoint_epochs"} <= content.keys():
        return False
    checkpoints = content["checkpoints"]
    return isinstance(checkpoints, list | tuple) and bool(checkpoints) and _is_state_dict_of_lens(checkpoints[0])


def _is_state_dict_of_lens(content: Any) -> bool:
    if not is_state_dict(content):
        return False
    if is_bridge(content):
        return True
    return all(name in content and content[name].ndim == axes for name, axes in _TELLING.items())


def read_file(said: Contents, asked: Asked) -> Found:
    """A state dict of a task that the user names; its split is unknown unless the file or the user lists it."""
    path, weights = said.path, said.tensors()
    if is_bridge(weights):
        weights = in_layout_of_3(weights, asked, said.config, path)
    read = _read(weights, said.config, asked, path)
    if "operation" not in {*asked.task, *read.task}:
        raise GrokinterpError(
            f"{path} is a state dict, which does not say what the network computes; name the task, such as "
            "--set task.operation=add --set task.p=113"
        )
    known = {"split_seed", "split_scheme"} & asked.task.keys()
    task = asked.task_config(**read.task, split_scheme="nanda" if known else "unknown")
    model = _model(read, task, asked)
    fit = _fit(model, task, path)
    left = left_out(read.sizes, model, Task(task.without_split()))
    note = _as_asked(task, asked) if known else "The split is unknown."
    if not known and not asked.split_is_settled:
        task, note = split_said(said, task, model, fit(weights))
    metrics, of_curves = curves_said(said)
    return Found(
        layout=LAYOUT,
        task=task,
        model=model,
        training=stated_training(said.step, of_training(said.config), said.optimizer),
        checkpoints=lambda: iter([(said.step or 0, fit(weights))]),
        metrics=metrics,
        notes=tuple(
            x
            for x in (
                note,
                *read.notes,
                *left,
                _assumption(read, task),
                *said.notes,
                said.step_note,
                of_curves,
                said.leftover,
            )
            if x
        ),
        said=said,
        assumed=tuple(read.assumed),
        settled=_settled(read),
        step_is_known=said.step is not None,
    )


def _as_asked(task: TaskConfig, asked: Asked) -> str:
    """What is said of a split that the user named, with what was assumed of it."""
    names = ("split_scheme", "train_fraction", "split_seed") if task.split_scheme in ("nanda", "torch") else ()
    assumed = [f"task.{name} = {getattr(task, name)}" for name in names if name not in asked.task]
    note = "The split is as asked; a state dict has no losses to hold it against."
    return f"{note} Assumed, since it was not named: {', '.join(assumed)}." if assumed else note


def read_demo(contents: Contents, asked: Asked) -> Found:
    """The demo's file: addition mod p, its checkpoints, and the split by its indices."""
    path, content = contents.path, contents.content
    epochs, checkpoints = indices(content, "checkpoint_epochs", path), content["checkpoints"]
    if len(epochs) != len(checkpoints):
        raise GrokinterpError(f"{path}: {len(checkpoints)} checkpoints with {len(epochs)} epochs; needs one each")
    if len(set(epochs)) != len(epochs) or min(epochs) < 0:
        raise GrokinterpError(f"{path}: checkpoint_epochs repeat or are negative; each checkpoint needs one of its own")
    last = tensors_of(checkpoints[-1], path)
    read = _read(last, contents.config, asked, path)
    task = asked.task_config(**{"operation": "add", **read.task})
    n_pairs = Task(task.without_split()).n_pairs
    if content.get("train_indices") is None:
        task, note = task.without_split(), "The split is unknown: the file has no train_indices."
    else:
        task, note = split_of(task, indices(content, "train_indices", path), n_pairs)
    model = _model(read, task, asked)
    fit = _fit(model, task, path)
    train, test = numbers(content, "train_losses", path), numbers(content, "test_losses", path)
    metrics = [
        {"step": epoch, "train_loss": loss} | ({"test_loss": test[epoch]} if epoch < len(test) else {})
        for epoch, loss in enumerate(train)
    ]
    steps = [epoch + 1 for epoch in epochs]
    stored = dict(zip(steps, checkpoints, strict=True))
    if _is_state_dict_of_lens(content.get("model")) and len(train) >= max(steps):
        stored[len(train)] = content["model"]
    return Found(
        layout=DEMO,
        task=task,
        model=model,
        training=stated_training(max(stored), of_training(contents.config), contents.optimizer),
        checkpoints=lambda: ((step, fit(tensors_of(state, path))) for step, state in sorted(stored.items())),
        metrics=metrics,
        notes=(
            note,
            *read.notes,
            *left_out(read.sizes, model, Task(task.without_split())),
            _assumption(read, task),
            *contents.notes,
        ),
        said=contents,
        assumed=tuple(read.assumed),
        stated=_stated_last(train, test),
        settled=_settled(read),
        last=lambda: fit(tensors_of(stored[max(stored)], path)),
    )


def _settled(read: "_Read") -> frozenset[str]:
    """The settings that file and tensors leave no question about."""
    of_task = {f"task.{name}" for name in ("operation",) if name in read.task}
    return frozenset(of_task | (_OPEN - read.assumed.keys()))


def _stated_last(train: list[float], test: list[float]) -> dict[str, float]:
    """The last of the losses, those of the state before the last step."""
    return {name: losses[-1] for name, losses in (("train_loss", train), ("test_loss", test)) if losses}


@dataclass(frozen=True, eq=False)
class _Read:
    """What tensors, configuration and user say together: settings, what is assumed beside them, and sentences on it.

    `is_described`: whether there is a configuration of TransformerLens, which leaves nothing but the tokens open.
    """

    task: dict[str, Any]
    model: dict[str, Any]
    sizes: dict[str, int]
    notes: tuple[str, ...]
    assumed: dict[str, Any]
    is_described: bool


def _read(weights: Tensors, config: Mapping[str, Any], asked: Asked, path: Path) -> _Read:
    require_held(weights, path)
    found = sizes(weights)
    told = stated(config, found, path)
    of_task = task_sizes(found, asked.task, told.task.get("p"))
    n_positions = 2 + bool(of_task["equals_token"]) + bool(of_task["operator_token"])
    kind, on_kind = normalization(weights, told.model.get("normalization"))
    seen = told.model.get("attention", direction(weights, n_positions, path))
    assumed: dict[str, Any] = {}
    # Fewer outputs than tokens are the answers; of as many, some may be of no use.
    is_open = found["d_vocab_out"] >= found["d_vocab"] or found["d_vocab"] - found["d_vocab_out"] > n_positions - 2
    if is_open and not {"p", "group", "table"} & {*asked.task, *told.task}:
        assumed["task.p"] = of_task["p"]
    likely = {"normalization": (kind, "none"), "act_fn": (told.model.get("act_fn"), "relu")}
    if found["n_layers"] > 1:
        likely["attention"] = (seen, "causal")
    for name, (known, default) in likely.items():
        if known is None and name not in asked.model:
            assumed[f"model.{name}"] = default
    model = {name: found[name] for name in ("n_layers", "n_heads", "d_model", "d_head", "d_mlp")} | {
        **told.model,
        "normalization": kind or "none",
        "attention": seen or "causal",
        "biases": biases(weights),
    }
    notes = [on_kind] if on_kind and "normalization" not in asked.model else []
    if told.read:
        notes.append(f"Read from its configuration: {', '.join(told.read)}.")
    if told.unused:
        notes.append(f"Not used of its configuration: {', '.join(told.unused[:_MOST_NAMED])}{_more(told.unused)}.")
    return _Read({**told.task, **of_task}, model, found, tuple(notes), assumed, "normalization_type" in told.read)


def _assumption(read: _Read, task: TaskConfig) -> str:
    """What was assumed, in the words of settings where there are some, and how to say otherwise."""
    of, assumed = Task(task.without_split()), read.assumed
    order = f"that the network reads [{', '.join(of.positions)}]"
    if task.equals_token:
        order += f" with token {of.equals_token} as ="
    settings = ", ".join([order, *(f"{name} = {value}" for name, value in assumed.items())])
    rest = "" if read.is_described else ", and TransformerLens' defaults in all else"
    sentence = f"Assumed, since neither the file nor a setting says so: {settings}{rest}."
    if "model.normalization" in assumed:
        sentence += (
            " LNPre and RMSPre (LayerNorm and RMSNorm without weights) leave the same tensors as none: where the "
            "network has one, say so, such as --set model.normalization=LNPre."
        )
    if "model.act_fn" in assumed:
        sentence += " No tensor tells the activation: --set model.act_fn=gelu."
    if "task.p" in assumed:
        sentence += " Where some tokens are never used: --set task.p."
    return sentence


def _more(names: tuple[str, ...]) -> str:
    return f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""


def _model(read: _Read, task: TaskConfig, asked: Asked) -> ModelConfig:
    of, outputs = Task(task.without_split()), read.sizes["d_vocab_out"]
    answers = outputs == of.n_answers < of.n_tokens or of.n_answers < outputs < of.n_tokens
    return asked.model_config(**{**read.model, "outputs": "answers" if answers else "vocabulary"})


def _fit(model: ModelConfig, task: TaskConfig, path: Path) -> Any:
    return partial(_fitted, config=model, task=Task(task.without_split()), path=path)


def _fitted(stored: Tensors, config: ModelConfig, task: Task, path: Path) -> Tensors:
    return with_zero_biases(fitted(stored, config, task), config, task, path)
