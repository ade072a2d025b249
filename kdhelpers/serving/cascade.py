"""The student answers; what it is unsure of goes to the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .answers import Answering, Logits, confidences, logits_of


class CascadePrediction(NamedTuple):
    """A class, its probability, and which model says so: "student" or "teacher".

    Example:
        >>> CascadePrediction("billing", 0.93, "student").by
        'student'
    """

    label: str
    confidence: float
    by: str


class Cascade:
    """Two models as one: a quick student, and a teacher for the rows that the student is unsure of.

    It is called like a model and gives logits, the student's or the teacher's, so that ``evaluate`` takes it.
    Source: Viola & Jones 2001, "Rapid object detection using a boosted cascade of simple features".

    Args:
        student: An OnnxPredictor, an nn.Module (run in evaluation mode), or any function that gives logits.
        teacher: The same; asked for the unsure rows alone, all of a call at once.
        threshold: Rows where the student's highest probability is below it go to the teacher: none at 0, all
            above 1. ``choose_threshold`` finds one.
        classes: The C class names; by default those that the student or the teacher has, else numbers.

    Raises:
        ValueError: The threshold is no number or negative, or student and teacher have other classes.

    Example:
        >>> cascade = Cascade(lambda texts: [[0, len(text)] for text in texts],
        ...                   lambda texts: [[9, 0] for _ in texts], 0.9, classes=["short", "long"])
        >>> [(label, by) for label, _, by in cascade.predict(["a", "a long message"])]
        [('short', 'teacher'), ('long', 'student')]
    """

    def __init__(
        self,
        student: Answering,
        teacher: Answering,
        threshold: float,
        *,
        classes: Sequence[str] | None = None,
    ) -> None:
        if not threshold >= 0:
            raise ValueError(f"threshold is {threshold}: give 0 (student alone) to above 1 (teacher alone).")
        self.student, self.teacher, self.threshold = student, teacher, float(threshold)
        self.classes = _common_classes(student, teacher, classes)

    def predict(self, texts: Any) -> list[CascadePrediction]:
        """For each row the class, its probability, and who said so.

        Args:
            texts: n texts, or whatever rows both models take: a tensor or array (n, ...).

        Raises:
            ValueError: A model gives something else than logits (n, C), or the two another C.

        Example:
            >>> Cascade(lambda texts: [[0, 5]], lambda texts: [[5, 0]], 0.5).predict(["help"])[0].by
            'student'
        """
        if len(texts) == 0:
            return []
        logits, asked = self._answers(texts)
        names = self.classes or tuple(map(str, range(logits.shape[1])))
        told = zip(logits.argmax(1).tolist(), confidences(logits).tolist(), asked.tolist(), strict=True)
        return [
            CascadePrediction(names[label], sure, "teacher" if teacher else "student")
            for label, sure, teacher in told
        ]

    def logits(self, texts: Any) -> Logits:
        """Logits (n, C) in float32: of each row the student's, or the teacher's if it was asked.

        Raises:
            ValueError: A model gives something else than logits (n, C), or the two another C.

        Example:
            >>> Cascade(lambda texts: [[0, 5]], lambda texts: [[5, 0]], 1.1).logits(["help"])
            array([[5., 0.]], dtype=float32)
        """
        return self._answers(texts)[0]

    __call__ = logits

    def _answers(self, inputs: Any) -> tuple[Logits, NDArray[np.bool_]]:
        logits = logits_of(self.student, inputs, "the student")
        # Written so that a confidence that is not a number counts as unsure.
        unsure = ~(confidences(logits) >= self.threshold)
        if unsure.any():
            logits[unsure] = self._asked(inputs, np.flatnonzero(unsure), logits.shape[1])
        return logits, unsure

    def _asked(self, inputs: Any, rows: NDArray[np.intp], count: int) -> Logits:
        some = inputs[rows] if hasattr(inputs, "shape") else [inputs[row] for row in rows]
        logits = logits_of(self.teacher, some, "the teacher")
        if logits.shape[1] != count:
            raise ValueError(
                f"The student has {count} classes, the teacher {logits.shape[1]}: give like ones."
            )
        return logits

    def __repr__(self) -> str:
        return f"Cascade(threshold {self.threshold:.3g})"


def _common_classes(student: Answering, teacher: Answering, classes: Sequence[str] | None) -> tuple[str, ...]:
    known = [tuple(getattr(model, "classes", None) or ()) for model in (student, teacher)]
    told, taught = known
    if told and taught and told != taught:
        raise ValueError(
            f"The student's classes are {', '.join(told)}, the teacher's {', '.join(taught)}: "
            "a cascade needs the same in the same order."
        )
    return tuple(classes or told or taught)
