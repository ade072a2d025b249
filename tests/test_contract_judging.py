"""The rule of a clause: partition, order, closed forms, and how often chance makes it fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdhelpers.contract.judging import (
    judge_cost,
    judge_ece,
    judge_lowest,
    judge_share,
    outcome_of,
    rows_to_decide,
)
from kdhelpers.evaluation import Estimate, wilson

SHARE = st.floats(0, 1)
COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
BADNESS = {"pass": 0, "not enough data": 1, "fail": 2}


@given(asked=SHARE, ends=st.tuples(SHARE, SHARE), floor=st.booleans())
def test_the_outcomes_share_out_all_intervals(asked, ends, floor):
    low, high = sorted(ends)
    right = low >= asked if floor else high <= asked
    wrong = high < asked if floor else low > asked
    assert not (right and wrong)
    expected = "pass" if right else "fail" if wrong else "not enough data"
    assert outcome_of(asked, low, high, floor=floor) == expected


@pytest.mark.parametrize("floor", [True, False])
def test_equal_is_a_pass(floor):
    assert outcome_of(0.7, 0.7, 0.7, floor=floor) == "pass"
    assert outcome_of(0.7, 0.7 - (not floor), 0.7 + floor, floor=floor) == "pass"
    assert outcome_of(0.7, 0.7 - floor, 0.7 + (not floor), floor=floor) == "not enough data"


@given(counts=COUNTS, floors=st.tuples(SHARE, SHARE))
def test_a_stricter_floor_never_makes_it_better(counts, floors):
    mild, strict = (judge_share("accuracy", floor, wilson(*counts)) for floor in sorted(floors))
    assert BADNESS[mild.outcome] <= BADNESS[strict.outcome]


@given(counts=st.lists(COUNTS, min_size=1, max_size=8), floors=st.tuples(SHARE, SHARE))
def test_nor_does_it_for_the_lowest_recall(counts, floors):
    recalls = {f"class {at}": wilson(*pair) for at, pair in enumerate(counts)}
    mild, strict = (judge_lowest(floor, recalls) for floor in sorted(floors))
    assert BADNESS[mild.outcome] <= BADNESS[strict.outcome]
    assert mild.low <= mild.measured <= mild.high


@given(gap=st.floats(0.0, 0.3), low=st.floats(0.0, 0.2), ceilings=st.tuples(SHARE, SHARE))
def test_a_lower_ceiling_never_makes_it_better(gap, low, ceilings):
    found = Estimate(low + gap / 2, low, low + gap, 200)
    strict, mild = (judge_ece(ceiling, found) for ceiling in sorted(ceilings))
    assert BADNESS[mild.outcome] <= BADNESS[strict.outcome]


def test_wilson_by_hand():
    # 90 of 100: centre (0.9 + 0.0192073) / 1.0384146 = 0.885202,
    # half width 1.9599640 / 1.0384146 sqrt(0.0009 + 0.0000960) = 0.059569.
    clause = judge_share("accuracy", 0.8, wilson(90, 100))
    assert (clause.low, clause.high) == pytest.approx((0.825634, 0.944771), abs=1e-5)
    assert (clause.measured, clause.n, clause.outcome, clause.note) == (0.9, 100, "pass", "")
    failed = judge_share("accuracy", 0.96, wilson(90, 100))
    assert (failed.outcome, failed.note) == ("fail", "at least 1.5 points too low")


@given(
    asked=st.floats(0.05, 0.95), percent=st.integers(0, 100), confidence=st.sampled_from([0.8, 0.95, 0.995])
)
def test_the_rows_asked_for_are_those_that_decide(asked, percent, confidence):
    share = percent / 100
    needed = rows_to_decide(asked, share, confidence)
    if not needed < 1e6:
        return
    # Whole hundreds have the same share: with those above it is decided, with those below it isn't.
    above = 100 * (math.floor(needed / 100) + 1)
    found = wilson(percent * above // 100, above, confidence)
    assert outcome_of(asked, found.low, found.high) == ("pass" if share > asked else "fail")
    below = above - 100 if needed - (above - 100) > 1e-6 else above - 200
    if below > 0:
        found = wilson(percent * below // 100, below, confidence)
        assert outcome_of(asked, found.low, found.high) == "not enough data"


@given(counts=COUNTS, asked=SHARE)
def test_more_rows_are_named_than_there_are(counts, asked):
    clause = judge_share("accuracy", asked, wilson(*counts))
    if clause.note.startswith("about"):
        rows = int(clause.note.split()[1].replace(",", ""))
        exact = rows_to_decide(asked, clause.measured)
        assert clause.n < rows
        assert rows == pytest.approx(max(math.ceil(exact), clause.n + 1), rel=0.1)


def test_an_interval_wider_than_wilsons_asks_for_more_than_there_are():
    found = Estimate(0.74, 0.68, 0.80, 1000)
    assert judge_share("accuracy", 0.7, found).note.startswith("about 1,100 rows")


def test_what_is_as_measured_takes_very_many_rows():
    clause = judge_share("accuracy", 0.7, wilson(70, 100))
    assert clause.outcome == "not enough data"
    assert clause.note == "many thousands of rows or more: it is too near what is asked"
    assert judge_share("accuracy", 1.0, wilson(50, 50)).note == "no number of rows can show 100%"
    assert judge_share("accuracy", 1.0, wilson(49, 50)).outcome == "fail"
    assert judge_share("accuracy", 0.0, wilson(0, 1)).outcome == "pass"


@pytest.mark.parametrize("found", [None, Estimate(math.nan, 0, 1, 0)])
def test_no_rows_decide_nothing(found):
    clause = judge_share("accuracy on rare", 0.0, found)
    assert (clause.outcome, clause.measured, clause.n, clause.note) == ("not enough data", None, 0, "no rows")


def test_the_rows_for_calibration_follow_the_root():
    # Half the width is needed on the side that is open: four times the rows.
    above = judge_ece(0.08, Estimate(0.06, 0.05, 0.10, 1000))
    assert (above.outcome, above.note) == (
        "not enough data",
        "about 4,000 rows would decide it, if as measured",
    )
    assert (above.asked, above.measured, above.low, above.high, above.n) == (0.08, 0.06, 0.05, 0.10, 1000)
    below = judge_ece(0.08, Estimate(0.10, 0.06, 0.11, 1000))
    assert below.note == "about 4,000 rows would decide it, if as measured"
    assert judge_ece(0.08, Estimate(0.08, 0.06, 0.11, 1000)).note.startswith("many thousands")
    assert judge_ece(0.08, Estimate(0.2, 0.1, 0.3, 50)).note == "at least 2 points too high"
    assert judge_ece(0.08, Estimate(0.02, 0.0, 0.08, 50)).note == ""


def test_one_class_needs_no_wider_interval():
    plain, lowest = judge_share("recall", 0.5, wilson(30, 50)), judge_lowest(0.5, {"a": wilson(30, 50)})
    assert (plain.low, plain.high) == pytest.approx((lowest.low, lowest.high))


def test_the_interval_of_the_lowest_recall_by_hand():
    # Three classes: level 0.95^(1/3) = 0.98305, z = 2.3877. With its few rows "b" reaches lower than "a".
    recalls = {"a": wilson(400, 1000), "b": wilson(3, 5), "c": wilson(990, 1000)}
    clause = judge_lowest(0.35, recalls)
    level = 0.95 ** (1 / 3)
    assert clause.name == "lowest recall (a)"
    assert clause.low == pytest.approx(wilson(3, 5, level).low)
    assert clause.high == pytest.approx(wilson(400, 1000, level).high)
    needed = rows_to_decide(0.35, 0.6, level)
    assert clause.note == f"about {math.ceil(needed)} rows of b would decide it, if as measured"
    # Now both "a" and "b" are open; "a" is truly below, which alone would decide.
    assert "of a would decide it, if as measured" in judge_lowest(0.42, recalls).note
    # Both are above: each has to be shown, and the one that takes most is named: 5.701 0.25 / 0.05^2 = 570.1.
    note = judge_lowest(0.5, {"a": wilson(55, 100), "b": wilson(3, 5), "c": wilson(99, 100)}).note
    assert note.startswith("about 580 rows of a would")
    assert note.endswith("; 1 more class is undecided")


def test_the_lowest_recall_fails_by_name():
    clause = judge_lowest(0.8, {"a": wilson(10, 100), "b": wilson(30, 100), "c": wilson(99, 100)})
    assert clause.outcome == "fail"
    assert clause.name == "lowest recall (a)"
    assert clause.note.startswith("a is at least 6")
    assert clause.note.endswith("too low; 1 more class is too low as well")
    three = judge_lowest(0.8, {"a": wilson(10, 100), "b": wilson(30, 100), "c": wilson(20, 100)})
    assert three.note.endswith("too low; 2 more classes are too low as well")
    # By how sure it is to be too low, not by name.
    turned = judge_lowest(0.8, {"a": wilson(30, 100), "b": wilson(10, 100)})
    assert turned.note.startswith("b is at least 6")


def test_a_class_that_is_not_the_lowest_may_be_the_one_shown_to_fail():
    # "a" has the lowest recall, but too few rows to tell; "b" is below the floor beyond doubt.
    clause = judge_lowest(0.4, {"a": wilson(1, 4), "b": wilson(300, 1000)})
    assert (clause.outcome, clause.name) == ("fail", "lowest recall (a)")
    assert clause.note.startswith("b is at least")
    assert clause.high == pytest.approx(wilson(300, 1000, 0.95**0.5).high)


def test_a_class_without_rows_can_neither_pass_nor_hide_a_failure():
    good, bad = {"a": wilson(99, 100), "b": None}, {"a": wilson(1, 100), "b": None}
    clause = judge_lowest(0.5, good)
    assert (clause.outcome, clause.low, clause.note) == ("not enough data", 0.0, "no rows of b")
    assert judge_lowest(0.5, bad).outcome == "fail"
    # It does not widen the interval of those that have rows.
    assert clause.high == pytest.approx(wilson(99, 100).high)
    nothing = judge_lowest(0.5, {"a": None})
    assert (nothing.outcome, nothing.name, nothing.n) == ("not enough data", "lowest recall", 0)
    assert nothing.note == "no rows"
    several = judge_lowest(0.5, {"a": wilson(99, 100), "b": None, "c": None, "d": None})
    assert several.note == "no rows of b; 2 more classes are without rows"
    assert judge_lowest(0.5, {"a": wilson(99, 100)}).note == ""


def test_the_lowest_of_many_does_not_fail_by_chance():
    # 14 classes, all truly at the floor: 2.5% of each alone seem to be below it, so 30% of the contracts.
    rng, classes, n, floor, times = np.random.default_rng(0), 14, 60, 0.7, 1500
    hits = rng.binomial(n, floor, (times, classes))
    level = 0.95 ** (1 / classes)
    wide, plain = (np.array([wilson(k, n, at).high for k in range(n + 1)]) for at in (level, 0.95))
    by_one = (plain[hits] < floor).any(1).mean()
    clauses = [
        judge_lowest(floor, {str(c): wilson(int(k), n) for c, k in enumerate(row)}) for row in hits[:300]
    ]
    failed = (wide[hits] < floor).any(1)
    assert [clause.outcome == "fail" for clause in clauses] == failed[:300].tolist()
    assert by_one > 0.2
    assert failed.mean() < 0.05


def test_its_interval_holds_the_lowest_true_recall():
    rng, times, held = np.random.default_rng(1), 400, 0
    for _ in range(times):
        true, n = rng.uniform(0.5, 0.9, 8), rng.integers(20, 200, 8)
        found = {str(c): wilson(int(rng.binomial(n[c], true[c])), int(n[c])) for c in range(8)}
        clause = judge_lowest(0.5, found)
        held += clause.low <= true.min() <= clause.high
    assert held / times >= 0.95


def test_costs_are_compared_as_they_are():
    passed, failed = judge_cost("bytes", 5, 5, "bytes"), judge_cost("latency p95", 2, 3, "ms")
    assert (passed.outcome, passed.low, passed.high, passed.n) == ("pass", None, None, None)
    assert (failed.outcome, failed.note) == ("fail", "1.5 times what is asked")
    assert judge_cost("bytes", 0, 3, "bytes").note == ""
    assert judge_cost("cost per million", 1, math.inf, "").outcome == "fail"
    unknown = judge_cost("latency p95", 2, math.nan, "ms")
    assert (unknown.name, unknown.outcome, unknown.note) == ("latency p95", "not enough data", "not measured")
    assert (unknown.asked, unknown.measured, unknown.n, unknown.floor, unknown.unit) == (
        2,
        None,
        None,
        False,
        "ms",
    )


@pytest.mark.parametrize("tiny", [5e-324, 1e-200, 1e-17])
def test_the_smallest_distances_are_no_arithmetic_error(tiny):
    assert judge_share("accuracy", tiny, wilson(0, 9)).note.startswith("many thousands")
    assert judge_lowest(tiny, {"a": wilson(0, 9)}).note.startswith("many thousands")
    assert judge_ece(tiny, Estimate(0.0, 0.0, 0.1, 9)).note.startswith("many thousands")
    assert judge_cost("bytes", tiny, 1e300, "bytes").outcome == "fail"
