"""Several teachers as one: an average of what they say, in the form that every loss takes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kdhelpers.losses.checks import check_floating, check_temperature
from kdhelpers.losses.row_losses import log_softened


def ensemble_logits(
    teacher_logits: Tensor, weights: Tensor | None = None, temperature: float = 1.0
) -> Tensor:
    """Logits whose softmax at T is the average of the teachers' probabilities at T.

    That is t with softmax(t / T) = Σ_k w_k softmax(t_k / T). The average of the logits themselves would
    give the normalised geometric mean instead, in which one teacher that rules a class out decides for all.
    Store these, or pass them on, as the logits of one teacher; use them with the same temperature.
    Hinton et al. 2015, arXiv:1503.02531, name both means.

    Args:
        teacher_logits: (K, ..., C) logits of K teachers for the same rows; -inf rules a class out.
        weights: (K,) how much each teacher counts, 0 or more; only their ratios matter. None: all the same.
        temperature: T above 0, at which probabilities are averaged and will be used.

    Returns:
        (..., C) in the dtype of the logits.

    Raises:
        TypeError: The logits are not a tensor.
        ValueError: The logits lack a dimension for teachers or are not floating, the weights are not one a
            teacher, negative or all 0, or the temperature is not above 0.

    Example:
        >>> two = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log()  # what each of two teachers says of one row
        >>> ensemble_logits(two).softmax(dim=-1)
        tensor([0.7000, 0.3000])
    """
    check_floating("teacher_logits", teacher_logits)
    if teacher_logits.dim() < 2 or 0 in (len(teacher_logits), teacher_logits.shape[-1]):
        raise ValueError(
            f"teacher_logits has shape {tuple(teacher_logits.shape)}: stack the teachers' logits as "
            "(K, ..., C), as torch.stack does."
        )
    check_temperature(temperature)
    shares = _log_shares(weights, teacher_logits).view(-1, *[1] * (teacher_logits.dim() - 1))
    # As logarithms: a sure teacher's small probabilities would underflow, and their logarithm be -inf.
    return temperature * (log_softened(teacher_logits, temperature) + shares).logsumexp(dim=0)


def _log_shares(weights: Tensor | None, teacher_logits: Tensor) -> Tensor:
    count = len(teacher_logits)
    if weights is None:
        return teacher_logits.new_full((count,), -math.log(count))
    if tuple(weights.shape) != (count,):
        raise ValueError(f"weights has shape {tuple(weights.shape)} for {count} teachers: give ({count},).")
    plain = weights.to(teacher_logits)
    if not (torch.isfinite(plain).all() and (plain >= 0).all() and plain.sum() > 0):
        raise ValueError("weights must be 0 or more and not all 0: each says how much a teacher counts.")
    return (plain / plain.sum()).log()
