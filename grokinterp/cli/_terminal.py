"""What all commands share: how a run is named, and how they print."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grokinterp.errors import GrokinterpError

if TYPE_CHECKING:
    from rich.console import Console

# Text, because a path would lose a slash of hf://user/repo.
RunDir = Annotated[
    str, typer.Argument(metavar="RUN_DIR", help="A run folder made by `grokinterp train`, or hf://user/repo.")
]


def folder_for(what: str, run_dir: str, out: Path | None) -> Path:
    """Where a command writes: `out`, or a folder of that name in the run's own, which must then be on this machine."""
    if out is not None:
        return out
    if run_dir.startswith("hf://"):
        raise GrokinterpError(f"{run_dir} is not on this machine: needs --out, the folder to write the {what} into")
    return Path(run_dir) / what


def console() -> "Console":
    from rich.console import Console

    # What is printed are paths and sentences, in which nothing is to be interpreted.
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
