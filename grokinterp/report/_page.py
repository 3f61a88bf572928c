"""The report as one HTML page."""

from collections.abc import Sequence
from typing import Any

from grokinterp.analysis import Report
from grokinterp.errors import GrokinterpError
from grokinterp.runs import about_import, warnings_of
from grokinterp.verdict import Verdict
from grokinterp.wording import character_share, step_named

from ._entry import PageFigure
from ._explorer import Explorer, explorer
from ._explorer_texts import explorer_texts
from ._figures import page_figures
from ._glossary import glossary
from ._html import Drawn, draw, render
from ._of_verdict import leading_figure
from ._tables import chance, keys_table, losses_table, rules_table
from ._verdict_stages import stage_parts
from ._verdict_tables import decisive_evidence, summary


def render_page(
    report: Report, verdict: Verdict | None = None, *, extra_figures: Sequence[PageFigure[Report]] = ()
) -> str:
    """The whole page: finding, explorer, key numbers and all figures that apply, with plotly.js inside.

    It needs nothing but itself, and no request goes out. The explorer shows the network at as many checkpoints as one
    page holds, at most 26; `write_report` can keep more beside the page.

    With a verdict on the same checkpoint, that leads: its label, its reasons, and the evidence it hangs on. Equal
    reports give equal pages.

    **Raises** `GrokinterpError` for a verdict on another checkpoint, and for an extra figure whose name is taken.
    """
    return page_of(report, verdict, explorer(report), extra_figures)


def page_of(
    report: Report, verdict: Verdict | None, explored: Explorer, extra_figures: Sequence[PageFigure[Report]]
) -> str:
    """`render_page` with an explorer that is made already."""
    if verdict:
        _require_same(report, verdict)
    entries = (*page_figures(report), *(entry for entry in extra_figures if entry.applies(report)))
    _require_names_apart(entries)
    figures = draw(entries, report)
    leading = draw(leading_figure(verdict), verdict) if verdict else []
    return render(
        "page.html.j2",
        [*leading, *figures],
        explored,
        explore=explorer_texts(report, explored),
        name=report.run.path.resolve().name.encode(errors="replace").decode(),
        task=report.run.task.name,
        step=step_named(report.run.known_step(report.snapshot.step)),
        checkpoints=len(report.curves.measures),
        finding=report.finding,
        answers=report.run.task.n_answers,
        losses=losses_table(report),
        rules=rules_table(report),
        share_name=character_share(report.in_group.structure.is_cyclic) if report.in_group else "",
        plural=report.in_group.structure.irrep_words if report.in_group else "",
        keys=keys_table(report),
        chance=chance(report),
        figures=figures,
        settings=_settings(report),
        imported=dict(about_import(report.run.provenance)),
        warnings=warnings_of(report.run.provenance),
        **_leads(verdict, leading),
    )


def _require_names_apart(entries: Sequence[PageFigure[Report]]) -> None:
    names = [entry.name for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise GrokinterpError(f"extra figure {twice[0]!r}: the page has a figure of that name; give it another name")


def _leads(verdict: Verdict | None, leading: list[Drawn]) -> dict[str, Any]:
    if verdict is None:
        return {"verdict": None}
    table = decisive_evidence(verdict)
    return {
        "verdict": summary(verdict),
        "leading": leading,
        "stages": stage_parts(verdict, ()),
        "why": verdict.why_shares_differ,
        "table": table,
        "formulas": glossary(row.name for row in table.rows),
    }


def _require_same(report: Report, verdict: Verdict) -> None:
    judged, step = verdict.snapshot, report.snapshot.step
    if judged.step != step or judged.task.config != report.run.task.config:
        raise GrokinterpError(
            f"the verdict is on {judged.task.name} at step {judged.step}, the report on {report.run.task.name} at step "
            f"{step}; needs both on one checkpoint; give a verdict on report.run"
        )


def _settings(report: Report) -> list[tuple[str, dict[str, Any]]]:
    config = report.run.config.model_dump(mode="json")
    sections = [(name, config[name]) for name in ("task", "model", "training")]
    if table := config["task"]["table"]:
        config["task"]["table"] = f"{len(table)} rows, see run.json"
    return [*sections, ("environment", report.run.environment.model_dump(mode="json"))]
