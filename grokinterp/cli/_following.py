"""What `grokinterp watch` shows: the state of a run that trains, read from its folder as it grows."""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, RunFolder, load_run, refusals_explained
from grokinterp.wording import number, percent

KNOWS = 0.99


@dataclass(frozen=True)
class RunState:
    """How far a run has come: its last line of metrics, and the last of those in which the test pairs were evaluated.

    `phase` is a guess from losses and accuracies alone; `grokinterp analyze` finds the phases by what the network does.
    `quiet` is for how many seconds nothing has been written, None before anything is.
    """

    task: str
    step: int | None
    last: int
    metrics: dict[str, float]
    phase: str
    checkpoints: list[int]
    quiet: float | None
    ended: bool

    @property
    def line(self) -> str:
        """The state in a line."""
        return ", ".join(text for _, text in self.rows)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What, and how a line says it."""
        rows = [("step", f"step {self.step:,} of {self.last:,}" if self.step is not None else "no step yet")]
        for data in ("train", "test"):
            if f"{data}_loss" in self.metrics:
                known = self.metrics.get(f"{data}_accuracy")
                accuracy = "" if known is None else f" ({percent(known)} right)"
                rows.append((data, f"{data} loss {number(self.metrics[f'{data}_loss'])}{accuracy}"))
        rows.append(("phase", self.phase))
        kept = self.checkpoints
        of = f", the last at step {kept[-1]:,}" if kept else ""
        rows.append(("kept", f"{len(kept)} checkpoint{'' if len(kept) == 1 else 's'}{of}" if kept else "no checkpoint"))
        if self.quiet is not None and not self.ended and self.quiet >= 60:
            rows.append(("quiet", f"nothing written for {self.quiet / 60:.0f} min"))
        return rows


@dataclass
class RunFollower:
    """Reads a run's state again and again; of its metrics only what is new.

    The last line of metrics.jsonl may be half written, and is left for the next time. A file that has become shorter
    was cut by a resumed run, and is read anew.
    """

    path: str | Path
    _read: int = 0
    _partial: bytes = b""
    _metrics: dict[str, float] = field(default_factory=dict)
    _step: int | None = None
    _known_since: int | None = None

    def state(self) -> RunState:
        """The state now.

        **Raises** `GrokinterpError` for a folder that holds no run, and for metrics that are none.
        """
        run = load_run(self.path)
        self._read_on(run.folder)
        steps = run.steps
        last = run.config.training.steps
        complete = self._step == last or bool(run.provenance and steps and steps[-1] >= last)
        return RunState(
            task=run.task.name,
            step=self._step if self._step is not None else (steps[-1] if steps else None),
            last=last,
            metrics=dict(self._metrics),
            phase=self._phase(run),
            checkpoints=steps,
            quiet=_quiet(run.folder),
            ended=complete,
        )

    def _read_on(self, folder: RunFolder) -> None:
        path = folder.metrics_path
        if not path.exists():
            return
        with refusals_explained(path, "read"), path.open("rb") as file:
            if path.stat().st_size < self._read:
                self._read, self._partial, self._metrics, self._step = 0, b"", {}, None
                self._known_since = None
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        *lines, self._partial = (self._partial + new).split(b"\n")
        for line in lines:
            self._take(line, path)

    def _take(self, line: bytes, path: Path) -> None:
        try:
            row: Any = json.loads(line)
            self._step = int(row["step"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise GrokinterpError(
                f"{path}: a line is not a step with its numbers in JSON; restore the file from a copy"
            ) from None
        self._metrics |= {name: float(value) for name, value in row.items() if name != "step"}
        if "test_accuracy" in row:
            known = row["test_accuracy"] >= KNOWS
            self._known_since = None if not known else self._step if self._known_since is None else self._known_since

    def _phase(self, run: Run) -> str:
        train, test = self._metrics.get("train_accuracy"), self._metrics.get("test_accuracy")
        if train is None or test is None:
            return "accuracies not known"
        if self._known_since is not None:
            return f"generalises since step {self._known_since:,}"
        if train < KNOWS:
            return "learns its training pairs"
        if self._metrics.get("test_loss", math.inf) < math.log(run.task.n_answers):
            return "begins to generalise"
        return "has memorised its training pairs"


def _quiet(folder: RunFolder) -> float | None:
    try:
        return max(0.0, time.time() - folder.metrics_path.stat().st_mtime)
    except FileNotFoundError:
        return None
