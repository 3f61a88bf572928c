"""Verdicts over many runs, in parallel processes: resumable, and no bad run stops the rest."""

import csv
import io
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.runs import RunFolder, make_folder, only_process, remove_leftovers, write_whole

COLUMNS: tuple[str, ...] = (
    "run",
    "task",
    "step",
    "label",
    "explained",
    "loss_recovered",
    "keys",
    "clock_share",
    "works_alone",
    "gradient_symmetricity",
    "distance_irrelevance",
    "averaged_embeddings",
    "train_accuracy",
    "test_accuracy",
    "all_accuracy",
    "loss",
    "certified_accuracy",
    "seconds",
    "error",
)
Row = dict[str, Any]


def runs_below(folder: str | Path) -> list[Path]:
    """Run folders in `folder`, at any depth, in the order of their names.

    **Raises** `GrokinterpError` where there is none.
    """
    root = Path(folder)
    if not root.is_dir():
        raise GrokinterpError(f"{root} is no folder; give a folder of runs, made by `grokinterp train` or `import`")
    # os.walk, which follows no links and so ends.
    found = sorted(Path(place) for place, _, files in os.walk(root) if RunFolder(place).record_path.name in files)
    if not found:
        raise GrokinterpError(f"{root} holds no run; give a folder of runs, made by `grokinterp train` or `import`")
    return found


def verdicts(
    folder: str | Path,
    csv_path: str | Path,
    *,
    jobs: int | None = None,
    full: bool = False,
    on_row: Callable[[Row], object] | None = None,
) -> list[Row]:
    """Judge every run below `folder` and keep a table of them in `csv_path`, written whole after each run.

    Runs that the table holds already, at their last step and without an error, are not judged again, so that a batch
    that was stopped goes on where it was. A run that cannot be judged has its error in the table.

    **Arguments:**

    - `jobs`: processes, by default one per core; each computes with one thread.
    - `full`: with the certificate, see `find_verdict`.
    - `on_row`: called with each finished row; `on_row` of a row from the table is not called.
    """
    root, path = Path(folder), Path(csv_path)
    runs = runs_below(root)
    names = {str(run.relative_to(root)): run for run in runs}
    place = path.absolute().parent
    make_folder(place)
    with only_process(place / path.name, writes="is judging runs into it"):
        remove_leftovers(place, re.escape(path.name))
        rows = {row["run"]: row for row in read_rows(path) if row["run"] in names}
        waiting = [name for name, run in names.items() if not _is_done(rows.get(name), run, full)]
        for row in _judged({name: names[name] for name in waiting}, jobs or os.cpu_count() or 1, full):
            rows[row["run"]] = row
            write_whole(path, _as_csv(rows[name] for name in names if name in rows))
            if on_row:
                on_row(row)
    return [rows[name] for name in names]


def read_rows(path: Path) -> list[Row]:
    """The rows of a table, numbers as text.

    **Raises** `GrokinterpError` for a file that is no such table.
    """
    if not path.exists():
        return []
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GrokinterpError(f"{path} cannot be read as a table of verdicts ({error}); give another --csv") from error
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise GrokinterpError(f"{path} is no table of verdicts: its columns are others; give another --csv")
    return rows


def _as_csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _is_done(row: Row | None, run: Path, full: bool) -> bool:
    if row is None or row["error"] or (full and not row["certified_accuracy"] and row["label"] in _EXPLAINED):
        return False
    steps = RunFolder(run).steps()
    return bool(steps) and str(steps[-1]) == str(row["step"])


# Labels whose networks have key irreps to prove something from.
_EXPLAINED = ("pizza", "filled pizza", "overfilled pizza", "torus", "product", "circles", "mixed")


def _judged(runs: dict[str, Path], jobs: int, full: bool) -> Iterator[Row]:
    left = list(runs)
    while left:
        # As many as there are processes at a time, so that if one dies its run is among few.
        together, suspects = min(jobs, len(left)), []
        with _pool(together) as pool:
            running: dict[Future[Row], str] = {}
            while left or running:
                while left and len(running) < together and not suspects:
                    name = left.pop(0)
                    running[pool.submit(_judge_one, runs[name], full)] = name
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    try:
                        yield future.result() | {"run": name}
                    except BrokenProcessPool:
                        suspects.append(name)
        for name in suspects:
            yield _judged_alone(runs[name], full) | {"run": name}


def _judged_alone(run: Path, full: bool) -> Row:
    with _pool(1) as pool:
        try:
            return pool.submit(_judge_one, run, full).result()
        except BrokenProcessPool:
            return _blank(error="its process died, for lack of memory perhaps; judge it by itself")


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, however it ends, and at once if the block is left by an exception."""
    # Fresh processes, not forks of this one: torch's threads do not survive a fork.
    context = get_context("spawn")
    watched, held = context.Pipe(duplex=False)
    with watched, held, ProcessPoolExecutor(jobs, context, initializer=_end_with, initargs=(watched,)) as pool:
        try:
            yield pool
        except BaseException:
            held.close()
            raise


def _end_with(parent: Connection) -> None:
    """End this process as soon as the other end of the pipe is closed, which a process that dies does, too."""

    def watch() -> None:
        parent.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    # Ctrl-C goes to all processes of a terminal. The parent's end is what counts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge_one(run: Path, full: bool) -> Row:
    """One row, in a process of its own."""
    import torch

    from ._verdict import find_verdict

    torch.set_num_threads(1)
    started = time.monotonic()
    try:
        verdict = find_verdict(run, full=full)
    except Exception as error:  # Whatever is wrong with one run, the others are judged.
        words = str(error) if isinstance(error, GrokinterpError) else f"{type(error).__name__}: {error}"
        return _blank(error=" ".join(words.split()), seconds=round(time.monotonic() - started, 1))
    measured = verdict.measured
    found = {
        "task": verdict.snapshot.task.name,
        "step": verdict.known_step,
        "label": verdict.label,
        "explained": verdict.explained,
        "loss_recovered": verdict.loss_recovered,
        "keys": " ".join(verdict.key_names),
        "certified_accuracy": verdict.certificate.lower_bound if verdict.certificate else "",
        "seconds": round(time.monotonic() - started, 1),
    }
    found |= {name: getattr(measured, name) for name in COLUMNS if hasattr(measured, name) and name not in found}
    return _blank(**{name: "" if value != value else value for name, value in found.items()})


def _blank(**values: Any) -> Row:
    return dict.fromkeys(COLUMNS, "") | values
