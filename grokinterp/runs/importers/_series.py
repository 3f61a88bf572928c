"""A folder of checkpoints: which of its files are one run, at which steps, and which are left out and why."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grokinterp.errors import GrokinterpError
from grokinterp.runs._files import refusals_explained
from grokinterp.runs._folder import Tensors

from . import _nanda, _pizza
from ._contents import Contents
from ._layout import Asked, Found
from ._records import cut
from ._refusal import refusal
from ._route import layout_of, look, read_said
from ._steps import checked_step, step_in_name, steps_in_names

SUFFIXES = (".pt", ".pth", ".safetensors", ".ckpt", ".bin")
# States before the first optimizer call, by the names that trainers give them.
_INITIAL = {"init", "initial", "initialisation", "initialization", "untrained", "start"}
# What trainers keep beside the weights in a folder of one checkpoint.
_COMPANIONS = ("optimizer", "optim", "scheduler", "rng_state", "training_args", "scaler", "random_states")
_BY_NAME = "by its name it holds no weights"
# Copies that trainers keep beside the numbered checkpoints.
_COPIES = ("best", "last", "final", "latest", "end")
_MOST_NAMES = 6


@dataclass(frozen=True)
class _File:
    """A file with a network: which layout, the step that it states, what it is as a network, and what it states.

    `name` is its path within the folder, `mark` the name that may tell its step: of a file that is alone in a folder
    within, that folder's.
    """

    path: Path
    name: str
    mark: str
    layout: str
    stated: int | None
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    digest: str
    seed: object
    metrics: dict[str, float]

    @property
    def is_initial(self) -> bool:
        return self.mark.lower() in _INITIAL

    @property
    def is_copy(self) -> bool:
        return self.mark.lower().removeprefix("checkpoint-").startswith(_COPIES)


def read_folder(folder: Path, layout: str, asked: Asked) -> Found:
    """The folder as one run.

    Steps are those that the files state, else those that their names mark. Files without a network, copies, and files
    whose step is unknown beside numbered ones are left out with a note.

    Raises `GrokinterpError` for a folder of several networks, and for names that mark no step for sure.
    """
    _require_of_others(folder)
    files, inner, left_out = _candidates(folder)
    found = _read_files(folder, files, layout, asked, left_out)
    if not inner:
        return found
    note = f"Folders in it are not read, {_few(inner)}, which hold files of weights; import each on its own."
    return replace(found, notes=(*found.notes, note))


def _require_of_others(folder: Path) -> None:
    """Refuse a run folder of ours."""
    if (folder / "run.json").is_file() and (folder / "checkpoints").is_dir():
        raise GrokinterpError(
            f"{folder} is a run folder of grokinterp already; use it as it is, such as: grokinterp analyze {folder}"
        )


def _read_files(folder: Path, files: list[Path], layout: str, asked: Asked, left_out: dict[str, str]) -> Found:
    if layout in ("auto", _pizza.LAYOUT) and len(networks := _pizza.files_with_settings(folder)) > 1:
        raise GrokinterpError(
            f"{folder} holds {len(networks)} networks with settings of their own, no checkpoints of one run; import "
            f"one file at a time, such as {networks[0].name}"
        )
    if len(files) == 1:
        return _with_note(read_said(look(files[0]), layout, asked), left_out)
    found, last = [], None
    for path in files:
        try:
            said = look(path, by_name=False)
        except GrokinterpError:
            if all(map(_is_companion, files)) or not _is_companion(path):
                raise
            left_out[_within(folder, path)] = f"{_BY_NAME}, and it cannot be read"
            continue
        known = layout_of(said, layout)
        if known is None:
            left_out[_within(folder, path)], last = "it holds no network of a layout known", said
        else:
            found.append(_file(folder, known[0].name, known[1]))
    if not found:
        assert last is not None
        raise refusal(last, layout)
    if len(found) == 1:
        return _with_note(read_said(look(found[0].path), layout, asked), left_out)
    if all(file.layout == _nanda.LAYOUT and file.path.parent == folder for file in found) and _nanda.is_trainers(
        [file.path for file in found]
    ):
        read = _nanda.read_folder(folder, [file.path for file in found], asked)
        names = {file.path.name for file in found if not _nanda.is_trainers_name(file.path)}
        return _with_note(read, left_out | dict.fromkeys(names, "the released trainer does not write it"))
    numbered = _numbered(folder, found, left_out)
    return _with_note(_read(numbered, layout, asked), left_out)


def _candidates(folder: Path) -> tuple[list[Path], list[str], dict[str, str]]:
    """The files that may be checkpoints, the folders within that are not read, and files that are left out and why.

    Beside the folder's own files these are files that are alone in a folder within whose name marks a step, or a copy,
    as Hugging Face's trainer keeps them: `checkpoint-100/model.safetensors`.
    """
    with refusals_explained(folder, "read"):
        entries = sorted(folder.iterdir())
        files = _files(folder)
        inside = {path: _files(path) for path in entries if path.is_dir()}
    within = {path: found for path in inside if (found := [file for file in inside[path] if not _is_companion(file)])}
    alone = [found[0] for path, found in within.items() if len(found) == 1 and _marks(path.name)]
    unread = [path for path in within if path not in {file.parent for file in alone}]
    beside = [file for path in inside if path not in unread for file in inside[path] if _is_companion(file)]
    if alone:
        beside = [*filter(_is_companion, files), *beside]
        files = [path for path in files if not _is_companion(path)]
    left_out = {_within(folder, path): _BY_NAME for path in beside}
    inner = [cut(path.name, 60) for path in unread]
    if files or alone:
        return [*files, *alone], inner, left_out
    names = [cut(path.name, 60) for path in entries]
    holds = f"it holds {_few(names)}" if names else "it is empty"
    advice = "; give the folder with the checkpoints"
    if inner:
        advice = f"; {inner[0]} in it does: name that folder"
    if len(inner) > 1:
        advice = f"; folders in it do, {_few(inner)}: name one of them"
        advice += ", or, where they are one run, name them by their steps, with one file in each: step_100/model.pt"
    raise GrokinterpError(f"{folder} holds no file that ends in {', '.join(SUFFIXES)}: {holds}{advice}")


def _files(folder: Path) -> list[Path]:
    """The files of a folder whose names end as those of weights do."""
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())


def _is_companion(path: Path) -> bool:
    return path.stem.lower().startswith(_COMPANIONS)


def _marks(name: str) -> bool:
    """Whether a folder's name marks a step, the start, or a copy."""
    last = name.lower().removeprefix("checkpoint-")
    return step_in_name(name).step is not None or last in _INITIAL or last in _COPIES


def _within(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _file(folder: Path, layout: str, said: Contents) -> _File:
    digest = hashlib.sha256()
    for name, tensor in sorted(said.tensors().items()):
        digest.update(name.encode(errors="replace"))
        digest.update(tensor.numpy().tobytes())
    stated = _nanda.step_of(said) if layout == _nanda.LAYOUT else said.step
    return _File(
        path=said.path,
        name=_within(folder, said.path),
        mark=said.path.stem if said.path.parent == folder else said.path.parent.name,
        layout=layout,
        stated=stated,
        shapes=tuple(sorted((name, tuple(tensor.shape)) for name, tensor in said.state.items())),
        digest=digest.hexdigest(),
        seed=said.config.get("seed"),
        metrics=dict(said.stated),
    )


def _numbered(folder: Path, files: Sequence[_File], left_out: dict[str, str]) -> list[tuple[int | None, _File]]:
    """The files of one run in the order of their steps; what is not among them goes to `left_out` with the reason.

    Where all hold one network and nobody knows its step, that is None.
    """
    if len({file.shapes for file in files}) > 1:
        raise _several(folder, files, "with tensors of other names or shapes, so they are no checkpoints of one run")
    if len({repr(file.seed) for file in files}) > 1:
        raise _several(folder, files, "trained from other seeds, so they are no checkpoints of one run")
    numbered: dict[int, _File] = {}
    others: list[_File] = []
    # Copies last, so that they give way to the checkpoint they repeat.
    for file, step in sorted(zip(files, _steps(folder, files), strict=True), key=lambda entry: entry[0].is_copy):
        if step is None:
            others.append(file)
        elif checked_step(step, file.path) not in numbered:
            numbered[step] = file
        elif numbered[step].digest == file.digest:
            left_out[file.name] = f"it holds the weights of {cut(numbered[step].name)}"
        elif file.is_copy:
            left_out[file.name] = f"step {step:,} is that of {cut(numbered[step].name)}"
        else:
            both = f"{cut(numbered[step].name)} and {cut(file.name)}"
            raise GrokinterpError(f"{folder} holds two files of step {step}, {both}; import one series at a time")
    if len({file.digest for file in others}) == 1 and all(file.is_initial for file in numbered.values()):
        # Of an untrained and a final network the final one is what people mean.
        left_out.update({file.name: "the step of the network after it is unknown" for file in numbered.values()})
        numbered = {}
    same = {file.digest: file for file in ([numbered[step] for step in sorted(numbered)] or others[:1])}
    if not numbered and len({file.digest for file in others}) > 1:
        raise _several(folder, others, "whose steps neither the files nor their names tell")
    for file in others if numbered else others[1:]:
        why = "neither the file nor its name tells its step"
        copied = same.get(file.digest)
        left_out[file.name] = f"it holds the weights of {cut(copied.name)}" if copied else why
    ordered: list[tuple[int | None, _File]] = [(step, numbered[step]) for step in sorted(numbered)]
    return ordered or [(None, others[0])]


def _steps(folder: Path, files: Sequence[_File]) -> list[int | None]:
    """The step of each file, as it states it or as its name marks it; None where neither does."""
    stated = [file.stated for file in files]
    named = steps_in_names([file.mark for file in files])
    # A number of epochs that every file repeats is what was planned, and nobody's step.
    planned = len(files) > 1 and len(set(stated)) == 1 and len({name.step for name in named}) == len(files)
    found: list[int | None] = []
    for file, name in zip(files, named, strict=True):
        step = name.step
        if file.stated is not None and not planned:
            step = file.stated
        elif name.candidates:
            raise GrokinterpError(
                f"{folder}: the name {cut(file.name)} does not tell which of "
                f"{', '.join(map(str, name.candidates))} is the step, and the file does not say; rename the files with "
                "their steps, such as step_100"
            )
        elif step is not None:
            step += _calls_at_epoch_0(file.layout)
        elif file.is_initial:
            step = 0
        found.append(step)
    return found


def _calls_at_epoch_0(layout: str) -> int:
    """A state of epoch e of Nanda's trainer has had e + 1 optimizer calls."""
    return 1 if layout == _nanda.LAYOUT else 0


def _several(folder: Path, files: Sequence[_File], why: str) -> GrokinterpError:
    names = _few([cut(file.name, 60) for file in files])
    return GrokinterpError(f"{folder} holds {len(files)} networks, {names}, {why}; import one file at a time")


def _read(numbered: list[tuple[int | None, _File]], layout: str, asked: Asked) -> Found:
    """The run whose task and model are those of the last file."""
    last_step, last = numbered[-1]
    said = look(last.path, by_name=False)
    if said.step is None and last_step is not None:
        said = replace(said, step=max(last_step - _calls_at_epoch_0(last.layout), 0))
    found = read_said(said, layout, asked)
    if len(numbered) == 1:
        return found
    told = Asked(found.task.model_dump(), found.model.model_dump(), split_is_settled=True)

    def stored() -> Iterator[tuple[int, Tensors]]:
        for step, file in numbered:
            each = read_said(look(file.path), found.layout, told)
            ((_, weights),) = list(each.checkpoints())[-1:]
            yield step or 0, weights

    rows = [(step or 0, file.metrics) for step, file in numbered if file.metrics]
    by_name = sum(file.stated is None for _, file in numbered)
    note = f"The steps of {by_name} of {len(numbered)} files are those of their names." if by_name else ""
    return replace(
        found,
        training=found.training.model_copy(update={"steps": last_step}),
        checkpoints=stored,
        last=found.last or (lambda: list(found.checkpoints())[-1][1]),
        metrics=found.metrics or [{"step": step, **metrics} for step, metrics in rows],
        notes=(*found.notes, note) if note else found.notes,
    )


def _with_note(found: Found, left_out: dict[str, str]) -> Found:
    """`found` with the files of the folder that were left out, by reason."""
    if not left_out:
        return found
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(cut(name, 60))
    listed = "; ".join(f"{_few(names)} ({why})" for why, names in reasons.items())
    return replace(found, notes=(*found.notes, f"Left out of the folder: {listed}."))


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
