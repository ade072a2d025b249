"""A CSV file row by row, in little memory: a broken row is told by its line, and the next one read."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .rows import Place, Row, checked_row, column, not_utf8

BLOCK, LONGEST = 2**18, 2**20
_BOM = b"\xef\xbb\xbf"
_NEVER_CLOSED = "a quote that is never closed, or a cell of more than {:,} characters"


class Line(NamedTuple):
    """A line of a file with its end, its number from 1, and the place behind it; None if it is too long."""

    content: bytes | None
    number: int
    after: Place


class Record(NamedTuple):
    """The cells of one row, which may go over several lines, or why it has none."""

    number: int
    cells: list[str]
    fault: str
    after: Place


class CsvSource:
    """A CSV file in UTF-8 with a header.

    Args:
        path: The file.
        text: The column of the texts.
        id: The column of the ids; None: the number of a row's first line.

    Raises:
        ValueError: The file is empty, or its header is broken or lacks a column.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_bytes(b'id,text\\n1,help\\n2\\n3,"two\\nlines"\\n')
        >>> source = CsvSource(file, "text", "id")
        >>> [(row.number, row.text or row.fault) for row in source.rows(source.start)]
        [(2, 'help'), (3, '1 cell, but the header has 2'), (4, 'two\\nlines')]
    """

    unit, total = "line", None

    def __init__(self, path: Path, text: str, id: str | None) -> None:
        self.path = path
        with path.open("rb") as stream:
            bom = len(_BOM) if stream.read(len(_BOM)) == _BOM else 0
            stream.seek(bom)
            header = next(records(lines(stream, Place(bom, 0))), None)
        if header is None:
            raise ValueError(f"{path.name} is empty: it needs a header line that names its columns.")
        if header.fault:
            raise ValueError(f"{path.name}, line {header.number}: {header.fault}.")
        self.start, self._cells = header.after, len(header.cells)
        self._text = column(path.name, header.cells, text)
        self._id = None if id is None else column(path.name, header.cells, id)

    def rows(self, after: Place) -> Iterator[Row]:
        """The rows from a place on, one by one."""
        with self.path.open("rb") as stream:
            stream.seek(after.offset)
            for record in records(lines(stream, after)):
                yield self._row(record)

    def _row(self, record: Record) -> Row:
        number, cells, fault, after = record
        if not fault and len(cells) != self._cells:
            fault = f"{len(cells)} cell{'s' * (len(cells) != 1)}, but the header has {self._cells}"
            if after.number > number:
                fault += f" (lines {number} to {after.number})"
        if fault:
            return Row(number, "", "", fault, after)
        id = str(number) if self._id is None else cells[self._id]
        return checked_row(number, id, cells[self._text], after)


def lines(stream: BinaryIO, after: Place) -> Iterator[Line]:
    """The lines of a stream from a place on, split as Python's ``open(newline="")`` does.

    Example:
        >>> import io
        >>> [line.content for line in lines(io.BytesIO(b"a\\r\\nb\\rc"), Place(0, 0))]
        [b'a\\r\\n', b'b\\r', b'c']
    """
    (offset, number), rest, cut = after, b"", False
    while True:
        block = stream.read(BLOCK)
        pieces = (rest + block).splitlines(keepends=True)
        # What has no end yet waits for more; so does a \r, which a \n may follow.
        rest = pieces.pop() if block and pieces and not pieces[-1].endswith(b"\n") else b""
        for piece in pieces:
            offset, number = offset + len(piece), number + 1
            content = None if cut or len(piece) > LONGEST else piece
            yield Line(content, number, Place(offset, number))
            cut = False
        if len(rest) > LONGEST:
            kept = rest[-1:] if rest.endswith(b"\r") else b""
            offset, rest, cut = offset + len(rest) - len(kept), kept, True
        if not block:
            break
    if cut:
        yield Line(None, number + 1, Place(offset, number + 1))


def records(found: Iterator[Line]) -> Iterator[Record]:
    """Lines as rows of cells, as Python's csv module reads them, blank lines left out.

    After a row with broken quotes, reading goes on at the line behind its first one: a quote that is never
    closed takes no other row with it.

    Example:
        >>> import io
        >>> broken = io.BytesIO(b'1,"never closed\\n2,fine\\n')
        >>> [(record.number, record.cells) for record in records(lines(broken, Place(0, 0)))]
        [(1, []), (2, ['2', 'fine'])]
    """
    feed = _Feed(found)
    reader = csv.reader(feed, strict=True)
    while True:
        feed.begin()
        try:
            cells, fault = next(reader), feed.fault
        except StopIteration:
            return
        except csv.Error as error:
            cells, fault = [], _explained(error)
            feed.give_back()
        if cells or fault:
            yield Record(feed.taken[0].number, cells, fault, feed.taken[-1].after)


def _explained(error: csv.Error) -> str:
    if "unexpected end" in str(error) or "field limit" in str(error):
        return _NEVER_CLOSED.format(csv.field_size_limit())
    return f"broken quotes ({error})"


class _Feed:
    """What the csv module reads from. It asks for line after line while a quote is open."""

    def __init__(self, found: Iterator[Line]) -> None:
        self._found, self._back = found, deque[Line]()
        self.taken: list[Line] = []
        self.fault, self._size = "", 0

    def begin(self) -> None:
        """Start a row."""
        self.taken, self.fault, self._size = [], "", 0

    def give_back(self) -> None:
        """Let all but the row's first line be read again."""
        self._back.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._size > LONGEST:
            raise StopIteration
        line = self._back.popleft() if self._back else next(self._found)
        self.taken.append(line)
        return self._text(line.content)

    def _text(self, content: bytes | None) -> str:
        if content is None:
            self.fault = f"a line of more than {LONGEST:,} bytes"
            return "-"
        self._size += len(content)
        if b"\0" in content:  # which the csv module of Python 3.10 refuses
            self.fault, content = self.fault or "a NUL byte", content.replace(b"\0", b" ")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            self.fault = self.fault or not_utf8(content)
            return content.decode("utf-8", "replace")
