"""The rows of one training step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kdhelpers.data import Split


@dataclass(frozen=True)
class Batch:
    """What a loss gets to see of one step, besides the logits.

    Args:
        split: Where the rows come from.
        rows: (B,) their positions in it.
        inputs: (B, ...) on the training device, or a list of B texts.
        labels: (B,) on the training device, -100 where there is none; None if the split has no labels.

    Example:
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> Loader(split, torch.device("cpu")).batch(torch.tensor([1])).ids
        ['b']
    """

    split: Split
    rows: Tensor
    inputs: Tensor | list[str]
    labels: Tensor | None

    @property
    def ids(self) -> list[str | int]:
        """The rows' ids, in the batch's order: what everything else is looked up by."""
        ids = self.split.ids
        return [ids[row] for row in self.rows.tolist()]


class Loader:
    """Cuts batches out of a split.

    Plain indexing: the splits here fit in memory, and worker processes would cost more than they bring.
    """

    def __init__(self, split: Split, device: torch.device) -> None:
        self.split, self.device = split, device

    def batch(self, rows: Tensor) -> Batch:
        """The batch of these row numbers (B,)."""
        return Batch(self.split, rows, self.inputs(rows), self.labels(rows))

    def inputs(self, rows: Tensor) -> Tensor | list[str]:
        """The inputs of these row numbers, of shape rows.shape + input shape for tensors."""
        inputs = self.split.inputs
        if isinstance(inputs, Tensor):
            return self._placed(inputs, rows)
        return [inputs[row] for row in rows.tolist()]

    def labels(self, rows: Tensor) -> Tensor | None:
        """The labels of these row numbers, in their shape; None if the split has none."""
        return None if self.split.labels is None else self._placed(self.split.labels, rows)

    def _placed(self, values: Tensor, rows: Tensor) -> Tensor:
        return values[rows].to(self.device)
