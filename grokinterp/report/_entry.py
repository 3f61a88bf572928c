"""An entry of the page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import plotly.graph_objects as go

from grokinterp.analysis import Report

from ._losses import losses_figure

Result = TypeVar("Result", bound=Any)


@dataclass(frozen=True)
class PageFigure(Generic[Result]):
    """A figure of a report or a verdict, and what the page says about it.

    `name` is its anchor, `caption` how to read it, with the words of `page_figures` in braces; `applies` says whether a
    result has it.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Result], go.Figure]
    applies: Callable[[Result], bool] = lambda _: True


LOSSES: PageFigure[Report] = PageFigure(
    "losses",
    "Train and test loss",
    "Grokking is a train loss that falls early and a test loss that follows much later. The shaded "
    "spans are the phases that the run reached, found from the measures of its checkpoints; the legend says which was "
    "not over at the last one.",
    losses_figure,
)
