"""Numbers as circles and helices in the activations of any model."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

from ._array import Array, Integer, shown
from ._helix_columns import NEGLIGIBLE, cos_sin, terms_of
from ._helix_controls import cross_validated, permuted
from ._helix_input import count, examples, flag, listed_periods, numbers, periods_of
from ._helix_judgement import HelixJudgement, Judge
from ._helix_rule import Values

if TYPE_CHECKING:
    Period: TypeAlias = float
    Periods: TypeAlias = float | Iterable[float]
    Flag: TypeAlias = bool
else:
    # A checker at run time would answer first, and refuse the integer 10 as a period.
    Period = Periods = Flag = Any


@dataclass(frozen=True, eq=False)
class CircleFit:
    """The circle of one period T in a helix: x̂ = … + coefficients[0] cos(2πa/T) + coefficients[1] sin(2πa/T).

    Attributes:
        period: T, in the units of the values.
        alone: R² of the fit with this period and the constant only.
        lost: what the whole fit's R² loses without this period. Over whole periods of evenly used values the periods
            are orthogonal, and then `alone` = `lost`; elsewhere the two bracket what the period can claim.
        coefficients: the images of the cosine and of the sine, in the units of the activations.
        plane: orthonormal, the pair nearest to the coefficients (their polar factor), so that an exact circle has
            value a at the angle 2πa/T. Where the image is a line (period 2 on integers, or d = 1) the second row is 0,
            and where there is none both are.
        radius: the root mean square distance of the fitted points from the centre, over the examples.
        roundness: the smaller over the larger singular value of the coefficients: 1 for a circle, 0 for a line, nan
            where the coefficients are 0 up to rounding.
        coordinates: the activations less `HelixFit.centre`, along the two rows of `plane`. They hold whatever lies in
            that plane, so other terms too where those are not orthogonal to it.
    """

    period: float
    alone: float
    lost: float
    coefficients: Float[np.ndarray, "2 d"]
    plane: Float[np.ndarray, "2 d"]
    radius: float
    roundness: float
    coordinates: Float[np.ndarray, "example 2"]


@dataclass(frozen=True, eq=False)
class HelixFit:
    """What `fit_helix` found: x̂(a) = centre + slope (a − mean_value) + Σ_T the circle of T.

    Every R² is pooled over the dimensions, 1 − Σ|x − x̂|² / Σ|x − x̄|²; after PCA over the components kept, so times
    `kept_variance` it is a share of the whole variance.

    Attributes:
        linear: whether the value itself is a term.
        n_values: number of distinct values.
        n_components: dimensions that were fitted: d, or the principal components kept.
        kept_variance: share of the variance in these components; 1 without PCA.
        explained_variance: R² on the examples fitted.
        explainable: R² of the mean per value: no function of the value explains more of repeated values.
        cross_validated: 1 − Σ|x − x̂|² / Σ|x − x̄|² with x̂ and x̄ from the other folds of values: ≤ 0 where the helix
            foretells unseen values no better than the mean does; nan with folds=0. It judges whether the law holds
            between the values, where `explained_variance` grows with every column.
        permuted: `explained_variance` for each permutation of the values.
        circles: one per period, in the order given.
        centre, slope, mean_value: the rest of x̂; the slope, per unit of value, is None without the linear term.
        linear_alone, linear_lost: as for the circles; nan without the linear term.

    R² and p say how well the helix fits, and a random walk, a smooth curve and a trend are fitted well too. Whether its
    circles are there say `is_helix`, `reason`, `found`, `alternatives` and `as_good`, by one rule: see
    `HelixJudgement`. They are computed when first asked for.
    """

    linear: bool
    n_values: int
    n_components: int
    kept_variance: float
    explained_variance: float
    explainable: float
    cross_validated: float
    permuted: Float[np.ndarray, " permutation"]
    circles: tuple[CircleFit, ...]
    centre: Float[np.ndarray, " d"]
    slope: Float[np.ndarray, " d"] | None
    mean_value: float
    linear_alone: float
    linear_lost: float
    _judge: Judge = field(repr=False)

    @property
    def periods(self) -> tuple[float, ...]:
        return tuple(circle.period for circle in self.circles)

    @property
    def permuted_mean(self) -> float:
        """Mean R² of the permutations, what so many columns explain of nothing; nan without permutations."""
        return float(self.permuted.mean()) if self.permuted.size else math.nan

    @property
    def permuted_max(self) -> float:
        """Largest R² of the permutations; nan without permutations."""
        return float(self.permuted.max()) if self.permuted.size else math.nan

    @cached_property
    def p_value(self) -> float:
        """(1 + #{permutations that explain as much}) / (1 + #permutations); nan without permutations."""
        # A symmetry of the values (a turn of the circle) explains the same up to rounding.
        as_much = np.count_nonzero(self.permuted >= self.explained_variance - 1e-12)
        return (1 + as_much) / (1 + self.permuted.size) if self.permuted.size else math.nan

    @cached_property
    def judgement(self) -> HelixJudgement:
        """Whether its circles are there, and why."""
        return self._judge.judgement(
            self.explained_variance, self.cross_validated, self.p_value if self.permuted.size >= 19 else math.nan
        )

    @property
    def is_helix(self) -> bool | None:
        """Whether at least one circle is there, see `HelixJudgement`; None where that cannot be decided."""
        return self.judgement.is_helix

    @property
    def reason(self) -> str:
        """Why, period by period, in a few sentences."""
        return self.judgement.reason

    @property
    def found(self) -> tuple[float, ...]:
        """The periods whose circles are there."""
        return self.judgement.found

    @property
    def alternatives(self) -> dict[str, float]:
        """What other terms explain of unseen values, see `HelixJudgement`."""
        return self.judgement.alternatives

    @property
    def as_good(self) -> tuple[str, ...]:
        """The alternatives that explain as much as the helix."""
        return self.judgement.as_good

    def circle(self, period: Period) -> CircleFit:
        """The circle of one period.

        Raises:
            GrokinterpError: the period was not fitted.
        """
        for circle in self.circles:
            if math.isclose(circle.period, period, rel_tol=1e-9):
                return circle
        raise GrokinterpError(
            f"period = {shown(period)}: needs one of the periods fitted, {listed_periods(self.periods)}; fit again "
            "with it"
        )

    def coordinates(self, period: Period) -> Float[np.ndarray, "example 2"]:
        """The activations projected on the plane of one period's circle, its centre at 0.

        For other activations of the same model: `(x - fit.centre) @ fit.circle(period).plane.T`.
        """
        return self.circle(period).coordinates

    def predict(self, values: Array) -> Float[np.ndarray, "value d"]:
        """x̂ for these values; after PCA it lies in the span of the components kept."""
        a = numbers(values, "values")
        if a.ndim != 1:
            raise GrokinterpError(f"values of shape {a.shape}: needs one number per example; give shape (example,)")
        fitted = np.tile(self.centre, (len(a), 1))
        if self.slope is not None:
            fitted += np.outer(a - self.mean_value, self.slope)
        for circle in self.circles:
            fitted += cos_sin(a, circle.period) @ circle.coefficients
        return fitted


def fit_helix(
    activations: Array,
    values: Array,
    periods: Periods,
    *,
    linear: Flag = True,
    n_components: Integer | None = None,
    folds: Integer = 5,
    permutations: Integer = 100,
    seed: Integer = 0,
) -> HelixFit:
    """Least squares of activations on the generalised helix B(a) = [a, cos(2πa/T₁), sin(2πa/T₁), …] of a value a.

    Kantamneni & Tegmark 2025 (arXiv 2502.00873) find that language models hold the numbers 0 … 99 as x = C B(a)ᵀ with
    T = 2, 5, 10, 100, fitted after PCA to 100 dimensions. With linear=False these are circles alone: a network that
    adds modulo p (Nanda et al. 2023, arXiv 2301.05217) holds residues on the circles of its key frequencies k, whose
    periods are p/k, and one circle is `fit_helix(x, a, T, linear=False)`. A constant is always fitted.

    The folds and the permutations are of the distinct values, so that examples of one value stay together: no value is
    in a training and a test fold, and a control permutes which value a group of examples has. Values are the same where
    they are equal as float64. PCA sees all examples, but not their values.

    That a helix fits well shows no helix: `is_helix` says whether circles stand out from other periods, slow curves and
    stairs, and `reason` why (None: undecided, as for less than one turn or too few values).

    Args:
        activations: shape (example, d), of any library; computed and returned as NumPy float64.
        values: shape (example,): the number that each example shows, integer or not, repeated or not.
        periods: T in the units of the values, in any number; one number is one period.
        linear: with the value itself as a term.
        n_components: fit that many principal components rather than all d dimensions; None leaves PCA out.
        folds: parts of the values for `cross_validated`; 0 leaves it out.
        permutations: number of permutations of the values; 0 leaves them out.
        seed: of the folds and the permutations.

    Raises:
        GrokinterpError: shapes that do not fit, nan or infinity, activations all equal, fewer values than columns (in
            all or in a training fold), a period that is constant on the values or adds no column to the others (its
            alias, as 5 and 5/4 on integers), an option out of range. No error is a period whose cosine and sine are
            one column on the values, as 2 on integers: it counts as one.

    >>> a = np.arange(100)
    >>> x = np.stack([np.cos(2 * np.pi * a / 10), np.sin(2 * np.pi * a / 10), a / 100], axis=1)
    >>> fit = fit_helix(x, a, [10])
    >>> round(fit.explained_variance, 6), round(fit.cross_validated, 6), round(fit.circles[0].radius, 6)
    (1.0, 1.0, 1.0)
    >>> fit.coordinates(10)[1].round(3).tolist()  # a tenth of a turn on
    [0.809, 0.588]
    >>> fit.is_helix, fit.found
    (True, (10.0,))
    """
    x, a = examples(activations, values)
    linear = flag(linear, "linear")
    folds = count(folds, "folds", "0 (none) or at least 2", lambda n: n == 0 or n >= 2)
    permutations = count(permutations, "permutations", "0 or more", lambda n: n >= 0)
    seed = count(seed, "seed", "0 or more", lambda n: n >= 0)
    a, group, counts = np.unique(a, return_inverse=True, return_counts=True)
    wanted = periods_of(periods)
    terms = terms_of(a, counts, wanted, linear, folds)
    order = np.argsort(group, kind="stable")
    mean = x.mean(axis=0)
    x = x[order]
    x -= mean
    x, components, kept = _principal(x, n_components)
    squares = np.einsum("nd,nd->n", x, x)
    total = float(squares.sum())
    # All that least squares on functions of the value needs of the examples: their mean per value, weighted √count.
    weight, means = np.sqrt(counts)[:, None], x
    if len(a) < len(x):
        starts = np.cumsum(counts) - counts
        squares, means = np.add.reduceat(squares, starts), np.add.reduceat(x, starts, axis=0) / weight
    within = np.maximum(squares - np.einsum("vd,vd->v", means, means), 0)

    design = np.hstack([np.ones((len(a), 1)), *(term.columns for term in terms)])
    Q, R = np.linalg.qr(weight * design)
    Y = Q.T @ means
    beta = np.linalg.solve(R, Y)

    def explained(columns: Sequence[int]) -> float:
        q = np.linalg.qr(R[:, columns])[0]
        return float(np.square(q.T @ Y).sum() / total)

    in_all = min(float(np.square(Y).sum() / total), 1.0)
    centre, start, slope = beta[0], 1, None
    fitted: list[tuple[float, float, np.ndarray]] = []
    for term in terms:
        own = range(start, start + term.columns.shape[1])
        rest = [column for column in range(len(R)) if column not in own]
        coefficients = term.back @ beta[own]
        # The columns are centred; the circle is not, where the values do not fill whole periods.
        if term.period is not None:
            centre = centre - term.mean @ coefficients
        fitted.append((explained([0, *own]), max(in_all - explained(rest), 0.0), coefficients))
        start = own.stop
    linear_alone, linear_lost = math.nan, math.nan
    if linear:
        linear_alone, linear_lost, (slope,) = fitted.pop(0)
    circles = []
    for period, (alone, lost, coefficients) in zip(wanted, fitted, strict=True):
        plane, roundness = _plane(coefficients, math.sqrt(total / len(x)))
        points = cos_sin(a, period) @ coefficients
        radius = math.sqrt(float(counts @ np.square(points).sum(axis=1)) / len(x))
        whole = (coefficients @ components, plane @ components) if components is not None else (coefficients, plane)
        coordinates = np.empty((len(x), 2))
        coordinates[order] = x @ plane.T - plane @ centre
        circles.append(CircleFit(period, alone, lost, *whole, radius, roundness, coordinates))
    if components is not None:
        centre, slope = centre @ components, slope if slope is None else slope @ components
    return HelixFit(
        linear=linear,
        n_values=len(a),
        n_components=x.shape[1],
        kept_variance=kept,
        explained_variance=in_all,
        explainable=min(float(np.square(means).sum() / total), 1.0),
        cross_validated=cross_validated(Q, means, counts, within, folds, np.random.default_rng([seed, 0])),
        permuted=permuted(design, Q, means, counts, permutations, np.random.default_rng([seed, 1])) / total,
        circles=tuple(circles),
        centre=mean + centre,
        slope=slope,
        mean_value=float(counts @ a / len(x)),
        linear_alone=linear_alone,
        linear_lost=linear_lost,
        _judge=Judge(Values.of(a, weight, means), counts, within, tuple(wanted), linear, len(R), folds, seed),
    )


def _plane(coefficients: Float[np.ndarray, "2 d"], spread: float) -> tuple[Float[np.ndarray, "2 d"], float]:
    """The orthonormal pair nearest to the images of cosine and sine, and the ratio of their singular values."""
    W, S, Vt = np.linalg.svd(coefficients, full_matrices=False)
    plane = np.zeros_like(coefficients)
    # Its share of the variance is then rounding, and its shape would be noise.
    if S[0] <= NEGLIGIBLE * spread:
        return plane, math.nan
    if len(S) == 2 and S[1] > NEGLIGIBLE * S[0]:
        return W @ Vt, float(S[1] / S[0])
    # On a line the longer of the two images points along +.
    plane[0] = Vt[0] * np.sign(W[np.abs(W[:, 0]).argmax(), 0])
    return plane, 0.0


def _principal(
    x: Float[np.ndarray, "example d"], n_components: Any
) -> tuple[Float[np.ndarray, "example c"], Float[np.ndarray, "c d"] | None, float]:
    """The scores on the first principal components, these, and their share of the variance."""
    if n_components is None:
        return x, None, 1.0
    n = count(n_components, "n_components", f"1 to {min(x.shape)}", lambda n: 1 <= n <= min(x.shape))
    wide = x.shape[0] < x.shape[1]
    # The smaller of the two Gram matrices: the eigenvectors of either give the other's.
    variances, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    n = min(n, int(np.count_nonzero(variances > 1e-12 * variances[0])))
    vectors = vectors[:, :n]
    components = (x.T @ (vectors / np.sqrt(variances[:n]))).T if wide else vectors.T
    scores = vectors * np.sqrt(variances[:n]) if wide else x @ vectors
    return scores, components, float(np.square(scores).sum() / np.square(x).sum())
