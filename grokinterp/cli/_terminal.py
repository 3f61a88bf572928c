"""What all commands share: how a run is named, and how they print."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

# Text, because a path would lose a slash of hf://user/repo.
RunDir = Annotated[
    str, typer.Argument(metavar="RUN_DIR", help="A run folder made by `grokinterp train`, or hf://user/repo.")
]


def console() -> "Console":
    from rich.console import Console

    # What is printed are paths and sentences, in which nothing is to be interpreted.
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
