"""How often the alarms ring in years without drift, and how soon when the help desk's next quarter begins.

    python tests/benchmarks/bench_monitoring.py [years]

A year is a reference of 2,000 messages and 52 weeks of 400. Every year has a reference of its own, so that
years are independent and Wilson's interval holds. For the distributions, messages are drawn from validation
and test: these are all the messages there are, so "nothing has changed" is true exactly. New words need
messages that do not repeat: the reference is a random part of all messages of this quarter, each week a part
of the rest.
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from kdhelpers.bars import progress_bar
from kdhelpers.data import Split, load_support
from kdhelpers.data.places import shipped_folder
from kdhelpers.evaluation import wilson
from kdhelpers.losses import kd_loss
from kdhelpers.monitoring import DriftAlarm, NewWordsAlarm, SequentialAudit
from kdhelpers.seeding import seeded
from kdhelpers.teacher_outputs import TeacherOutputs
from kdhelpers.text import NgramStudent
from kdhelpers.training import distill

WEEKS, RATE, WEEK, REFERENCE, AUDITED, WITHIN = 52, 0.05, 400, 2_000, 100, 4
SUPPORT = load_support()
Rings = tuple[list[bool], list[bool]]
THIRD = {"weeks": WEEKS, "rate": RATE / 3}


def student() -> NgramStudent:
    stored = TeacherOutputs.open(shipped_folder("support") / "teacher_outputs", split=SUPPORT.pool)
    model, loss = seeded(lambda: NgramStudent(SUPPORT.classes), 0), partial(kd_loss, temperature=1.0)
    settings = dict(epochs=3, batch_size=256, learning_rate=4e-2, schedule="one-cycle", progress=False)
    distill(model, SUPPORT.pool, stored, loss=loss, kd_weight=1.0, **settings)
    return model.eval()


def answers(
    model: NgramStudent, *splits: Split
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Of all rows the class chosen, the confidence, and whether it is right."""
    with torch.no_grad():
        probabilities = torch.cat([model(split.inputs) for split in splits]).softmax(-1).double()
    labels = torch.cat([SUPPORT.by_outcome(split).labels for split in splits])
    sure, chosen = probabilities.max(-1)
    return chosen.numpy(), sure.numpy(), chosen.eq(labels).numpy()


def distribution_years(values: NDArray, later: NDArray, years: int, name: str) -> Rings:
    """Whether each year without drift rang, and whether each drift did within four weeks."""
    false, found = [], []
    for year in progress_bar(range(years), title=name, unit="year"):
        rng = np.random.default_rng(year)
        alarm = DriftAlarm(rng.choice(values, REFERENCE), **THIRD, seed=year)
        weeks = [alarm.check(rng.choice(values, WEEK)).alarm for _ in range(WEEKS)]
        false.append(any(weeks))
        drifted = rng.choice(later, (WITHIN, WEEK))
        found.append(any(alarm.check(week).alarm for week in drifted))
    return false, found


def word_years(years: int) -> Rings:
    """The same for new words; a year's reference is 10,000 messages of this quarter."""
    texts = np.array([*SUPPORT.pool.inputs, *SUPPORT.validation.inputs, *SUPPORT.test.inputs])
    later = np.array(SUPPORT.next_quarter.inputs)
    false, found = [], []
    for year in progress_bar(range(years), title="new words", unit="year"):
        rng = np.random.default_rng(year)
        order = rng.permutation(len(texts))
        alarm = NewWordsAlarm(texts[order[:10_000]].tolist(), **THIRD)
        rest = texts[order[10_000:]]
        weeks = (rng.choice(rest, WEEK, replace=False).tolist() for _ in range(WEEKS))
        false.append(any(alarm.check(week).alarm for week in weeks))
        drifted = (rng.choice(later, WEEK).tolist() for _ in range(WITHIN))
        found.append(any(alarm.check(week).alarm for week in drifted))
    return false, found


def audit_years(accuracies: tuple[float, float], years: int, floor: float, within: int) -> Rings:
    """The same for an audit of a hundred messages a week; without drift, accuracy is on the floor itself."""
    false, found = [], []
    for year in range(years):
        rng = np.random.default_rng(year)
        audit = SequentialAudit(floor, rate=RATE, weeks=WEEKS)
        states = [audit.update(int(n), AUDITED) for n in rng.binomial(AUDITED, floor, WEEKS)]
        false.append(states[-1].alarm)
        audit = SequentialAudit(floor, rate=RATE, weeks=WEEKS)
        shares = np.repeat(accuracies, WEEKS // 2)
        states = [audit.update(int(n), AUDITED) for n in rng.binomial(AUDITED, shares)]
        found.append(states[WEEKS // 2 + within - 1].alarm and not states[WEEKS // 2 - 1].alarm)
    return false, found


def together(runs: list[Rings]) -> Rings:
    """Whether any of them rang."""
    false, found = (np.any(rang, axis=0).tolist() for rang in zip(*runs, strict=True))
    return false, found


def main() -> None:
    years = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    model = student()
    now = answers(model, SUPPORT.validation, SUPPORT.test)
    later = answers(model, SUPPORT.next_quarter)
    fall = float(now[2].mean()), float(later[2].mean())
    three = {
        "classes": distribution_years(now[0], later[0], years, "classes"),
        "confidence": distribution_years(now[1], later[1], years, "confidence"),
        "new words": word_years(years),
    }
    rows = [(name, RATE / 3, WITHIN, rings) for name, rings in three.items()]
    rows.append(("these three together", RATE, WITHIN, together([*three.values()])))
    floor = round(fall[0] - 0.02, 2)
    for lower, within in ((fall[1], WITHIN), (fall[1], WEEKS // 2), (0.45, WITHIN)):
        rings = audit_years((fall[0], lower), years, floor, within)
        rows.append((f"audit, to {lower:.1%}", RATE, within, rings))
    print(
        f"{years:,} years of {WEEKS} weeks of {WEEK} messages, {AUDITED} of them audited, floor {floor:.0%}"
    )
    print(f"{'alarm':21} {'stated':>6}  {'rings in a year without drift':30} finds the drift")
    for name, rate, within, (false, found) in rows:
        rings, finds = wilson(sum(false), years), wilson(sum(found), years)
        kept = "" if rings.low <= rate else "   RINGS TOO OFTEN"
        print(f"{name:21} {rate:6.2%}  {rings!s:30} {finds!s} within {within} weeks{kept}")


if __name__ == "__main__":
    main()
