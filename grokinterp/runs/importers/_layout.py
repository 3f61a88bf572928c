"""What an importer makes of other people's files: an ordinary run, before it is written."""

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.guard import read_json
from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs._folder import Tensors
from grokinterp.runs._regular import MOST_OF_RECORD, read_regular
from grokinterp.runs._run import checked_weights
from grokinterp.runs._stated import StatedTraining
from grokinterp.tasks import Task, TaskConfig

if TYPE_CHECKING:
    from ._contents import Contents


@dataclass(frozen=True)
class Asked:
    """What the user says of a network that its file does not: task and model settings by name.

    `split_is_settled`: the task's split is that of another file of the same run, and needs no recognition.
    """

    task: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    split_is_settled: bool = False

    def task_config(self, **said: Any) -> TaskConfig:
        """The task as the file says it, and as the user does where both do."""
        return TaskConfig(**{**said, **self.task})

    def model_config(self, **said: Any) -> ModelConfig:
        """The model likewise; how its weights were first drawn is unknown unless one of the two says it."""
        return ModelConfig(**{"initialisation": None, "seed": None, **said, **self.model})


@dataclass(frozen=True, eq=False)
class Found:
    """A file or folder as one layout reads it.

    - `checkpoints`: yields (step, weights) in TransformerLens 3's names and shapes, one at a time.
    - `metrics`: a row per step that the file has losses of.
    - `notes`: what a reader of the report should know of the import, such as how the split was recognised.
    - `said`: what the file says (of a folder, its last file), stated losses and the optimizer's settings among it.
    - `assumed`: settings that neither the file nor the user states, such as `model.normalization`.
    - `step_is_known`: false where nobody states the step of its one checkpoint, which is then kept as 0.
    - `stated`: losses and accuracies that the file gives its last checkpoint, where `said` does not have them.
    - `settled`: names of settings, such as `task.operation`, that the file's own words leave no question about.
    - `last`: the weights of the last checkpoint, where they can be had without reading all the others.
    """

    layout: str
    task: TaskConfig
    model: ModelConfig
    training: StatedTraining
    checkpoints: Callable[[], Iterator[tuple[int, Tensors]]]
    metrics: list[dict[str, int | float]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    said: "Contents | None" = None
    step_is_known: bool = True
    assumed: tuple[str, ...] = ()
    stated: Mapping[str, float] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    last: Callable[[], Tensors] | None = None


# What settles a setting in a file's own words, by the names of TransformerLens and other trainers.
_SETTLES = {
    "act_fn": "model.act_fn", "act_type": "model.act_fn", "activation": "model.act_fn",
    "normalization_type": "model.normalization", "normalization": "model.normalization",
    "attention_dir": "model.attention", "use_attn_scale": "model.attn_scale", "attn_scale": "model.attn_scale",
    "parallel_attn_mlp": "model.parallel_attn_mlp",
    "fn_name": "task.operation", "operation": "task.operation", "funcs": "task.operation",
}  # fmt: skip


def settled_by(config: Mapping[str, Any]) -> frozenset[str]:
    """The settings that a file's configuration leaves no question about.

    >>> sorted(settled_by({"act_fn": "gelu", "lr": 0.001}))
    ['model.act_fn']
    """
    return frozenset(ours for theirs, ours in _SETTLES.items() if theirs in config)


@dataclass(frozen=True)
class Part:
    """How one tensor of a layout becomes one of ours: their name, and what is done to it."""

    source: str
    change: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor


def translated(
    stored: Tensors, parts: Mapping[str, Part], config: ModelConfig, task: Task, path: Path, *, ignored: frozenset[str]
) -> Tensors:
    """`stored` by the table `parts` (our name → part); what our network has beside it is zero.

    A tensor that is missing, left over or of another shape is an error that names it, its shape and what was expected.
    """
    sources = {part.source for part in parts.values()}
    needed = f"{len(sources)} tensors of this layout; name another with --layout, or restore the file"
    require_tensors(stored.keys() - ignored, sources, path, needed)
    weights: Tensors = {}
    for name, part in parts.items():
        try:
            weights[name] = part.change(stored[part.source]).contiguous()
        except (RuntimeError, IndexError):
            raise GrokinterpError(
                f"{path}: {part.source} has shape {tuple(stored[part.source].shape)}, from which no {name} can be made"
            ) from None
    return with_zero_biases(weights, config, task, path)


def require_tensors(held: Set[str], sources: Set[str], path: Path, needed: str) -> None:
    """Refuse a file whose tensors are not those of its layout."""
    missing, unknown = sorted(sources - held), sorted(held - sources)
    if missing or unknown:
        raise GrokinterpError(
            f"{path} lacks the tensors {missing or 'none'} and holds others, {unknown or 'none'}: needs {needed}"
        )


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that stand beside a network, as JSON."""
    try:
        settings = read_json(read_regular(path, MOST_OF_RECORD), nan=True)
    except ValueError as error:
        raise GrokinterpError(f"{path} is no JSON ({error}); restore it from a copy") from None
    if not isinstance(settings, dict):
        raise GrokinterpError(f"{path}: needs keys with values; restore it from a copy")
    return settings


def with_zero_biases(weights: Tensors, config: ModelConfig, task: Task, path: Path) -> Tensors:
    """`weights` with the biases that a layout does not have, checked against `config`."""
    shapes = weight_shapes(config, task)
    zeros = {name: torch.zeros(shape) for name, shape in shapes.items() if ".b_" in name and name not in weights}
    return checked_weights(weights | zeros, config, task, path, described_by=f"a network of {task.name}")


def is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(x, torch.Tensor) for x in value.values())
