"""The stages of a verdict in words and tables: the sum is formed, the circles form it, and it is read out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from grokinterp.verdict import Stages, Verdict, WithoutCircle
from grokinterp.wording import QUANTITIES, counted, listed, number, percent

from ._verdict_tables import share

# Where a fill is a number on its own: no amplitude at equal inputs, or a fit that does not hold.
NONE = "–"


@dataclass(frozen=True)
class StageTable:
    """`rows`: a name, a note in small print under it, and a cell per head."""

    title: str
    heads: list[str]
    rows: list[tuple[str, str, list[str]]]


@dataclass(frozen=True)
class StagePart:
    """A part of the page: its anchor, title, sentences, tables, and the figures that stand in it, by name."""

    name: str
    title: str
    sentences: list[str]
    tables: list[StageTable] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)


def stage_parts(verdict: Verdict, figures: Sequence[str]) -> list[StagePart]:
    """The parts that a verdict has numbers for; `figures` are the names of those that the page draws."""
    stages = verdict.measured.stages
    if stages is None or not verdict.how_far.is_learned:
        return []
    structure = verdict.snapshot.task.structure
    assert structure
    n, s = structure.n, structure.combination
    parts = [
        StagePart("sum", "Stage 1: the sum is formed", *_sum(stages, s)),
        StagePart("circles", "Stage 2: how each circle forms it", *_circles(verdict, stages)),
        StagePart("read-out", "Stage 3: how the sum is read out", *_read_out(stages)),
    ]
    if verdict.without:
        parts.insert(2, StagePart("without", "The circles taken out, one at a time", *_without(verdict.without, n)))
    if verdict.over_training:
        parts.append(StagePart("over-training", "The stages over training", _over_training(verdict)))
    places = {"circles": "circles-alone", "over-training": "stages-over-training"}
    for part in parts:
        part.figures.extend(name for name in figures if name == places.get(part.name))
    return [part for part in parts if part.tables or part.figures]


def _sum(stages: Stages, s: str) -> tuple[list[str], list[StageTable]]:
    found = stages.sum
    of_logits = (
        f"The {QUANTITIES['of_sum'].name} is {share(found.logits_share)} of the logits: so much of what varies in them "
        f"is a function of s = {s}. Averaged over the pairs of equal s they answer {percent(found.logits_accuracy)} of "
        "all pairs right."
    )
    if formed := found.formed_at:
        where = f"{formed.name} of layer {formed.layer}" if _several_layers(stages) else formed.name
        says = (
            f"Behind {where} the network needs to know s and nothing else of a and b: with the activations there "
            f"replaced by their averages over the pairs of equal s, it answers {percent(formed.accuracy)} of all pairs "
            "right."
        )
    elif found.is_formed:
        says = "No place inside the network holds s alone: what is behind each needs more of a and b."
    else:
        says = "The network does not work by s alone: not even its averaged logits answer 99 % of the pairs."
    positions = list(dict.fromkeys(position for site in found.sites for position in site.share))
    heads = [f"a function of s, at {position}" for position in positions] + ["accuracy", "loss"]
    rows = [
        (
            f"layer {site.layer}, after {site.name}" if _several_layers(stages) else f"after {site.name}",
            "",
            [
                *(share(site.share[position]) if position in site.share else NONE for position in positions),
                percent(site.accuracy),
                number(site.loss),
            ],
        )
        for site in found.sites
    ]
    last = [share(found.logits_share) if place == len(positions) - 1 else NONE for place in range(len(positions))]
    rows.append(("logits", "", [*last, percent(found.logits_accuracy), number(found.logits_loss)]))
    note = (
        "Accuracy and loss on all pairs are those of the network that is told the average over equal s at that place."
    )
    return [says, of_logits, note], [StageTable("place", heads, rows)]


def _several_layers(stages: Stages) -> bool:
    return any(site.layer for site in stages.sum.sites)


def _circles(verdict: Verdict, stages: Stages) -> tuple[list[str], list[StageTable]]:
    sentences = [
        "Each circle is left alone in the embedding. A network that adds the points of a and b reads their midpoint, "
        "whose length is 0 where they lie opposite: that is a pizza, with a hole there. Attention or another circle "
        "can fill the hole. If attention multiplies a and b, nothing is left of the circle with attention held at its "
        "mean.",
    ]
    if verdict.judgement.published_says:
        sentences.append(f"By Zhong et al. 2023: {verdict.judgement.published_says}.")
    if stages.facts:
        facts = "; ".join(stages.facts)
        sentences.append(f"Facts of the configuration, which are no evidence: {facts}.")
    alone = StageTable(
        "circle alone",
        ["share of the logits", "at equal inputs", "at opposite", "filled", "fit", "phase of b"],
        [
            (
                f"k = {one.freq}",
                one.mechanism,
                [
                    share(one.share),
                    number(one.fitted.at_equal),
                    number(one.fitted.at_opposite).replace("-", "−"),
                    fill(one.fill),
                    f"{one.fitted.fit:.3f}".removeprefix("0"),
                    f"{math.degrees(one.fitted.phase):.0f}°".replace("-0°", "0°").replace("-", "−"),
                ],
            )
            for one in stages.circles
        ],
    )
    inside = StageTable(
        "inside the network",
        [
            "kept with attention held",
            "filled with attention held",
            "sum in the neurons’ input",
            "phases aligned",
            "from neurons on few pairs",
        ],
        [
            (
                f"k = {one.freq}",
                "its hole is filled by attention" if one.filled_by_attention else "",
                [
                    share(one.kept),
                    fill(one.held.fill) if one.held else NONE,
                    share(one.neurons.additive),
                    share(one.neurons.alignment),
                    share(max(one.neurons.local, 0.0)),
                ],
            )
            for one in stages.circles
        ],
    )
    sentences.append(
        "“Filled” is the amplitude at opposite inputs over that at equal ones, not clipped: 0 is a pizza's, 1 the same "
        "amplitude everywhere. “Phases aligned” is 100 % where the neurons add the circles of a and b in one phase (a "
        "disc) and near 0 % where they do in all (a torus)."
    )
    return sentences, [alone, inside]


def fill(value: float) -> str:
    """A ratio of two amplitudes, which may be above 1 or below 0.

    >>> fill(0.0), fill(0.904), fill(1.4), fill(-0.071), fill(float("nan"))
    ('.00', '.90', '1.40', '−.07', '–')
    """
    if not math.isfinite(value):
        return NONE
    written = f"{abs(value):.2f}".removeprefix("0")
    return f"−{written}" if round(value, 2) < 0 else written


def _read_out(stages: Stages) -> tuple[list[str], list[StageTable]]:
    found = stages.read_out
    says = (
        f"Of what is read out of s, {share(found.rotation)} turns the circle of s as it is, cos w_k(s − c); "
        f"{share(found.reflection)} makes ellipses of the answers' circles; {share(found.harmonics)} are other "
        f"frequencies of the answer; {share(found.bias)} is a bias of the answers, the same for every s"
        f"{f'; {share(found.rest)} are frequencies of s that are no keys' if found.rest > 5e-4 else ''}."
    )
    heads = ["rotation", "reflection", "harmonics", "larger gain", "smaller gain", "roundness"]
    rows = [
        (
            f"k = {one.freq}",
            "",
            [
                share(one.rotation),
                share(one.reflection),
                share(one.harmonics),
                number(one.gains[0]),
                number(one.gains[1]),
                fill(one.roundness),
            ],
        )
        for one in found.circles
    ]
    gains = (
        "The gains are the half-axes of the ellipse that a circle of s becomes at the answers; roundness is the "
        "smaller over the larger: 1 a circle, 0 a line."
    )
    return [says, gains], [StageTable("circle", heads, rows)]


def _without(without: Sequence[WithoutCircle], n: int) -> tuple[list[str], list[StageTable]]:
    rows = []
    for one in without:
        filled = [f"{key} ({_multiple(one, key, n)})" for key in one.fills]
        left = [
            " → ".join(number(value).replace("-", "−") for value in reversed(one.opposite[key])) for key in one.fills
        ]
        rows.append(
            (
                f"k = {one.freq}",
                "" if one.is_key else "no cosine of its own in the logits",
                [
                    number(one.loss),
                    number(one.ratio),
                    listed(filled) if filled else NONE,
                    listed(left) if left else NONE,
                ],
            )
        )
    heads = ["loss without it", "times the loss", "whose hole opens", "amplitude there"]
    return [companions_sentence(without, n), _WITHOUT], [StageTable("circle taken out", heads, rows)]


_WITHOUT = (
    "Each frequency is taken out of the embedding, the rest of the network stays. A circle fills another's hole if at "
    "least half of that one's amplitude at opposite inputs is gone without it."
)


def companions_sentence(without: Sequence[WithoutCircle], n: int) -> str:
    """On how many circles the network adds, and which of them fill the hole of another."""
    own = [one for one in without if one.is_key]
    helpers = [one for one in without if not one.is_key and one.fills]
    says = f"This network adds on {counted(len(own) + len(helpers), 'circle')}"
    fillers = [_filling(one, n) for one in own if one.fills]
    if helpers:
        filling = listed([_filling(one, n) for one in helpers])
        says += f": {len(own)} with a cosine of their own in the logits, and {filling}"
    else:
        says += ", each with a cosine of its own in the logits" if len(own) > 1 else ", with a cosine in the logits"
    return f"{says}. Of these {len(own)}, {listed(fillers)}." if fillers else f"{says}."


def _filling(one: WithoutCircle, n: int) -> str:
    holes = listed([f"{key} ({_multiple(one, key, n)})" for key in one.fills])
    return f"{one.freq} fills the hole of {holes}" if one.is_key else f"{one.freq}, which fills the hole of {holes}"


def _multiple(one: WithoutCircle, key: int, n: int) -> str:
    return f"{one.freq} = ±{one.fills[key]}·{key} mod {n}"


# What most circles do, where that is no name of a mechanism, or of one with another article.
_KINDS = {"overfilled pizza": "an overfilled pizza", "circles": "undecided", "mixed": "mixed"}


def _over_training(verdict: Verdict) -> list[str]:
    found = verdict.over_training
    assert found
    if not found.points:
        return []
    kinds = [(point.step, point.leading) for point in found.points]
    turns = [kinds[0], *(now for before, now in pairwise(kinds) if now[1] != before[1])]
    says = listed([f"{_KINDS.get(kind, f'a {kind}')} from step {step:,}" for step, kind in turns])
    few = ""
    if len(found.points) < found.kept:
        few = f" {len(found.points)} of {found.kept} checkpoints are shown, from one that answers half of the pairs."
    return [f"By what most circles do, the network is: {says}.{few}"]
