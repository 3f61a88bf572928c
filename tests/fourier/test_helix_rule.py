"""Whether a helix is one: planted circles are found, and noise, walks, curves, trends and stairs are not called one."""

import math

import numpy as np
import pytest
from docs_script import docs_script

from grokinterp.fourier import HelixFit, fit_helix
from grokinterp.fourier._helix_rule import chance_of

HUNDRED = np.arange(100)
LLM = [2, 5, 10, 100]


def script():
    """docs/false_positives.py, which prints the tables of the documentation."""
    return docs_script("false_positives")


def planted(
    rng: np.random.Generator, periods: list[float], *, d: int = 16, share: float = 1.0, trend: float = 0.0
) -> np.ndarray:
    """Circles in random planes with `share` of the variance, noise with the rest, and a trend of `trend` beside it."""

    def unit(x: np.ndarray) -> np.ndarray:
        x = x - x.mean(axis=0)
        return x / np.linalg.norm(x)

    angle = 2 * np.pi * HUNDRED[:, None] / np.array(periods)
    circles = unit(
        np.cos(angle) @ rng.normal(size=(len(periods), d)) + np.sin(angle) @ rng.normal(size=(len(periods), d))
    )
    line = unit(np.outer(HUNDRED, rng.normal(size=d)))
    noise = unit(rng.normal(size=(100, d)))
    return 10 * (math.sqrt(share) * circles + math.sqrt(1 - share) * noise + math.sqrt(trend) * line)


def fitted(x: np.ndarray, periods=LLM, **options) -> HelixFit:
    return fit_helix(x, HUNDRED, periods, **{"permutations": 19, **options})


@pytest.mark.parametrize("trend", [0.0, 5.0, 50.0])
@pytest.mark.parametrize(("d", "share"), [(1, 1.0), (1, 0.9), (2, 0.9), (8, 0.5), (64, 0.2), (512, 0.1)], ids=str)
def test_planted_helices_are_found_beside_noise_and_trends(d, share, trend):
    for seed in range(3):
        fit = fitted(planted(np.random.default_rng(seed), LLM, d=d, share=share, trend=trend), seed=seed)
        assert fit.is_helix, (seed, fit.reason)
        assert fit.reason.startswith("Circles are there. period 2: ")
        if d > 2:
            assert {2, 5, 10} <= set(fit.found)
        if share == 1:
            assert fit.found == (2, 5, 10, 100)


@pytest.mark.parametrize("period", [2, 3, 5, 7.3, 10, 20])
def test_one_circle_is_found_and_the_others_are_not(period):
    for seed in range(3):
        x = planted(np.random.default_rng(seed), [period], share=0.4, trend=1.0)
        others = [T for T in (2, 5, 10, 20) if period != T]
        assert fitted(x, [period], linear=bool(seed % 2)).found == (period,)
        assert period in fitted(x, [period, *others]).found
        assert not fitted(x, others).found


def test_a_slow_circle_is_found_where_there_is_little_else():
    rng = np.random.default_rng(0)
    assert fitted(planted(rng, [100], d=64, share=0.95), [100]).is_helix
    assert fitted(planted(rng, [100], d=64, share=0.95), [100], linear=False).is_helix
    noisy = fitted(planted(rng, [100], d=4, share=0.3), [100])
    assert noisy.is_helix is False
    assert "the values hold 1 turns of it, and a slow curve explains as much" in noisy.reason


def test_residues_on_their_key_frequencies_are_circles_and_untrained_ones_none(mainline):
    keys = [14, 35, 41, 42, 52]
    found = []
    for step in (0, mainline.steps[-1]):
        W_E = mainline.snapshot(step).weights["embed.W_E"][:113]
        found.append(fit_helix(W_E, np.arange(113), [113 / k for k in keys], linear=False))
    initial, final = found
    assert initial.is_helix is False and final.is_helix
    assert final.found == tuple(113 / k for k in keys)
    assert final.as_good == ()
    assert fit_helix(W_E, np.arange(113), LLM).is_helix is False


def test_a_few_draws_of_every_kind_of_nothing_are_no_helix():
    """In the long test 200 of each, with a bound on how many are."""
    called = {kind: rate for kind, rate, _ in script().helix_rates(2)}
    assert len(called) >= 20
    assert sum(called.values()) <= 0.5


def test_what_fits_well_is_no_helix_and_the_reason_says_what_is_as_good():
    walk = np.random.default_rng(0).normal(size=(100, 32)).cumsum(axis=0)
    fit = fitted(walk)
    assert fit.cross_validated > 0.7 and fit.p_value == 0.05  # What one might take for evidence.
    assert fit.is_helix is False and fit.found == ()
    assert fit.reason.startswith("No circle is there. period 2: ")
    assert "period 100: the values hold 1 turns of it, and it leaves a slow curve unexplained" in fit.reason
    assert set(fit.as_good) >= {"polynomial"}
    assert fit.reason.endswith(f"As many columns explain as much: {', '.join(fit.as_good)}.")


def test_the_tens_digit_is_a_stair():
    fit = fitted(np.outer(HUNDRED // 10, np.random.default_rng(0).normal(size=4)))
    assert fit.is_helix is False
    assert "period 10: a stair of that period explains as much" in fit.reason
    assert fit.cross_validated > fit.alternatives["linear"]  # It is what such a fit would have been believed for.


def test_alternatives_are_those_of_their_definitions():
    line = np.outer(HUNDRED, [1.0, 2.0])
    fit = fitted(line + 1e-3 * np.random.default_rng(0).normal(size=line.shape))
    assert fit.alternatives["linear"] == pytest.approx(1, abs=1e-6)
    assert fit.alternatives["polynomial"] == pytest.approx(1, abs=1e-6)
    cubic = np.outer(HUNDRED**3, [1.0, -1.0]) / 1e4
    assert fitted(cubic, [5, 10]).alternatives["polynomial"] == pytest.approx(1, abs=1e-9)
    circle = np.stack([np.cos(HUNDRED), np.sin(HUNDRED)], axis=1)
    detuned = fitted(circle, [100 / (100 / (2 * np.pi) - 1)], linear=False)
    assert detuned.cross_validated < 0.05 and detuned.alternatives["detuned"] == pytest.approx(1, abs=1e-9)
    low_rank = np.random.default_rng(1).normal(size=(100, 2)) @ np.random.default_rng(2).normal(size=(2, 30))
    assert fitted(low_rank, [5]).alternatives["principal components"] == pytest.approx(1, abs=1e-9)
    assert math.isnan(fitted(low_rank[:, :1], [5]).alternatives["principal components"])


@pytest.mark.parametrize(
    ("values", "periods", "text"),
    [
        (np.arange(8), [3], "period 3: 8 distinct values are too few to compare it with "),
        (np.arange(15), [5, 2], "15 distinct values are too few to compare it with "),
        (
            np.arange(60),
            [100],
            "period 100: the values hold 0.6 turns of it, and less than one is an arc like any curve",
        ),
    ],
)
def test_what_cannot_be_decided_is_said_to_be_undecided(values, periods, text):
    x = np.random.default_rng(0).normal(size=(len(values), 3))
    fit = fit_helix(x, values, periods, linear=False, folds=0)
    assert fit.is_helix is None
    assert fit.reason.startswith("It cannot be decided. ") and text in fit.reason


def test_gaps_and_uneven_repeats_are_no_hindrance():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        values = rng.choice(rng.choice(150, size=70, replace=False), size=300)
        angle = 2 * np.pi * values / 10
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ rng.normal(size=(2, 12))
        noise = rng.normal(size=(300, 12))
        assert fit_helix(circle + noise, values, [5, 10], seed=seed).found == (10,)
        assert not fit_helix(np.outer(values, rng.normal(size=12)) / 20 + noise, values, [5, 10], seed=seed).is_helix


def test_the_judgement_depends_on_no_unit_order_or_direction():
    x, order = planted(np.random.default_rng(0), [5, 10], share=0.3), np.random.default_rng(1).permutation(100)
    fit = fitted(x, [5, 10, 20])
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(16, 16)))[0]
    other = fit_helix(1e3 * (x @ turn)[order] + 7, 0.1 * HUNDRED[order], [0.5, 1, 2], permutations=19)
    assert other.reason.replace("0.5:", "5:").replace("period 1:", "period 10:").replace("period 2:", "period 20:") == (
        fit.reason
    )


def test_permuted_values_that_are_explained_as_well_leave_no_helix():
    fit = fitted(planted(np.random.default_rng(0), [10], share=0.3), [10], permutations=0)
    assert fit.is_helix and math.isnan(fit.p_value)  # Left out, the rule goes by the rest.
    judged = fit._judge.judgement(fit.explained_variance, fit.cross_validated, 0.3)
    assert judged.is_helix is False and judged.reason.startswith("Permuted values are explained as well (p = 0.3)")


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("dimensions", [1, 5])
def test_the_chance_in_noise_is_that_of_drawn_noise(columns, dimensions):
    rng = np.random.default_rng(0)
    own = np.square(rng.normal(size=(40_000, columns * dimensions))).mean(axis=1)
    rivals = np.square(rng.normal(size=(40_000, 6, 2 * dimensions))).mean(axis=2).max(axis=1)
    for ratio in (0.5, 1.0, 1.7):
        assert chance_of(ratio, columns, 6, float(dimensions)) == pytest.approx(
            (own > ratio * rivals).mean(), abs=0.008
        )


KINDS = sorted(script().HELIX_NULLS)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_of_200_draws_of_nothing_at_most_7_percent_are_called_a_helix(kind):
    module = script()
    ((_, called, _),) = module.helix_rates(200, {kind: module.HELIX_NULLS[kind]})
    assert called <= 0.07


@pytest.mark.long
@pytest.mark.parametrize("d", [1, 64])
def test_the_rate_holds_in_one_dimension_and_in_many(d, monkeypatch):
    module = script()
    monkeypatch.setattr(module, "DIMENSIONS", d)
    kinds = {kind: module.HELIX_NULLS[kind] for kind in ("white noise", "random walk", "AR(1), 0.5", "tens digit")}
    for kind, called, _ in module.helix_rates(200, kinds):
        assert called <= 0.07, kind
