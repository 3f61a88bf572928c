"""Other people's checkpoints as ordinary run folders: which layout a file has, and the writing."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.runs._config import Environment, RunConfig, parsed
from grokinterp.runs._files import refusals_explained, write_whole
from grokinterp.runs._folder import RunFolder, Tensors
from grokinterp.runs._run import Run, load_run
from grokinterp.tasks import Task

from . import _chughtai, _nanda, _pizza, _transformer_lens
from ._content import described
from ._foreign import read_foreign
from ._layout import Asked, Found, is_state_dict

LAYOUTS = (_nanda.LAYOUT, _transformer_lens.DEMO, _chughtai.LAYOUT, _pizza.LAYOUT, _transformer_lens.LAYOUT)
_SUFFIXES = (".pt", ".pth", ".safetensors")
_LOOKED_FOR = (
    "a dictionary with model or state_dicts (nanda), with checkpoints and checkpoint_epochs (transformer-lens-demo), "
    "a state dict whose W_O is flat (pizza, nanda) or has a row per head (transformer-lens), or a folder with cfg.json "
    "and model.pt (chughtai), with init.pth or final.pth (nanda), or with one checkpoint per file"
)


def import_run(source: str | Path, out: str | Path, *, layout: str = "auto", settings: Iterable[str] = ()) -> Run:
    """Make an ordinary run folder of other people's checkpoints; no code of theirs is run.

    **Arguments:**

    - `source`: a file, or a folder: of Chughtai et al., of Nanda's trainer, or of many checkpoints with their step in
      the name.
    - `out`: the run folder to write, which must not hold anything yet.
    - `layout`: one of `LAYOUTS`, or `auto`, which goes by what the file holds.
    - `settings`: ``task.KEY=VALUE`` and ``model.KEY=VALUE``, for what the file does not say.

    The run's `provenance` says what was read, which layout it had and how the split was recognised. Where the split is
    unknown, train and test losses are null in its report.

    **Raises** `GrokinterpError` for a file of no known layout, a tensor of the wrong shape, hostile content, or a
    folder `out` that holds something.
    """
    source, out = Path(source), Path(out)
    if layout != "auto" and layout not in LAYOUTS:
        raise GrokinterpError(f"layout {layout!r}: unknown; choose auto or one of {', '.join(LAYOUTS)}")
    asked = _asked(settings)
    try:
        found = _read(source, layout, asked)
    except GrokinterpError as error:
        # A setting that cannot be is the file's as often as the user's.
        named = str(error).startswith(("task.", "model.", "training."))
        raise (GrokinterpError(f"{source}: {error}") if named else error) from None
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise GrokinterpError(f"{out} already holds something; choose another folder to import into")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with refusals_explained(out):
        try:
            _write(found, source, RunFolder(temporary))
            if out.is_dir():
                out.rmdir()
            temporary.replace(out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return load_run(out)


def _asked(settings: Iterable[str]) -> Asked:
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
    if not is_folder:
        if layout in ("auto", _chughtai.LAYOUT) and source.name == "model.pt" and _chughtai.reads_folder(source.parent):
            return _chughtai.read_folder(source.parent, asked)
        return _read_file(source, read_foreign(source), layout, asked)
    if layout == _chughtai.LAYOUT or (layout == "auto" and _chughtai.reads_folder(source)):
        return _chughtai.read_folder(source, asked)
    files = _checkpoints(source)
    if not files:
        raise GrokinterpError(f"{source} holds no file that ends in {', '.join(_SUFFIXES)}; looked for {_LOOKED_FOR}")
    if layout in ("auto", _pizza.LAYOUT) and len(networks := _pizza.files_with_settings(source)) > 1:
        raise GrokinterpError(
            f"{source} holds {len(networks)} networks with settings of their own, no checkpoints of one run; import "
            f"one file at a time, such as {networks[0].name}"
        )
    numbered = [(step, file) for step, file in files if step >= 0] or files[-1:]
    names = {file.stem for _, file in files}
    if layout in ("auto", _nanda.LAYOUT) and names & {"init", "final"}:
        return _nanda.read_folder(source, asked)
    if len(numbered) == 1:
        ((step, file),) = numbered
        return _read_file(file, read_foreign(file), layout, asked, max(step, 0))
    return _read_series(source, numbered, layout, asked)


def _read_file(path: Path, content: Any, layout: str, asked: Asked, step: int | None = None) -> Found:
    named = layout == _pizza.LAYOUT and is_state_dict(content)
    if named or (layout == "auto" and _pizza.reads(path, content)):
        return _pizza.read_file(path, content, asked)
    if layout in ("auto", _nanda.LAYOUT) and _nanda.reads(content):
        return _nanda.read_file(path, content, asked)
    if layout in ("auto", _transformer_lens.DEMO) and _transformer_lens.reads_demo(content):
        return _transformer_lens.read_demo(path, content, asked)
    if layout in ("auto", _transformer_lens.LAYOUT) and _transformer_lens.reads(_state(content)):
        return _transformer_lens.read_file(path, _state(content), asked, step or 0)
    known = "no layout known" if layout == "auto" else f"another layout than {layout}, or of none known"
    raise GrokinterpError(f"{path} is of {known}: it holds {described(content)}; looked for {_LOOKED_FOR}")


def _state(content: Any) -> Any:
    """A state dict, also where it stands under a name of its own, as trainers like to write it."""
    if isinstance(content, dict):
        states = {name: value for name, value in content.items() if is_state_dict(value)}
        for name in ("model", "state_dict", "model_state_dict", *(states if len(states) == 1 else ())):
            if name in states:
                return states[name]
    return content


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The files of a folder that may be checkpoints, by the last number in their names; −1 where there is none."""
    found = []
    for file in folder.iterdir():
        if file.suffix in _SUFFIXES and file.is_file():
            numbers = re.findall(r"\d+", file.stem)
            found.append((int(numbers[-1]) if numbers else -1, file))
    return sorted(found)


def _read_series(source: Path, numbered: list[tuple[int, Path]], layout: str, asked: Asked) -> Found:
    """A folder of one checkpoint per file: its task and model are those of the last, its steps those of the names."""
    steps = [step for step, _ in numbered]
    if len(set(steps)) != len(steps):
        twice = next(step for step in steps if steps.count(step) > 1)
        raise GrokinterpError(f"{source} holds two files of step {twice} by their names; import one series at a time")
    last_step, last = numbered[-1]
    found = _read_file(last, read_foreign(last), layout, asked, last_step)
    told = Asked(found.task.model_dump(), found.model.model_dump(), split_is_settled=True)

    def stored() -> Iterator[tuple[int, Tensors]]:
        for step, file in numbered:
            each = _read_file(file, read_foreign(file), found.layout, told, step)
            ((_, weights),) = list(each.checkpoints())[-1:]
            yield step, weights

    training = found.training.model_copy(update={"steps": max(last_step, 1)})
    return Found(found.layout, found.task, found.model, training, stored, found.metrics, found.notes)


def _write(found: Found, source: Path, folder: RunFolder) -> None:
    folder.checkpoints_path.mkdir(parents=True)
    task = Task(found.task)
    for step, weights in found.checkpoints():
        folder.write_checkpoint(step, weights)
    if found.metrics:
        write_whole(folder.metrics_path, "".join(json.dumps(row) + "\n" for row in found.metrics))
    config = RunConfig(task=found.task, model=found.model, training=found.training)
    environment = Environment(dtype={"weights": "float32"})
    folder.write_record(
        {
            "config": config.model_dump(mode="json"),
            "environment": environment.model_dump(mode="json"),
            "split": {"hash": task.split.hash, "train": len(task.split.train), "test": len(task.split.test)},
            "provenance": {
                "source": source.resolve().name,
                "sha256": hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else None,
                "layout": found.layout,
                "imported_with": version("grokinterp"),
                "notes": list(found.notes),
            },
        }
    )
