"""CSV row by row: as Python's csv module reads it, and on where that stops."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kdhelpers.serving.batch import csv_source
from kdhelpers.serving.batch.csv_source import CsvSource
from kdhelpers.serving.batch.rows import Place

# Much of what is special to CSV, among all else that UTF-8 can say.
CELL = st.text(
    st.sampled_from('",\r\n\t ab;\ufeff\u2028\x85\x0b🙂é')
    | st.characters(exclude_characters="\0", codec="utf-8"),
    max_size=8,
)
TABLE = st.integers(1, 4).flatmap(
    lambda wide: st.lists(st.lists(CELL, min_size=wide, max_size=wide), max_size=8)
)
FIXED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mail.csv"


def read(file, **names):
    source = CsvSource(file, **{"text": "text", "id": "id", **names})
    return list(source.rows(source.start))


def told(file, **names):
    return [(row.number, row.fault or (row.id, row.text)) for row in read(file, **names)]


def by_python(content: bytes):
    """Rows as Python's csv module reads them, each with the line that it begins in."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), strict=True)
    found, begins = [], 1
    for cells in reader:
        if cells:
            found.append((begins, cells))
        begins = reader.line_num + 1
    return found


def records(content: bytes):
    found = csv_source.lines(io.BytesIO(content), Place(0, 0))
    return [(record.number, record.cells) for record in csv_source.records(found) if not record.fault]


@FIXED
@given(
    rows=TABLE,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    bom=st.booleans(),
    cut=st.booleans(),
    block=st.integers(1, 9),
)
@example(rows=[["a\r", "b"]], end="\r\n", quoting=csv.QUOTE_ALL, bom=True, cut=False, block=1)
def test_any_well_formed_file_is_read_as_python_reads_it(rows, end, quoting, bom, cut, block):
    stream = io.StringIO(newline="")
    # csv.writer quotes what its own end of line has: with both in it, either is quoted by any Python.
    csv.writer(stream, lineterminator="\r\n", quoting=quoting).writerows(rows)
    text = stream.getvalue()
    if end != "\r\n" and "\n" not in text.replace("\r\n", ""):
        text = text.replace("\r\n", end)
    content = ("\ufeff" if bom else "").encode() + (text[: -len(end)] if cut and text else text).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_source, "BLOCK", block)
        found = records(content.removeprefix(b"\xef\xbb\xbf") if bom else content)
    try:
        expected = by_python(content)
    except csv.Error:  # cut within a quote
        assert cut
        return
    if not bom and content.startswith(b"\xef\xbb\xbf"):  # a BOM that is a cell's first character
        return
    assert found == expected


@FIXED
@given(rows=st.lists(st.tuples(CELL, CELL), max_size=6), bom=st.booleans(), start=st.integers(0, 6))
def test_reading_goes_on_at_any_row(file, rows, bom, start):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([("id", "text"), *rows])
    file.write_bytes((b"\xef\xbb\xbf" if bom else b"") + stream.getvalue().encode())
    source, every = CsvSource(file, "text", "id"), read(file)
    # The reference has the file as it was written; what is blank is a fault.
    assert [(row.id, row.text) for row in every] == rows
    assert [bool(row.fault) for row in every] == [not (id.strip() and text.strip()) for id, text in rows]
    if start < len(every):
        assert list(source.rows(every[start].after)) == every[start + 1 :]


BROKEN = {
    "too few cells": (b"x", "1 cell, but the header has 2"),
    "too many cells": (b"x,y,z", "3 cells, but the header has 2"),
    "too many in several lines": (b'x,"y\ny",z', "3 cells, but the header has 2 (lines 3 to 4)"),
    "not UTF-8": (b"x,caf\xe9 au lait", "not UTF-8 (byte 0xe9)"),
    "not UTF-8 in a quote": (b'x,"a\nb\xff"', "not UTF-8 (byte 0xff)"),
    "half a character": (b"x,\xf0\x9f\x99", "not UTF-8 (byte 0xf0)"),
    "NUL": (b"x,a\0b", "a NUL byte"),
    "empty text": (b"x,", "the text is empty"),
    "quoted empty text": (b'x,""', "the text is empty"),
    "blank text": (b"x, \t", "the text is empty"),
    "empty id": (b",y", "the id is empty"),
    "all empty": (b",", "the id is empty"),
    "text behind a quote": (b'x,"y"z', "broken quotes (',' expected after '\"')"),
}


@pytest.mark.parametrize(("row", "reason"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_broken_row_is_named_and_the_rest_goes_on(file, row, reason, end):
    file.write_bytes(
        end.join([b"id,text", b"a,first", row, b'b,"second, ""quoted"""', b"", b"c,third"]) + end
    )
    more = row.count(b"\n")
    assert told(file) == [
        (2, ("a", "first")),
        (3, reason),
        (4 + more, ("b", 'second, "quoted"')),
        (6 + more, ("c", "third")),
    ]


NEVER = "a quote that is never closed, or a cell of more than 131,072 characters"


@pytest.mark.parametrize(
    "rest", [["b,second", "c,third"], ["b,second"] * 20_000, []], ids=["few", "many", "none"]
)
def test_a_quote_that_is_never_closed_takes_no_other_row_with_it(file, rest):
    file.write_text("\n".join(["id,text", "a,first", 'x,"never closed', *rest]))
    found = told(file)
    assert found[:2] == [(2, ("a", "first")), (3, NEVER)]
    assert found[2:] == [(4 + n, tuple(row.split(","))) for n, row in enumerate(rest)]


@pytest.mark.parametrize("later", ['b,"fine, too"', '"b",fine', 'b,"he said ""no"""'])
def test_a_quote_that_a_later_one_seems_to_close(file, later):
    file.write_text(f'id,text\nx,"never closed\na,first\n{later}\nc,third\n')
    found = told(file)
    assert found[0][0] == 2
    assert "quote" in found[0][1]
    assert [row for row, _ in found[1:]] == [3, 4, 5]
    assert [text for _, (_, text) in found[1:]] == ["first", *next(csv.reader([later]))[1:], "third"]


def test_rows_longer_than_a_block_and_than_can_be(file, monkeypatch):
    monkeypatch.setattr(csv_source, "BLOCK", 64)
    monkeypatch.setattr(csv_source, "LONGEST", 1_000)
    long = "y" * 900
    file.write_text(
        f'id,text\na,{long}\nb,{"y" * 5_000}\nc,third\nd,"{"y" * 5_000}\ne,fifth\nf,{"y" * 5_000}'
    )
    cut = "a line of more than 1,000 bytes"
    assert told(file) == [
        (2, ("a", long)),
        (3, cut),
        (4, ("c", "third")),
        (5, cut),
        (6, ("e", "fifth")),
        (7, cut),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_that_is_too_long_is_one_line_wherever_blocks_end(file, monkeypatch, end):
    monkeypatch.setattr(csv_source, "BLOCK", 5)
    monkeypatch.setattr(csv_source, "LONGEST", 30)
    for length in range(31, 45):
        file.write_bytes(end.join(["id,text", "y" * length, "c,third", ""]).encode())
        assert told(file) == [(2, "a line of more than 30 bytes"), (3, ("c", "third"))]


def test_a_line_that_is_too_long_within_a_quote(file, monkeypatch):
    monkeypatch.setattr(csv_source, "BLOCK", 64)
    monkeypatch.setattr(csv_source, "LONGEST", 1_000)
    cut = "a line of more than 1,000 bytes"
    file.write_text(f'id,text\na,"open\nb,{"y" * 5_000}\nc,third\n')
    assert told(file) == [(2, NEVER), (3, cut), (4, ("c", "third"))]
    file.write_text(f'id,text\na,"open\nb,{"y" * 5_000}\nclosed"\nc,third\n')
    assert told(file) == [(2, cut), (5, ("c", "third"))]


def test_an_open_quote_ends_somewhere_whatever_the_csv_module_takes(file, monkeypatch):
    monkeypatch.setattr(csv_source, "LONGEST", 1_000)
    file.write_text('id,text\na,"open\n' + "b,second\n" * 5_000)
    before, taken = csv.field_size_limit(10**9), []
    give_back = csv_source._Feed.give_back
    monkeypatch.setattr(
        csv_source._Feed, "give_back", lambda feed: (taken.append(len(feed.taken)), give_back(feed))
    )
    try:
        assert len(told(file)) == 5_001
    finally:
        csv.field_size_limit(before)
    assert taken == [112]  # the lines that 1,000 bytes hold, not the whole file


def test_a_cell_of_more_than_the_csv_module_takes(file):
    file.write_text(f"id,text\na,{'y' * 131_073}\nb,{'y' * 131_072}\n")
    assert [row.fault for row in read(file)] == [NEVER, ""]


def test_a_quote_within_a_cell_is_a_quote(file):
    file.write_text('id,text\na,a 5" pipe\nb,fine\n')
    assert told(file) == [(2, ("a", 'a 5" pipe')), (3, ("b", "fine"))]


def test_columns_in_any_order_and_ids_by_line(file):
    file.write_text('when,text ,id\nnow,"two\nlines",a\nthen,one,b\n')
    assert told(file) == [(2, ("a", "two\nlines")), (4, ("b", "one"))]
    assert told(file, id=None) == [(2, ("2", "two\nlines")), (4, ("4", "one"))]
    assert told(file, text="when")[0] == (2, ("a", "now"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"mail\.csv is empty: it needs a header line"),
        (b"\xef\xbb\xbf", r"mail\.csv is empty"),
        (b"\n\r\n\n", r"mail\.csv is empty"),
        (b"id,message\n1,a\n", r"mail\.csv has no column 'text', but id, message\."),
        (b"id,text,text\n", r"mail\.csv has more than one column 'text'"),
        (b"text\nhelp\n", r"mail\.csv has no column 'id', but text\."),
        ("id,text\n".encode("utf-16"), r"mail\.csv, line 1: (not UTF-8 \(byte 0xff\)|a NUL byte)\."),
        (b'id,"text\n1,a\n', r"mail\.csv, line 1: a quote that is never closed"),
    ],
)
def test_a_header_that_will_not_do(file, content, sentence):
    file.write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        CsvSource(file, "text", "id")


def test_a_header_alone_has_no_rows(file):
    file.write_text("id,text")
    assert read(file) == []
