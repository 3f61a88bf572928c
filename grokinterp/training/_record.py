"""An ordinary run folder of a training loop of somebody's own."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, accuracy, cross_entropy
from grokinterp.runs import OwnModel, Run, RunConfig, RunFolder, Snapshot, StatedTraining, load_run
from grokinterp.tasks import Task

from ._environment import describe_environment

Metrics = dict[str, float]
_LAYOUT = "recorded"


class Recorder:
    """What `record` returns: call it in the loop.

    - `path`: of the run folder; `task`: what is learned; `last_step`: the last that was recorded, None before any.
    """

    def __init__(self, out: str | Path, own: OwnModel, *, resume: bool, training: Mapping[str, Any]) -> None:
        self.path = Path(out)
        self.task = own.task
        self.last_step: int | None = None
        self._folder = RunFolder(self.path)
        self._own = own
        self._training = StatedTraining(**{"steps": 0, **training})
        self._model: ModelConfig | None = None
        # Until the next step of a run that is gone on with is recorded.
        self._goes_on = False
        if self._folder.record_path.exists():
            self._continue(resume)
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise GrokinterpError(f"{self.path} already holds something; choose another folder to record into")

    def __call__(self, step: int, model: Any = None, **metrics: Any) -> Metrics:
        """Record the state before optimizer call `step`, and return its row of metrics.jsonl.

        **Arguments:**

        - `model`: kept as a checkpoint of this step, read as `grokinterp.snapshot` reads it. Losses and accuracies on
          train and test pairs that you do not give are then measured, over the answers, in float64.
        - `metrics`: numbers of this step by name, such as `train_loss=0.5`; of a model as good as its losses.

        **Raises** `GrokinterpError` where the model is no network that is read, or another than before, where `step`
        does not come after the last one, and where a metric is no number.
        """
        self._require_later(step)
        row = {name: _number(name, value) for name, value in metrics.items()}
        if model is None and self._model is None:
            raise GrokinterpError(f"step {step}: the first step that is recorded needs the model; give it")
        found = None if model is None else self._own.snapshot(model, step)
        if found is not None:
            self._require_same(found)
            row = _measured(found) | row
        with self._folder.held():
            if self._goes_on:
                self._forget_from(step)
            if found is not None:
                self._keep(found)
            _append(self._folder.metrics_path, {"step": step, **row})
        self.last_step = step
        self._goes_on = False
        return row

    def load(self) -> Run:
        """The run as it is on the disk."""
        return load_run(self.path)

    def _continue(self, resume: bool) -> None:
        run = load_run(self.path)
        if run.provenance.get("layout") != _LAYOUT:
            raise GrokinterpError(f"{self.path} holds a run that was not recorded; choose another folder")
        if not resume:
            raise GrokinterpError(
                f"{self.path} holds a run up to step {run.last_step}; give resume=True to go on with it, or choose "
                "another folder"
            )
        if run.config.task != self.task.config:
            raise GrokinterpError(f"{self.path} holds a run on another task, {run.task.name}; choose another folder")
        self._model = run.config.model
        self._training = _stated(run.config)
        self._goes_on = True

    def _require_later(self, step: int) -> None:
        if step < 0:
            raise GrokinterpError(f"step = {step}: needs a whole number ≥ 0")
        if self.last_step is not None and step <= self.last_step:
            raise GrokinterpError(f"step {step} does not come after step {self.last_step}, which is recorded already")

    def _require_same(self, found: Snapshot) -> None:
        if self._model is None:
            self._model = found.config
        if found.config != self._model:
            raise GrokinterpError(
                f"step {found.step}: the model is another than the one that was recorded before; record it into a "
                "folder of its own"
            )

    def _forget_from(self, step: int) -> None:
        """Leave out what will be recorded again."""
        self._folder.truncate_metrics(step)
        before = self._folder.checksums_before(step)
        self._folder.write_record({**self._folder.read_record(), "checksums": before})
        for kept in self._folder.steps():
            if kept >= step:
                self._folder.checkpoint_path(kept).unlink()

    def _keep(self, found: Snapshot) -> None:
        """The checkpoint, and run.json with its checksum."""
        self._folder.write_checkpoint(found.step, dict(found.weights))
        self._training = self._training.model_copy(update={"steps": found.step})
        config = RunConfig(task=self.task.config, model=found.config, training=self._training)
        environment = describe_environment(torch.device("cpu"), torch.get_num_threads())
        self._folder.write_record(
            {
                "config": config.model_dump(mode="json"),
                "environment": environment.model_dump(mode="json"),
                "split": self.task.split_record,
                "provenance": {
                    "source": "a training loop of one's own",
                    "layout": _LAYOUT,
                    "notes": [],
                },
                "checksums": self._folder.checksums_before(found.step),
            }
        )


def record(
    out: str | Path,
    task: Task,
    *,
    resume: bool = False,
    training: Mapping[str, Any] | None = None,
    inputs: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
    names: Mapping[str, str] | None = None,
    settings: Iterable[str] = (),
) -> Recorder:
    """Make an ordinary run folder of a training loop of your own, which `analyze`, `verdict` and all others read.

        record = grokinterp.record("runs/mine", task, training={"optimizer": "AdamW", "learning_rate": 1e-3})
        for step in range(steps):
            if step % 100 == 0:
                record(step, model)
            ...
        grokinterp.analyze("runs/mine")

    **Arguments:**

    - `out`: the folder, which must not hold anything yet; with `resume` it may hold a run that was recorded, which is
      gone on with: what stands there from the next recorded step on is recorded again.
    - `task`: what the model learns, with the pairs it is trained on; see `progress`.
    - `training`: what is known of the training, by the names of `StatedTraining`.
    - `inputs`, `names`, `settings`: as `grokinterp.snapshot` takes them.

    A step is whole or not there: the loop can be killed at any moment.

    **Raises** `GrokinterpError` for a folder that holds something else.
    """
    own = OwnModel.of(task, inputs, names, settings)
    return Recorder(out, own, resume=resume, training=training or {})


def _measured(found: Snapshot) -> Metrics:
    """Losses and accuracies on train and test pairs."""
    task, logits = found.task, torch.from_numpy(found.logits)
    if not task.split_is_known:
        return {}
    row = {}
    for data, pairs in (("train", task.split.train), ("test", task.split.test)):
        chosen, answers = logits[torch.from_numpy(pairs.copy())], torch.from_numpy(task.labels[pairs])
        row[f"{data}_loss"] = cross_entropy(chosen, answers).item()
        row[f"{data}_accuracy"] = accuracy(chosen, answers)
    return row


def _stated(config: RunConfig) -> StatedTraining:
    assert isinstance(config.training, StatedTraining)
    return config.training


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = None
    if number is None or isinstance(value, bool | str):
        raise GrokinterpError(f"{name} = {value!r:.60}: a metric needs a number")
    return number


def _append(path: Path, row: Mapping[str, int | float]) -> None:
    with path.open("ab") as file:
        file.write((json.dumps(row) + "\n").encode())
