"""Key irreps near a bound, rules that disagree, and one choice for report and verdict."""

import math
from dataclasses import replace

import numpy as np
import pytest
from verdict.circle_networks import circle_network

from grokinterp.analysis import NEAR, NearBound, decompose_logits, find_circuit, find_keys, key_doubts
from grokinterp.analysis._components import Places
from grokinterp.analysis._key_irreps import longest_rows
from grokinterp.runs import Snapshot
from grokinterp.verdict import find_verdict

P = 23


def with_row(ratio: float) -> Snapshot:
    """A clock on 3 and 5, whose row of W_L at 7 is `ratio` of the longest."""
    snapshot = circle_network(P, {3: 8.0, 5: 8.0, 7: 4.0}, "clock")
    keys = find_keys(snapshot, "W_L")
    basis = snapshot.task.structure.basis
    rows = list(basis.rows(7))
    norms = keys.logit_map_spectrum.component_norms
    weights = dict(snapshot.weights)
    W_U = weights["unembed.W_U"].clone()
    scale = ratio * norms[1:].max() / norms[rows].max()
    own = basis.project(W_U[:, :P].double().numpy(), (7,), axis=1)
    W_U[:, :P] += W_U.new_tensor((scale - 1) * own)
    weights["unembed.W_U"] = W_U
    return replace(snapshot, weights=weights)


@pytest.mark.parametrize(
    ("ratio", "chosen", "near"), [(0.253, True, True), (0.247, False, True), (0.4, True, False), (0.15, False, False)]
)
def test_a_frequency_near_the_quarter_is_marked_in_result_report_and_verdict(ratio, chosen, near):
    snapshot = with_row(ratio)
    keys = find_keys(snapshot)
    assert (7 in keys.chosen) == chosen
    found = {one.irrep: one for one in keys.near_bound}
    assert (7 in found) == near
    verdict = find_verdict(snapshot, full=False, triples=100)
    content = verdict.to_dict()["verdict"]
    assert ("7" in [one["irrep"] for one in content["keys_near_bound"]]) == near
    if near:
        assert isinstance(found[7], NearBound)
        assert found[7].measure == "W_L" and found[7].chosen == chosen
        assert found[7].value == pytest.approx(ratio, rel=1e-3)
        share = decompose_logits(snapshot.logits, Places.of(snapshot.task), ()).share[7]
        assert found[7].share == pytest.approx(share)
        word = "only just key" if chosen else "only just not key"
        (said,) = [text for text in verdict.key_doubts if text.startswith("Frequency 7 is")]
        assert said.startswith(
            f"Frequency 7 is {word}: its longest row in W_L is {ratio:.3f} of the longest, and over 0.25"
        )


@pytest.mark.parametrize("seed", range(3))
def test_what_is_near_is_what_another_bound_would_choose_otherwise(seed):
    """By brute force: an irrep is near if it changes sides where its numbers are multiplied or divided by 1.25."""
    random = np.random.default_rng(seed)
    amplitudes = {int(k): float(x) for k, x in zip(range(1, 10), random.uniform(0.5, 9, 9), strict=True)}
    snapshot = circle_network(P, amplitudes, "clock", noise=0.03, seed=seed)
    keys = find_keys(snapshot, "W_L")
    basis = snapshot.task.structure.basis
    rows = longest_rows(keys.logit_map_spectrum.component_norms, basis)
    similarity = decompose_logits(snapshot.logits, Places.of(snapshot.task), ()).logit_similarity
    chance = max(0.005, math.sqrt(2 * keys.control.largest_share))

    def chosen(times: float) -> set[int]:
        return {k for k in range(1, len(rows)) if times * rows[k] > 0.25 and times * similarity[k] > chance}

    assert chosen(1) == set(keys.chosen)
    assert {one.irrep for one in keys.near_bound} == chosen(NEAR) - chosen(1 / NEAR)
    assert all(one.chosen == (one.irrep in keys.chosen) for one in keys.near_bound)


def test_report_and_verdict_have_one_set_also_where_the_default_rule_leaves_much_out():
    amplitudes = {3: 9.0} | {freq: 2.0 for freq in (1, 2, 4, 5, 6, 7, 8, 9)}
    snapshot = circle_network(P, amplitudes, "clock")
    keys = find_keys(snapshot)
    assert (keys.rule, keys.instead_of, keys.chosen) == ("logits", "W_L", tuple(sorted(amplitudes)))
    verdict = find_verdict(snapshot, full=False, triples=100)
    assert find_circuit(snapshot, keys).keys == verdict.measured.keys == keys.chosen
    said = key_doubts(keys, snapshot.task.structure)
    assert said == verdict.key_doubts
    assert said[0].startswith(
        "Its key frequencies are all those above chance: the rule W_L leaves out 1, 2, 4, 5, 6, 7 and"
    )


def test_rules_that_disagree_are_told_with_what_each_names_and_its_share(mainline):
    keys = find_keys(mainline.snapshot())
    assert (keys.chosen, keys.near_bound, keys.instead_of) == ((14, 35, 41, 42, 52), (), None)
    (other,) = keys.other_rules
    assert (other.rule, other.also, other.lacks) == ("W_E", (31,), ())
    assert other.also_share == pytest.approx(keys.logit_share[31])
    assert key_doubts(keys, mainline.task.structure) == [
        "The rules for key frequencies disagree. Those chosen: cosine share 96.6 %; the rule W_E (embedding) "
        "also names 31 (cosine share under 0.001 %)."
    ]


def test_rules_that_agree_and_a_network_without_keys_have_no_doubts():
    clock = circle_network(P, {3: 8.0, 5: 8.0}, "clock")
    keys = find_keys(clock)
    assert key_doubts(keys, clock.task.structure) == []
    assert key_doubts(replace(keys, chosen=()), clock.task.structure) == []


def test_many_near_the_bound_share_a_sentence():
    clock = circle_network(P, {3: 8.0, 5: 8.0}, "clock")
    near = tuple(NearBound(k, "chance", 0.0051, 0.005, k < 4, 1e-4) for k in range(1, 7))
    keys = replace(find_keys(clock), near_bound=near)
    (said,) = key_doubts(keys, clock.task.structure)
    assert said == (
        "6 frequencies are near the bound: 1, 2 and 3 are only just key (cosine share 0.03 %); 4, 5 and 6 are only "
        "just not (cosine share 0.03 %)."
    )
