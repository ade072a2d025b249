"""What chance alone does: the chi-square distribution, and simulated weeks in which nothing has changed."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from .bins import EMPTY, divergence

# So many simulated weeks lie above a threshold: its level is then known within a quarter or so.
ABOVE = 20
TOGETHER = 10_000


@lru_cache(maxsize=256)
def chi_square_quantile(probability: float, df: int) -> float:
    """The quantile of the chi-square distribution, by bisection of the incomplete gamma function.

    Args:
        probability: From 0 to 1, both excluded.
        df: Degrees of freedom, 1 or more.

    Raises:
        ValueError: Either is out of range.

    Example:
        >>> round(chi_square_quantile(0.95, 9), 2)
        16.92
    """
    if not (0 < probability < 1 and df >= 1):
        raise ValueError(f"There is no chi-square quantile for probability {probability} and {df} degrees.")
    half = torch.tensor(df / 2, dtype=torch.float64)
    low, high = 0.0, df + 40 * math.sqrt(df) - 4 * math.log(1 - probability)
    for _ in range(80):
        middle = (low + high) / 2
        below = float(torch.special.gammainc(half, torch.tensor(middle / 2, dtype=torch.float64)))
        low, high = (middle, high) if below < probability else (low, middle)
    return (low + high) / 2


def simulated_threshold(reference: NDArray[np.int64], rows: int, level: float, seed: int) -> float:
    """What a week's index stays below with probability 1 - level if nothing has changed.

    The true shares are not known, only the reference's counts. So each simulated week first draws shares that
    could have given these counts, from a Dirichlet distribution, and then the week's rows from the shares.
    For bins between quantiles of a continuous score this is exact, whatever the score's distribution is
    (Wilks 1941, "Determination of sample sizes for setting tolerance limits"); for classes it is Bayesian.

    Args:
        reference: (k,) rows in each bin.
        rows: How many the week has.
        level: Such as 0.001.
        seed: Of the simulation.
    """
    count, rng = math.ceil(ABOVE / level), np.random.default_rng(seed)
    concentration = np.maximum(reference, EMPTY)
    found = np.empty(count)
    for start in range(0, count, TOGETHER):
        size = (min(TOGETHER, count - start), len(reference))
        drawn = rng.standard_gamma(concentration, size)
        weeks = rng.multinomial(rows, drawn / drawn.sum(1, keepdims=True))
        found[start : start + size[0]] = divergence(reference, weeks).sum(1)
    # Of count + 1 weeks, the watched one included, it is above this one with probability level or less.
    above = max(1, math.floor(level * (count + 1)))
    return float(np.partition(found, -above)[-above])
