"""Losses that compare a student's logits with its teacher's.

Throughout, p = softmax(teacher_logits / T) and q = softmax(student_logits / T), with T the temperature.
Losses are summed over classes and averaged over rows, and softened ones are multiplied by T², so that
gradients keep their size when T changes. A class that is -inf for both models (a masked word of the
vocabulary) takes no part, not even in a mean over classes; -inf for the student alone may cost infinity.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from kdhelpers.losses import row_losses as formulas
from kdhelpers.losses.checks import check_labels, check_logits, check_share, check_temperature
from kdhelpers.losses.fused import kl_sum
from kdhelpers.losses.mixture import mixed_sum
from kdhelpers.losses.rows import over_rows


def kd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 4.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinton's distillation loss, T² KL(p‖q): 0 where both agree, with gradient T (q - p) / rows.

    Args:
        student_logits: (..., C).
        teacher_logits: (..., C); receives no gradient.
        temperature: T above 0. As it grows, the loss tends to half the centred ``logit_mse_loss``; from
            about 1000 on float32 has no digits left for it, so use float64 or that loss.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts.

    Raises:
        ValueError: Shapes differ, temperature not above 0, NaN logits, or another bad argument.

    Hinton et al. 2015, arXiv:1503.02531.

    Example:
        >>> import torch
        >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]])
        >>> round(kd_loss(student, teacher, temperature=1.0).item(), 3)
        0.328
    """
    check_temperature(temperature)
    rows = partial(formulas.kl_rows, temperature=temperature)
    summed = partial(kl_sum, temperature=temperature)
    return over_rows(rows, student_logits, teacher_logits, mask, reduction, summed)


def soft_cross_entropy(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 4.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy against the teacher's probabilities, -T² Σ p log q = ``kd_loss`` + T² H(p).

    Same gradient as ``kd_loss``, one pass cheaper, but not 0 where both agree: there it is T² H(p).
    Hinton et al. 2015, arXiv:1503.02531.

    Args:
        student_logits: (..., C).
        teacher_logits: (..., C); receives no gradient.
        temperature: T above 0.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts.

    Raises:
        ValueError: Shapes differ, temperature not above 0, NaN logits, or another bad argument.

    Example:
        >>> import torch
        >>> even = torch.zeros(1, 2)
        >>> round(soft_cross_entropy(even, even, temperature=1.0).item(), 3)  # a fair coin: log 2
        0.693
    """
    check_temperature(temperature)
    rows = partial(formulas.soft_label_rows, temperature=temperature)
    return over_rows(rows, student_logits, teacher_logits, mask, reduction)


def reverse_kl_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 4.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The divergence seen from the student, T² KL(q‖p): it would rather miss a mode than invent one.

    Args:
        student_logits: (..., C).
        teacher_logits: (..., C); receives no gradient.
        temperature: T above 0.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts. Infinite where the
        teacher rules out (-inf) a class that the student does not.

    Raises:
        ValueError: Shapes differ, temperature not above 0, NaN logits, or another bad argument.

    Gu et al. 2023 (MiniLLM), arXiv:2306.08543.

    Example:
        >>> import torch
        >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]])
        >>> round(reverse_kl_loss(student, teacher, temperature=1.0).item(), 3)
        0.434
    """
    check_temperature(temperature)
    rows = partial(formulas.reverse_kl_rows, temperature=temperature)
    return over_rows(rows, student_logits, teacher_logits, mask, reduction)


def js_divergence_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 4.0,
    beta: float = 0.5,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Generalised Jensen-Shannon, T² [β KL(p‖M) + (1-β) KL(q‖M)] with M = β p + (1-β) q. Never infinite.

    Args:
        student_logits: (..., C).
        teacher_logits: (..., C); receives no gradient.
        temperature: T above 0.
        beta: β from 0 to 1, the teacher's share of M. At the edges the formula gives 0, and so do we;
            divided by β (or 1-β) it tends to the forward (or reverse) KL there. Some libraries jump to
            those: for them use ``kd_loss`` and ``reverse_kl_loss``.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts.

    Raises:
        ValueError: Shapes differ, temperature or beta out of range, NaN logits, or another bad argument.

    Agarwal et al. 2023 (GKD), arXiv:2306.13649.

    Example:
        >>> import torch
        >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]])
        >>> round(js_divergence_loss(student, teacher, temperature=1.0).item(), 3)
        0.09
    """
    check_temperature(temperature)
    check_share("beta", beta)
    rows = partial(formulas.js_rows, temperature=temperature, beta=beta)
    return over_rows(rows, student_logits, teacher_logits, mask, reduction)


def logit_mse_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    mask: Tensor | None = None,
    reduction: str = "mean",
    centred: bool = False,
) -> Tensor:
    """Mean over classes of (student - teacher)², the logits themselves compared.

    Args:
        student_logits: (..., C).
        teacher_logits: (..., C); receives no gradient.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.
        centred: Subtract each row's mean first. A constant added to all logits of a row changes no
            probability; only the centred loss ignores it too.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts.

    Raises:
        ValueError: Shapes differ, NaN logits, or another bad argument.

    Ba and Caruana 2013, arXiv:1312.6184; as the limit of high temperatures, arXiv:1503.02531.

    Example:
        >>> import torch
        >>> student, teacher = torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 0.0]])
        >>> logit_mse_loss(student, teacher), logit_mse_loss(student, teacher, centred=True)
        (tensor(5.), tensor(1.))
    """
    return over_rows(
        partial(formulas.mse_rows, centred=centred), student_logits, teacher_logits, mask, reduction
    )


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float = 4.0,
    kd_weight: float = 0.9,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Learn from teacher and labels: kd_weight T² KL(p‖q) + (1 - kd_weight) cross-entropy, row by row.

    A row without a label learns from the teacher alone: its cross-entropy counts as 0 and the mean is over
    all rows, so that splitting a batch changes nothing. Hinton et al. 2015, arXiv:1503.02531.

    Args:
        student_logits: (..., C).
        teacher_logits: (..., C); receives no gradient.
        labels: (...) of whole numbers from 0 to C-1, or ``ignore_index`` where there is no label.
        temperature: T above 0, for the first term only; cross-entropy is taken at 1.
        kd_weight: From 0 (labels alone) to 1 (teacher alone).
        ignore_index: What marks a row without a label.
        reduction: "mean" over all rows, "sum", or "none" for one loss a row.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients for an empty batch.

    Raises:
        ValueError: Shapes differ, a label, temperature or kd_weight out of range, NaN logits.

    Example:
        >>> import torch
        >>> student, teacher, labels = torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]), torch.tensor([0])
        >>> round(distillation_loss(student, teacher, labels, temperature=1.0, kd_weight=0.5).item(), 3)
        0.51
    """
    check_temperature(temperature)
    check_share("kd_weight", kd_weight)
    check_logits(student_logits, teacher_logits)
    complete = check_labels(labels, student_logits, ignore_index)
    mixed: dict[str, Any] = dict(temperature=temperature, kd_weight=kd_weight, ignore_index=ignore_index)
    rows = partial(formulas.mixed_rows, labels=labels, **mixed)
    summed = partial(mixed_sum, labels=labels, complete=complete, **mixed)
    return over_rows(rows, student_logits, teacher_logits, None, reduction, summed)
