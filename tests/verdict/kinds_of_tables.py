"""Kinds of circuits that look pairs up, of elements or of cosets: each draws a network and says what is true of it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from circuit_carriers import Array, Neurons, joined
from circuit_circles import Circle, circle, draw, frequencies, pizza_shape
from circuit_tables import bump_neurons, indicator_neurons, one_hot, sum_table
from circuit_truth import CircleTruth, Circuit, Form, Truth
from kinds_of_circles import Random, adding, features, network, turned

OF_TABLES = ("heads", "concatenation", "uniform")
# Coprime moduli whose product is n.
MODULI = {6: (2, 3), 12: (3, 4), 15: (3, 5), 30: (2, 3, 5), 35: (5, 7), 60: (3, 4, 5), 62: (2, 31)}


def table(n: int, random: Random) -> Circuit:
    height = float(random.uniform(5, 12))
    neurons = indicator_neurons(n, 0, sum_table(n, height * np.eye(n)))
    circles = tuple(
        CircleTruth(k, "table", Form(flat=height / n * (1 if 2 * k == n else 2)), table=1.0)
        for k in range(1, n // 2 + 1)
    )
    return network(random, neurons, one_hot(n, n), Truth("table", circles), OF_TABLES)


def cosine_sums(n: int, circles: list[Circle], share: Callable[[Circle], float] = lambda _: 1.0) -> Array:
    """[s, c]: Σ share · A cos w(s − c)."""
    return sum(share(one) * one.amplitude * circle(n, one.freq) @ circle(n, one.freq).T for one in circles)


def table_per_circle(n: int, random: Random) -> Circuit:
    circles = draw(random, n, lambda _: (0.0, np.ones(n), {}), fewest=2 if n > 6 else 1)
    neurons = indicator_neurons(n, 0, sum_table(n, cosine_sums(n, circles)))
    truths = tuple(CircleTruth(one.freq, "table", Form(flat=one.amplitude), table=1.0) for one in circles)
    return network(random, neurons, one_hot(n, n), Truth("table", truths), OF_TABLES)


def table_of_circle(n: int, random: Random) -> Circuit:
    """Indicators that read a circle each: relu(cos w(a − i) + cos w(b − j) − θ)."""
    of = [k for k in frequencies(n) if np.gcd(k, n) == 1]
    circles = draw(random, n, lambda _: (0.0, np.ones(n), {}), of=of, fewest=2 if n > 6 else 1)
    reach, width = float(random.uniform(0.8 if n <= 35 else 1.4, 1.6)), 2 * len(circles)
    neurons = joined(
        bump_neurons(n, width, 2 * number, one.freq, reach, one.amplitude) for number, one in enumerate(circles)
    )
    truths = tuple(CircleTruth(one.freq, "table", Form(flat=one.amplitude), table=1.0) for one in circles)
    return network(random, neurons, features(n, circles), Truth("table", truths), ("heads", "concatenation"))


def half_table(n: int, random: Random) -> Circuit:
    """A table beside a clock or a pizza of the same circles."""
    of_clock = bool(random.random() < 0.6)

    def shape(k: int) -> tuple[float, Array, dict[str, float]]:
        table = float(random.uniform(0.3, 0.7))
        turn = 0.0 if of_clock else turned(n, random)
        rest = np.ones(n) if of_clock else pizza_shape(n, k, turn)
        return turn, table + (1 - table) * rest, {"table": table}

    circles = draw(random, n, shape, fewest=2 if n > 6 else 1)
    width = n + 2 * len(circles)
    looked_up = cosine_sums(n, circles, lambda one: one.drawn["table"])
    table = indicator_neurons(width, 2 * len(circles), sum_table(n, looked_up))
    rest = [replace(one, amplitude=(1 - one.drawn["table"]) * one.amplitude) for one in circles]
    adds = [
        Neurons(*(np.pad(read, ((0, n), (0, 0))) for read in (part.read_a, part.read_b)), part.bias, part.write)
        for part in adding(n, random, rest, lambda _: float(of_clock))
    ]
    found = []
    for one in circles:
        of_table, of_rest = one.drawn["table"] * one.amplitude, (1 - one.drawn["table"]) * one.amplitude
        form = Form(flat=one.amplitude) if of_clock else Form(flat=of_table, pizza=of_rest)
        found.append(CircleTruth(one.freq, "half table", form, one.turn, table=of_table / form.mean))
    columns = np.concatenate([features(n, circles), one_hot(n, n)], axis=1)
    truth = Truth("half a table", tuple(found))
    return network(random, joined([*adds, table]), columns, truth, ("heads", "concatenation"))


def cosets(n: int, random: Random) -> Circuit:
    """Logits Σ_m L_m 1[c ≡ a + b mod m], m coprime, by the Chinese remainder theorem."""
    moduli, heights = MODULI[n], random.uniform(5, 12, size=len(MODULI[n]))
    width, place, parts, circles = sum(moduli), 0, [], []
    for m, height in zip(moduli, heights, strict=True):
        same = np.equal.outer(np.arange(m), np.arange(n) % m).astype(float)
        parts.append(indicator_neurons(width, place, sum_table(m, height * same)))
        place += m
        for j in range(1, m // 2 + 1):
            form = Form(flat=height / m * (1 if 2 * j == m else 2))
            circles.append(CircleTruth(j * n // m, "cosets", form, table=1.0))
    columns = np.concatenate([one_hot(n, m) for m in moduli], axis=1)
    return network(random, joined(parts), columns, Truth("cosets", tuple(circles), moduli))
