"""What the verdict's stages say of a circuit of the test bed, against what is true of it."""

import math

import numpy as np
from circuit_truth import CircleTruth, Circuit

from grokinterp.verdict import Stages
from grokinterp.verdict.stages import CircleStage, without_circles

# Shares: of a clock in a mixture, of a table, of what is kept with attention held.
WITHIN = 0.05
# Of neurons' inputs: a sum, and no sum.
SUM, NO_SUM = 0.98, 0.5
CIRCLES_THAT_ADD = {"pizza", "filled pizza", "overfilled pizza", "torus"}
ANSWERS = {
    "pizza": {"pizza"},
    "clock": {"torus"},
    "mixture": {"pizza", "filled pizza", "torus"},
    "filled": {"filled pizza"},
    "overfilled": {"overfilled pizza"},
    "product": {"product"},
    "table": {"table"},
    "half table": {"table", *CIRCLES_THAT_ADD},
    "cosets": {"table", "few points"},
    "two points": {"few points"},
}


def faults(circuit: Circuit, stages: Stages) -> list[str]:
    """What is wrong, a line each; none for a right answer."""
    found = [] if stages.sum.is_formed else ["the sum is said not to be formed"]
    n = circuit.snapshot.task.n_symbols
    by_freq = {one.freq: one for one in stages.circles}
    if set(by_freq) != set(circuit.truth.keys):
        return [*found, f"circles {sorted(by_freq)} for {circuit.truth.keys}"]
    for truth in circuit.truth.circles:
        found += [f"circle {truth.freq}: {wrong}" for wrong in _of_circle(truth, by_freq[truth.freq], n)]
    return found + _of_companions(circuit, n) + _of_whole(circuit, stages) + _of_read_out(circuit, stages, n)


def _of_circle(truth: CircleTruth, said: CircleStage, n: int) -> list[str]:
    found = []
    if not truth.has_a_shape(n):
        return [] if said.mechanism == "few points" else [f"{said.mechanism} of {said.points} points"]
    # Alone in the embedding, it is without the circle that fills its hole.
    if said.mechanism not in (ANSWERS[truth.mechanism] if not truth.companion else {"pizza"}):
        found.append(f"{said.mechanism} for {truth.mechanism}")
    if truth.form.accompanying == 0 and truth.table == 0 and truth.mechanism != "product":
        found += _unlike("opposite over equal", said.fill, truth.fill)
    if truth.table < 1:
        found += _unlike("kept with attention held", said.kept, truth.kept)
    found += _unlike("share of the table", said.neurons.local, truth.table)
    return found


def _of_read_out(circuit: Circuit, stages: Stages, n: int) -> list[str]:
    """The smaller gain over the larger of the map by which the answers read a circle."""
    found, said = [], {one.freq: one.roundness for one in stages.read_out.circles}
    for one in circuit.truth.circles:
        larger, smaller = np.linalg.svd(np.array(one.read), compute_uv=False)
        if one.has_a_shape(n):
            found += _unlike(f"circle {one.freq}: roundness of the read-out", said[one.freq], smaller / larger)
    return found


def _of_companions(circuit: Circuit, n: int) -> list[str]:
    filled = [one for one in circuit.truth.circles if one.companion]
    if not filled:
        return []
    found, said = [], {one.freq: one for one in without_circles(circuit.snapshot, circuit.truth.keys)}
    for one in filled:
        freq = min(one.companion * one.freq % n, -one.companion * one.freq % n)
        if freq not in said or said[freq].fills.get(one.freq) != one.companion:
            found.append(f"circle {freq} is not said to fill the hole of {one.freq}")
    return found


def _of_whole(circuit: Circuit, stages: Stages) -> list[str]:
    circles, found = circuit.truth.circles, []
    if circuit.snapshot.config.d_mlp > 1:
        if all(one.additive for one in circles) and stages.additive < SUM:
            found.append(f"inputs of the neurons are {stages.additive:.3f} a sum, not 1")
        if all(one.mechanism == "product" for one in circles) and stages.additive > NO_SUM:
            found.append(f"inputs of the neurons are {stages.additive:.3f} a sum, not 0")
    return found


def _unlike(name: str, said: float, truth: float) -> list[str]:
    # Without attention nothing is kept of it, and nothing lost.
    if math.isnan(said) and truth == 1:
        return []
    return [] if abs(said - truth) <= WITHIN else [f"{name} {said:.3f}, not {truth:.3f}"]
