"""From a loss per row to the number that is trained on: precision, masks and reductions in one place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kdhelpers.losses.checks import check_logits, check_mask, check_reduction, check_result, is_traced
from kdhelpers.losses.fused import can_fuse

RowLoss = Callable[..., Tensor]
"""Takes student and teacher logits (..., C), and labels if there are any; returns one loss a row (...)."""
SummedLoss = Callable[[Tensor, Tensor, float], Tensor]
"""Takes student and teacher logits (..., C) and a weight, returns the weighted sum of all rows' losses."""


def over_rows(
    row_loss: RowLoss,
    student_logits: Tensor,
    teacher_logits: Tensor,
    mask: Tensor | None,
    reduction: str,
    summed: SummedLoss | None = None,
    labels: Tensor | None = None,
    what: str = "logits",
) -> Tensor:
    """Apply a loss to every row that counts, in float32 or wider, with a teacher that gets no gradient.

    Args:
        row_loss: From logits (..., C) to losses (...).
        student_logits: (..., C).
        teacher_logits: (..., C).
        mask: (...), True where a row counts; None counts all.
        reduction: "mean" over the rows that count, "sum", or "none" for (...) with 0 where masked.
        summed: A faster way to the same losses' sum.
        labels: (..., 1), handed on to the row loss.
        what: What an error calls the arguments: "logits" or "scores".

    Returns:
        A scalar, or (...) for "none". Without any row that counts: 0, with gradients of 0.

    Raises:
        ValueError: A bad argument, or NaN logits in a row that counts.

    Example:
        >>> over_rows(lambda s, t: (s - t).sum(-1), torch.ones(2, 3), torch.zeros(2, 3), None, "mean")
        tensor(3.)
    """
    check_reduction(reduction)
    check_logits(student_logits, teacher_logits, what)
    if mask is not None:
        check_mask(mask, student_logits.shape[:-1], what)
    if summed is not None and reduction != "none" and can_fuse(student_logits, teacher_logits):
        loss = _summed(summed, student_logits, teacher_logits, mask, reduction)
    else:
        losses = _losses(row_loss, student_logits, teacher_logits, labels, mask)
        loss = reduced(losses, mask, reduction)
    check_result(loss, student_logits, teacher_logits, mask, what)
    return loss


def _summed(
    summed: SummedLoss, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None, reduction: str
) -> Tensor:
    if mask is not None:
        student_logits, teacher_logits = student_logits[mask], teacher_logits[mask]
    count = student_logits.numel() // student_logits.shape[-1] if reduction == "mean" else 1
    return summed(*precise(student_logits, teacher_logits), 1 / max(count, 1))


def precise(student_logits: Tensor, teacher_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float32 or wider, and the teacher's without gradient.

    Example:
        >>> precise(torch.zeros(2).half(), torch.zeros(2).bfloat16())
        (tensor([0., 0.]), tensor([0., 0.]))
    """
    if student_logits.dtype == teacher_logits.dtype == torch.float32:
        return student_logits, teacher_logits.detach()
    widest = torch.promote_types(student_logits.dtype, teacher_logits.dtype)
    dtype = torch.promote_types(widest, torch.float32)
    return student_logits.to(dtype), teacher_logits.detach().to(dtype)


def _losses(
    row_loss: RowLoss,
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor | None,
    mask: Tensor | None,
) -> Tensor:
    extra = [] if labels is None else [labels]
    if mask is None:
        return row_loss(*precise(student_logits, teacher_logits), *extra)
    # What stands in a masked row (padding, even NaN) must reach neither the loss nor the gradient.
    if is_traced(student_logits, teacher_logits, mask):
        hidden = ~mask.unsqueeze(-1)
        student, teacher = student_logits.masked_fill(hidden, 0), teacher_logits.masked_fill(hidden, 0)
        return row_loss(*precise(student, teacher), *extra).masked_fill(~mask, 0)
    # Only the rows that count are computed: prompts and padding are often most of a batch of text.
    kept = precise(student_logits[mask], teacher_logits[mask])
    losses = row_loss(*kept, *[values[mask] for values in extra])
    return losses.new_zeros(mask.shape).masked_scatter(mask, losses)


def reduced(losses: Tensor, mask: Tensor | None, reduction: str) -> Tensor:
    """Losses (...), 0 where masked, to their mean over the rows that count, their sum, or themselves.

    Example:
        >>> reduced(torch.tensor([3.0, 0.0]), torch.tensor([True, False]), "mean")
        tensor(3.)
    """
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    count = max(losses.numel(), 1) if mask is None else mask.sum().clamp(min=1)
    return losses.sum() / count
