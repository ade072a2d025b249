"""Distillation over a large vocabulary, from the hidden states and the last layers: no logits are kept.

At 128,000 words a batch's logits take more memory than all else in training. They are made here for a chunk
of rows at a time, and what is kept of them is the loss and the gradients of hidden states and weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from kdhelpers.losses.checks import check_count, check_mask, check_reduction, check_temperature
from kdhelpers.losses.fused import can_fuse, kl_and_gradient
from kdhelpers.losses.linear_checks import check_hidden, check_linear, check_linear_result, common_words
from kdhelpers.losses.row_losses import kl_rows
from kdhelpers.losses.rows import reduced

# Logits of each model that are held at once: 32 MB in float32.
_HELD = 2**23
Layer = tuple[Tensor, Tensor, "Tensor | None"]
"""Hidden states (n, D), weight (V, D), bias (V,) or None."""


def linear_kd_loss(
    student_hidden: Tensor,
    student_weight: Tensor,
    teacher_hidden: Tensor,
    teacher_weight: Tensor,
    temperature: float = 1.0,
    student_bias: Tensor | None = None,
    teacher_bias: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: str = "mean",
    vocabulary: int | None = None,
    chunk_size: int | None = None,
) -> Tensor:
    """``kd_loss`` of hidden states times the weights of the last layers, chunk by chunk.

    The same number and gradients as ``kd_loss(hidden @ weight.T, ...)``, in a fraction of its memory: for
    n rows and V words, 8 n V numbers are not kept. Like Liger's kernels, Hsu et al. 2024, arXiv:2410.10989.

    Args:
        student_hidden: (..., D), what goes into the student's last layer.
        student_weight: (V, D), that layer's; it gets a gradient too, if it wants one.
        teacher_hidden: (..., D'), the same rows; receives no gradient.
        teacher_weight: (V', D').
        temperature: T above 0.
        student_bias: (V,).
        teacher_bias: (V',).
        mask: (...) of bool, True where a row counts: not the prompt, not the padding, see ``answer_mask``.
        reduction: "mean" over rows that count, "sum", or "none" for one loss a row (each chunk's logits are
            then made again in the backward pass).
        vocabulary: How many words are real, the first of both layers; further ones pad the layers and are
            left out. None: as many as both have.
        chunk_size: Rows at a time; None: as many as make about 8 million logits.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no row counts. Second derivatives
        (``create_graph=True``) are right, but keep the logits.

    Raises:
        ValueError: Shapes that do not fit, temperature not above 0, NaN, or another bad argument.

    Example:
        >>> student, teacher = torch.randn(6, 8), torch.randn(6, 16)
        >>> s, t = torch.randn(100, 8), torch.randn(100, 16)
        >>> from kdhelpers.losses import kd_loss
        >>> plain = kd_loss(student @ s.T, teacher @ t.T, temperature=1.0)
        >>> torch.allclose(linear_kd_loss(student, s, teacher, t), plain, rtol=1e-4)
        True
    """
    check_temperature(temperature)
    check_reduction(reduction)
    check_linear("student", student_hidden, student_weight, student_bias)
    check_linear("teacher", teacher_hidden, teacher_weight, teacher_bias)
    rows = check_hidden(student_hidden, teacher_hidden)
    if mask is not None:
        check_mask(mask, rows, "hidden states")
    words = common_words(student_weight, teacher_weight, vocabulary)
    if chunk_size is not None:
        check_count("chunk_size", chunk_size)
    step = chunk_size or max(1, _HELD // words)
    student = _layer(student_hidden, student_weight, student_bias, mask, words)
    teacher = _layer(teacher_hidden.detach(), teacher_weight.detach(), _detached(teacher_bias), mask, words)
    tensors = [tensor for tensor in (*student, *teacher) if tensor is not None]
    if reduction != "none" and can_fuse(*tensors):
        count = max(len(student[0]), 1) if reduction == "mean" else 1
        loss: Tensor = _LinearKL.apply(*student, *teacher, temperature, 1 / count, step)
    else:
        losses = _row_by_row(student, teacher, temperature, step, again=can_fuse(*tensors))
        loss = reduced(_spread(losses, mask, rows), mask, reduction)
    check_linear_result(loss, student, teacher)
    return loss


def _detached(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()


def _layer(hidden: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor | None, words: int) -> Layer:
    rows = hidden.reshape(-1, hidden.shape[-1]) if mask is None else hidden[mask]
    if len(weight) > words:
        weight, bias = weight[:words], None if bias is None else bias[:words]
    return rows, weight, bias


def _spread(losses: Tensor, mask: Tensor | None, rows: torch.Size) -> Tensor:
    return losses.reshape(rows) if mask is None else losses.new_zeros(rows).masked_scatter(mask, losses)


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    logits = F.linear(hidden, weight, bias)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _row_by_row(student: Layer, teacher: Layer, temperature: float, step: int, again: bool) -> Tensor:
    """Losses (n,); with ``again``, logits are made a second time in the backward pass and not kept."""

    def losses(s: Tensor, s_weight: Tensor, s_bias: Tensor | None, t: Tensor) -> Tensor:
        return kl_rows(_logits(s, s_weight, s_bias), _logits(t, *teacher[1:]), temperature)

    chunks = zip(student[0].split(step), teacher[0].split(step), strict=True)
    if again:
        parts = [checkpoint(losses, s, *student[1:], t, use_reentrant=False) for s, t in chunks]
    else:
        parts = [losses(s, *student[1:], t) for s, t in chunks]
    return torch.cat(parts)


class _LinearKL(torch.autograd.Function):
    """``weight`` T² KL(p‖q) summed over rows, its gradients taken in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        teacher_hidden: Tensor,
        teacher_weight: Tensor,
        teacher_bias: Tensor | None,
        temperature: float,
        share: float,
        step: int,
    ) -> Tensor:
        wide = torch.promote_types(weight.dtype, torch.float32)
        wanted = zip((hidden, weight, bias), ctx.needs_input_grad, strict=False)
        gradients = [
            torch.zeros_like(x, dtype=wide) if x is not None and needs else None for x, needs in wanted
        ]
        total = torch.zeros((), dtype=wide, device=hidden.device)
        for start in range(0, len(hidden), step):
            rows = slice(start, start + step)
            logits = _logits(hidden[rows], weight, bias)
            teacher_logits = _logits(teacher_hidden[rows], teacher_weight, teacher_bias)
            gradient = torch.empty_like(logits) if any(x is not None for x in gradients) else None
            total += kl_and_gradient(logits, teacher_logits, temperature, gradient)
            if gradient is not None:
                _collect(gradients, gradient, rows, hidden, weight)
        ctx.save_for_backward(hidden, weight, bias, teacher_hidden, teacher_weight, teacher_bias, *gradients)
        ctx.temperature, ctx.share, ctx.step = temperature, share, step
        return total * (temperature * temperature * share)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        student, teacher, gradients = (ctx.saved_tensors[n : n + 3] for n in (0, 3, 6))
        if torch.is_grad_enabled():  # with create_graph: these gradients are differentiated in their turn
            return *_differentiable(ctx, student, teacher, outer), *[None] * 6
        scaled = outer * (ctx.temperature * ctx.share)
        found = (
            None if gradient is None else (gradient * scaled).to(x.dtype)
            for gradient, x in zip(gradients, student, strict=True)
        )
        return *found, *[None] * 6


def _differentiable(ctx: Any, student: Layer, teacher: Layer, outer: Tensor) -> Iterator[Tensor | None]:
    """The gradients by autograd, which keeps the logits."""
    losses = _row_by_row(student, teacher, ctx.temperature, ctx.step, again=False)
    wanted = [x for x, needs in zip(student, ctx.needs_input_grad, strict=False) if needs and x is not None]
    found = iter(torch.autograd.grad(losses.sum() * ctx.share, wanted, outer, create_graph=True))
    return (next(found) if needs else None for needs in ctx.needs_input_grad[:3])


def _collect(
    gradients: list[Tensor | None], gradient: Tensor, rows: slice, hidden: Tensor, weight: Tensor
) -> None:
    """Add what a chunk's q - p (n, V) means for hidden states, weight and bias."""
    of_hidden, of_weight, of_bias = gradients
    if of_hidden is not None:
        of_hidden[rows] = gradient.to(weight.dtype) @ weight
    if of_weight is not None:
        of_weight.addmm_(gradient.mT, hidden[rows].to(gradient.dtype))
    if of_bias is not None:
        of_bias += gradient.sum(0)
