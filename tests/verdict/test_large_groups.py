"""Networks with too many pairs to hold: some at a time, and the same numbers as from all at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from permutation_network import permutation_network

from grokinterp.analysis import (
    Places,
    best_irreps,
    find_keys,
    logit_map,
    losses_by_pair,
    neuron_cosets,
    neuron_irreps,
)
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import find_verdict, replacements
from grokinterp.verdict.accounts._group_accounts import coset_account, irrep_account

SMALL = {"d_model": 12, "n_heads": 2, "d_head": 6, "d_mlp": 20}
NETWORKS = {
    "transformer": ({}, {}),
    "two layers": ({"n_layers": 2, "normalization": "LN"}, {}),
    "no attention": ({"architecture": "mlp", "mlp_inputs": "concatenation"}, {"equals_token": False}),
}


@pytest.fixture
def large(monkeypatch):
    """Every network counts as large, and few of its pairs are held at a time."""

    def so(sample: int = 10**6) -> None:
        monkeypatch.setattr("grokinterp.runs._snapshot.KEPT", 0)
        monkeypatch.setattr("grokinterp.runs._snapshot.SAMPLE", sample)
        monkeypatch.setattr("grokinterp.runs._snapshot.FAST_CHUNK", 50)
        for module in ("_components", "_cosets", "_logit_map"):
            monkeypatch.setattr(f"grokinterp.analysis.{module}.FAST_CHUNK", 50)
        monkeypatch.setattr("grokinterp.analysis._neurons._COEFFICIENTS", 2000)
        monkeypatch.setattr("grokinterp.analysis._neurons._VALUES", 5000)
        monkeypatch.setattr("grokinterp.analysis._key_irreps._ROWS", 700)
        monkeypatch.setattr("grokinterp.verdict.accounts._group_accounts._VALUES", 5000)
        monkeypatch.setattr("grokinterp.verdict._sufficiency.VALUES", 5000)

    return so


def network(name: str, seed: int = 1) -> Snapshot:
    model, task = NETWORKS[name]
    config, of = ModelConfig(**SMALL, **model), Task(TaskConfig(operation="compose", group="S3", **task))
    random = np.random.default_rng(seed)
    weights = initial_weights(config, of)
    return Snapshot(0, of, config, {k: w + 0.3 * w.new_tensor(random.normal(size=w.shape)) for k, w in weights.items()})


@pytest.mark.parametrize("name", NETWORKS)
def test_some_pairs_are_those_of_all(name, large):
    whole, some = network(name), network(name)
    pairs = np.array([[3, 30], [7, 7]])
    expected = [whole.logits[pairs], whole.neurons[pairs]]
    expected.append(whole.activation(f"{whole.last_block}.mlp.hook_pre").numpy()[pairs])
    for of_pairs, found in zip(expected, (whole.logits_of, whole.neurons_of, whole.neuron_inputs_of), strict=True):
        assert found(pairs) == pytest.approx(of_pairs, rel=1e-5, abs=1e-6)
    large()
    assert some.is_large
    for of_pairs, found in zip(expected, (some.logits_of, some.neurons_of, some.neuron_inputs_of), strict=True):
        assert found(pairs) == pytest.approx(of_pairs, rel=1e-4, abs=1e-5)


def test_a_large_network_gives_up_its_logits_and_a_small_one_keeps_them(large):
    snapshot = network("transformer")
    logits = snapshot.logits
    snapshot.release()
    assert snapshot.logits is logits
    large()
    snapshot.release()
    assert snapshot.logits is not logits
    assert (snapshot.logits == logits).all()


def test_shares_from_some_rows_are_those_of_the_whole_transform(large):
    task = Task(TaskConfig(operation="compose", group="S4"))
    places, basis = Places.of(task), Places.of(task).structure.basis
    functions = np.random.default_rng(0).normal(size=(task.n_pairs, 7)) + np.array([0, 1, 100, 1e4, 0, 0, 0])
    functions[:, 5], functions[:, 6] = 3.0, 0.0
    grid = functions[places.grid] - functions.mean(axis=0)
    power, rho = basis.power_2d(grid), np.arange(1, len(basis.irrep_names))
    blocks = power[rho, 0] + power[0, rho] + power[rho, rho]
    expected = blocks / np.maximum((grid**2).sum(axis=(0, 1)), 1e-9)
    for _ in range(2):
        found = best_irreps(functions, places).share.T
        assert found[:, :5] == pytest.approx(expected[:, :5], rel=1e-9)
        assert (found[:, 5:] == 0).all()
        large()


def flat(value: object, path: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flat(item, f"{path}.{key}").items()}
    if isinstance(value, list):
        return {k: v for number, item in enumerate(value) for k, v in flat(item, f"{path}[{number}]").items()}
    return {path: value}


def test_a_verdict_from_some_pairs_at_a_time_is_that_from_all_at_once(large):
    """In float32 the network is not evaluated in the same order: numbers of changed networks may differ by that."""
    whole = find_verdict(permutation_network(3, d_mlp=36), full=True)
    large()
    some = find_verdict(permutation_network(3, d_mlp=36), full=True)
    assert some.label == whole.label
    assert some.sampled_pairs is None
    one, other = flat(whole.to_dict()), flat(some.to_dict())
    assert one.keys() == other.keys()
    for path, value in one.items():
        if isinstance(value, float):
            # What a replacement changes is a difference of nearly equal losses.
            assert other[path] == pytest.approx(value, rel=1e-4, abs=1e-5), path
        else:
            assert other[path] == value, path


def test_what_is_exact_stays_so(large):
    def measured() -> list:
        snapshot = permutation_network(4)
        keys, cosets = find_keys(snapshot), neuron_cosets(snapshot)
        assert cosets is not None
        parts = replacements(snapshot, keys.chosen)
        return [
            keys.logit_share,
            [keys.control.share, keys.control.largest_share],
            neuron_irreps(snapshot).share,
            cosets[0].least,
            logit_map(snapshot, keys.chosen, {}).variance_explained[keys.chosen[0]],
            [parts[0].loss, parts[1].loss, parts[2].loss, *(part.variance_explained for part in parts[:3])],
        ]

    whole = measured()
    large()
    for one, other in zip(whole, measured(), strict=True):
        assert np.asarray(other) == pytest.approx(np.asarray(one), rel=2e-5, abs=1e-6)


def test_changed_networks_of_a_large_group_are_judged_on_a_sample_that_is_told(large):
    keys = (3,)  # The standard representation.
    whole = permutation_network(4)
    assert whole.task.structure.basis.irrep_names[3] == "(3,1)"
    expected = irrep_account(whole, keys), coset_account(whole), {r.name: r for r in replacements(whole, keys)}
    large(sample=150)
    some = permutation_network(4)
    assert len(some.some_of(np.arange(576))) == 150
    assert (some.some_of(np.arange(576)) == permutation_network(4, seed=1).some_of(np.arange(576))).all()
    for found, account in zip((irrep_account(some, keys), coset_account(some)), expected, strict=False):
        assert found is not None
        assert account is not None
        assert found.explained == pytest.approx(account.explained, abs=0.01)
        assert (found.accuracy, found.numbers) == (1.0, account.numbers)
    for replaced in replacements(some, keys):
        assert replaced.baseline == pytest.approx(losses_by_pair(whole)[some.some_of(np.arange(576))].mean(), rel=1e-5)
        assert replaced.accuracy == pytest.approx(expected[2][replaced.name].accuracy, abs=0.1)
    assert find_verdict(some, full=False).to_dict()["sampled_pairs"] == 150


S6 = """
import json, sys
sys.path[:0] = sys.argv[1:]
from bounds import peak_memory
from permutation_network import permutation_network
from grokinterp.runs import memory_needed
from grokinterp.verdict import find_verdict
snapshot = permutation_network(6, d_mlp=512)
found = find_verdict(snapshot, full=True)
content = found.to_dict()
needed = memory_needed("verdict", snapshot.task, snapshot.config)
print(json.dumps([found.label, peak_memory(), needed, content["sampled_pairs"], content["guarantee"]["lower_bound"]]))
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are measured in the units of Linux")
def test_the_whole_verdict_of_s6_in_less_than_three_gigabytes():
    tests = Path(__file__).parents[1]
    found = subprocess.run(
        [sys.executable, "-c", S6, tests, tests / "verdict"],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    label, peak, needed, sampled, lower_bound = json.loads(found.stdout)
    assert label == "irrep ((5,1))"
    assert peak < 3e9
    assert 1 / 1.5 < needed / peak < 1.5
    assert sampled == 16_384
    assert lower_bound > 0.99
