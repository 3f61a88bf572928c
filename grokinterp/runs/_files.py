"""Writing a file whole or not at all, and what to tell the user when the system will not have it."""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from grokinterp.errors import GrokinterpError

_REASONS = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where a file is needed",
    errno.EFBIG: "the file is larger than this system allows",
    errno.ELOOP: "its symbolic links lead in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOENT: "there is no such file or folder",
}
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9]+\.tmp")
# Files that change together wait as `.name.next`; once this one lies there, all of them are complete.
_COMPLETE = ".complete.next"


@contextmanager
def refusals_explained(path: Path, verb: str = "write") -> Iterator[None]:
    """Turn an operating system's refusal to write (or read) `path` into one line for the user."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        advice = "what was written before is intact, make room or choose another folder"
        if verb == "read":
            advice = "check the path and its permissions"
        raise GrokinterpError(f"cannot {verb} {path}: {reason}; {advice}") from error


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `path` under a temporary name, flush it to the disk, then rename: readers see all of it or none."""
    temporary = temporary_of(path)
    with refusals_explained(path):
        try:
            _write_flushed(temporary, content)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        flush_folder(path.parent)


def write_together(contents: Mapping[Path, bytes | str]) -> None:
    """Write the files of one folder, which only this process writes into, so that they change together.

    All are written and flushed under other names before the first is renamed. A process killed in between leaves a mark
    by which `finish_together` renames the others.
    """
    (folder,) = {path.parent for path in contents}
    finish_together(folder)
    waiting = {path: folder / f".{path.name}.next" for path in contents}
    for path, content in contents.items():
        with refusals_explained(path):
            try:
                _write_flushed(waiting[path], content)
            except BaseException:
                for file in waiting.values():
                    with suppress(OSError):
                        file.unlink()
                raise
    with refusals_explained(folder):
        _write_flushed(folder / _COMPLETE, b"")
        flush_folder(folder)
    finish_together(folder)


def finish_together(folder: Path) -> None:
    """Finish what a killed `write_together` had complete, and remove what it had not."""
    with refusals_explained(folder):
        mark = folder / _COMPLETE
        is_complete = mark.exists()
        for file in folder.glob(".*.next"):
            if file != mark and file.is_file() and not file.is_symlink():
                path = folder / file.name.removeprefix(".").removesuffix(".next")
                with refusals_explained(path):
                    file.replace(path) if is_complete else file.unlink()
        if is_complete:
            # The names first: without the mark nothing would tell that one is missing.
            flush_folder(folder)
            mark.unlink()


def awaits_finish(folder: Path) -> bool:
    """Whether a killed `write_together` left files in `folder` that do not belong together."""
    return (folder / _COMPLETE).exists()


def _write_flushed(path: Path, content: bytes | str) -> None:
    # Of a process that was killed; whoever lies there, a link is not followed.
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Have the names in `folder` last through a power cut, where the system knows how to."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders; elsewhere one may write into what one may not list.
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # As some network file systems answer.
            raise
    finally:
        os.close(descriptor)


def temporary_of(path: Path) -> Path:
    """Where this process makes `path` before it gets its name."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_leftovers(folder: Path, names: str, *, folders: bool = False) -> None:
    """Delete what a killed process left in `folder` of files (or `folders`) whose whole name matches `names`.

    To be called by the only process that makes such files there.
    """
    for path in folder.iterdir():
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or path.is_symlink() or not re.fullmatch(names, match["name"]):
            continue
        if folders and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif not folders and path.is_file():
            path.unlink()


def make_folder(path: Path) -> None:
    with refusals_explained(path):
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            flush_folder(path.parent)
