from __future__ import annotations

import math

import numpy as np
import pytest

from kdhelpers.evaluation import Estimate, wilson
from kdhelpers.monitoring import accuracy_lost, refresh_decision

COSTS = {"traffic": 1000, "cost_of_error": 2.0, "refresh_cost": 1000.0, "weeks": 10}


@pytest.mark.parametrize(
    ("lost", "advice"), [(0.0501, "refresh"), (0.05, "wait"), (0.0, "wait"), (-0.1, "wait")]
)
def test_it_pays_where_it_saves_more_than_it_costs(lost, advice):
    # 1,000 messages x 2 x lost x 10 weeks against 1,000: equal at 5 points.
    found = refresh_decision(lost, **COSTS)
    assert found.advice == advice
    assert found.stale_per_week == pytest.approx(max(lost, 0) * 2000)
    assert found.pays_back == (pytest.approx(1000 / (lost * 2000)) if lost > 0 else math.inf)
    assert str(found).startswith(f"{advice}: staying stale costs")


@pytest.mark.parametrize(
    ("low", "high", "advice"), [(0.06, 0.1, "refresh"), (0.01, 0.04, "wait"), (0.02, 0.1, "audit more")]
)
def test_an_interval_on_both_sides_asks_for_more(low, high, advice):
    assert refresh_decision(Estimate((low + high) / 2, low, high, 99), **COSTS).advice == advice


def test_a_free_refresh_pays_as_soon_as_anything_is_lost():
    assert refresh_decision(0.001, **{**COSTS, "refresh_cost": 0}).advice == "refresh"
    assert refresh_decision(0.0, **{**COSTS, "refresh_cost": 0}).advice == "wait"


def test_accuracy_lost_covers_the_truth():
    rng, held = np.random.default_rng(0), []
    for _ in range(2000):
        before, now = wilson(int(rng.binomial(600, 0.64)), 600), wilson(int(rng.binomial(150, 0.55)), 150)
        found = accuracy_lost(before, now)
        held.append(found.low <= 0.09 <= found.high)
    assert 0.93 < np.mean(held) < 0.97


def test_accuracy_lost_is_newcombes_published_example():
    # Newcombe 1998, table II, contrast (a): 56/70 - 48/80, method 10.
    found = accuracy_lost(wilson(56, 70), wilson(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"lost": 8.0}, "lost is 8.0"),
        ({"lost": math.nan}, "lost is nan"),
        ({"traffic": -1}, "traffic is -1"),
        ({"cost_of_error": math.inf}, "cost_of_error is inf"),
        ({"refresh_cost": -1}, "refresh_cost"),
        ({"weeks": 0}, "weeks is 0: give a number above 0"),
    ],
)
def test_what_is_no_cost_is_refused(changed, says):
    with pytest.raises(ValueError, match=says):
        refresh_decision(**{"lost": 0.1, **COSTS, **changed})
