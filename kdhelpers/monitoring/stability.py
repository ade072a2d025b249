"""How far rows have moved from what was expected, in one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .bins import bins_of, divergence, same_kind
from .chance import chi_square_quantile
from .checks import checked_values

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Stability:
    """A population stability index, beside what chance alone would give.

    Args:
        value: The index, 0 or more.
        threshold: What it stays below in 95 of 100 comparisons when nothing has changed.
        parts: What each bin adds to the value, the largest first.

    Example:
        >>> print(Stability(0.31, 0.12, {"refunds": 0.3, "charges": 0.01}))
        0.310, above 0.120: moved, most of all refunds
    """

    value: float
    threshold: float
    parts: Mapping[str, float]

    @property
    def moved(self) -> bool:
        """Whether it is more than chance would do in 95 of 100 single looks.

        Example:
            >>> Stability(0.05, 0.12, {}).moved
            False
        """
        return self.value > self.threshold

    def __str__(self) -> str:
        if not self.moved:
            return f"{self.value:.3f}, not above {self.threshold:.3f}: no more than chance"
        return f"{self.value:.3f}, above {self.threshold:.3f}: moved, most of all {next(iter(self.parts))}"


def population_stability(expected: Any, actual: Any, *, bins: int = 10) -> Stability:
    """The population stability index: how far scores, or choices of a class, have moved.

    The sum over bins of (q - p) ln(q / p), p and q being the shares expected and found, which is the
    symmetric Kullback-Leibler divergence (Jeffreys 1946). Numbers with a point are scores, in bins between
    the quantiles of the expected ones and open at both ends; whole numbers and names are classes, a bin each,
    with one for classes that were not expected. An empty bin counts as half a row; one empty on both sides is
    left out.

    The usual marks, 0.1 for "look" and 0.25 for "act", ignore how many rows there are. With nothing changed
    the index is about (1/n + 1/m) times a chi-square with k - 1 degrees of freedom, n and m rows in k bins:
    for a hundred rows each and ten bins its *mean* is 0.18, and for a million each 0.0001 is a change. The
    threshold here is that distribution's 95% point, for one look; who looks every week uses
    :class:`DriftAlarm`. Source: Yurdakul 2018, "Statistical properties of population stability index".

    Args:
        expected: (n,) scores or classes, of a time when all was well.
        actual: (m,) the same kind, of now.
        bins: How many for scores; fewer where scores are equal.

    Raises:
        ValueError: No rows, a score that is NaN, or fewer than 2 bins.
        TypeError: Scores against classes, or neither.

    Example:
        >>> before = ["refunds"] * 50 + ["charges"] * 50
        >>> now = ["refunds"] * 80 + ["charges"] * 20
        >>> print(population_stability(before, now))
        0.416, above 0.077: moved, most of all charges
    """
    before = checked_values(expected, "expected")
    now = same_kind(before, actual, "actual")
    found = bins_of(before, bins)
    p, q = found.counts(before), found.counts(now)
    parts = divergence(p, q)
    df = int(((p > 0) | (q > 0)).sum()) - 1
    scale = 1 / len(before) + 1 / len(now)
    threshold = scale * chi_square_quantile(CONFIDENCE, df) if df else 0.0
    return Stability(float(parts.sum()), threshold, by_size(found.names(), parts))


def by_size(names: list[str], parts: Any) -> dict[str, float]:
    """What each bin adds, the largest first.

    Example:
        >>> by_size(["a", "b"], [0.1, 0.3])
        {'b': 0.3, 'a': 0.1}
    """
    order = np.argsort(-np.asarray(parts), kind="stable").tolist()
    return {names[place]: float(parts[place]) for place in order}
