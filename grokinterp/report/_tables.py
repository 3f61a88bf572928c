"""The tables of the page, as rows that the template writes."""

import math
from dataclasses import dataclass
from typing import Any

from grokinterp.analysis import NEAR as NEAR_BOUND
from grokinterp.analysis import Report, one_excluded
from grokinterp.wording import character_share, number, percent

from ._keys import key_colours

MOST_LISTED = 16
# After an irrep that is only just key, or only just not.
NEAR = "≈"
_RULES = {
    "W_L": "a row of W_L above a quarter of the largest",
    "W_E": "a row of W_E above a quarter of the largest",
    "argmax": "best {word} of any neuron",
    "clusters": "a neuron explained to 85 %",
    "logits": "more of the logits than by chance",
}


@dataclass(frozen=True)
class Keys:
    """The table of the key irreps, its last columns left out on a narrow screen.

    - `columns`: the heads after the first, with whether narrow screens have room for them.
    - `rows`: name, colour and cells, as text.
    """

    word: str
    plural: str
    of: int
    unclustered: int
    neurons: int
    columns: list[tuple[str, bool]]
    rows: list[tuple[str, str, list[str]]]
    hint: str
    spare_hint: str


def losses_table(report: Report) -> list[tuple[str, float | None, float | None]]:
    """Rows: what, loss, accuracy."""
    final, circuit = report.final, report.in_group
    rows = [
        ("train pairs", "train_loss", "train_accuracy"),
        ("test pairs", "test_loss", "test_accuracy"),
        ("all pairs", "all_loss", "all_accuracy"),
    ]
    if circuit:
        train = "train pairs" if report.run.task.split_is_known else "all pairs"
        word, words, some = circuit.structure.irrep_word, circuit.structure.irrep_words, ""
        if "all_loss_in_group" in final:
            some = " in the group"
            rows += [
                ("train pairs in the group", "train_loss_in_group", ""),
                ("all pairs in the group", "all_loss_in_group", ""),
            ]
        rows += [
            (f"restricted: key {words} alone, all pairs{some}", "restricted_loss", "restricted_accuracy"),
            (f"excluded: without the key {words}, {train}{some}", "excluded_loss", ""),
            (f"excluded: without any {word}, {train}{some}", f"excluded_loss_all_{words}", ""),
        ]
    if "noise_learned" in final:
        rows.append(("wrong labels, answered as they were given", "", "noise_learned"))
    answers = report.run.task.n_answers
    guess = ("a uniform guess", math.log(answers), 1 / answers)
    return [*((name, final.get(loss), final.get(accuracy)) for name, loss, accuracy in rows), guess]


def rules_table(report: Report) -> list[dict[str, Any]]:
    """A row per rule: its irreps with their colours and their share of the logits.

    Of the rule that is used, those dropped as chance are struck out, and those near its bound are marked (`near`).
    """
    circuit = report.in_group
    if circuit is None:
        return []
    colours, names = key_colours(report), circuit.structure.basis.irrep_names
    near = {one.irrep for one in circuit.found.near_bound}
    rows = []
    for rule, meaning in _RULES.items():
        irreps = circuit.found.by_rule.by_rule(rule)
        used = rule == circuit.found.rule
        rows.append(
            {
                "name": rule,
                "meaning": meaning.format(word=circuit.structure.irrep_word),
                "used": used,
                "count": len(irreps),
                "irreps": [
                    (
                        names[irrep] + NEAR * (used and irrep in near),
                        colours.get(irrep),
                        used and irrep not in circuit.keys,
                    )
                    for irrep in irreps[:MOST_LISTED]
                ],
                "share": percent(float(circuit.found.logit_share[list(irreps)].sum())),
                "more": max(0, len(irreps) - MOST_LISTED),
            }
        )
    return rows


def chance(report: Report) -> str:
    """What the logits' shares are where the answers' places in the group mean nothing."""
    circuit = report.in_group
    if circuit is None:
        return ""
    control, structure = circuit.found.control, circuit.structure
    words = structure.irrep_words
    sentences = []
    if math.isfinite(control.share):
        sentences.append(
            f"The {character_share(structure.is_cyclic)} of all {words} is "
            f"{percent(circuit.logits.variance_explained_by_all)}; relabelled at random it is "
            f"{percent(control.share)}, and that of the largest {percent(control.largest_share)}."
        )
    if not set(circuit.found.by_rule.by_rule(circuit.found.rule)) <= set(circuit.keys):
        sentences.append("Struck out: named by the rule, but not above chance in the logits, and therefore no key.")
    if circuit.found.near_bound:
        sentences.append(f"{NEAR}: near the bound, {1 / NEAR_BOUND:g} to {NEAR_BOUND:g} times it, on either side.")
    return " ".join(sentences)


def keys_table(report: Report) -> Keys | None:
    """What each key frequency or irrep does; None where there is none."""
    circuit, colours = report.in_group, key_colours(report)
    if circuit is None or not colours:
        return None
    structure, neurons = circuit.structure, circuit.neurons
    columns, cells = _of_frequencies(report) if structure.is_cyclic else _of_irreps(report)
    names, near = structure.basis.irrep_names, {one.irrep for one in circuit.found.near_bound}
    pairs = "the training pairs" if report.run.task.split_is_known else "all pairs"
    without = f"“Loss without it” is the excluded loss on {pairs} with one {structure.irrep_word} removed."
    spare = ""
    if structure.is_cyclic:
        spare = (
            "“Read as cos, sin” is how much of the variance along the frequency's two directions in W_L is the cosine "
            "and the sine of the answer's angle."
        )
    elif _has_history(report):
        spare = "“Learned” is the first checkpoint at which the logit similarity is above .05."
    return Keys(
        word=structure.irrep_word,
        plural=structure.irrep_words,
        of=len(circuit.keys),
        unclustered=len(neurons.unclustered()),
        neurons=len(neurons.irrep),
        columns=columns,
        rows=[(names[irrep] + NEAR * (irrep in near), colour, cells[irrep]) for irrep, colour in colours.items()],
        hint=without,
        spare_hint=spare,
    )


def _has_history(report: Report) -> bool:
    """Whether the run has more than one checkpoint: a single one cannot say since when it holds."""
    return len(report.curves.measures) > 1


Cells = tuple[list[tuple[str, bool]], dict[int, list[str]]]


def _of_frequencies(report: Report) -> Cells:
    circuit, clusters = report.circuit, report.circuit.neurons.clusters()
    columns = [
        ("neurons", True),
        (character_share(True), True),
        ("amplitude", False),
        ("loss without it", True),
        ("read as cos, sin", False),
    ]
    return columns, {
        k: [
            str(len(clusters.get(k, []))),
            percent(float(circuit.logits.share[k])),
            number(float(circuit.logits.amplitudes[k])),
            number(_without(report, k)),
            ", ".join(percent(value) for value in circuit.logit_map.variance_explained.get(k, [])),
        ]
        for k in circuit.keys
    }


def _of_irreps(report: Report) -> Cells:
    circuit, clusters = report.circuit, report.circuit.neurons.clusters()
    columns = [
        ("dimension", False),
        ("neurons", True),
        (character_share(False), True),
        ("logit similarity", False),
        *([("learned at step", False)] if _has_history(report) else []),
        ("loss without it", True),
    ]
    return columns, {
        irrep: [
            str(circuit.structure.basis.dimensions[irrep]),
            str(len(clusters.get(irrep, []))),
            percent(float(circuit.logits.share[irrep])),
            number(float(circuit.logits.logit_similarity[irrep])),
            *([_learned(report, irrep)] if _has_history(report) else []),
            number(_without(report, irrep)),
        ]
        for irrep in circuit.keys
    }


def _learned(report: Report, irrep: int) -> str:
    step = report.curves.learned_at(irrep)
    return "–" if step is None else f"{step:,}"


def _without(report: Report, irrep: int) -> float | None:
    return report.final.get(f"excluded_loss_{one_excluded(report.circuit.structure, irrep)}")
