"""Distillation: the same loop with a loss that asks the teacher."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from ..data import NO_LABEL, Split
from ..losses import distillation_loss
from ..losses.checks import check_share, check_temperature
from ..teacher_outputs import TeacherLogits
from .batches import Batch, Loss, label_losses
from .history import History
from .loop import train

TEMPERATURE = 4.0
LogitLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes student and teacher logits (B, C), gives a scalar."""


def from_teacher(
    outputs: TeacherLogits,
    *,
    temperature: float = TEMPERATURE,
    kd_weight: float = 0.9,
    loss: LogitLoss | None = None,
) -> Loss:
    """A loss for ``train`` and ``train_many`` that learns from a teacher's outputs, looked up by id.

    Args:
        outputs: The teacher's logits by example id.
        temperature: T of ``distillation_loss``.
        kd_weight: The teacher's share of the loss; labels, where a row has one, have the rest.
        loss: Another loss against the teacher, called as ``loss(student_logits, teacher_logits)``, such as
            ``logit_mse_loss`` or ``functools.partial(kd_loss, temperature=10)``. None: ``distillation_loss``.

    Returns:
        A loss of logits (B, C) and their batch.

    Raises:
        ValueError: kd_weight outside 0 to 1, temperature not above 0, or a temperature beside a loss of
            one's own, which would not get it.

    Example:
        >>> from kdhelpers.teacher_outputs import MemoryOutputs
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))  # no labels: the teacher knows
        >>> loss = from_teacher(MemoryOutputs(["a", "b"], 5 * torch.eye(2)))
        >>> history = train(nn.Linear(2, 2), split, loss, epochs=3, learning_rate=0.1, progress=False)
        >>> history.loss[-1] < history.loss[0]
        True
    """
    check_temperature(temperature)
    check_share("kd_weight", kd_weight)
    if loss is not None and temperature != TEMPERATURE:
        raise ValueError(
            "A loss of your own does not get the temperature: set it there, as in "
            f"functools.partial(kd_loss, temperature={temperature:g})."
        )

    taught = _by_batch(outputs)

    def teacher_loss(logits: Tensor, batch: Batch) -> Tensor:
        teacher_logits = taught(batch).to(logits.device)
        labels = batch.labels
        if labels is None:
            labels = torch.full((len(logits),), NO_LABEL, device=logits.device)
        if loss is None:
            return distillation_loss(logits, teacher_logits, labels, temperature, kd_weight)
        return _mixed(loss, logits, teacher_logits, labels, kd_weight)

    return teacher_loss


def distill(
    student: nn.Module,
    split: Split,
    outputs: TeacherLogits,
    *,
    epochs: int,
    temperature: float = TEMPERATURE,
    kd_weight: float = 0.9,
    loss: LogitLoss | None = None,
    **train_options: Any,
) -> History:
    """Train a student on a teacher's outputs: ``train`` with the loss that ``from_teacher`` makes.

    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.

    Args:
        student: Gives logits (B, C).
        split: The rows to learn from; with or without labels.
        outputs: The teacher's logits for all of these rows, by id.
        epochs: How often each row is seen.
        temperature: T of ``distillation_loss``.
        kd_weight: The teacher's share of the loss; labels have the rest.
        loss: Another loss against the teacher, see ``from_teacher``.
        **train_options: All else that ``train`` takes, such as ``seed`` or ``learning_rate``.

    Returns:
        What happened, as of ``train``.

    Raises:
        ValueError: The outputs lack rows of the split, or what ``from_teacher`` and ``train`` refuse.
        FloatingPointError: The loss became NaN or infinite.

    Example:
        >>> from kdhelpers.teacher_outputs import MemoryOutputs
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> outputs = MemoryOutputs(["b", "a"], torch.tensor([[0.0, 5.0], [5.0, 0.0]]))
        >>> student = nn.Linear(2, 2)
        >>> history = distill(student, split, outputs, epochs=40, learning_rate=0.1, progress=False)
        >>> student(torch.eye(2)).argmax(1)
        tensor([0, 1])
    """
    _check_covered(outputs, split)
    teacher_loss = from_teacher(outputs, temperature=temperature, kd_weight=kd_weight, loss=loss)
    return train(student, split, teacher_loss, epochs=epochs, **train_options)


def _by_batch(outputs: TeacherLogits) -> Callable[[Batch], Tensor]:
    """The teacher's logits of a batch."""
    if not hasattr(outputs, "reader"):
        return lambda batch: outputs.logits(batch.ids)
    # Looking ids up in every batch would cost as much as the loss itself: once for a split is enough.
    reader = lru_cache(maxsize=1)(lambda split: outputs.reader(split.ids))
    return lambda batch: reader(batch.split)(batch.rows)


def _check_covered(outputs: TeacherLogits, split: Split) -> None:
    if not hasattr(outputs, "missing"):
        outputs.logits(split.ids)  # cannot tell what it knows: its own error names what it lacks
        return
    missing = outputs.missing(split.ids)
    if missing:
        raise ValueError(
            f"The teacher's outputs lack {len(missing):,} of the {len(split):,} rows to learn from, first "
            f"{missing[0]!r}: run the teacher on them first."
        )


def _mixed(
    loss: LogitLoss, logits: Tensor, teacher_logits: Tensor, labels: Tensor, kd_weight: float
) -> Tensor:
    # A term without weight is left out: it would cost a pass, and 0 times infinity is NaN.
    if kd_weight == 0:
        return label_losses(logits, labels) / len(logits)
    value = loss(logits, teacher_logits)
    if kd_weight == 1:
        return value
    return kd_weight * value + (1 - kd_weight) * label_losses(logits, labels) / len(logits)
