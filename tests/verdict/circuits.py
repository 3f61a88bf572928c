"""The test bed: networks built by hand of every kind of circuit, with what is true of them.

`circuit(kind, n, seed)` draws frequencies, amplitudes, phases, numbers of neurons, the architecture and noise, and
builds a network that answers every pair; `KINDS` says for which n there is such a network. `nothing(kind, n, seed)`
are networks of which there is no account.
"""

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from circuit_carriers import with_noise
from circuit_tables import memorised, random_network, regression, relabelled, smooth_field
from circuit_truth import Circuit, Truth
from kinds_of_attention import filled_by_attention, filled_by_harmonic, product
from kinds_of_circles import clock, ellipse, filled_by_circles, mixture, pizza, pizza_with_parity
from kinds_of_tables import MODULI, cosets, half_table, table, table_of_circle, table_per_circle

from grokinterp.analysis import accuracy
from grokinterp.runs import Snapshot

Random = np.random.Generator
LEAST_LEAD = 0.5
ORDERS = (6, 12, 15, 29, 30, 31, 35, 59, 60, 62)


@dataclass(frozen=True)
class Kind:
    """`build` draws a network for n; `of` says for which n there is one; noise is at most `noise`, see `with_noise`."""

    build: Callable[[int, Random], Circuit]
    of: tuple[int, ...] = ORDERS
    noise: float = 0.03
    relative: bool = False


def circuit(kind: str, n: int, seed: int, *, noisy: bool = True) -> Circuit:
    """The network of a kind; one that noise brings near a wrong answer is drawn again."""
    made, random = KINDS[kind], np.random.default_rng([crc32(kind.encode()), n, seed])
    for _ in range(20):
        clean = made.build(n, random)
        noise = float(random.uniform(0, made.noise)) if noisy else 0.0
        snapshot = with_noise(clean.snapshot, noise, int(random.integers(2**31)), relative=made.relative)
        if least_lead(snapshot) > LEAST_LEAD:
            return Circuit(snapshot, clean.truth, f"{kind}, n = {n}, seed {seed}: {clean.name}, noise {noise:.3f}")
    raise ValueError(f"{kind}, n = {n}, seed {seed}: noise makes every network wrong")


def least_lead(snapshot: Snapshot) -> float:
    """By how much the right answer leads the next one, where it leads least."""
    logits, right = snapshot.logits.astype(float), (np.arange(snapshot.task.n_pairs), snapshot.task.answers)
    own = logits[right]
    logits[right] = -np.inf
    return float((own - logits.max(axis=1)).min())


def nothing(kind: str, n: int, seed: int) -> Circuit:
    """A network of which no account is true."""
    random = np.random.default_rng([crc32(kind.encode()), n, seed])
    snapshot = NOTHING[kind](n, random)
    right = float(accuracy(snapshot.logits, snapshot.task, "all"))
    return Circuit(snapshot, Truth("none", accuracy=right), f"{kind}, n = {n}, seed {seed}")


COMPOSITE = tuple(n for n in ORDERS if n in MODULI)
FROM_12, FROM_15 = ORDERS[1:], ORDERS[2:]
KINDS = {
    "pizza": Kind(pizza),
    "pizza with parity": Kind(pizza_with_parity, (30, 62)),
    "clock": Kind(clock),
    "mixture": Kind(mixture),
    "filled by circles": Kind(filled_by_circles(0.4, 0.47, "filled"), FROM_15),
    "overfilled by circles": Kind(filled_by_circles(0.58, 0.7, "overfilled"), FROM_15),
    "filled by attention": Kind(filled_by_attention(0.6, 1.0, "filled"), FROM_12, relative=True),
    # Noise in what attention reads fills the hole further: .03 makes .79 of it 1.21.
    "filled by a harmonic": Kind(filled_by_harmonic, FROM_12, noise=0.01, relative=True),
    "overfilled by attention": Kind(filled_by_attention(1.35, 2.2, "overfilled"), FROM_12, relative=True),
    "product": Kind(product, noise=0.01, relative=True),
    "table": Kind(table),
    "table per circle": Kind(table_per_circle),
    # Of 36 pairs, the 9 near a neuron's are no small patch.
    "table of a circle": Kind(table_of_circle, FROM_12, noise=0.0),
    "half table": Kind(half_table),
    "cosets": Kind(cosets, COMPOSITE),
    "ellipse": Kind(ellipse, FROM_15),
}
NOTHING: dict[str, Callable[[int, Random], Snapshot]] = {
    "random weights": random_network,
    "memorised": memorised,
    "relabelled": relabelled,
    "regression": regression,
    "smooth field": smooth_field,
}
