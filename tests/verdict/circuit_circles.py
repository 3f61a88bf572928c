"""Circles that add: neurons that read a circle of a and of b, with their amplitudes in closed form.

A pair of neurons relu(±x), x = cos(w a − φ) + cos(w b + ψ − φ) = 2 cos((w d − ψ)/2) cos((w s + ψ)/2 − φ), s = a + b,
d = a − b, gives |x|. The second harmonic of |cos y| is 4/(3π) cos 2y, so that J angles φ around half a circle, each
writing cos(2φ − ψ − w c), make |cos((w d − ψ)/2)| cos(w(s − c)), but for harmonics of the order 1/J².
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from circuit_carriers import Array, Neurons

LEAST_POINTS = 5


@dataclass(frozen=True, eq=False)
class Circle:
    """One circle of a drawn circuit: frequency k, amplitude A, turn ψ of b, f_k(d)/A, whatever else was drawn."""

    freq: int
    amplitude: float
    turn: float
    shape: Array
    drawn: dict[str, float]


def angles(n: int, freq: int) -> Array:
    """w_k x of all x."""
    return 2 * np.pi * freq * np.arange(n) / n


def circle(n: int, freq: int, turn: float = 0.0) -> Array:
    """[n, 2]: cos(w_k x + ψ), sin(w_k x + ψ)."""
    return np.stack([np.cos(angles(n, freq) + turn), np.sin(angles(n, freq) + turn)], axis=1)


def points(n: int, freq: int) -> int:
    """How many different points a circle has."""
    return n // int(np.gcd(n, freq))


def frequencies(n: int, least: int = LEAST_POINTS) -> list[int]:
    """Those whose circles have at least `least` points."""
    return [k for k in range(1, (n + 1) // 2) if points(n, k) >= least]


def pizza_shape(n: int, freq: int, turn: float) -> Array:
    return np.abs(np.cos((angles(n, freq) - turn) / 2))


def accompanying_shape(n: int, freq: int, turn: float) -> Array:
    return -np.cos(angles(n, freq) - turn)


def pizza_neurons(
    width: int, place: int, turn: float, pattern: Array, *, phases: int = 10, start: float = 0.0
) -> Neurons:
    """A pizza of the circle at features place, place + 1: what it writes to c is pattern[c] · (cos w s, sin w s)."""
    phi = np.repeat(start + np.pi * np.arange(phases) / phases, 2)
    side = np.tile([1.0, -1.0], phases)
    read_a, read_b = np.zeros((2, width, 2 * phases))
    read_a[place], read_a[place + 1] = side * np.cos(phi), side * np.sin(phi)
    read_b[place], read_b[place + 1] = side * np.cos(phi - turn), side * np.sin(phi - turn)
    code = np.stack([np.cos(2 * phi - turn), np.sin(2 * phi - turn)])
    return Neurons(read_a, read_b, np.zeros(2 * phases), 3 * np.pi / (4 * phases) * (pattern @ code).T)


def clock_neurons(
    width: int, place: int, pattern: Array, *, phases: int = 10, turns: int = 8, start: float = 0.0
) -> list[Neurons]:
    """Pizzas at `turns` turns of b around the circle, whose holes fill each other; the mean of |cos| is 2/π."""
    share = np.pi / 2 / turns
    return [
        pizza_neurons(width, place, start + turn, share * pattern, phases=phases, start=start)
        for turn in 2 * np.pi * np.arange(turns) / turns
    ]


def accompanying_neurons(width: int, place: int, turn: float, pattern: Array, *, phases: int = 8) -> Neurons:
    """−cos(w_k d − ψ) of frequency k, from the circle of frequency 2k at `place`, b turned by 2ψ.

    x = cos(2wa − φ) + cos(2wb + 2ψ − φ) = 2 cos(wd − ψ) cos(ws + ψ − φ), and the first harmonic of relu is ½ x; an even
    number of angles around the circle leaves no other that matters.
    """
    assert phases % 2 == 0
    phi = 2 * np.pi * np.arange(phases) / phases
    read_a, read_b = np.zeros((2, width, phases))
    read_a[place], read_a[place + 1] = np.cos(phi), np.sin(phi)
    read_b[place], read_b[place + 1] = np.cos(phi - 2 * turn), np.sin(phi - 2 * turn)
    code = np.stack([np.cos(phi - turn), np.sin(phi - turn)])
    return Neurons(read_a, read_b, np.zeros(phases), -2 / phases * (pattern @ code).T)


def draw(
    random: np.random.Generator,
    n: int,
    shape: Callable[[int], tuple[float, Array, dict[str, float]]],
    *,
    of: list[int] | None = None,
    fewest: int = 3,
) -> list[Circle]:
    """Frequencies, amplitudes and what `shape(freq)` draws: ψ, f(d) at amplitude 1 and the rest.

    Drawn again until all pairs are answered with a lead of more than 6 % of Σ A; then that lead is scaled to between 4
    and 8. Every 80 failures allow one more circle.
    """
    of = frequencies(n) if of is None else of
    fewest = min(fewest, len(of))
    for attempt in range(400):
        count = min(len(of), fewest + int(random.integers(0, 2)) + attempt // 80)
        chosen = random.choice(of, size=count, replace=False)
        amplitudes = random.uniform(0.6, 1.0, size=count)
        drawn = [shape(int(k)) for k in chosen]
        # The lead depends on s − c alone.
        difference = 2 * np.pi * np.outer(np.arange(1, n), chosen) / n
        functions = np.stack([f for _, f, _ in drawn])
        lead = float(((amplitudes * (1 - np.cos(difference))) @ functions).min())
        if lead > 0.06 * amplitudes.sum():
            scale = random.uniform(4, 8) / lead
            return [
                Circle(int(k), scale * size, turn, f, rest)
                for k, size, (turn, f, rest) in zip(chosen, amplitudes, drawn, strict=True)
            ]
    raise ValueError(f"no circles answer all pairs mod {n} by themselves")
