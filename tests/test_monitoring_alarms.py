from __future__ import annotations

import math

import numpy as np
import pytest

from kdhelpers.evaluation import wilson
from kdhelpers.monitoring import DriftAlarm, DriftWatch, NewWordsAlarm, population_stability


def rings(make, draw, years, weeks, rate, seed=0):
    """How many years without drift have an alarm, each with a reference of its own."""
    rng, count = np.random.default_rng(seed), 0
    for _ in range(years):
        alarm = DriftAlarm(make(rng), weeks=weeks, rate=rate, seed=int(rng.integers(2**31)))
        count += any(alarm.check(draw(rng)).alarm for _ in range(weeks))
    return wilson(count, years)


MIX = np.array([0.5, 0.2, 0.15, 0.1, 0.04, 0.008, 0.002])  # the last is seldom in a reference at all


@pytest.mark.whole
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.choice(7, n, p=MIX),
        lambda rng, n: rng.gamma(0.3, size=n),
        lambda rng, n: np.floor(rng.gamma(1.0, size=n) * 2) / 2,  # many equal scores
    ],
    ids=["classes", "scores", "equal scores"],
)
def test_false_alarms_are_as_rare_as_stated(draw):
    # A lax rate over few weeks has quick thresholds; bench_monitoring.py runs whole years at 5%.
    found = rings(lambda rng: draw(rng, 400), lambda rng: draw(rng, 100), years=400, weeks=4, rate=0.2)
    assert found.low <= 0.2
    assert found.high > 0.05  # and not so cautious that nothing would ever ring


def test_a_drift_is_found():
    rng = np.random.default_rng(0)
    alarm = DriftAlarm(rng.normal(0, 1, 2000), weeks=52, rate=0.05)
    assert np.mean([alarm.check(rng.normal(0.5, 1, 400)).alarm for _ in range(40)]) > 0.95
    classes = DriftAlarm(rng.choice(7, 2000, p=MIX))
    check = classes.check(rng.choice(7, 400, p=MIX[::-1]))
    assert check.alarm
    assert "ALARM" in str(check)
    assert next(iter(check.parts)) in ("0", "6")


def test_a_class_that_was_never_seen_rings():
    alarm = DriftAlarm([0, 1] * 500)
    found = alarm.check([0] * 45 + [1] * 45 + [2] * 10)
    assert found.alarm
    assert next(iter(found.parts)) == "not seen before"


def test_the_value_is_the_stability_index():
    rng = np.random.default_rng(3)
    reference, week = rng.random(500), rng.random(80) ** 1.3
    found = DriftAlarm(reference).check(week)
    assert found.value == pytest.approx(population_stability(reference, week).value)
    assert found.value == pytest.approx(sum(found.parts.values()))


def test_thresholds_follow_rows_rate_and_weeks():
    reference = np.random.default_rng(0).random(1000)
    alarm = DriftAlarm(reference)
    assert alarm.threshold(100) > alarm.threshold(1000)
    assert DriftAlarm(reference, rate=0.01).threshold(100) > alarm.threshold(100)
    assert DriftAlarm(reference, weeks=4).threshold(100) < alarm.threshold(100)
    assert DriftAlarm(reference).threshold(100) == alarm.threshold(100)


def test_the_threshold_is_the_chi_square_one_where_that_holds():
    # Many rows, and a level that is not far out in the tail.
    from scipy import stats

    alarm = DriftAlarm(np.random.default_rng(0).random(100_000), weeks=1, rate=0.01)
    theory = (1 / 100_000 + 1 / 20_000) * stats.chi2.ppf(0.99, 9)
    assert alarm.threshold(20_000) == pytest.approx(theory, rel=0.1)


def test_alarms_together_add_up_and_answer_by_name():
    alarms = {"queues": DriftAlarm([0, 1] * 200, rate=0.03), "words": NewWordsAlarm(["a b"] * 9, rate=0.02)}
    watch = DriftWatch(alarms)
    assert watch.rate == pytest.approx(0.05)
    found = watch.check({"queues": [0, 1] * 50, "words": ["hello"]})
    assert list(found) == ["queues", "words"]
    assert not found["queues"].alarm
    with pytest.raises(ValueError, match="This week has rows for queues; the alarms are queues, words"):
        watch.check({"queues": [0]})


def test_alarms_together_need_one_horizon_and_room_for_their_rates():
    with pytest.raises(ValueError, match="one alarm or more"):
        DriftWatch({})
    with pytest.raises(ValueError, match="same number of weeks"):
        DriftWatch({"a": DriftAlarm([0, 1], weeks=4), "b": DriftAlarm([0, 1], weeks=5)})
    with pytest.raises(ValueError, match="the sum of the rates"):
        DriftWatch({"a": DriftAlarm([0, 1], rate=0.6), "b": DriftAlarm([0, 1], rate=0.6)})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"weeks": 0}, "weeks is 0"),
        ({"rate": 1}, "rate is 1"),
        ({"rate": -0.1}, "rate"),
        ({"bins": 1}, "bins"),
    ],
)
def test_settings_out_of_range_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        DriftAlarm([0.1, 0.2], **settings)


def test_a_week_of_another_kind_is_refused():
    alarm = DriftAlarm([0.1, 0.2])
    with pytest.raises(TypeError, match="this_week holds class names"):
        alarm.check(["a"])
    with pytest.raises(ValueError, match="this_week is NaN"):
        alarm.check([math.nan])
    with pytest.raises(ValueError, match="rows is 0"):
        alarm.threshold(0)
