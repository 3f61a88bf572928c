"""Files of a run folder, which may be a stranger's: regular ones that lie in it, and no larger than they can be."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from grokinterp.errors import GrokinterpError

from ._files import refusals_explained

# Bytes. A table of 2,000 × 2,000 answers takes 20 MB in run.json, a million steps 100 MB in metrics.jsonl.
MOST_OF_RECORD = 64 * 2**20
MOST_OF_METRICS = 256 * 2**20
MOST_OF_TENSORS = 4 * 2**30
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_PIECE = 2**24


def read_regular(path: Path, most: int, *, within: Path | None = None, start: int = 0) -> bytes:
    """The bytes from `start` on of a regular file of at most `most` that lies in the folder `within`, if one is named.

    **Raises** `GrokinterpError` for a pipe, a device or a socket, for a symbolic link that leads out of the folder, for
    a file that is too large, and where the system refuses.
    """
    with refusals_explained(path, "read"), open_regular(path, within=within) as file:
        pieces, length = [], file.seek(start)
        while piece := file.read(_PIECE):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                raise GrokinterpError(f"{path} has more than {most / 2**20:,.0f} MiB; {_UNREADABLE}")
    return b"".join(pieces)


_UNREADABLE = "no file of that name is so large: restore it from a copy"


def open_regular(path: Path, *, within: Path | None = None) -> BinaryIO:
    """The same, opened to be read; what the system refuses is an `OSError`."""
    if within is not None:
        require_inside(path, within)
    _require_regular(path.stat().st_mode, path)
    # Should it have become a pipe since: without waiting for one who writes.
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    try:
        _require_regular(os.fstat(file.fileno()).st_mode, path)
    except BaseException:
        file.close()
        raise
    return file


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise GrokinterpError(f"{path} is {kind}; a regular file is needed: restore it from a copy")


def require_inside(path: Path, folder: Path) -> None:
    """Refuse a path in `folder` that a symbolic link leads out of it, be the folder itself a link or not.

    The Hub's cache keeps what belongs to a snapshot in `blobs` beside `snapshots`, and links there.
    """
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    if real.is_relative_to(root):
        return
    if root.parent.name == "snapshots" and real.is_relative_to(root.parent.parent / "blobs"):
        return
    raise GrokinterpError(
        f"{path} is a symbolic link, or lies behind one, that leads out of {folder}; what a run folder holds must lie "
        "in it: put the file or folder itself there"
    )
