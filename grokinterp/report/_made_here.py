"""Which files of reports were made on this machine, for this user, by this version of grokinterp.

A run folder can come from a stranger, with a page of the stranger's in it. What is written here is therefore remembered
by its digest in the user's own state folder, where no run folder reaches; `grokinterp open` shows these files alone.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from grokinterp.runs import write_together, write_whole

# Bytes of the list, 65 a line; the older half goes when it has grown beyond them.
_MOST = 4_000_000
# Where there is no state folder, or none that can be written, what this process made is known to it.
_IN_THIS_PROCESS: set[str] = set()


def write_here(path: Path, content: str | bytes) -> None:
    """Write a file of a report whole, and remember it."""
    write_whole(path, content)
    remember(content)


def write_together_here(contents: Mapping[Path, str | bytes]) -> None:
    """Write files of one folder so that they change together, and remember them, whoever renames them."""
    for content in contents.values():
        remember(content)
    write_together(contents)


def remember(content: str | bytes) -> None:
    """Remember that these bytes were made here."""
    digest = _digest(content.encode() if isinstance(content, str) else content)
    if _is_remembered(digest):
        return
    _IN_THIS_PROCESS.add(digest)
    with suppress(OSError, RuntimeError):
        listed = _list()
        listed.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if listed.exists() and listed.stat().st_size > _MOST:
            lines = listed.read_text().splitlines(keepends=True)
            write_whole(listed, "".join(lines[len(lines) // 2 :]))
        with listed.open("a") as file:
            file.write(f"{digest}\n")


def was_made_here(content: bytes) -> bool:
    """Whether these bytes were remembered for this user and by this version."""
    return _is_remembered(_digest(content))


def _is_remembered(digest: str) -> bool:
    if digest in _IN_THIS_PROCESS:
        return True
    try:
        return digest in _list().read_text().splitlines()
    except (OSError, RuntimeError, ValueError):
        return False


def _digest(content: bytes) -> str:
    return sha256(f"grokinterp {_version()}\n".encode() + content).hexdigest()


@cache
def _version() -> str:
    return version("grokinterp")


def _list() -> Path:
    """The user's list of digests: `$XDG_STATE_HOME`, else `~/.local/state`, or `%LOCALAPPDATA%` on Windows."""
    named = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME")
    return Path(named or Path.home() / ".local" / "state") / "grokinterp" / "pages.txt"
