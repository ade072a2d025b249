"""Rows that were read, with a model's answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..answers import Answering, confidences, logits_of
from .rows import Row
from .targets import Answer


def answered(model: Answering, rows: Sequence[Row]) -> tuple[list[Answer], list[tuple[int, str]]]:
    """Answer the rows that can be answered, and say of the others why not.

    Args:
        model: Any model from n texts to logits (n, C); its ``classes`` are the labels, or else numbers.
        rows: What was read.

    Returns:
        The answers in the order of the rows, and the number and reason of each row without one.

    Raises:
        ValueError: The model gives something else than logits (n, C).

    Example:
        >>> from kdhelpers.serving.batch.rows import Place, checked_row
        >>> rows = [checked_row(2, "a", "help", Place(9, 2)), checked_row(3, "b", " ", Place(12, 3))]
        >>> answered(lambda texts: [[0, len(text) - 5] for text in texts], rows)
        ([Answer(id='a', label='0', confidence=0.731059)], [(3, 'the text is empty')])
    """
    broken = [(row.number, row.fault) for row in rows if row.fault]
    whole = [row for row in rows if not row.fault]
    if not whole:
        return [], broken
    logits = logits_of(model, [row.text for row in whole], "the model")
    names = getattr(model, "classes", None) or [str(label) for label in range(logits.shape[1])]
    told = zip(whole, logits.argmax(1).tolist(), confidences(logits).tolist(), strict=True)
    answers = []
    for row, label, sure in told:
        if np.isfinite(sure):
            answers.append(Answer(row.id, names[label], round(sure, 6)))
        else:
            broken.append((row.number, "the model's answer is not a number"))
    return answers, sorted(broken)
