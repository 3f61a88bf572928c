"""The verdict as one HTML page that needs nothing but itself."""

from grokinterp.verdict import Verdict
from grokinterp.wording import listed

from ._glossary import glossary
from ._html import draw, render
from ._of_verdict import leading_figure, verdict_figures
from ._verdict_tables import accounts_table, control_name, evidence_tables, summary, thresholds_table

_CONTROLS = {
    "random_weights": "random weights of the same norms",
    "shuffled_answers": "this network with its answers' names shuffled",
    "memorised": "its own checkpoint that had memorised",
}


def render_verdict(verdict: Verdict) -> str:
    """The whole page: label, reasons, evidence beside its controls, accounts, and all figures that apply.

    No request goes out. Equal verdicts give equal pages.
    """
    leading = [entry.name for entry in leading_figure(verdict)]
    figures = draw(verdict_figures(verdict), verdict, leads=leading)
    evidence, run = evidence_tables(verdict), verdict.run
    heads, accounts = accounts_table(verdict)
    name = run.path.resolve().name.encode(errors="replace").decode() if run else ""
    return render(
        "verdict.html.j2",
        figures,
        name=name,
        task=verdict.snapshot.task.name,
        step=verdict.snapshot.step,
        verdict=summary(verdict),
        figures=figures,
        controls=listed([_CONTROLS.get(control, control_name(control)) for control in verdict.nulls]),
        evidence=evidence,
        formulas=glossary(row.name for row in verdict.evidence),
        marked=any(table.has_marks for table in evidence),
        account_heads=heads,
        accounts=accounts,
        chosen=any(account.chosen for account in accounts),
        thresholds=thresholds_table(),
        provenance=dict(run.provenance) if run and run.provenance else {},
        examined=verdict.examination is not None,
    )
