from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdhelpers.costs import ServingPlan

PLAN = ServingPlan(
    traffic=2_000_000,
    teacher_per_million=500,
    student_per_million=20,
    escalated=0.3,
    distil_cost=6_000,
    refresh_cost=900,
    drift=0.01,
    tolerated=0.03,
)


def test_a_plan_in_closed_form():
    assert PLAN.teacher_alone == pytest.approx(1000)
    assert PLAN.refreshes_per_year == pytest.approx(4)
    assert PLAN.refreshing == pytest.approx(300)
    assert PLAN.cascade == pytest.approx(2 * (20 + 150) + 300)
    assert PLAN.saving == pytest.approx(360)
    assert PLAN.break_even_months == pytest.approx(6_000 / 360)
    assert PLAN.break_even_traffic(24) == pytest.approx((300 + 250) / 330e-6)
    assert PLAN.advice() == "distil: it saves 360 a month and has paid for itself after 16.7 months."


PLANS = st.builds(
    ServingPlan,
    traffic=st.floats(1, 1e9),
    teacher_per_million=st.floats(0, 1e4),
    student_per_million=st.floats(0, 1e4),
    escalated=st.floats(0, 1),
    distil_cost=st.floats(0, 1e6),
    refresh_cost=st.floats(0, 1e5),
    drift=st.floats(0, 0.2),
    tolerated=st.floats(0.01, 1),
)


@settings(max_examples=100, deadline=None)
@given(PLANS, st.floats(1, 60))
def test_break_even_is_where_all_that_was_spent_is_earned(plan, months):
    traffic = plan.break_even_traffic(months)
    if traffic == math.inf:
        more = replace(plan, traffic=1e15)
        assert more.saving <= 1e-9 * more.teacher_alone
        return
    at = replace(plan, traffic=traffic)
    earned = at.saving * months
    scale = max(at.teacher_alone, at.refreshing, 1) * months
    assert earned == pytest.approx(plan.distil_cost, rel=1e-6, abs=1e-6 * scale)


@settings(max_examples=100, deadline=None)
@given(PLANS, st.floats(1, 60))
def test_the_advice_is_what_the_sums_say(plan, months):
    pays = plan.saving > 0 and plan.break_even_months <= months
    assert plan.advice(months).startswith("distil: " if pays else "do not distil: ")


@settings(max_examples=100, deadline=None)
@given(PLANS, st.floats(0, 1))
def test_more_escalated_or_more_drift_never_saves(plan, more):
    assert replace(plan, escalated=max(plan.escalated, more)).saving <= plan.saving + 1e-6
    assert replace(plan, drift=max(plan.drift, more)).saving <= plan.saving + 1e-6


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"escalated": 1.0}, "with 100% escalated a message costs more than with the teacher alone"),
        ({"escalated": 0.5, "student_per_million": 250}, "with 50% escalated a message costs as much as"),
        (
            {"drift": 0.03},
            "12.0 refreshes a year cost 900 a month and eat what the student saves; from 3,484,",
        ),
        ({"traffic": 1_000_000}, "it would pay for itself after 200.0 months, and is in use for 24"),
    ],
)
def test_it_says_when_not_to_distil_and_why(changes, says):
    found = replace(PLAN, **changes).advice()
    assert found.startswith("do not distil: ")
    assert says in found


def test_a_student_that_costs_nothing_has_paid_at_once_unless_it_loses():
    free = replace(PLAN, distil_cost=0, refresh_cost=0)
    assert free.break_even_months == 0
    assert free.break_even_traffic() == 0
    assert replace(free, student_per_million=600).break_even_months == math.inf
    assert replace(free, student_per_million=600).break_even_traffic() == math.inf


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"traffic": -1}, "traffic is -1"),
        ({"teacher_per_million": math.nan}, "teacher_per_million is nan"),
        ({"refresh_cost": math.inf}, "refresh_cost is inf"),
        ({"escalated": 20}, "both are shares"),
        ({"drift": 2}, "both are shares"),
        ({"tolerated": 0}, "tolerated is 0"),
    ],
)
def test_what_is_no_plan_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        replace(PLAN, **changes)


@pytest.mark.parametrize("months", [0, -3, math.nan])
def test_a_student_is_used_for_some_time(months):
    with pytest.raises(ValueError, match="months is"):
        PLAN.break_even_traffic(months)
