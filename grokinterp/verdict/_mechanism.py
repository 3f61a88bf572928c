"""By what the circles of a cyclic group form the sum, and what speaks for it beside the measurement that shows it.

Most of what the circles give to the logits (`most`) must come from circles of one sort:

| label | circles |
|---|---|
| pizza, filled pizza, overfilled pizza | that add a's and b's point in one phase; by the amplitude at opposite inputs |
| torus | that add them in many phases |
| product | of which nothing is left with attention held at its mean: attention multiplies a and b |
| table | of neurons that act on few pairs |
| coset | that are circles of a quotient: of few points, or tables, if cosets predict the network |
| circles | that do form the sum, but how is undecided |

Else the label is `mixed`. What the configuration alone decides (constant attention, summed embeddings) is no evidence.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from grokinterp.tasks import Structure
from grokinterp.wording import QUANTITIES, counted, listed, number, percent

from ._measured import Measured
from ._prediction import predicts_answers, predicts_network, told
from ._thresholds import THRESHOLDS
from .stages import ADDING, Stages

# Circles as a reader calls them, one and several.
SAYS = {
    "pizza": "add a's and b's point, and opposite inputs cancel",
    "filled pizza": "add a's and b's point, and something fills the hole at opposite inputs",
    "overfilled pizza": "add a's and b's point, and opposite inputs are filled with more than equal ones have",
    "torus": "add a's and b's point in many phases, which fill each other's holes",
    "product": "are multiplied by attention",
    "table": "are looked up by neurons that act on few pairs each",
    "few points": "have fewer than five points, which any form describes",
    "not alone": "do little when alone in the embedding",
    "undecided": "have an amplitude over the distance that no fit describes",
}
RELATED = {
    "clock": "the amplitude of its circles hardly depends on the distance of a and b: a clock by the published "
    "criterion, which does not mean that a and b are multiplied",
    "pizza": "the amplitude of its circles vanishes at opposite inputs: a pizza by the published criterion",
    "between": "the amplitude of its circles is between a clock's and a pizza's by the published criterion",
}


@dataclass(frozen=True)
class FoundMechanism:
    """A label, the account that goes with it, the lines of evidence in words, and what those for it look at."""

    name: str
    account: str
    supports: list[str] = field(default_factory=list)
    contradicts: list[str] = field(default_factory=list)
    would_change: list[str] = field(default_factory=list)
    supported_by: list[str] = field(default_factory=list)


class Line(NamedTuple):
    """A line of evidence: what it looks at, whether it speaks for the label, and what it says."""

    name: str
    holds: bool
    says: str


def find_mechanism(measured: Measured, structure: Structure) -> FoundMechanism:
    """The mechanism of most circles, if other evidence does not speak against it."""
    stages = measured.stages
    assert stages is not None
    circles = _told(stages)
    name = _leading(stages, measured, structure)
    if name in ("mixed", "circles"):
        missing = f"circles of which at least {percent(THRESHOLDS['most'].bound)} work in one way"
        return FoundMechanism(name, "mixed", circles, [], [missing])
    lines = list(_lines(measured, stages, name))
    supports, contradicts = ([line for line in lines if line.holds is holds] for holds in (True, False))
    reasons = circles + [line.says for line in supports]
    against = [line.says for line in contradicts] + _others(stages, name)
    if not supports or len(contradicts) > len(supports):
        return FoundMechanism("mixed", "mixed", reasons, against, ["lines of evidence that agree"])
    account = {"pizza": "pizza", "table": "lookup", "torus": "clock"}.get(name, "mixed")
    if name.startswith("coset"):
        account = "cosets"
    return FoundMechanism(name, account, reasons, against, [_would_change(name)], [line.name for line in supports])


def published_kind(measured: Measured, name: str) -> tuple[str, str]:
    """`clock`, `pizza` or `between` by the published criterion, with the sentence that says how it relates."""
    if name not in (*ADDING, "product", "mixed") or not math.isfinite(measured.clock_share):
        return "", ""
    share = measured.clock_share
    kind = "clock" if THRESHOLDS["clock"].holds(share) else "pizza" if THRESHOLDS["pizza"].holds(share) else "between"
    says = RELATED[kind]
    if kind == "clock" and name == "product":
        says = "the amplitude of its circles does not depend on the distance, and a and b are multiplied: a clock"
    return kind, f"{says} (clock share {percent(share)})"


def _leading(stages: Stages, measured: Measured, structure: Structure) -> str:
    most = THRESHOLDS["most"].holds
    of_quotients = sum(circle.share for circle in stages.circles if circle.points < structure.n and _tabular(circle))
    total = sum(circle.share for circle in stages.circles)
    cosets = measured.accounts.get("cosets")
    if total and most(of_quotients / total) and cosets and predicts_network(cosets) and predicts_answers(cosets):
        points = sorted(
            {circle.points for circle in stages.circles if _tabular(circle) and circle.points < structure.n}
        )
        return f"coset ({', '.join(f'mod {m}' for m in points)})"
    return stages.leading


def _tabular(circle: object) -> bool:
    return circle.mechanism in ("few points", "table")  # type: ignore[attr-defined]


def _told(stages: Stages) -> list[str]:
    """The circles by what they do, in sentences."""
    total = sum(circle.share for circle in stages.circles)
    found: dict[str, list[tuple[int, float]]] = {}
    for circle in stages.circles:
        found.setdefault(circle.mechanism, []).append((circle.freq, circle.share / total if total else 0.0))
    return [
        f"{counted(len(members), 'circle')} ({listed([freq for freq, _ in members])}; "
        f"{percent(round(sum(share for _, share in members), 3))} of what circles give) {_verb(kind, len(members))}"
        for kind, members in sorted(found.items(), key=lambda one: -sum(share for _, share in one[1]))
    ]


def _verb(kind: str, members: int) -> str:
    words = SAYS[kind]
    if members > 1:
        return words
    first, rest = words.split(" ", 1)
    return f"{ {'add': 'adds', 'are': 'is', 'have': 'has', 'do': 'does'}[first] } {rest}"


def _lines(measured: Measured, stages: Stages, name: str) -> Iterator[Line]:
    """Evidence beside the amplitude over the distance: whether it speaks for `name`, and words."""
    adds = name in ADDING
    given = stages.given
    if math.isfinite(stages.kept) and "held" not in given and name in (*ADDING, "product"):
        kept = f"with attention held at its mean {percent(stages.kept)} of the amplitude is kept"
        yield Line("attention held", (not THRESHOLDS["product"].holds(stages.kept)) == adds, kept)
    if "additive" not in given and (adds or name == "product"):
        additive = f"{percent(stages.additive)} of the neurons' input is a sum of a part from a and one from b"
        if THRESHOLDS["additive"].holds(stages.additive):
            yield Line("the neurons' inputs", adds, additive)
        elif THRESHOLDS["multiplied"].holds(stages.additive):
            yield Line("the neurons' inputs", not adds, additive)
    if stages.sum.before_neurons:
        yield Line("the place of the sum", name == "product", "attention alone forms the sum, before any neuron")
    if adds and math.isfinite(stages.alignment):
        phase = f"a's and b's phases in the neurons are aligned to {number(stages.alignment)}"
        yield Line("the neurons' phases", THRESHOLDS["disc"].holds(stages.alignment) == (name != "torus"), phase)
    if "sums" not in given and adds and name != "torus":
        yield from _of_sums(measured, name)
    simple = measured.accounts.get("chinese_remainder")
    if simple and adds and predicts_network(simple) and predicts_answers(simple):
        yield Line("simple neurons", True, f"neurons that see one cosine of a and of b do as well: {told(simple)}")
    if name == "table":
        alone = measured.works_alone
        words = f"alone in the embedding the circles keep {percent(alone)} of their amplitude"
        if not THRESHOLDS["works_alone"].holds(alone):
            yield Line("circles alone", True, words)
        yield Line("the neurons", True, "its neurons act on few pairs each")
    if name.startswith("coset"):
        cosets = measured.accounts["cosets"]
        yield Line("cosets", True, f"{cosets.says}: {told(cosets)}")


def _of_sums(measured: Measured, name: str) -> Iterator[Line]:
    """Does the network read more than E_a + E_b? A pizza does not; what fills a hole by attention does."""
    for key, value, line, words in (
        ("GS", measured.gradient_symmetricity, "gradients", "gradient symmetricity"),
        ("averaged", measured.averaged_embeddings, "averaged embeddings", QUANTITIES["averaged"].name),
    ):
        if not math.isfinite(value):
            continue
        for kind in ("clock", "pizza"):
            bound = THRESHOLDS[f"{key}_{kind}"]
            if bound.holds(value):
                text = f"{words} {number(value)}: {bound.says}"
                yield Line(line, (kind == "pizza") == (name == "pizza"), text)


def _others(stages: Stages, name: str) -> list[str]:
    """Circles that work in another way than most."""
    sort = ADDING if name in ADDING else (name,)
    other = [circle for circle in stages.circles if circle.mechanism not in sort and not name.startswith("coset")]
    return [f"circle {circle.freq} ({percent(circle.share)} of the logits) is {circle.mechanism}" for circle in other]


def _would_change(name: str) -> str:
    if name in ADDING:
        return "circles of which nothing is left with attention held, or whose amplitude at opposite inputs is another"
    return {
        "product": "circles that keep their amplitude with attention held at its mean",
        "table": "neurons that act on many pairs",
    }.get(name, "circles that see more than cosets")
