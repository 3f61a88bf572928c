"""What the circles of a network do together: each counts by its share of the logits."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from grokinterp.verdict._thresholds import THRESHOLDS

from ._circle import CircleStage, Mechanism

# Ways to add the points of a and b.
ADDING: tuple[Mechanism, ...] = ("pizza", "filled pizza", "overfilled pizza", "torus")


@dataclass(frozen=True, eq=False)
class OfCircles:
    """`circles`: one per key frequency, see `CircleStage`."""

    circles: tuple[CircleStage, ...]

    @cached_property
    def shares(self) -> dict[Mechanism, float]:
        """Mechanism → its share of what the circles give to the logits, largest first.

        Where table neurons give a part of a circle, that part counts as `table`, and the rest by the circle alone.
        """
        found: dict[Mechanism, float] = {}
        total = sum(circle.share for circle in self.circles)
        for circle in self.circles:
            of_table = min(max(circle.neurons.local, 0.0), 1.0) if circle.mechanism != "few points" else 0.0
            kind = circle.without_tables
            parts: tuple[tuple[Mechanism, float], ...] = (("table", of_table), (kind, 1 - of_table))
            for mechanism, part in parts:
                if part > 0 and total > 0:
                    found[mechanism] = found.get(mechanism, 0.0) + part * circle.share / total
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    @property
    def leading(self) -> str:
        """The mechanism by which most circles form the sum, `circles` where that is undecided, else `mixed`.

        Ways to add count together and are named by `fill`. Circles of few points are left out, since any form describes
        them, unless they are most of all.
        """
        most = THRESHOLDS["most"].holds
        shapeless = self.shares.get("few points", 0.0)
        if most(shapeless):
            return "circles"
        shares = {kind: share / (1 - shapeless) for kind, share in self.shares.items() if kind != "few points"}
        adding = sum(shares.get(kind, 0.0) for kind in ADDING)
        if most(adding):
            if shares.get("torus", 0.0) > adding / 2:
                return "torus"
            if THRESHOLDS["pizza"].holds(self.fill):
                return "pizza"
            return "overfilled pizza" if THRESHOLDS["overfilled"].holds(self.fill) else "filled pizza"
        for kind in ("product", "table"):
            if most(shares.get(kind, 0.0)):
                return kind
        open_ones = sum(shares.get(kind, 0.0) for kind in ("not alone", "undecided"))
        return "circles" if most(open_ones) else "mixed"

    @property
    def fill(self) -> float:
        """Σ share_k · o_k/e_k / Σ share_k over the circles that a good fit describes, not clipped.

        Of few points any fit is good, so that circles of such are left out.
        """
        fitted = [one for one in self.circles if one.alone.has_shape and THRESHOLDS["fit"].holds(one.fitted.fit)]
        return self._weighted((one, one.fill) for one in fitted)

    @property
    def clock_share(self) -> float:
        """Σ share_k · o_k/e_k / Σ share_k, each between 0 and 1: the published criterion, of circles with a shape."""
        return self._weighted((one, float(np.clip(one.fill, 0, 1))) for one in self.circles if one.alone.has_shape)

    @property
    def kept(self) -> float:
        """Mean amplitude with attention held over that without, weighted by share; NaN without attention."""
        return self._weighted((one, one.kept) for one in self.circles)

    @property
    def additive(self) -> float:
        """Share of the neurons' inputs that is a(i) + b(j), weighted by share."""
        return self._weighted((one, one.neurons.additive) for one in self.circles)

    @property
    def alignment(self) -> float:
        """1 where a's and b's circles are added in one phase (a disc), near 0 in all phases (a torus)."""
        return self._weighted((one, one.neurons.alignment) for one in self.circles)

    @property
    def multiplied(self) -> float:
        return self._weighted((one, one.multiplied) for one in self.circles)

    @staticmethod
    def _weighted(values: Iterable[tuple[CircleStage, float]]) -> float:
        known = [(circle.share, value) for circle, value in values if math.isfinite(value)]
        weight = sum(share for share, _ in known)
        return sum(share * value for share, value in known) / weight if weight > 0 else math.nan
