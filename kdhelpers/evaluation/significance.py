"""Whether a difference between shares is more than chance, alone and among many that were looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .intervals import CONFIDENCE, Estimate, wilson

# Probabilities that are equal but for rounding count as equally likely.
_EQUAL = 1 + 1e-7


def unpaired_shares(
    successes: int, n: int, other_successes: int, other_n: int, confidence: float = CONFIDENCE
) -> Estimate:
    """The difference between shares of different rows, with Newcombe's interval of two of Wilson's.

    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions".

    Args:
        successes: How many of the first rows, such as those that were right.
        n: How many first rows there are.
        other_successes: How many of the other rows.
        other_n: How many other rows there are.
        confidence: The level of the interval.

    Returns:
        First minus other, from -1 to 1; its n counts both.

    Raises:
        ValueError: No rows in one of them, or counts that do not fit.

    Example:
        >>> print(unpaired_shares(56, 70, 48, 80))
        20.0% [5.2, 33.4]
    """
    return unpaired_difference(wilson(successes, n, confidence), wilson(other_successes, other_n, confidence))


def unpaired_difference(first: Estimate, other: Estimate) -> Estimate:
    """The same from two shares that were estimated before, with the interval of their level.

    Args:
        first: A share with Wilson's interval.
        other: The same, of other rows.

    Returns:
        First minus other, from -1 to 1; its n counts both.

    Example:
        >>> print(unpaired_difference(wilson(56, 70), wilson(48, 80)))
        20.0% [5.2, 33.4]
    """
    below = math.hypot(first.value - first.low, other.high - other.value)
    above = math.hypot(first.high - first.value, other.value - other.low)
    gap = first.value - other.value
    return Estimate(gap, max(gap - below, -1.0), min(gap + above, 1.0), first.n + other.n)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of a paired difference: rows that only one has right, heads or tails.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions".

    Args:
        only_first: Rows that only the first has right.
        only_second: Rows that only the second has right.

    Raises:
        ValueError: A negative count.

    Example:
        >>> mcnemar_p(9, 0)
        0.00390625
    """
    _check_counts(only_first, only_second)
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**n))


def fisher_p(successes: int, n: int, other_successes: int, other_n: int) -> float:
    """The exact two-sided p-value that two shares of different rows are equal.

    Source: Fisher 1922, "On the interpretation of chi-square from contingency tables".

    Args:
        successes: How many of the first rows, such as those that were right.
        n: How many first rows there are.
        other_successes: How many of the other rows.
        other_n: How many other rows there are.

    Raises:
        ValueError: A negative count, or more successes than rows.

    Example:
        >>> round(fisher_p(8, 10, 1, 6), 4)
        0.035
    """
    _check_counts(successes, n - successes, other_successes, other_n - other_successes)
    total = successes + other_successes
    possible = np.arange(max(0, total - other_n), min(n, total) + 1)
    logs = np.array([_log_comb(n, k) + _log_comb(other_n, total - k) for k in possible.tolist()])
    chances = np.exp(logs - logs.max())
    chances /= chances.sum()
    here = chances[successes - possible[0]]
    return min(1.0, float(chances[chances <= here * _EQUAL].sum()))


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """p-values adjusted for how many there are: each may be compared with the rate that all share.

    Among any number of true nulls, one or more adjusted values fall below a rate with at most that chance,
    however the tests depend on each other.
    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    Args:
        p_values: (k,) from 0 to 1.

    Returns:
        (k,) in the same order.

    Raises:
        ValueError: A value outside 0 to 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must be a list of numbers from 0 to 1.")
    order = values.argsort(kind="stable")
    left = len(values) - np.arange(len(values))  # how many are still to be judged at each step
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(np.minimum(values[order] * left, 1.0))
    return adjusted


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _check_counts(*counts: int) -> None:
    if min(counts) < 0:
        raise ValueError(f"Counts must be 0 or more and fit into their rows: here one is {min(counts)}.")
