"""What `grokinterp watch` shows: the state of a run that trains, read from its folder as it grows."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from grokinterp.analysis import HOW_FAR_THRESHOLDS, NEVER, Before, HowFar, how_far
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, RunFolder, load_run, metrics_row, refusals_explained
from grokinterp.wording import number, percent, step_named


@dataclass(frozen=True)
class RunState:
    """How far a run has come: its last line of metrics, and the last of those in which the test pairs were evaluated.

    `phase` says how far the network is (`grokinterp.analysis.how_far`), as report and verdict do.
    `quiet` is for how many seconds nothing has been written, None before anything is.
    """

    task: str
    step: int | None
    last: int | None
    metrics: dict[str, float]
    how_far: HowFar | None
    since: int | None
    checkpoints: list[int]
    quiet: float | None
    ended: bool

    @property
    def line(self) -> str:
        """The state in a line."""
        return ", ".join(text for _, text in self.rows)

    @property
    def phase(self) -> str:
        """How far the network is, in words."""
        if self.how_far is None:
            if not self.checkpoints or (not self.ended and self.metrics):
                return "not evaluated yet"
            return (
                "how far the network is cannot be said, since metrics.jsonl has no accuracies ('grokinterp analyze' "
                "measures its checkpoints)"
            )
        since = f", since step {self.since:,}" if self.since is not None else ""
        return f"{self.how_far.predicate}{since}"

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What, and how a line says it."""
        of_all = "" if self.last is None else f" of {self.last:,}"
        no_step = "step unknown" if self.checkpoints else "no step yet"
        rows = [("step", no_step if self.step is None else f"{step_named(self.step)}{of_all}")]
        for data in ("train", "test"):
            if f"{data}_loss" in self.metrics:
                known = self.metrics.get(f"{data}_accuracy")
                accuracy = "" if known is None else f" ({percent(known)} right)"
                rows.append((data, f"{data} loss {number(self.metrics[f'{data}_loss'])}{accuracy}"))
        rows.append(("phase", self.phase))
        kept = self.checkpoints
        of = f", the last at {step_named(kept[-1])}" if kept and self.last is not None else ""
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
    _before: Before = NEVER
    _evaluated: dict[str, float] = field(default_factory=dict)
    _evaluated_at: int = 0

    def state(self) -> RunState:
        """The state now.

        **Raises** `GrokinterpError` for a folder that holds no run, and for metrics that are none.
        """
        run = load_run(self.path)
        self._read_on(run.folder)
        steps = run.steps
        last = run.config.training.steps
        complete = bool(run.provenance) or self._step == last  # An imported run does not grow.
        return RunState(
            task=run.task.name,
            step=self._step if self._step is not None else (run.known_step(steps[-1]) if steps else None),
            last=last,
            metrics=dict(self._metrics),
            how_far=self._how_far(run),
            since=self._known_since,
            checkpoints=steps,
            quiet=_quiet(run.folder),
            ended=complete,
        )

    def _read_on(self, folder: RunFolder) -> None:
        path = folder.metrics_path
        if not path.exists():
            return
        with refusals_explained(path, "read"):
            if path.stat().st_size < self._read:
                self._read, self._partial, self._metrics, self._step = 0, b"", {}, None
                self._known_since, self._before, self._evaluated = None, NEVER, {}
        new = folder.new_metrics(self._read)
        self._read += len(new)
        *lines, self._partial = (self._partial + new).split(b"\n")
        for line in lines:
            self._take(line, path)

    def _take(self, line: bytes, path: Path) -> None:
        row = metrics_row(line)
        if row is None:
            raise GrokinterpError(
                f"{path}: a line is not a step with its numbers in JSON; restore the file from a copy"
            )
        self._step = int(row["step"])
        self._metrics |= {name: float(value) for name, value in row.items() if name != "step"}
        evaluated = {name: self._metrics[name] for name in ("train_accuracy", "test_accuracy") if name in row}
        if evaluated:
            self._take_evaluation(self._step, evaluated)

    def _take_evaluation(self, step: int, evaluated: dict[str, float]) -> None:
        if self._evaluated:
            self._before = self._before.then(self._evaluated_at, self._evaluated)
        self._evaluated_at, self._evaluated = step, evaluated
        known = HOW_FAR_THRESHOLDS["generalises"].holds(evaluated.get("test_accuracy", math.nan))
        self._known_since = None if not known else step if self._known_since is None else self._known_since

    def _how_far(self, run: Run) -> HowFar | None:
        if len(self._evaluated) < 2:
            return None
        train, test = self._evaluated["train_accuracy"], self._evaluated["test_accuracy"]
        loss = self._metrics.get("train_loss", 0.0)
        return how_far(run.task, train=train, test=test, loss=loss, before=self._before)


def _quiet(folder: RunFolder) -> float | None:
    try:
        return max(0.0, time.time() - folder.metrics_path.stat().st_mtime)
    except FileNotFoundError:
        return None
