"""Distillation from the teacher's k highest logits, with all other classes as one."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from kdhelpers.losses.checks import check_count, check_temperature
from kdhelpers.losses.row_losses import divergence, log_softened
from kdhelpers.losses.rows import over_rows


def topk_kd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    k: int = 8,
    temperature: float = 4.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """T² KL over the teacher's k most probable classes and one bucket that holds the mass of all others.

    What a teacher says of thousands of unlikely classes is mostly noise, and need not be stored. The bucket
    keeps the loss a divergence: 0 only where the k classes and the rest agree, at most ``kd_loss``, and equal
    to it from k = C-1 on. (Dropping the rest and renormalising the k classes is 0 for students that put
    any mass elsewhere, or not 0 at agreement.) After Hinton et al. 2015, arXiv:1503.02531.

    Args:
        student_logits: (..., C).
        teacher_logits: (..., C); receives no gradient. Of ``TeacherOutputs`` recorded with ``top_k``, which
            spread the tail's mass evenly, the loss at T = 1 and the same k is that of the full logits.
        k: How many classes keep their own place, 1 or more.
        temperature: T above 0.
        mask: (...) of bool, True where a row counts.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts.

    Raises:
        ValueError: Shapes differ, k or temperature out of range, NaN logits, or another bad argument.

    Example:
        >>> student, teacher = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[3.0, 1.0, 0.0]])
        >>> [round(topk_kd_loss(student, teacher, k, temperature=1.0).item(), 2) for k in (1, 2, 3)]
        [0.8, 0.96, 0.96]
    """
    check_count("k", k)
    check_temperature(temperature)
    rows = partial(_topk_rows, k=k, temperature=temperature)
    return over_rows(rows, student_logits, teacher_logits, mask, reduction)


def _topk_rows(student: Tensor, teacher: Tensor, k: int, temperature: float) -> Tensor:
    log_p, log_q = log_softened(teacher, temperature), log_softened(student, temperature)
    kept = log_p.topk(min(k, log_p.shape[-1]), dim=-1).indices
    log_p, log_q = _bucketed(log_p, kept), _bucketed(log_q, kept)
    return divergence(log_p.exp(), log_p, log_q) * temperature**2


def _bucketed(log_probabilities: Tensor, kept: Tensor) -> Tensor:
    """The kept classes (..., k) and the logarithm of all others' mass: (..., k+1)."""
    lowest = torch.finfo(log_probabilities.dtype).min
    # Added up class by class: 1 minus the kept mass has no digits left where the teacher is sure. Nothing in
    # the bucket is a very low number, not -inf, as the gradient of a sum of -inf is NaN.
    rest = log_probabilities.scatter(-1, kept, lowest)
    rest = rest.masked_fill(rest.isneginf(), lowest).logsumexp(-1, keepdim=True)
    return torch.cat([log_probabilities.gather(-1, kept), rest], -1)
