"""Losses that ask a student for the shape of its teacher's answers only, not for their size."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from kdhelpers.losses.checks import (
    check_logits,
    check_mask,
    check_reduction,
    check_result,
    check_temperature,
    check_weight,
)
from kdhelpers.losses.row_losses import kl_rows, log_softened
from kdhelpers.losses.rows import over_rows, precise, reduced

_SMALL = 1e-7


def standardized_kd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 2.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``kd_loss`` of standardised logits, z = (x - mean) / (standard deviation + 1e-7), row by row.

    A student is not asked for logits as large as its teacher's: a constant added to a row or a positive
    factor changes nothing, for either model. Sun et al. 2024, arXiv:2403.01427.

    Args:
        student_logits: (..., C). The deviation is the sample's, over C - 1.
        teacher_logits: (..., C); receives no gradient.
        temperature: T above 0, after standardising.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts. A row of equal logits has no
        shape: its z is 0, and it gives no gradient.

    Raises:
        ValueError: Shapes differ, temperature not above 0, NaN logits, or another bad argument.

    Example:
        >>> teacher = torch.tensor([[1.0, 2.0, 6.0]])
        >>> standardized_kd_loss(5 + teacher / 10, teacher).item() < 1e-6  # much smaller, the same shape
        True
    """
    check_temperature(temperature)
    rows = partial(_standardized_rows, temperature=temperature)
    return over_rows(rows, student_logits, teacher_logits, mask, reduction)


def dist_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """DIST, T² [β (1 - r of rows) + γ (1 - r of columns)], with r Pearson's correlation of p and q.

    A row says how one input is spread over the classes, a column how one class is spread over the batch.
    Correlations ask a student of a much stronger teacher for the order of things, not for the same numbers.
    Huang et al. 2022, arXiv:2205.10536.

    Args:
        student_logits: (..., C). All rows that count make one batch; the columns compare them, so the loss
            of a batch is not the mean of its halves' losses.
        teacher_logits: (..., C); receives no gradient.
        temperature: T above 0.
        beta: β, the weight of the rows, 0 or more.
        gamma: γ, the weight of the columns, 0 or more.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum" (the mean times their number), or "none" for the parts
            (...) whose mean it is: each row's own correlation, and the columns' for all alike.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts. Where the teacher is constant
        (a column of a single row is) there is nothing to learn: that correlation counts as 1. Where only the
        student is, it counts as 0, without gradient.

    Raises:
        ValueError: Shapes differ, temperature or a weight out of range, NaN logits, or another bad argument.

    Example:
        >>> teacher = torch.tensor([[3.0, 0.0, 1.0], [0.0, 1.0, 2.0]])
        >>> dist_loss(teacher, teacher).item() < 1e-6, round(dist_loss(-teacher, teacher).item(), 2)
        (True, 3.84)
    """
    check_temperature(temperature)
    check_weight("beta", beta)
    check_weight("gamma", gamma)
    check_reduction(reduction)
    check_logits(student_logits, teacher_logits)
    counted = torch.ones(student_logits.shape[:-1], dtype=torch.bool, device=student_logits.device)
    if mask is not None:
        check_mask(mask, counted.shape)
        counted = mask
    hidden = ~counted.unsqueeze(-1)
    student, teacher = precise(student_logits.masked_fill(hidden, 0), teacher_logits.masked_fill(hidden, 0))
    present = ~(student.isneginf() & teacher.isneginf() | hidden).flatten(0, -2)
    q, p = (log_softened(x, temperature).exp().flatten(0, -2) * present for x in (student, teacher))
    rows, columns = 1 - _correlation(q, p, present), 1 - _correlation(q.mT, p.mT, present.mT)
    known = present.any(0)
    columns = columns.masked_fill(~known, 0).sum() / known.sum().clamp(min=1)
    losses = (beta * rows + gamma * columns) * temperature**2
    loss = reduced(losses.reshape(counted.shape).masked_fill(~counted, 0), counted, reduction)
    check_result(loss, student_logits, teacher_logits, mask)
    return loss


def _standardized_rows(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    absent = student.isneginf() & teacher.isneginf()
    return kl_rows(_standardized(student, absent), _standardized(teacher, absent), temperature)


def _standardized(logits: Tensor, absent: Tensor) -> Tensor:
    # Classes that are -inf for both models take no part in mean and deviation.
    count = logits.shape[-1] - absent.sum(-1, keepdim=True)
    filled = logits.masked_fill(absent, 0)
    centred = (filled - filled.sum(-1, keepdim=True) / count).masked_fill(absent, 0)
    squares = centred.square().sum(-1, keepdim=True)
    constant = is_constant(squares, filled)
    # The root has no derivative at 0, so a constant row takes another number under it, and then 0 for z.
    deviation = (squares / (count - 1).clamp(min=1)).masked_fill(constant, 1).sqrt()
    z = (centred / (deviation + _SMALL)).masked_fill(constant, 0)
    return z.masked_fill(absent, -torch.inf)


def is_constant(squares: Tensor, values: Tensor) -> Tensor:
    """Whether rows deviate from their mean by no more than rounding does, by their sums of squares (..., 1).

    Example:
        >>> values = torch.tensor([[0.1, 0.1, 0.1], [0.1, 0.2, 0.3]])
        >>> centred = values - values.mean(-1, keepdim=True)
        >>> is_constant(centred.square().sum(-1, keepdim=True), values)
        tensor([[ True],
                [False]])
    """
    rounding = 4 * torch.finfo(values.dtype).eps
    return squares <= rounding**2 * values.detach().square().sum(-1, keepdim=True)


def _correlation(student: Tensor, teacher: Tensor, present: Tensor) -> Tensor:
    """Pearson's r over the last dimension of what is present, the rest being 0: (n, m) to (n,)."""
    (s, s_constant), (t, t_constant) = _unit(student, present), _unit(teacher, present)
    return (s * t).sum(-1).masked_fill(s_constant, 0).masked_fill(t_constant, 1)


def _unit(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    count = present.sum(-1, keepdim=True).clamp(min=1)
    centred = (values - values.sum(-1, keepdim=True) / count) * present
    squares = centred.square().sum(-1, keepdim=True)
    constant = is_constant(squares, values)
    return centred / squares.masked_fill(constant, 1).sqrt(), constant.squeeze(-1)
