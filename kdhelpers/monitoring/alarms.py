"""Alarms on drift that ring falsely no more often, in all their weeks together, than they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .bins import bins_of, divergence, same_kind
from .chance import simulated_threshold
from .checks import checked_share, checked_values, checked_whole
from .stability import by_size


@dataclass(frozen=True)
class WeekCheck:
    """What an alarm found in a week.

    Args:
        value: How far the week is from the reference.
        threshold: Above this the alarm rings.
        parts: What moved: the bins or words behind the value, the largest first.

    Example:
        >>> print(WeekCheck(0.21, 0.12, {"refunds": 0.15, "charges": 0.06}))
        ALARM: 0.21 is above 0.12 (refunds, charges)
    """

    value: float
    threshold: float
    parts: Mapping[str, float]

    @property
    def alarm(self) -> bool:
        """Whether it rings.

        Example:
            >>> WeekCheck(0.11, 0.12, {}).alarm
            False
        """
        return self.value > self.threshold

    def __str__(self) -> str:
        if not self.alarm:
            return f"quiet: {self.value:.3g} is not above {self.threshold:.3g}"
        return f"ALARM: {self.value:.3g} is above {self.threshold:.3g} ({', '.join([*self.parts][:3])})"


class Alarm(Protocol):
    """Whatever checks a week's rows, and says how often it rings falsely."""

    rate: float
    weeks: int

    def check(self, this_week: Any) -> WeekCheck: ...


class DriftAlarm:
    """Watches scores or class choices, week by week, against a time when all was well.

    The value is the population stability index (see :func:`population_stability`). If nothing changes, the
    probability that the alarm rings in any of the `weeks` is at most `rate`: each look gets rate / weeks
    (union bound). Thresholds are simulated for the number of rows that a week has. A week may have any number
    of rows; the last four weeks together make a small, lasting drift easier to see and a sudden one a little
    later.

    Args:
        reference: (n,) scores (numbers with a point) or classes (whole numbers or names). More than in a week
            or two, and of messages that the model was **not** trained on: those look surer than new ones do.
        weeks: How many looks there will be.
        rate: The probability of a false alarm in all of them together. Several alarms share one rate: with
            three of them, give each a third.
        bins: How many for scores.
        seed: Of the simulation.

    Raises:
        ValueError: No rows, NaN, weeks below 1, or a rate outside 0 to 1.
        TypeError: Neither scores nor classes.

    Example:
        >>> alarm = DriftAlarm(["refunds", "charges"] * 500, weeks=52, rate=0.05)
        >>> print(alarm.check(["refunds"] * 52 + ["charges"] * 48))
        quiet: 0.0016 is not above 0.13
        >>> print(alarm.check(["refunds"] * 80 + ["charges"] * 20))
        ALARM: 0.416 is above 0.13 (charges, refunds)
    """

    def __init__(
        self, reference: Any, *, weeks: int = 52, rate: float = 0.05, bins: int = 10, seed: int = 0
    ) -> None:
        self.weeks, self.rate = checked_whole(weeks, "weeks", least=1), checked_share(rate, "rate")
        self._reference = checked_values(reference, "reference")
        self._bins = bins_of(self._reference, bins)
        self._counts = self._bins.counts(self._reference)
        self._thresholds: dict[int, float] = {}
        self._seed = seed

    def threshold(self, rows: int) -> float:
        """What the value stays below, in a week of so many rows, with probability 1 - rate / weeks.

        Raises:
            ValueError: rows is below 1.

        Example:
            >>> alarm = DriftAlarm([0, 1] * 200)
            >>> alarm.threshold(50) > alarm.threshold(500)
            True
        """
        if checked_whole(rows, "rows", least=1) not in self._thresholds:
            level = self.rate / self.weeks
            self._thresholds[rows] = simulated_threshold(self._counts, rows, level, self._seed)
        return self._thresholds[rows]

    def check(self, this_week: Any) -> WeekCheck:
        """Compare a week with the reference.

        Args:
            this_week: (m,) of the same kind as the reference.

        Raises:
            ValueError: No rows, or NaN.
            TypeError: Another kind than the reference.

        Example:
            >>> DriftAlarm([0.1, 0.5, 0.9] * 100).check([0.5, 0.9, 0.1]).alarm
            False
        """
        values = same_kind(self._reference, this_week, "this_week")
        parts = divergence(self._counts, self._bins.counts(values))
        moved = {name: part for name, part in by_size(self._bins.names(), parts).items() if part > 0}
        return WeekCheck(float(parts.sum()), self.threshold(len(values)), moved)


class DriftWatch:
    """Several alarms together, by name, with the rate at which any of them rings falsely.

    Args:
        alarms: By name; all for the same number of weeks. Their rates add up.

    Raises:
        ValueError: No alarm, other numbers of weeks, or rates that add up to 1.

    Example:
        >>> watch = DriftWatch({"queues": DriftAlarm(["a", "b"] * 300, rate=0.025),
        ...                     "confidence": DriftAlarm([0.2, 0.7] * 300, rate=0.025)})
        >>> watch.rate
        0.05
        >>> found = watch.check({"queues": ["a", "b", "b"], "confidence": [0.2, 0.7, 0.7]})
        >>> [name for name in found if found[name].alarm]
        []
    """

    def __init__(self, alarms: Mapping[str, Alarm]) -> None:
        self.alarms = dict(alarms)
        if len({alarm.weeks for alarm in self.alarms.values()}) != 1:
            raise ValueError("Give one alarm or more, all of them for the same number of weeks.")
        self.rate = checked_share(sum(alarm.rate for alarm in self.alarms.values()), "the sum of the rates")

    def check(self, this_week: Mapping[str, Any]) -> dict[str, WeekCheck]:
        """What every alarm found, by name.

        Args:
            this_week: For each alarm its rows.

        Raises:
            ValueError: A name without an alarm, or an alarm without rows.

        Example:
            >>> watch = DriftWatch({"queues": DriftAlarm(["a", "b"] * 300)})
            >>> watch.check({"queues": ["a"] * 40})["queues"].alarm
            True
        """
        if this_week.keys() != self.alarms.keys():
            raise ValueError(
                f"This week has rows for {', '.join(this_week) or 'no alarm'}; the alarms are "
                f"{', '.join(self.alarms)}: give each its rows."
            )
        return {name: alarm.check(this_week[name]) for name, alarm in self.alarms.items()}
