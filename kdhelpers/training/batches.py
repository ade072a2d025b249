"""Batches, and the losses that are taken of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import NO_LABEL, Split


@dataclass(frozen=True)
class Batch:
    """The rows of one step, on the device of the model.

    Args:
        split: The split that they are from.
        rows: (B,) their positions in it.
        inputs: (B, ...), or a list of B texts.
        labels: (B,), or None if the split has none.

    Example:
        >>> split = Split(ids=["a", "b", "c"], inputs=torch.eye(3))
        >>> batch_of(split, torch.tensor([2, 0]), torch.device("cpu")).ids
        ['c', 'a']
    """

    split: Split
    rows: Tensor
    inputs: Tensor | list[str]
    labels: Tensor | None

    @property
    def ids(self) -> list[str | int]:
        """The ids of the rows, to look up what a teacher said about them.

        Example:
            >>> batch_of(Split(ids=[7, 8], inputs=["x", "y"]), torch.tensor([1]), torch.device("cpu")).ids
            [8]
        """
        return [self.split.ids[row] for row in self.rows.tolist()]


Loss = Callable[[Tensor, Batch], Tensor]
"""Takes logits (B, C) and their batch, gives the scalar to make smaller."""


def batch_of(split: Split, rows: Tensor, device: torch.device) -> Batch:
    """The rows (B,) of a split as a batch on a device.

    Example:
        >>> batch_of(Split(ids=[7, 8], inputs=["x", "y"]), torch.tensor([1]), torch.device("cpu")).inputs
        ['y']
    """
    labels = None if split.labels is None else split.labels[rows].to(device)
    if isinstance(split.inputs, Tensor):
        return Batch(split, rows, split.inputs[rows].to(device), labels)
    return Batch(split, rows, [split.inputs[row] for row in rows.tolist()], labels)


def as_loss(loss: Loss | None, split: Split) -> Loss:
    """The loss itself, watched; or cross-entropy over the labelled rows of each batch for None.

    Raises:
        ValueError: None, but the split has no labels to learn from.

    Example:
        >>> split = Split(ids=[0, 1], inputs=torch.eye(2), labels=torch.tensor([0, -100]))
        >>> batch = batch_of(split, torch.tensor([0, 1]), torch.device("cpu"))
        >>> round(as_loss(None, split)(torch.zeros(2, 2), batch).item(), 3)
        0.693
    """
    return _label_loss(split) if loss is None else _watched(loss)


def label_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The summed cross-entropy of the labelled rows, 0 if there are none; (R,) of R models' (R, B, C).

    Example:
        >>> label_losses(torch.zeros(2, 2), torch.tensor([0, -100]))
        tensor(0.6931)
    """
    if logits.dim() == 2:
        return F.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="sum")
    # Classes in the middle: down columns of many numbers a softmax takes far less time than along short rows.
    return F.cross_entropy(logits.mT, labels, ignore_index=NO_LABEL, reduction="none").sum(-1)


def _watched(loss: Loss) -> Loss:
    def watched(logits: Tensor, batch: Batch) -> Tensor:
        value = loss(logits, batch)
        if not isinstance(value, Tensor) or value.ndim:
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"The loss gives {found}: it must give one number as a tensor, such as a mean.")
        return value

    return watched


def _label_loss(split: Split) -> Loss:
    if split.labels is None or not split.labelled.any():
        raise ValueError("The split has no labels to learn from: pass a loss, or a split with labels.")
    highest, complete = int(split.labels.max()), bool(split.labelled.all())

    def label_loss(logits: Tensor, batch: Batch) -> Tensor:
        """The mean over labelled rows: a scalar of logits (B, C), or (R,) of R models' (R, B, C)."""
        labels = batch.labels
        assert labels is not None
        if highest >= logits.shape[-1]:
            raise ValueError(
                f"The labels go up to {highest}, but the model has {logits.shape[-1]} classes "
                f"(0 to {logits.shape[-1] - 1}): build it with one logit a class."
            )
        if complete and logits.dim() == 2:
            return F.cross_entropy(logits, labels)
        # The mean over no rows would be NaN: a batch without labels counts 0.
        return label_losses(logits, labels) / (labels != NO_LABEL).sum(-1).clamp(min=1)

    return label_loss
