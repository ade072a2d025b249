"""A Parquet file row by row, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...extras import need
from .rows import Place, Row, checked_row, column, not_utf8

TOGETHER = 1_024


class ParquetSource:
    """A Parquet file with a column of texts.

    Args:
        path: The file.
        text: The column of the texts, of strings or bytes in UTF-8.
        id: The column of the ids, the same or whole numbers; None: the row's number.

    Raises:
        ImportError: The extra ``parquet`` is not installed.
        ValueError: It is no Parquet file, or lacks a column, or has one of another type.

    Example:
        >>> import tempfile, pyarrow, pyarrow.parquet
        >>> file = Path(tempfile.mkdtemp()) / "mail.parquet"
        >>> pyarrow.parquet.write_table(pyarrow.table({"id": [7, 8], "text": ["help", None]}), file)
        >>> source = ParquetSource(file, "text", "id")
        >>> [(row.number, row.id, row.text or row.fault) for row in source.rows(source.start)]
        [(1, '7', 'help'), (2, '8', 'the text is missing')]
    """

    unit, start = "row", Place(0, 0)

    def __init__(self, path: Path, text: str, id: str | None) -> None:
        arrow, self._parquet = need("pyarrow", extra="parquet"), need("pyarrow.parquet", extra="parquet")
        self.path, self._text, self._id = path, text, id
        try:
            with self._parquet.ParquetFile(path) as file:
                schema, self.total = file.schema_arrow, int(file.metadata.num_rows)
        except arrow.ArrowException as error:
            raise ValueError(f"{path.name} is no Parquet file, or a damaged one ({error}).") from error
        for name in (text, id):
            if name is not None:
                self._check(arrow.types, schema.field(column(path.name, schema.names, name)), name == id)

    def _check(self, types: Any, field: Any, numbers: bool) -> None:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        strings = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
        if not any(fits(kind) for fits in strings) and not (numbers and types.is_integer(kind)):
            wanted = "strings or whole numbers" if numbers else "strings"
            raise ValueError(f"The column {field.name!r} of {self.path.name} has {kind}: it needs {wanted}.")

    def rows(self, after: Place) -> Iterator[Row]:
        """The rows from a place on, one by one."""
        number, columns = 0, [name for name in (self._text, self._id) if name is not None]
        with self._parquet.ParquetFile(self.path) as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            first = 0
            while first < len(sizes) and number + sizes[first] <= after.number:
                number, first = number + sizes[first], first + 1
            groups = range(first, len(sizes))
            for batch in file.iter_batches(TOGETHER, row_groups=groups, columns=columns) if groups else ():
                texts = _values(batch.column(self._text))
                ids = [None] * len(texts) if self._id is None else _values(batch.column(self._id))
                for text, id in zip(texts, ids, strict=True):
                    number += 1
                    if number > after.number:
                        yield _row(number, str(number) if self._id is None else id, text)


def _values(found: Any) -> list[Any]:
    arrow = need("pyarrow", extra="parquet")
    if arrow.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    if not arrow.types.is_integer(found.type):
        # As bytes: a string that is not UTF-8 is then one row's fault, and not the file's.
        found = found.cast(arrow.large_binary())
    return list(found.to_pylist())


def _row(number: int, id: bytes | int | str | None, text: bytes | None) -> Row:
    after = Place(number, number)
    for value in (id, text):
        fault = not_utf8(value) if isinstance(value, bytes) else ""
        if fault:
            return Row(number, "", "", fault, after)
    told = id.decode() if isinstance(id, bytes) else None if id is None else str(id)
    return checked_row(number, told, None if text is None else text.decode(), after)
