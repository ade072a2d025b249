"""From features (B, ...) of hidden layers to the number that is trained on, as ``rows`` does for logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kdhelpers.losses.checks import check_floating, check_mask, check_reduction, check_result
from kdhelpers.losses.rows import precise, reduced

ExampleLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes student and teacher features (n, ...), returns each example's part of the loss (n,)."""


def over_examples(
    losses_of: ExampleLoss, student: Tensor, teacher: Tensor, mask: Tensor | None, reduction: str, what: str
) -> Tensor:
    """Apply a loss to the examples that count, in float32 or wider, with a teacher that gets no gradient.

    Args:
        losses_of: From features (n, ...) of the examples that count to their losses (n,).
        student: (B, ...).
        teacher: (B, ...).
        mask: None for B examples, or a mask of the leading dimensions, such as (B, L) for every position.
        reduction: "mean", "sum", or "none" for the losses, 0 where masked.
        what: What an error calls the arguments: "features" or "embeddings".

    Returns:
        A scalar, or the mask's shape for "none". Without any example that counts: 0, with gradients of 0.

    Raises:
        ValueError: A bad argument, or NaN in an example that counts.

    Example:
        >>> student, teacher = torch.ones(2, 3), torch.zeros(2, 3)
        >>> over_examples(lambda s, t: (s - t).sum(-1), student, teacher, None, "sum", "features")
        tensor(6.)
    """
    check_reduction(reduction)
    check_examples(student, teacher, what)
    leading = 1
    if mask is not None:
        leading = mask.dim() if isinstance(mask, Tensor) else 1
        check_mask(mask, student.shape[:leading], what)
    # Products of matrices would be taken in half precision under autocast.
    with torch.autocast(student.device.type, enabled=False):
        if mask is None:
            losses = losses_of(*precise(student, teacher))
        else:
            counted = losses_of(*precise(student[mask], teacher[mask]))
            losses = counted.new_zeros(mask.shape).masked_scatter(mask, counted)
        loss = reduced(losses, mask, reduction)
    check_result(loss, student.flatten(leading), teacher.flatten(leading), mask, what)
    return loss


def check_examples(student: Tensor, teacher: Tensor, what: str) -> None:
    """Both are floating tensors (B, ...) with something in each of their B examples.

    Raises:
        TypeError: One of them is not a tensor.
        ValueError: They are not floating, have no second dimension, or differ in B.

    Example:
        >>> check_examples(torch.zeros(2, 3), torch.zeros(2, 5), "features")
    """
    for name, values in ((f"student_{what}", student), (f"teacher_{what}", teacher)):
        check_floating(name, values)
        if values.dim() < 2 or 0 in values.shape[1:]:
            raise ValueError(f"{name} has shape {tuple(values.shape)}; give (B, ...), one row an example.")
    if len(student) != len(teacher):
        raise ValueError(
            f"student_{what} has {len(student)} examples and teacher_{what} {len(teacher)}; "
            "both must be of the same batch."
        )


def check_widths(student: Tensor, teacher: Tensor, what: str) -> None:
    """Each example has the same shape in both.

    Raises:
        ValueError: It has not; a ``Projector`` brings the student's to the teacher's width.

    Example:
        >>> check_widths(torch.zeros(2, 3), torch.zeros(2, 3), "features")
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"student_{what} has shape {tuple(student.shape)} and teacher_{what} {tuple(teacher.shape)}; "
            "bring the student's to the teacher's with a Projector."
        )


def unit(values: Tensor) -> Tensor:
    """Vectors of the last dimension brought to length 1; one of length 0 stays, and gets no gradient.

    Example:
        >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    squares = values.square().sum(-1, keepdim=True)
    empty = squares == 0  # the root has no derivative there
    return (values / squares.masked_fill(empty, 1).sqrt()).masked_fill(empty, 0)
