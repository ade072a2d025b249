"""A reader's CSV file as rows that know their line, and what was noticed while it was read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..data.csv_files import read_rows
from ..data.display import rows_said


class Row(NamedTuple):
    """One row.

    Args:
        line: Where it begins, from 1.
        text: The text, as it stands there.
        label: The class as it is written, or "".
        id: What the file calls it, or "".
        group: What it belongs to, such as a customer, or "".

    Example:
        >>> Row(2, "Where is my parcel?").label
        ''
    """

    line: int
    text: str
    label: str = ""
    id: str = ""
    group: str = ""


@dataclass(frozen=True)
class Table:
    """What a file holds.

    Args:
        name: Of the file.
        sha256: Of its bytes.
        rows: Those with a text.
        notes: What the reader should know of, a sentence each.

    Example:
        >>> Table("mail.csv", "", (Row(2, "help"),)).rows[0].text
        'help'
    """

    name: str
    sha256: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read_table(
    path: str | os.PathLike[str], text: str, *, label: str = "", id: str = "", group: str = ""
) -> Table:
    """Read a CSV file with a header, in UTF-8; rows without a text are left out, and told.

    Args:
        path: The file.
        text: The column of the texts.
        label: The column of the classes; "" for none.
        id: The column of the ids; "" for none.
        group: The column that says what belongs together; "" for none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no CSV file, lacks a column, has a broken line or an id twice, or no text at all.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_text("message,queue\\nWhere is it?,delivery\\n,billing\\n")
        >>> table = read_table(file, "message", label="queue")
        >>> len(table.rows), table.notes
        (1, ("mail.csv: 1 row without a text in the column 'message' is left out (line 3).",))
    """
    file, columns = Path(path), dict(text=text, label=label, id=id, group=group)
    wanted = list(dict.fromkeys(name for name in columns.values() if name))
    every = [
        Row(line, **{kind: cells[name] for kind, name in columns.items() if name})
        for line, cells in read_rows(file, wanted)
    ]
    if not every:
        raise ValueError(f"{file.name} has a header but no rows: there is nothing to read.")
    rows = tuple(row for row in every if row.text.strip())
    if not rows:
        raise ValueError(f"{file.name} has no text in its column {text!r}: every cell of it is empty.")
    if id:
        _check_ids(file.name, rows, id)
    content = file.read_bytes()
    notes = [*_nuls_said(file.name, content), *_empty_said(file.name, every, text)]
    return Table(file.name, hashlib.sha256(content).hexdigest(), rows, tuple(notes))


def lines_said(rows: Iterable[Row]) -> str:
    """Where rows are, in words: all of a few, the first of many.

    Example:
        >>> lines_said([Row(3, ""), Row(9, "")])
        'lines 3, 9'
    """
    lines = list(map(str, sorted(row.line for row in rows)))
    if len(lines) == 1:
        return f"line {lines[0]}"
    return f"lines {', '.join(lines[:3])}{', …' * (len(lines) > 3)}"


def _check_ids(name: str, rows: Sequence[Row], column: str) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        if not row.id.strip():
            raise ValueError(f"{name}, line {row.line}: the id in the column {column!r} is empty: give one.")
        if row.id in seen:
            raise ValueError(
                f"{name}, line {row.line}: the id {row.id!r} in the column {column!r} stands in line "
                f"{seen[row.id]} already; every row needs an id of its own."
            )
        seen[row.id] = row.line


def _nuls_said(name: str, content: bytes) -> list[str]:
    if b"\0" not in content:
        return []
    line = content[: content.index(b"\0")].count(b"\n") + 1
    return [f"{name}: NUL bytes are read as spaces (first in line {line})."]


def _empty_said(name: str, every: Sequence[Row], column: str) -> list[str]:
    empty = [row for row in every if not row.text.strip()]
    if not empty:
        return []
    are = "is" if len(empty) == 1 else "are"
    told = f"{rows_said(len(empty))} without a text in the column {column!r} {are} left out"
    return [f"{name}: {told} ({lines_said(empty)})."]
