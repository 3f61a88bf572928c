"""What is known of a network because it was built."""

from dataclasses import dataclass

import numpy as np
from circuit_carriers import Array
from circuit_circles import accompanying_shape, pizza_shape, points

from grokinterp.runs import Snapshot


@dataclass(frozen=True)
class Form:
    """f_k(d) = flat + pizza·|cos((w_k d − ψ)/2)| − accompanying·cos(w_k d − ψ)."""

    flat: float = 0.0
    pizza: float = 0.0
    accompanying: float = 0.0

    def amplitude(self, n: int, freq: int, turn: float) -> Array:
        """f_k(d), index d."""
        return (
            self.flat + self.pizza * pizza_shape(n, freq, turn) + self.accompanying * accompanying_shape(n, freq, turn)
        )

    @property
    def at_equal(self) -> float:
        return self.flat + self.pizza - self.accompanying

    @property
    def at_opposite(self) -> float:
        return self.flat + self.accompanying

    @property
    def mean(self) -> float:
        """Over a circle of many points."""
        return self.flat + 2 / np.pi * self.pizza


@dataclass(frozen=True)
class CircleTruth:
    """One key frequency of a cyclic group.

    - `mechanism`: what makes the amplitude, a word of `MECHANISMS`.
    - `turn`: ψ, by which b's circle is turned against a's where it is read; 0 where nothing depends on it.
    - `form`: f_k(d) of the whole network; `held`: with every head's pattern at its mean over all pairs.
    - `additive`: whether what the neurons read is f(a) + g(b).
    - `table`: the share of f_k that comes of neurons that look pairs up.
    - `companion`: the multiple m of the circle m·k that fills its hole, so that it is a pizza when alone; 0 for none.
    - `read`: the 2 × 2 map of (cos w s, sin w s) to (cos w c, sin w c) at amplitude 1; the identity is a rotation by 0.
    """

    freq: int
    mechanism: str
    form: Form
    turn: float = 0.0
    held: Form | None = None
    additive: bool = True
    table: float = 0.0
    companion: int = 0
    read: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0))

    @property
    def fill(self) -> float:
        """Amplitude at opposite points over that at equal ones, of the whole network."""
        return self.form.at_opposite / self.form.at_equal

    @property
    def kept(self) -> float:
        """Mean amplitude with attention at its mean over mean amplitude."""
        return 1.0 if self.held is None else self.held.mean / self.form.mean

    def amplitude(self, n: int) -> Array:
        return self.form.amplitude(n, self.freq, self.turn)

    def has_a_shape(self, n: int) -> bool:
        """Whether its circle has points enough to tell a clock from a pizza."""
        return points(n, self.freq) >= 5


MECHANISMS = (
    "pizza", "clock", "mixture", "filled", "overfilled", "product", "table", "half table", "cosets", "two points",
)  # fmt: skip
WHOLE = ("circles that add", "products", "table", "half a table", "cosets", "none")


@dataclass(frozen=True)
class Truth:
    """`keys`: the frequencies whose cosines of a + b − c are written; `moduli`: of the cosets, where there are any."""

    whole: str
    circles: tuple[CircleTruth, ...] = ()
    moduli: tuple[int, ...] = ()
    accuracy: float = 1.0

    @property
    def keys(self) -> tuple[int, ...]:
        return tuple(sorted(circle.freq for circle in self.circles))


@dataclass(frozen=True, eq=False)
class Circuit:
    """A network and what it does; `name` says how it was drawn."""

    snapshot: Snapshot
    truth: Truth
    name: str
