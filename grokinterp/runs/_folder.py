"""The run folder on disk: which file is where, how it is written and read back.

run.json                              task, model, training, environment, split hash
metrics.jsonl                         a line per step, appended while training
checkpoints/step_000100.safetensors   float32 weights, TransformerLens names
trainer_state.safetensors             weights and optimizer moments, for `--resume`
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from grokinterp.errors import GrokinterpError

from ._files import make_folder, read_whole, refusals_explained, remove_leftovers, write_whole

try:
    import fcntl
except ImportError:  # Windows has no such lock.
    fcntl = None

SCHEMA_VERSION = 1
Tensors = dict[str, torch.Tensor]
_STEP = re.compile(r"step_(\d{6,})\.safetensors")


class RunFolder:
    """Paths, writes and reads of one run folder; every write is whole or not at all."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.record_path = self.path / "run.json"
        self.metrics_path = self.path / "metrics.jsonl"
        self.state_path = self.path / "trainer_state.safetensors"
        self.checkpoints_path = self.path / "checkpoints"

    def checkpoint_path(self, step: int) -> Path:
        return self.checkpoints_path / f"step_{step:06d}.safetensors"

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, in order."""
        with refusals_explained(self.checkpoints_path, "read"):
            if not self.checkpoints_path.is_dir():
                return []
            names = [_STEP.fullmatch(file.name) for file in self.checkpoints_path.iterdir()]
        found = {int(name[1]) for name in names if name}
        return sorted(step for step in found if self.checkpoint_path(step).is_file())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and hold it, so that no other process trains in it; clear what a killed one left."""
        make_folder(self.checkpoints_path)
        if fcntl is None:
            self._clear_leftovers()
            yield
            return
        descriptor = os.open(self.checkpoints_path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise GrokinterpError(f"{self.path}: another process is training in it; wait for it or stop it") from error
        try:
            self._clear_leftovers()
            yield
        finally:
            os.close(descriptor)

    def _clear_leftovers(self) -> None:
        remove_leftovers(self.path)
        remove_leftovers(self.checkpoints_path)

    # run.json

    def write_record(self, record: Mapping[str, Any]) -> None:
        write_whole(self.record_path, json.dumps({"schema_version": SCHEMA_VERSION, **record}, indent=2) + "\n")

    def read_record(self) -> dict[str, Any]:
        """The content of run.json; the error says what was found instead."""
        with refusals_explained(self.path, "read"):
            if not self.path.exists():
                raise GrokinterpError(f"{self.path}: no such folder; give a run folder made by `grokinterp train`")
            if not self.path.is_dir():
                kind = describe_file(self.path)
                raise GrokinterpError(
                    f"{self.path} is {kind}, not a run folder; give the folder made by `grokinterp train`"
                )
            if not self.record_path.exists():
                raise GrokinterpError(
                    f"{self.path} is not a run folder: it holds no run.json (made by `grokinterp train`)"
                )
        try:
            record = json.loads(read_whole(self.record_path))
        except (ValueError, RecursionError) as error:
            raise GrokinterpError(f"{self.record_path} is not valid JSON ({error}); restore it from a copy") from None
        version = record.get("schema_version") if isinstance(record, dict) else None
        if version != SCHEMA_VERSION:
            raise GrokinterpError(
                f"{self.record_path} has schema_version {version!r}; this grokinterp reads {SCHEMA_VERSION}: "
                "use the version that wrote it"
            )
        return record

    # checkpoints and trainer state

    def write_checkpoint(self, step: int, weights: Tensors) -> None:
        write_tensors(self.checkpoint_path(step), weights)

    def read_checkpoint(self, step: int) -> Tensors:
        path = self.checkpoint_path(step)
        if not path.is_file():
            raise GrokinterpError(f"step {step} has no checkpoint in {self.path}; {_nearest(step, self.steps())}")
        return read_tensors(path)

    # metrics.jsonl

    def read_metrics(self) -> list[dict[str, int | float]]:
        """All whole lines; the last one may have been cut by a kill and is then left out."""
        if not self.metrics_path.exists():
            return []
        lines = read_whole(self.metrics_path).split(b"\n")
        rows = []
        for number, line in enumerate(lines[:-1], start=1):  # What follows the last newline was cut.
            row = _metrics_row(line)
            if row is None:
                raise GrokinterpError(
                    f"{self.metrics_path}, line {number} is not a step with its numbers in JSON; "
                    "restore the file from a copy"
                )
            rows.append(row)
        return rows

    def truncate_metrics(self, step: int) -> None:
        """Keep the lines before `step`: those a resumed run will not write again."""
        kept = [row for row in self.read_metrics() if row["step"] < step]
        write_whole(self.metrics_path, "".join(json.dumps(row) + "\n" for row in kept))


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Write safetensors whose bytes depend on the tensors alone."""
    write_whole(path, save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def read_tensors(path: Path) -> Tensors:
    """Read safetensors; the error says what the file is instead."""
    data = read_whole(path)
    if not data:
        raise GrokinterpError(f"{path} is empty (0 bytes); delete it or restore it from a copy")
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        kind = describe_file(path)
        if "pickle" in kind:
            raise GrokinterpError(
                f"{path} is {kind}, not safetensors; grokinterp does not unpickle, because a pickle can run code"
            ) from None
        raise GrokinterpError(
            f"{path} is truncated or corrupt ({error}); delete it or restore it from a copy"
        ) from None


def _metrics_row(line: bytes) -> dict[str, int | float] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        return None
    return row if all(isinstance(value, int | float) for value in row.values()) else None


def describe_file(path: Path) -> str:
    """What a file is, by its first bytes: `a pickle (.pth)`, `an empty file`, `a file`."""
    with path.open("rb") as file:
        start = file.read(2)
    if not start:
        return "an empty file"
    if start == b"PK":
        return "a zip archive, as torch.save writes around a pickle"
    return "a pickle" if start[:1] == b"\x80" else "a file"


def _nearest(step: int, steps: list[int]) -> str:
    if not steps:
        return "it has no checkpoints at all"
    near = sorted(sorted(steps, key=lambda other: abs(other - step))[:2])
    return f"the nearest {'is' if len(near) == 1 else 'are'} {' and '.join(map(str, near))}"
