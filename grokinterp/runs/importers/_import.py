"""Other people's checkpoints as ordinary run folders: which layout a file has, and the writing."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.guard import whole_characters
from grokinterp.runs._config import Environment, RunConfig, parsed
from grokinterp.runs._files import (
    flush_folder,
    make_folder,
    refusals_explained,
    remove_leftovers,
    temporary_of,
    write_whole,
)
from grokinterp.runs._folder import RunFolder
from grokinterp.runs._lock import only_process
from grokinterp.runs._run import Run, load_run
from grokinterp.tasks import Task

from ._layout import Asked, Found
from ._measured import examined
from ._route import LAYOUTS, layouts, look, read_said
from ._series import read_folder
from ._steps import checked_step


def import_run(source: str | Path, out: str | Path, *, layout: str = "auto", settings: Iterable[str] = ()) -> Run:
    """Make an ordinary run folder of other people's checkpoints; no code of theirs is run.

    **Arguments:**

    - `source`: a file, or a folder: of Chughtai et al., of Nanda's trainer, or of many checkpoints with their step in
      the name.
    - `out`: the run folder to write, which must not hold anything yet.
    - `layout`: one of `LAYOUTS`, one that was registered (`register_layout`), or `auto`, which goes by what the file
      holds.
    - `settings`: ``task.KEY=VALUE`` and ``model.KEY=VALUE``, for what the file does not say.

    The run's `provenance` says what was read, which layout it had and how the split was recognised. Where the split is
    unknown, train and test losses are null in its report.

    **Raises** `GrokinterpError` for a file of no known layout, a tensor of the wrong shape, hostile content, or a
    folder `out` that holds something.
    """
    source, out = _usable(source), _usable(out)
    if not out.name:
        raise GrokinterpError(f"{out} is no name of a new folder; name one to import into, such as {out / 'run'}")
    if layout != "auto" and layout not in layouts:
        known = dict.fromkeys((*LAYOUTS, *layouts.names))
        raise GrokinterpError(f"layout {layout!r}: unknown; choose auto or one of {', '.join(known)}")
    asked = asked_of(settings)
    try:
        found, record = _examined(source, layout, asked)
    except GrokinterpError as error:
        # A setting that cannot be is the file's as often as the user's.
        named = str(error).startswith(("task.", "model.", "training."))
        raise (GrokinterpError(f"{source}: {error}") if named else error) from None
    make_folder(out.absolute().parent)
    with only_process(out.absolute(), writes="is importing into it"):
        _put_in_place(found, record, source, out)
    return load_run(out)


def _usable(path: str | Path) -> Path:
    """`path`, if the system can have a file of that name: no zero byte, no half of a character."""
    try:
        if b"\0" not in os.fsencode(path):
            return Path(path)
    except UnicodeEncodeError:
        pass
    raise GrokinterpError(f"{str(path)!a} cannot be the name of a file; correct the path")


def _put_in_place(found: Found, record: dict[str, Any], source: Path, out: Path) -> None:
    """Write the run folder beside `out`, see whether it can be read, and only then give it its name."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise GrokinterpError(f"{out} already holds something; choose another folder to import into")
    temporary = temporary_of(out.absolute())
    remove_leftovers(temporary.parent, re.escape(out.absolute().name), folders=True)
    with refusals_explained(out):
        try:
            _write(found, record, source, RunFolder(temporary))
            _require_readable(temporary, source)
            if out.is_dir():
                out.rmdir()
            temporary.replace(out)
            flush_folder(temporary.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _require_readable(folder: Path, source: Path) -> None:
    """Read back all of an imported run as everybody will, before anything is put in place."""
    try:
        run = load_run(folder)
        _ = run.last_step
        for step in run.steps:
            run.weights(step)
        run.folder.read_metrics()
    except GrokinterpError as error:
        reason = str(error).replace(f"{folder}/", "").removeprefix("run.json: ")
        raise GrokinterpError(f"{source} was read, but what it holds makes no run: {reason}") from None


def _examined(source: Path, layout: str, asked: Asked) -> tuple[Found, dict[str, Any]]:
    """The file in the reading that fits it best, with what was measured of it."""
    checked = examined(_read(source, layout, asked), asked, lambda other: _read(source, layout, other))
    return checked.found, checked.record


def asked_of(settings: Iterable[str]) -> Asked:
    """What the user set, by section; other sections are the importer's to fill."""
    said: dict[str, dict[str, Any]] = {"task": {}, "model": {}}
    for setting in settings:
        name, equals, value = setting.partition("=")
        section, dot, key = name.strip().partition(".")
        if section not in said or not (equals and dot and key):
            raise GrokinterpError(f"--set {setting}: an import takes task.KEY=VALUE and model.KEY=VALUE")
        said[section][key] = parsed(value.strip())
    return Asked(said["task"], said["model"])


def _read(source: Path, layout: str, asked: Asked) -> Found:
    with refusals_explained(source, "read"):
        is_folder = source.is_dir()
    return read_folder(source, layout, asked) if is_folder else read_said(look(source), layout, asked)


def _write(found: Found, record: dict[str, Any], source: Path, folder: RunFolder) -> None:
    folder.checkpoints_path.mkdir(parents=True)
    task = Task(found.task)
    for step, weights in found.checkpoints():
        folder.write_checkpoint(checked_step(step, source), weights)
    if found.metrics:
        write_whole(folder.metrics_path, "".join(json.dumps(row) + "\n" for row in found.metrics))
    training = found.training if found.step_is_known else found.training.model_copy(update={"steps": None})
    config = RunConfig(task=found.task, model=found.model, training=training)
    environment = Environment(dtype={"weights": "float32"})
    folder.write_record(
        {
            "config": config.model_dump(mode="json"),
            "environment": environment.model_dump(mode="json"),
            "split": task.split_record,
            # Names of files among it may be none that run.json can hold.
            "provenance": whole_characters(
                {
                    "source": source.resolve().name,
                    "sha256": hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else None,
                    "layout": found.layout,
                    "imported_with": version("grokinterp"),
                    "notes": list(found.notes),
                    **record,
                }
            ),
        }
    )
