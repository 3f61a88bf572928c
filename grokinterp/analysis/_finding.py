"""What the measurements say, in words."""

import math
from typing import TYPE_CHECKING

from grokinterp.wording import counted, listed, number, percent

if TYPE_CHECKING:
    from ._analyze import Report

# The network is said to add on circles if keeping only the key frequencies keeps its answers, and these make up most of
# its logits. Both are stated with their numbers beside the claim.
MOST = 0.5
GENERALISED = 0.99


def finding(report: "Report") -> list[str]:
    """A headline and the sentences that support it, each with its numbers."""
    final, task = report.final, report.run.task
    keys = report.key_frequencies
    circles = (
        final["test_accuracy"] >= GENERALISED
        and final["restricted_accuracy"] >= GENERALISED
        and report.logits.variance_explained >= MOST
    )
    if circles:
        frequencies = f"key {'frequency' if len(keys) == 1 else 'frequencies'} {listed(keys)}"
        headline = (
            f"This network {task.operation.verb} on {counted(len(keys), 'circle')}: {frequencies} of {task.name}."
        )
    elif final["test_accuracy"] >= GENERALISED:
        headline = (
            f"This network has generalised, but not by circles this analysis can see: "
            f"{counted(len(keys), 'frequency')} explain {percent(report.logits.variance_explained)} of its "
            f"logits and alone give {percent(final['restricted_accuracy'])} of the answers."
        )
    elif final["train_accuracy"] >= GENERALISED and final["test_accuracy"] >= MOST:
        headline = (
            f"This network has memorised its training pairs and is about to generalise: it answers "
            f"{percent(final['test_accuracy'])} of the unseen pairs; guessing gives {percent(1 / task.p)}."
        )
    elif final["train_accuracy"] >= GENERALISED:
        headline = (
            f"This network has memorised its training pairs and not generalised: it answers "
            f"{percent(final['test_accuracy'])} of the unseen pairs; guessing gives {percent(1 / task.p)}."
        )
    else:
        headline = (
            f"This network has not learned its training pairs: it answers {percent(final['train_accuracy'])} of them "
            f"and {percent(final['test_accuracy'])} of the unseen ones; guessing gives {percent(1 / task.p)}."
        )
    sentences = [headline]
    if circles:
        sentences += _circles(report)
    sentences += _history(report)
    return sentences


def _circles(report: "Report") -> list[str]:
    final, task = report.final, report.run.task
    neurons = len(report.neurons.frequency)
    clustered = sum(len(members) for members in report.neurons.clusters().values())
    return [
        f"At each key frequency k it turns a and b into angles 2πka/{task.p} and 2πkb/{task.p} and answers where the "
        f"cosines cos(2πk(a {task.operation.sign} b − c)/{task.p}) agree: together these make up "
        f"{percent(report.logits.variance_explained)} of the variance of its logits.",
        f"Kept alone, these frequencies give a loss of {number(final['restricted_loss'])} on all pairs (the whole "
        f"network: {number(final['all_loss'])}). Without them the loss on the training pairs is "
        f"{number(final['excluded_loss'])} instead of {number(final['train_loss'])}; a uniform guess has "
        f"{math.log(task.p):.2f}.",
        f"{clustered} of {neurons} neurons compute with a single frequency (≥ 85 % of their variance).",
    ]


def _history(report: "Report") -> list[str]:
    phases = report.phases
    parts = []
    if phases.memorization:
        parts.append(f"memorised until step {phases.memorization[1]:,}")
    if phases.circuit_formation:
        parts.append(f"formed its circuit until step {phases.circuit_formation[1]:,}")
    if phases.cleanup:
        parts.append(f"cleaned up until step {phases.cleanup[1]:,}")
    sentences = [f"It {listed(parts)}."] if parts else []
    if phases.test_accuracy_sustained is not None:
        after = f"; its training pairs it knew from step {phases.train_accuracy_sustained:,}"
        known = after if phases.train_accuracy_sustained is not None else ""
        sentences.append(
            f"From step {phases.test_accuracy_sustained:,} on it answers at least 99 % of unseen pairs{known}."
        )
    return sentences
