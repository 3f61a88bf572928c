"""Writing a file whole or not at all, and what to tell the user when the system will not have it."""

import errno
import os
import re
from collections.abc import Iterator
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
_TEMPORARY = re.compile(r"\.(run\.json|metrics\.jsonl|trainer_state\.safetensors|step_\d+\.safetensors)\.\d+\.tmp")


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
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with refusals_explained(path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that a process killed while writing a run left in `folder`; no other file."""
    for file in folder.iterdir():
        if _TEMPORARY.fullmatch(file.name) and file.is_file():
            file.unlink()


def read_whole(path: Path) -> bytes:
    with refusals_explained(path, "read"):
        return path.read_bytes()


def make_folder(path: Path) -> None:
    with refusals_explained(path):
        path.mkdir(parents=True, exist_ok=True)
