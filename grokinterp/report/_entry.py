"""An entry of the page."""

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go

from grokinterp.analysis import Report

from ._losses import losses_figure


@dataclass(frozen=True)
class PageFigure:
    """A figure and what the page says about it.

    `name` is its anchor, `caption` how to read it, with the words of `page_figures` in braces; `applies` says whether a
    report has it.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Report], go.Figure]
    applies: Callable[[Report], bool] = lambda _: True


LOSSES = PageFigure(
    "losses",
    "Train and test loss",
    "Grokking is a train loss that falls early and a test loss that follows much later. The shaded "
    "spans are the phases, found from the progress measures below.",
    losses_figure,
)
