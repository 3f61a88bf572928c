"""SHA-256 of a run's checkpoints and state, which run.json keeps: what has changed since it was written is refused.

A file and its checksum cannot be written at the same moment. A checkpoint is written first, and listed with the state
that comes after it; until then it is not listed, and is read unchecked. The state is listed first, with its checksum
before and after. A process that is killed in between has left a folder that can be read and continued.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError

Checksums = dict[str, Any]
"""Of each file, by its path in the run folder, its checksum, or a list of those that it may have."""


def checksum(data: bytes) -> str:
    return sha256(data).hexdigest()


def require_unchanged(data: bytes, path: Path, name: str, listed: Mapping[str, Any]) -> None:
    """Refuse the content `data` of `path` if the checksums list the file `name` with others; those of 0.1 list none."""
    known = listed.get(name)
    if known is None or checksum(data) in (known if isinstance(known, list) else [known]):
        return
    raise GrokinterpError(
        f"{path} is not as it was written: its SHA-256 is not the one in run.json; restore it from a copy, or, if it "
        "was changed on purpose, delete its entry under checksums there"
    )
