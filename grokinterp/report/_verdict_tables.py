"""What a verdict's pages say in words and tables, as rows that the templates write."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grokinterp.verdict import THRESHOLDS, Evidence, Verdict
from grokinterp.wording import QUANTITIES, number, percent

from ._glossary import FORMULAS, formula_key

# The questions that the kinds of evidence answer, in the order of the page.
KINDS = {
    "behaviour": "Does it do the task?",
    "sufficiency": "Is what the account names enough?",
    "necessity": "Is it needed?",
    "algorithm": "Which algorithm is it?",
    "structure": "How clean are its parts?",
}
CONTROLS = {
    "random_weights": "random weights",
    "shuffled_answers": "shuffled answers",
    "memorised": "memorised",
}
# Removals of one frequency after another fill pages: with more rows a table is folded.
MOST_ROWS = 10
# A loss recovered that is said to be above 100 %.
LOWER = 5e-4
_NUMBERS = ("gradient_symmetricity", "distance_irrelevance")
_BOUND = re.compile(r"([≥≤]) (\d+(?:\.\d+)?)(?: (\w+))?")


@dataclass(frozen=True)
class Cell:
    """A number as text; `reaches` marks a control's that reaches the bound as well."""

    text: str
    reaches: bool = False


@dataclass(frozen=True)
class EvidenceRow:
    """A row of the table: `holds` is `yes`, `no`, the algorithm that the number speaks for, or empty.

    `name` is the evidence's, `formula` the entry of the glossary to which its number links, empty where there is none.
    """

    name: str
    formula: str
    question: str
    value: str
    controls: list[Cell]
    threshold: str
    holds: str


@dataclass(frozen=True)
class EvidenceTable:
    """The rows of one kind beside their controls."""

    title: str
    controls: list[str]
    rows: list[EvidenceRow]

    @property
    def folded(self) -> bool:
        return len(self.rows) > MOST_ROWS

    @property
    def has_bounds(self) -> bool:
        return any(row.threshold for row in self.rows)

    @property
    def has_marks(self) -> bool:
        return any(cell.reaches for row in self.rows for cell in row.controls)


def control_name(name: str) -> str:
    return CONTROLS.get(name, name.replace("_", " "))


def evidence_tables(verdict: Verdict) -> list[EvidenceTable]:
    """All evidence, a table per kind."""
    kinds = dict.fromkeys([*KINDS, *(row.kind for row in verdict.evidence)])
    by_kind = {kind: [row for row in verdict.evidence if row.kind == kind] for kind in kinds}
    return [_table(KINDS.get(kind, kind), rows) for kind, rows in by_kind.items() if rows]


def decisive_evidence(verdict: Verdict) -> EvidenceTable:
    """The rows that the verdict hangs on."""
    return _table("What the verdict hangs on", [row for row in verdict.evidence if row.threshold])


def _table(title: str, rows: list[Evidence]) -> EvidenceTable:
    named = dict.fromkeys(name for row in rows for name in row.controls)
    # In every table of a page a control has the same place.
    named = [*(name for name in CONTROLS if name in named), *(name for name in named if name not in CONTROLS)]
    known = [name for name in named if any(math.isfinite(row.controls.get(name, math.nan)) for row in rows)]
    return EvidenceTable(title, [control_name(name) for name in known], [_row(row, known) for row in rows])


def _row(row: Evidence, controls: Iterable[str]) -> EvidenceRow:
    written = _writer(row)
    cells = [Cell(written(value), _reaches(row, value)) for value in (row.controls.get(name) for name in controls)]
    bound = _BOUND.sub(lambda found: _written(found, written), row.threshold)
    formula = formula_key(row.name)
    known = formula if formula in FORMULAS else ""
    return EvidenceRow(row.name, known, row.question, written(row.value), cells, bound, _verdict_of(row))


def _written(bound: re.Match[str], written: Callable[[float | None], str]) -> str:
    value = bound[2] if written is number else written(float(bound[2]))
    return " ".join(filter(None, (bound[1], value, bound[3])))


def _writer(row: Evidence) -> Callable[[float | None], str]:
    """Losses and the measures of Zhong et al. are numbers, all else are shares."""
    is_loss = row.name.startswith("loss_") and not row.name.startswith("loss_by_")
    return number if is_loss or row.name in _NUMBERS else share


def share(value: float | None) -> str:
    """A share in percent; bounds and zeros without digits that say nothing.

    >>> share(0.85), share(0.9999), share(0.0), share(1e-7)
    ('85 %', '99.99 %', '0 %', '<0.001 %')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if 0 < abs(value) < 1e-5:
        return "<0.001 %"
    if 1 < value < 1 + 1e-6:
        return "100 %"
    rounded = round(100 * value, 9)
    return f"{rounded:.0f} %" if rounded == int(rounded) and rounded != 100 else percent(value)


def _bounds(row: Evidence) -> list[tuple[str, float, str]]:
    """(sign, bound, what reaching it speaks for)."""
    return [(sign, float(bound), word) for sign, bound, word in _BOUND.findall(row.threshold)]


def _reached(row: Evidence, value: float) -> list[str]:
    return [word for sign, bound, word in _bounds(row) if (value >= bound if sign == "≥" else value <= bound)]


def _reaches(row: Evidence, value: float | None) -> bool:
    """Whether a control speaks for the same as the network does."""
    if value is None or not row.holds:
        return False
    return bool(set(_reached(row, value)) & set(_reached(row, row.value)))


def _verdict_of(row: Evidence) -> str:
    if row.holds is None:
        return ""
    words = [word for word in _reached(row, row.value) if word]
    if words:
        return words[0]
    return "yes" if row.holds else "neither" if any(word for _, _, word in _bounds(row)) else "no"


@dataclass(frozen=True)
class AccountRow:
    name: str
    says: str
    chosen: bool
    cells: list[str]


def accounts_table(verdict: Verdict) -> tuple[list[str], list[AccountRow]]:
    """Heads and a row per account: how well the network does that is replaced by it."""
    with_numbers = any(account.numbers is not None for account in verdict.accounts)
    heads = ["share of the logits", QUANTITIES["loss"].name, "loss", "accuracy"]
    heads += ["numbers per neuron"] * with_numbers
    rows = []
    for account in verdict.accounts:
        cells = [
            f"{share(account.explained)} ({account.share_name})",
            share(account.loss_recovered),
            number(account.loss),
            percent(account.accuracy),
        ]
        if with_numbers:
            cells.append("–" if account.numbers is None else f"{account.numbers:,.0f}")
        rows.append(AccountRow(account.name, account.says, account == verdict.judgement.account, cells))
    return heads, rows


@dataclass(frozen=True)
class Summary:
    """The verdict in short: what both pages lead with.

    - `label`, `names`: `irrep` and `(4,1), …`, or the whole label and nothing.
    - `kind`: the label's class on the page.
    - `figures`: value and what it is.
    """

    label: str
    names: str
    kind: str
    headline: str
    figures: list[tuple[str, str]]
    reasons: list[tuple[str, list[str]]]


def summary(verdict: Verdict) -> Summary:
    """What a reader should know first."""
    judgement = verdict.judgement
    word, _, names = verdict.label.removesuffix(")").partition(" (")
    reasons = [
        ("For it", judgement.reasons_for),
        ("Against it", judgement.reasons_against),
        ("What would change it", judgement.would_change),
    ]
    return Summary(
        label=word,
        names=names,
        kind=word.replace(" ", "-"),
        headline=verdict.headline,
        figures=_key_figures(verdict),
        reasons=[(title, texts) for title, texts in reasons if texts or title == "Against it"],
    )


def _key_figures(verdict: Verdict) -> list[tuple[str, str]]:
    measured, structure = verdict.measured, verdict.snapshot.task.structure
    unseen = verdict.snapshot.task.split_is_known and math.isfinite(measured.test_accuracy)
    figures = [
        (percent(measured.test_accuracy), "of unseen pairs answered right")
        if unseen
        else (percent(measured.all_accuracy), "of all pairs answered right")
    ]
    if verdict.judgement.account:
        figures.append((share(verdict.explained), f"{verdict.share_name} of the logits{_by(verdict)}"))
        if math.isfinite(verdict.loss_recovered):
            above = verdict.loss_recovered > 1 + LOWER
            scale = "100 % is the network's own loss, this a lower one" if above else "100 % is the network's own loss"
            figures.append((share(verdict.loss_recovered), f"{QUANTITIES['loss'].name}{_by(verdict)}; {scale}"))
    elif structure and math.isfinite(verdict.explained):
        figures.append((share(verdict.explained), f"{verdict.share_name}, of the logits"))
    if published := verdict.judgement.published:
        kind = f"{published} clock and pizza" if published == "between" else f"a {published}"
        figures.append((share(measured.clock_share), f"clock share, by the published criterion {kind}"))
    return figures


def _by(verdict: Verdict) -> str:
    account = verdict.judgement.account
    assert account
    return f" by the account “{account.name}”" if verdict.label.split(" ")[0] != account.name else ""


def thresholds_table() -> list[tuple[str, str, str, str]]:
    """Every bound of the rules: name, bound, what reaching it says, why it lies there."""
    return [(name.replace("_", " "), str(bound), bound.says, bound.why) for name, bound in THRESHOLDS.items()]
