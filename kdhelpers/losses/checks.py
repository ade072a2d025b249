"""What every loss asks of its arguments, each answered in one clear sentence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

REDUCTIONS = ("mean", "sum", "none")


def is_traced(*tensors: Tensor) -> bool:
    """Whether values cannot be looked at: under torch.compile, torch.func transforms or on "meta".

    Example:
        >>> is_traced(torch.zeros(2))
        False
    """
    if torch.compiler.is_compiling():
        return True
    for tensor in tensors:
        if tensor.is_meta or torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            return True
    return False


def check_logits(student_logits: Tensor, teacher_logits: Tensor, what: str = "logits") -> None:
    """Both are floating tensors of one shape, (..., C) with at least one class.

    Args:
        student_logits: The student's.
        teacher_logits: The teacher's.
        what: What the arguments are named after.

    Raises:
        TypeError: One of them is not a tensor.
        ValueError: They are not floating, have no class dimension, or differ in shape.

    Example:
        >>> check_logits(torch.zeros(2, 3), torch.zeros(2, 3))
    """
    items = {"logits": "classes", "scores": "items"}[what]
    for name, logits in ((f"student_{what}", student_logits), (f"teacher_{what}", teacher_logits)):
        check_floating(name, logits)
        if logits.dim() == 0 or logits.shape[-1] == 0:
            raise ValueError(
                f"{name} has shape {tuple(logits.shape)}; its last dimension must hold the {items}."
            )
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"student_{what} has shape {tuple(student_logits.shape)} and teacher_{what} "
            f"{tuple(teacher_logits.shape)}; both need the same rows and the same {items}."
        )


def check_floating(name: str, values: Tensor) -> None:
    """A floating-point tensor; ``name`` ends in what it holds, such as student_logits.

    Raises:
        TypeError: It is not a tensor.
        ValueError: It is not floating.

    Example:
        >>> check_floating("student_logits", torch.zeros(2, 3))
    """
    if not isinstance(values, Tensor):
        raise TypeError(f"{name} is a {type(values).__name__}; give a torch.Tensor.")
    if not values.is_floating_point():
        what = name.split("_")[-1]
        raise ValueError(f"{name} has dtype {values.dtype}; {what} are floating-point numbers.")


def check_mask(mask: Tensor, rows: torch.Size, what: str = "logits") -> None:
    """A mask is boolean and has one entry a row.

    Raises:
        ValueError: It has another dtype or shape.

    Example:
        >>> check_mask(torch.tensor([True, False]), torch.Size([2]))
    """
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        found = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(f"mask is {found}; give a torch.bool tensor, True where a row counts.")
    if mask.shape != rows:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}, but the {what} have rows of shape {tuple(rows)}; "
            "give one entry a row."
        )


def check_temperature(temperature: float) -> None:
    """A temperature is finite and above 0.

    Raises:
        ValueError: It is not.

    Example:
        >>> check_temperature(4.0)
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature is {temperature}; give a finite number above 0, such as 4.")


def check_share(name: str, value: float) -> None:
    """A share such as kd_weight lies from 0 to 1.

    Raises:
        ValueError: It does not.

    Example:
        >>> check_share("kd_weight", 0.9)
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; give a number from 0 to 1.")


def check_weight(name: str, value: float) -> None:
    """A weight such as beta is finite and not below 0.

    Raises:
        ValueError: It is not.

    Example:
        >>> check_weight("beta", 8.0)
    """
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value}; give a finite number of 0 or more.")


def check_count(name: str, value: int) -> None:
    """A number of things is whole and at least 1.

    Raises:
        ValueError: It is not.

    Example:
        >>> check_count("k", 8)
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}; give a whole number of 1 or more.")


def check_reduction(reduction: str) -> None:
    """A reduction is "mean", "sum" or "none".

    Raises:
        ValueError: It is something else.

    Example:
        >>> check_reduction("mean")
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}; choose 'mean' (over valid rows), 'sum' or 'none'.")


def check_labels(labels: Tensor, logits: Tensor, ignore_index: int) -> bool:
    """Labels are whole numbers, one a row, each a class of the logits or ``ignore_index``.

    Returns:
        Whether they are known to be complete, with no row marked by ``ignore_index``.

    Raises:
        ValueError: Wrong dtype or shape, or a label out of range (the first such row is named).

    Example:
        >>> check_labels(torch.tensor([2, -100]), torch.zeros(2, 3), ignore_index=-100)
        False
    """
    whole = isinstance(labels, Tensor) and not (labels.is_floating_point() or labels.is_complex())
    if not whole or labels.dtype == torch.bool:
        found = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"labels are {found}; give class numbers as a torch.int64 tensor.")
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, but the logits have rows of shape "
            f"{tuple(logits.shape[:-1])}; give one label a row."
        )
    if is_traced(labels) or not labels.numel():
        return False
    classes = logits.shape[-1]
    lowest, highest = labels.aminmax()  # one pass, where nothing is wrong and all have labels
    if lowest.item() >= 0 and highest.item() < classes:  # numbers: to compare tensors takes as long again
        return not 0 <= ignore_index < classes
    _check_range(labels, classes, ignore_index)
    return False


def _check_range(labels: Tensor, classes: int, ignore_index: int) -> None:
    wrong = ((labels < 0) | (labels >= classes)) & (labels != ignore_index)
    if wrong.any():
        row, count = _first(wrong)
        raise ValueError(
            f"labels row {row} is {int(labels[wrong][0])}, out of range for {classes} classes ({count} such "
            f"rows): use 0 to {classes - 1}, or {ignore_index} for a row without a label."
        )


def check_result(
    loss: Tensor, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None, what: str = "logits"
) -> None:
    """The loss is a number. Looking at it costs nothing; only a NaN makes us search the logits.

    Raises:
        ValueError: It is NaN; the sentence says whose logits, how many rows, and the first of them.

    Example:
        >>> check_result(torch.tensor(0.5), torch.zeros(2, 3), torch.zeros(2, 3), None)
    """
    if is_traced(loss) or not (loss.isnan().any() if loss.dim() else math.isnan(loss.item())):
        return
    for name, logits in ((f"teacher_{what}", teacher_logits), (f"student_{what}", student_logits)):
        for found, rows in _spoilt(logits.detach()).items():
            counted = rows if mask is None else rows & mask
            if counted.any():
                row, count = _first(counted)
                advice = "look at the inputs it was given, or lower the learning rate that trained it"
                raise ValueError(
                    f"{name} hold {found} in {count} of {counted.numel()} rows, first in row {row}: {advice}."
                )
    if what != "logits":
        raise ValueError(
            f"The loss is NaN although none of the {what} is: some are too large, scale them down."
        )
    raise ValueError(
        "The loss is NaN although no logit is: the temperature is too small for logits this large, "
        "or a class is -inf for one model only."
    )


def _spoilt(logits: Tensor) -> dict[str, Tensor]:
    return {
        "NaN": logits.isnan().any(-1),
        "+inf": logits.isposinf().any(-1),
        "nothing but -inf": logits.isneginf().all(-1),
    }


def _first(rows: Tensor) -> tuple[int | tuple[int, ...], int]:
    found = rows.nonzero()
    place = tuple(found[0].tolist())
    return (place[0] if len(place) == 1 else place), len(found)
