"""A row of a file as it was read: an id and a text, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """Where reading goes on: bytes and lines behind it in a CSV file, rows (twice) in a Parquet file.

    Example:
        >>> Place(offset=120, number=3).number
        3
    """

    offset: int
    number: int


class Row(NamedTuple):
    """One row.

    Args:
        number: The line that it begins in, or in Parquet the row, from 1.
        id: Its id.
        text: The message.
        fault: Why it cannot be answered, or "".
        after: Where the next row begins.

    Example:
        >>> checked_row(2, "a-1", " ", Place(9, 2)).fault
        'the text is empty'
    """

    number: int
    id: str
    text: str
    fault: str
    after: Place


class Source(Protocol):
    """A file of rows, opened once its header was found to be right."""

    @property
    def unit(self) -> str:
        """What a row's number counts: "line" or "row"."""

    @property
    def start(self) -> Place:
        """Where the first row begins."""

    @property
    def total(self) -> int | None:
        """How many rows there are, if the file says so."""

    def rows(self, after: Place) -> Iterator[Row]:
        """The rows from a place on, one by one."""


def checked_row(number: int, id: str | None, text: str | None, after: Place) -> Row:
    """A row with an id and a text, or with the reason why it cannot be answered.

    Example:
        >>> checked_row(2, "a-1", None, Place(9, 2)).fault
        'the text is missing'
    """
    fault = ""
    for name, value in (("id", id), ("text", text)):
        if value is None or not value.strip():
            fault = f"the {name} is {'missing' if value is None else 'empty'}"
        elif "\0" in value:
            fault = f"the {name} has a NUL byte"
        if fault:
            break
    return Row(number, id or "", text or "", fault, after)


def not_utf8(content: bytes) -> str:
    """Why bytes are no text, or "".

    Example:
        >>> not_utf8(b"caf\\xe9")
        'not UTF-8 (byte 0xe9)'
    """
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte 0x{content[error.start]:02x})"
    return ""


def column(file: str, header: Sequence[str], name: str) -> int:
    """Where a column is in a header.

    Raises:
        ValueError: It is not there, or twice.

    Example:
        >>> column("mail.csv", ["id", "text"], "message")
        Traceback (most recent call last):
        ValueError: mail.csv has no column 'message', but id, text.
    """
    found = [place for place, title in enumerate(header) if title.strip() == name]
    if len(found) != 1:
        problem = "more than one column" if found else "no column"
        raise ValueError(f"{file} has {problem} {name!r}, but {', '.join(header)}.")
    return found[0]
