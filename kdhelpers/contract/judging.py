"""The rule by which a clause passes or fails, and how many rows it would take where neither is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from ..data.display import rows_said
from ..evaluation import Estimate, wilson
from ..evaluation.intervals import CONFIDENCE
from .verdict import FAIL, PASS, UNDECIDED, Clause, Outcome

MANY = 100_000
NO_GAP = 1e-9  # shares as near as this are equal but for rounding


def outcome_of(asked: float, low: float, high: float, *, floor: bool = True) -> Outcome:
    """Pass if the whole interval is on the right side, fail if it is all on the wrong one. Equal is right.

    Example:
        >>> outcome_of(0.7, 0.7, 0.8), outcome_of(0.7, 0.6, 0.69), outcome_of(0.7, 0.6, 0.7)
        ('pass', 'fail', 'not enough data')
    """
    if not floor:
        asked, low, high = -asked, -high, -low
    if low >= asked:
        return PASS
    return FAIL if high < asked else UNDECIDED


def rows_to_decide(asked: float, share: float, confidence: float = CONFIDENCE) -> float:
    """From how many rows on Wilson's interval around a share leaves out what is asked.

    The interval holds the shares p0 with |share - p0| <= z sqrt(p0 (1 - p0) / n): solved for n at p0 = asked.

    Args:
        asked: The floor.
        share: What was measured, taken as true.
        confidence: The level of the interval.

    Returns:
        Rows, in full precision; infinite if the share is what is asked.

    Example:
        >>> round(rows_to_decide(0.70, 0.72))
        2017
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    gap = abs(share - asked)
    return z**2 * asked * (1 - asked) / gap**2 if gap > NO_GAP else math.inf


def judge_share(name: str, asked: float, found: Estimate | None, of: str = "") -> Clause:
    """A floor under a share that has Wilson's interval.

    Args:
        name: What the clause is called.
        asked: The floor.
        found: What was measured; None stands for no rows.
        of: Of which slice or class the rows are, where that matters.

    Example:
        >>> print(judge_share("accuracy", 0.70, wilson(216, 300)))
        accuracy: not enough data (about 2,100 rows would decide it, if as measured)
    """
    if found is None or found.n == 0:
        return Clause(name, asked, None, None, None, 0, UNDECIDED, note="no rows")
    outcome, note = outcome_of(asked, found.low, found.high), ""
    if outcome == FAIL:
        note = f"at least {_points(asked - found.high)} too low"
    elif outcome == UNDECIDED:
        note = _rows_note(rows_to_decide(asked, found.value), found.n, asked, of)
    return Clause(name, asked, found.value, found.low, found.high, found.n, outcome, note=note)


def judge_ece(asked: float, found: Estimate) -> Clause:
    """A ceiling over the calibration error, whose bootstrap interval narrows with the root of the rows.

    Example:
        >>> print(judge_ece(0.08, Estimate(0.06, 0.04, 0.085, n=400)))
        calibration error: not enough data (about 630 rows would decide it, if as measured)
    """
    outcome, note = outcome_of(asked, found.low, found.high, floor=False), ""
    if outcome == FAIL:
        note = f"at least {_points(found.low - asked)} too high"
    elif outcome == UNDECIDED:
        above = found.high - found.value
        # The lower end stops at 0, and then says less than the width that is there.
        width = above if found.value <= asked else max(found.value - found.low, above)
        gap = abs(found.value - asked)
        note = _rows_note(found.n * (width / gap) ** 2 if gap > NO_GAP else math.inf, found.n)
    return Clause(
        "calibration error", asked, found.value, found.low, found.high, found.n, outcome, False, note=note
    )


def judge_lowest(asked: float, recalls: Mapping[str, Estimate | None]) -> Clause:
    """A floor under the lowest recall of any class.

    The lowest of many shares is low by chance alone. So each of the k classes with rows gets an interval of
    level 0.95^(1/k): classes share no rows, so that all hold together with 95% (Šidák). Then the lowest true
    recall is between the lowest of the lower ends and the lowest of the upper ends. The clause passes if
    every class does, and fails if one does. A class known to have no rows may have any recall: it can't pass.

    Source: Šidák 1967, "Rectangular confidence regions for the means of multivariate normal distributions".

    Example:
        >>> found = judge_lowest(0.4, {"billing": wilson(90, 100), "security": wilson(5, 10)})
        >>> print(found)
        lowest recall (security): not enough data (about 130 rows of security would decide it, if as measured)
    """
    with_rows = {name: found for name, found in recalls.items() if found is not None and found.n > 0}
    if not with_rows:
        return Clause("lowest recall", asked, None, None, None, 0, UNDECIDED, note="no rows")
    level = CONFIDENCE ** (1 / len(with_rows))
    wider = {name: wilson(round(e.value * e.n), e.n, level) for name, e in with_rows.items()}
    lowest = min(wider, key=lambda name: wider[name].value)
    without = [name for name in recalls if name not in with_rows]
    low = 0.0 if without else min(found.low for found in wider.values())
    high = min(found.high for found in wider.values())
    outcome = outcome_of(asked, low, high)
    note = _lowest_note(outcome, asked, wider, without, level)
    value, n = with_rows[lowest].value, with_rows[lowest].n
    return Clause(f"lowest recall ({lowest})", asked, value, low, high, n, outcome, note=note)


def _lowest_note(
    outcome: Outcome, asked: float, recalls: Mapping[str, Estimate], without: list[str], level: float
) -> str:
    if outcome == FAIL:
        low = sorted((name for name in recalls if recalls[name].high < asked), key=lambda n: recalls[n].high)
        least = _points(asked - recalls[low[0]].high)
        return f"{low[0]} is at least {least} too low{_more(len(low) - 1, 'too low as well')}"
    if without:
        return f"no rows of {without[0]}{_more(len(without) - 1, 'without rows')}"
    if outcome == PASS:
        return ""
    # Those whose own interval holds what is asked.
    open_ones = {name: e for name, e in recalls.items() if e.low < asked}
    needed = {name: rows_to_decide(asked, e.value, level) for name, e in open_ones.items()}
    below = [name for name, e in open_ones.items() if e.value < asked]
    # One class that is truly below decides it; otherwise all have to be shown to be above.
    name = min(below, key=needed.__getitem__) if below else max(needed, key=needed.__getitem__)
    more = "" if below else _more(len(needed) - 1, "undecided")
    return _rows_note(needed[name], recalls[name].n, asked, name) + more


def judge_cost(name: str, asked: float, measured: float, unit: str) -> Clause:
    """A ceiling over what has no interval: the measured number is compared as it is.

    Example:
        >>> print(judge_cost("latency p95", 2.0, 3.0, "ms"))
        latency p95: fail (1.5 times what is asked)
    """
    if math.isnan(measured):
        return Clause(name, asked, None, None, None, None, UNDECIDED, False, unit, "not measured")
    outcome = outcome_of(asked, measured, measured, floor=False)
    ratio = measured / asked if asked else math.inf
    said = outcome == FAIL and 1.01 < ratio < math.inf
    note = f"{ratio:,.3g} times what is asked" if said else ""
    return Clause(name, asked, measured, None, None, None, outcome, False, unit, note)


def _points(gap: float) -> str:
    return f"{100 * gap:.2g} points"


def _more(count: int, what: str) -> str:
    return f"; {count} more {'class is' if count == 1 else 'classes are'} {what}" if count else ""


def _rows_note(needed: float, n: int, asked: float | None = None, of: str = "") -> str:
    of = f" of {of}" if of else ""
    if asked == 1:
        return f"no number of rows{of} can show 100%"
    if needed > MANY:
        return f"many thousands of rows{of} or more: it is too near what is asked"
    size = max(math.ceil(needed), n + 1)
    step = 10 ** max(len(str(size)) - 2, 0)  # two digits, as it is no more than about right
    about = rows_said(math.ceil(size / step) * step)
    return f"about {about}{of} would decide it, if as measured"
