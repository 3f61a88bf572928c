"""The sparse linear probe: held-out R² against the number of features, along the lasso's path.

The penalty selects, it does not estimate. Along the lasso's path the features that have a coefficient are taken, and
least squares is fitted anew on those (Efron et al. 2004, "LARS-OLS hybrid"; Meinshausen 2007, "relaxed lasso"): the
lasso's own coefficients are shrunk, most where the features are fewest, and their R² would understate what few features
say. Everything is computed from the moments XᵀX and Xᵀy, so that a probe costs no pass over the pairs.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from grokinterp.errors import GrokinterpError

# Added to the unit diagonal of the correlations: a refit on features that repeat each other has a solution, and an R²
# moves by about as much.
JITTER = 1e-9
# Where the lasso's path ends: a correlation with the residual that is rounding.
LEAST_CORRELATION = 1e-9
# Of the largest coefficient: what leaves the path at its very end keeps rounding, by the machine or none at all.
LEAST_COEFFICIENT = 1e-9


@dataclass(frozen=True, eq=False)
class ProbePath:
    """R² of a probe against the number of features it reads; from none, whose R² is 0, to all, the last entry.

    - `n_features`: increasing; the numbers of features met along the path, up to the greatest asked for, and all.
    - `r2`: on the held-out pairs, 1 − Σ(y − ŷ)² / Σ(y − ȳ)² with ȳ the mean over the *other* pairs, both sums over the
      target's functions together (cos and sin): the mean of their R² weighted by their variances, which does not depend
      on where the circle starts. A probe that has learnt what does not hold goes below 0.
    - `r2_fitted`: the same on the pairs it was fitted on.
    - `features`: the columns that are read, an array per entry.
    """

    n_features: Int[np.ndarray, " point"]
    r2: Float[np.ndarray, " point"]
    r2_fitted: Float[np.ndarray, " point"]
    features: tuple[Int[np.ndarray, "..."], ...]

    @property
    def best_r2(self) -> float:
        """The greatest held-out R² for any number of features, no feature (0) included."""
        return float(self.r2.max())

    def features_needed(self, r2: float = 0.9) -> int | None:
        """The fewest features along the path whose held-out R² is at least `r2`; None if no number of them is enough.

        An upper bound: which features do best together the lasso does not always find.
        """
        reached = np.flatnonzero(self.r2 >= _threshold(r2))
        return int(self.n_features[reached[0]]) if len(reached) else None


def probe_path(
    features: Float[np.ndarray, "pair feature"],
    targets: Float[np.ndarray, "pair function"],
    held_out: Bool[np.ndarray, " pair"],
    *,
    max_features: int = 32,
) -> ProbePath:
    """The sparse probe from `features` to the functions of `targets` together, fitted where not `held_out`.

    Each function has its lasso path on the features brought to unit variance (scikit-learn's `lars_path_gram`, which
    gives every feature's entry exactly). At each penalty the probe reads the features of either function; of several
    penalties with as many features the one with the best fit counts.

    Raises:
        GrokinterpError: there is no pair on a side of `held_out`, or a target does not vary there.

    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> path = probe_path(x, x[:, [2]] - x[:, [5]], np.arange(200) < 60)
    >>> path.features_needed(0.99), path.features[2].tolist()
    (2, [2, 5])
    """
    return Moments.of(features, held_out).paths(targets[None], max_features)[0]


@dataclass(frozen=True, eq=False)
class Moments:
    """The second moments of features about their means over the pairs that are fitted on, in units of their deviations.

    `centred` are the features themselves, `columns` those that vary at all; `fitted` and `tested` are XᵀX.
    """

    held_out: Bool[np.ndarray, " pair"]
    centred: Float[np.ndarray, "pair column"]
    columns: Int[np.ndarray, " column"]
    fitted: Float[np.ndarray, "column column"]
    tested: Float[np.ndarray, "column column"]

    @classmethod
    def of(cls, features: Float[np.ndarray, "pair feature"], held_out: Bool[np.ndarray, " pair"]) -> "Moments":
        count = int(held_out.sum())
        if not 0 < count < len(held_out):
            raise GrokinterpError(f"{count} of {len(held_out)} pairs are held out: needs some held out and some not")
        centred = features - features[~held_out].mean(axis=0)
        deviation = np.sqrt((centred[~held_out] ** 2).mean(axis=0))
        # A feature that varies by rounding alone is constant.
        columns = np.flatnonzero(deviation > np.finfo(np.float32).eps * np.abs(features).max(axis=0))
        centred = centred[:, columns] / deviation[columns]
        tested = centred[held_out].T @ centred[held_out]
        return cls(held_out, centred, columns, centred.T @ centred - tested, tested)

    @property
    def count(self) -> int:
        """The pairs that are fitted on."""
        return int((~self.held_out).sum())

    def paths(self, targets: Float[np.ndarray, "target pair function"], max_features: int) -> list[ProbePath]:
        """The path of each target; its functions (cos and sin) are read by one probe."""
        fit, test = ~self.held_out, self.held_out
        targets = targets - targets[:, fit].mean(axis=1, keepdims=True)
        for pairs, named in ((fit, "fitted on"), (test, "held out")):
            if (np.abs(targets[:, pairs]).max(axis=(1, 2), initial=0.0) < np.finfo(np.float32).eps).any():
                raise GrokinterpError(
                    f"a target does not vary over the {pairs.sum()} pairs that are {named}, so that it has no R²; "
                    "needs more pairs there, or others: another share or seed"
                )
        of_tested = np.tensordot(self.centred[test], targets[:, test], axes=(0, 1))
        of_fitted = np.tensordot(self.centred, targets, axes=(0, 1)) - of_tested
        # All features: the correlations are factored once for all targets.
        every = np.arange(len(self.columns))
        functions = targets.shape[0] * targets.shape[2]
        dense = self._refit(every, of_fitted.reshape(len(every), functions)).reshape(of_fitted.shape)
        return [
            self._path(target, of_fitted[:, i], of_tested[:, i], dense[:, i], max_features)
            for i, target in enumerate(targets)
        ]

    def _path(
        self,
        target: Float[np.ndarray, "pair function"],
        of_fitted: Float[np.ndarray, "column function"],
        of_tested: Float[np.ndarray, "column function"],
        dense: Float[np.ndarray, "column function"],
        max_features: int,
    ) -> ProbePath:
        sides = (
            (self.tested, of_tested, (target[self.held_out] ** 2).sum()),
            (self.fitted, of_fitted, (target[~self.held_out] ** 2).sum()),
        )
        every = np.arange(len(self.columns))
        best = {len(every): (every, *(_r2(dense, every, *side) for side in sides))}
        for support in self._supports(of_fitted, max_features):
            coefficients = self._refit(support, of_fitted)
            point = (support, *(_r2(coefficients, support, *side) for side in sides))
            if len(support) not in best or point[2] > best[len(support)][2]:
                best[len(support)] = point
        points = [best[count] for count in sorted(best)]
        return ProbePath(
            np.array(sorted(best)),
            np.array([r2 for _, r2, _ in points]),
            np.array([r2 for _, _, r2 in points]),
            tuple(self.columns[support] for support, _, _ in points),
        )

    def _refit(
        self, support: Int[np.ndarray, " k"], of_fitted: Float[np.ndarray, "column function"]
    ) -> Float[np.ndarray, "k function"]:
        correlations = self.fitted[np.ix_(support, support)]
        return np.linalg.solve(correlations + JITTER * self.count * np.eye(len(support)), of_fitted[support])

    def _supports(
        self, of_fitted: Float[np.ndarray, "column function"], max_features: int
    ) -> list[Int[np.ndarray, "..."]]:
        """The features that the lasso of any of the functions reads, from the strongest penalty on; none at first."""
        if not len(self.columns):
            return [np.empty(0, dtype=np.int64)]
        paths = [_lasso_path(self.fitted, column, self.count, max_features) for column in of_fitted.T]
        supports = [np.empty(0, dtype=np.int64)]
        for penalty in sorted({penalty for penalties, _ in paths for penalty in penalties}, reverse=True):
            # What each path reads just above its first turn at or below this penalty; at its end, what it ended with.
            read = [
                kept[:, min(int(np.searchsorted(-penalties, -penalty)), len(penalties) - 1)]
                for penalties, kept in paths
            ]
            support = np.flatnonzero(np.logical_or.reduce(read))
            if len(support) > max_features:
                break
            if not np.array_equal(support, supports[-1]):
                supports.append(support)
        return supports


def _lasso_path(
    gram: Float[np.ndarray, "column column"], moments: Float[np.ndarray, " column"], count: int, max_features: int
) -> tuple[Float[np.ndarray, " turn"], Bool[np.ndarray, "column turn"]]:
    """The penalties, falling, where the path of min ‖y − Xw‖²/2N + penalty·‖w‖₁ turns, and which w are not 0 there."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lars_path_gram

    with warnings.catch_warnings():
        # It says that the path ended, or left out a feature that repeats others: both are as wanted.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Features can leave on the way: more steps than features.
        least: Any = LEAST_CORRELATION  # Annotated as an integer there.
        penalties, _, coefficients = lars_path_gram(
            moments, gram, n_samples=count, method="lasso", max_iter=2 * max_features, alpha_min=least
        )
    sizes = np.abs(coefficients)
    return penalties, sizes > LEAST_COEFFICIENT * sizes.max(axis=0, initial=0.0)


def _r2(
    coefficients: Float[np.ndarray, "k function"],
    support: Int[np.ndarray, " k"],
    gram: Float[np.ndarray, "column column"],
    moments: Float[np.ndarray, "column function"],
    total: float,
) -> float:
    """1 − ‖Y − XW‖² / ‖Y‖² from XᵀX and XᵀY."""
    explained = (
        2 * (coefficients * moments[support]).sum()
        - (coefficients * (gram[np.ix_(support, support)] @ coefficients)).sum()
    )
    return float(explained / total)


def _threshold(r2: float) -> float:
    if not 0 < r2 <= 1:
        raise GrokinterpError(f"r2 = {r2}: needs a number above 0 and at most 1, such as 0.9")
    return r2
