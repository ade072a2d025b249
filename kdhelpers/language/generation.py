"""Text that a model writes itself, token by token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..logits import logits_of
from ..modes import as_module, in_mode


def generate(
    model: nn.Module,
    prompts: Tensor,
    new_tokens: int,
    *,
    end_token: int | None = None,
    temperature: float = 0.0,
    random: torch.Generator | None = None,
) -> Tensor:
    """Go on from prompts with what the model says comes next, reading all anew for each token.

    Args:
        model: Gives logits (B, L, V), or an answer that holds them, of tokens (B, L).
        prompts: (B, P) of whole numbers, all of one length.
        new_tokens: How many to write.
        end_token: Once it is written, a row is filled up with it.
        temperature: 0 takes the most probable token; above 0 one is drawn from softmax(logits / temperature).
        random: For the draws; None: the global one.

    Returns:
        (B, P + new_tokens): the prompts and what was written. Nothing here has a gradient.

    Raises:
        ValueError: Prompts that are not (B, P), no place to write, or a temperature below 0.

    Example:
        >>> def next_number(tokens):  # a "model" that always expects one more
        ...     return nn.functional.one_hot((tokens + 1) % 5, 5).float()
        >>> generate(next_number, torch.tensor([[1, 2]]), new_tokens=4, end_token=4)
        tensor([[1, 2, 3, 4, 4, 4]])
    """
    if prompts.dim() != 2 or prompts.shape[1] < 1 or prompts.is_floating_point():
        raise ValueError(
            f"prompts are {prompts.dtype} of shape {tuple(prompts.shape)}: give whole numbers (B, P)."
        )
    if new_tokens < 1:
        raise ValueError(f"new_tokens is {new_tokens}: give 1 or more.")
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}: give 0, or a number above it.")
    tokens, ended = prompts, torch.zeros(len(prompts), dtype=torch.bool, device=prompts.device)
    with in_mode(as_module(model), training=False), torch.no_grad():
        for _ in range(new_tokens):
            following = _next(logits_of(model(tokens))[:, -1], temperature, random)
            if end_token is not None:
                following = following.masked_fill(ended, end_token)
                ended = ended | (following == end_token)
            tokens = torch.cat([tokens, following.unsqueeze(1)], 1)
    return tokens


def _next(logits: Tensor, temperature: float, random: torch.Generator | None) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial((logits.float() / temperature).softmax(-1), 1, generator=random).squeeze(1)
