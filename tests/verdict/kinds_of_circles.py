"""Kinds of circuits whose circles add: each draws a network and says what is true of it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from circuit_carriers import CARRIERS, SHARING, Array, Neurons, carried, joined
from circuit_circles import (
    Circle,
    accompanying_neurons,
    accompanying_shape,
    circle,
    clock_neurons,
    draw,
    frequencies,
    pizza_neurons,
    pizza_shape,
    points,
)
from circuit_truth import CircleTruth, Circuit, Form, Truth

Random = np.random.Generator


def turned(n: int, random: Random) -> float:
    """At ψ = 0 an even n has pairs, those n/2 apart, at which all circles of odd frequency vanish."""
    if n % 2:
        return float(random.choice([0.0, random.uniform(-np.pi, np.pi)]))
    return float(random.choice([-1, 1]) * random.uniform(np.pi / 4, 3 * np.pi / 4))


def features(n: int, circles: list[Circle]) -> Array:
    return np.concatenate([circle(n, one.freq) for one in circles], axis=1)


def adding(n: int, random: Random, circles: list[Circle], share: Callable[[Circle], float]) -> list[Neurons]:
    """Per circle a clock's neurons for `share` of the amplitude at equal points, a pizza's for the rest."""
    width, parts = 2 * len(circles), []
    for number, one in enumerate(circles):
        pattern, start = one.amplitude * circle(n, one.freq), float(random.uniform(0, np.pi))
        phases, of_clock = int(random.integers(8, 13)), share(one)
        if of_clock < 1:
            rest = (1 - of_clock) * pattern
            parts.append(pizza_neurons(width, 2 * number, one.turn, rest, phases=phases, start=start))
        if of_clock > 0:
            turns = int(random.integers(6, 10))
            clock = of_clock * pattern
            parts += clock_neurons(width, 2 * number, clock, phases=phases, turns=turns, start=start)
    return parts


def truths(circles: list[Circle], mechanism: str, form: Callable[[Circle], Form], **more: object) -> Truth:
    found = tuple(CircleTruth(one.freq, mechanism, form(one), one.turn, **more) for one in circles)
    return Truth("circles that add", found)


def network(
    random: Random, neurons: Neurons, features: Array, truth: Truth, carriers: tuple[str, ...] = CARRIERS, **more: Array
) -> Circuit:
    """Carried by one of `carriers`; one network of four subtracts."""
    carrier, operation = str(random.choice(carriers)), "subtract" if random.random() < 0.25 else "add"
    return Circuit(carried(neurons, features, carrier, operation=operation, **more), truth, f"{carrier}, {operation}")


def pizza(n: int, random: Random) -> Circuit:
    """b of every circle turned by its own ψ; neurons, or the head that reads b, or b's embedding turn it."""

    def shape(k: int) -> tuple[float, Array, dict[str, float]]:
        turn = turned(n, random)
        return turn, pizza_shape(n, k, turn), {}

    circles = draw(random, n, shape)
    neurons = joined(adding(n, random, circles, lambda _: 0.0))
    truth = truths(circles, "pizza", lambda one: Form(pizza=one.amplitude))
    return network(random, neurons, features(n, circles), truth, (*CARRIERS, *SHARING, *SHARING))


def pizza_with_parity(n: int, random: Random) -> Circuit:
    """Pizzas at ψ = 0 of even frequency find the answer mod n/2, which is odd; the Nyquist frequency, its parity."""
    of = [k for k in frequencies(n) if k % 2 == 0]
    half = draw(random, n // 2, lambda k: (0.0, pizza_shape(n // 2, k, 0.0), {}), of=[k // 2 for k in of])
    circles = [Circle(2 * one.freq, one.amplitude, 0.0, pizza_shape(n, 2 * one.freq, 0.0), {}) for one in half]
    parity, size = (-1.0) ** np.arange(n), float(random.uniform(4, 8))
    # relu(x + y) + relu(−x − y) of signs x and y is 1 + xy.
    read = np.zeros((2 * len(circles) + 1, 2))
    read[-1] = [1.0, -1.0]
    of_parity = Neurons(read, read, np.zeros(2), np.stack([size * parity, size * parity]))
    pizzas = [
        Neurons(*(np.pad(side, ((0, 1), (0, 0))) for side in (part.read_a, part.read_b)), part.bias, part.write)
        for part in adding(n, random, circles, lambda _: 0.0)
    ]
    truth = truths(circles, "pizza", lambda one: Form(pizza=one.amplitude))
    two_points = CircleTruth(n // 2, "two points", Form(flat=size))
    columns = np.column_stack([features(n, circles), parity])
    whole = Truth(truth.whole, (*truth.circles, two_points))
    return network(random, joined([*pizzas, of_parity]), columns, whole, b_U=-size * parity)


def clock(n: int, random: Random) -> Circuit:
    circles = draw(random, n, lambda _: (0.0, np.ones(n), {}), fewest=2 if n > 6 else 1)
    neurons = joined(adding(n, random, circles, lambda _: 1.0))
    truth = truths(circles, "clock", lambda one: Form(flat=one.amplitude))
    return network(random, neurons, features(n, circles), truth)


def mixture(n: int, random: Random) -> Circuit:
    def shape(k: int) -> tuple[float, Array, dict[str, float]]:
        turn, share = turned(n, random), float(random.uniform(0.15, 0.85))
        return turn, share + (1 - share) * pizza_shape(n, k, turn), {"clock": share}

    circles = draw(random, n, shape)
    neurons = joined(adding(n, random, circles, lambda one: one.drawn["clock"]))

    def form(one: Circle) -> Form:
        return Form(flat=one.drawn["clock"] * one.amplitude, pizza=(1 - one.drawn["clock"]) * one.amplitude)

    return network(random, neurons, features(n, circles), truths(circles, "mixture", form))


def filled_by_circles(low: float, high: float, mechanism: str) -> Callable[[int, Random], Circuit]:
    """Circles of frequency 2k beside those of k; the filling is `low` … `high` of the pizza's amplitude."""

    def build(n: int, random: Random) -> Circuit:
        def shape(k: int) -> tuple[float, Array, dict[str, float]]:
            turn, fill = turned(n, random), float(random.uniform(low, high))
            return turn, pizza_shape(n, k, turn) + fill * accompanying_shape(n, k, turn), {"fill": fill}

        of = [k for k in frequencies(n) if points(n, 2 * k) >= 5]
        circles = draw(random, n, shape, of=of, fewest=2 if n > 12 else 1)
        parts, columns = [], []
        width = 4 * len(circles)
        for number, one in enumerate(circles):
            answers, place = circle(n, one.freq), 4 * number
            columns += [circle(n, one.freq), circle(n, 2 * one.freq)]
            start, phases = float(random.uniform(0, np.pi)), int(random.integers(8, 13))
            pizza = one.amplitude * answers
            parts.append(pizza_neurons(width, place, one.turn, pizza, phases=phases, start=start))
            parts.append(accompanying_neurons(width, place + 2, one.turn, one.drawn["fill"] * pizza))

        def form(one: Circle) -> Form:
            return Form(pizza=one.amplitude, accompanying=one.drawn["fill"] * one.amplitude)

        features = np.concatenate(columns, axis=1)
        return network(random, joined(parts), features, truths(circles, mechanism, form, companion=2))

    return build


def ellipse(n: int, random: Random) -> Circuit:
    """Clocks or pizzas whose answers are read by any 2 × 2 map per circle, with a bias, and some by 3k as well."""
    of_clock = bool(random.integers(0, 2))

    def shape(k: int) -> tuple[float, Array, dict[str, float]]:
        turn = 0.0 if of_clock else turned(n, random)
        return turn, np.ones(n) if of_clock else pizza_shape(n, k, turn), {}

    for _ in range(400):
        circles = draw(random, n, shape, fewest=4 if of_clock else 6)
        reads = [_random_map(random, 0.3 if of_clock else 0.5) for _ in circles]
        patterns = [_elliptic(n, one, read, random) for one, read in zip(circles, reads, strict=True)]
        size = sum(one.amplitude for one in circles)
        b_U = 0.03 * size * random.normal(size=n)
        lead = _lead(n, circles, patterns, b_U)
        if lead > 0.004 * size:
            break
    else:
        raise ValueError(f"no ellipses answer all pairs mod {n}")
    scale = max(1.0, float(random.uniform(4, 8)) / lead)
    circles = [replace(one, amplitude=scale * one.amplitude) for one in circles]
    patterns, b_U = [scale * pattern for pattern in patterns], scale * b_U
    width, parts, found = 2 * len(circles), [], []
    for number, (one, read, pattern) in enumerate(zip(circles, reads, patterns, strict=True)):
        if of_clock:
            parts += clock_neurons(width, 2 * number, pattern, phases=8, turns=6)
        else:
            parts.append(pizza_neurons(width, 2 * number, one.turn, pattern))
        # What of M is a rotation by 0: the cosine of s − c.
        part = one.amplitude * np.trace(read) / 2
        form, mechanism = (Form(flat=part), "clock") if of_clock else (Form(pizza=part), "pizza")
        found.append(CircleTruth(one.freq, mechanism, form, one.turn, read=tuple(map(tuple, read.tolist()))))
    truth = Truth("circles that add", tuple(found))
    return network(random, joined(parts), features(n, circles), truth, b_U=b_U)


def _elliptic(n: int, one: Circle, read: Array, random: Random) -> Array:
    """[c, 2]: what answer c reads of (cos w s, sin w s); every other circle is read by the answers' 3k as well."""
    pattern = one.amplitude * circle(n, one.freq) @ read
    if random.random() < 0.5:
        pattern = pattern + 0.15 * one.amplitude * circle(n, 3 * one.freq) @ _random_map(random, 0.3)
    return pattern


def _lead(n: int, circles: list[Circle], patterns: list[Array], b_U: Array) -> float:
    """The least lead of the answer s over another, over all d and s."""
    by_sum = np.stack([circle(n, one.freq) @ pattern.T for one, pattern in zip(circles, patterns, strict=True)])
    logits = np.tensordot(np.stack([one.shape for one in circles], axis=1), by_sum, axes=1) + b_U
    own = logits[:, np.arange(n), np.arange(n)].copy()
    logits[:, np.arange(n), np.arange(n)] = -np.inf
    return float((own - logits.max(axis=2)).min())


def _random_map(random: Random, least: float) -> Array:
    """Gains of 1 and `least` to 1 along axes at any angle, and a turn of at most 9°."""
    axis, turn = random.uniform(0, np.pi), random.uniform(-0.05, 0.05) * np.pi
    return _rotation(axis + turn) @ np.diag([1.0, random.uniform(least, 1.0)]) @ _rotation(-axis)


def _rotation(angle: float) -> Array:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
