"""What all commands share: how a run is named, and how they print."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grokinterp.errors import GrokinterpError
from grokinterp.guard import printable

if TYPE_CHECKING:
    from rich.console import Console
    from tqdm import tqdm

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
    folder = Path(run_dir) / what
    if folder.is_symlink() or folder.exists():
        from grokinterp.runs import require_inside

        require_inside(folder, Path(run_dir))
    return folder


def console() -> "Console":
    from ._console import PlainConsole

    # What is printed are paths and sentences, in which nothing is to be interpreted.
    return PlainConsole(highlight=False, soft_wrap=True, markup=False, emoji=False)


def telling(bar: "tqdm") -> Callable[[str], None]:
    """How a bar is told what is done at the moment."""
    return lambda part: bar.set_description_str(printable(part))
