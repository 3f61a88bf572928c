"""How far a choice of key irreps can be trusted: which are near its bound, and where the published rules disagree."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from ._key_irreps import QUARTER, SIMILAR, KeyIrreps, LogitControl, longest_rows
from ._logits import LogitDecomposition
from ._spectra import Basis, Spectrum

# From .8 to 1.25 times the bound: another seed or another hundred steps may bring an irrep to the other side.
NEAR = 1.25
# The rules that look at the two ends of the network and at what it puts out.
COMPARED = ("W_L", "W_E", "logits")


@dataclass(frozen=True)
class NearBound:
    """An irrep that is only just key, or only just not.

    - `measure`: what decides it: `W_L` or `W_E`, its longest row over the longest of all, whose bound is a quarter; or
      `chance`, its logit similarity, whose bound is that of `LogitControl`.
    - `value`, `bound`: the number and what it must exceed; `chosen`: whether the irrep is key.
    - `share`: the fraction of the logits' variance that is its character.
    """

    irrep: int
    measure: Literal["W_L", "W_E", "chance"]
    value: float
    bound: float
    chosen: bool
    share: float


@dataclass(frozen=True)
class OtherRule:
    """A rule that does not name the key irreps: what it names besides, what it leaves out, and their logits' shares."""

    rule: str
    also: tuple[int, ...]
    lacks: tuple[int, ...]
    also_share: float
    lacks_share: float


def near_bound(
    rule: str,
    by_rule: KeyIrreps,
    spectra: dict[str, Spectrum],
    control: LogitControl,
    decomposition: LogitDecomposition,
    basis: Basis,
) -> tuple[NearBound, ...]:
    """The irreps whose deciding number is .8 to 1.25 times its bound, in the order of the irreps.

    A key passes the bound of the rule and that of chance; the one that it passes by less, or misses by more, decides.
    The rules `argmax` and `clusters` have no bound on an irrep: of what they name, chance decides. None where the
    logits as a whole are not above chance, so that no irrep can be key.

    - `spectra`: those of `W_L` and `W_E`.
    """
    if not control.above_chance:
        return ()
    tests: dict[Literal["W_L", "W_E", "chance"], tuple[Float[np.ndarray, " irrep"], float]] = {
        "chance": (decomposition.logit_similarity, _least_similarity(control))
    }
    candidates: Iterable[int] = range(1, len(basis.irrep_names))
    if rule in ("W_L", "W_E"):
        tests["W_L" if rule == "W_L" else "W_E"] = (longest_rows(spectra[rule].component_norms, basis), QUARTER)
    elif rule != "logits":
        candidates = by_rule.by_rule(rule)
    found = []
    for irrep in candidates:
        measure = min(tests, key=lambda name: tests[name][0][irrep] / tests[name][1])
        value, bound = float(tests[measure][0][irrep]), tests[measure][1]
        if 1 / NEAR <= value / bound <= NEAR:
            found.append(NearBound(irrep, measure, value, bound, value > bound, float(decomposition.share[irrep])))
    return tuple(found)


def _least_similarity(control: LogitControl) -> float:
    """The logit similarity that an irrep must exceed, see `LogitControl`; in small groups there is no chance."""
    return max(SIMILAR, float(np.sqrt(2 * control.largest_share))) if np.isfinite(control.largest_share) else SIMILAR


def other_rules(
    by_rule: KeyIrreps, chosen: tuple[int, ...], share: Float[np.ndarray, " irrep"]
) -> tuple[OtherRule, ...]:
    """The rules `W_L`, `W_E` and `logits` that do not name exactly the key irreps.

    >>> named = KeyIrreps(W_L=(1, 2), W_E=(1, 2, 4), argmax=(1,), clusters=(1,), logits=(1, 2))
    >>> other_rules(named, (1, 2), np.array([0.0, 0.5, 0.4, 0.0, 0.01]))
    (OtherRule(rule='W_E', also=(4,), lacks=(), also_share=0.01, lacks_share=0.0),)
    """
    found = []
    for rule in COMPARED:
        named = by_rule.by_rule(rule)
        also = tuple(irrep for irrep in named if irrep not in chosen)
        lacks = tuple(irrep for irrep in chosen if irrep not in named)
        if also or lacks:
            found.append(OtherRule(rule, also, lacks, float(share[list(also)].sum()), float(share[list(lacks)].sum())))
    return tuple(found)
