"""Whether a student pays: the teacher alone against both, per month, with all that a student costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class ServingPlan:
    """What serving costs, once with the teacher alone, and once with a student in front.

    The student reads every message and passes the share `escalated` on. It has to be made, and made anew
    whenever its task has drifted by as much as is tolerated; the teacher is taken as there in any case. All
    money is in one currency; a month is a twelfth of a year.

    Args:
        traffic: Messages a month.
        teacher_per_million: Price of a million of the teacher's answers; ``Costs.per_million`` gives one.
        student_per_million: Of the student's.
        escalated: The share of messages that the teacher answers after all, from 0 to 1.
        distil_cost: Once: labels, the teacher's run over the pool, training, and people's time.
        refresh_cost: Of each refresh: the same again, mostly less.
        drift: Accuracy that the student loses in a month without a refresh, a share such as 0.01.
        tolerated: The loss at which it is refreshed.

    Raises:
        ValueError: A negative number or none, escalated or tolerated out of range.

    Example:
        >>> plan = ServingPlan(traffic=1_000_000, teacher_per_million=3_000, student_per_million=10,
        ...                    escalated=0.2, distil_cost=12_000, refresh_cost=3_000, drift=0.01)
        >>> plan.teacher_alone, plan.cascade, plan.saving
        (3000.0, 1210.0, 1790.0)
        >>> print(plan.advice())
        distil: it saves 1,790 a month and has paid for itself after 6.7 months.
    """

    traffic: float
    teacher_per_million: float
    student_per_million: float
    escalated: float = 0.0
    distil_cost: float = 0.0
    refresh_cost: float = 0.0
    drift: float = 0.0
    tolerated: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{field.name} is {value}: give a number of 0 or more.")
        if self.escalated > 1 or self.drift > 1:
            raise ValueError(
                f"escalated is {self.escalated} and drift is {self.drift}: both are shares, 0 to 1."
            )
        if not 0 < self.tolerated <= 1:
            raise ValueError(f"tolerated is {self.tolerated}: give a share above 0, such as 0.05.")

    @property
    def refreshes_per_year(self) -> float:
        """12 * drift / tolerated: the faster the task moves, the more often the student is made anew.

        Example:
            >>> ServingPlan(traffic=1, teacher_per_million=1, student_per_million=0,
            ...             drift=0.01, tolerated=0.04).refreshes_per_year
            3.0
        """
        return 12 * self.drift / self.tolerated

    @property
    def teacher_alone(self) -> float:
        """A month of the teacher alone: traffic * teacher price.

        Example:
            >>> ServingPlan(traffic=500_000, teacher_per_million=8, student_per_million=0).teacher_alone
            4.0
        """
        return self.traffic * self.teacher_per_million / 1e6

    @property
    def refreshing(self) -> float:
        """What refreshes cost in a month: refreshes a year * refresh cost / 12.

        Example:
            >>> ServingPlan(traffic=1, teacher_per_million=1, student_per_million=0, refresh_cost=600,
            ...             drift=0.01, tolerated=0.05).refreshing
            120.0
        """
        return self.refreshes_per_year * self.refresh_cost / 12

    @property
    def cascade(self) -> float:
        """A month of student and teacher: traffic * (student price + escalated * teacher price) + refreshing.

        Example:
            >>> ServingPlan(traffic=1_000_000, teacher_per_million=8, student_per_million=1,
            ...             escalated=0.25).cascade
            3.0
        """
        per_million = self.student_per_million + self.escalated * self.teacher_per_million
        return self.traffic * per_million / 1e6 + self.refreshing

    @property
    def saving(self) -> float:
        """What the student saves in a month, before its own cost; negative where it loses.

        Example:
            >>> ServingPlan(traffic=1_000_000, teacher_per_million=8, student_per_million=9).saving
            -1.0
        """
        return self.teacher_alone - self.cascade

    @property
    def break_even_months(self) -> float:
        """After how many months the student has paid for itself; infinite if never.

        Example:
            >>> ServingPlan(traffic=1_000_000, teacher_per_million=8, student_per_million=2,
            ...             distil_cost=18).break_even_months
            3.0
        """
        if self.distil_cost == 0:
            return 0.0 if self.saving >= 0 else math.inf
        return self.distil_cost / self.saving if self.saving > 0 else math.inf

    def break_even_traffic(self, months: float = 24) -> float:
        """Messages a month from which on the student pays for itself in time; infinite if none are enough.

        That is (refreshing + distil cost / months) / (what a message saves).

        Args:
            months: For how long the student will be in use.

        Raises:
            ValueError: months is not above 0.

        Example:
            >>> plan = ServingPlan(traffic=1_000, teacher_per_million=8, student_per_million=2,
            ...                    distil_cost=240)
            >>> f"{plan.break_even_traffic(months=10):,.0f}"
            '4,000,000'
        """
        if not months > 0:
            raise ValueError(f"months is {months}: give a number above 0.")
        if self._saved_per_message <= 0:
            return math.inf
        return (self.refreshing + self.distil_cost / months) / self._saved_per_message

    def advice(self, months: float = 24) -> str:
        """What to do, and why, if the student will be in use for so long.

        It speaks of money alone: a student may be wanted for its speed, or where no teacher can run.

        Args:
            months: For how long.

        Raises:
            ValueError: months is not above 0.

        Example:
            >>> plan = ServingPlan(traffic=1_000_000, teacher_per_million=8, student_per_million=2,
            ...                    escalated=0.9)
            >>> print(plan.advice(months=12))
            do not distil: with 90% escalated a message costs more than with the teacher alone.
        """
        needed = self.break_even_traffic(months)
        if needed == math.inf:
            return (
                f"do not distil: with {self.escalated:.0%} escalated a message costs "
                f"{'as much as' if self._saved_per_message == 0 else 'more than'} with the teacher alone."
            )
        if self.saving <= 0:
            return (
                f"do not distil: {self.refreshes_per_year:.1f} refreshes a year cost {self.refreshing:,.0f} "
                f"a month and eat what the student saves; from {needed:,.0f} messages a month on it pays."
            )
        if self.break_even_months > months:
            return (
                f"do not distil: it would pay for itself after {self.break_even_months:,.1f} months, and is "
                f"in use for {months:g}; from {needed:,.0f} messages a month on it pays."
            )
        return (
            f"distil: it saves {self.saving:,.0f} a month and has paid for itself after "
            f"{self.break_even_months:.1f} months."
        )

    @property
    def _saved_per_message(self) -> float:
        return ((1 - self.escalated) * self.teacher_per_million - self.student_per_million) / 1e6
