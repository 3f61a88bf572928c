"""What each circle says by itself, in four tables, and what the network would say of other sets of circles.

With one frequency k alone in the embedding the network says L_k(a, b, c); with none, where the embedding is its mean,
L_0(c), the same for all pairs. A circle's own part L_k − L_0 is kept as four tables of n² numbers,

    R_k(s, c)          how the sum s = a + b is read out: the mean over the pairs of one sum
    F_k(d, s − c)      what hangs on the distance d = a − b, the same for all sums: f_k(d) cos(w_k(s − c)) and whatever
                       the circle gives to other frequencies (an accompanying circle fills another one's hole)
    A_k(a, c), B_k(b, c)   what is said of a, and of b, whatever the other is

each what the ones before leave over, and all frequencies that are no key together make one more part. What the whole
network says beyond the sum of its parts, T = L − L_0 − Σ_k (L_k − L_0), circles say only together. Without m of K parts
the account predicts

    L − Σ_deleted (L_k − L_0) − τ T,   τ = 1 − C(K − m, 2) / C(K, 2),

which is exact where T comes from pairs of parts, and all pairs give alike; no network is run for it.

Turning: L_k depends on a by its angle w_k a alone, so its Fourier component e^{i m w_k a} turns by e^{i m δ} if the
circle of a is turned by δ.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Complex, Float, Int

from grokinterp.analysis import Places
from grokinterp.runs import Snapshot
from grokinterp.verdict._replaced import with_embeddings_in

Grid = Float[np.ndarray, "n n n"]
Table = Float[np.ndarray, "n n"]


@runtime_checkable
class Predictor(Protocol):
    """What is needed for predictions: the logits of the network with circles deleted, or turned in a's embedding."""

    def logits(self, without: Collection[int] = (), turned: Mapping[int, float] | None = None) -> Grid:
        """Centred logits L[i, j, c] by the elements of a, b and the answer; angles in radians by frequency."""
        ...


@dataclass(frozen=True, eq=False)
class CirclePart:
    """What one circle, or the rest of the embedding, adds to the logits; `fit` is the share of it in the tables."""

    of_sum: Table
    of_distance: Table
    of_a: Table
    of_b: Table
    fit: float

    @classmethod
    def of(cls, own: Grid) -> "CirclePart":
        places = _Places(len(own))
        left = own.copy()
        of_sum = _mean_rows(left, places.by_sum)
        left -= of_sum[places.sum]
        of_distance = np.take_along_axis(
            left.reshape(-1, places.n)[places.by_distance], places.off_by[places.by_distance_sum], axis=2
        ).mean(axis=1)
        left -= np.take_along_axis(of_distance[places.distance], places.off_by[places.sum], axis=2)
        of_a = left.mean(axis=1)
        left -= of_a[:, None]
        of_b = left.mean(axis=0)
        left -= of_b[None]
        whole = float((own**2).sum())
        return cls(of_sum, of_distance, of_a, of_b, 1 - float((left**2).sum()) / whole if whole else 1.0)

    def logits(self) -> Grid:
        """The four tables added up."""
        places = _Places(len(self.of_sum))
        found = np.take_along_axis(self.of_distance[places.distance], places.off_by[places.sum], axis=2)
        return found + self.of_sum[places.sum] + self.of_a[:, None] + self.of_b[None]


@dataclass(frozen=True, eq=False)
class CircleAccount:
    """The parts of a network, by frequency.

    - `own`: the centred logits of the network as it is; `empty`: with its embedding at its mean.
    - `rest`: the part of all frequencies that are no key.
    """

    own: Grid
    empty: Float[np.ndarray, " n"]
    parts: Mapping[int, CirclePart]
    rest: CirclePart

    @classmethod
    def of(cls, snapshot: Snapshot, keys: Collection[int]) -> "CircleAccount":
        """Run the network as it is, with each circle alone, with all other frequencies alone, and with none.

        >>> from grokinterp.models import ModelConfig, initial_weights
        >>> from grokinterp.tasks import Task, TaskConfig
        >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
        >>> snapshot = Snapshot(0, task, config, initial_weights(config, task))
        >>> account = CircleAccount.of(snapshot, (1, 2, 3))
        >>> account.logits().shape, float(abs(account.rest.of_sum).max()) < 1e-6  # All frequencies are keys.
        ((7, 7, 7), True)
        """
        n = Places.of(snapshot.task).structure.n
        others = [freq for freq in range(1, n // 2 + 1) if freq not in keys]
        empty = centred(with_embeddings_in(snapshot, (0,)))
        parts = {freq: CirclePart.of(centred(with_embeddings_in(snapshot, (0, freq))) - empty) for freq in keys}
        rest = CirclePart.of(centred(with_embeddings_in(snapshot, (0, *others))) - empty)
        return cls(centred(snapshot), empty[0, 0], parts, rest)

    @cached_property
    def added_up(self) -> Grid:
        """L_0 + Σ_k (L_k − L_0): what the network would say if its circles said nothing together."""
        return self.empty + self.rest.logits() + sum(part.logits() for part in self.parts.values())

    def logits(self, without: Collection[int] = (), turned: Mapping[int, float] | None = None) -> Grid:
        """See `Predictor`. How what circles say together turns is not known: with `turned`, it is left out."""
        if not turned:
            found, left, parts = self.own.copy(), len(self.parts) + 1 - len(without), len(self.parts) + 1
            if without:
                found -= (1 - math.comb(left, 2) / math.comb(parts, 2)) * (self.own - self.added_up)
        else:
            found = self.added_up.copy()
        for freq in without:
            found -= self.parts[freq].logits()
        for freq, angle in (turned or {}).items():
            own = self.parts[freq].logits()
            found += (_turn(len(own), freq, angle) @ own.reshape(len(own), -1)).reshape(own.shape) - own
        return found

    def amplitude(self, freq: int) -> Float[np.ndarray, " n"]:
        """f_k(d), of the circle alone."""
        return np.real(component(self.parts[freq].logits(), freq)).mean(axis=1)


def centred(snapshot: Snapshot, logits: Float[np.ndarray, "pair answer"] | None = None) -> Grid:
    """Logits by the elements of a, b and the answer, less their mean over the answers, float64."""
    places = Places.of(snapshot.task)
    values = snapshot.logits if logits is None else logits
    grid = values[places.grid][:, :, places.structure.outputs].astype(np.float64)
    return grid - grid.mean(axis=2, keepdims=True)


def component(grid: Grid, freq: int) -> Complex[np.ndarray, "n n"]:
    """z[d, b], complex: what the pair (b + d, b) holds of e^{i w(s − c)}, so that Re z is the amplitude of its cosine.

    Its mean over b is f(d) of `amplitude_by_distance`.
    """
    places = _Places(len(grid))
    w = 2 * np.pi * freq / places.n
    norm = places.n if 2 * freq == places.n else places.n / 2
    angles = w * np.arange(places.n)
    # Two real products: one with a complex vector would copy the grid.
    of_pair = (grid @ np.cos(angles) + 1j * (grid @ np.sin(angles))) * np.exp(-1j * w * places.sum) / norm
    return of_pair.reshape(-1)[places.by_distance]


def margins(grid: Grid, shift: int = 0) -> Float[np.ndarray, "n n"]:
    """The logit of a + b + `shift` less the largest other one, for all a, b."""
    places = _Places(len(grid))
    at = ((places.sum + shift) % places.n)[:, :, None]
    right, others = np.take_along_axis(grid, at, axis=2)[:, :, 0], grid.copy()
    np.put_along_axis(others, at, -np.inf, axis=2)
    return right - others.max(axis=2)


def mean_by_distance(values: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " n"]:
    """Over the pairs (a, b) with a − b = d."""
    return values.reshape(-1)[_Places(len(values)).by_distance].mean(axis=1)


def mean_by_sum(values: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " n"]:
    """Over the pairs (a, b) with a + b = s."""
    return values.reshape(-1)[_Places(len(values)).by_sum].mean(axis=1)


def _mean_rows(grid: Grid, rows: Int[np.ndarray, "n n"]) -> Table:
    return grid.reshape(-1, grid.shape[2])[rows].mean(axis=1)


def _turn(n: int, freq: int, angle: float) -> Float[np.ndarray, "n n"]:
    """The map on functions of a = 0 … n − 1 that turns e^{i m w a} by m · angle, |m| as small as can be."""
    points = n // int(np.gcd(freq, n))
    step = pow(freq * points // n, -1, points) if points > 1 else 0
    harmonics = np.zeros(n)
    multiples = np.arange(0, n, n // points)
    found = multiples // (n // points) * step % points
    harmonics[multiples] = np.where(found > points / 2, found - points, found)
    return np.fft.ifft(np.exp(1j * harmonics * angle)[:, None] * np.fft.fft(np.eye(n), axis=0), axis=0).real


@dataclass(frozen=True)
class _Places:
    """Where the pairs of Z_n lie: their sums and distances, and the pairs of each sum and of each distance."""

    n: int

    @cached_property
    def sum(self) -> Int[np.ndarray, "n n"]:
        return np.add.outer(np.arange(self.n), np.arange(self.n)) % self.n

    @cached_property
    def distance(self) -> Int[np.ndarray, "n n"]:
        return np.subtract.outer(np.arange(self.n), np.arange(self.n)) % self.n

    @cached_property
    def by_sum(self) -> Int[np.ndarray, "n n"]:
        """Pair number a·n + b of every sum (row), by b."""
        b = np.arange(self.n)
        return self.distance * self.n + b

    @cached_property
    def by_distance(self) -> Int[np.ndarray, "n n"]:
        """Pair number of every distance (row), by b."""
        b = np.arange(self.n)
        return self.sum * self.n + b

    @cached_property
    def by_distance_sum(self) -> Int[np.ndarray, "n n"]:
        """The sums of the pairs of `by_distance`."""
        return self.sum.reshape(-1)[self.by_distance]

    @cached_property
    def off_by(self) -> Int[np.ndarray, "n n"]:
        """(s − e) mod n in row s, column e: an involution between answers c and s − c."""
        return self.distance
