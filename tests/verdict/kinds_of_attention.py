"""Kinds of circuits in which attention makes something: each draws a network and says what is true of it."""

from collections.abc import Callable, Sequence

import numpy as np
from circuit_attention import PRODUCT, form_of, network_that_multiplies, network_with_attention
from circuit_carriers import Array
from circuit_circles import Circle, accompanying_shape, draw, pizza_shape
from circuit_truth import CircleTruth, Circuit, Form, Truth
from kinds_of_circles import Random

Shares = tuple[tuple[float, float], ...]


def filled_by_attention(low: float, high: float, mechanism: str) -> Callable[[int, Random], Circuit]:
    """At opposite points the amplitude is `low` … `high` times that at equal ones, which is A − (1 − 2p)·filling."""

    def build(n: int, random: Random) -> Circuit:
        p = float(random.choice([0.5, 0.5, 0.4]))
        shares = ((p, 1.0),)

        def shape(k: int) -> tuple[float, Array, dict[str, float]]:
            ratio = float(random.uniform(low, high))
            fill = ratio / (1 + ratio * (1 - 2 * p))
            return _filled(n, k, fill, shares)

        circles = draw(random, n, shape, fewest=2)
        through = bool(random.random() < 0.6)
        snapshot = network_with_attention(
            n,
            [one.freq for one in circles],
            [one.amplitude for one in circles],
            [one.drawn["fill"] * one.amplitude for one in circles],
            shares,
            slope=float(random.uniform(0.15, 0.3)),
            through_neurons=through,
            start=float(random.uniform(0, np.pi)),
            phases=int(random.integers(8, 13)),
        )
        truths = _truths(circles, shares, mechanism, additive=not through)
        name = f"p = {p}, {'through neurons' if through else 'past the neurons'}"
        return Circuit(snapshot, Truth("circles that add", truths), name)

    return build


def _filled(n: int, freq: int, fill: float, shares: Shares) -> tuple[float, Array, dict[str, float]]:
    """A pizza's shape and `fill` times what attention makes of it."""
    flat, accompanying = form_of(shares)
    filling = fill * (flat + accompanying * accompanying_shape(n, freq, 0.0))
    return 0.0, pizza_shape(n, freq, 0.0) + filling, {"fill": fill}


def _truths(
    circles: Sequence[Circle], shares: Shares, mechanism: str, *, additive: bool = True
) -> tuple[CircleTruth, ...]:
    flat, accompanying = form_of(shares)
    truths = []
    for one in circles:
        filling = one.drawn["fill"] * one.amplitude
        form = Form(flat * filling, one.amplitude, accompanying * filling)
        truths.append(CircleTruth(one.freq, mechanism, form, held=Form(pizza=one.amplitude), additive=additive))
    return tuple(truths)


def filled_by_harmonic(n: int, random: Random) -> Circuit:
    """Attention makes nearly nothing but cos 2wa and cos 2wb: p is near 0, and f_k(0) = A − B."""
    shares = ((0.03, 1.0),)
    circles = draw(random, n, lambda k: _filled(n, k, float(random.uniform(0.4, 0.47)), shares), fewest=2)
    snapshot = network_with_attention(
        n,
        [one.freq for one in circles],
        [one.amplitude for one in circles],
        [one.drawn["fill"] * one.amplitude for one in circles],
        shares,
        slope=float(random.uniform(0.15, 0.3)),
        through_neurons=True,
    )
    truths = _truths(circles, shares, "filled")
    return Circuit(snapshot, Truth("circles that add", truths), "second harmonic of a and b")


def product(n: int, random: Random) -> Circuit:
    circles = draw(random, n, lambda _: (0.0, np.ones(n), {}), fewest=2 if n > 6 else 1)
    through, shared, slope = bool(random.random() < 0.5), bool(random.random() < 0.5), float(random.uniform(0.15, 0.3))
    freqs, sizes = [one.freq for one in circles], [one.amplitude for one in circles]
    if shared:
        none = [0.0] * len(circles)
        snapshot = network_with_attention(n, freqs, none, sizes, PRODUCT, slope=slope, through_neurons=through)
    else:
        snapshot = network_that_multiplies(n, freqs, sizes, slope=slope, through_neurons=through)
    truths = tuple(
        CircleTruth(one.freq, "product", Form(flat=one.amplitude), held=Form(), additive=False) for one in circles
    )
    tokens = "tokens shared" if shared else "separate tokens for b"
    return Circuit(snapshot, Truth("products", truths), f"{tokens}, {'through' if through else 'past'} the neurons")
