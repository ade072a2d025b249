"""Whether a model that says 80% is right in 80 of 100 cases, and one number that mends most of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.checks import NO_LABEL
from ..data.display import html_table
from .intervals import Estimate, mean_interval
from .metrics import confidence_bins, share
from .report import Report


@dataclass(frozen=True)
class Bin:
    """The rows whose confidence lies in one range.

    Args:
        low: Lower end of the range, not in it.
        high: Upper end, in it.
        confidence: Mean confidence of its rows.
        accuracy: The share of them that is right.

    Example:
        >>> from kdhelpers.evaluation import wilson
        >>> Bin(0.8, 0.9, 0.86, wilson(60, 90)).accuracy.n
        90
    """

    low: float
    high: float
    confidence: float
    accuracy: Estimate


@dataclass(frozen=True, repr=False)
class Reliability:
    """What a reliability diagram shows, and the error with its sign.

    Args:
        bins: Those that have rows, by rising confidence.
        overconfidence: Mean confidence minus accuracy, in points of probability: above 0 the model promises
            more than it keeps, below 0 less (t interval over rows).

    Example:
        >>> Reliability((), Estimate(0.1, 0.05, 0.15, 100)).verdict
        'overconfident'
    """

    bins: Sequence[Bin]
    overconfidence: Estimate

    @property
    def verdict(self) -> str:
        """In a word: "overconfident", "underconfident", or "no evidence" where the interval holds 0.

        Example:
            >>> Reliability((), Estimate(-0.1, -0.2, 0.1, 9)).verdict
            'no evidence'
        """
        if self.overconfidence.low <= 0 <= self.overconfidence.high:
            return "no evidence"
        return "overconfident" if self.overconfidence.low > 0 else "underconfident"

    def __repr__(self) -> str:
        return f"Reliability(confidence minus accuracy {self.overconfidence}, {self.verdict})"

    def _repr_html_(self) -> str:
        cells = [
            (f"{b.low:.0%} to {b.high:.0%}", f"{b.confidence:.1%}", str(b.accuracy), f"{b.accuracy.n:,}")
            for b in self.bins
        ]
        caption = f"Confidence minus accuracy: {self.overconfidence}, {self.verdict}."
        return html_table(cells, ("confidence", "mean confidence", "accuracy", "rows"), caption)


def reliability(report: Report, *, bins: int = 10) -> Reliability:
    """Accuracy by confidence, in ranges of equal width.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599.

    Args:
        report: What was measured on n rows.
        bins: How many ranges, 1 or more.

    Raises:
        ValueError: bins is below 1.

    Example:
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> rows = Split(range(40), torch.tensor([[3.0, 0.0]] * 40), torch.tensor([0, 1] * 20))
        >>> reliability(evaluate(torch.nn.Identity(), rows))
        Reliability(confidence minus accuracy 45.3% [29.1, 61.5], overconfident)
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}: give 1 or more ranges.")
    confidence, right = report.confidence.double().numpy(), report.correct.numpy()
    place = confidence_bins(confidence, bins)
    found = [
        Bin(at / bins, (at + 1) / bins, float(confidence[place == at].mean()), share(right[place == at]))
        for at in np.unique(place).tolist()
    ]
    return Reliability(found, mean_interval(confidence - right, spec=".1%"))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature by which to divide a model's logits so that its confidences fit.

    It minimises the mean negative log-likelihood, which has one minimum in 1/T. No answer changes: only how
    sure the model says it is.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599.

    Args:
        logits: (n, C), of validation rows: not of those that the model learnt from.
        labels: (n,) the right classes; rows labelled -100 are left out.

    Returns:
        T, from 0.01 to 100. Above 1 the model was overconfident.

    Raises:
        ValueError: Shapes that do not fit, no labelled row, or logits that are NaN or infinite.

    Example:
        >>> sure = torch.tensor([[8.0, 0.0]] * 10)
        >>> round(fit_temperature(sure, torch.tensor([0] * 8 + [1] * 2)), 2)  # right in 8 of 10: 8/T = log(4)
        5.77
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and labels {tuple(labels.shape)}: give (n, C) and (n,)."
        )
    known = labels != NO_LABEL
    values, targets = logits[known].detach().double(), labels[known]
    if not known.any() or not values.isfinite().all():
        raise ValueError("Temperature needs labelled rows with finite logits: check labels and the model.")
    low, high = math.log(0.01), math.log(100.0)
    for _ in range(60):  # the slope changes its sign once: halve the range until it is pinned down
        middle = (low + high) / 2
        low, high = (low, middle) if _slope(values, targets, middle) >= 0 else (middle, high)
    return math.exp((low + high) / 2)


def _slope(logits: Tensor, labels: Tensor, log_temperature: float) -> float:
    place = torch.tensor(log_temperature, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        F.cross_entropy(logits / place.exp(), labels).backward()
    return float(place.grad) if place.grad is not None else 0.0
