"""Which messages a person, or the teacher, re-reads each week, so that the estimate from them is unbiased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Split
from ..data.checks import checked_ids
from ..evaluation import Estimate, mean_interval, wilson
from .checks import checked_whole


@dataclass(frozen=True, eq=False)
class AuditSample:
    """The rows to re-read, with how probable each was to be drawn.

    Args:
        ids: (n,) the rows.
        probabilities: (n,) of each to be among the n.
        population: How many rows they were drawn from.

    Example:
        >>> audit_sample(range(100), 4, seed=0)
        AuditSample(4 of 100 rows)
    """

    ids: tuple[str | int, ...]
    probabilities: NDArray[np.float64]
    population: int

    @property
    def weights(self) -> NDArray[np.float64]:
        """(n,) for how many rows each stands: 1 / probability (Horvitz & Thompson 1952).

        Example:
            >>> audit_sample(range(100), 4, seed=0).weights
            array([25., 25., 25., 25.])
        """
        return 1 / self.probabilities

    def estimate(self, right: Any) -> Estimate:
        """The share of right answers among *all* rows, from the audited ones.

        Horvitz and Thompson's estimate: the mean of right * weight * n / population. With equal weights
        Wilson's interval, otherwise Student's, cut to 0 to 1; it takes the draws as independent, which is
        on the safe side.

        Args:
            right: (n,) whether the audit found the answer right, in the order of the ids.

        Raises:
            ValueError: Another number of them, or something else than yes and no.

        Example:
            >>> print(audit_sample(range(1000), 50, seed=0).estimate([True] * 40 + [False] * 10))
            80.0% [67.0, 88.8]
        """
        found = np.asarray(right)
        if found.shape != (len(self.ids),) or not np.isin(found, (0, 1)).all():
            raise ValueError(
                f"right must say yes or no (1 or 0) for each of the {len(self.ids)} audited rows."
            )
        if np.ptp(self.probabilities) == 0:
            return wilson(int(found.sum()), len(found))
        scaled = mean_interval(found * self.weights * len(found) / self.population)
        value, low, high = (min(max(end, 0.0), 1.0) for end in (scaled.value, scaled.low, scaled.high))
        return Estimate(value, low, high, len(found))

    def __repr__(self) -> str:
        return f"AuditSample({len(self.ids)} of {self.population:,} rows)"


def audit_sample(
    rows: Split | Sequence[str | int], n: int, *, seed: int, confidence: Any = None, unsure: float = 0.5
) -> AuditSample:
    """Draw the rows to re-read, every row with a known probability.

    Without confidences all rows are alike: what is found is an unbiased estimate, and what
    :class:`SequentialAudit` needs. With them, the part `unsure` of the probability goes to rows in proportion
    to 1 - confidence, where most mistakes are to be found, and weights undo the preference. Never audit
    unsure rows *alone*: what the model is sure and wrong of would stay unseen. Rows are drawn in random order
    by systematic sampling, which gives exactly the probabilities stated (Madow 1949, "On the theory of
    systematic sampling, II").

    Args:
        rows: A split, or the ids.
        n: How many to draw.
        seed: Another one each week, such as the week's number.
        confidence: (N,) from 0 to 1, in the order of the rows.
        unsure: From 0 (all rows alike) to below 1.

    Raises:
        ValueError: n outside 1 to the number of rows, or confidences or `unsure` out of range.

    Example:
        >>> sample = audit_sample(["a", "b", "c", "d"], 2, seed=1, confidence=[0.9, 0.9, 0.9, 0.3])
        >>> sample.ids, sample.probabilities.round(2)
        (('a', 'd'), array([0.35, 0.95]))
    """
    ids = checked_ids(rows.ids if isinstance(rows, Split) else rows)
    if checked_whole(n, "n", least=1) > len(ids):
        raise ValueError(f"n is {n}, but there are only {len(ids)} rows to draw from.")
    chances = np.full(len(ids), n / len(ids))
    if confidence is not None:
        chances = _preferring(_checked_confidence(confidence, len(ids)), n, unsure)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(ids))
    # A ruler with n marks is laid over the rows, each as long as its probability.
    ends = np.cumsum(chances[order])
    marks = (np.arange(n) + rng.random()) * (ends[-1] / n)
    drawn = np.sort(order[np.searchsorted(ends, marks, side="right").clip(max=len(ids) - 1)])
    return AuditSample(tuple(ids[row] for row in drawn), chances[drawn], len(ids))


def _preferring(confidence: NDArray[np.float64], n: int, unsure: float) -> NDArray[np.float64]:
    if not 0 <= unsure < 1:
        raise ValueError(f"unsure is {unsure}: give 0 to below 1, so that every row may be drawn.")
    doubt = 1 - confidence
    share = doubt / doubt.sum() if doubt.sum() > 0 else np.full(len(doubt), 1 / len(doubt))
    chances = n * ((1 - unsure) / len(doubt) + unsure * share)
    while (chances > 1).any():  # certain ones leave their surplus to the others
        certain = chances >= 1
        chances[~certain] *= (n - certain.sum()) / chances[~certain].sum()
        chances[certain] = 1.0
    return chances


def _checked_confidence(confidence: Any, n: int) -> NDArray[np.float64]:
    found = np.asarray(confidence, dtype=np.float64)
    if found.shape != (n,) or not ((found >= 0) & (found <= 1)).all():
        raise ValueError(f"confidence must be (n,) numbers from 0 to 1, one for each of the {n} rows.")
    return found
