"""Losses that set the true class apart from all others, so that each part gets a weight of its own.

With y the label, p_y and q_y are the probabilities of the true class, and p̂ and q̂ those of the other classes
among themselves: softmax over all logits but the one of y.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from kdhelpers.losses.checks import check_labels, check_logits, check_mask, check_temperature, check_weight
from kdhelpers.losses.row_losses import divergence, log_softened, without
from kdhelpers.losses.rows import over_rows


def dkd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float = 4.0,
    alpha: float = 1.0,
    beta: float = 8.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
) -> Tensor:
    """Decoupled distillation, T² [α TCKD + β NCKD]: how sure the teacher is, and what it sees in the rest.

    TCKD is KL between (p_y, 1 - p_y) and (q_y, 1 - q_y); NCKD is KL(p̂‖q̂). As KL(p‖q) = TCKD + (1 - p_y) NCKD,
    ordinary distillation hardly learns the other classes from a teacher that is sure; here they weigh β.
    Zhao et al. 2022, arXiv:2203.08679.

    Args:
        student_logits: (..., C) with C of 2 or more; with two classes NCKD is 0.
        teacher_logits: (..., C); receives no gradient.
        labels: (...) of whole numbers from 0 to C-1; a row with ``ignore_index`` does not count.
        temperature: T above 0.
        alpha: α, the weight of TCKD, 0 or more.
        beta: β, the weight of NCKD, 0 or more. Large ones want a warm-up: the paper ramps the whole term up
            over its first 20 epochs.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.
        ignore_index: What marks a row without a label.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts.

    Raises:
        ValueError: Shapes differ, fewer than two classes, a label, temperature or weight out of range, NaN.

    Example:
        >>> student, teacher = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[0.0, 2.0, 1.0]])
        >>> round(dkd_loss(student, teacher, torch.tensor([1])).item(), 3)  # how sure of 1 both agree on
        3.979
    """
    check_temperature(temperature)
    check_weight("alpha", alpha)
    check_weight("beta", beta)
    rows = partial(_dkd_rows, temperature=temperature, alpha=alpha, beta=beta)
    return _over_labelled(rows, student_logits, teacher_logits, labels, mask, reduction, ignore_index)


def nkd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float = 1.0,
    gamma: float = 1.5,
    mask: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
) -> Tensor:
    """Normalised distillation, -p_y log q_y - γ T² Σ p̂ log q̂: the true class at T = 1, the others at T.

    A cross-entropy, not a divergence: where both models agree it is not 0, but its second part has its
    lowest value there. The first is least for q_y = 1. Yang et al. 2023, arXiv:2303.13005.

    Args:
        student_logits: (..., C) with C of 2 or more.
        teacher_logits: (..., C); receives no gradient.
        labels: (...) of whole numbers from 0 to C-1; a row with ``ignore_index`` does not count.
        temperature: T above 0, of the other classes alone.
        gamma: γ, the weight of the other classes, 0 or more.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.
        ignore_index: What marks a row without a label.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts.

    Raises:
        ValueError: Shapes differ, fewer than two classes, a label, temperature or weight out of range, NaN.

    Example:
        >>> even = torch.zeros(1, 3)
        >>> round(nkd_loss(even, even, torch.tensor([0])).item(), 3)  # log(3) / 3 + 1.5 log 2
        1.406
    """
    check_temperature(temperature)
    check_weight("gamma", gamma)
    rows = partial(_nkd_rows, temperature=temperature, gamma=gamma)
    return _over_labelled(rows, student_logits, teacher_logits, labels, mask, reduction, ignore_index)


def _over_labelled(
    rows: partial[Tensor],
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    mask: Tensor | None,
    reduction: str,
    ignore_index: int,
) -> Tensor:
    check_logits(student_logits, teacher_logits)
    if student_logits.shape[-1] < 2:
        raise ValueError("The logits have one class; setting the true one apart takes two or more.")
    check_labels(labels, student_logits, ignore_index)
    counted = labels != ignore_index
    if mask is not None:
        check_mask(mask, labels.shape)
        counted = counted & mask
    # Where a label is missing class 0 stands in; the row does not count.
    target = labels.long().masked_fill(~counted, 0).unsqueeze(-1)
    return over_rows(rows, student_logits, teacher_logits, counted, reduction, labels=target)


def _dkd_rows(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, alpha: float, beta: float
) -> Tensor:
    (log_p, log_p_rest), (log_q, log_q_rest) = (_parts(x, labels, temperature) for x in (teacher, student))
    target = divergence(log_p.exp(), log_p, log_q)
    others = divergence(log_p_rest.exp(), log_p_rest, log_q_rest)
    return (alpha * target + beta * others) * temperature**2


def _nkd_rows(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, gamma: float) -> Tensor:
    log_p, log_q = (log_softened(x, 1.0).gather(-1, labels).squeeze(-1) for x in (teacher, student))
    p_rest = log_softened(_others(teacher, labels), temperature).exp()
    log_q_rest = log_softened(_others(student, labels), temperature)
    others = without(p_rest == 0, p_rest * log_q_rest).sum(-1)
    return -(log_p.exp() * log_q) - gamma * temperature**2 * others


def _parts(logits: Tensor, labels: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probabilities of (true class, all others together), and of the others among themselves.

    1 - p_y is never taken: where p_y rounds to 1 its logarithm would be -inf.
    """
    log_all = log_softened(logits, temperature)
    others = _others(log_all, labels)
    together = others.logsumexp(-1, keepdim=True)
    return torch.cat([log_all.gather(-1, labels), together], -1), others.log_softmax(-1)


def _others(values: Tensor, labels: Tensor) -> Tensor:
    """All but the label's: (..., C) and labels (..., 1) to (..., C-1)."""
    place = torch.arange(values.shape[-1] - 1, device=values.device)
    return values.gather(-1, place + (place >= labels))
