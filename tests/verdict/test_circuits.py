"""The circuits of the test bed are what their truth says, by means that know nothing of the verdict."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from circuit_carriers import CARRIERS, SHARING, carried, joined
from circuit_circles import circle, clock_neurons, pizza_neurons
from circuit_truth import MECHANISMS, WHOLE, CircleTruth, Circuit, Form
from circuits import KINDS, LEAST_LEAD, NOTHING, circuit, least_lead, nothing

# The least n of every kind, and a larger one that is odd where the least is even.
SMALL = [
    (kind, n)
    for kind, made in KINDS.items()
    for n in sorted({made.of[0], 15, 29 if kind == "pizza" else 15})
    if n in made.of
]
# Up to what share of its largest value f_k is as the closed form says, without noise: terms of the order 1/J² where
# neurons make it, ε² where attention does.
NEAR = 0.03
NEAR_OF_ATTENTION = 0.06


def elements(circuit: Circuit) -> tuple[np.ndarray, np.ndarray]:
    """The elements that are added, pair by pair: a, and b or −b."""
    n = circuit.snapshot.task.n_symbols
    a, b = np.indices((n, n)).reshape(2, -1)
    return a, -b % n if circuit.snapshot.task.config.operation == "subtract" else b


def amplitudes(circuit: Circuit, logits: np.ndarray, freq: int) -> tuple[np.ndarray, np.ndarray]:
    """f_k(d), of cos(w_k(s − c)), and the same of sin(w_k(s − c)); pair by pair."""
    n, (a, b) = logits.shape[1], elements(circuit)
    w, c = 2 * np.pi * freq / n, np.arange(n)
    shares = 1 / n if 2 * freq == n else 2 / n
    cosine = shares * (logits * np.cos(w * ((a + b)[:, None] - c))).sum(axis=1)
    sine = shares * (logits * np.sin(w * ((a + b)[:, None] - c))).sum(axis=1)
    of_distance = [(a - b) % n == d for d in range(n)]
    return tuple(np.array([values[chosen].mean() for chosen in of_distance]) for values in (cosine, sine))


def held(circuit: Circuit) -> np.ndarray:
    """Logits with every head's pattern at its mean over all pairs."""
    snapshot, name = circuit.snapshot, "blocks.0.attn.hook_pattern"
    if snapshot.config.architecture == "mlp":
        return snapshot.logits.astype(float)
    with torch.no_grad():
        mean = snapshot.model.run_with_cache(snapshot.task.tokens, names_filter=name)[1][name].mean(dim=0)
        hook = (name, lambda pattern, hook: mean.expand_as(pattern))  # noqa: ARG005
        return snapshot.model.run_with_hooks(snapshot.task.tokens, fwd_hooks=[hook])[:, -1].double().numpy()


def additive_share(circuit: Circuit) -> float:
    """How much of the variance of what the neurons read is f(a) + g(b)."""
    n = circuit.snapshot.task.n_symbols
    read = circuit.snapshot.activation("blocks.0.mlp.hook_pre").double().numpy().reshape(n, n, -1)
    read = read - read.mean(axis=(0, 1))
    rest = read - read.mean(axis=0) - read.mean(axis=1, keepdims=True)
    return 1 - float((rest**2).sum() / (read**2).sum())


@pytest.fixture(scope="module")
def clean():
    return {(kind, n): circuit(kind, n, seed=0, noisy=False) for kind, n in SMALL}


@pytest.mark.parametrize(("kind", "n"), SMALL)
def test_amplitudes_are_those_of_the_closed_form(clean, kind, n):
    found, near = clean[kind, n], NEAR_OF_ATTENTION if "attention" in kind or "harmonic" in kind else NEAR
    near = NEAR_OF_ATTENTION if kind == "product" else near
    assert least_lead(found.snapshot) > LEAST_LEAD
    fixed = held(found)
    for one in found.truth.circles:
        expected, size = one.amplitude(n), np.abs(one.amplitude(n)).max()
        cosine, sine = amplitudes(found, found.snapshot.logits.astype(float), one.freq)
        assert cosine == pytest.approx(expected, abs=near * size), one.freq
        if kind != "ellipse":
            assert sine == pytest.approx(np.zeros(n), abs=near * size), one.freq
        of_held = (one.held or one.form).amplitude(n, one.freq, one.turn)
        assert amplitudes(found, fixed, one.freq)[0] == pytest.approx(of_held, abs=2 * near * size), one.freq


@pytest.mark.parametrize(("kind", "n"), SMALL)
def test_nothing_but_the_keys_is_written(clean, kind, n):
    found = clean[kind, n]
    if kind == "ellipse":
        pytest.skip("its harmonics and its bias are written as well")
    logits = found.snapshot.logits.astype(float)
    power = (np.abs(np.fft.rfft(logits - logits.mean(axis=1, keepdims=True), axis=1)) ** 2).sum(axis=0)
    assert power[list(found.truth.keys)].sum() == pytest.approx(power.sum(), rel=1e-6)


@pytest.mark.parametrize(("kind", "n"), SMALL)
def test_neurons_add_where_they_are_said_to(clean, kind, n):
    found = clean[kind, n]
    if found.snapshot.config.d_mlp == 1:
        return
    share = additive_share(found)
    if all(one.additive for one in found.truth.circles):
        # Of heads whose patterns are p = .03, a 30th of what they make is a product.
        assert share == pytest.approx(1, abs=0.01 if "harmonic" in kind else 1e-6)
    else:
        assert share < (0.05 if kind == "product" else 0.98)


@pytest.mark.parametrize(("kind", "n"), SMALL)
def test_the_words_are_those_that_are_listed(clean, kind, n):
    truth = clean[kind, n].truth
    assert truth.whole in WHOLE
    assert {one.mechanism for one in truth.circles} <= set(MECHANISMS)
    assert len(set(truth.keys)) == len(truth.keys) and all(0 < k <= n // 2 for k in truth.keys)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_one_network_and_noise_leaves_it_right(kind):
    n = KINDS[kind].of[0]
    first, again, other = (circuit(kind, n, seed) for seed in (1, 1, 2))
    assert first.name == again.name and first.truth == again.truth
    assert all(torch.equal(value, again.snapshot.weights[name]) for name, value in first.snapshot.weights.items())
    assert first.name != other.name
    assert min(map(least_lead, (first.snapshot, other.snapshot))) > LEAST_LEAD


# Where a and b come from.


@pytest.mark.parametrize("carrier", [*CARRIERS, *SHARING])
def test_a_circuit_is_the_same_in_every_network_that_carries_it(carrier):
    n, freqs, turns = 11, (2, 3), (0.4, -1.3)
    features = np.concatenate([circle(n, k) for k in freqs], axis=1)
    parts = [
        pizza_neurons(4, 2 * number, turn, (5 + number) * circle(n, k))
        for number, (k, turn) in enumerate(zip(freqs, turns, strict=True))
    ]
    expected = carried(joined(parts), features, "heads").logits
    found = carried(joined(parts), features, carrier)
    assert found.logits == pytest.approx(expected, abs=1e-4)
    assert found.task.config.own_tokens_for_b == (carrier in ("uniform", "constant", "sum", "shared sum"))
    assert np.ptp(found.pattern, axis=0).max(initial=0) == 0
    if carrier not in SHARING:
        clock = joined(clock_neurons(4, 0, circle(n, 2)))
        expected = carried(clock, features, "heads").logits
        assert carried(clock, features, carrier).logits == pytest.approx(expected, abs=1e-4)


def test_neurons_that_turn_b_differently_share_no_coordinates():
    with pytest.raises(AssertionError, match="b is read in different ways by different neurons"):
        carried(joined(clock_neurons(2, 0, circle(11, 2))), circle(11, 2), "shared sum")


@pytest.mark.parametrize("carrier", [*CARRIERS, *SHARING])
def test_what_subtracts_reads_the_negative_of_b(carrier):
    n = 11
    neurons = pizza_neurons(2, 0, 0.5, 5 * circle(n, 2))
    subtracted = carried(neurons, circle(n, 2), carrier, operation="subtract")
    added = carried(neurons, circle(n, 2), carrier).logits.reshape(n, n, n)[:, -np.arange(n) % n]
    assert subtracted.logits.reshape(n, n, n) == pytest.approx(added, abs=1e-4)
    assert subtracted.task.name == "(a − b) mod 11"


# What is special to a kind.


def test_forms():
    form = Form(flat=1, pizza=4, accompanying=2)
    assert (form.at_equal, form.at_opposite) == (3, 3)
    assert form.amplitude(12, 1, 0.0)[[0, 3, 6]] == pytest.approx([3, 1 + 4 * 0.5**0.5, 3])
    assert form.mean == pytest.approx(form.amplitude(999, 1, 0.3).mean(), abs=1e-5)
    assert CircleTruth(1, "filled", form, held=Form(pizza=4)).kept == pytest.approx((8 / np.pi) / (1 + 8 / np.pi))
    assert not CircleTruth(3, "cosets", form).has_a_shape(12) and CircleTruth(2, "pizza", form).has_a_shape(12)


@pytest.mark.parametrize("seed", range(3))
def test_the_share_of_the_table_goes_with_its_neurons(seed):
    n = 15
    found = circuit("half table", n, seed, noisy=False)
    weights = dict(found.snapshot.weights)
    written = "blocks.0.mlp.W_out" if "blocks.0.mlp.W_out" in weights else "unembed.W_U"
    weights[written] = weights[written] * (weights["blocks.0.mlp.b_in"] == 0)[:, None]
    without = type(found.snapshot)(0, found.snapshot.task, found.snapshot.config, weights)
    for one in found.truth.circles:
        left = amplitudes(found, without.logits.astype(float), one.freq)[0]
        rest = replace(one.form, flat=one.form.flat - one.table * one.form.mean)
        assert left == pytest.approx(rest.amplitude(n, one.freq, one.turn), abs=0.03 * one.form.at_equal)


@pytest.mark.parametrize(("kind", "most"), [("table", 1), ("table per circle", 1), ("table of a circle", 9)])
def test_neurons_of_tables_are_active_on_few_pairs(clean, kind, most):
    active = clean[kind, 15].snapshot.neurons > 1e-6
    assert active.any(axis=0).all() and active.sum(axis=0).max() <= most


@pytest.mark.parametrize("n", [12, 15])
def test_cosets_write_remainders(n):
    found = circuit("cosets", n, 3, noisy=False)
    answers, c = found.snapshot.task.answers[:, None], np.arange(n)
    sums = [(answers - c) % m == 0 for m in found.truth.moduli]
    logits = found.snapshot.logits.astype(float)
    design = np.stack([same.ravel() for same in sums], axis=1).astype(float)
    heights, error, _, _ = np.linalg.lstsq(design, logits.ravel(), rcond=None)
    assert error[0] < 1e-6 and heights.min() >= 5
    assert np.prod(found.truth.moduli) == n


@pytest.mark.parametrize("seed", range(3))
def test_ellipses_are_read_as_said(seed):
    n = 15
    found = circuit("ellipse", n, seed, noisy=False)
    a, b = elements(found)
    for one in found.truth.circles:
        read = np.array(one.read)
        amplitude = 2 * one.amplitude(n) / np.trace(read)
        into, out = circle(n, one.freq)[(a + b) % n], circle(n, one.freq)
        strength = amplitude[(a - b) % n]
        response = found.snapshot.logits.astype(float) @ out * 2 / n
        measured = np.linalg.lstsq(into * strength[:, None], response, rcond=None)[0].T
        assert measured == pytest.approx(read, abs=0.06), one.freq


# Networks without an account.


@pytest.mark.parametrize("kind", NOTHING)
@pytest.mark.parametrize("n", [12, 15])
def test_what_holds_nothing_is_wrong_on_most_pairs(kind, n):
    found = nothing(kind, n, 0)
    low, high = {"memorised": (0.29, 0.31), "regression": (0.5, 0.6)}.get(kind, (0.0, 0.25))
    assert low <= found.truth.accuracy <= high
    assert found.truth.whole == "none" and found.truth.keys == ()
