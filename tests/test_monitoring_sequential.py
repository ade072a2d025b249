from __future__ import annotations

import json
import math

import numpy as np
import pytest

from kdhelpers.evaluation import wilson
from kdhelpers.monitoring import Bets, SequentialAudit
from kdhelpers.monitoring.betting import FALLEN


def slow_evidence(floor, weeks, counts):
    """The mixture from its definition: a product for each start and each lower accuracy."""
    total = 0.0
    for start in range(weeks):
        for fallen in FALLEN:
            fortune, lower = 1.0, floor * fallen
            for right, audited in counts[start:]:
                fortune *= (lower / floor) ** right * ((1 - lower) / (1 - floor)) ** (audited - right)
            total += fortune / (weeks * len(FALLEN))
    return total


def test_evidence_is_the_mixture_of_all_bets():
    rng, bets, counts = np.random.default_rng(0), Bets(0.7, 6), []
    assert bets.evidence == pytest.approx(1)
    for _ in range(6):
        counts.append((int(rng.binomial(9, 0.5)), 9))
        bets.add(*counts[-1])
        assert bets.evidence == pytest.approx(slow_evidence(0.7, 6, counts))


@pytest.mark.parametrize("floor", [0.2, 0.55, 0.95])
def test_no_bet_gains_on_average_at_the_floor_or_above(floor):
    n = 7
    for accuracy in (floor, (1 + floor) / 2, 1.0):
        chances = [
            math.comb(n, right) * accuracy**right * (1 - accuracy) ** (n - right) for right in range(n + 1)
        ]
        fortunes = []
        for right in range(n + 1):
            bets = Bets(floor, 1)
            bets.add(right, n)
            fortunes.append(bets.evidence)
        mean = np.dot(chances, fortunes)
        assert mean == pytest.approx(1) if accuracy == floor else mean < 1


def year(rng, floor, shares, rate=0.05, audited=50):
    audit = SequentialAudit(floor, rate=rate, weeks=len(shares))
    return [audit.update(int(right), audited) for right in rng.binomial(audited, shares)]


@pytest.mark.whole
def test_ville_holds_the_false_alarm_rate_over_the_year():
    rng = np.random.default_rng(0)
    rang = sum(year(rng, 0.8, [0.8] * 20, rate=0.2, audited=20)[-1].alarm for _ in range(800))
    assert wilson(rang, 800).low <= 0.2
    assert rang > 8  # it is a bound, not a wall


def test_a_fall_at_an_unknown_week_is_found_and_dated():
    rng = np.random.default_rng(1)
    soon, dated = [], []
    for _ in range(100):
        states = year(rng, 0.8, [0.86] * 30 + [0.6] * 22)
        soon.append(states[33].alarm and not states[29].alarm)
        dated.append(states[-1].since)
    assert np.mean(soon) > 0.95
    assert np.mean(np.abs(np.array(dated) - 31) <= 2) > 0.9


def test_an_alarm_stays_though_accuracy_recovers():
    audit = SequentialAudit(0.8)
    for right in (10, 10, 50, 50, 50, 50):
        state = audit.update(right, 50)
    assert state.evidence < 20
    assert state.alarm
    assert state.since is not None
    assert "ALARM: below the floor since about week" in str(state)


def test_the_order_of_weeks_matters_only_to_the_bets_that_began_between():
    one, two = Bets(0.7, 2), Bets(0.7, 2)
    for first, second in ((5, 9), (9, 5)):
        bets = one if first == 5 else two
        bets.add(first, 20)
        bets.add(second, 20)
    assert one.by_start[0] == pytest.approx(two.by_start[0])
    assert one.by_start[1] < two.by_start[1]


def test_the_state_reads_the_last_weeks():
    audit = SequentialAudit(0.5)
    for right in (0, 9, 9, 9, 9):
        state = audit.update(right, 10)
    assert (state.recent, state.week) == (wilson(36, 40), 5)
    assert not state.alarm
    assert str(state).startswith("week 5: 90.0% [")


def test_a_week_without_an_audit_changes_nothing_but_the_calendar():
    audit = SequentialAudit(0.5)
    state = audit.update(0, 0)
    assert (state.week, state.alarm, state.recent.n) == (1, False, 0)
    assert state.evidence == pytest.approx(1)


def test_no_number_overflows():
    audit = SequentialAudit(0.99, weeks=2)
    assert math.isfinite(audit.update(0, 1_000_000).evidence)
    assert math.isfinite(audit.update(1_000_000, 1_000_000).evidence)


def test_it_goes_on_from_a_file_as_if_it_had_never_stopped(tmp_path):
    rng, file = np.random.default_rng(2), tmp_path / "audit.json"
    whole = SequentialAudit(0.7, rate=0.1, weeks=20)
    SequentialAudit(0.7, rate=0.1, weeks=20).save(file)
    for right in rng.binomial(30, 0.6, 20):
        weekly = SequentialAudit.load(file)  # as a weekly job does
        assert weekly.update(int(right), 30) == whole.update(int(right), 30)
        weekly.save(file)
    assert [path.name for path in tmp_path.iterdir()] == ["audit.json"]
    with pytest.raises(ValueError, match="All 20 weeks of this audit are over"):
        weekly.update(1, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(version=9),
        lambda told: told.update(floor=2),
        lambda told: told.pop("counts"),
        lambda told: told["counts"].append({"right": 5, "audited": 3}),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, change):
    audit, file = SequentialAudit(0.7), tmp_path / "audit.json"
    audit.update(3, 5)
    audit.save(file)
    told = json.loads(file.read_text())
    change(told)
    file.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"audit\.json is no saved audit, or damaged: "):
        SequentialAudit.load(file)
    file.write_text("[")
    with pytest.raises(ValueError, match=r"audit\.json is no saved audit"):
        SequentialAudit.load(file)


@pytest.mark.parametrize(
    ("counts", "says"),
    [((3, 2), "3 right of 2 audited"), ((-1, 2), "right is -1"), ((1, 2.5), "audited is 2.5")],
)
def test_counts_that_do_not_fit_are_refused_and_not_kept(counts, says):
    audit = SequentialAudit(0.7)
    with pytest.raises(ValueError, match=says):
        audit.update(*counts)
    assert audit.counts == []


@pytest.mark.parametrize(
    ("settings", "says"), [({"floor": 1}, "floor"), ({"rate": 0}, "rate"), ({"weeks": 0}, "weeks")]
)
def test_settings_out_of_range_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        SequentialAudit(**{"floor": 0.6, **settings})
