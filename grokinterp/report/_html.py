"""From figures and text to one HTML page."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from grokinterp.wording import number, percent

from ._entry import PageFigure
from ._explorer import Explorer, content_json


@dataclass(frozen=True)
class Drawn:
    """A figure as JSON and the text around it; `leads` where it stands above the page's tables."""

    name: str
    title: str
    caption: str
    note: str
    content: dict[str, Any]
    leads: bool = False


def draw(entries: Iterable[PageFigure], of: Any, *, leads: Sequence[str] = ()) -> list[Drawn]:
    """Draw the figures of a report or a verdict."""
    return [_drawn(entry, of, entry.name in leads) for entry in entries]


def _drawn(entry: PageFigure, of: Any, leads: bool) -> Drawn:
    """On the page both title and note stand in the text around the figure."""
    figure = json.loads(entry.draw(of).to_json() or "{}")
    title = figure["layout"].pop("title", {})
    note = title.get("subtitle", {}).get("text") or ""
    return Drawn(entry.name, entry.title, entry.caption, note, figure, leads)


def render(template: str, drawn: Iterable[Drawn], explored: Explorer | None = None, **texts: Any) -> str:
    """A page from a template of `page/`, with the data of its figures and plotly.js inside.

    With an explorer also that one's data, which the page's script decodes when it is looked at.
    """
    figures = {figure.name: figure.content for figure in drawn}
    return (
        _environment()
        .get_template(template)
        .render(
            **texts,
            data=_in_script(json.dumps(figures, ensure_ascii=False)),
            explored=_in_script(content_json(explored)) if explored else "",
            beside=bool(explored and explored.content["beside"]),
            # Base64 has no sign that could end its script.
            parts={name: Markup(text) for name, text in explored.parts.items()} if explored else {},
            plotlyjs=Markup(get_plotlyjs().replace("</script", "<\\/script")),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("grokinterp.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "percent": percent, "unbroken": unbroken, "together": together}
    return environment


def _in_script(text: str) -> Markup:
    """JSON that cannot end the <script> it stands in."""
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def unbroken(text: str) -> str:
    """Text whose numbers stay with their signs at the end of a line.

    >>> unbroken("k = 5 explains 90 %").split(" ")
    ['k\\xa0=\\xa05', 'explains', '90\\xa0%']
    """
    return text.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")


def together(text: str) -> str:
    """Text that stays on one line.

    >>> together("≥ 85 %").split(" ")
    ['≥\\xa085\\xa0%']
    """
    return text.replace(" ", "\u00a0")
