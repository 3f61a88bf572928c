"""A circle alone in the embedding: its amplitude by the short way is that of the logits, held or not."""

import numpy as np
import pytest
import torch

from grokinterp.analysis import Places
from grokinterp.models import ModelConfig, initial_weights, not_covered_by_fast_forward
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import _isolated, amplitude_by_distance
from grokinterp.verdict._isolated import Isolated
from grokinterp.verdict._replaced import logits_of_symbols, logits_with, with_averaged_embeddings
from grokinterp.verdict.stages._held import logits_held, mean_patterns

SMALL = {"n_heads": 2, "d_head": 4, "d_model": 16, "d_mlp": 24, "biases": "all"}
NETWORKS = {
    "addition": (SMALL, {"p": 11}),
    "an even order, GELU": ({**SMALL, "act_fn": "gelu"}, {"p": 12}),
    "subtraction": (SMALL, {"p": 11, "operation": "subtract"}),
    "multiplication, pairs outside the group": (SMALL, {"p": 11, "operation": "multiply"}),
    "an operator": (SMALL, {"p": 11, "operator_token": True}),
}
NOT_COVERED = {
    "LayerNorm": ({**SMALL, "normalization": "LN"}, {"p": 11}),
    "no attention": ({"architecture": "mlp", "d_model": 16, "d_mlp": 24}, {"p": 11, "equals_token": False}),
}


def network(config: dict, task: dict) -> Snapshot:
    made, chosen = ModelConfig(**config), Task(TaskConfig(**task))
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: value + torch.randn(value.shape, generator=generator) / 2
        for name, value in initial_weights(made, chosen).items()
    }
    return Snapshot(0, chosen, made, weights)


@pytest.mark.parametrize("freq", [1, 4, 5])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_short_way_gives_what_the_logits_hold(name, freq, monkeypatch):
    snapshot = network(*NETWORKS[name])
    assert not_covered_by_fast_forward(snapshot.config, snapshot.task) is None
    places = Places.of(snapshot.task)
    alone = Isolated.of(snapshot, freq)
    by_logits = amplitude_by_distance(alone.snapshot.logits, places, freq)
    patterns = mean_patterns(snapshot)
    held = amplitude_by_distance(logits_held(alone.snapshot, patterns), places, freq)
    assert np.abs(by_logits).max() > 0.01
    for at_once in (1, 1 << 20):
        monkeypatch.setattr(_isolated, "NEURONS_AT_ONCE", at_once)
        np.testing.assert_allclose(alone.amplitude(), by_logits, atol=2e-5)
        np.testing.assert_allclose(alone.held_amplitude(patterns[0][0, :, -1]), held, atol=2e-5)


def test_the_frequency_that_has_no_sine():
    snapshot = network(SMALL, {"p": 12})
    alone = Isolated.of(snapshot, 6)
    by_logits = amplitude_by_distance(alone.snapshot.logits, Places.of(snapshot.task), 6)
    np.testing.assert_allclose(alone.amplitude(), by_logits, atol=2e-5)


@pytest.mark.parametrize("name", NOT_COVERED)
def test_other_networks_are_run_as_they_are(name):
    snapshot = network(*NOT_COVERED[name])
    alone = Isolated.of(snapshot, 3)
    assert not alone.is_covered
    by_logits = amplitude_by_distance(alone.snapshot.logits, Places.of(snapshot.task), 3)
    np.testing.assert_allclose(alone.amplitude(), by_logits, atol=1e-6)


def test_symbols_of_ones_own_are_embedded_in_their_place():
    """Other symbols at each place, against the hooks of the whole network."""
    snapshot = network(SMALL, {"p": 11})
    others = torch.randn(11, 16, generator=torch.Generator().manual_seed(1))
    a, b = snapshot.task.inputs
    symbols = torch.cat([others, snapshot.weights["embed.W_E"][:11]])
    hooked = logits_with(snapshot, "hook_embed", {0: others[a]})
    np.testing.assert_allclose(logits_of_symbols(snapshot, symbols, a, b + 11), hooked, atol=1e-4)


def test_averaged_embeddings_are_those_of_the_hooks():
    snapshot = network(SMALL, {"p": 11})
    W_E, (a, b) = snapshot.weights["embed.W_E"], snapshot.task.inputs
    mean = (W_E[a] + W_E[b]) / 2
    hooked = logits_with(snapshot, "hook_embed", {0: mean, 1: mean})
    symbols, pairs = torch.stack([W_E[:11][:, None] + W_E[:11]]).flatten(0, 2) / 2, a * 11 + b
    np.testing.assert_allclose(logits_of_symbols(snapshot, symbols, pairs, pairs), hooked, atol=1e-4)
    changed = np.abs(hooked - snapshot.logits).max()
    assert changed > 0.1
    assert with_averaged_embeddings(snapshot).explained < 1
