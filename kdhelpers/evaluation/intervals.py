"""Estimates with their intervals: how far a number measured on some rows, or some seeds, can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 500


@dataclass(frozen=True)
class Estimate:
    """A measured number and the interval that the true one may be expected in.

    Args:
        value: What was measured.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: From how many rows, or seeds.
        spec: How to write it when nothing else is asked for: ".1%" for shares.

    Example:
        >>> accuracy = Estimate(0.931, 0.914, 0.945, n=1000)
        >>> print(accuracy)
        93.1% [91.4, 94.5]
        >>> f"{accuracy:.3f}"
        '0.931 [0.914, 0.945]'
    """

    value: float
    low: float
    high: float
    n: int
    spec: str = ".1%"

    def __format__(self, spec: str) -> str:
        spec = spec or self.spec
        return f"{self.value:{spec}} {self.format_interval(spec)}"

    def __str__(self) -> str:
        return format(self)

    def format_interval(self, spec: str = "") -> str:
        """The interval alone, in the unit of the value.

        Example:
            >>> Estimate(0.5, 0.4, 0.6, n=96).format_interval()
            '[40.0, 60.0]'
        """
        low, high = (format(end, spec or self.spec).rstrip("%") for end in (self.low, self.high))
        return f"[{low}, {high}]"


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share with Wilson's score interval, which stays within 0 and 1 and holds up for few rows.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Args:
        successes: How many of the rows, such as those that were right.
        n: How many rows there are.
        confidence: The level of the interval.

    Raises:
        ValueError: No rows, successes outside 0 to n, or a confidence outside 0 to 1.

    Example:
        >>> print(wilson(931, 1000))
        93.1% [91.4, 94.5]
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} rows: give at least one row, and 0 to n successes.")
    z, share = _z(confidence), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At 0 and n the ends meet the value exactly, but for rounding.
    return Estimate(share, min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share), n)


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE, spec: str = ".3f") -> Estimate:
    """A mean with Student's t interval.

    Args:
        values: (n,) numbers.
        confidence: The level of the interval.
        spec: How the estimate writes itself.

    Returns:
        The estimate; its interval is everything (-inf to inf) for one value, or an infinite one.

    Raises:
        ValueError: No values, NaN among them, or a confidence outside 0 to 1.

    Example:
        >>> print(mean_interval([0.70, 0.74, 0.72, 0.71, 0.73]))
        0.720 [0.700, 0.740]
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"A mean needs a list of one value or more, not values of shape {array.shape}.")
    if np.isnan(array).any():
        raise ValueError(f"Value {int(np.isnan(array).argmax())} is NaN: a mean needs numbers.")
    mean, n = float(array.mean()), len(array)
    if n == 1 or not np.isfinite(array).all():
        return Estimate(mean, -math.inf, math.inf, n, spec)
    half = t_quantile((1 + confidence) / 2, n - 1) * float(array.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n, spec)


def paired_shares(only_first: int, only_second: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """The difference between two shares of the same rows, with the adjusted interval of Agresti and Min.

    Half a row is added to each cell of the 2x2 table before the usual formula is applied.
    Source: Agresti & Min 2005, "Simple improved confidence intervals for comparing matched proportions".

    Args:
        only_first: Rows that only the first has right.
        only_second: Rows that only the second has right.
        n: All rows, those included on which both agree.
        confidence: The level of the interval.

    Returns:
        First minus second, from -1 to 1.

    Raises:
        ValueError: No rows, counts that do not fit into them, or a confidence outside 0 to 1.

    Example:
        >>> print(paired_shares(60, 20, 1000))
        4.0% [2.2, 5.7]
    """
    if n < 1 or min(only_first, only_second) < 0 or only_first + only_second > n:
        raise ValueError(
            f"{only_first} and {only_second} of {n} rows: counts must be 0 or more and fit in n."
        )
    centre = (only_first - only_second) / (n + 2)
    variance = (only_first + only_second + 1) / (n + 2) ** 2 - centre**2 / (n + 2)
    half = _z(confidence) * math.sqrt(variance)
    low, high = max(centre - half, -1.0), min(centre + half, 1.0)
    return Estimate((only_first - only_second) / n, low, high, n)


@lru_cache(maxsize=256)
def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t distribution.

    With x = sqrt(df) tan(θ) the density becomes cos(θ)^(df-1) over a constant: smooth on a short interval,
    where Gauss-Legendre quadrature is all but exact.

    Args:
        probability: From 0 to 1, both excluded.
        df: Degrees of freedom, 1 or more.

    Raises:
        ValueError: Either is out of range.

    Example:
        >>> round(t_quantile(0.975, 4), 3)
        2.776
    """
    if not (0 < probability < 1 and df >= 1 and math.isfinite(df)):
        raise ValueError(f"There is no t quantile for probability {probability} and {df} degrees of freedom.")
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    whole = math.sqrt(math.pi) * math.exp(math.lgamma(df / 2) - math.lgamma((df + 1) / 2))
    area = (probability - 0.5) * whole
    # Beyond 40 there is nothing left of the density if df is large; a shorter interval keeps the nodes dense.
    low, high = 0.0, math.atan(40 / math.sqrt(df)) if df > 50 else math.pi / 2
    for _ in range(64):  # bisection: each round settles one more bit
        middle = (low + high) / 2
        low, high = (middle, high) if _area(middle, df) < area else (low, middle)
    return math.sqrt(df) * math.tan(low)


def bootstrap_ece(gaps: NDArray[np.float64], bins: NDArray[np.int64], seed: int = 0) -> Estimate:
    """The expected calibration error with a bootstrap interval.

    The error is a sum of absolute values, so that chance alone makes it too large, and larger still in each
    resample: percentiles of the resamples never hold 0, even for a calibrated model. Here the upper end
    adds the resamples' spread above their own mean, and the lower end takes off all that resampling moves
    the bins by, by the triangle inequality the most the error can be off by.

    Args:
        gaps: (n,) whether right (0 or 1), minus confidence.
        bins: (n,) the bin of each row, from 0.
        seed: Of the resamples.

    Example:
        >>> print(bootstrap_ece(np.array([0.1, -0.9, 0.1, 0.1]), np.zeros(4, dtype=np.int64)))
        15.0% [0.0, 58.6]
    """
    observed = np.bincount(bins, gaps) / len(gaps)
    resampled = _resampled_bins(gaps, bins, len(observed), np.random.default_rng(seed))
    error, tail = float(np.abs(observed).sum()), (1 - CONFIDENCE) / 2
    moved = np.quantile(np.abs(resampled - observed).sum(1), 1 - tail)
    errors = np.abs(resampled).sum(1)
    spread = max(float(np.quantile(errors, 1 - tail) - errors.mean()), 0.0)
    return Estimate(error, max(error - float(moved), 0.0), min(error + spread, 1.0), len(gaps))


def _resampled_bins(
    gaps: NDArray[np.float64], bins: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    n, sums = len(gaps), np.empty((RESAMPLES, count))
    together = max(1, 100_000 // n)  # enough to keep NumPy busy, few enough to spare memory
    for start in range(0, RESAMPLES, together):
        drawn = rng.integers(0, n, (min(together, RESAMPLES - start), n))
        cells = bins[drawn] + count * np.arange(len(drawn))[:, None]
        flat = np.bincount(cells.ravel(), gaps[drawn].ravel(), count * len(drawn))
        sums[start : start + len(drawn)] = flat.reshape(len(drawn), count)
    return sums / n


def _z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: give a number between 0 and 1, such as 0.95.")
    return NormalDist().inv_cdf((1 + confidence) / 2)


@lru_cache(maxsize=1)
def _gauss_legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(64)
    return nodes, weights


def _area(theta: float, df: float) -> float:
    nodes, weights = _gauss_legendre()
    # In logarithms, since cos to a large power underflows before it is multiplied.
    height = np.exp((df - 1) * np.log(np.cos(theta * (nodes + 1) / 2)))
    return float((weights * height).sum() * theta / 2)
