"""The report as one HTML page that needs nothing but itself."""

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from grokinterp.analysis import Report
from grokinterp.wording import number, percent

from ._entry import PageFigure
from ._figures import page_figures
from ._tables import chance, keys_table, losses_table, rules_table


def render_page(report: Report) -> str:
    """The whole page: finding, key numbers and all figures that apply, with plotly.js inside; no request goes out.

    Equal reports give equal pages.
    """
    drawn = [(entry, *_drawn(entry, report)) for entry in page_figures(report)]
    figures = {entry.name: figure for entry, figure, _ in drawn}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            name=report.run.path.resolve().name.encode(errors="replace").decode(),
            task=report.run.task.name,
            step=report.snapshot.step,
            checkpoints=len(report.curves.measures),
            finding=report.finding,
            answers=report.run.task.n_answers,
            losses=losses_table(report),
            rules=rules_table(report),
            plural=report.in_group.structure.irrep_words if report.in_group else "",
            keys=keys_table(report),
            chance=chance(report),
            figures=[
                {"name": entry.name, "title": entry.title, "caption": entry.caption, "note": note}
                for entry, _, note in drawn
            ],
            data=_in_script(json.dumps(figures, ensure_ascii=False)),
            settings=_settings(report),
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
    environment.filters |= {"number": number, "percent": percent, "unbroken": unbroken}
    return environment


def _drawn(entry: PageFigure, report: Report) -> tuple[dict[str, Any], str]:
    """The figure as JSON, and its note: on the page both title and note stand in the text around it."""
    figure = json.loads(entry.draw(report).to_json() or "{}")
    title = figure["layout"].pop("title", {})
    return figure, title.get("subtitle", {}).get("text") or ""


def _in_script(text: str) -> Markup:
    """JSON that cannot end the <script> it stands in."""
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _settings(report: Report) -> list[tuple[str, dict[str, Any]]]:
    config = report.run.config.model_dump(mode="json")
    sections = [(name, config[name]) for name in ("task", "model", "training")]
    if table := config["task"]["table"]:
        config["task"]["table"] = f"{len(table)} rows, see run.json"
    return [*sections, ("environment", report.run.environment.model_dump(mode="json"))]


def unbroken(text: str) -> str:
    """Text whose numbers stay with their signs at the end of a line.

    >>> unbroken("k = 5 explains 90 %").split(" ")
    ['k\\xa0=\\xa05', 'explains', '90\\xa0%']
    """
    return text.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")
