"""What the measurements say, in words."""

import math
from typing import TYPE_CHECKING

import numpy as np

from grokinterp.wording import character_share, counted, listed, number, percent

from ._how_far import HOW_FAR_THRESHOLDS, UNKNOWN_SPLIT
from ._key_words import key_doubts

if TYPE_CHECKING:
    from ._analyze import Report
    from ._circuit import Circuit

# The network is said to add on circles if keeping only the key frequencies keeps its answers, and these make up most of
# its logits. Both are stated with their numbers beside the claim. Characters of other groups need not make up most of
# the logits: within an irrep there are other functions that are largest at the answer.
MOST = 0.5


def finding(report: "Report") -> list[str]:
    """A headline and the sentences that support it, each with its numbers."""
    circuit = report.in_group
    explained = circuit is not None and _explains(report, circuit)
    sentences = [_explained_headline(report, circuit) if circuit and explained else _headline(report, circuit)]
    if circuit and explained:
        sentences += _support(report, circuit)
    if circuit and report.how_far.is_learned:
        sentences += key_doubts(circuit.found, circuit.structure)
    if circuit and not circuit.keys:
        sentences.append(_why_no_keys(circuit))
    if circuit is None:
        sentences.append(
            "No group is known in which its answers lie, so there are no frequencies or irreps to look for."
        )
    if "noise_learned" in report.final:
        noise, learned = counted(report.run.task.config.noise, "wrong label"), report.final["noise_learned"]
        sentences.append(f"Of the {noise} among its training pairs it answers {percent(learned)}.")
    if explained and math.isnan(report.final["test_accuracy"]):
        sentences.append(UNKNOWN_SPLIT)
    return sentences + _history(report)


def _why_no_keys(circuit: "Circuit") -> str:
    control, structure = circuit.found.control, circuit.structure
    word, plural = structure.irrep_word, structure.irrep_words
    explained, share = percent(circuit.logits.variance_explained_by_all), character_share(structure.is_cyclic)
    if control.above_chance:
        named = listed([circuit.structure.basis.irrep_names[irrep] for irrep in control.above_chance])
        return (
            f"The rule {circuit.found.rule} names no {word} that explains more of its logits than chance does; the "
            f"rule logits names {named}."
        )
    if not math.isfinite(control.share):
        return f"No {word} explains its logits: the {share} of all {plural} is {explained}."
    return (
        f"No {word} explains more of its logits than chance does: the {share} of all {plural} is {explained}, and "
        f"{percent(control.share)} where the answers are relabelled at random; "
        f"{percent(control.reached)} of such relabelings give as much."
    )


def _explains(report: "Report", circuit: "Circuit") -> bool:
    final = report.final
    return (
        bool(circuit.keys)
        and report.how_far.is_learned
        and HOW_FAR_THRESHOLDS["generalises"].holds(final["restricted_accuracy"])
        and (circuit.logits.variance_explained >= MOST or not circuit.structure.is_cyclic)
    )


def _explained_headline(report: "Report", circuit: "Circuit") -> str:
    task, structure, keys = report.run.task, circuit.structure, circuit.key_titles
    named = f"key {structure.irrep_word if len(keys) == 1 else structure.irrep_words} {listed(keys)} of {task.name}"
    where = f"on {counted(len(keys), 'circle')}" if structure.is_cyclic else f"in {counted(len(keys), 'irrep')}"
    return f"This network {task.verb} {where}: {named}."


def _headline(report: "Report", circuit: "Circuit | None") -> str:
    final, far = report.final, report.how_far
    if far.is_learned and circuit:
        means = "circles" if circuit.structure.is_cyclic else "irreps"
        word, count = circuit.structure.irrep_word, len(circuit.keys)
        return (
            f"This network {far.predicate}, but not by {means} this analysis can see: "
            f"the {character_share(circuit.structure.is_cyclic)} of its {counted(count, word)} is "
            f"{percent(circuit.logits.variance_explained)}, and alone {'it gives' if count == 1 else 'they give'} "
            f"{percent(final['restricted_accuracy'])} of the answers."
        )
    return far.sentence


def _support(report: "Report", circuit: "Circuit") -> list[str]:
    final, structure, task = report.final, circuit.structure, report.run.task
    in_group = np.isin(task.answers, structure.outputs).mean()
    inside = "" if in_group == 1 else f" whose answer is in {structure.group_name}, {percent(in_group)} of them"
    whole, before = (final.get(f"{data}_loss_in_group", final[f"{data}_loss"]) for data in ("all", "train"))
    where = " on the training pairs"
    if math.isnan(before):
        before, where = whole, ""
    neurons = len(circuit.neurons.irrep)
    clustered = sum(len(members) for members in circuit.neurons.clusters().values())
    sentences = [
        _what_the_logits_are(circuit),
        f"Kept alone, these {structure.irrep_words} give a loss of {number(final['restricted_loss'])} on all "
        f"pairs{inside} (the whole network: {number(whole)}). Without them the loss{where} is "
        f"{number(final['excluded_loss'])} instead of {number(before)}; "
        f"a uniform guess has {math.log(report.run.task.n_answers):.2f}.",
        f"{clustered} of {neurons} neurons compute with a single {structure.irrep_word} (≥ 85 % of their variance).",
    ]
    if circuit.cosets:
        of_a, of_b = (int(side.is_coset_neuron.sum()) for side in circuit.cosets)
        sentences.append(f"Cosets of a subgroup tell most of the input from a to {of_a} neurons, and from b to {of_b}.")
    return sentences


def _what_the_logits_are(circuit: "Circuit") -> str:
    structure, explained = circuit.structure, percent(circuit.logits.variance_explained)
    if not structure.is_cyclic:
        return (
            f"At each key irrep ρ its logits follow the character χ_ρ({structure.combination} · c⁻¹), which is largest "
            f"where c is the answer: the character share of its logits is {explained}, and that of all irreps "
            f"{percent(circuit.found.control.share)} where the answers are relabelled at random."
        )
    a, b, c = (structure.symbol.format(x=name) for name in "abc")
    angles = f"turns a and b into angles 2πk{_of(a)}/{structure.n} and 2πk{_of(b)}/{structure.n} and "
    return (
        f"At each key frequency k it {angles if structure.is_product else ''}answers where the "
        f"cosines cos(2πk({structure.combination} − {c})/{structure.n}) agree: the cosine share of "
        f"its logits is {explained}."
    )


def _of(symbol: str) -> str:
    return symbol if len(symbol) == 1 else f"·{symbol}"


_ENDS = {
    "memorization": ("Memorization", "the excluded loss was least"),
    "circuit_formation": ("Circuit formation", "the test loss fell below that of a uniform guess"),
    "cleanup": ("Cleanup", "the weights had settled"),
}


def _history(report: "Report") -> list[str]:
    if len(report.curves.measures) == 1:
        return []  # One checkpoint has no history.
    phases, sentences = report.phases, []
    over = {name: span for name in _ENDS if (span := getattr(phases, name)) and not phases.is_open(name)}
    if over:
        parts = []
        for name, span in over.items():
            word, sign = _ENDS[name]
            if name == "memorization" and "excluded_loss" not in report.curves.measures:
                sign = "the training pairs were known"
            parts.append(f"{word if not parts else word.lower()} ended at step {span[1]:,} ({sign})")
        sentences.append(f"{listed(parts)}.")
    if phases.open_phase == "memorization":
        _, last = getattr(phases, phases.open_phase)
        sentences.append(
            f"Memorization was not over at step {last:,}: the excluded loss had not risen, so no "
            f"circuit formation is seen."
        )
    elif phases.open_phase:
        start, last = getattr(phases, phases.open_phase)
        sentences.append(
            f"{_ENDS[phases.open_phase][0]} had begun at step {start:,} and was not over at step {last:,}."
        )
    known = [text for text in (_reached(report, data, name) for data, name in _PAIRS) if text]
    if known:
        sentences.append(f"It answers at least 99 % of {' and of '.join(known)}.")
    return [*sentences, *phases.warnings]


_PAIRS = (("train", "its training pairs"), ("test", "the unseen pairs"))


def _reached(report: "Report", data: str, pairs: str) -> str:
    """Since when 99 % are right, the first time where that was earlier, and what fell below later."""
    phases = report.phases
    first, stable, dips = (getattr(phases, f"{data}_accuracy_{what}") for what in ("first", "stable", "dips"))
    if stable is None:
        return ""
    earlier = f", at step {first:,} for the first time" if first != stable else ""
    later = f", at step {dips[-1]:,} below it once more" if len(dips) == 1 else ""
    if len(dips) > 1:
        later = f", at {len(dips)} later evaluations below it, the last of them at step {dips[-1]:,}"
    return f"{pairs} from step {stable:,} on{f' ({(earlier + later)[2:]})' if earlier or later else ''}"
