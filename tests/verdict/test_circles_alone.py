"""Circles alone and averaged embeddings, on networks built by hand."""

import numpy as np
import pytest
import torch
from circle_networks import circle_network

from grokinterp.analysis import Places
from grokinterp.verdict import circles_alone, fit_pattern, with_averaged_embeddings
from grokinterp.verdict._replaced import with_embeddings_in

AMPLITUDES = {3: 5.0, 7: 4.0}


@pytest.mark.parametrize("operation", ["add", "subtract"])
@pytest.mark.parametrize(("kind", "clockness"), [("clock", 1), ("pizza", 0), ("0.25", 0.25), ("0.6", 0.6)])
def test_a_circle_alone_shows_what_it_was_built_as(kind, clockness, operation):
    snapshot = circle_network(23, AMPLITUDES, kind, operation=operation)
    shares = fit_pattern(snapshot.logits, Places.of(snapshot.task), (3, 7), "mixed").by_freq
    for circle in circles_alone(snapshot, (3, 7), shares):
        assert circle.clockness == pytest.approx(clockness, abs=0.01)
        assert circle.works_alone == pytest.approx(1, abs=1e-3)
        assert circle.amplitude == pytest.approx(circle.amplitude_in_network, abs=1e-3)
        assert circle.at_equal == pytest.approx(circle.amplitude[0], rel=0.02)
        assert circle.fit > 0.999


def test_other_circles_are_gone_and_nothing_else_is():
    snapshot = circle_network(23, AMPLITUDES, "clock")
    alone, built = with_embeddings_in(snapshot, (0, 3)), circle_network(23, {3: 5.0, 7: 0.0}, "clock")
    both = alone.logits - alone.logits.mean(axis=1, keepdims=True)
    assert both == pytest.approx(built.logits - built.logits.mean(axis=1, keepdims=True), abs=1e-4)
    assert torch.equal(alone.weights["embed.W_E"][23], snapshot.weights["embed.W_E"][23])


def test_a_frequency_that_nothing_is_made_of_has_no_clockness():
    snapshot = circle_network(23, AMPLITUDES, "clock")
    zero = dict(snapshot.weights) | {"unembed.W_U": torch.zeros_like(snapshot.weights["unembed.W_U"])}
    silent = type(snapshot)(0, snapshot.task, snapshot.config, zero)
    (circle,) = circles_alone(silent, (3,), {3: 0.0})
    assert np.isnan(circle.clockness)
    assert circle.works_alone == 0


def test_averaged_embeddings_leave_a_pizza_alone_and_break_a_clock():
    pizza, clock = (with_averaged_embeddings(circle_network(23, AMPLITUDES, kind)) for kind in ("pizza", "clock"))
    assert pizza.explained == pytest.approx(1, abs=1e-6)
    assert pizza.accuracy == 1
    assert clock.explained < 0.8
