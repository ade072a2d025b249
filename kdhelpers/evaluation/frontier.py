"""Which of several models are worth a look: those that no other beats in quality and cost at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unbeaten(costs: ArrayLike, qualities: ArrayLike) -> NDArray[np.bool_]:
    """Which models are on the Pareto frontier: for which no other is at least as good and at most as costly.

    One of both must be strict, so that two with the same numbers do not beat each other. By the numbers
    themselves, whose intervals may overlap.

    Args:
        costs: (n,) less is better.
        qualities: (n,) more is better.

    Returns:
        A boolean mask (n,).

    Raises:
        ValueError: Lengths differ, or a number is NaN.

    Example:
        >>> unbeaten(costs=[1, 5, 9], qualities=[0.8, 0.7, 0.9])
        array([ True, False,  True])
    """
    cost, quality = np.asarray(costs, dtype=np.float64), np.asarray(qualities, dtype=np.float64)
    if cost.shape != quality.shape or cost.ndim != 1:
        raise ValueError(f"Costs {cost.shape} and qualities {quality.shape} must be lists of one length.")
    if np.isnan(cost).any() or np.isnan(quality).any():
        raise ValueError("A cost or quality is NaN: it can be neither better nor worse.")
    # Row by column: whether the one of the column beats the one of the row.
    as_good, as_cheap = quality >= quality[:, None], cost <= cost[:, None]
    better, cheaper = quality > quality[:, None], cost < cost[:, None]
    stays: NDArray[np.bool_] = ~np.any(as_good & as_cheap & (better | cheaper), axis=1)
    return stays
