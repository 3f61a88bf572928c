"""Fits of helices: a slow oracle, exact helices, noise of known share, random controls, and the Fourier law."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from fourier_oracle import drawn, modest, seeds
from hypothesis import given
from hypothesis import strategies as st

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FourierBasis, fit_helix

LLM = [2, 5, 10, 100]
HUNDRED = np.arange(100)
NO_CONTROLS = {"folds": 0, "permutations": 0}


def slow_columns(values, periods, linear):
    """[1, a, cos, sin, …] for each example."""
    columns = [[1.0] * len(values)] + ([list(values)] if linear else [])
    for period in periods:
        columns += [[f(2 * math.pi * math.fmod(a, period) / period) for a in values] for f in (math.cos, math.sin)]
    return np.array(columns).T


def slow_fit(x, values, periods, linear, seen=None):
    """Least squares on the examples `seen`: the fitted values everywhere."""
    B = slow_columns(values, periods, linear)
    seen = slice(None) if seen is None else seen
    return B @ np.linalg.lstsq(B[seen], x[seen], rcond=1e-10)[0]


def slow_share(x, fitted):
    return 1 - np.square(x - fitted).sum() / np.square(x - x.mean(axis=0)).sum()


def circles(values, period, images):
    """Σ over the columns: values on the circle (or the ellipse) that the two images span."""
    angle = 2 * np.pi * np.asarray(values)[:, None] / period
    return np.cos(angle) * images[0] + np.sin(angle) * images[1]


def summary(fit):
    shares = [(circle.alone, circle.lost, circle.radius, circle.roundness) for circle in fit.circles]
    linear = [fit.linear_alone, fit.linear_lost] if fit.linear else []
    numbers = [fit.explained_variance, fit.explainable, fit.cross_validated, *linear]
    return np.concatenate([numbers, np.ravel(shares), fit.permuted])


@modest
@given(seeds, st.booleans())
def test_every_number_is_that_of_least_squares_example_by_example(seed, linear):
    rng = np.random.default_rng(seed)
    values = rng.choice(rng.uniform(-5, 20, size=15), size=60)  # Uneven repeats of numbers that are no integers.
    periods = [3.7, 11.0]
    x = circles(values, 3.7, drawn(seed, 2, 6)) + drawn(seed + 1, 60, 6)
    n_values = len(np.unique(values))
    fit = fit_helix(x, values, periods, linear=linear, folds=n_values, permutations=3)
    fitted = slow_fit(x, values, periods, linear)
    in_all = slow_share(x, fitted)
    assert fit.explained_variance == pytest.approx(in_all, abs=1e-10)
    np.testing.assert_allclose(fit.predict(values), fitted, atol=1e-8)
    for circle, other in zip(fit.circles, periods[::-1], strict=True):
        assert circle.alone == pytest.approx(slow_share(x, slow_fit(x, values, [circle.period], False)), abs=1e-10)
        assert circle.lost == pytest.approx(in_all - slow_share(x, slow_fit(x, values, [other], linear)), abs=1e-10)
    if linear:
        assert fit.linear_alone == pytest.approx(slow_share(x, slow_fit(x, values, [], True)), abs=1e-10)
        without = slow_share(x, slow_fit(x, values, periods, False))
        assert fit.linear_lost == pytest.approx(in_all - without, abs=1e-10)
    else:
        assert fit.slope is None
        assert math.isnan(fit.linear_alone)
        assert math.isnan(fit.linear_lost)
    means = np.stack([x[values == a].mean(axis=0) for a in values])
    assert fit.explainable == pytest.approx(slow_share(x, means), abs=1e-10)
    # With a fold per value the folds are the same whatever the seed: each value is left out in its turn.
    residual = null = 0.0
    for a in np.unique(values):
        test = values == a
        residual += np.square(x - slow_fit(x, values, periods, linear, seen=~test))[test].sum()
        null += np.square(x[test] - x[~test].mean(axis=0)).sum()
    assert fit.cross_validated == pytest.approx(1 - residual / null, abs=1e-7)


def test_an_exact_helix_is_found_with_its_images():
    images, slope = {period: drawn(period, 2, 20) for period in LLM}, drawn(1, 20)
    x = 3 + HUNDRED[:, None] * slope + sum(circles(HUNDRED, period, images[period]) for period in LLM)
    fit = fit_helix(x, HUNDRED, LLM, permutations=20)
    assert (fit.explained_variance, fit.cross_validated) == (pytest.approx(1), pytest.approx(1))
    assert fit.p_value == 1 / 21
    assert fit.permuted.shape == (20,)
    assert fit.permuted_mean < fit.permuted_max < 0.3
    assert fit.slope is not None
    np.testing.assert_allclose(fit.slope, slope, atol=1e-10)
    for period in LLM[1:]:
        np.testing.assert_allclose(fit.circle(period).coefficients, images[period], atol=1e-10)
    np.testing.assert_allclose(fit.circle(2).coefficients, [images[2][0], np.zeros(20)], atol=1e-10)
    np.testing.assert_allclose(fit.predict([2.0, 250.0]), fit.predict(np.array([2, 250])))
    unseen = 3 + 250 * slope + sum(circles([250], period, images[period])[0] for period in LLM)
    np.testing.assert_allclose(fit.predict([250])[0], unseen, atol=1e-8)


@pytest.mark.parametrize("linear", [True, False])
def test_noise_lowers_the_share_by_as_much_as_it_should(linear):
    # E Σ|x̂ − x̄|² = S + σ²d(m − 1) and E Σ|x − x̄|² = S + σ²d(V − 1), with m columns, one of them the constant.
    d, sigma = 4000, 1.3
    signal = circles(HUNDRED, 5, drawn(5, 2, d)) + circles(HUNDRED, 10, drawn(10, 2, d))
    m, V = (6 if linear else 5), 100
    S = np.square(signal - signal.mean(axis=0)).sum()
    fit = fit_helix(signal + sigma * drawn(0, V, d), HUNDRED, [5, 10], linear=linear)
    expected = (S + sigma**2 * d * (m - 1)) / (S + sigma**2 * d * (V - 1))
    assert 0.4 < expected < 0.7
    assert fit.explained_variance == pytest.approx(expected, abs=5e-3)
    # The truth explains S / (S + σ²dV) of new examples; the fit comes near it from below.
    assert S / (S + sigma**2 * d * V) - 0.06 < fit.cross_validated < S / (S + sigma**2 * d * V)
    assert fit.p_value == 1 / 101


def test_a_control_gives_each_group_of_examples_the_value_of_another():
    values, x = np.array([0, 0, 0, 0, 1, 2.5, 2.5, 5]), drawn(0, 8, 2)
    fit = fit_helix(x, values, 3.3, linear=False, folds=0, permutations=200)
    distinct, group = np.unique(values, return_inverse=True)
    orders = itertools.permutations(distinct)
    possible = np.array([slow_share(x, slow_fit(x, np.array(order)[group], [3.3], False)) for order in orders])
    nearest = np.abs(fit.permuted[:, None] - possible)
    assert nearest.min(axis=1).max() < 1e-10
    assert set(nearest.argmin(axis=1)) == set(range(24))
    at_least = (fit.permuted >= fit.explained_variance - 1e-9).sum()
    assert fit.p_value == (1 + at_least) / 201


def test_of_random_activations_it_explains_what_as_many_random_columns_would():
    fit = fit_helix(drawn(0, 100, 5000), HUNDRED, LLM)
    # Linear, one column for period 2 and two for each other period, of 99 dimensions without the constant.
    assert fit.explained_variance == pytest.approx(8 / 99, abs=2e-3)
    assert fit.permuted_mean == pytest.approx(8 / 99, abs=1e-3)
    assert fit.cross_validated < 0


@pytest.mark.parametrize("repeats", [False, pytest.param(True, marks=pytest.mark.long)])
def test_p_values_of_random_activations_are_uniform(repeats):
    p, cross_validated = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        values = rng.integers(0, 20, size=60) if repeats else np.arange(20)
        fit = fit_helix(rng.normal(size=(len(values), 3)), values, [5, 4], permutations=39, folds=4, seed=seed)
        p.append(fit.p_value)
        cross_validated.append(fit.cross_validated)
    # Kolmogorov and Smirnov at 1 %, against the uniform distribution on 1/40, …, 1.
    steps = np.arange(1, 41) / 40
    assert np.abs([np.mean(np.array(p) <= step + 1e-9) - step for step in steps]).max() < 1.63 / math.sqrt(300)
    assert np.mean(cross_validated) < 0


@pytest.mark.parametrize("n", [13, 30, 113])
def test_residues_on_circles_have_the_shares_of_the_fourier_basis(n):
    x = drawn(n, n, 7)
    power = FourierBasis(n).power(x, axis=0).sum(axis=1)
    shares = power / power[1:].sum()
    frequencies = [1, 2, 5, n // 2]  # For even n, the last is the Nyquist frequency with one row.
    fit = fit_helix(x, np.arange(n), [n / k for k in frequencies], linear=False, **NO_CONTROLS)
    assert fit.explained_variance == pytest.approx(shares[frequencies].sum(), abs=1e-12)
    for k, circle in zip(frequencies, fit.circles, strict=True):
        assert (circle.alone, circle.lost) == (pytest.approx(shares[k], abs=1e-12),) * 2
        assert circle is fit.circle(n / k)


def test_all_frequencies_together_explain_everything():
    fit = fit_helix(drawn(0, 13, 4), np.arange(13), [13 / k for k in range(1, 7)], linear=False, folds=0)
    assert fit.explained_variance == pytest.approx(1)
    # As would any permutation: the columns are as many as the values.
    assert fit.p_value == 1
    assert math.isnan(fit.cross_validated)


def test_the_plane_shows_a_circle_as_it_is():
    basis = np.linalg.qr(drawn(0, 9, 2))[0].T
    x = 5 * circles(HUNDRED, 10, basis) + 7
    fit = fit_helix(x, HUNDRED, 10, linear=False, **NO_CONTROLS)
    (circle,) = fit.circles
    assert (circle.radius, circle.roundness) == (pytest.approx(5), pytest.approx(1))
    np.testing.assert_allclose(circle.plane, basis, atol=1e-12)
    angle = 2 * np.pi * HUNDRED / 10
    np.testing.assert_allclose(fit.coordinates(10), 5 * np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=1e-10)
    np.testing.assert_allclose((x - fit.centre) @ circle.plane.T, fit.coordinates(10), atol=1e-10)


def test_an_arc_has_its_centre_at_that_of_the_circle():
    fit = fit_helix(5 * circles(np.arange(8), 40, np.eye(2)) + 7, np.arange(8), 40, linear=False, **NO_CONTROLS)
    np.testing.assert_allclose(fit.centre, [7, 7], atol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(fit.coordinates(40), axis=1), 5, atol=1e-8)


@pytest.mark.parametrize("flat", [0.25, 1e-3])
def test_an_ellipse_is_as_round_as_its_axes_say(flat):
    images = np.array([[4.0, 0, 0], [0, 4 * flat, 0]])
    turn = np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]])
    (circle,) = fit_helix(
        circles(HUNDRED, 10, turn @ images), HUNDRED, 10, linear=False, n_components=2, **NO_CONTROLS
    ).circles
    assert circle.roundness == pytest.approx(flat)
    assert circle.radius == pytest.approx(4 * math.sqrt((1 + flat**2) / 2))
    np.testing.assert_allclose(circle.plane @ circle.plane.T, np.eye(2), atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 10**6])
def test_period_2_on_integers_is_a_line_with_one_column(offset):
    values = np.arange(30) + offset
    x = circles(values, 2, drawn(0, 2, 5)) + 0.1 * drawn(1, 30, 5)
    fit = fit_helix(x, values, [2, 5], linear=False)
    line, rest = fit.circles
    parity = np.square(x[::2].mean(axis=0) - x[1::2].mean(axis=0)).sum() / 4 * 30
    assert line.alone == pytest.approx(parity / np.square(x - x.mean(axis=0)).sum(), abs=1e-12)
    assert fit.explained_variance == pytest.approx(line.alone + rest.alone, abs=1e-12)
    assert line.roundness == 0
    assert (line.plane[1] == 0).all()
    assert np.linalg.norm(line.plane[0]) == pytest.approx(1)
    assert (line.coordinates[:, 1] == 0).all()
    assert line.radius == pytest.approx(math.sqrt(parity / 30), abs=1e-12)
    np.testing.assert_allclose(fit.predict(values), slow_fit(x, values, [2, 5], False), atol=1e-8)


def test_one_dimension_is_a_line():
    (circle,) = fit_helix(np.sin(HUNDRED * np.pi / 5)[:, None], HUNDRED, 10, linear=False).circles
    np.testing.assert_allclose(circle.plane, [[1], [0]])
    assert (circle.roundness, circle.radius) == (0, pytest.approx(math.sqrt(1 / 2)))


def test_a_circle_that_is_not_there_has_no_shape():
    fit = fit_helix(HUNDRED[:, None] * drawn(0, 3) + 5, HUNDRED, [10, 7.3])
    for circle in fit.circles:
        assert (circle.lost, circle.radius) == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-10))
        assert math.isnan(circle.roundness)
        assert (circle.plane == 0).all()
    assert fit.linear_alone == pytest.approx(1)


@modest
@given(seeds)
def test_neither_turning_shifting_nor_scaling_the_activations_nor_the_order_matters(seed):
    rng = np.random.default_rng(seed)
    values, x = rng.integers(0, 30, size=50), drawn(seed, 50, 4)
    fit = fit_helix(x, values, [2, 5], permutations=5)
    turn, order = np.linalg.qr(drawn(seed + 1, 4, 4))[0], rng.permutation(50)
    other = fit_helix((x @ turn + 3)[order], values[order], [2, 5], permutations=5)
    np.testing.assert_allclose(summary(other), summary(fit), atol=1e-9)
    np.testing.assert_allclose(other.coordinates(5), fit.coordinates(5)[order], atol=1e-9)
    larger = fit_helix(1e6 * x, values, [2, 5], permutations=5)
    np.testing.assert_allclose(larger.permuted, fit.permuted, atol=1e-9)
    assert larger.circle(5).radius == pytest.approx(1e6 * fit.circle(5).radius)


@modest
@given(seeds, st.sampled_from([0.1, 3.0]), st.sampled_from([-7.0, 0.5]))
def test_other_units_and_another_zero_of_the_values_change_nothing(seed, unit, zero):
    x = drawn(seed, 40, 4)
    fit = fit_helix(x, np.arange(40), [5, 8], permutations=5)
    other = fit_helix(x, unit * (np.arange(40) + zero), [5 * unit, 8 * unit], permutations=5)
    np.testing.assert_allclose(summary(other), summary(fit), atol=1e-9)


def test_showing_every_example_again_changes_nothing():
    # A value in a training and a test fold at once would show here.
    x, values = drawn(0, 30, 4), np.arange(30)
    fit = fit_helix(x, values, [5, 8], permutations=5)
    other = fit_helix(np.tile(x, (3, 1)), np.tile(values, 3), [5, 8], permutations=5)
    np.testing.assert_allclose(summary(other), summary(fit), atol=1e-10)
    assert (other.n_values, fit.n_values) == (30, 30)


def test_equal_seeds_give_equal_fits_and_others_other_controls():
    x = drawn(0, 30, 4)
    first, same, other = (fit_helix(x, np.arange(30), 5, seed=seed) for seed in (1, 1, 2))
    assert (summary(first) == summary(same)).all()
    assert first.explained_variance == other.explained_variance
    assert first.cross_validated != other.cross_validated
    assert not np.array_equal(first.permuted, other.permuted)
    # The permutations do not hang on the folds.
    assert (fit_helix(x, np.arange(30), 5, seed=1, folds=3).permuted == first.permuted).all()


@pytest.mark.parametrize("shape", [(100, 30), (30, 100)])
def test_principal_components_are_those_of_the_singular_values(shape):
    x, values = drawn(0, *shape) * np.linspace(1, 3, shape[1]), np.arange(shape[0])
    fit = fit_helix(x, values, [5, 8], n_components=6, permutations=5)
    centred = x - x.mean(axis=0)
    S, components = np.linalg.svd(centred, full_matrices=False)[1:]
    assert fit.n_components == 6
    assert fit.kept_variance == pytest.approx((S[:6] ** 2).sum() / (S**2).sum())
    within = fit_helix(centred @ components[:6].T, values, [5, 8], permutations=5)
    np.testing.assert_allclose(summary(fit), summary(within), atol=1e-9)
    np.testing.assert_allclose(fit.predict(values), x.mean(axis=0) + within.predict(values) @ components[:6], atol=1e-9)
    np.testing.assert_allclose((x - fit.centre) @ fit.circle(5).plane.T, fit.coordinates(5), atol=1e-9)
    np.testing.assert_allclose(fit.coordinates(5), within.coordinates(5), atol=1e-9)
    # All components are the activations themselves.
    everything = fit_helix(x, values, [5, 8], n_components=min(shape), permutations=5)
    np.testing.assert_allclose(summary(everything), summary(fit_helix(x, values, [5, 8], permutations=5)), atol=1e-9)
    assert everything.kept_variance == pytest.approx(1)


def test_directions_without_variance_are_no_components():
    x = drawn(0, 40, 3) @ drawn(1, 3, 20)
    fit = fit_helix(x, np.arange(40), 5, n_components=10)
    assert (fit.n_components, fit.kept_variance) == (3, pytest.approx(1))


def test_torch_jax_and_lists_are_read_and_left_as_they_were():
    x, values = drawn(0, 20, 3), np.arange(20)
    fit = fit_helix(x, values, [5, 8])
    before = x.copy()
    for other in (x.tolist(), torch.asarray(x), torch.asarray(x).requires_grad_()):
        np.testing.assert_allclose(summary(fit_helix(other, torch.asarray(values), (5, 8))), summary(fit))
    jnp = pytest.importorskip("jax.numpy")
    single = fit_helix(jnp.asarray(x), jnp.asarray(values), jnp.asarray([5, 8]))
    np.testing.assert_allclose(summary(single), summary(fit), atol=1e-5)
    assert single.coordinates(5).dtype == np.float64
    assert (x == before).all()
    widened = fit_helix(torch.asarray(x, dtype=torch.bfloat16), values, iter([5, 8]))
    np.testing.assert_allclose(summary(widened), summary(fit), atol=0.05)


def test_the_shipped_embedding_lies_on_the_circles_of_its_keys(mainline):
    keys, residues = [14, 35, 41, 42, 52], np.arange(113)
    fits = []
    for step in (0, mainline.steps[-1]):
        W_E = mainline.snapshot(step).weights["embed.W_E"][:113]
        power = FourierBasis(113).power(W_E.double(), axis=0).sum(dim=1).numpy()
        fits.append(fit_helix(W_E, residues, [113 / k for k in keys], linear=False))
        lost = [circle.lost for circle in fits[-1].circles]
        np.testing.assert_allclose(lost, power[keys] / power[1:].sum(), atol=1e-10)
    initial, final = fits
    assert final.explained_variance == pytest.approx(0.935, abs=1e-3)
    assert final.cross_validated == pytest.approx(0.92, abs=5e-3)
    assert min(circle.roundness for circle in final.circles) > 0.95
    assert final.p_value == 1 / 101
    assert initial.explained_variance == pytest.approx(10 / 112, abs=0.01)
    assert initial.cross_validated < 0
    # It holds no decimal digits: those periods explain less than chance, as the keys leave little.
    decimal = fit_helix(W_E, residues, LLM)
    assert decimal.explained_variance < decimal.permuted_mean
    assert (decimal.p_value, decimal.cross_validated < 0) == (1, True)


def raises(text):
    return pytest.raises(GrokinterpError, match="^" + re.escape(text) + "[^\n]*$")


X = drawn(0, 10, 3)
ERRORS = {
    "rows": ((X, np.arange(9), 5), {}, "activations of shape (10, 3) with values of shape (9,): needs shapes"),
    "neuron": ((X[:, 0], np.arange(10), 5), {}, "activations of shape (10,) with values of shape (10,): needs shapes"),
    "empty": ((X[:0], [], 5), {}, "activations of shape (0, 3) with values of shape (0,): needs shapes"),
    "nan": ((np.where(X > 1, np.nan, X), np.arange(10), 5), {}, "activations hold nan or infinity: needs finite"),
    "infinity": ((X, [np.inf, *range(9)], 5), {}, "values hold nan or infinity: needs finite numbers; drop"),
    "constant": ((X * 0 + 0.1, np.arange(10), 5), {}, "activations are the same in every example: needs some variance"),
    "huge": ((X / np.abs(X).max() * 1e200, np.arange(10), 5), {}, "activations go to ±1e+200: needs numbers whose"),
    "tiny": ((X / np.abs(X).max() * 1e-200, np.arange(10), 5), {}, "activations go to ±1e-200: needs numbers whose"),
    "one value": ((X, np.full(10, 3), 5), {}, "values are all 3: needs different numbers; give examples of several"),
    "few": ((X, np.arange(10) // 2, [5, 3]), {}, "values hold 5 distinct numbers: the fit has 6 columns and needs as"),
    "few per fold": (
        (X, np.arange(10) // 2, 5),
        {"folds": 2},
        "folds = 2 of 5 distinct values: each fit has 4 columns",
    ),
    "folds": ((X, np.arange(10), 5), {"folds": 11}, "folds = 11 of 10 distinct values: each fit has 4 columns"),
    "one fold": ((X, np.arange(10), 5), {"folds": 1}, "folds = 1: needs an integer, 0 (none) or at least 2; give"),
    "alias": (
        (X, np.arange(10), [3, 5, 1.25]),
        {},
        "period 1.25 adds no column to period 5 on the 10 values (an alias)",
    ),
    "twice": ((X, np.arange(10), [5, 5]), {}, "period 5 adds no column to period 5 on the 10 values (an alias): needs"),
    "line": ((X, np.arange(10), [1e6]), {}, "period 1e+06 adds no column to the linear term on the 10 values (an"),
    "flat": ((X, np.arange(10), [5, 1]), {}, "period 1 is constant on the 10 values: needs a period that they do not"),
    "no period": ((X, np.arange(10), []), {}, "periods = []: needs one positive number or more; give e.g. [2, 5, 10"),
    "zero": ((X, np.arange(10), [5, 0]), {}, "periods = [5, 0]: needs one positive number or more; give e.g."),
    "text": ((X, np.arange(10), "ten"), {}, "periods has dtype <U3: needs real numbers"),
    "infinite": ((X, np.arange(10), math.inf), {}, "periods hold nan or infinity: needs finite numbers"),
    "components": ((X, np.arange(10), 5), {"n_components": 4}, "n_components = 4: needs an integer, 1 to 3; give"),
    "permutations": ((X, np.arange(10), 5), {"permutations": -1}, "permutations = -1: needs an integer, 0 or more"),
    "seed": ((X, np.arange(10), 5), {"seed": 0.5}, "seed = 0.5: needs an integer, 0 or more; give another number"),
    "linear": ((X, np.arange(10), 5), {"linear": "no"}, "linear = 'no': needs True or False; give one of them"),
}


@pytest.mark.parametrize(("args", "options", "text"), ERRORS.values(), ids=ERRORS)
def test_what_cannot_be_fitted_is_refused_in_one_line(args, options, text):
    with raises(text):
        fit_helix(*args, **options)


def test_a_period_that_was_not_fitted_is_refused():
    fit = fit_helix(X, np.arange(10), [5, 10 / 3], linear=False, **NO_CONTROLS)
    with raises("period = 7: needs one of the periods fitted, 5, 3.33333; fit again with it"):
        fit.coordinates(7)
    with raises("values of shape (2, 1): needs one number per example; give shape (example,)"):
        fit.predict([[1], [2]])
    assert fit.periods == (5, 10 / 3)
    assert math.isnan(fit.p_value)
    assert math.isnan(fit.permuted_mean)
    assert math.isnan(fit.permuted_max)
