from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from kdhelpers.evaluation import Estimate, mean_interval, paired_shares, t_quantile, wilson
from kdhelpers.evaluation.intervals import bootstrap_ece


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 7), (0, 50), (50, 50), (931, 1000)])
def test_wilson_solves_the_score_equation(successes, n):
    found, z = wilson(successes, n), stats.norm.ppf(0.975)
    share = successes / n

    def score(p):
        return (share - p) ** 2 - z**2 * p * (1 - p) / n

    low = 0.0 if successes == 0 else optimize.brentq(score, 1e-12, share - 1e-12)
    high = 1.0 if successes == n else optimize.brentq(score, share + 1e-12, 1 - 1e-12)
    assert found.value == share
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)


def test_wilson_equals_scipy_at_other_levels():
    theirs = stats.binomtest(37, 80).proportion_ci(0.9, method="wilson")
    ours = wilson(37, 80, confidence=0.9)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 9, 10_000, 3_000_000])
def test_wilson_holds_its_value_at_the_edges(n):
    none, all_right = wilson(0, n), wilson(n, n)
    assert none.low == 0.0 <= none.value < none.high < 1.0
    assert 0.0 < all_right.low < all_right.value == all_right.high == 1.0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes, n):
    with pytest.raises(ValueError, match=f"{successes} successes in {n} rows: give at least one row"):
        wilson(successes, n)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_a_confidence_is_between_0_and_1(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson(1, 2, confidence=confidence)


@pytest.mark.parametrize("df", [1, 1.5, 2, 3, 4, 9, 49, 50, 51, 99, 999, 99_999, 1e6])
@pytest.mark.parametrize("probability", [0.001, 0.025, 0.3, 0.5, 0.6, 0.975, 0.995])
def test_t_quantile_equals_scipy(probability, df):
    expected = stats.t.ppf(probability, df)
    assert t_quantile(probability, df) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("probability", "df"), [(0, 3), (1, 3), (0.9, 0), (0.9, math.inf), (math.nan, 3)])
def test_t_quantile_refuses_what_has_none(probability, df):
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(probability, df)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_mean_interval_equals_scipy(confidence):
    values = np.random.default_rng(0).normal(3, 2, 7)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    ours = mean_interval(values, confidence)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    assert ours.value == pytest.approx(values.mean())
    assert ours.n == 7


def test_a_mean_is_taken_in_float64():
    values = np.random.default_rng(7).random(1000).astype(np.float32)
    assert mean_interval(values) == mean_interval(values.astype(np.float64))


@pytest.mark.parametrize("values", [[0.3], [1.0, math.inf]])
def test_a_mean_without_spread_promises_nothing(values):
    found = mean_interval(values)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_mean_interval_refuses_nan_and_emptiness():
    with pytest.raises(ValueError, match="Value 1 is NaN"):
        mean_interval([1.0, math.nan])
    with pytest.raises(ValueError, match="one value or more"):
        mean_interval([])
    with pytest.raises(ValueError, match="one value or more"):
        mean_interval([[1.0, 2.0]])


@pytest.mark.parametrize("counts", [(0, 0, 1), (0, 0, 50), (5, 0, 5), (0, 5, 5), (12, 5, 40), (60, 20, 1000)])
def test_paired_shares_is_wald_with_half_a_row_more_in_each_cell(counts):
    first, second, n = counts
    b, c, total = first + 0.5, second + 0.5, n + 2
    centre, z = (b - c) / total, stats.norm.ppf(0.975)
    half = z * math.sqrt((b + c - (b - c) ** 2 / total) / total**2)
    found = paired_shares(first, second, n)
    assert found.value == (first - second) / n
    assert found.low == pytest.approx(max(centre - half, -1))
    assert found.high == pytest.approx(min(centre + half, 1))
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("counts", [(1, 1, 0), (-1, 0, 5), (3, 3, 5)])
def test_paired_shares_refuses_counts_that_do_not_fit(counts):
    with pytest.raises(ValueError, match="fit in n"):
        paired_shares(*counts)


DRAWS = 3000


def coverage(intervals, truth):
    return np.mean([found.low <= truth <= found.high for found in intervals])


@pytest.mark.parametrize(("share", "n"), [(0.5, 30), (0.9, 100), (0.93, 1000)])
def test_wilson_covers_the_truth_as_often_as_it_says(share, n):
    drawn = np.random.default_rng(1).binomial(n, share, DRAWS)
    assert 0.92 <= coverage([wilson(int(right), n) for right in drawn], share) <= 0.98


@pytest.mark.parametrize("seeds", [2, 5, 10])
def test_paired_t_covers_the_truth_as_often_as_it_says(seeds):
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 3, (DRAWS, seeds))  # what both have in common cancels
    difference = (shared + rng.normal(0.4, 1, shared.shape)) - (shared + rng.normal(0, 1, shared.shape))
    assert 0.92 <= coverage(map(mean_interval, difference), 0.4) <= 0.98


@pytest.mark.parametrize(("cells", "n"), [((0.1, 0.05), 100), ((0.02, 0.02), 200), ((0.3, 0.1), 40)])
def test_paired_shares_covers_the_truth_as_often_as_it_says(cells, n):
    first, second = cells
    drawn = np.random.default_rng(3).multinomial(n, [first, second, 1 - first - second], DRAWS)
    found = [paired_shares(int(b), int(c), n) for b, c, _ in drawn]
    assert 0.92 <= coverage(found, first - second) <= 0.98


@pytest.mark.parametrize("overconfidence", [0.0, 0.05, 0.15])
def test_calibration_interval_covers_the_truth(overconfidence):
    # Percentiles of the resamples never hold 0, the truth of a calibrated model.
    rng, n = np.random.default_rng(4), 200
    found = []
    for _ in range(200):
        confidence = rng.uniform(0.6, 1.0, n)
        right = rng.random(n) < confidence - overconfidence
        bins = np.ceil(confidence * 15).astype(np.int64) - 1
        found.append(bootstrap_ece(right - confidence, bins))
    assert coverage(found, overconfidence) >= 0.92
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in found)


def slow_bootstrap(gaps, bins, rng, resamples=4000):
    """The ends, by the words of the docstring: one resample after the other."""

    def by_bin(rows):
        return np.array([gaps[rows][bins[rows] == at].sum() for at in range(bins.max() + 1)]) / len(gaps)

    every = by_bin(np.arange(len(gaps)))
    drawn = [by_bin(rng.integers(0, len(gaps), len(gaps))) for _ in range(resamples)]
    moved = np.quantile([np.abs(one - every).sum() for one in drawn], 0.975)
    errors = [np.abs(one).sum() for one in drawn]
    error = np.abs(every).sum()
    return error, error - moved, error + np.quantile(errors, 0.975) - np.mean(errors)


def test_the_calibration_interval_equals_a_slow_reference():
    rng = np.random.default_rng(6)
    gaps, bins = rng.normal(0.3, 0.2, 80), rng.integers(0, 3, 80)
    found = [bootstrap_ece(gaps, bins, seed) for seed in range(60)]
    error, low, high = slow_bootstrap(gaps, bins, rng)
    assert low > 0
    assert high < 1
    assert all(one.value == pytest.approx(error) for one in found)
    # Of many seeds together, so that the draws matter less than what is done with them.
    assert error - np.mean([one.low for one in found]) == pytest.approx(error - low, rel=0.05)
    assert np.mean([one.high for one in found]) - error == pytest.approx(high - error, rel=0.05)


def test_bootstrap_is_seeded_and_leaves_the_global_state_alone():
    rng = np.random.default_rng(5)
    gaps, bins = rng.normal(0, 0.3, 200), rng.integers(0, 15, 200)
    before = np.random.get_state()[1].copy()
    assert bootstrap_ece(gaps, bins) == bootstrap_ece(gaps, bins)
    assert bootstrap_ece(gaps, bins, seed=1) != bootstrap_ece(gaps, bins)
    assert np.array_equal(before, np.random.get_state()[1])


def test_an_estimate_writes_itself():
    estimate = Estimate(0.931, 0.914, 0.945, n=1000)
    assert str(estimate) == f"{estimate}" == "93.1% [91.4, 94.5]"
    assert f"{estimate:.0%}" == "93% [91, 94]"
    assert f"{mean_interval([1.0, 2.0, 3.0]):.1f}" == "2.0 [-0.5, 4.5]"
    assert estimate.format_interval(".2f") == "[0.91, 0.94]"
