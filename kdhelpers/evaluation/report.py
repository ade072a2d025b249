"""The report on a model: every number with its interval, every prediction with its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import Split
from ..data.checks import checked_mask
from ..data.display import html_table
from . import metrics
from .intervals import Estimate, mean_interval
from .prediction import Model, TeacherLogits, predict_logits


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """How well a model does on the labelled rows of a split.

    Args:
        accuracy: Share of rows right (Wilson's interval).
        per_class: Recall of each class that occurs, by name or number.
        nll: Mean negative log-likelihood in nats (t interval).
        ece: Expected calibration error over 15 bins (bootstrap interval).
        slices: Accuracy on each named slice that has rows.
        agreement: Share of rows where student and teacher choose the same class.
        kl_to_teacher: Mean KL(teacher || student) in nats at temperature 1 (t interval).
        ids: The n rows this is about.
        predictions: (n,) the chosen classes.
        labels: (n,) the right classes.
        confidence: (n,) the probability of the chosen class.

    Example:
        >>> split = Split(ids=list("abcd"), inputs=torch.eye(4), labels=torch.tensor([0, 1, 2, 0]))
        >>> evaluate(torch.nn.Identity(), split)
        Report(accuracy 75.0% [30.1, 95.4], n=4)
    """

    accuracy: Estimate
    per_class: Mapping[int | str, Estimate]
    nll: Estimate
    ece: Estimate
    ids: Sequence[str | int]
    predictions: Tensor
    labels: Tensor
    confidence: Tensor
    slices: Mapping[str, Estimate] = field(default_factory=dict)
    agreement: Estimate | None = None
    kl_to_teacher: Estimate | None = None

    @property
    def n(self) -> int:
        """How many rows.

        Example:
            >>> evaluate(torch.nn.Identity(), Split(ids=[7], inputs=torch.eye(1), labels=torch.tensor([0]))).n
            1
        """
        return len(self.ids)

    @property
    def correct(self) -> Tensor:
        """Which rows are right: a boolean mask (n,).

        Example:
            >>> split = Split(ids=[7, 8], inputs=torch.eye(2), labels=torch.tensor([0, 0]))
            >>> evaluate(torch.nn.Identity(), split).correct
            tensor([ True, False])
        """
        return self.predictions == self.labels

    def _rows(self) -> list[tuple[str, Estimate]]:
        measured = {
            "accuracy": self.accuracy,
            "negative log-likelihood": self.nll,
            "calibration error": self.ece,
            "agreement with the teacher": self.agreement,
            "KL to the teacher": self.kl_to_teacher,
        }
        found = [(name, estimate) for name, estimate in measured.items() if estimate is not None]
        found += [(f"accuracy on {name}", estimate) for name, estimate in self.slices.items()]
        worst = min(self.per_class, key=lambda name: self.per_class[name].value)
        return [*found, (f"lowest recall, class {worst}", self.per_class[worst])]

    def __repr__(self) -> str:
        return f"Report(accuracy {self.accuracy}, n={self.n:,})"

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{width}}  {estimate}  (n={estimate.n:,})" for name, estimate in rows)

    def _repr_html_(self) -> str:
        classes = [(f"recall, class {name}", estimate) for name, estimate in self.per_class.items()]
        return f"{_table(self._rows())}<details><summary>Every class</summary>{_table(classes)}</details>"


def _table(estimates: Sequence[tuple[str, Estimate]]) -> str:
    rows = [(name, f"{e.value:{e.spec}}", e.format_interval(), f"{e.n:,}") for name, e in estimates]
    return html_table(rows, header=("measure", "value", "95% interval", "rows"))


def evaluate(
    model: Model,
    split: Split,
    *,
    outputs: TeacherLogits | None = None,
    slices: Mapping[str, Tensor] | None = None,
    classes: Sequence[str] | None = None,
    batch_size: int = 512,
) -> Report:
    """Measure a model on the labelled rows of a split. The model is left in the mode it was in.

    Args:
        model: An nn.Module, or any other callable, that gives logits (B, C).
        split: What to measure on; rows labelled -100 are left out.
        outputs: A teacher's outputs, to measure agreement and KL to it.
        slices: Boolean masks (n,) by name; the split's own by default.
        classes: The C class names, for ``per_class``; by default classes are called by number.
        batch_size: Rows at a time.

    Raises:
        ValueError: No labelled row, logits that are NaN or not (B, C), another class count in the labels,
            the names or the teacher's outputs, or a slice that is not a mask (n,).

    Example:
        >>> split = Split(ids=list("abcd"), inputs=torch.eye(4), labels=torch.tensor([0, 1, 2, 0]))
        >>> print(evaluate(torch.nn.Identity(), split))
        accuracy                 75.0% [30.1, 95.4]  (n=4)
        negative log-likelihood  0.994 [0.198, 1.789]  (n=4)
        calibration error        27.5% [0.0, 51.6]  (n=4)
        lowest recall, class 0   50.0% [9.5, 90.5]  (n=2)
    """
    known = split.labelled
    if split.labels is None or not known.any():
        raise ValueError("No row of this split has a label: there is nothing to measure against.")
    masks = split.slices if slices is None else slices
    masks = {name: checked_mask(mask, len(split), name)[known] for name, mask in masks.items()}
    rows = split if known.all() else split.take(known)
    log_probs = _log_probs(predict_logits(model, rows, batch_size=batch_size), rows.ids, "The model")
    labels = split.labels[known].cpu().numpy()
    _check_classes(labels, log_probs.shape[1], classes)
    predictions = log_probs.argmax(1)
    correct, confidence = predictions == labels, np.exp(log_probs.max(1))
    agreement, kl = (None, None) if outputs is None else _to_teacher(log_probs, rows.ids, outputs)
    return Report(
        accuracy=metrics.share(correct),
        per_class=_recalls(correct, labels, classes),
        nll=mean_interval(metrics.nll_rows(log_probs, labels)),
        ece=metrics.calibration_error(confidence, correct),
        ids=rows.ids,
        predictions=torch.from_numpy(predictions),
        labels=torch.from_numpy(labels),
        confidence=torch.from_numpy(confidence).float(),
        slices={name: metrics.share(correct[mask.numpy()]) for name, mask in masks.items() if mask.any()},
        agreement=agreement,
        kl_to_teacher=kl,
    )


def _log_probs(logits: Tensor, ids: Sequence[str | int], whose: str) -> metrics.Numbers:
    log_probs = metrics.log_probabilities(logits)
    wrong = np.logical_or.reduce(np.isnan(log_probs), axis=1)
    if wrong.any():
        raise ValueError(
            f"{whose} gives logits that are NaN or infinite in {int(wrong.sum()):,} of {len(wrong):,} rows, "
            f"the first is {ids[int(wrong.argmax())]!r}: it may have diverged in training, or the inputs "
            "may hold NaN."
        )
    return log_probs


def _check_classes(labels: metrics.Classes, count: int, classes: Sequence[str] | None) -> None:
    if labels.max() >= count:
        raise ValueError(
            f"The labels go up to {labels.max()}, but the model has {count} classes (0 to {count - 1}): "
            "build it with one logit a class."
        )
    if classes is not None and len(classes) != count:
        raise ValueError(f"There are {len(classes)} class names for a model of {count} classes.")


def _recalls(
    correct: NDArray[np.bool_], labels: metrics.Classes, classes: Sequence[str] | None
) -> dict[int | str, Estimate]:
    present = np.unique(labels).tolist()
    return {
        label if classes is None else classes[label]: metrics.share(correct[labels == label])
        for label in present
    }


def _to_teacher(
    log_probs: metrics.Numbers, ids: Sequence[str | int], outputs: TeacherLogits
) -> tuple[Estimate, Estimate]:
    logits = outputs.logits(ids).cpu()
    if tuple(logits.shape) != log_probs.shape:
        raise ValueError(
            f"The teacher's logits have shape {tuple(logits.shape)}, the model's {log_probs.shape}: both "
            "need the same rows and classes."
        )
    teacher = _log_probs(logits, ids, "The teacher")
    same = teacher.argmax(1) == log_probs.argmax(1)
    return metrics.share(same), mean_interval(metrics.kl_rows(teacher, log_probs))
