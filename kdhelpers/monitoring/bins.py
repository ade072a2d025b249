"""Rows counted in bins: one for each class, or between the quantiles of the scores that were expected."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import checked_values, checked_whole

# An empty bin counts as half a row, as a share of 0 has no logarithm.
EMPTY = 0.5


@dataclass(frozen=True)
class Bins:
    """Where rows are counted.

    Args:
        edges: (k - 1,) upper ends of the bins but the last, or (k,) classes.
        scores: Whether they are edges of scores.
    """

    edges: NDArray[Any]
    scores: bool

    def counts(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """(k,) rows in each bin; for classes one more, of those not seen before."""
        if not self.scores:
            place = np.searchsorted(self.edges, values).clip(max=len(self.edges) - 1)
            place = np.where(self.edges[place] == values, place, len(self.edges))
        else:
            place = np.searchsorted(self.edges, values, side="left")
        return np.bincount(place, minlength=len(self.edges) + 1)

    def names(self) -> list[str]:
        if not self.scores:
            return [*map(str, self.edges), "not seen before"]
        marks = [f"{edge:.3g}" for edge in self.edges]
        inner = [f"{low} to {high}" for low, high in pairwise(marks)]
        return [f"up to {marks[0]}", *inner, f"above {marks[-1]}"]


def bins_of(expected: NDArray[Any], bins: int) -> Bins:
    """Bins for these rows: classes if they are whole numbers or names, quantiles if they are scores."""
    checked_whole(bins, "bins", least=2)
    if expected.dtype.kind != "f":
        return Bins(np.unique(expected), scores=False)
    ranks = np.arange(1, bins) / bins
    return Bins(np.unique(np.quantile(expected, ranks, method="inverted_cdf")), scores=True)


def same_kind(expected: NDArray[Any], actual: Any, name: str) -> NDArray[Any]:
    """The rows to compare, if they are of the kind that is expected."""
    values = checked_values(actual, name)
    kinds = {"f": "scores (numbers with a point)", "i": "class numbers", "U": "class names"}
    if values.dtype.kind != expected.dtype.kind:
        raise TypeError(
            f"{name} holds {kinds[values.dtype.kind]}, what was expected holds {kinds[expected.dtype.kind]}: "
            "give both the same kind."
        )
    return values


def divergence(expected: NDArray[Any], actual: NDArray[Any]) -> NDArray[np.float64]:
    """What each bin adds to the stability index.

    Args:
        expected: (k,) counts.
        actual: (..., k) counts, such as one row of them a week.

    Returns:
        (..., k), each 0 or more; 0 for a bin that is empty on both sides.
    """
    p = np.maximum(expected, EMPTY) / expected.sum()
    q = np.maximum(actual, EMPTY) / actual.sum(-1, keepdims=True)
    filled = (expected > 0) | (actual > 0)
    return np.where(filled, (q - p) * np.log(q / p), 0.0)
