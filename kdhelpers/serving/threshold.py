"""How unsure is too unsure: the threshold of a cascade, chosen on validation rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .answers import as_array, confidences

if TYPE_CHECKING:
    from ..evaluation.intervals import Estimate

NO_LABEL = -100


class CascadePoint(NamedTuple):
    """One threshold, the share of rows that it sends to the teacher, and the cascade's accuracy.

    Example:
        >>> CascadePoint(0.8, 0.1, 0.93).share
        0.1
    """

    threshold: float
    share: float
    accuracy: float


@dataclass(frozen=True)
class Threshold:
    """A chosen threshold, and what it does on the rows that it was chosen on.

    Args:
        value: What to give to ``Cascade``.
        share: Of the rows, how many go to the teacher.
        accuracy: The cascade's, with its interval.

    Example:
        >>> student, teacher = np.array([[0, 1], [0, 9]]), np.array([[1, 0], [1, 0]])
        >>> print(choose_threshold(student, teacher, [0, 1], budget=0.5))
        threshold 0.865: 50.0% of rows go to the teacher, accuracy 100.0% [34.2, 100.0]
    """

    value: float
    share: float
    accuracy: Estimate

    def __str__(self) -> str:
        return (
            f"threshold {self.value:.3g}: {self.share:.1%} of rows go to the teacher, "
            f"accuracy {self.accuracy}"
        )


def choose_threshold(
    student_logits: Any,
    teacher_logits: Any,
    labels: Any,
    *,
    budget: float | None = None,
    target: float | None = None,
) -> Threshold:
    """The threshold for a stated budget or a stated accuracy. Choose on validation rows, then test on others.

    With a budget, labels play no part in the choice: as many rows go to the teacher as the budget allows. Its
    accuracy is therefore no luckier than it should be; one chosen for a target is, a little.

    Args:
        student_logits: (n, C), a tensor or an array.
        teacher_logits: (n, C).
        labels: (n,) class numbers; rows labelled -100 are left out.
        budget: The largest share of rows that may go to the teacher, such as 0.1.
        target: The accuracy to reach, such as 0.9, with the fewest rows that go to the teacher.

    Raises:
        ValueError: Not exactly one of budget and target, either outside 0 to 1, a target out of reach, or
            logits and labels that do not fit.

    Example:
        >>> student, teacher = np.array([[0, 1], [0, 9]]), np.array([[1, 0], [0, 1]])
        >>> choose_threshold(student, teacher, [0, 1], target=0.9).share
        0.5
    """
    if (budget is None) == (target is None):
        raise ValueError("Give either a budget (a share of rows) or a target (an accuracy), and not both.")
    name, asked = ("budget", budget) if target is None else ("target", target)
    if asked is None or not 0 <= asked <= 1:
        raise ValueError(f"{name} is {asked}: give a share from 0 to 1, such as 0.1 for 10%.")
    thresholds, sent, right, n = _curve(student_logits, teacher_logits, labels)
    fits = sent / n <= asked if target is None else right / n >= asked
    if not fits.any():
        best = int(right.argmax())
        raise ValueError(
            f"No threshold reaches an accuracy of {asked:.1%} on these {n:,} rows: the best is "
            f"{right[best] / n:.1%}, with {sent[best] / n:.1%} of the rows going to the teacher."
        )
    chosen = int(np.flatnonzero(fits)[-1 if target is None else 0])
    # Here, since it brings torch along, which serving must not need.
    from ..evaluation.intervals import wilson

    return Threshold(float(thresholds[chosen]), float(sent[chosen] / n), wilson(int(right[chosen]), n))


def cascade_curve(student_logits: Any, teacher_logits: Any, labels: Any) -> list[CascadePoint]:
    """Every cascade there is between the student alone (the first point) and the teacher alone (the last).

    Args:
        student_logits: (n, C), a tensor or an array.
        teacher_logits: (n, C).
        labels: (n,) class numbers; rows labelled -100 are left out.

    Returns:
        Points by rising threshold, so by rising share: one for each set of rows that a threshold can send.

    Raises:
        ValueError: Logits and labels that do not fit, or no label.

    Example:
        >>> student, teacher = np.array([[0, 1], [0, 9]]), np.array([[1, 0], [0, 1]])
        >>> [(share, accuracy) for _, share, accuracy in cascade_curve(student, teacher, [0, 1])]
        [(0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]
    """
    thresholds, sent, right, n = _curve(student_logits, teacher_logits, labels)
    columns = thresholds.tolist(), (sent / n).tolist(), (right / n).tolist()
    return [CascadePoint(*row) for row in zip(*columns, strict=True)]


def _curve(
    student_logits: Any, teacher_logits: Any, labels: Any
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], int]:
    student, teacher, answers = _checked(student_logits, teacher_logits, labels)
    sure = confidences(student)
    order = sure.argsort(kind="stable")
    sure = sure[order]
    # From row to row: one more right if the teacher is right where the student was wrong, or one fewer.
    by_student, by_teacher = (logits.argmax(1)[order] == answers[order] for logits in (student, teacher))
    gained = np.cumsum(by_teacher.astype(np.int64) - by_student)
    # A threshold cannot part rows of the same confidence.
    sent = np.flatnonzero(np.append(np.diff(sure) > 0, True)) + 1
    right = int(by_student.sum()) + gained[sent - 1]
    below, above = sure[sent[:-1] - 1], sure[sent[:-1]]
    # Halfway between two rows, where rounding elsewhere moves neither across; two may be neighbours, though.
    between = np.where((below + above) / 2 > below, (below + above) / 2, above)
    thresholds = np.concatenate([[0.0], between, [np.nextafter(1.0, 2.0)]])
    return thresholds, np.append(0, sent), np.append(by_student.sum(), right), len(sure)


def _checked(
    student_logits: Any, teacher_logits: Any, labels: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    student, teacher, answers = map(as_array, (student_logits, teacher_logits, labels))
    if student.ndim != 2 or student.shape != teacher.shape or answers.shape != student.shape[:1]:
        raise ValueError(
            f"The shapes are {student.shape} (student), {teacher.shape} (teacher), {answers.shape} (labels): "
            "give logits (n, C) of both for the same rows, and labels (n,)."
        )
    if np.isnan(student).any() or np.isnan(teacher).any():
        raise ValueError("There are logits that are NaN: a model may have diverged in training.")
    known = answers != NO_LABEL
    if not known.any():
        raise ValueError("No row has a label: there is nothing to choose a threshold by.")
    student, teacher, answers = student[known], teacher[known], answers[known]
    if not np.issubdtype(answers.dtype, np.integer) or answers.min() < 0 or answers.max() >= student.shape[1]:
        raise ValueError(f"labels must be class numbers from 0 to {student.shape[1] - 1}, or -100 for none.")
    return student, teacher, answers
