"""The report as one HTML page that needs nothing but itself."""

import json
import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from grokinterp.analysis import Report
from grokinterp.wording import number, percent

from ._figures import FIGURES, PageFigure
from ._style import frequency_colours

MOST_LISTED = 16
_RULES = {
    "W_L": "a row of W_L above a quarter of the largest",
    "W_E": "a row of W_E above a quarter of the largest",
    "argmax": "best frequency of any neuron",
    "clusters": "a neuron explained to 85 %",
}


def render_page(report: Report) -> str:
    """The whole page: finding, key numbers and all `FIGURES`, with plotly.js inside; no request goes out.

    Equal reports give equal pages.
    """
    drawn = [(entry, *_drawn(entry, report)) for entry in FIGURES]
    return _environment().get_template("page.html.j2").render(
        name=report.run.path.resolve().name.encode(errors="replace").decode(), task=report.run.task.name,
        step=report.snapshot.step, checkpoints=len(report.curves.measures), finding=report.finding,
        losses=_losses(report), rules=_rules(report), frequencies=_frequencies(report),
        unclustered=len(report.neurons.unclustered()), neurons=len(report.neurons.frequency),
        figures=[{"name": entry.name, "title": entry.title, "caption": entry.caption, "note": note} for
        entry, _, note in drawn], data=_in_script(json.dumps({entry.name: figure for entry, figure, _ in
        drawn}, ensure_ascii=False)), settings=_settings(report),
        plotlyjs=Markup(get_plotlyjs().replace("</script", "<\\/script")), )  # fmt: skip


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


def _losses(report: Report) -> list[tuple[str, float | None, float | None]]:
    """Rows of the table: what, loss, accuracy."""
    final = report.final
    rows = [
        ("train pairs", "train_loss", "train_accuracy"),
        ("test pairs", "test_loss", "test_accuracy"),
        ("all pairs", "all_loss", "all_accuracy"),
        ("restricted: key frequencies alone, all pairs", "restricted_loss", "restricted_accuracy"),
        ("excluded: without the key frequencies, train pairs", "excluded_loss", ""),
        ("excluded: without any frequency, train pairs", "excluded_loss_all_frequencies", ""),
    ]
    guess = ("a uniform guess", math.log(report.run.task.p), 1 / report.run.task.p)
    return [*((name, final.get(loss), final.get(accuracy)) for name, loss, accuracy in rows), guess]


def _rules(report: Report) -> list[dict[str, Any]]:
    colours = frequency_colours(report)
    rows = []
    for rule, meaning in _RULES.items():
        frequencies = report.key_frequencies_by_rule.by_rule(rule)  # type: ignore[arg-type]
        rows.append(
            {
                "name": rule,
                "meaning": meaning,
                "used": rule == report.rule,
                "count": len(frequencies),
                "frequencies": [(k, colours.get(k)) for k in frequencies[:MOST_LISTED]],
                "more": max(0, len(frequencies) - MOST_LISTED),
            }
        )
    return rows


def _frequencies(report: Report) -> list[dict[str, Any]]:
    clusters = report.neurons.clusters()
    return [
        {
            "frequency": k,
            "colour": colour,
            "neurons": len(clusters.get(k, [])),
            "share": float(report.logits.share[k]),
            "amplitude": float(report.logits.amplitudes[k]),
            "excluded": report.final.get(f"excluded_loss_k{k}"),
            "reads": report.logit_map.variance_explained.get(k, []),
        }
        for k, colour in frequency_colours(report).items()
    ]


def _settings(report: Report) -> list[tuple[str, dict[str, Any]]]:
    config = report.run.config.model_dump(mode="json")
    sections = [(name, config[name]) for name in ("task", "model", "training")]
    return [*sections, ("environment", report.run.environment.model_dump(mode="json"))]


def unbroken(text: str) -> str:
    """Text whose numbers stay with their signs at the end of a line.

    >>> unbroken("k = 5 explains 90 %").split(" ")
    ['k\\xa0=\\xa05', 'explains', '90\\xa0%']
    """
    return text.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")
