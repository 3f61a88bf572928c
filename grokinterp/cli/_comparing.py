"""Commands that put runs side by side: compare."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._terminal import console, telling

if TYPE_CHECKING:
    from rich.table import Table

    from grokinterp.analysis import Comparison


def compare(
    run_dirs: Annotated[
        list[str], typer.Argument(metavar="RUN_DIR RUN_DIR …", help="Run folders, or hf://user/repo; two at least.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write the comparison.")] = Path("comparison"),
    verdict: Annotated[bool, typer.Option(help="Judge every run, which takes most of the time.")] = True,
) -> None:
    """Put runs side by side: comparison.html, comparison.json and comparison.csv."""
    from tqdm import tqdm

    from grokinterp.report import comparison_sentences, write_comparison
    from grokinterp.verdict import compare as compare_runs

    with tqdm(bar_format="{desc}", disable=not sys.stderr.isatty(), leave=False) as bar:
        comparison = compare_runs(run_dirs, verdict=verdict, on_part=telling(bar))
    paths = write_comparison(comparison, out)
    terminal = console()
    for sentence in comparison_sentences(comparison):
        terminal.print(sentence)
    for table in _tables(comparison, terminal.width):
        terminal.print()
        terminal.print(table)
    terminal.print()
    for path in (paths.html, paths.json, paths.csv):
        terminal.print(str(path))


# Of a column of the table: of what is said, and of a run.
_FIRST, _RUN = 18, 24


def _tables(comparison: "Comparison", width: int) -> "list[Table]":
    """A column per run, as many side by side as there is room for, and the others below."""
    from rich.table import Table

    from grokinterp.report import COMPARED_COLUMNS, runs_table

    rows = runs_table(comparison)
    at_once = max(1, (width - _FIRST) // _RUN)
    tables = []
    for start in range(0, len(rows), at_once):
        together = rows[start : start + at_once]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("", max_width=_FIRST)
        for row in together:
            table.add_column(row.name, overflow="fold")
        table.add_row("", *(row.about for row in together))
        for column, cells in zip(COMPARED_COLUMNS, zip(*(row.cells for row in together), strict=True), strict=True):
            table.add_row(column, *(f"{cell.text} ({cell.small})" if cell.small else cell.text for cell in cells))
        tables.append(table)
    return tables
