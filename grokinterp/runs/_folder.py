"""The run folder on disk: which file is where, how it is written and read back.

run.json                              task, model, training, environment, split hash, checksums
metrics.jsonl                         a line per step, appended while training
checkpoints/step_000100.safetensors   float32 weights, TransformerLens names
trainer_state.safetensors             weights and optimizer moments, for `--resume`
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from grokinterp.errors import GrokinterpError
from grokinterp.guard import read_json

from ._checksums import Checksums, checksum, require_unchanged
from ._files import make_folder, refusals_explained, remove_leftovers, write_whole
from ._lock import only_process_in
from ._regular import MOST_OF_METRICS, MOST_OF_RECORD, MOST_OF_TENSORS, read_regular, require_inside

SCHEMA_VERSION = 1
Tensors = dict[str, torch.Tensor]
T = TypeVar("T")
_WRITTEN = r"run\.json|metrics\.jsonl|trainer_state\.safetensors|step_[0-9]+\.safetensors"
_STEP = re.compile(r"step_([0-9]{6,10})\.safetensors")
MOST_METRICS = 2_000_000  # lines
_MOST_COLUMNS = 64


class RunFolder:
    """Paths, writes and reads of one run folder; every write is whole or not at all."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.record_path = self.path / "run.json"
        self.metrics_path = self.path / "metrics.jsonl"
        self.state_path = self.path / "trainer_state.safetensors"
        self.checkpoints_path = self.path / "checkpoints"
        # As they were written last, by this object.
        self._record: dict[str, Any] = {}
        self._checksums: Checksums = {}
        # As run.json lists them, and of which run.json that is.
        self._read_checksums: Checksums = {}
        self._read_from: tuple[int, ...] = ()

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
        with only_process_in(self.path, writes="is training in it"):
            require_inside(self.checkpoints_path, self.path)
            make_folder(self.checkpoints_path)
            for folder in (self.path, self.checkpoints_path):
                remove_leftovers(folder, _WRITTEN)
            try:
                yield
            finally:
                with suppress(OSError):  # Only an empty folder can be removed.
                    self.checkpoints_path.rmdir()

    # run.json

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write run.json, with the checksums in `record` and those of what was written since."""
        self._checksums = {**record.get("checksums", {}), **self._checksums}
        self._record = {"schema_version": SCHEMA_VERSION, **record, "checksums": self._checksums}
        write_whole(self.record_path, json.dumps(self._record, indent=2) + "\n")

    def checksums_before(self, step: int) -> Checksums:
        """Those of the state, and of the checkpoints that a run which continues at `step` does not write again."""
        again = {self._name(self.checkpoint_path(later)) for later in self.steps() if later >= step}
        return {name: listed for name, listed in self._listed().items() if name not in again}

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
            record = read_json(read_regular(self.record_path, MOST_OF_RECORD, within=self.path))
        except ValueError as error:
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
        """Write a checkpoint; it is listed in run.json when that or the state is written next."""
        path, data = self.checkpoint_path(step), _as_bytes(weights)
        write_whole(path, data)
        self._checksums[self._name(path)] = checksum(data)

    def write_state(self, state: Tensors) -> None:
        """Write what a run continues from, and before it, in run.json, the checksum that it has then or still."""
        name, data = self._name(self.state_path), _as_bytes(state)
        before = self._checksums.get(name)
        before = before[:1] if isinstance(before, list) else [before] if before else []
        self._checksums[name] = [checksum(data), *before]
        self.write_record(self._record)
        write_whole(self.state_path, data)

    def read_checkpoint(self, step: int, check: Callable[[Tensors], T] = lambda weights: weights) -> T:
        """The weights at `step`, and what `check` makes of them; it is the first to say what is wrong with them."""
        path = self.checkpoint_path(step)
        if not path.is_file():
            raise GrokinterpError(f"step {step} has no checkpoint in {self.path}; {_nearest(step, self.steps())}")
        return self._read(path, check)

    def read_state(self, check: Callable[[Tensors], T]) -> T:
        """What `check` makes of the state that a run continues from."""
        return self._read(self.state_path, check)

    def _read(self, path: Path, check: Callable[[Tensors], T]) -> T:
        data = read_regular(path, MOST_OF_TENSORS, within=self.path)
        # That a tensor is missing or not finite says more than a checksum.
        found = check(_of_bytes(data, path))
        require_unchanged(data, path, self._name(path), self._listed())
        return found

    def require_unchanged(self, name: str) -> None:
        """Refuse if the file `name`, a path in the folder, is not as it was written."""
        if name in self._listed():
            path = self.path / name
            require_unchanged(read_regular(path, MOST_OF_TENSORS, within=self.path), path, name, self._listed())

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def _listed(self) -> Checksums:
        """The checksums in run.json, which is read again only when it is another file."""
        if not self.record_path.exists():
            return {}
        now = self.record_path.stat()
        if self._read_from != (now.st_ino, now.st_mtime_ns, now.st_size):
            self._read_checksums = self.read_record().get("checksums", {})
            self._read_from = (now.st_ino, now.st_mtime_ns, now.st_size)
        return self._read_checksums

    # metrics.jsonl

    def read_metrics(self) -> list[dict[str, int | float]]:
        """All whole lines; the last one may have been cut by a kill and is then left out."""
        if not self.metrics_path.exists():
            return []
        lines = read_regular(self.metrics_path, MOST_OF_METRICS, within=self.path).split(b"\n")
        if len(lines) > MOST_METRICS:
            raise GrokinterpError(f"{self.metrics_path} has more than {MOST_METRICS:,} lines; restore it from a copy")
        rows, columns = [], set()
        for number, line in enumerate(lines[:-1], start=1):  # What follows the last newline was cut.
            row = metrics_row(line)
            if row is None:
                raise GrokinterpError(
                    f"{self.metrics_path}, line {number} is not a step with its numbers in JSON; "
                    "restore the file from a copy"
                )
            rows.append(row)
            columns |= row.keys()
            if len(columns) > _MOST_COLUMNS:
                raise GrokinterpError(
                    f"{self.metrics_path} has numbers of more than {_MOST_COLUMNS} names; restore it from a copy"
                )
        return rows

    def new_metrics(self, already: int) -> bytes:
        """What has been written to metrics.jsonl after its first `already` bytes."""
        return read_regular(self.metrics_path, MOST_OF_METRICS, within=self.path, start=already)

    def truncate_metrics(self, step: int) -> None:
        """Keep the lines before `step`: those a resumed run will not write again."""
        kept = [row for row in self.read_metrics() if row["step"] < step]
        write_whole(self.metrics_path, "".join(json.dumps(row) + "\n" for row in kept))


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Write safetensors whose bytes depend on the tensors alone."""
    write_whole(path, _as_bytes(tensors))


def read_tensors(path: Path, *, within: Path | None = None) -> Tensors:
    """Read safetensors, which must lie in the folder `within`; the error says what the file is instead."""
    return _of_bytes(read_regular(path, MOST_OF_TENSORS, within=within), path)


def _as_bytes(tensors: Tensors) -> bytes:
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def _of_bytes(data: bytes, path: Path) -> Tensors:
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


def metrics_row(line: bytes) -> dict[str, int | float] | None:
    """A line of metrics.jsonl, or None where it is not a step with its numbers; NaN and infinity are numbers here."""
    try:
        row = read_json(line, nan=True)
    except ValueError:
        return None
    if not isinstance(row, dict) or any(type(value) not in (int, float) for value in row.values()):
        return None
    return row if type(row.get("step")) is int and row["step"] >= 0 else None


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
