"""Interventions whose outcome is predicted before: from what each circle says by itself, without the changed network.

An account that only describes the logits of a network as it is can be true of any network that answers; one that says
what a changed network will do can be wrong. Here the account is `CircleAccount`: each circle alone. The predictions are
made from it first; then the network is changed, run, and compared.

| name | what is done | predicted |
|---|---|---|
| delete | circle k is taken out of the embedding | margins: those of what the other circles say |
| opposite | the same, at pairs opposite on the circle | a pizza's circle does no work there |
| turn | a's circle k is turned by δ, b's is not | f_k that at d + δ/w_k, its cosine turned; no other changes |
| shift | all of a's circles are turned by w_k t | the answer is a + t + b |
| unit | u·x takes the place of x | k becomes k u⁻¹ and nothing else changes |
| project | what the unembedding does not read is taken away | nothing changes |
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from grokinterp.analysis import Places
from grokinterp.errors import NotApplicable
from grokinterp.runs import Snapshot

from ._changed import logits_with_a_turned, with_tokens_multiplied, without_circles
from ._circle_account import (
    CircleAccount,
    Grid,
    Predictor,
    centred,
    component,
    margins,
    mean_by_distance,
    mean_by_sum,
)
from ._last_layer import LastLayer

Name = Literal["delete", "opposite", "turn", "shift", "unit", "project"]
NAMES: tuple[Name, ...] = ("delete", "opposite", "turn", "shift", "unit", "project")
ANGLE = math.pi / 2
# |cos(w_k d/2)| below which a pair lies opposite on a circle: a pizza's amplitude there is at most a fifth.
OPPOSITE = 0.2
# Of a circle with fewer points, a turn by an angle is not defined: the harmonics m and m − points are one function.
LEAST_POINTS = 5
# Pairs on which turns are measured: enough for a correlation, and a forward through hooks is not cheap.
TURNED_PAIRS = 2048
# Standard deviations below this share of the values are rounding.
FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Prediction:
    """A quantity of a changed network, as it was predicted and as it came out.

    - `name`: the intervention; `freq`: its circle, None where it concerns all of them.
    - `quantity`: what the values are, a value per pair, distance, answer or circle.
    - `predicted`, `measured`: the values, in the same order.
    - `right`: shares of pairs that the changed network answers right, predicted and measured, of pairs' margins.
    - `not_applicable`: why there is nothing to compare; the values are then empty.
    """

    name: Name
    freq: int | None
    quantity: str
    predicted: Float[np.ndarray, " value"]
    measured: Float[np.ndarray, " value"]
    right: tuple[float, float] | None = None
    not_applicable: str = ""

    @property
    def r(self) -> float:
        """Pearson's correlation; NaN for fewer than three values and where one side does not vary.

        >>> x = np.arange(4.0)
        >>> Prediction("delete", 1, "margin", x, 2 * x + 1).r, Prediction("delete", 1, "margin", x, 0 * x).r
        (1.0, nan)
        """
        if not self._varies:
            return float("nan")
        return float(np.clip(np.corrcoef(self.predicted, self.measured)[0, 1], -1, 1).round(12))

    @property
    def slope(self) -> float:
        """Of the least-squares line measured = intercept + slope · predicted: 1 where the size is predicted too."""
        if not self._varies:
            return float("nan")
        return float(np.polyfit(self.predicted, self.measured, 1)[0])

    def to_dict(self) -> dict[str, Any]:
        """As in `verdict.json`: the values themselves, thousands where they are of pairs, are left out."""
        predicted, measured = self.right or (None, None)
        return {
            "name": self.name,
            "freq": self.freq,
            "quantity": self.quantity,
            "values": len(self.predicted),
            "r": self.r,
            "slope": self.slope,
            "mean_predicted": float(self.predicted.mean()) if len(self.predicted) else None,
            "mean_measured": float(self.measured.mean()) if len(self.measured) else None,
            "right_predicted": predicted,
            "right_measured": measured,
            "not_applicable": self.not_applicable or None,
        }

    @property
    def _varies(self) -> bool:
        return len(self.predicted) > 2 and all(
            values.std() > FLAT * np.abs(values).max(initial=0.0) for values in (self.predicted, self.measured)
        )


def predictions(snapshot: Snapshot, keys: Iterable[int], account: Predictor | None = None) -> tuple[Prediction, ...]:
    """Predict what the interventions of `NAMES` will do, do them, and give both, circle by circle.

    **Arguments:**

    - `keys`: the key frequencies of a task whose group is cyclic.
    - `account`: what predicts; by default `CircleAccount.of(snapshot, keys)`. Rivals can be given in its place.

    **Quantities.**

    - `delete`: the margin of every pair (logit of the right answer less the largest other one), and its means by
      distance and by answer.
    - `opposite`: the amplitude of cos(w_k(s − c)), by distance, of the network less that of the network without circle
      k; and the share of it at pairs with |cos(w_k d/2)| < .2, a value per circle.
    - `turn`, by π/2: the change of the logits' components at all keys, real and imaginary parts, on 2,048 pairs at
      most. Circles of fewer than five points are left out.
    - `shift`, by 1 and ⌊n/2⌋: how far a + t + b leads on average over the answer e off, e = 1 … n − 1.
    - `unit`, by the smallest u ≠ ±1: the amplitude at frequency k u⁻¹ and distance u d.
    - `project` on the row space of W_U: the margins, and the amplitude by distance of the circle's mean direction in
      what the unembedding reads, over its mean.

    Logits are centred, in the network's units. Where the other circles fill a pizza's hole, `delete` and `turn` show
    it: they change what the account says is the circle's own.

    **Raises** `NotApplicable` for tasks whose group is not cyclic or whose answer is no sum in it, and without keys.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    >>> found = predictions(Snapshot(0, task, config, initial_weights(config, task)), (1, 2))
    >>> sorted({one.name for one in found}) == sorted(NAMES)
    True
    """
    chosen = tuple(keys)
    require_circles(snapshot, chosen)
    predicts = account or CircleAccount.of(snapshot, chosen)
    own = centred(snapshot)
    return (
        *_deleted(snapshot, chosen, predicts, own),
        *_turned(snapshot, chosen, predicts, own),
        *_shifted(snapshot, chosen, predicts),
        *_multiplied(snapshot, chosen, own),
        *_projected(snapshot, chosen, own),
    )


def together(found: Sequence[Prediction], name: Name, quantity: str) -> Prediction:
    """All circles' values of one quantity as one prediction, over which r says most: circles differ in size.

    >>> x = np.arange(3.0)
    >>> two = [Prediction("delete", k, "margin", k + x, k + x[::-1]) for k in (1, 100)]
    >>> [round(one.r, 3) for one in (*two, together(two, "delete", "margin"))]
    [-1.0, -1.0, 0.999]
    """
    of_circles = [one for one in found if one.name == name and one.quantity == quantity and not one.not_applicable]
    if not of_circles:
        return _nothing(name, None, quantity, "no circle allows it")
    shares = [one.right for one in of_circles if one.right]
    right = (float(np.mean([p for p, _ in shares])), float(np.mean([m for _, m in shares]))) if shares else None
    predicted, measured = (
        np.concatenate([values(one) for one in of_circles]) for values in (lambda p: p.predicted, lambda p: p.measured)
    )
    return Prediction(name, None, quantity, predicted, measured, right)


def with_totals(found: Sequence[Prediction]) -> tuple[Prediction, ...]:
    """All of them, those of one quantity side by side; where they are of single circles, `together` comes first."""
    quantities: dict[tuple[Name, str], list[Prediction]] = {}
    for one in found:
        quantities.setdefault((one.name, one.quantity), []).append(one)
    rows = []
    for (name, quantity), ones in quantities.items():
        rows += [together(found, name, quantity)] * any(one.freq is not None for one in ones) + ones
    return tuple(rows)


def require_circles(snapshot: Snapshot, keys: tuple[int, ...]) -> None:
    task, structure = snapshot.task, snapshot.task.structure
    if structure is None or not structure.is_cyclic or not structure.is_product:
        raise NotApplicable(
            f"{task.name}: predictions need an answer that is a sum in a cyclic group, which has circles"
        )
    if not keys:
        raise NotApplicable("predictions need circles, and no key frequency stands out")
    if not all(0 < key <= structure.n // 2 for key in keys):
        raise NotApplicable(f"keys = {list(keys)}: predictions need frequencies from 1 to {structure.n // 2}")


def _nothing(name: Name, freq: int | None, quantity: str, why: str) -> Prediction:
    return Prediction(name, freq, quantity, np.empty(0), np.empty(0), not_applicable=why)


MARGIN, BY_DISTANCE, BY_ANSWER = "margin of each pair", "mean margin by distance", "mean margin by answer"
LOST, AT_OPPOSITE = "amplitude by distance that goes with the circle", "share of it at opposite pairs"
CHANGE = "change of the logits' components"
SHIFTED = "mean lead of a + t + b over the answer e off"
AMPLITUDES, READ = "amplitude by distance", "amplitude by distance in what is read"
_Values = Callable[[Float[np.ndarray, "n n"]], Float[np.ndarray, " value"]]
_OF_MARGINS: dict[str, _Values] = {MARGIN: np.ravel, BY_DISTANCE: mean_by_distance, BY_ANSWER: mean_by_sum}


def _deleted(snapshot: Snapshot, keys: tuple[int, ...], account: Predictor, own: Grid) -> Iterator[Prediction]:
    """`delete`, and `opposite`, which looks at the same networks."""
    n, whole = len(own), account.logits()
    for freq in keys:
        predicted = account.logits(without=(freq,))
        measured = centred(without_circles(snapshot, (freq,)))
        both = margins(predicted), margins(measured)
        right = float((both[0] > 0).mean()), float((both[1] > 0).mean())
        for quantity, of in _OF_MARGINS.items():
            yield Prediction("delete", freq, quantity, of(both[0]), of(both[1]), right if quantity == MARGIN else None)
        lost = _amplitude(whole - predicted, freq), _amplitude(own - measured, freq)
        yield Prediction("opposite", freq, LOST, *lost)
        there = np.abs(np.cos(np.pi * freq * np.arange(n) / n)) < OPPOSITE
        shares = [np.array([values[there].sum() / values.sum() if values.sum() else math.nan]) for values in lost]
        yield Prediction("opposite", freq, AT_OPPOSITE, shares[0], shares[1])


def _turned(snapshot: Snapshot, keys: tuple[int, ...], account: Predictor, own: Grid) -> Iterator[Prediction]:
    n, pairs, at = len(own), *_some_pairs(snapshot)
    # Both sides of the account's change are sums of parts: what circles say together is in neither.
    before = account.logits(turned=dict.fromkeys(keys, 0.0))[at]
    for freq in keys:
        points = n // math.gcd(freq, n)
        if points < LEAST_POINTS:
            why = f"circle {freq} has {points} points; turning by an angle needs {LEAST_POINTS}"
            yield _nothing("turn", freq, CHANGE, why)
            continue
        predicted = account.logits(turned={freq: ANGLE})[at] - before
        logits = logits_with_a_turned(snapshot, {freq: ANGLE}, pairs)[:, Places.of(snapshot.task).structure.outputs]
        measured = _components(logits - own[at], keys, at)
        yield Prediction("turn", freq, CHANGE, _components(predicted, keys, at), measured)


def _shifted(snapshot: Snapshot, keys: tuple[int, ...], account: Predictor) -> Iterator[Prediction]:
    structure = Places.of(snapshot.task).structure
    n, pairs, at = structure.n, *_some_pairs(snapshot)
    if any(n // math.gcd(freq, n) < LEAST_POINTS for freq in keys):
        yield _nothing("shift", None, SHIFTED, f"a circle has fewer than {LEAST_POINTS} points")
        return
    for steps in sorted({1, n // 2}):
        angles = {freq: 2 * np.pi * freq * steps / n for freq in keys}
        measured = logits_with_a_turned(snapshot, angles, pairs)[:, structure.outputs].astype(np.float64)
        answers = (at[0] + at[1] + steps) % n
        leads = _leads(account.logits(turned=angles)[at], answers), _leads(measured, answers)
        right = float((leads[0].min(axis=1) > 0).mean()), float((leads[1].min(axis=1) > 0).mean())
        yield Prediction("shift", None, SHIFTED, leads[0].mean(axis=0), leads[1].mean(axis=0), right)


def _leads(rows: Float[np.ndarray, "pair answer"], answers: Int[np.ndarray, " pair"]) -> Float[np.ndarray, "pair off"]:
    """By how much each answer leads over the one e = 1 … n − 1 after it."""
    n = rows.shape[1]
    by_off = np.take_along_axis(rows, (answers[:, None] + np.arange(n)) % n, axis=1)
    return by_off[:, :1] - by_off[:, 1:]


def _multiplied(snapshot: Snapshot, keys: tuple[int, ...], own: Grid) -> Iterator[Prediction]:
    n = len(own)
    unit = next((u for u in range(2, n - 1) if math.gcd(u, n) == 1), None)
    if unit is None:
        yield _nothing("unit", None, AMPLITUDES, f"Z_{n} has no units but 1 and −1")
        return
    moved = unit * np.arange(n) % n
    inverse = pow(unit, -1, n)
    changed = centred(with_tokens_multiplied(snapshot, unit))
    predicted, measured = [], []
    for freq in keys:
        new = freq * inverse % n
        predicted.append(_amplitude(own, freq))
        measured.append(_amplitude(changed, min(new, n - new))[moved])
    yield Prediction("unit", None, AMPLITUDES, np.concatenate(predicted), np.concatenate(measured))


def _projected(snapshot: Snapshot, keys: tuple[int, ...], own: Grid) -> Iterator[Prediction]:
    task, structure = snapshot.task, Places.of(snapshot.task).structure
    grid = Places.of(task).grid.reshape(-1)
    read = LastLayer.of(snapshot).read[grid].double().numpy()
    W_U = snapshot.weight("unembed.W_U")[:, : task.n_answers]
    values, directions = np.linalg.svd(W_U, full_matrices=False)[1::-1]
    kept = directions[:, values > len(W_U) * np.finfo(np.float32).eps * values[0]]
    if kept.shape[1] == len(W_U):
        why = f"the unembedding reads all {len(W_U)} directions"
        yield from (_nothing("project", None, quantity, why) for quantity in (MARGIN, READ))
        return
    projected = read @ kept @ kept.T
    logits = (projected @ W_U + snapshot.weight("unembed.b_U")[: task.n_answers])[:, structure.outputs]
    yield Prediction("project", None, MARGIN, margins(own).ravel(), margins(logits.reshape(own.shape)).ravel())
    before, after = (np.concatenate([_amplitude_in(x, freq) for freq in keys]) for x in (read, projected))
    yield Prediction("project", None, READ, before, after)


def _amplitude(grid: Grid, freq: int) -> Float[np.ndarray, " n"]:
    """f_k(d)."""
    return np.real(component(grid, freq)).mean(axis=1)


def _amplitude_in(read: Float[np.ndarray, "pair width"], freq: int) -> Float[np.ndarray, " n"]:
    """How much of the circle's mean direction e^{i w s} there is at each distance, over its mean."""
    n = math.isqrt(len(read))
    i, j = np.indices((n, n))
    turned = read * np.exp(-2j * np.pi * freq * ((i + j) % n) / n).reshape(-1, 1)
    by_distance = turned.reshape(n, n, -1)[(np.arange(n)[:, None] + np.arange(n)) % n, np.arange(n)].mean(axis=1)
    mean = by_distance.mean(axis=0)
    size = float(np.real(np.vdot(mean, mean)))
    return np.real(by_distance @ mean.conj()) / size if size else np.zeros(n)


def _some_pairs(
    snapshot: Snapshot,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Pairs of the group for turns, all or a fixed sample, and their elements of a and of b."""
    grid = Places.of(snapshot.task).grid
    every = np.arange(grid.size)
    if len(every) > TURNED_PAIRS:
        every = np.sort(np.random.default_rng(0).choice(every, TURNED_PAIRS, replace=False))
    at = np.unravel_index(every, grid.shape)
    return grid[at], (at[0], at[1])


def _components(
    rows: Float[np.ndarray, "pair answer"], keys: tuple[int, ...], at: tuple[np.ndarray, np.ndarray]
) -> Float[np.ndarray, " value"]:
    """As `component`, of some pairs, for every key: real parts, then imaginary ones."""
    n = rows.shape[1]
    w = 2 * np.pi * np.array(keys) / n
    values = rows @ np.exp(1j * np.outer(np.arange(n), w)) * np.exp(-1j * np.outer(at[0] + at[1], w)) / (n / 2)
    return np.concatenate([np.real(values).ravel(), np.imag(values).ravel()])
