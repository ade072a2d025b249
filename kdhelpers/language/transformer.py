"""A decoder-only transformer, small enough to read and to train on a processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CausalTransformer(nn.Module):
    """A language model: at each place it scores the next token, from what stands there and before.

    The blocks of GPT-2, with learnt places and layer norms before each part, but with ReLU and without
    dropout. Attention is written out, and there are no buffers, so that many models train side by side
    (``train_many``). Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".

    Args:
        words: How many tokens there are: V.
        length: The longest sequence that it reads.
        width: Numbers a token has inside.
        layers: Blocks, each of attention and a network of two layers.
        heads: Parts that attention is split into; they divide the width.

    Raises:
        ValueError: A size below 1, heads that do not divide the width, or tokens of another shape than (B, L)
            with L up to ``length``.

    Example:
        >>> model = CausalTransformer(words=16, length=20, width=32, layers=1, heads=2)
        >>> model(torch.zeros(3, 18, dtype=torch.long)).shape
        torch.Size([3, 18, 16])
    """

    def __init__(self, words: int, length: int, width: int = 48, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        for name, size in dict(words=words, length=length, width=width, layers=layers, heads=heads).items():
            if size < 1:
                raise ValueError(f"{name} must be 1 or more, not {size}.")
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}: choose others.")
        self.words, self.length = words, length
        self.tokens = nn.Embedding(words, width)
        self.places = nn.Parameter(0.2 * torch.randn(length, width))
        nn.init.normal_(self.tokens.weight, std=0.2)
        self.blocks = nn.ModuleList(_Block(width, heads, layers) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, L, V) of tokens (B, L): those at place i speak of the token at i + 1."""
        if tokens.dim() != 2 or tokens.shape[1] > self.length:
            raise ValueError(
                f"This transformer takes tokens (B, L) with L up to {self.length}, not {tuple(tokens.shape)}."
            )
        hidden = self.tokens(tokens) + self.places[: tokens.shape[1]]
        for block in self.blocks:
            hidden = block(hidden)
        logits: Tensor = self.head(self.norm(hidden))
        return logits


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attended, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for last in (self.joined, self.narrow):
            # Each block adds to the sum; this keeps its size whatever their number.
            nn.init.normal_(last.weight, std=0.02 / (2 * layers) ** 0.5)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.joined(self._attend(self.attended(self.norm_attention(hidden))))
        result: Tensor = hidden + self.narrow(self.wide(self.norm_network(hidden)).relu())
        return result

    def _attend(self, attended: Tensor) -> Tensor:
        batch, length, width = attended.shape[0], attended.shape[1], attended.shape[2] // 3
        split = attended.view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split[0], split[1], split[2]  # each (B, heads, L, width / heads)
        scores = query @ key.transpose(-1, -2) / (width // self.heads) ** 0.5
        later = torch.ones(length, length, dtype=torch.bool, device=attended.device).triu(1)
        weights = scores.masked_fill(later, float("-inf")).softmax(-1)
        result: Tensor = (weights @ value).transpose(1, 2).reshape(batch, length, width)
        return result
