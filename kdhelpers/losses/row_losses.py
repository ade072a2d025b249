"""The formulas, row by row: logits (..., C) in, one loss a row (...) out. The public losses add the rest.

p = softmax(teacher / T), q = softmax(student / T). Everything is done on log-probabilities: the logarithm of
a softmax that has reached 0 is -inf, and its gradient NaN.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def kl_rows(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² KL(p‖q).

    Example:
        >>> kl_rows(torch.zeros(2, 3), torch.zeros(2, 3), 2.0)
        tensor([0., 0.])
    """
    log_p, log_q = log_softened(teacher, temperature), log_softened(student, temperature)
    return divergence(log_p.exp(), log_p, log_q) * temperature**2


def reverse_kl_rows(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² KL(q‖p), the same with the roles swapped.

    Example:
        >>> reverse_kl_rows(torch.zeros(2, 3), torch.zeros(2, 3), 2.0)
        tensor([0., 0.])
    """
    return kl_rows(teacher, student, temperature)


def soft_label_rows(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """-T² Σ p log q.

    Example:
        >>> soft_label_rows(torch.zeros(2, 2), torch.zeros(2, 2), 1.0)
        tensor([0.6931, 0.6931])
    """
    p, log_q = log_softened(teacher, temperature).exp(), log_softened(student, temperature)
    terms = without(p == 0, p * log_q)
    return terms.sum(-1) * -(temperature**2)


def js_rows(student: Tensor, teacher: Tensor, temperature: float, beta: float) -> Tensor:
    """T² [β KL(p‖M) + (1-β) KL(q‖M)] with M = β p + (1-β) q.

    Example:
        >>> js_rows(torch.zeros(2, 3), torch.zeros(2, 3), 2.0, 0.5)
        tensor([0., 0.])
    """
    log_p, log_q = log_softened(teacher, temperature), log_softened(student, temperature)
    p, q = log_p.exp(), log_q.exp()
    # Where both have underflowed the floor keeps the logarithm finite; p and q are 0 there.
    log_m = q.lerp(p, beta).clamp(min=torch.finfo(q.dtype).tiny).log()
    towards_teacher, towards_student = divergence(p, log_p, log_m), divergence(q, log_q, log_m)
    return (beta * towards_teacher + (1 - beta) * towards_student) * temperature**2


def mse_rows(student: Tensor, teacher: Tensor, centred: bool) -> Tensor:
    """Mean over classes of (student - teacher)², each less its row's mean if centred.

    Example:
        >>> mse_rows(torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2), centred=True)
        tensor([1.])
    """
    absent = student.isneginf() & teacher.isneginf()
    classes = student.shape[-1] - absent.sum(-1)
    difference = (student - teacher).masked_fill(absent, 0)
    if centred:
        mean = (difference.sum(-1) / classes).unsqueeze(-1)
        difference = (difference - mean).masked_fill(absent, 0)
    return difference.square().sum(-1) / classes


def label_rows(student: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
    """Cross-entropy against labels (...), 0 where the label is ``ignore_index``.

    Example:
        >>> label_rows(torch.zeros(2, 2), torch.tensor([1, -100]), -100)
        tensor([0.6931, 0.0000])
    """
    flat, target = student.reshape(-1, student.shape[-1]), labels.reshape(-1).long()
    losses = F.cross_entropy(flat, target, ignore_index=ignore_index, reduction="none")
    return losses.reshape(labels.shape)


def mixed_rows(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    temperature: float,
    kd_weight: float,
    ignore_index: int,
) -> Tensor:
    """kd_weight T² KL(p‖q) + (1 - kd_weight) cross-entropy.

    Example:
        >>> mixed_rows(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([1]), 1.0, 0.0, -100)
        tensor([0.6931])
    """
    # A term without weight is left out: it would cost a pass, and 0 times infinity is NaN.
    if kd_weight == 0:
        return label_rows(student, labels, ignore_index)
    kd = kl_rows(student, teacher, temperature)
    if kd_weight == 1:
        return kd
    return kd_weight * kd + (1 - kd_weight) * label_rows(student, labels, ignore_index)


def log_softened(logits: Tensor, temperature: float) -> Tensor:
    """Log-probabilities at a temperature, log softmax(logits / T).

    Example:
        >>> log_softened(torch.zeros(2), 3.0)
        tensor([-0.6931, -0.6931])
    """
    return F.log_softmax(logits if temperature == 1 else logits / temperature, dim=-1)


def divergence(p: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """Σ p (log p - log q) over the last dimension.

    Example:
        >>> half = torch.full((2,), 0.5)
        >>> divergence(half, half.log(), half.log())
        tensor(0.)
    """
    # 0 log 0 = 0, also where q is 0 too and the difference is -inf minus -inf.
    return (p * without(p == 0, log_p - log_q)).sum(-1)


def without(places: Tensor, values: Tensor) -> Tensor:
    """Values, freshly computed, with 0 in some places, where what made them gets a gradient of 0 anyway.

    Example:
        >>> without(torch.tensor([True, False]), torch.tensor([torch.nan, 2.0]))
        tensor([0., 2.])
    """
    # Filled in place: as the factor p is 0 there, so is the gradient, and autograd need not spend a pass of
    # its own on the filling.
    with torch.no_grad():
        return values.masked_fill_(places, 0)
