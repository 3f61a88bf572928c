"""Restricted and excluded loss inside a training loop of one's own, on the device that the logits are on.

The same numbers as `ProgressMeasures` and `measure` take from a checkpoint, from the logits of all pairs alone. What
depends on the task and the keys (where each pair's answer is, and the projection on the keys) is made once; of a step
no more is done than what is asked of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, accuracy, objectives
from grokinterp.runs import OwnModel
from grokinterp.tasks import Task

from ._components import Places, structure_needed
from ._curves import one_excluded
from ._key_irreps import logit_control
from ._logits import decompose_logits
from ._losses import DataSet, pairs_of

Logits = Float[torch.Tensor, "pair out"]


class Progress:
    """What `progress` returns: call it with the logits of all pairs, or with the model.

    - `task`: whose pairs they are; `keys`: the key frequencies or irreps, None where each call finds its own.
    """

    def __init__(self, own: OwnModel, keys: tuple[int, ...] | None) -> None:
        self.task = own.task
        self.keys = keys
        self._own = own
        self._tables: dict[torch.device, _Tables] = {}
        # How the fast forward reads the model; asked at the first call with one, None where it does not.
        self._config: ModelConfig | None = None
        self._is_asked = False

    def __call__(self, given: torch.nn.Module | Float[torch.Tensor, "..."]) -> "ProgressAt":
        """The measures of a model, or of its logits.

        - Of logits there is a row per pair in the order of `task.pairs`, answer c in column c; further columns, such as
          that of `=`, are left out. No gradient is taken.
        - A model on the CPU that `grokinterp.snapshot` reads, and that the fast forward covers, is evaluated by that,
          in a fraction of the time; at the first call the logits of the two are compared. Others are called themselves.
        """
        logits = self._logits_of(given) if isinstance(given, torch.nn.Module) else given
        needed = (self.task.n_pairs, self.task.n_answers)
        if logits.ndim != 2 or logits.shape[0] != needed[0] or logits.shape[1] < needed[1]:
            raise GrokinterpError(
                f"logits of shape {tuple(logits.shape)}: {self.task.name} needs those of all pairs, ({needed[0]:,}, "
                f"{needed[1]:,}), in the order of task.pairs; give model(task.tokens), at the position that answers"
            )
        of_answers = logits.detach()[:, : needed[1]]
        device = of_answers.device
        if device not in self._tables:
            self._tables[device] = _Tables.of(self.task, self.keys, device)
        return ProgressAt(of_answers, self._tables[device])

    def _logits_of(self, model: torch.nn.Module) -> Float[torch.Tensor, "pair answer"]:
        if not self._is_asked:
            self._config = self._fast_config(model)
            self._is_asked = True
        if self._config is None:
            return self._own.logits(model)
        return self._own.known(model, self._config).fast().logits[:, : self.task.n_answers]

    def _fast_config(self, model: torch.nn.Module) -> ModelConfig | None:
        """How the model is read for the fast forward, None where it cannot be or is on another device."""
        if any(parameter.device.type != "cpu" for parameter in model.parameters()):
            return None
        try:
            found = self._own.snapshot(model)
        except GrokinterpError:
            return None
        return found.config if found.fast_forward else None


def progress(
    task: Task,
    keys: Iterable[int] | None = None,
    *,
    inputs: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
    names: Mapping[str, str] | None = None,
    settings: Iterable[str] = (),
) -> Progress:
    """Measure restricted and excluded loss and the rest inside a training loop of your own.

        progress = grokinterp.progress(task, keys=[14, 35, 41, 42, 52])
        for step in range(steps):
            ...
            if step % 10 == 0:
                now = progress(model)  # Or the logits of all pairs: progress(model(task.tokens)[:, -1])
                now.restricted_loss, now.excluded_loss, now.train_loss

    **Arguments:**

    - `task`: what is learned, with the pairs it is trained on: `Task(TaskConfig(p=113))`, or with your own train pairs
      `Task(TaskConfig(p=113).with_train_pairs(numbers))`, pair (a, b) being number a·p + b.
    - `keys`: the key frequencies (of a group: the numbers of its key irreps), as `find_keys` chooses them at the end of
      a run. By default those that explain more of the logits than chance, found anew at each call, which costs more.
    - `inputs`, `names`, `settings`: of the model, as `grokinterp.snapshot` takes them.

    **Raises** `GrokinterpError` for a task without a group, for keys that it does not have, and for logits of another
    shape.

    >>> from grokinterp.tasks import TaskConfig
    >>> task = Task(TaskConfig(p=7))
    >>> s = torch.from_numpy(task.answers)
    >>> logits = 9 * torch.cos(2 * torch.pi * 2 / 7 * (s[:, None] - torch.arange(7)))
    >>> now = progress(task, keys=[2])(logits)
    >>> abs(now.restricted_loss / now.all_loss - 1) < 1e-3, round(now.excluded_loss, 3), round(float(np.log(7)), 3)
    (True, 1.946, 1.946)
    """
    structure = structure_needed(task)
    chosen = None if keys is None else tuple(keys)
    structure.require_irreps(chosen or ())
    return Progress(OwnModel.of(task, inputs, names, settings), chosen)


@dataclass(frozen=True, eq=False)
class _Tables:
    """What of a task does not change from step to step, on one device.

    - `element`: per pair, that of its answer, −1 where it has none in the group; `counts`: pairs per element.
    - `pairs`, `projection`: of a data set, and of keys (P_ρ, which acts along the elements), made when first asked for.
    """

    places: Places
    keys: tuple[int, ...] | None
    device: torch.device
    element: Int[torch.Tensor, " pair"]
    counts: Int[torch.Tensor, " n"]
    answers: Int[torch.Tensor, " pair"]
    _pairs: dict[DataSet, Int[torch.Tensor, " chosen"]] = field(default_factory=dict)
    _projections: dict[tuple[int, ...], Float[torch.Tensor, "n n"]] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, keys: tuple[int, ...] | None, device: torch.device) -> "_Tables":
        places = Places.of(task)
        element, counts, answers = (
            torch.from_numpy(np.array(of)).to(device) for of in (places.element, places.counts, task.answers)
        )
        return cls(places, keys, device, element, counts, answers)

    @property
    def dtype(self) -> torch.dtype:
        """float64, where the device has it."""
        return torch.float32 if self.device.type == "mps" else torch.float64

    @cached_property
    def outputs(self) -> Int[torch.Tensor, " n"]:
        """The answer that each element is."""
        return torch.from_numpy(np.array(self.places.structure.outputs)).to(self.device)

    @cached_property
    def placed(self) -> Int[torch.Tensor, " placed"]:
        """The pairs whose answer is in the group."""
        return torch.nonzero(self.element >= 0).flatten()

    def pairs(self, data: DataSet) -> Int[torch.Tensor, " chosen"]:
        if data not in self._pairs:
            self._pairs[data] = torch.from_numpy(np.array(pairs_of(self.places.task, data))).to(self.device)
        return self._pairs[data]

    def projection(self, keys: tuple[int, ...]) -> Float[torch.Tensor, "n n"]:
        if keys not in self._projections:
            basis = self.places.structure.basis
            made = basis.project(np.eye(basis.n), keys, axis=0)
            self._projections[keys] = torch.from_numpy(made).to(device=self.device, dtype=self.dtype)
        return self._projections[keys]


@dataclass(frozen=True, eq=False)
class ProgressAt:
    """The measures of the logits of one step, under the names of `measures.csv`, evaluated when they are asked for.

    Losses are cross-entropies over the answers, in float64 (on Apple's GPU, which has none, in float32). On train and
    test pairs they are NaN where nobody knows the split.
    """

    logits: Logits
    _tables: _Tables

    @cached_property
    def keys(self) -> tuple[int, ...]:
        """The key frequencies, or irreps: those given, else those that explain more of the logits than chance."""
        if self._tables.keys is not None:
            return self._tables.keys
        places, logits = self._tables.places, self.logits.float().cpu().numpy()
        return logit_control(logits, places, decompose_logits(logits, places, ())).above_chance

    @property
    def train_loss(self) -> float:
        return self._own_loss("train")

    @property
    def test_loss(self) -> float:
        return self._own_loss("test")

    @property
    def all_loss(self) -> float:
        return self._own_loss("all")

    @property
    def train_accuracy(self) -> float:
        return self._accuracy("train")

    @property
    def test_accuracy(self) -> float:
        return self._accuracy("test")

    @property
    def restricted_loss(self) -> float:
        """On all pairs, when only the keys are kept, with the mean logits restored; see `ProgressMeasures`."""
        table, t = self._component(self.keys) + self._means.mean(dim=0), self._tables
        losses = torch.nn.functional.cross_entropy(table, t.outputs, reduction="none")
        weight = t.counts.to(t.dtype)
        return float((losses * weight).sum() / weight.sum())

    @property
    def excluded_loss(self) -> float:
        """On the train pairs (all, where nobody knows the split), with the keys taken off the logits."""
        return self._loss_without(self.keys)

    @property
    def excluded_by_key(self) -> dict[int, float]:
        """The same with one key taken off, for each."""
        return {key: self._loss_without((key,)) for key in self.keys}

    def row(self) -> dict[str, float]:
        """All of it, a column each."""
        names = ("train_loss", "test_loss", "all_loss", "train_accuracy", "test_accuracy")
        row = {name: getattr(self, name) for name in (*names, "restricted_loss", "excluded_loss")}
        structure, without = self._tables.places.structure, self.excluded_by_key
        return row | {f"excluded_loss_{one_excluded(structure, key)}": loss for key, loss in without.items()}

    @cached_property
    def _means(self) -> Float[torch.Tensor, "n answer"]:
        """Mean logits by answer; of an answer that no pair has, the mean of the others."""
        t = self._tables
        sums = torch.zeros(len(t.counts), self.logits.shape[1], dtype=t.dtype, device=t.device)
        sums.index_add_(0, t.element[t.placed], self.logits[t.placed].to(t.dtype))
        means = sums / t.counts.clamp(min=1)[:, None]
        means[t.counts == 0] = means[t.counts > 0].mean(dim=0)
        return means

    def _component(self, keys: tuple[int, ...]) -> Float[torch.Tensor, "n answer"]:
        return self._tables.projection(keys) @ self._means

    def _loss_without(self, keys: tuple[int, ...]) -> float:
        t = self._tables
        pairs = t.pairs("train")
        pairs = pairs[t.element[pairs] >= 0]
        return self._loss(self.logits[pairs] - self._component(keys)[t.element[pairs]], pairs)

    def _own_loss(self, data: DataSet) -> float:
        if not self._is_known(data):
            return float("nan")
        pairs = self._tables.pairs(data)
        return self._loss(self.logits[pairs], pairs)

    def _loss(self, logits: Logits, pairs: Int[torch.Tensor, " pair"]) -> float:
        return objectives["cross-entropy"].of(logits, self._tables.answers[pairs], self._tables.dtype).item()

    def _accuracy(self, data: DataSet) -> float:
        if not self._is_known(data):
            return float("nan")
        pairs = self._tables.pairs(data)
        return accuracy(self.logits[pairs], self._tables.answers[pairs])

    def _is_known(self, data: DataSet) -> bool:
        return data == "all" or self._tables.places.task.split_is_known
