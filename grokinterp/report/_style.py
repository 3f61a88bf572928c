"""How all figures look: colours, the template, and what differs between a wide and a narrow screen."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

# Okabe & Ito's colours, told apart by the colour-blind; black and the pale yellow give way to tones that
# show on light and dark paper alike. Here a colour always means a key frequency or irrep
# or, in the loss figures, a measure.
KEY_COLOURS = ("#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#A89A00", "#882255")
MEASURE_COLOURS = {
    "train_loss": "#7A828C",
    "test_loss": "#D55E00",
    "restricted_loss": "#009E73",
    "excluded_loss": "#0072B2",
    "excluded_loss_all_frequencies": "#56B4E9",
    "excluded_loss_all_irreps": "#56B4E9",
}
# Paul Tol's muted scheme, for what is neither: weight matrices.
MATRIX_COLOURS = (
    "#7766CC",
    "#44AA99",
    "#CC6677",
    "#999933",
    "#88CCEE",
    "#AA4499",
    "#117733",
    "#DDCC77",
)
OTHER = "#A3A9B1"
INK = "#2B3036"
RULE = "rgba(128,134,142,0.25)"
# Zero is the paper's grey, so that a sign shows.
DIVERGING = ((0.0, "#A6341B"), (0.25, "#E4A07E"), (0.5, "#F7F9FB"), (0.75, "#7FB2D3"), (1.0, "#08325C"))
SEQUENTIAL = ((0.0, "#F7F9FB"), (0.25, "#C6DCEB"), (0.5, "#7FB2D3"), (0.75, "#2F7CB0"), (1.0, "#08325C"))

# Of a figure shown by itself: where its title begins, from below, and the heights of title and subtitle in pixels.
TITLE_AT, TITLE_ROOM, SUBTITLE_ROOM = 0.98, 26, 20

TEMPLATE = go.layout.Template(
    layout={
        "font": {
            "family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
            "size": 12,
            "color": INK,
        },
        "title": {
            "x": 0,
            "xref": "paper",
            "yref": "container",
            "y": TITLE_AT,
            "automargin": True,
            "font": {"size": 15},
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 26, "t": 16, "b": 8},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": OTHER, "activecolor": "#0072B2"},
        "xaxis": {"gridcolor": RULE, "zeroline": False, "automargin": True, "title": {"standoff": 8}},
        "yaxis": {"gridcolor": RULE, "zeroline": False, "automargin": True, "title": {"standoff": 8}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "hoverlabel": {
            "namelength": -1,
            "bgcolor": "#FFFFFF",
            "bordercolor": OTHER,
            "font": {"color": INK, "size": 12},
        },
        "colorway": KEY_COLOURS,
        "bargap": 0.25,
    }
)


def new_figure(title: str, *, note: str = "", height: int = 380, narrow_height: int | None = None) -> go.Figure:
    """An empty figure in the house style; the note stands under the title."""
    figure = go.Figure(layout={"template": TEMPLATE, "title": {"text": title, "subtitle": {"text": note}}})
    figure.layout.meta = {"wide": {"dragmode": "zoom"}, "narrow": {"dragmode": False}}
    adapt(figure, wide={"height": height}, narrow={"height": narrow_height or height})
    return figure


def adapt(figure: go.Figure, *, wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> None:
    """Set the layout for wide screens; keep it and what narrow ones need in `layout.meta` for the page.

    Keys are dotted paths such as `xaxis2.domain`. A narrow screen is one a phone has: there, dragging
    scrolls the page.
    """
    for path, value in wide.items():
        figure.layout[path] = value
    meta: Any = figure.layout["meta"]
    figure.layout.meta = {
        **meta,
        "wide": {**meta["wide"], **wide},
        "narrow": {**meta["narrow"], **narrow},
    }


def legend_above(figure: go.Figure, **more: Any) -> None:
    """Put the legend at the top of the figure, from its left edge: for figures with long names on the left.

    To be called when heights and margins are set.
    """
    figure.update_layout(legend={"x": 0, "xref": "container", "yref": "container", "yanchor": "top"} | more)
    adapt(figure, wide={"legend.y": 1.0}, narrow={"legend.y": 1.0})
    above, layout = room_for_title(figure), figure.to_dict()["layout"]
    figure.update_layout(legend_y=1 - above / layout["height"])


def room_for_title(figure: go.Figure) -> int:
    """Make room for the title above what stands over the plots, and return its pixels; heights and margins are set.

    The page and files for papers, which have no title in the figure, take what is in `layout.meta` instead.
    """
    layout: Any = figure.layout
    margin = layout.margin.t or layout.template.layout.margin.t
    wide, narrow = ({"margin.t": layout.meta[which].get("margin.t", margin)} for which in ("wide", "narrow"))
    adapt(figure, wide=wide, narrow=narrow)
    # The title's distance from the top is a share of the height.
    above = round((1 - TITLE_AT) * layout.height) + TITLE_ROOM + (SUBTITLE_ROOM if layout.title.subtitle.text else 0)
    # The wide layout's, which `adapt` has just set.
    figure.update_layout(height=layout.height + above, margin_t=layout.margin.t + above)
    return above


def fewer_names_when_narrow(figure: go.Figure, *axes: str, most: int = 16) -> None:
    """Leave out names on axes across, evenly, where a narrow screen has no room for all."""
    for axis in axes:
        drawn: Any = figure.layout[axis]
        places, names = drawn.tickvals or (), drawn.ticktext or ()
        step = -(-len(names) // most) or 1
        every = {f"{axis}.tickvals": places, f"{axis}.ticktext": names}
        adapt(figure, wide=every, narrow={path: values[::step] for path, values in every.items()})


def share_steps(figure: go.Figure, subplots: Iterable[str], *, last: int) -> None:
    """Give the figure the step axis: on the page, figures that have it share hover and zoom."""
    if last:
        figure.update_xaxes(range=[0, 1.005 * last])
    figure.update_layout(hovermode="x unified", hoversubplots="axis")
    figure.update_xaxes(title_text="step", hoverformat=",d", tickformat=",d", rangemode="nonnegative", nticks=6)
    meta: Any = figure.layout["meta"]
    figure.layout.meta = {**meta, "step_subplots": list(subplots)}


def lay_out_cells(
    figure: go.Figure, titles: list[str], *, heights: tuple[int, int], columns: tuple[int, int], gap: float
) -> None:
    """Small multiples: cell i on axes i, `heights` and `columns` for (wide, narrow), a title above each.

    The gap between columns is a share of the width; on narrow screens it is twice as large.
    """
    for number, title in enumerate(titles, start=1):
        figure.add_annotation(
            text=title,
            xref=f"x{number if number > 1 else ''} domain",
            yref=f"y{number if number > 1 else ''} domain",
            x=0.5,
            y=1.0,
            xanchor="center",
            yanchor="bottom",
            showarrow=False,
            font_size=12,
        )
        names = axis_names(number)
        figure.layout[names[0]].anchor, figure.layout[names[1]].anchor = (
            names[1][0] + names[1][5:],
            names[0][0] + names[0][5:],
        )
    title_room = TITLE_LINE * max(title.count("<br>") + 1 for title in titles)
    wide, narrow = (
        _domains(len(titles), *of, title_room=title_room) for of in zip(heights, columns, (gap, 2 * gap), strict=True)
    )
    figure.update_layout(margin_r=12)
    adapt(figure, wide=wide, narrow=narrow)


def axis_names(number: int) -> tuple[str, str]:
    """Layout names of the axes of cell 1, 2, …

    >>> axis_names(1), axis_names(3)
    (('xaxis', 'yaxis'), ('xaxis3', 'yaxis3'))
    """
    suffix = str(number) if number > 1 else ""
    return f"xaxis{suffix}", f"yaxis{suffix}"


TITLE_LINE, TICK_ROOM = 20, 56


def _domains(cells: int, cell_height: int, columns: int, gap: float, *, title_room: int) -> dict[str, Any]:
    columns = max(1, min(columns, cells))
    rows = max(1, -(-cells // columns))
    plot_height = rows * (cell_height + title_room) + (rows - 1) * TICK_ROOM
    layout: dict[str, Any] = {"height": plot_height + TICK_ROOM + 20}
    width = (1 - gap * (columns - 1)) / columns
    for number in range(1, cells + 1):
        row, column = divmod(number - 1, columns)
        top = 1 - (row * (cell_height + title_room + TICK_ROOM) + title_room) / plot_height
        x, y = axis_names(number)
        left = column * (width + gap)
        layout[f"{x}.domain"] = [left, min(1.0, left + width)]
        layout[f"{y}.domain"] = [max(0.0, top - cell_height / plot_height), top]
    return layout


def nothing_to_see(figure: go.Figure, reason: str) -> go.Figure:
    """An empty figure that says why it is empty."""
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    figure.add_annotation(text=reason, xref="paper", yref="paper", x=0.5, y=0.5, showarrow=False)
    adapt(figure, wide={"height": 120}, narrow={"height": 120})
    return figure


def label(text: object) -> str:
    """Text that plotly shows as it is: its labels take a few HTML tags, in names that are not ours too.

    >>> label("<b>W</b>")
    '&lt;b&gt;W&lt;/b&gt;'
    """
    return escape(str(text), quote=False)


def positive_span(*series: Float[np.ndarray, " _"]) -> float:
    """Decades between the smallest and the largest positive value."""
    values = np.concatenate([np.asarray(one, dtype=np.float64) for one in series]) if series else np.empty(0)
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.log10(values.max() / values.min())) if len(values) else 0.0


def logarithmic(*series: Float[np.ndarray, " _"]) -> dict[str, Any]:
    """A logarithmic axis with ticks at powers of ten where there are enough of them."""
    decades = positive_span(*series)
    axis: dict[str, Any] = {"type": "log", "exponentformat": "power", "hoverformat": ".3g"}
    # plotly draws the powers of ten a quarter larger than other ticks.
    axis["tickfont"] = {"size": 10}
    return axis | ({"dtick": max(1, int(np.ceil(decades / 6)))} if decades >= 1.5 else {})
