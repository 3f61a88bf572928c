"""A network that lives in somebody's program, as a `Snapshot`: its weights under our names, its logits as the proof.

The weights are read as a file of the same state dict would be. What no tensor tells (the activation, a normalization
without weights, the scale of attention) is tried, and only a reading whose logits are the model's own on all pairs is
taken.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._folder import Tensors
from grokinterp.runs._snapshot import CHUNK, Snapshot
from grokinterp.tasks import Task

from ._contents import Contents
from ._import import asked_of
from ._layout import Asked, Found
from ._plain import plain_logits
from ._readings import Reading, alternatives
from ._route import read_said
from ._state import without_wrappers

# How far logits may be from the model's own, over the largest of these: those of a model in bfloat16 are so far off. Of
# float32 they are 1,000 times nearer, and no other reading is asked then; else the nearest of all counts.
_SAME, _SURELY = 1e-2, 1e-5
_GIVE = (
    "; give the task as the model reads it: TaskConfig's equals_token, operator_token and own_tokens_for_b (which "
    "one-hot inputs of a and b are)"
)
# What a message calls the model, where a file's path would stand.
_HERE = Path("the model")


def snapshot(
    model: Any,
    task: Task,
    *,
    step: int = 0,
    inputs: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
    names: Mapping[str, str] | None = None,
    settings: Iterable[str] = (),
) -> Snapshot:
    """Read a network out of your own program, as every analysis, `find_verdict` and the figures take it.

        found = grokinterp.snapshot(model, Task(TaskConfig(p=113, equals_token=False)))
        find_keys(found).chosen, grokinterp.find_verdict(found).label

    **Arguments:**

    - `model`: a `HookedTransformer`, whose `cfg` is read, or any module that is a transformer or an MLP of one of the
      kinds that `ModelConfig` describes, with parameters under names of its own. It is not changed.
    - `task`: what it answers, in the tokens that it reads: see `TaskConfig.equals_token` and the settings beside it.
    - `step`: the step it stands at, as figures name it.
    - `inputs`: what the model is called with to answer all pairs in the order of `task.pairs`, a tuple being several
      arguments; by default `task.tokens`. Of logits at several positions the last count.
    - `names`: your name of a parameter → one that is understood, such as `{"table": "embed.W_E"}`, where a name of
      yours does not tell what it is.
    - `settings`: ``model.KEY=VALUE``, for what neither the parameters nor `cfg` say, such as `model.n_heads=4`.

    **Raises** `GrokinterpError` where the parameters are of no network of these kinds, or where no reading of them
    gives the logits that the model gives. `progress` measures any logits.

    >>> from torch import nn
    >>> from grokinterp.tasks import TaskConfig
    >>> class Adder(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embedding = nn.Embedding(7, 8)
    ...         self.hidden, self.head = nn.Linear(8, 16), nn.Linear(16, 7)
    ...     def forward(self, tokens):
    ...         return self.head(nn.functional.gelu(self.hidden(self.embedding(tokens).sum(dim=1))))
    >>> found = snapshot(Adder(), Task(TaskConfig(p=7, equals_token=False)))
    >>> found.config.architecture, found.config.mlp_inputs, found.config.act_fn, found.neurons.shape
    ('mlp', 'sum', 'gelu', (49, 16))
    """
    return OwnModel.of(task, inputs, names, settings).snapshot(model, step)


@dataclass(frozen=True, eq=False)
class OwnModel:
    """How models of one program are called and read; arguments as those of `snapshot`."""

    task: Task
    inputs: tuple[torch.Tensor, ...] | None
    names: Mapping[str, str]
    asked: Asked

    @classmethod
    def of(
        cls,
        task: Task,
        inputs: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
        names: Mapping[str, str] | None = None,
        settings: Iterable[str] = (),
    ) -> "OwnModel":
        asked = asked_of(settings)
        if asked.task:
            raise GrokinterpError(
                f"settings: task.{next(iter(asked.task))} is the task's, which is given; leave it out, or give another "
                "task"
            )
        given = (inputs,) if isinstance(inputs, torch.Tensor) else inputs
        return cls(task, given, names or {}, replace(asked, task=dict(task.config), split_is_settled=True))

    def snapshot(self, model: Any, step: int = 0) -> Snapshot:
        """The model in the reading whose logits are its own."""
        if not isinstance(model, torch.nn.Module):
            raise GrokinterpError(
                f"the model is of type {type(model).__name__}, which has no parameters to read: give a "
                "torch.nn.Module, or measure its logits with grokinterp.progress"
            )
        own = self.logits(model).double().cpu()
        first, weights = self._translated(model)
        nearest, least = first, math.inf
        for reading in _readings(self.task, first, self.asked):
            config = ModelConfig(**{**dict(first), **reading.model})
            logits = plain_logits(config, self.task, weights, self.task.tokens)[:, : self.task.n_answers].double()
            apart = _apart(logits, own)
            if apart < least:
                nearest, least = config, apart
            if least <= _SURELY:
                break
        if least <= _SAME:
            return Snapshot(step, self.task, nearest, weights)
        raise GrokinterpError(
            f"the model's parameters can be read as those of a network of architecture {first.architecture}, but its "
            f"logits on {self.task.name} are others than the model's ({least:.0%} of their size apart at best): the "
            "model computes something else, or reads its inputs otherwise; state what differs with settings=…, or "
            "measure its logits with grokinterp.progress"
        )

    def known(self, model: torch.nn.Module, config: ModelConfig, step: int = 0) -> Snapshot:
        """A model whose reading `snapshot` has found, with the weights that it has now."""
        return Snapshot(step, self.task, config, self._translated(model)[1])

    def logits(self, model: torch.nn.Module) -> Float[torch.Tensor, "pair answer"]:
        """The model's own logits of all pairs, where the model is."""
        parameter = next(model.parameters(), None)
        device = torch.device("cpu") if parameter is None else parameter.device
        given = (self.task.tokens,) if self.inputs is None else self.inputs
        # Parts may be in another mode than the whole, such as a frozen one.
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            with torch.no_grad():
                pieces = zip(*(argument.split(CHUNK) for argument in given), strict=True)
                found = [model(*(rows.to(device) for rows in piece)) for piece in pieces]
        except Exception as error:
            raise self._not_called(error) from error
        finally:
            for module, mode in modes:
                module.training = mode
        logits = torch.cat([chunk[:, -1] if chunk.ndim == 3 else chunk for chunk in found])
        if logits.ndim != 2 or len(logits) != self.task.n_pairs or logits.shape[1] < self.task.n_answers:
            raise GrokinterpError(
                f"the model's logits have the shape {tuple(logits.shape)}; {self.task.name} needs a row for each of "
                f"{self.task.n_pairs:,} pairs and {self.task.n_answers} answers: give the task that the model answers, "
                "or inputs=…"
            )
        return logits[:, : self.task.n_answers]

    def _not_called(self, error: Exception) -> GrokinterpError:
        what = "task.tokens" if self.inputs is None else "the inputs"
        reads = f"{self.task.name} reads [{', '.join(self.task.positions)}] in {self.task.n_tokens} tokens"
        said = " ".join(str(error).split())[:150]
        return GrokinterpError(
            f"the model raised {type(error).__name__} ({said}) on {what}; {reads}: give the task as the model reads "
            "it, such as TaskConfig(p=…, equals_token=False), or inputs=…"
        )

    def _translated(self, model: torch.nn.Module) -> tuple[ModelConfig, Tensors]:
        """The weights under our names, and the configuration as far as they tell it."""
        state = {name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
        unknown = sorted(self.names.keys() - state.keys())
        if unknown:
            raise GrokinterpError(f"names: the model has no parameter {unknown[0]}; it has {', '.join(state)}")
        # Copies: the program goes on and changes its own.
        renamed = {self.names.get(name, name): value.detach().cpu().clone() for name, value in state.items()}
        # The activation is tried; an MLP on one-hot inputs is not read without one.
        config = _settings_of(model) or {"act_fn": "relu"}
        said = Contents(path=_HERE, content=renamed, state=without_wrappers(renamed), config=config)
        found = _found(said, self.asked)
        return found.model, next(iter(found.checkpoints()))[1]


def _found(said: Contents, asked: Asked) -> Found:
    try:
        return read_said(said, "auto", asked)
    except GrokinterpError as error:
        # The command's options are this function's arguments, and no file is to be restored.
        words = re.sub(r"--set ([\w.]+=[\w.]+)", r'settings=["\1"]', str(error))
        words = re.sub(r"; restore the file or .* from a copy", _GIVE, words)
        raise GrokinterpError(words) from None


def _settings_of(model: torch.nn.Module) -> dict[str, Any]:
    """What `cfg` says, where the model has one, in plain values."""
    config: Any = getattr(model, "cfg", None)
    if hasattr(config, "to_dict"):
        config = config.to_dict()
    if not isinstance(config, Mapping):
        return {}
    return {str(name): value for name, value in config.items() if value is None or isinstance(value, str | int | float)}


def _readings(task: Task, model: ModelConfig, asked: Asked) -> Iterator[Reading]:
    """The model as it was read, then with one and with two things otherwise that no tensor tells."""
    free = [of for of in alternatives(task.config, model) if of.model and not of.model.keys() & asked.model.keys()]
    yield Reading()
    yield from free
    for one, other in combinations(free, 2):
        if not one.settings.keys() & other.settings.keys():
            yield one + other


def _apart(logits: Float[torch.Tensor, "pair answer"], own: Float[torch.Tensor, "pair answer"]) -> float:
    """The largest difference, over the largest of the model's logits; both without their means over the answers."""
    centred = own - own.mean(dim=1, keepdim=True)
    difference = logits - logits.mean(dim=1, keepdim=True) - centred
    largest = centred.abs().max().item()
    return difference.abs().max().item() / largest if largest > 0 else float(bool(difference.abs().max() > 0))
