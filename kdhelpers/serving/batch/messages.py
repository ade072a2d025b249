"""A stream of messages in, a line of CSV out for each: what a pipe of the command line is answered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO

from ..answers import Answering
from .answering import answered
from .csv_source import lines
from .rows import Place, Row, checked_row, not_utf8
from .targets import CsvTarget, csv_lines

TOGETHER = 256


def predict_lines(
    model: Answering, source: BinaryIO, target: BinaryIO, tell: Callable[[str], None]
) -> tuple[int, int]:
    """Answer each line of a stream as CSV with its number, label and confidence.

    Args:
        model: An OnnxPredictor, an nn.Module or any function from n texts to logits (n, C).
        source: Lines in UTF-8, one message each.
        target: Where the answers go, a few hundred at a time.
        tell: Called with a sentence for each line that cannot be answered.

    Returns:
        How many lines were answered, and how many could not be.

    Raises:
        ValueError: The model gives something else than logits (n, C).

    Example:
        >>> import io
        >>> target = io.BytesIO()
        >>> model = lambda texts: [[0, len(text) - 5] for text in texts]
        >>> predict_lines(model, io.BytesIO(b"help\\n\\nwhere is it\\n"), target, print)
        line 2: the text is empty
        (2, 1)
        >>> print(target.getvalue().decode().replace("\\r", ""))
        id,label,confidence
        1,0,0.731059
        3,1,0.997527
        <BLANKLINE>
    """
    rows, writer, counts = _rows(source), CsvTarget(), [0, 0]
    target.write(csv_lines([("id", "label", "confidence")]))
    while some := list(islice(rows, TOGETHER)):
        answers, broken = answered(model, some)
        target.write(writer.part(answers))
        target.flush()
        for number, reason in broken:
            tell(f"line {number}: {reason}")
        counts[0] += len(answers)
        counts[1] += len(broken)
    return counts[0], counts[1]


def _rows(source: BinaryIO) -> Iterator[Row]:
    for content, number, after in lines(source, Place(0, 0)):
        if content is None:
            yield Row(number, "", "", "the line is too long", after)
        elif fault := not_utf8(content):
            yield Row(number, "", "", fault, after)
        else:
            yield checked_row(number, str(number), content.decode("utf-8").rstrip("\r\n"), after)
