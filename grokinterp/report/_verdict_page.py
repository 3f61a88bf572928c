"""The verdict as one HTML page that needs nothing but itself."""

from grokinterp.runs import about_import, warnings_of
from grokinterp.verdict import THRESHOLDS, Verdict
from grokinterp.wording import OF_ACCOUNTS, listed, step_named, why_they_differ

from ._glossary import glossary
from ._html import draw, render
from ._of_verdict import leading_figure, verdict_figures
from ._verdict_circuit import predictions_table
from ._verdict_stages import stage_parts
from ._verdict_tables import accounts_table, control_name, evidence_tables, share, summary, thresholds_table

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
    stages = stage_parts(verdict, [figure.name for figure in figures])
    name = run.path.resolve().name.encode(errors="replace").decode() if run else ""
    return render(
        "verdict.html.j2",
        figures,
        name=name,
        task=verdict.snapshot.task.name,
        step=step_named(verdict.known_step),
        verdict=summary(verdict),
        doubts=verdict.key_doubts,
        figures=figures,
        stages=stages,
        placed=[figure for part in stages for figure in part.figures],
        controls=listed([_CONTROLS.get(control, control_name(control)) for control in verdict.nulls]),
        evidence=evidence,
        predictions=predictions_table(verdict),
        formulas=glossary(row.name for row in verdict.evidence),
        marked=any(table.has_marks for table in evidence),
        account_heads=heads,
        accounts=accounts,
        predicts=[share(THRESHOLDS[name].bound) for name in ("explained", "loss_recovered")],
        why=why_they_differ([OF_ACCOUNTS.get(account.name, account.name) for account in verdict.accounts]),
        chosen=any(account.chosen for account in accounts),
        thresholds=thresholds_table(),
        imported=dict(about_import(run.provenance)) if run else {},
        warnings=warnings_of(run.provenance) if run else [],
        examined=verdict.examination is not None,
    )
