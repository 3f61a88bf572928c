"""What the measurements say, in words."""

import math
from typing import TYPE_CHECKING

import numpy as np

from grokinterp.wording import counted, listed, number, percent

if TYPE_CHECKING:
    from ._analyze import Report
    from ._circuit import Circuit

# The network is said to add on circles if keeping only the key frequencies keeps its answers, and these make up most of
# its logits. Both are stated with their numbers beside the claim. Characters of other groups need not make up most of
# the logits: within an irrep there are other functions that are largest at the answer.
MOST = 0.5
GENERALISED = 0.99


def finding(report: "Report") -> list[str]:
    """A headline and the sentences that support it, each with its numbers."""
    circuit = report.in_group
    explained = circuit is not None and _explains(report, circuit)
    sentences = [_explained_headline(report, circuit) if circuit and explained else _headline(report, circuit)]
    if circuit and explained:
        sentences += _support(report, circuit)
    if circuit and not circuit.keys:
        sentences.append(_why_no_keys(circuit))
    if circuit is None:
        sentences.append(
            "No group is known in which its answers lie, so there are no frequencies or irreps to look for."
        )
    if "noise_learned" in report.final:
        noise, learned = counted(report.run.task.config.noise, "wrong label"), report.final["noise_learned"]
        sentences.append(f"Of the {noise} among its training pairs it answers {percent(learned)}.")
    if math.isnan(report.final["test_accuracy"]):
        sentences.append("Which pairs it was trained on is not known.")
    return sentences + _history(report)


def _why_no_keys(circuit: "Circuit") -> str:
    control, structure = circuit.found.control, circuit.structure
    word, plural = structure.irrep_word, structure.irrep_words
    explained = percent(circuit.logits.variance_explained_by_all)
    if control.above_chance:
        named = listed([circuit.structure.basis.irrep_names[irrep] for irrep in control.above_chance])
        return (
            f"The rule {circuit.found.rule} names no {word} that explains more of its logits than chance does; the "
            f"rule logits names {named}."
        )
    if not math.isfinite(control.share):
        return f"No {word} explains its logits: all {plural} together explain {explained} of their variance."
    return (
        f"No {word} explains more of its logits than chance does: all {plural} together explain {explained} of their "
        f"variance, and {percent(control.share)} where the answers are relabelled at random; "
        f"{percent(control.reached)} of such relabelings give as much."
    )


def _explains(report: "Report", circuit: "Circuit") -> bool:
    final = report.final
    return (
        bool(circuit.keys)
        and _unseen_accuracy(final) >= GENERALISED
        and final["restricted_accuracy"] >= GENERALISED
        and (circuit.logits.variance_explained >= MOST or not circuit.structure.is_cyclic)
    )


def _unseen_accuracy(final: dict[str, int | float]) -> float:
    """On the test pairs; on all, where nobody knows which those are."""
    return final["all_accuracy"] if math.isnan(final["test_accuracy"]) else final["test_accuracy"]


def _explained_headline(report: "Report", circuit: "Circuit") -> str:
    task, structure, keys = report.run.task, circuit.structure, circuit.key_titles
    named = f"key {structure.irrep_word if len(keys) == 1 else structure.irrep_words} {listed(keys)} of {task.name}"
    where = f"on {counted(len(keys), 'circle')}" if structure.is_cyclic else f"in {counted(len(keys), 'irrep')}"
    return f"This network {task.verb} {where}: {named}."


def _headline(report: "Report", circuit: "Circuit | None") -> str:
    final, by_guessing = report.final, 1 / report.run.task.n_answers
    guess = percent(by_guessing)
    if _unseen_accuracy(final) >= GENERALISED and circuit:
        means = "circles" if circuit.structure.is_cyclic else "irreps"
        word, count = circuit.structure.irrep_word, len(circuit.keys)
        return (
            f"This network has generalised, but not by {means} this analysis can see: "
            f"{counted(count, word)} {'explains' if count == 1 else 'explain'} "
            f"{percent(circuit.logits.variance_explained)} of its logits and alone give "
            f"{percent(final['restricted_accuracy'])} of the answers."
        )
    if math.isnan(final["test_accuracy"]):
        return f"This network answers {percent(final['all_accuracy'])} of all pairs; guessing gives {guess}."
    if final["test_accuracy"] >= GENERALISED:
        return f"This network has generalised: it answers {percent(final['test_accuracy'])} of the unseen pairs."
    # Where some labels are wrong, a network has learned its training pairs when it answers what it was told.
    learned = final.get("train_accuracy_of_labels", final["train_accuracy"]) >= GENERALISED
    if learned and final["test_accuracy"] >= (1 + by_guessing) / 2:
        return (
            f"This network has memorised its training pairs and is about to generalise: it answers "
            f"{percent(final['test_accuracy'])} of the unseen pairs; guessing gives {guess}."
        )
    if learned:
        return (
            f"This network has memorised its training pairs and not generalised: it answers "
            f"{percent(final['test_accuracy'])} of the unseen pairs; guessing gives {guess}."
        )
    return (
        f"This network has not learned its training pairs: it answers {percent(final['train_accuracy'])} of them "
        f"and {percent(final['test_accuracy'])} of the unseen ones; guessing gives {guess}."
    )


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
            f"where c is the answer: together these make up {explained} of the variance of its logits, and all irreps "
            f"{percent(circuit.found.control.share)} where the answers are relabelled at random."
        )
    a, b, c = (structure.symbol.format(x=name) for name in "abc")
    angles = f"turns a and b into angles 2πk{_of(a)}/{structure.n} and 2πk{_of(b)}/{structure.n} and "
    return (
        f"At each key frequency k it {angles if structure.is_product else ''}answers where the "
        f"cosines cos(2πk({structure.combination} − {c})/{structure.n}) agree: together these make up "
        f"{explained} of the variance of its logits."
    )


def _of(symbol: str) -> str:
    return symbol if len(symbol) == 1 else f"·{symbol}"


def _history(report: "Report") -> list[str]:
    phases = report.phases
    if len(report.curves.measures) == 1:
        return []  # One checkpoint has no history.
    parts = []
    if phases.memorization:
        parts.append(f"memorised until step {phases.memorization[1]:,}")
    if phases.circuit_formation:
        parts.append(f"formed its circuit until step {phases.circuit_formation[1]:,}")
    if phases.cleanup:
        parts.append(f"cleaned up until step {phases.cleanup[1]:,}")
    sentences = [f"It {listed(parts)}."] if parts else []
    if phases.test_accuracy_sustained is not None:
        known = phases.train_accuracy_sustained
        after = "" if known is None else f"; its training pairs it knew from step {known:,}"
        sentences.append(
            f"From step {phases.test_accuracy_sustained:,} on it answers at least 99 % of unseen pairs{after}."
        )
    return sentences
