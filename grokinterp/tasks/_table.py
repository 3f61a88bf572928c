"""Tables that users bring: from a CSV file or an array, with absent pairs."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from grokinterp.errors import GrokinterpError

from ._operation import ABSENT

# How an absent pair may be written: nothing at all, or one of these.
_NOTHING = ("", "-", "None", "nan", str(ABSENT))


def table_rows(table: Any) -> tuple[str, ...]:
    """A table as the lines of a CSV file, which is how a run's configuration keeps it, whole and readable.

    `table` is the path of a CSV file, an array, or a list of rows. Entry [a, b] is the answer to the pair (a, b), an
    integer ≥ 0; an empty cell, `-`, None or −1 says that the pair is absent.

    >>> table_rows([[0, 1], [None, 2]])
    ('0,1', ',2')
    """
    if isinstance(table, str | Path):
        try:
            rows: Iterable[Any] = list(csv.reader(Path(table).read_text(encoding="utf-8-sig").splitlines()))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ValueError(f"task.table = {str(table)!r}: {reason}; give the path of a CSV file") from None
    else:
        rows = table.tolist() if isinstance(table, np.ndarray) else table
    try:
        cells = [row.split(",") if isinstance(row, str) else list(row) for row in rows]
    except TypeError:
        raise ValueError("task.table: needs rows of integers; give an array, a list of rows or a CSV file") from None
    cells = [row for row in cells if row]
    if len({len(row) for row in cells}) > 1:
        other = next(i for i, row in enumerate(cells) if len(row) != len(cells[0]))
        raise ValueError(
            f"task.table: row {other + 1} has {len(cells[other])} entries and row 1 has {len(cells[0])}; "
            "every row needs the same number, empty cells for absent pairs"
        )
    lines = tuple(
        ",".join(_cell(value, a, b) for b, value in enumerate(row, start=1)) for a, row in enumerate(cells, start=1)
    )
    if not any(cell for line in lines for cell in line.split(",")):
        raise ValueError("task.table has no pair: every entry is absent; give at least two pairs their answers")
    return lines


def _cell(value: Any, row: int, column: int) -> str:
    text = "" if value is None else str(value).strip()
    if text in _NOTHING:
        return ""
    number = float(text) if text.replace(".", "", 1).isdigit() else None
    if number is None or number != int(number) or number > 10_000:
        raise ValueError(
            f"task.table, row {row}, column {column}: {text[:40]!r} is no answer; needs an integer from 0 to 10,000, "
            "or nothing where the pair is absent"
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
            f"task.table is no group: row {a + 1}, column {b + 1} is absent; a group answers every pair"
        )
