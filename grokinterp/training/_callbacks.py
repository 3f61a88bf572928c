"""What can be told of a training run while it goes on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grokinterp.runs import Run


class Callback:
    """Override what you need; every method does nothing by default.

    >>> class Printer(Callback):
    ...     def on_checkpoint(self, step, path):
    ...         print(step, path.name)
    """

    def on_step(self, step: int, metrics: dict[str, Any]) -> None:
        """After the losses of `step` are known, before the optimizer moves."""

    def on_checkpoint(self, step: int, path: Path) -> None:
        """After the checkpoint of `step` is on disk."""

    def on_end(self, run: "Run") -> None:
        """After the last step."""
