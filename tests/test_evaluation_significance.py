from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kdhelpers.evaluation import fisher_p, holm, mcnemar_p, unpaired_shares, wilson

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, COUNTS)
def test_fisher_equals_scipy(first, second):
    (a, n), (b, m) = first, second
    assert fisher_p(a, n, b, m) == pytest.approx(stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_the_exact_binomial_test(b, c):
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar_p(b, c) == pytest.approx(expected)
    assert mcnemar_p(b, c) == mcnemar_p(c, b)


def test_newcombe_equals_the_published_intervals():
    # Newcombe 1998, table II, method 10, cases a, c, e and g.
    for counts, low, high in [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 10), -0.2775, 0.2775),
    ]:
        found = unpaired_shares(*counts)
        assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_newcombe_at_another_level_is_of_two_of_wilsons_at_it(confidence):
    one, other = wilson(30, 70, confidence), wilson(50, 80, confidence)
    gap = one.value - other.value
    found = unpaired_shares(30, 70, 50, 80, confidence)
    assert found.low == pytest.approx(gap - math.hypot(one.value - one.low, other.high - other.value))
    assert found.high == pytest.approx(gap + math.hypot(one.high - one.value, other.value - other.low))
    assert (found.value, found.n) == (pytest.approx(gap), 150)


def test_newcombe_covers_what_it_says():
    rng = np.random.default_rng(0)
    p, q, n, m = 0.6, 0.75, 90, 40
    draws = zip(rng.binomial(n, p, 2000).tolist(), rng.binomial(m, q, 2000).tolist(), strict=True)
    inside = [found.low <= p - q <= found.high for found in (unpaired_shares(a, n, b, m) for a, b in draws)]
    assert 0.935 < np.mean(inside) < 0.975


def closed_testing(p_values):
    """Holm by its definition: the largest Bonferroni p-value of any set of nulls that one belongs to."""
    k = len(p_values)
    sets = [s for size in range(1, k + 1) for s in itertools.combinations(range(k), size)]
    worst = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets}
    return [max(worst[s] for s in sets if i in s) for i in range(k)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_closed_testing_with_bonferroni(p_values):
    assert holm(p_values).tolist() == pytest.approx(closed_testing(p_values))


def test_holm_keeps_the_rate_where_nothing_is_there():
    rng = np.random.default_rng(1)
    false_alarms = np.mean([holm(rng.random(20)).min() <= 0.05 for _ in range(4000)])
    assert abs(false_alarms - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 4000)


def test_bad_counts_and_p_values_get_sentences():
    with pytest.raises(ValueError, match="Counts must be 0 or more"):
        fisher_p(5, 4, 1, 2)
    for counts in ((-1, 4, 1, 2), (1, 4, -1, 2), (1, 2, 3, 2)):
        with pytest.raises(ValueError, match="here one is -1"):
            fisher_p(*counts)
    with pytest.raises(ValueError, match="Counts must be 0 or more"):
        mcnemar_p(-1, 2)
    with pytest.raises(ValueError, match="here one is -2"):
        mcnemar_p(1, -2)
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm([0.5, 1.2])
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm([float("nan")])
