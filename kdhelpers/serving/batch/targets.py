"""Answers as files: part by part while they come, then whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, Protocol

from ...extras import need


class Answer(NamedTuple):
    """What a file says about one row.

    Example:
        >>> Answer("a-1", "billing", 0.93).label
        'billing'
    """

    id: str
    label: str
    confidence: float


class Target(Protocol):
    """A kind of file to write."""

    def part(self, answers: Sequence[Answer]) -> bytes:
        """Some rows, to be kept until all are there."""

    def join(self, parts: Iterator[bytes], stream: BinaryIO) -> None:
        """The whole file of its parts."""


class CsvTarget:
    """A CSV file as RFC 4180 has it: commas, quotes where needed, lines that end in CR LF.

    Example:
        >>> CsvTarget().part([Answer("a-1", "billing", 0.93)])
        b'a-1,billing,0.930000\\r\\n'
    """

    def part(self, answers: Sequence[Answer]) -> bytes:
        """Some rows, without a header."""
        return csv_lines((id, label, f"{sure:.6f}") for id, label, sure in answers)

    def join(self, parts: Iterator[bytes], stream: BinaryIO) -> None:
        """The header, then all parts."""
        stream.write(csv_lines([Answer._fields]))
        for part in parts:
            stream.write(part)


class ParquetTarget:
    """A Parquet file: strings, and confidences in 64 bits.

    Raises:
        ImportError: The extra ``parquet`` is not installed.

    Example:
        >>> len(ParquetTarget().part([Answer("a-1", "billing", 0.93)])) > 100
        True
    """

    def __init__(self) -> None:
        self._arrow, self._parquet = (need(name, extra="parquet") for name in ("pyarrow", "pyarrow.parquet"))
        kinds = (self._arrow.string(), self._arrow.string(), self._arrow.float64())
        self._schema = self._arrow.schema(list(zip(Answer._fields, kinds, strict=True)))

    def part(self, answers: Sequence[Answer]) -> bytes:
        """Some rows, as a Parquet file of their own."""
        columns = list(zip(*answers, strict=True)) or [(), (), ()]
        table = self._arrow.table(dict(zip(Answer._fields, columns, strict=True)), schema=self._schema)
        stream = io.BytesIO()
        self._parquet.write_table(table, stream)
        return stream.getvalue()

    def join(self, parts: Iterator[bytes], stream: BinaryIO) -> None:
        """All parts, each as a row group."""
        with self._parquet.ParquetWriter(stream, self._schema) as writer:
            for part in parts:
                table = self._parquet.read_table(io.BytesIO(part))
                if len(table):
                    writer.write_table(table)


def csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as lines of CSV.

    Example:
        >>> csv_lines([("a", "b, c")])
        b'a,"b, c"\\r\\n'
    """
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode()
