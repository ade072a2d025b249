"""Losses for language models: any divergence of logits, token by token, over the tokens of the answers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kdhelpers.losses.checks import check_floating
from kdhelpers.losses.linear_checks import common_words
from kdhelpers.losses.logits import kd_loss

Divergence = Callable[..., Tensor]
"""Takes what ``kd_loss`` takes: student and teacher logits, temperature, mask and reduction."""


def token_kd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    mask: Tensor | None = None,
    divergence: Divergence = kd_loss,
    temperature: float = 1.0,
    reduction: str = "mean",
    vocabulary: int | None = None,
) -> Tensor:
    """A divergence between student and teacher at every token that counts, averaged over those tokens.

    Logits at a place speak of the next token. So for tokens (B, L), drop the last logits, and the mask's
    first place::

        mask = answer_mask(tokens, prompt_lengths, end_token)
        token_kd_loss(student(tokens).logits[:, :-1], teacher(tokens).logits[:, :-1], mask[:, 1:])

    On answers of the teacher or of people this is token-level distillation (Kim and Rush 2016,
    arXiv:1606.07947, whose sequence-level one is cross-entropy on the teacher's answers); on the student's
    own samples it is on-policy distillation (GKD: Agarwal et al. 2023, arXiv:2306.13649).

    Args:
        student_logits: (..., V), such as (B, L, V).
        teacher_logits: (..., V'); receives no gradient. Both have one tokeniser, but layers are often
            padded to round sizes: words beyond the common ones are left out of both softmaxes. They are not
            taken as logits of 0, which would hand them probability.
        mask: (...) of bool, True where a token counts.
        divergence: ``kd_loss``, ``reverse_kl_loss``, ``js_divergence_loss``, ``topk_kd_loss`` or any other
            with their arguments; ``functools.partial`` sets its options, such as ``beta``.
        temperature: T above 0, of the divergence.
        reduction: "mean" over tokens that count (not over sequences: long answers weigh more), "sum", or
            "none" for one loss a token.
        vocabulary: How many words the tokeniser has. None: as many as both layers have.

    Returns:
        A scalar, or (...) for "none"; 0 with zero gradients if no token counts.

    Raises:
        ValueError: Rows differ, a vocabulary larger than a layer, or what the divergence refuses.

    Example:
        >>> from functools import partial
        >>> from kdhelpers.losses import js_divergence_loss
        >>> student, teacher = torch.zeros(1, 3, 5), torch.zeros(1, 3, 8)  # padded by 3 words
        >>> token_kd_loss(student, teacher).item()
        0.0
        >>> token_kd_loss(student, teacher, divergence=partial(js_divergence_loss, beta=0.1)).item()
        0.0
    """
    check_floating("student_logits", student_logits)
    check_floating("teacher_logits", teacher_logits)
    words = common_words(student_logits, teacher_logits, vocabulary, dim=-1)
    student_logits, teacher_logits = student_logits[..., :words], teacher_logits[..., :words]
    return divergence(student_logits, teacher_logits, temperature=temperature, mask=mask, reduction=reduction)


def answer_mask(tokens: Tensor, prompt_lengths: Tensor | int, end_token: int) -> Tensor:
    """Which tokens belong to an answer: all behind the prompt, up to the first end token and with it.

    The end token is where a model learns to stop, so it counts. Many tokenisers pad with it, which is why
    padding is not told by its number: the first one behind the prompt ends the answer, all others pad it.

    Args:
        tokens: (B, L) of whole numbers, padded on the right.
        prompt_lengths: (B,), or one number for all: how many tokens a prompt has.
        end_token: The number of the token that ends an answer.

    Returns:
        (B, L) of bool.

    Raises:
        ValueError: tokens are not (B, L) of whole numbers, or there isn't one prompt length a sequence.

    Example:
        >>> tokens = torch.tensor([[5, 6, 7, 2, 2, 2], [5, 2, 8, 9, 9, 9]])  # 2 ends, and pads
        >>> answer_mask(tokens, prompt_lengths=2, end_token=2).int()
        tensor([[0, 0, 1, 1, 0, 0],
                [0, 0, 1, 1, 1, 1]], dtype=torch.int32)
    """
    if tokens.dim() != 2 or tokens.is_floating_point() or tokens.dtype == torch.bool:
        raise ValueError(
            f"tokens are {tokens.dtype} of shape {tuple(tokens.shape)}; give (B, L) of whole numbers."
        )
    lengths = torch.as_tensor(prompt_lengths, device=tokens.device)
    if lengths.shape not in (torch.Size(), tokens.shape[:1]):
        raise ValueError(
            f"prompt_lengths have shape {tuple(lengths.shape)} for {len(tokens)} sequences; "
            "give one for each, or one number for all."
        )
    answer = torch.arange(tokens.shape[1], device=tokens.device) >= lengths.reshape(-1, 1)
    ends = (tokens == end_token) & answer
    ended_before = ends.cumsum(1) - ends.long() > 0
    return answer & ~ended_before
