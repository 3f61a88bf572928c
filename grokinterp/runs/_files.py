"""Writing a file whole or not at all, and what to tell the user when the disk will not have it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from grokinterp.errors import GrokinterpError

_REFUSALS = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.EFBIG: "the file is larger than this system allows",
}


@contextmanager
def refusals_explained(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write `path` into one line for the user."""
    try:
        yield
    except OSError as error:
        reason = _REFUSALS.get(error.errno or 0)
        if reason is None:
            raise
        raise GrokinterpError(
            f"cannot write {path}: {reason}; what was written before is intact, make room or choose another folder"
        ) from error


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


def make_folder(path: Path) -> None:
    with refusals_explained(path):
        path.mkdir(parents=True, exist_ok=True)
