from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdhelpers.data import read_classes, read_csv

HEADER = "id,message,queue\n"
ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mail.csv"


def read(file: Path, **options):
    return read_csv(file, text="message", label="queue", classes=["billing", "delivery"], **options)


def test_texts_labels_and_ids_come_from_their_columns(file: Path) -> None:
    file.write_text(HEADER + 'a,"Late, again",delivery\nb,"Two\nlines",billing\nc,,\n', encoding="utf-8")
    split = read(file, id="id")
    assert split.ids == ("a", "b", "c")
    assert split.inputs == ["Late, again", "Two\nlines", ""]
    assert split.labels is not None
    assert split.labels.tolist() == [1, 0, -100]
    assert read(file).ids == ("mail-1", "mail-2", "mail-3")
    assert read_csv(file, text="message").labels is None
    assert read_classes(file, label="queue") == ("billing", "delivery")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(ANYTHING, min_size=1, max_size=8))
def test_what_the_csv_module_writes_is_read_back(file: Path, texts: list[str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "more"], *([text, "x"] for text in texts)])
    assert read_csv(file).inputs == texts


def test_what_spreadsheets_do_is_understood(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf message , queue\r\nwhere?,delivery\r\n\r\nnul\0here,billing\r\n")
    split = read(file)
    assert split.inputs == ["where?", "nul here"]


def test_a_message_of_100_kilobytes_is_read(file: Path) -> None:
    file.write_text(f"text\n{'x' * 100_000}\n", encoding="utf-8")
    assert len(read_csv(file).inputs[0]) == 100_000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "mail.csv is empty"),
        (HEADER.encode(), "a header but no rows"),
        (b"id,text,queue\n1,x,billing\n", "no column 'message': its header has id, text, queue"),
        (b"message,message,queue\nx,y,billing\n", "more than one column 'message'"),
        (HEADER.encode() + b"1,ok,billing\n2,caf\xe9,billing\n", "line 3: not UTF-8 .byte 0xe9"),
        (HEADER.encode() + b"1,one, two,billing\n", "line 2: 4 cells, but the header has 3"),
        (HEADER.encode() + b"1,ok,billing\n2,ok,parcels\n", "line 3: the class 'parcels' is not among the 2"),
        (HEADER.encode() + b'1,"never closed,billing\n', "broken CSV"),
        (HEADER.encode() + b"1,ok,billing\n1,ok,billing\n", "The id '1' occurs 2 times"),
    ],
)
def test_a_mistake_in_the_file_gets_a_sentence_with_its_place(
    file: Path, content: bytes, sentence: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read(file, id="id" if b"id," in content else None)


def test_a_missing_file_and_missing_classes_get_sentences(file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file mail\.csv"):
        read(file)
    file.write_text(HEADER + "1,ok,billing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="read_classes"):
        read_csv(file, text="message", label="queue")
    with pytest.raises(ValueError, match="only the class 'billing'"):
        read_classes(file, label="queue")
    file.write_text(HEADER + "1,ok,\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no class"):
        read_classes(file, label="queue")
