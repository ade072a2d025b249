"""Whether to relabel and refresh: what staying stale costs against what a refresh costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..evaluation import Estimate, unpaired_difference
from .checks import checked_amount


@dataclass(frozen=True)
class RefreshDecision:
    """What to do, and the sums behind it.

    Args:
        advice: "refresh", "wait", or "audit more" if the interval reaches to both sides.
        stale_per_week: What the lost accuracy costs each week.
        pays_back: Weeks after which a refresh has paid for itself; infinite if never.
        reason: A sentence.

    Example:
        >>> RefreshDecision("wait", 10.0, 80.0, "...").advice
        'wait'
    """

    advice: str
    stale_per_week: float
    pays_back: float
    reason: str

    def __str__(self) -> str:
        return f"{self.advice}: {self.reason}"


def accuracy_lost(before: Estimate, now: Estimate) -> Estimate:
    """How much of the accuracy is gone, from two separate sets of rows.

    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method
    10.

    Args:
        before: A share with Wilson's interval, such as a report's accuracy.
        now: The same, of other rows.

    Returns:
        Before minus now, with the interval of their level.

    Example:
        >>> from kdhelpers.evaluation import wilson
        >>> print(accuracy_lost(wilson(640, 1000), wilson(110, 200)))
        9.0% [1.6, 16.5]
    """
    return unpaired_difference(before, now)


def refresh_decision(
    lost: Estimate | float, *, traffic: float, cost_of_error: float, refresh_cost: float, weeks: float = 26
) -> RefreshDecision:
    """Compare staying stale with refreshing.

    Each week of staying stale costs traffic * lost * cost_of_error. A refresh pays if, over the weeks it will
    be good for, it saves more than it costs: traffic * lost * cost_of_error * weeks > refresh_cost. That
    presumes that it wins back all that was lost, which it seldom does entirely.

    Args:
        lost: The accuracy lost since the last refresh, a share of all messages such as 0.08. With its
        interval
            (see :func:`accuracy_lost`) the advice may be that more has to be audited first.
        traffic: Messages a week.
        cost_of_error: What one more wrong answer costs, in any currency.
        refresh_cost: Labels, the teacher's run over a new pool, training, and the check of the contract.
        weeks: How long a refresh lasts, until the next one would be due anyway.

    Raises:
        ValueError: A negative number, or one that is not finite.

    Example:
        >>> print(refresh_decision(0.08, traffic=20_000, cost_of_error=0.5, refresh_cost=6_000))
        refresh: staying stale costs 800 a week, a refresh costs 6,000 and pays for itself in 7.5 of 26 weeks.
    """
    if not isinstance(lost, Estimate):
        lost = Estimate(lost, lost, lost, 0)
    if not all(-1 <= end <= 1 for end in (lost.value, lost.low, lost.high)):
        raise ValueError(f"lost is {lost.value}: give the accuracy lost as a share, such as 0.08.")
    checked_amount(refresh_cost, "refresh_cost")
    scale = checked_amount(traffic, "traffic") * checked_amount(cost_of_error, "cost_of_error")
    horizon = checked_amount(weeks, "weeks", above=True)
    low, middle, high = (max(end, 0.0) * scale for end in (lost.low, lost.value, lost.high))
    pays_back = refresh_cost / middle if middle else math.inf
    told = f"staying stale costs {middle:,.0f} a week, a refresh costs {refresh_cost:,.0f}"
    if low * horizon > refresh_cost:
        reason = f"{told} and pays for itself in {pays_back:.1f} of {horizon:g} weeks."
        return RefreshDecision("refresh", middle, pays_back, reason)
    if high * horizon <= refresh_cost:
        reason = f"{told} and would not pay for itself within {horizon:g} weeks."
        return RefreshDecision("wait", middle, pays_back, reason)
    reason = f"{told}, but it may be {low:,.0f} to {high:,.0f} a week: the interval reaches to both sides."
    return RefreshDecision("audit more", middle, pays_back, reason)
