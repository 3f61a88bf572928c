"""What an importer makes of other people's files: an ordinary run, before it is written."""

import json
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs._config import TrainingConfig
from grokinterp.runs._files import read_whole
from grokinterp.runs._folder import Tensors
from grokinterp.runs._run import checked_weights
from grokinterp.tasks import Task, TaskConfig


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
        return ModelConfig(**{**said, **self.model})


@dataclass(frozen=True, eq=False)
class Found:
    """A file or folder as one layout reads it.

    - `checkpoints`: yields (step, weights) in TransformerLens 3's names and shapes, one at a time.
    - `metrics`: a row per step that the file has losses of.
    - `notes`: what a reader of the report should know of the import, such as how the split was recognised.
    """

    layout: str
    task: TaskConfig
    model: ModelConfig
    training: TrainingConfig
    checkpoints: Callable[[], Iterator[tuple[int, Tensors]]]
    metrics: list[dict[str, int | float]] = field(default_factory=list)
    notes: tuple[str, ...] = ()


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
        settings = json.loads(read_whole(path))
    except ValueError:
        raise GrokinterpError(f"{path} is no JSON; restore it from a copy") from None
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
