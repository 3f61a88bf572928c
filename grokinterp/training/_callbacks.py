"""What can be told of a training run while it goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grokinterp.runs import Run
    from grokinterp.tasks import Task

OnStep = Callable[[int, dict[str, Any]], object]


class Callback:
    """Override what you need; every method does nothing by default.

    >>> class Printer(Callback):
    ...     def on_checkpoint(self, step, path):
    ...         print(step, path.name)
    """

    def on_start(self, model: Any, task: "Task") -> None:
        """Before the first step: the network, whose weights change while it trains, and its task."""

    def on_step(self, step: int, metrics: dict[str, Any]) -> object:
        """After the losses of `step` are known, before the optimizer moves.

        Where it returns True, training ends before the next step, which gets a checkpoint; `resume=True` goes on.
        """

    def on_checkpoint(self, step: int, path: Path) -> None:
        """After the checkpoint of `step` is on disk."""

    def on_end(self, run: "Run") -> None:
        """After the last step."""


class Function(Callback):
    """A plain function of step and metrics as a callback."""

    def __init__(self, function: OnStep) -> None:
        self.function = function

    def on_step(self, step: int, metrics: dict[str, Any]) -> object:
        return self.function(step, metrics)
