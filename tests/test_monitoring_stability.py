from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kdhelpers.monitoring import chi_square_quantile, population_stability


def by_hand(expected, actual):
    """The textbook's sum, one class after another, with half a row for an empty one."""
    total = 0.0
    for name in {*expected, *actual}:
        p = max(expected.count(name), 0.5) / len(expected)
        q = max(actual.count(name), 0.5) / len(actual)
        total += (q - p) * math.log(q / p)
    return total


CLASSES = st.lists(st.integers(0, 5), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(CLASSES, CLASSES)
def test_classes_give_the_sum_of_the_textbook(expected, actual):
    # Classes that were not expected share one bin, "not seen before".
    merged = [name if name in expected else 99 for name in actual]
    assert population_stability(expected, actual).value == pytest.approx(by_hand(expected, merged))


def test_two_classes_in_closed_form():
    found = population_stability(["a"] * 60 + ["b"] * 40, ["a"] * 30 + ["b"] * 70)
    assert found.value == pytest.approx(0.3 * math.log(0.6 / 0.3) + 0.3 * math.log(0.7 / 0.4))
    assert list(found.parts) == ["a", "b", "not seen before"]
    assert found.moved
    assert "moved, most of all a" in str(found)


@settings(max_examples=40, deadline=None)
@given(CLASSES, CLASSES, st.randoms())
def test_order_and_names_do_not_matter(expected, actual, random):
    value = population_stability(expected, actual).value
    names = [*"qwerty"]
    random.shuffle(names)
    renamed = [[names[label] for label in rows] for rows in (expected, actual)]
    for rows in renamed:
        random.shuffle(rows)
    assert population_stability(*renamed).value == pytest.approx(value)


@settings(max_examples=40, deadline=None)
@given(CLASSES)
def test_it_is_zero_only_where_nothing_moved(rows):
    assert population_stability(rows, rows).value == 0
    assert population_stability(rows, rows * 3).value == pytest.approx(0)
    assert population_stability(rows, [*rows, 7]).value > 0
    floats = [float(row) for row in rows]
    assert population_stability(floats, floats[::-1]).value == 0


def test_scores_are_counted_between_the_quantiles_of_the_expected():
    expected, actual = np.arange(100.0), np.full(50, 1e9)  # above everything: the last bin is open
    everything_above = 0.9 * math.log(1 / 0.1) + 9 * (0.01 - 0.1) * math.log(0.01 / 0.1)
    assert population_stability(expected, actual).value == pytest.approx(everything_above)
    low = population_stability(expected, -actual)
    assert low.value == pytest.approx(everything_above)
    assert next(iter(low.parts)) == "up to 9"
    assert len(low.parts) == 10


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=80), st.integers(2, 12))
def test_a_monotone_scale_of_scores_does_not_matter(scores, bins):
    expected, actual = np.array(scores[1:]), np.array(scores)
    value = population_stability(expected, actual, bins=bins).value
    assert population_stability(expected * 4, actual * 4, bins=bins).value == pytest.approx(value)


def test_equal_scores_share_a_bin():
    found = population_stability([0.0] * 90 + [1.0] * 10, [0.0] * 50 + [1.0] * 50)
    assert len(found.parts) == 2
    assert population_stability([0.5] * 9, [0.7] * 9).moved


def test_the_threshold_is_what_chance_stays_below():
    rng, shares = np.random.default_rng(0), np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    above = []
    for _ in range(1500):
        found = population_stability(rng.choice(5, 300, p=shares), rng.choice(5, 200, p=shares))
        above.append(found.moved)
    assert 0.03 < np.mean(above) < 0.07
    scale = 1 / 300 + 1 / 200
    assert found.threshold == pytest.approx(scale * stats.chi2.ppf(0.95, 4))


def test_the_usual_marks_depend_on_how_many_rows_there_are():
    rng = np.random.default_rng(1)
    small = [population_stability(rng.random(60), rng.random(60)).value for _ in range(200)]
    assert np.mean(np.array(small) > 0.1) > 0.9  # "look", though nothing has changed
    large = population_stability(rng.normal(0, 1, 100_000), rng.normal(0.1, 1, 100_000))
    assert large.value < 0.1
    assert large.moved


def test_tensors_are_rows_too():
    labels = torch.tensor([0, 1, 1])
    assert population_stability(labels, labels).value == 0
    assert population_stability(labels / 3, labels.double() / 3).value >= 0


@pytest.mark.parametrize("probability", [1e-6, 0.05, 0.5, 0.95, 0.999, 1 - 1e-6])
@pytest.mark.parametrize("df", [1, 2, 9, 16, 76])
def test_chi_square_quantile_equals_scipy(probability, df):
    assert chi_square_quantile(probability, df) == pytest.approx(stats.chi2.ppf(probability, df), rel=1e-6)


@pytest.mark.parametrize(("probability", "df"), [(0, 3), (1, 3), (0.5, 0), (math.nan, 3)])
def test_chi_square_quantile_refuses_what_has_none(probability, df):
    with pytest.raises(ValueError, match="no chi-square quantile"):
        chi_square_quantile(probability, df)


@pytest.mark.parametrize(
    ("expected", "actual", "error", "says"),
    [
        ([], [1], ValueError, "expected has shape"),
        ([1], [[1]], ValueError, "actual has shape"),
        ([0.1, 0.2], [0.1, math.nan], ValueError, "actual is NaN in row 1"),
        ([1, 2], [0.5], TypeError, "actual holds scores .* expected holds class numbers"),
        (["a"], [1], TypeError, "class numbers, what was expected holds class names"),
        ([None], [1], TypeError, "expected holds object"),
    ],
)
def test_what_cannot_be_compared_is_refused(expected, actual, error, says):
    with pytest.raises(error, match=says):
        population_stability(expected, actual)


@pytest.mark.parametrize("bins", [1, 2.5, True])
def test_bins_are_two_or_more(bins):
    with pytest.raises(ValueError, match="bins is"):
        population_stability([0.1], [0.2], bins=bins)
