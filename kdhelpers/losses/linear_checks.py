"""What ``linear_kd_loss`` asks of its arguments, each answered in one clear sentence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kdhelpers.losses.checks import check_count, check_floating, is_traced


def check_linear(whose: str, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Hidden states (..., D) go into a layer with weight (V, D) and bias (V,), all of one dtype.

    Raises:
        TypeError: Something is not a tensor.
        ValueError: Shapes or dtypes do not fit.

    Example:
        >>> check_linear("student", torch.zeros(2, 3), torch.zeros(9, 3), None)
    """
    check_floating(f"{whose}_hidden", hidden)
    check_floating(f"{whose}_weight", weight)
    if weight.dim() != 2 or hidden.dim() == 0 or hidden.shape[-1] != weight.shape[1] or not len(weight):
        raise ValueError(
            f"{whose}_hidden has shape {tuple(hidden.shape)} and {whose}_weight {tuple(weight.shape)}; "
            "give (..., D) and (V, D) of the same D."
        )
    if hidden.dtype != weight.dtype and not torch.is_autocast_enabled(hidden.device.type):
        raise ValueError(
            f"{whose}_hidden has dtype {hidden.dtype} and {whose}_weight {weight.dtype}; give both the same."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"{whose}_bias has shape {tuple(bias.shape)}, but {whose}_weight has {len(weight)} words; "
            "give one number a word."
        )


def check_hidden(student_hidden: Tensor, teacher_hidden: Tensor) -> torch.Size:
    """The shape of the rows, the same in both.

    Raises:
        ValueError: It is not.

    Example:
        >>> check_hidden(torch.zeros(2, 5, 3), torch.zeros(2, 5, 7))
        torch.Size([2, 5])
    """
    rows = student_hidden.shape[:-1]
    if rows != teacher_hidden.shape[:-1]:
        raise ValueError(
            f"student_hidden has rows of shape {tuple(rows)} and teacher_hidden "
            f"{tuple(teacher_hidden.shape[:-1])}; both need the same rows."
        )
    return rows


def common_words(student: Tensor, teacher: Tensor, vocabulary: int | None, dim: int = 0) -> int:
    """How many words take part: those asked for, or as many as both have in their dimension ``dim``.

    Raises:
        ValueError: More are asked for than one of them has, or none.

    Example:
        >>> common_words(torch.zeros(9, 3), torch.zeros(12, 7), None)
        9
    """
    fewest = min(student.shape[dim], teacher.shape[dim])
    if vocabulary is None:
        return fewest
    check_count("vocabulary", vocabulary)
    if vocabulary > fewest:
        raise ValueError(
            f"vocabulary is {vocabulary}, but the student has {student.shape[dim]} words and the teacher "
            f"{teacher.shape[dim]}; give at most {fewest}."
        )
    return vocabulary


def check_linear_result(
    loss: Tensor, student: tuple[Tensor | None, ...], teacher: tuple[Tensor | None, ...]
) -> None:
    """The loss is a number; if it is not, say which of the inputs (hidden, weight, bias) isn't.

    Raises:
        ValueError: It is NaN.

    Example:
        >>> check_linear_result(torch.tensor(0.5), (torch.zeros(2, 3),), (torch.zeros(2, 3),))
    """
    if is_traced(loss) or not (loss.isnan().any() if loss.dim() else math.isnan(loss.item())):
        return
    for whose, tensors in (("teacher", teacher), ("student", student)):
        for name, tensor in zip(("hidden", "weight", "bias"), tensors, strict=False):
            if tensor is not None and not (tensor.isfinite() | tensor.isneginf()).all():
                raise ValueError(
                    f"{whose}_{name} holds NaN or +inf where it counts: look at the inputs that the model "
                    "was given, or lower the learning rate that trained it."
                )
    raise ValueError("The loss is NaN although all that goes in is finite: some logits are too large.")
