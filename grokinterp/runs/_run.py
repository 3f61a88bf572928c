"""A run as it is read back: configuration, metrics, models and snapshots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, hooked_network, misfit, weight_shapes
from grokinterp.tasks import Task

from ._config import Environment, RunConfig
from ._folder import RunFolder, Tensors
from ._hub import HubAddress, fetch_run_folder, is_hub_address, push_run_folder
from ._model_card import Findings
from ._snapshot import Snapshot

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder, read lazily.

    - `config`: task, model and training; `environment`: versions, threads, device, dtypes.
    - `steps`: steps that have a checkpoint.
    - `provenance`: of an imported run, what it was made of: source, layout, notes; empty for a run trained here.
    - `metrics`: a DataFrame, a row per step (step, train_loss, test_loss, …; NaN where not evaluated).
    """

    path: Path
    config: RunConfig
    environment: Environment
    split_hash: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def folder(self) -> RunFolder:
        return RunFolder(self.path)

    @property
    def steps(self) -> list[int]:
        return self.folder.steps()

    def known_step(self, step: int) -> int | None:
        """`step`, by which a checkpoint is kept; None for an imported one whose files do not say which step it is."""
        return None if self.config.training.steps is None else step

    @cached_property
    def task(self) -> Task:
        """The task with its split, which must be the one the run was trained on."""
        task = Task(self.config.task)
        if self.split_hash not in (None, task.split.hash):
            raise GrokinterpError(
                f"{self.folder.record_path} describes the split {task.split.hash}, but the run was trained on "
                f"{self.split_hash}; restore run.json from a copy"
            )
        return task

    @property
    def metrics(self) -> pd.DataFrame:
        return pd.DataFrame(self.folder.read_metrics())

    def weights(self, step: int) -> Tensors:
        """The weights of a checkpoint, of the configuration's names and shapes, and as they were written."""
        path = self.folder.checkpoint_path(step)
        return self.folder.read_checkpoint(
            step, lambda weights: checked_weights(weights, self.config.model, self.task, path)
        )

    def model(self, step: int) -> "HookedTransformer":
        """The network at `step` as a `transformer_lens.HookedTransformer`."""
        return hooked_network(self.config.model, self.task, self.weights(step))

    def to_transformer_lens(self, step: int) -> "HookedTransformer":
        """`model(step)`, where that is one of TransformerLens' own.

        Raises `GrokinterpError` if the architecture is `mlp`, or the step has no checkpoint.
        """
        if self.config.model.architecture != "transformer":
            raise GrokinterpError(
                f"{self.path} holds an {self.config.model.architecture}, which TransformerLens does not have; "
                "use model(step), which has its hooks"
            )
        return self.model(step)

    def to_state_dict(self, step: int) -> Tensors:
        """The parameters at `step` by their TransformerLens 3 names, float32, read anew and the caller's to change.

        A `HookedTransformer` takes them by ``load_state_dict(weights, strict=False)``: its causal masks are no weights.
        """
        return self.weights(step)

    def snapshot(self, step: int | None = None) -> Snapshot:
        """The network at `step` (default: the last) evaluated on every input of its task."""
        step = self.last_step if step is None else step
        return Snapshot(step=step, task=self.task, config=self.config.model, weights=self.weights(step))

    @property
    def last_step(self) -> int:
        if not self.steps:
            raise GrokinterpError(f"{self.path} has no checkpoints yet; continue it with `grokinterp train --resume`")
        return self.steps[-1]

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        report: Findings | None = None,
        endpoint: str | None = None,
    ) -> str:
        """Put the whole run folder and a model card on the Hugging Face Hub, in one commit; returns its address there.

        ```python
        run.push_to_hub("you/mod-113", report=grokinterp.analyze(run))
        grokinterp.load_run("hf://you/mod-113")
        ```

        **Arguments:**

        - `repo_id`: `user/repo`, made where it does not exist. Of an earlier push it keeps no checkpoint that this run
          does not have; other files stay.
        - `private`: whether it is private; by default as it is, or as the account makes new ones.
        - `token`: one that may write; by default that of `hf auth login`.
        - `report`: of this run, from `grokinterp.analyze`: its sentences and final numbers go into the card.
        - `endpoint`: of another Hub; by default HF_ENDPOINT, or huggingface.co.

        Raises `GrokinterpError` if the address is malformed, the repository's visibility is not the one asked for, the
        report is of another run, the Hub refuses or cannot be reached, or huggingface_hub is not installed.
        """
        return push_run_folder(self, repo_id, private=private, token=token, report=report, endpoint=endpoint)


def load_run(path: str | Path, *, token: str | None = None, endpoint: str | None = None) -> Run:
    """Read the run folder at `path`; nothing heavy is read before it is asked for.

    `path` can be `hf://user/repo` or `hf://user/repo@revision`: the run folder is then fetched from the Hugging Face
    Hub, with `token` and `endpoint` as in `Run.push_to_hub`, into its cache, where it is to be read and not changed.
    """
    if is_hub_address(path):
        path = fetch_run_folder(HubAddress.parse(str(path)), token=token, endpoint=endpoint)
    folder = RunFolder(path)
    record = folder.read_record()
    missing = [name for name in ("config", "environment") if name not in record]
    if missing:
        raise GrokinterpError(f"{folder.record_path} has no {missing[0]!r}; restore it from a copy")
    for name in ("config", "environment", "split", "provenance", "checksums"):
        if not isinstance(record.get(name, {}), dict):
            raise GrokinterpError(f"{folder.record_path}: {name!r} needs keys with values; restore it from a copy")
    try:
        config, environment = RunConfig.stored(record["config"]), Environment(**record["environment"])
    except (GrokinterpError, TypeError) as error:
        raise GrokinterpError(f"{folder.record_path}: {error}") from None
    split_hash = record.get("split", {}).get("hash")
    if not (split_hash is None or isinstance(split_hash, str)):
        raise GrokinterpError(f"{folder.record_path}: split.hash needs a text; restore it from a copy")
    return Run(folder.path, config, environment, split_hash, _provenance(record.get("provenance", {}), folder))


def _provenance(said: dict[str, Any], folder: RunFolder) -> dict[str, Any]:
    """What an imported run was made of, as run.json says it, with what every reader of it needs."""
    if not said:
        return said
    for name in ("source", "layout"):
        if not isinstance(said.get(name, ""), str):
            raise GrokinterpError(f"{folder.record_path}: provenance.{name} needs a text; restore it from a copy")
    notes = said.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise GrokinterpError(f"{folder.record_path}: provenance.notes needs a list of texts; restore it from a copy")
    return {"source": "unknown", "layout": "unknown", "notes": []} | said


def checked_weights(
    weights: Tensors, config: ModelConfig, task: Task, path: Path, described_by: str = "run.json"
) -> Tensors:
    """`weights` in parameter order, if they are those that `config` describes; the error names the tensor."""
    wrong = misfit(weights, config, task)
    if wrong:
        raise GrokinterpError(
            f"{path} does not hold the weights {described_by} describes: {wrong}; restore the file or {described_by} "
            "from a copy"
        )
    expected = weight_shapes(config, task)
    for name in expected:
        tensor = weights[name]
        if tensor.dtype != torch.float32:
            raise GrokinterpError(f"{path}: {name} is {tensor.dtype}, a checkpoint needs torch.float32")
        if not torch.isfinite(tensor).all():
            raise GrokinterpError(f"{path}: {name} holds NaN or infinity; use an earlier checkpoint")
    return {name: weights[name] for name in expected}
