"""The verdict's stages are right about circuits built by hand: mechanism per circle, shares, and what holds nothing."""

import pytest
from circuits import KINDS, NOTHING, circuit, nothing
from stage_answers import faults

from grokinterp.verdict import find_stages, find_verdict

# Seeds per n: all of them where networks are small.
SEEDS = {6: 20, 12: 20, 15: 20, 29: 3, 30: 3, 31: 3, 35: 3, 59: 1, 60: 1, 62: 1}
LABELS = {
    "pizza": {"pizza"},
    "clock": {"torus"},
    "filled by attention": {"filled pizza"},
    "filled by a harmonic": {"filled pizza"},
    "overfilled by attention": {"overfilled pizza"},
    "product": {"product"},
    "table": {"table"},
    "table per circle": {"table"},
    "table of a circle": {"table"},
    "half table": {"mixed"},
    "ellipse": {"pizza", "torus"},
}


def wrong(kind: str, n: int, seed: int) -> list[str]:
    found = circuit(kind, n, seed)
    return [f"{found.name}: {fault}" for fault in faults(found, find_stages(found.snapshot, found.truth.keys))]


@pytest.mark.parametrize("kind", KINDS)
def test_stages_say_what_is_true_of_small_circuits(kind):
    assert wrong(kind, KINDS[kind].of[0], 0) == []
    assert wrong(kind, next((n for n in KINDS[kind].of if n % 2), KINDS[kind].of[-1]), 1) == []


@pytest.mark.parametrize("kind", LABELS)
def test_the_label_is_the_mechanism(kind):
    found = circuit(kind, 15, 0)
    verdict = find_verdict(found.snapshot, full=False)
    assert verdict.label in LABELS[kind]
    assert verdict.keys.chosen == found.truth.keys


def test_a_circle_of_two_points_does_not_decide_the_label():
    verdict = find_verdict(circuit("pizza with parity", 30, 0).snapshot, full=False)
    assert verdict.label == "pizza"
    assert "few points" in verdict.measured.stages.shares
    assert any(
        reason.startswith("circle 15 ") and "few points" in reason for reason in verdict.judgement.reasons_against
    )


@pytest.mark.parametrize("kind", NOTHING)
def test_of_what_holds_nothing_no_stage_is_reached(kind):
    found = nothing(kind, 15, 0)
    assert not find_stages(found.snapshot, (1, 2, 4)).sum.is_formed
    assert find_verdict(found.snapshot, full=False).label == "not generalised"


def on_all(kind: str) -> list[list[str]]:
    """The faults of every circuit of a kind."""
    # The largest tables have as many keys as there are irreps, and n² neurons.
    of = [n for n in KINDS[kind].of if kind != "table" or n < 59]
    return [wrong(kind, n, seed) for n in of for seed in range(SEEDS[n])]


@pytest.mark.long
def test_stages_are_right_about_99_circuits_of_100():
    found = {kind: on_all(kind) for kind in KINDS}
    said = [fault for circuits in found.values() for faulty in circuits for fault in faulty]
    right = {kind: sum(not faulty for faulty in circuits) for kind, circuits in found.items()}
    assert sum(right.values()) >= 0.99 * sum(map(len, found.values())), said
    for kind in KINDS:
        assert right[kind] >= 0.95 * len(found[kind]), said
    # Whatever else is wrong: no table is said to be circles that add, and none of those a table.
    assert not [fault for fault in said if " for table" in fault or " for cosets" in fault or ": table for" in fault]


@pytest.mark.long
@pytest.mark.parametrize("kind", NOTHING)
def test_nothing_is_never_said_to_form_the_sum(kind):
    assert said_to_be_formed(kind) == []


def said_to_be_formed(kind: str) -> list[tuple[int, int]]:
    """n and seed of the networks of `NOTHING` whose sum is said to be formed."""
    asked = [(n, seed) for n in (12, 15, 29, 31) for seed in range(5)]
    return [one for one in asked if find_stages(nothing(kind, *one).snapshot, (1, 2, 4)).sum.is_formed]
