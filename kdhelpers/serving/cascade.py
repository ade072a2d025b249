"""The student answers; what it is unsure of goes to the teacher."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .answers import Answering, Logits, confidences, logits_of
from .asking import Asking, Unanswered

STUDENT, TEACHER, FALLBACK = "student", "teacher", "fallback"


class CascadePrediction(NamedTuple):
    """A class, its probability, and which model says so.

    ``by`` is "student", "teacher", or "fallback": the student's answer to a row that the teacher should have
    answered, but did not.

    Example:
        >>> CascadePrediction("billing", 0.93, "student").by
        'student'
    """

    label: str
    confidence: float
    by: str


class CascadeCounts(NamedTuple):
    """What a cascade has done since it was made, in rows, for who watches it.

    Args:
        rows: All rows.
        unsure: Those of them that were to go to the teacher.
        answered: Those of the unsure that the teacher answered.
        failed: Those of the unsure that kept the student's answer, as the teacher failed or had failed.

    Example:
        >>> counts = CascadeCounts(rows=100, unsure=10, answered=8, failed=2)
        >>> counts.unsure / counts.rows
        0.1
    """

    rows: int
    unsure: int
    answered: int
    failed: int


class Cascade:
    """Two models as one: a quick student, and a teacher for the rows that the student is unsure of.

    It is called like a model and gives logits, the student's or the teacher's, so that ``evaluate`` takes it.

    With a timeout it answers when the teacher does not: a teacher that raises or takes longer leaves its rows
    to the student ("fallback"), and is not asked again for a while, so that a dead teacher costs its timeout
    once and not with every message. Errors that say that code is wrong (such as TypeError), and answers of
    another shape, are raised all the same.

    Several threads may call one cascade at once if its models allow that, as OnnxPredictors do.
    Source: Viola & Jones 2001, "Rapid object detection using a boosted cascade of simple features".

    Args:
        student: An OnnxPredictor, an nn.Module (run in evaluation mode), or any function that gives logits.
        teacher: The same; asked for the unsure rows alone, all of a call at once.
        threshold: Rows where the student's highest probability is below it go to the teacher: none at 0, all
            above 1. ``choose_threshold`` finds one.
        classes: The C class names; by default those that the student or the teacher has, else numbers.
        timeout: Seconds that the teacher may take for a call. None: any time, and its errors are raised.
        retry_after: With a timeout, seconds after a failure in which the teacher is not asked.

    Raises:
        ValueError: The threshold is no number or negative, a time is out of range, or student and teacher
            have other classes.

    Example:
        >>> cascade = Cascade(lambda texts: [[0, len(text)] for text in texts],
        ...                   lambda texts: [[9, 0] for _ in texts], 0.9, classes=["short", "long"])
        >>> [(label, by) for label, _, by in cascade.predict(["a", "a long message"])]
        [('short', 'teacher'), ('long', 'student')]
        >>> cascade.counts
        CascadeCounts(rows=2, unsure=1, answered=1, failed=0)
    """

    def __init__(
        self,
        student: Answering,
        teacher: Answering,
        threshold: float,
        *,
        classes: Sequence[str] | None = None,
        timeout: float | None = None,
        retry_after: float = 30.0,
    ) -> None:
        if not threshold >= 0:
            raise ValueError(f"threshold is {threshold}: give 0 (student alone) to above 1 (teacher alone).")
        self.student, self.teacher, self.threshold = student, teacher, float(threshold)
        self.classes = _common_classes(student, teacher, classes)
        self._asking = Asking(teacher, timeout, retry_after)
        self._counts, self._lock = CascadeCounts(0, 0, 0, 0), threading.Lock()

    @property
    def counts(self) -> CascadeCounts:
        """How many rows there were, were unsure, were answered by the teacher, and were left by it."""
        return self._counts

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
        logits, by = self._answers(texts)
        names = self.classes or tuple(map(str, range(logits.shape[1])))
        told = zip(logits.argmax(1).tolist(), confidences(logits).tolist(), by, strict=True)
        return [CascadePrediction(names[label], sure, who) for label, sure, who in told]

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

    def _answers(self, inputs: Any) -> tuple[Logits, list[str]]:
        logits = logits_of(self.student, inputs, "the student")
        # Written so that a confidence that is not a number counts as unsure.
        unsure = np.flatnonzero(~(confidences(logits) >= self.threshold))
        by, answered, failed = [STUDENT] * len(logits), 0, 0
        try:
            if len(unsure):
                logits[unsure] = self._asked(inputs, unsure, logits.shape[1])
                answered = len(unsure)
        except Unanswered:
            failed = len(unsure)
        finally:
            self._count(len(logits), len(unsure), answered, failed)
        for row in unsure.tolist():
            by[row] = FALLBACK if failed else TEACHER
        return logits, by

    def _asked(self, inputs: Any, rows: NDArray[np.intp], count: int) -> Logits:
        # A copy: a teacher that is given up may still read it when the caller's rows are others.
        some = inputs[rows] if hasattr(inputs, "shape") else [inputs[row] for row in rows]
        logits = logits_of(self._asking, some, "the teacher")
        if logits.shape[1] != count:
            raise ValueError(
                f"The student has {count} classes, the teacher {logits.shape[1]}: give like ones."
            )
        return logits

    def _count(self, *new: int) -> None:
        with self._lock:
            self._counts = CascadeCounts(*(old + more for old, more in zip(self._counts, new, strict=True)))

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
