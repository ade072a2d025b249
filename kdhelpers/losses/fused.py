"""T² KL(p‖q) over many rows in few passes, the gradient taken along while the numbers are still in the cache.

autograd keeps a tensor as large as the logits for each step of the formula and walks through all of them
twice. The gradient is only q - p, so it is written down in the forward pass, one chunk of rows at a time.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from kdhelpers.losses.checks import is_traced
from kdhelpers.losses.row_losses import kl_rows

SHORT_ROW = 128
_SHORTEST_ROW = 16  # one vector of a processor
# Numbers a chunk: on a processor, for each thread, a few of them fit its cache; elsewhere they keep it busy.
_CHUNK = 2**16
_CHUNK_ELSEWHERE = 2**25


def can_fuse(*tensors: Tensor) -> bool:
    """Whether these may take the fused way: not where PyTorch traces or transforms the formula itself.

    Example:
        >>> can_fuse(torch.zeros(2, 3)), torch.func.vmap(lambda x: x + can_fuse(x))(torch.zeros(2))
        (True, tensor([0., 0.]))
    """
    if is_traced(*tensors):
        return False
    return not torch._C._are_functorch_transforms_active() and forward_ad._current_level < 0


def kl_sum(student: Tensor, teacher: Tensor, weight: float, temperature: float) -> Tensor:
    """``weight`` T² KL(p‖q), summed over all rows of logits (..., C). It can be differentiated twice.

    Example:
        >>> kl_sum(torch.zeros(2, 3), torch.zeros(2, 3), 1.0, 4.0)
        tensor(0.)
    """
    total: Tensor = _KLSum.apply(student, teacher, weight, temperature)
    return total


def kl_and_gradient(
    student: Tensor, teacher: Tensor, temperature: float, gradient: Tensor | None = None
) -> Tensor:
    """KL(p‖q), summed over the rows of logits (..., C), without autograd.

    Args:
        student: (..., C).
        teacher: (..., C).
        temperature: T.
        gradient: (..., C), contiguous: q - p is written into it.

    Example:
        >>> gradient = torch.empty(1, 2)
        >>> kl_and_gradient(torch.zeros(1, 2), torch.zeros(1, 2), 1.0, gradient), gradient
        (tensor(0.), tensor([[0., 0.]]))
    """
    total = _by_chunks(student, teacher, temperature, gradient)
    if math.isfinite(total.item()):
        return total
    # A class that is -inf for both models makes it NaN, though not the gradient: the slower way leaves such
    # classes out.
    return kl_rows(student / temperature, teacher / temperature, 1.0).sum()


def log_probabilities(logits: Tensor) -> Tensor:
    """log softmax(logits) of (..., C), in memory of its own.

    Example:
        >>> log_probabilities(torch.zeros(2))
        tensor([-0.6931, -0.6931])
    """
    if logits.shape[-1] >= _SHORTEST_ROW or logits.dim() < 2 or logits.device.type != "cpu":
        return logits.log_softmax(-1)
    # PyTorch takes a row that fills no vector one number at a time, but columns many at a time.
    return logits.mT.log_softmax(-2).mT


def _by_chunks(student: Tensor, teacher: Tensor, temperature: float, gradient: Tensor | None) -> Tensor:
    width = student.shape[-1]
    numbers = torch.get_num_threads() * _CHUNK if student.device.type == "cpu" else _CHUNK_ELSEWHERE
    step = max(1, numbers // width)
    if width <= SHORT_ROW and student.numel() <= step * width:
        return _short(student, teacher, temperature, gradient)
    students, teachers = student.reshape(-1, width).split(step), teacher.reshape(-1, width).split(step)
    gradients = [None] * len(students) if gradient is None else gradient.view(-1, width).split(step)
    chunks = zip(students, teachers, gradients, strict=True)
    if width <= SHORT_ROW:
        return torch.stack([_short(s, t, temperature, out) for s, t, out in chunks]).sum()
    # One piece of memory for all chunks: asking for it anew costs more than the arithmetic.
    scratch = list(student.new_empty(4, *students[0].shape))
    return torch.stack([_long(s, t, temperature, out, scratch) for s, t, out in chunks]).sum()


def _short(student: Tensor, teacher: Tensor, temperature: float, gradient: Tensor | None) -> Tensor:
    # Few numbers a row: what counts is the number of calls.
    if temperature != 1:
        student, teacher = student / temperature, teacher / temperature
    log_q, log_p = log_probabilities(student), log_probabilities(teacher)
    p = log_p.exp()
    if gradient is not None:
        torch.sub(log_q.exp(), p, out=gradient)
    return p.mul_(log_p.sub_(log_q)).sum()


def _long(
    student: Tensor, teacher: Tensor, temperature: float, gradient: Tensor | None, scratch: list[Tensor]
) -> Tensor:
    # Many numbers a row: what counts is the number of exponentials, so one softmax each and no logarithm of
    # it. With logits z less their row's highest, log p = z + log max p; and so for q.
    z_q, z_p, p, q = (piece[: len(student)] for piece in scratch)
    for z, logits in ((z_q, student), (z_p, teacher)):
        torch.sub(logits, logits.amax(-1, keepdim=True), out=z).div_(temperature)
    q = q if gradient is None else gradient
    torch.softmax(z_p, -1, out=p)
    torch.softmax(z_q, -1, out=q)
    heights = p.amax(-1).log_().sub_(q.amax(-1).log_()).sum()
    if gradient is not None:
        gradient.sub_(p)
    return p.mul_(z_p.sub_(z_q)).sum().add_(heights)


class _KLSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, weight: float, temperature: float) -> Tensor:
        gradient = None
        if ctx.needs_input_grad[0]:
            gradient = torch.empty_like(student, memory_format=torch.contiguous_format)
        total = kl_and_gradient(student, teacher, temperature, gradient)
        scale = temperature * weight
        ctx.save_for_backward(student, teacher, gradient)
        ctx.temperature, ctx.scale = temperature, scale
        return total * (temperature * scale)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        student, teacher, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # with create_graph: this gradient is differentiated in its turn
            q, p = (student / ctx.temperature).softmax(-1), (teacher / ctx.temperature).softmax(-1)
            gradient = q - p
        return gradient * (outer * ctx.scale), None, None, None
