"""What training asks of its settings, and the learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from kdhelpers.data import Split
from kdhelpers.training.batches import Batch

SCHEDULES = ("constant", "one-cycle")


def check_settings(
    epochs: int, batch_size: int, learning_rate: float, weight_decay: float, schedule: str
) -> None:
    """Refuse settings that cannot train, each in one sentence.

    Raises:
        ValueError: One of them is out of range.

    Example:
        >>> check_settings(1, 8, 0.1, 0.0, "constant")
    """
    for name, value in {"epochs": epochs, "batch_size": batch_size}.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}; give a whole number of 1 or more.")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate is {learning_rate}; give a number above 0, such as 0.001.")
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        raise ValueError(f"weight_decay is {weight_decay}; give 0 or a small number above it.")
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}; choose one of {', '.join(map(repr, SCHEDULES))}.")


def make_schedule(
    name: str, optimizer: torch.optim.Optimizer, learning_rate: float, steps: int
) -> LRScheduler:
    """The schedule of that name, to be stepped once a training step.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> make_schedule("constant", optimizer, 0.5, steps=10).get_last_lr()
        [0.5]
    """
    if name == "one-cycle":
        # One step more than is taken, because torch counts the first rate as a step of its own.
        return OneCycleLR(optimizer, max_lr=learning_rate, total_steps=steps + 1)
    return ConstantLR(optimizer, factor=1.0, total_iters=0)


def label_loss(split: Split) -> Callable[[Tensor, Batch], Tensor]:
    """Cross-entropy over the rows that have a label, once it is clear that some have.

    Raises:
        ValueError: No row has a label.

    Example:
        >>> label_loss(Split(ids=[1], inputs=["hi"]))
        Traceback (most recent call last):
        ValueError: No row has a label: pass labels, or a loss that needs none (see distill).
    """
    if not bool(split.labelled.any()):
        raise ValueError("No row has a label: pass labels, or a loss that needs none (see distill).")

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        assert batch.labels is not None  # the split has some
        valid = (batch.labels != -100).sum().clamp(min=1)  # a batch without any gives 0, not 0/0
        return F.cross_entropy(logits, batch.labels, reduction="sum") / valid

    return loss
