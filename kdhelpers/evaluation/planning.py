"""How many test rows a claim needs, before they are labelled."""

from __future__ import annotations

import math
from statistics import NormalDist

from .intervals import CONFIDENCE


def rows_to_tell(gain: float, differ: float, *, confidence: float = CONFIDENCE, power: float = 0.8) -> int:
    """How many rows of one test set it takes to tell two models apart.

    Source: Connor 1987, "Sample size for testing differences in proportions for the paired-sample design".

    Args:
        gain: The true difference of their accuracies, such as 0.02.
        differ: On which share of rows just one of them is right; at least the gain. Two good models of
            their own kind differ more than two runs of one.
        confidence: The level of the interval that is to leave out 0.
        power: The chance that it does.

    Raises:
        ValueError: gain is 0, differ smaller than it or above 1, or a chance outside 0 to 1.

    Example:
        >>> rows_to_tell(0.02, differ=0.10)
        1960
    """
    gain = abs(gain)
    if not 0 < gain <= differ <= 1:
        raise ValueError(
            f"gain is {gain:g} and differ {differ:g}: accuracies that differ by a gain above 0 differ on at "
            "least that share of rows, and at most on all."
        )
    if not (0 < confidence < 1 and 0 < power < 1):
        raise ValueError(f"confidence is {confidence} and power {power}: give chances between 0 and 1.")
    quantile = NormalDist().inv_cdf
    needed = quantile((1 + confidence) / 2) * math.sqrt(differ)
    needed += quantile(power) * math.sqrt(differ - gain**2)
    return max(1, math.ceil((needed / gain) ** 2))
