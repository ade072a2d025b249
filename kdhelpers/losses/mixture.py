"""Teacher and labels together: over few classes, both terms and their gradient in one go.

What counts there is the number of calls: one step in autograd's graph takes the place of two dozen.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdhelpers.losses.fused import SHORT_ROW, kl_sum, log_probabilities
from kdhelpers.losses.row_losses import kl_rows, mixed_rows

_FEW_NUMBERS = 2**16


def mixed_sum(
    student: Tensor,
    teacher: Tensor,
    weight: float,
    labels: Tensor,
    temperature: float,
    kd_weight: float,
    ignore_index: int,
    complete: bool,
) -> Tensor:
    """``weight`` times the sum of ``mixed_rows``: kd_weight T² KL(p‖q) + (1 - kd_weight) cross-entropy.

    It can be differentiated twice; ``complete`` says that all rows have a label.

    Example:
        >>> mixed_sum(torch.zeros(1, 2), torch.zeros(1, 2), 1.0, torch.tensor([1]), 1.0, 0.5, -100, True)
        tensor(0.3466)
    """
    few = student.shape[-1] <= SHORT_ROW and student.numel() <= _FEW_NUMBERS
    if few and complete and 0 < kd_weight < 1:
        total: Tensor = _MixedSum.apply(student, teacher, labels.long(), weight, temperature, kd_weight)
        return total
    terms = []  # a term without weight is left out, as in mixed_rows
    if kd_weight > 0:
        terms.append(kl_sum(student, teacher, weight * kd_weight, temperature))
    if kd_weight < 1:
        flat, target = student.reshape(-1, student.shape[-1]), labels.reshape(-1).long()
        of_labels = F.cross_entropy(flat, target, ignore_index=ignore_index, reduction="sum")
        terms.append(of_labels * (weight * (1 - kd_weight)))
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


class _MixedSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        teacher: Tensor,
        labels: Tensor,
        weight: float,
        temperature: float,
        kd_weight: float,
    ) -> Tensor:
        soft, hard = weight * kd_weight * temperature, weight * (1 - kd_weight)
        logs = log_probabilities(torch.stack([student / temperature, teacher / temperature, student]))
        (log_q, log_p, log_hard), (q, p, q_hard) = logs.unbind(), logs.exp().unbind()
        place = labels.unsqueeze(-1)
        log_true = log_hard.gather(-1, place)
        kl = log_p.sub_(log_q).mul_(p).sum()
        if not math.isfinite(kl.item()):  # a class that is -inf for both; the gradient is right
            kl = kl_rows(student / temperature, teacher / temperature, 1.0).sum()
        # T (q - p), and q less 1 at the label, in proportion
        gradient = q.sub_(p).mul_(soft).add_(q_hard.scatter_(-1, place, log_true.expm1()), alpha=hard)
        ctx.save_for_backward(student, teacher, labels, gradient)
        ctx.weight, ctx.temperature, ctx.kd_weight = weight, temperature, kd_weight
        return torch.sub(kl * (soft * temperature), log_true.sum(), alpha=hard)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        student, teacher, labels, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # with create_graph: this gradient is differentiated in its turn
            rows = mixed_rows(student, teacher, labels, ctx.temperature, ctx.kd_weight, ignore_index=-1)
            total = rows.sum() * ctx.weight
            (found,) = torch.autograd.grad(total, student, outer, create_graph=True)
        else:
            found = gradient * outer
        return found, *[None] * 5
