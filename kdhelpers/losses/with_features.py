"""A student that answers with a hidden layer too, for losses on features and for training many at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kdhelpers.logits import logits_of
from kdhelpers.losses.taps import find_layer, tap_layers


class WithFeatures(nn.Module):
    """A student whose answer holds a hidden layer behind its logits: (B, C + F), in one tensor.

    A loss that takes this tensor apart needs nothing from outside, so that ``train_many`` can train several
    such students in one pass. What is part of this module reaches the optimiser, the projector too. Train it,
    and keep the student.

    Args:
        student: Gives logits (B, C).
        layer: The name of one of its layers, as for ``tap_layers``.
        projector: Brings the layer's output (B, ...) to the teacher's shape. None: as it is.

    Raises:
        ValueError: There is no such layer; names close to it are told.

    Example:
        >>> student = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> answer = WithFeatures(student, "1")(torch.zeros(3, 4))
        >>> logits, features = answer[:, :2], answer[:, 2:]
        >>> logits.shape, features.shape
        (torch.Size([3, 2]), torch.Size([3, 8]))
    """

    def __init__(self, student: nn.Module, layer: str, projector: nn.Module | None = None) -> None:
        super().__init__()
        find_layer(student, layer)
        self.student, self.layer, self.projector = student, layer, projector

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Logits (B, C), and behind them the layer's output, flattened to (B, F)."""
        with tap_layers(self.student, self.layer) as taps:
            logits = logits_of(self.student(*args, **kwargs))
        features = taps[self.layer]
        if self.projector is not None:
            features = self.projector(features)
        return torch.cat([logits, features.flatten(1)], dim=1)
