"""Texts and labels from a CSV file: every mistake in it named by its line."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import torch

from .checks import NO_LABEL
from .csv_bytes import text_of_csv
from .splits import Split

Path_ = str | os.PathLike[str]


def read_csv(
    path: Path_,
    *,
    text: str = "text",
    label: str | None = None,
    classes: Sequence[str] | None = None,
    id: str | None = None,
) -> Split:
    """Read texts, and labels if there are any, from a CSV file with a header, in UTF-8.

    Args:
        path: The file.
        text: The column of the texts; they may be empty.
        label: The column of the class names; an empty cell is a row without a label. None: no labels.
        classes: The class names in the order of the labels; ``read_classes`` finds them in a file.
        id: The column of the ids. None: the file's name and the row's number.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not UTF-8, no such column, a broken line, no rows, or a class that is not among the
            classes; with the line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_text("text,queue\\nWhere is it?,delivery\\nHello,\\n")
        >>> split = read_csv(file, label="queue", classes=["billing", "delivery"])
        >>> split.ids, split.labels
        (('mail-1', 'mail-2'), tensor([   1, -100]))
    """
    if label is not None and classes is None:
        raise ValueError("Labels need the class names in their order: classes=read_classes(path, label=...).")
    file, rows = Path(path), list(read_rows(path, [name for name in (text, label, id) if name is not None]))
    if not rows:
        raise ValueError(f"{file.name} has a header but no rows: there is nothing to read.")
    numbers = {name: number for number, name in enumerate(classes or ())}
    labels = [_number(file, line, row[label], numbers) for line, row in rows] if label is not None else None
    return Split(
        ids=[row[id] for _, row in rows] if id else [f"{file.stem}-{n}" for n in range(1, len(rows) + 1)],
        inputs=[row[text] for _, row in rows],
        labels=None if labels is None else torch.tensor(labels),
    )


def read_classes(path: Path_, label: str = "label") -> tuple[str, ...]:
    """The class names in a column of a CSV file, sorted.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not UTF-8, no such column, a broken line, or fewer than two classes.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_text("text,queue\\nWhere is it?,delivery\\nI paid twice,billing\\n")
        >>> read_classes(file, label="queue")
        ('billing', 'delivery')
    """
    found = sorted({row[label] for _, row in read_rows(path, [label])} - {""})
    if len(found) < 2:
        told = f"only the class {found[0]!r}" if found else "no class"
        raise ValueError(
            f"{Path(path).name} has {told} in its column {label!r}: a classifier needs two or more."
        )
    return tuple(found)


def read_columns(path: Path_, columns: Sequence[str]) -> list[dict[str, str]]:
    """Some columns of a CSV file, a dictionary a row.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not UTF-8, no such column, or a broken line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_text("text,queue\\nWhere is it?,delivery\\n")
        >>> read_columns(file, ["queue"])
        [{'queue': 'delivery'}]
    """
    return [row for _, row in read_rows(path, columns)]


def read_rows(path: Path_, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Some columns of a CSV file row by row, each with the line that it begins in; blank lines are left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not UTF-8, no such column, or a broken line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_text('text,queue\\n"Where\\nis it?",delivery\\nI paid twice,billing\\n')
        >>> [(line, row["queue"]) for line, row in read_rows(file, ["queue"])]
        [(2, 'delivery'), (4, 'billing')]
    """
    file = Path(path)
    reader, line = csv.reader(io.StringIO(text_of_csv(file), newline=""), strict=True), 1
    try:
        header = next(reader, None)
        if header is None:
            raise ValueError(f"{file.name} is empty: it needs a header line that names its columns.")
        places = _places(file, header, columns)
        while True:
            line = reader.line_num + 1
            row = next(reader, None)
            if row is None:
                return
            if row and len(row) != len(header):
                raise ValueError(
                    f"{file.name}, line {line}: {len(row)} cells, but the header has "
                    f"{len(header)}; a text with commas or line breaks needs quotes around it."
                )
            if row:
                yield line, {name: row[place] for name, place in places.items()}
    except csv.Error as error:
        raise ValueError(f"{file.name}, line {line}: broken CSV ({_explained(error)}).") from error


def _explained(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote is opened here and never closed"
    if "field limit" in str(error):
        return f"a cell of more than {csv.field_size_limit():,} characters, or a quote that is never closed"
    return str(error)


def _places(file: Path, header: list[str], columns: Sequence[str]) -> dict[str, int]:
    names = [name.strip() for name in header]
    for name in columns:
        if names.count(name) != 1:
            problem = "no column" if name not in names else "more than one column"
            raise ValueError(f"{file.name} has {problem} {name!r}: {_header_said(names, name)}.")
    return {name: names.index(name) for name in columns}


def _header_said(names: list[str], wanted: str) -> str:
    shown = [name if len(name) <= 40 else f"{name[:40]}…" for name in names[:20]]
    said = f"its header has {', '.join(shown)}{', …' * (len(names) > 20)}"
    for sign, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and wanted in [part.strip() for part in names[0].split(sign)]:
            return f"its cells are separated by {called}; save it with commas between them"
    near = get_close_matches(wanted.lower(), [name.lower() for name in names], n=1)
    if wanted not in names and near:
        return f"{said} (did you mean {next(name for name in names if name.lower() == near[0])!r}?)"
    return said


def _number(file: Path, line: int, name: str, numbers: dict[str, int]) -> int:
    if not name:
        return NO_LABEL
    if name not in numbers:
        raise ValueError(
            f"{file.name}, line {line}: the class {name!r} is not among the {len(numbers)} classes known; "
            "correct it, or add it to the classes and train anew."
        )
    return numbers[name]
