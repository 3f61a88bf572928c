"""The columns of a helix over the values given: a linear one, and a cosine and a sine per period."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

# Below this share of a unit column, what is left of a column beside others is rounding.
NEGLIGIBLE = 1e-8


@dataclass(frozen=True, eq=False)
class Term:
    """Centred columns over the distinct values, with the way back from their coefficients to those of [cos, sin]."""

    period: float | None
    columns: Float[np.ndarray, "value column"]
    back: Float[np.ndarray, "function column"]
    mean: Float[np.ndarray, " function"]

    @property
    def name(self) -> str:
        return "the linear term" if self.period is None else f"period {self.period:.6g}"


def terms_of(a: np.ndarray, counts: np.ndarray, periods: list[float], linear: bool, folds: int) -> list[Term]:
    """The terms, none of which the others already hold on these values."""
    if len(a) < 2:
        raise GrokinterpError(f"values are all {a[0]:g}: needs different numbers; give examples of several values")
    terms, scale = [], math.sqrt(len(a))
    if linear:
        mean = counts @ a / counts.sum()
        length = np.linalg.norm(a - mean)
        terms.append(Term(None, ((a - mean) / length)[:, None], np.array([[1 / length]]), np.array([mean])))
    for period in periods:
        pair = cos_sin(a, period)
        mean = counts @ pair / counts.sum()
        U, S, Vt = np.linalg.svd(pair - mean, full_matrices=False)
        keep = NEGLIGIBLE * scale < S
        if not keep.any():
            raise GrokinterpError(
                f"period {period:.6g} is constant on the {len(a)} values: needs a period that they do not all share; "
                "leave it out"
            )
        terms.append(Term(period, U[:, keep], Vt[keep].T / S[keep], mean))
    n_columns = 1 + sum(term.columns.shape[1] for term in terms)
    if n_columns > len(a):
        raise GrokinterpError(
            f"values hold {len(a)} distinct numbers: the fit has {n_columns} columns and needs as many; give more "
            "values or fewer periods"
        )
    _require_independence(terms, len(a))
    if folds > len(a) or (folds and len(a) - math.ceil(len(a) / folds) < n_columns):
        raise GrokinterpError(
            f"folds = {folds} of {len(a)} distinct values: each fit has {n_columns} columns and needs as many values "
            "outside of its fold; give more values, fewer periods, or folds=0 to leave cross-validation out"
        )
    return terms


def _require_independence(terms: list[Term], n_values: int) -> None:
    basis = np.full((n_values, 1), 1 / math.sqrt(n_values))
    for i, term in enumerate(terms):
        columns = term.columns
        for _ in range(2):  # Once leaves the rounding of the first time.
            columns = columns - basis @ (basis.T @ columns)
        U, S, _ = np.linalg.svd(columns, full_matrices=False)
        if S[-1] < NEGLIGIBLE:
            twins = [other.name for other in terms[:i] if _contains(other.columns, term.columns)]
            named = twins[0] if twins else "the terms before it"
            raise GrokinterpError(
                f"{term.name} adds no column to {named} on the {n_values} values (an alias): needs "
                "periods that the values tell apart; leave one out"
            )
        basis = np.hstack([basis, U])


def _contains(columns: np.ndarray, others: np.ndarray) -> bool:
    """Whether a period's columns, with the constant, span a direction of the other's."""
    q = np.linalg.qr(np.hstack([np.ones((len(columns), 1)), columns]))[0]
    return bool(np.linalg.svd(others - q @ (q.T @ others), compute_uv=False)[-1] < NEGLIGIBLE)


def cos_sin(a: np.ndarray, period: float) -> Float[np.ndarray, "value 2"]:
    # Turns are reduced first, so that the angle stays as exact as a/T for large values.
    angle = 2 * np.pi * np.remainder(a / period, 1)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
