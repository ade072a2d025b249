"""The formulas, row by row: logits (..., C) in, one loss a row (...) out. The public losses add the rest.

p = softmax(teacher / T), q = softmax(student / T). Everything is done on log-probabilities: the logarithm of
a softmax that has reached 0 is -inf, and its gradient NaN.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Stands in for log 0: any product with a probability of 0 is then 0, where that with -inf would be NaN.
_LOG_OF_NOTHING = -1e30


def kl_rows(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² KL(p‖q).

    Example:
        >>> kl_rows(torch.zeros(2, 3), torch.zeros(2, 3), 2.0)
        tensor([0., 0.])
    """
    log_p, log_q = log_softened(teacher, temperature), log_softened(student, temperature)
    p = log_p.exp()
    # 0 log 0 = 0, also where q is 0 too and the difference is -inf minus -inf.
    ratio = (log_p - log_q).masked_fill_(p == 0, 0)
    return (p * ratio).sum(-1) * temperature**2


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
    return (p * log_q.masked_fill(p == 0, 0)).sum(-1) * -(temperature**2)


def js_rows(student: Tensor, teacher: Tensor, temperature: float, beta: float) -> Tensor:
    """T² [β KL(p‖M) + (1-β) KL(q‖M)] with M = β p + (1-β) q.

    Example:
        >>> js_rows(torch.zeros(2, 3), torch.zeros(2, 3), 2.0, 0.5)
        tensor([0., 0.])
    """
    log_p = log_softened(teacher, temperature).clamp(min=_LOG_OF_NOTHING)
    log_q = log_softened(student, temperature).clamp(min=_LOG_OF_NOTHING)
    log_m = torch.logaddexp(log_p + _log(beta), log_q + _log(1 - beta))
    from_teacher = log_p.exp() * (log_p - log_m)
    from_student = log_q.exp() * (log_q - log_m)
    return (beta * from_teacher + (1 - beta) * from_student).sum(-1) * temperature**2


def mse_rows(student: Tensor, teacher: Tensor, centred: bool) -> Tensor:
    """Mean over classes of (student - teacher)², each less its row's mean if centred.

    Example:
        >>> mse_rows(torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2), centred=True)
        tensor([1.])
    """
    absent = student.isneginf() & teacher.isneginf()
    classes = (~absent).sum(-1, keepdim=True)
    difference = (student - teacher).masked_fill(absent, 0)
    if centred:
        difference = (difference - difference.sum(-1, keepdim=True) / classes).masked_fill(absent, 0)
    return (difference.square() / classes).sum(-1)


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


def _log(share: float) -> float:
    return math.log(share) if share > 0 else -math.inf
