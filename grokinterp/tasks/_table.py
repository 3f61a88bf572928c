"""Tables that users bring: from a CSV file or an array, with absent pairs."""

import csv
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from grokinterp.config import shortened
from grokinterp.errors import GrokinterpError

from ._operation import ABSENT

# How an absent pair may be written: nothing at all, or one of these.
_NOTHING = ("", "-", "none", "nan", "<na>", str(ABSENT))
# Above it the table of all pairs alone outgrows a laptop's patience.
MAX_SYMBOLS = 2000
_MOST_BYTES = 64 * 2**20


def table_rows(table: Any) -> tuple[str, ...]:
    """A table as the lines of a CSV file, which is how a run's configuration keeps it, whole and readable.

    `table` is the path of a CSV file, an array, or a list of rows. Entry [a, b] is the answer to the pair (a, b), an
    integer ≥ 0; an empty cell, `-`, None or −1 says that the pair is absent.

    >>> table_rows([[0, 1], [None, 2]])
    ('0,1', ',2')
    """
    if isinstance(table, str | Path):
        rows: Iterable[Any] = _lines_of(Path(table))
    else:
        # Tensors and data frames are arrays too.
        rows = np.asarray(table).tolist() if hasattr(table, "__array__") else table
    try:
        cells = [row.split(",") if isinstance(row, str) else list(row) for row in rows]
    except TypeError:
        raise ValueError("task.table: needs rows of integers; give an array, a list of rows or a CSV file") from None
    while cells and not cells[-1]:
        cells.pop()
    # An empty line is one empty cell.
    cells = [row or [None] for row in cells]
    if len({len(row) for row in cells}) > 1:
        other = next(i for i, row in enumerate(cells) if len(row) != len(cells[0]))
        raise ValueError(
            f"task.table: row {other + 1} has {len(cells[other])} entries and row 1 has {len(cells[0])}; "
            "every row needs the same number, empty cells for absent pairs"
        )
    if max(len(cells), len(cells[0]) if cells else 0) > MAX_SYMBOLS:
        raise ValueError(
            f"task.table has {len(cells):,} rows and {len(cells[0]):,} columns; needs at most {MAX_SYMBOLS:,} of each"
        )
    lines = tuple(
        ",".join(_cell(value, a, b) for b, value in enumerate(row, start=1)) for a, row in enumerate(cells, start=1)
    )
    if not any(cell for line in lines for cell in line.split(",")):
        raise ValueError("task.table has no pair: every entry is absent; give at least two pairs their answers")
    return lines


def _lines_of(path: Path) -> list[list[str]]:
    """The cells of a CSV file."""
    try:
        about = path.stat()
        # A pipe would never end, and neither would a device.
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            reason = "it is no regular file"
        elif about.st_size > _MOST_BYTES:
            reason = f"it has more than {_MOST_BYTES // 2**20} MiB"
        else:
            return list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
    raise ValueError(f"task.table = {shortened(str(path))}: {reason}; give the path of a CSV file")


def _cell(value: Any, row: int, column: int) -> str:
    text = "" if value is None else str(value).strip()
    if text.lower() in _NOTHING:
        return ""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < MAX_SYMBOLS or number != int(number):
        separated = "; separate cells by commas" if any(sign in text for sign in ";\t ") else ""
        raise ValueError(
            f"task.table, row {row}, column {column}: {text[:40]!r} is no answer; needs an integer from 0 to "
            f"{MAX_SYMBOLS - 1:,}, or nothing where the pair is absent{separated}"
        )
    return str(int(number))


def read_rows(rows: tuple[str, ...]) -> Int[np.ndarray, "a b"]:
    """The table that `table_rows` wrote, −1 for absent pairs."""
    return np.array([[int(cell) if cell else ABSENT for cell in row.split(",")] for row in rows])


def require_group_table(table: Int[np.ndarray, "a b"]) -> None:
    """Refuse, with the first entry that is the reason, a table that has absent pairs where a group is needed."""
    absent = np.argwhere(table == ABSENT)
    if len(absent):
        a, b = absent[0]
        raise GrokinterpError(
            f"the table is no group: row {a + 1}, column {b + 1} is absent; a group answers every pair"
        )
