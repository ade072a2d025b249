"""What is measured on logits, in NumPy and float64: each a number a row, or an estimate."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .intervals import Estimate, bootstrap_ece, wilson

BINS = 15
Numbers = NDArray[np.float64]
Classes = NDArray[np.int64]


def log_probabilities(logits: Tensor) -> Numbers:
    """Log-probabilities (n, C) of logits (n, C).

    Example:
        >>> log_probabilities(torch.zeros(1, 2)).round(3)
        array([[-0.693, -0.693]])
    """
    return np.asarray(torch.log_softmax(logits.double(), dim=-1).numpy())


def nll_rows(log_probs: Numbers, labels: Classes) -> Numbers:
    """Negative log-likelihood of each row's label (n,), in nats.

    Args:
        log_probs: (n, C).
        labels: (n,).

    Example:
        >>> nll_rows(np.log([[0.5, 0.5]]), np.array([1])).round(3)
        array([0.693])
    """
    # 0 is taken off so that certainty reads 0, not -0.
    return np.asarray(0.0 - log_probs[np.arange(len(labels)), labels])


def kl_rows(teacher_log_probs: Numbers, log_probs: Numbers) -> Numbers:
    """KL(teacher || student) of each row (n,), in nats, at temperature 1.

    Args:
        teacher_log_probs: (n, C).
        log_probs: (n, C), the student's.

    Returns:
        (n,); infinite where the student rules out a class that the teacher does not.

    Example:
        >>> kl_rows(np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])).round(3)
        array([0.511])
    """
    weights = np.exp(teacher_log_probs)
    # 0 log 0 = 0: a class that the teacher rules out says nothing, whatever the student thinks of it.
    ratio = np.subtract(teacher_log_probs, log_probs, out=np.zeros_like(weights), where=weights > 0)
    return np.asarray((weights * ratio).sum(-1))


def calibration_error(confidence: Numbers, correct: NDArray[np.bool_]) -> Estimate:
    """Expected calibration error: how far confidence is from accuracy, over 15 bins of equal width.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599. Bins are open at
    the left, as there.

    Args:
        confidence: (n,) the top probability.
        correct: (n,) whether the top class is the label.

    Returns:
        The error, with a seeded bootstrap interval.

    Example:
        >>> print(f"{calibration_error(np.array([0.9, 0.9]), np.array([True, False])):.2f}")
        0.40 [0.00, 0.82]
    """
    return bootstrap_ece(correct - confidence, confidence_bins(confidence, BINS))


def confidence_bins(confidence: Numbers, bins: int) -> Classes:
    """The bin of each row's confidence (n,), of so many of equal width, open at the left.

    Example:
        >>> confidence_bins(np.array([0.0, 0.5, 0.51, 1.0]), bins=2)
        array([0, 0, 1, 1])
    """
    # A probability may exceed 1 by rounding.
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def share(hits: NDArray[np.bool_]) -> Estimate:
    """The share of rows (n,) that are true, with Wilson's interval.

    Example:
        >>> print(share(np.array([True, True, False, True])))
        75.0% [30.1, 95.4]
    """
    return wilson(int(hits.sum()), len(hits))
