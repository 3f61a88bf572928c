"""The terminal as the commands write to it: a stranger's text cannot steer it."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from grokinterp.guard import printable


class PlainConsole(Console):
    """A console that shows escape codes, and signs that turn the direction of writing, as `?`.

    Names of files, notes and settings of a run folder can hold them. Sentences that are printed are one line each;
    lines of a table are broken by the table.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(printable(part) if isinstance(part, str) else part for part in objects), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(printable, segment.text.split("\n"))), segment.style)
