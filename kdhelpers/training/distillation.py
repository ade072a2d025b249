"""Training a student on what its teacher answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdhelpers.data import Split
from kdhelpers.evaluation import TeacherLogits
from kdhelpers.losses import distillation_loss
from kdhelpers.losses.checks import check_share, check_temperature
from kdhelpers.training.batches import Batch
from kdhelpers.training.history import History
from kdhelpers.training.loop import Loss, train

NO_LABEL = -100
TeacherLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes student and teacher logits (B, C), returns one number: ``logit_mse_loss``, say."""


def from_teacher(
    outputs: TeacherLogits,
    *,
    temperature: float = 4.0,
    kd_weight: float = 0.9,
    loss: TeacherLoss | None = None,
) -> Loss:
    """A loss for :func:`train` and :func:`train_many` that looks up what the teacher said of each row.

    Args:
        outputs: The teacher's logits by id, as ``collect_logits`` gives them.
        temperature: Of ``distillation_loss``; not used with a `loss` of your own.
        kd_weight: How much the teacher counts, from 0 to 1; the rest goes to the labels there are.
        loss: Another loss for the teacher's part, such as ``logit_mse_loss`` or
            ``partial(kd_loss, temperature=10)``. None is ``distillation_loss``.

    Raises:
        ValueError: temperature or kd_weight out of range.

    Hinton et al. 2015, arXiv:1503.02531.

    Example:
        >>> from kdhelpers.teacher_outputs import MemoryOutputs
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> outputs = MemoryOutputs(["b", "a"], torch.tensor([[0.0, 5.0], [5.0, 0.0]]))
        >>> student, objective = nn.Linear(2, 2), from_teacher(outputs)
        >>> history = train(student, split, objective, epochs=99, learning_rate=0.1, progress=False)
        >>> student(split.inputs).argmax(-1).tolist()
        [0, 1]
    """
    check_temperature(temperature)
    check_share("kd_weight", kd_weight)

    def objective(student_logits: Tensor, batch: Batch) -> Tensor:
        teacher_logits = outputs.logits(batch.ids).to(student_logits.device)
        labels = batch.labels
        if labels is None:
            labels = torch.full(student_logits.shape[:1], NO_LABEL, device=student_logits.device)
        if loss is None:
            return distillation_loss(student_logits, teacher_logits, labels, temperature, kd_weight)
        taught = kd_weight * loss(student_logits, teacher_logits)
        if kd_weight == 1:
            return taught
        # Per row, as in distillation_loss: a row without a label adds nothing here, and still counts.
        told = F.cross_entropy(student_logits, labels, ignore_index=NO_LABEL, reduction="sum") / len(labels)
        return taught + (1 - kd_weight) * told

    return objective


def distill(
    student: nn.Module,
    split: Split,
    outputs: TeacherLogits,
    *,
    epochs: int,
    temperature: float = 4.0,
    kd_weight: float = 0.9,
    loss: TeacherLoss | None = None,
    **settings: Any,
) -> History:
    """Train a student in place on a teacher's stored outputs, with the labels there are.

    Args:
        student: Takes the split's inputs, gives logits (B, C) for the teacher's classes.
        split: The rows to learn from; none, some or all may have labels.
        outputs: The teacher's logits by id.
        epochs: Passes over the split.
        temperature: See :func:`from_teacher`.
        kd_weight: See :func:`from_teacher`.
        loss: See :func:`from_teacher`.
        **settings: As for :func:`train`: batch_size, learning_rate, seed, validation, progress, ...

    Raises:
        ValueError: The teacher's answer to some row is missing, or a bad setting; nothing is trained then.

    Hinton et al. 2015, arXiv:1503.02531.

    Example:
        >>> from kdhelpers.teacher_outputs import collect_logits
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> teacher, student = nn.Linear(2, 3), nn.Linear(2, 3)
        >>> history = distill(student, split, collect_logits(teacher, split), epochs=5, progress=False)
        >>> len(history.loss)
        5
    """
    objective = from_teacher(outputs, temperature=temperature, kd_weight=kd_weight, loss=loss)
    # Before the first step, so that a long run does not end at the one row that has no answer.
    outputs.logits(split.ids)
    return train(student, split, objective, epochs=epochs, **settings)
