"""Numbers as circles and helices in the activations of any model."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from array_api_compat import is_torch_array
from jaxtyping import Float

from grokinterp.errors import GrokinterpError

from ._array import Array, Integer, integer, real_array, shown
from ._helix_columns import NEGLIGIBLE, cos_sin, terms_of

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

    def circle(self, period: Period) -> CircleFit:
        """The circle of one period.

        Raises:
            GrokinterpError: the period was not fitted.
        """
        for circle in self.circles:
            if math.isclose(circle.period, period, rel_tol=1e-9):
                return circle
        raise GrokinterpError(
            f"period = {shown(period)}: needs one of the periods fitted, {_listed(self.periods)}; fit again with it"
        )

    def coordinates(self, period: Period) -> Float[np.ndarray, "example 2"]:
        """The activations projected on the plane of one period's circle, its centre at 0.

        For other activations of the same model: `(x - fit.centre) @ fit.circle(period).plane.T`.
        """
        return self.circle(period).coordinates

    def predict(self, values: Array) -> Float[np.ndarray, "value d"]:
        """x̂ for these values; after PCA it lies in the span of the components kept."""
        a = _numbers(values, "values")
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
    """
    x, a = _examples(activations, values)
    linear = _flag(linear, "linear")
    folds = _count(folds, "folds", "0 (none) or at least 2", lambda n: n == 0 or n >= 2)
    permutations = _count(permutations, "permutations", "0 or more", lambda n: n >= 0)
    seed = _count(seed, "seed", "0 or more", lambda n: n >= 0)
    a, group, counts = np.unique(a, return_inverse=True, return_counts=True)
    wanted = _periods(periods)
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
        cross_validated=_cross_validated(Q, means, counts, within, folds, np.random.default_rng([seed, 0])),
        permuted=_permuted(design, Q, means, counts, permutations, np.random.default_rng([seed, 1])) / total,
        circles=tuple(circles),
        centre=mean + centre,
        slope=slope,
        mean_value=float(counts @ a / len(x)),
        linear_alone=linear_alone,
        linear_lost=linear_lost,
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
    n = _count(n_components, "n_components", f"1 to {min(x.shape)}", lambda n: 1 <= n <= min(x.shape))
    wide = x.shape[0] < x.shape[1]
    # The smaller of the two Gram matrices: the eigenvectors of either give the other's.
    variances, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    n = min(n, int(np.count_nonzero(variances > 1e-12 * variances[0])))
    vectors = vectors[:, :n]
    components = (x.T @ (vectors / np.sqrt(variances[:n]))).T if wide else vectors.T
    scores = vectors * np.sqrt(variances[:n]) if wide else x @ vectors
    return scores, components, float(np.square(scores).sum() / np.square(x).sum())


def _cross_validated(
    Q: np.ndarray, means: np.ndarray, counts: np.ndarray, within: np.ndarray, folds: int, rng: np.random.Generator
) -> float:
    if not folds:
        return math.nan
    Y, weight = Q.T @ means, np.sqrt(counts)[:, None]
    residual = null = 0.0
    for fold in np.array_split(rng.permutation(len(counts)), folds):
        test, targets, w = Q[fold], means[fold], weight[fold]
        # The normal equations of the other folds: Q is orthonormal over all values, so these are well conditioned
        # but for directions that the fold takes away, which the cut leaves at 0.
        gram = np.linalg.pinv(np.eye(Q.shape[1]) - test.T @ test, rcond=NEGLIGIBLE, hermitian=True)
        beta = gram @ (Y - test.T @ targets)
        mean = -(w.T @ targets) / (counts.sum() - counts[fold].sum())
        residual += float(np.square(targets - test @ beta).sum() + within[fold].sum())
        null += float(np.square(targets - w @ mean).sum() + within[fold].sum())
    return 1 - residual / null


def _permuted(
    design: np.ndarray, Q: np.ndarray, means: np.ndarray, counts: np.ndarray, n: int, rng: np.random.Generator
) -> Float[np.ndarray, " permutation"]:
    """The explained sum of squares when the rows of the design change places."""
    even, weight = counts.min() == counts.max(), np.sqrt(counts)[:, None]
    orders = [rng.permutation(len(counts)) for _ in range(n)]
    at_once = max(1, 128 // Q.shape[1])
    explained = []
    for start in range(0, n, at_once):
        several = [Q[o] if even else np.linalg.qr(weight * design[o])[0] for o in orders[start : start + at_once]]
        squares = np.square(np.hstack(several).T @ means).sum(axis=1)
        explained += squares.reshape(len(several), -1).sum(axis=1).tolist()
    return np.array(explained)


def _numbers(x: Array, name: str) -> np.ndarray:
    _, x = real_array(x, name)
    if is_torch_array(x):
        x = x.detach().cpu()
    x = np.asarray(x, dtype=np.float64)
    if not np.isfinite(x).all():
        raise GrokinterpError(f"{name} hold nan or infinity: needs finite numbers; drop those first")
    return x


def _examples(activations: Array, values: Array) -> tuple[np.ndarray, np.ndarray]:
    x, a = _numbers(activations, "activations"), _numbers(values, "values")
    if x.ndim != 2 or a.ndim != 1 or len(x) != len(a) or x.size == 0:
        raise GrokinterpError(
            f"activations of shape {x.shape} with values of shape {a.shape}: needs shapes (example, d) and (example,) "
            "with as many examples; reshape one of them"
        )
    if (x == x[0]).all():
        raise GrokinterpError(
            "activations are the same in every example: needs some variance to explain; take other activations"
        )
    if not 1e-140 < np.abs(x).max() < 1e140:
        raise GrokinterpError(
            f"activations go to ±{np.abs(x).max():.3g}: needs numbers whose squares float64 holds; rescale them"
        )
    return x, a


def _periods(periods: Any) -> list[float]:
    numbers = np.atleast_1d(_numbers(list(periods) if isinstance(periods, Iterator) else periods, "periods"))
    if numbers.ndim != 1 or numbers.size == 0 or (numbers <= 0).any():
        raise GrokinterpError(
            f"periods = {shown(periods)}: needs one positive number or more; give e.g. [2, 5, 10, 100], or p/k for "
            "frequency k of Z_p"
        )
    return numbers.tolist()


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise GrokinterpError(f"{name} = {shown(value)}: needs True or False; give one of them")
    return bool(value)


def _count(value: Any, name: str, needed: str, allowed: Any) -> int:
    n = integer(value)
    if n is None or not allowed(n):
        raise GrokinterpError(f"{name} = {shown(value)}: needs an integer, {needed}; give another number")
    return n


def _listed(periods: tuple[float, ...]) -> str:
    return ", ".join(f"{period:.6g}" for period in periods)
