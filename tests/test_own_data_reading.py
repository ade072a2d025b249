"""What readers' files may hold: each mistake one sentence with its place, each oddity told."""

from __future__ import annotations

import re

import pytest
import torch
from own_files import messages, own_files, write_csv

from kdhelpers.data import Split
from kdhelpers.own_data import OwnData, read_own_data
from kdhelpers.own_data.teaching import teacher_notes

GOOD = "message,queue\n" + "".join(f"{text},{name}\n" for text, name in messages(16, seed=1))
HUGE = "x" * 200_000


def read(folder, labelled, **others) -> OwnData:
    """Read files that are given by their content."""
    paths = {}
    for name, content in {"mail": labelled, **others}.items():
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, bytes):
            (folder / f"{name}.csv").write_bytes(content)
            paths[name] = folder / f"{name}.csv"
    return read_own_data(
        paths["mail"],
        text="message",
        label="queue",
        unlabelled=paths.get("pool"),
        test=paths.get("test"),
        id=others.get("id_column", (None,))[0],
        group=others.get("group_column", (None,))[0],
    )


MISTAKES = {
    "no header": (
        dict(labelled="my card is late,billing\nx,delivery\n"),
        r"mail\.csv has no column 'message': its",
    ),
    "a near name": (
        dict(labelled=GOOD.replace("message", "Messages")),
        r"no column 'message'.*did you mean 'Messages'\?",
    ),
    "a column twice": (dict(labelled="message,queue,message\na,b,c\n"), "more than one column 'message'"),
    "an empty file": (dict(labelled=""), r"mail\.csv is empty: it needs a header"),
    "only a header": (dict(labelled="message,queue\n"), "has a header but no rows"),
    "Latin-1": (
        dict(labelled=GOOD.encode() + b"caf\xe9,billing\n"),
        r"line 18: not UTF-8 \(byte 0xe9\); save",
    ),
    "UTF-16 with a mark": (dict(labelled=GOOD.encode("utf-16")), "is in UTF-16: save it as UTF-8"),
    "UTF-16 without": (dict(labelled=GOOD.encode("utf-16-le")), "is in UTF-16: save it as UTF-8"),
    "a spreadsheet": (dict(labelled=b"PK\x03\x04\x14\x00rest"), "not a CSV file, but a spreadsheet"),
    "an old spreadsheet": (
        dict(labelled=b"\xd0\xcf\x11\xe0\xa1\xb1"),
        "not a CSV file, but an old spreadsheet",
    ),
    "gzip": (dict(labelled=b"\x1f\x8b\x08\x00"), "not a CSV file, but compressed with gzip"),
    "a ragged row": (dict(labelled=GOOD + "one, two,billing\n"), "line 18: 3 cells, but the header has 2"),
    "an unclosed quote": (
        dict(labelled=GOOD + '"open,billing\nx,y\n'),
        "line 18: .*a quote is opened here and never",
    ),
    "text behind a quote": (dict(labelled=GOOD + '"a"b,billing\n'), r"line 18: broken CSV \('?,"),
    "semicolons": (
        dict(labelled=GOOD.replace(",", ";")),
        "cells are separated by semicolons; save it with commas",
    ),
    "tabs": (dict(labelled=GOOD.replace(",", "\t")), "cells are separated by tabs; save it with commas"),
    "Excel's hint": (dict(labelled="sep=;\n" + GOOD), "line 1: 'sep=;' is a hint for Excel"),
    "no text at all": (
        dict(labelled="message,queue\n,billing\n ,delivery\n"),
        "no text in its column 'message'",
    ),
    "no label at all": (dict(labelled="message,queue\na,\nb, \n"), r"mail\.csv has no class: a classifier"),
    "one class": (dict(labelled="message,queue\na,billing\nb,billing\n"), "only the class 'billing'"),
    "an id twice": (
        dict(labelled="id,message,queue\n7,a,billing\n8,b,other\n7,c,other\n", id_column=("id",)),
        "line 4: the id '7' in the column 'id' stands in line 2 already",
    ),
    "an empty id": (
        dict(labelled="id,message,queue\n7,a,billing\n,b,other\n", id_column=("id",)),
        "line 3: the id in the column 'id' is empty",
    ),
    "an unknown class": (
        dict(labelled=GOOD, test="message,queue\nhello there,billing\nsun,solar\n"),
        r"test\.csv, line 3: the class 'solar' in the column 'queue' does not occur in mail\.csv",
    ),
    "a test without labels": (
        dict(labelled=GOOD, test="message,queue\nx,\n"),
        r"test\.csv has no label in its column",
    ),
    "a test without the column": (
        dict(labelled=GOOD, test="message,class\nx,y\n"),
        r"test\.csv has no column 'queue'",
    ),
    "a pool without the column": (
        dict(labelled=GOOD, pool="mesage\nx\n"),
        r"pool\.csv has no column 'message'.*did you mean 'mesage'",
    ),
    "a huge cell": (
        dict(labelled=GOOD + f"{HUGE},billing\n"),
        "line 18: .*a cell of more than 131,072 characters",
    ),
    "all of it in the test": (
        dict(labelled=GOOD, test=GOOD),
        "All labelled texts of mail.csv are in the test",
    ),
    "too few for a test": (
        dict(labelled="message,queue\na,b\nc,d\ne,f\n"),
        "No labelled rows can be spared for a test",
    ),
    "one group": (
        dict(
            labelled="message,queue,who\n" + GOOD.partition("\n")[2].replace("\n", ",me\n"),
            group_column=("who",),
        ),
        "No labelled rows can be spared for a test",
    ),
    "a missing group": (dict(labelled=GOOD, group_column=("customer",)), "no column 'customer'"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_gets_one_sentence_with_its_place(kind, tmp_path):
    files, sentence = MISTAKES[kind]
    with pytest.raises(ValueError, match=sentence) as error:
        read(tmp_path, **files)
    said = str(error.value)
    assert "\n" not in said
    assert len(said) < 400
    assert said.endswith(".")


def test_a_folder_and_a_missing_file_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is a folder: give a CSV file"):
        read_own_data(tmp_path, text="message", label="queue")
    with pytest.raises(FileNotFoundError, match=r"There is no file mail\.csv in"):
        read_own_data(tmp_path / "mail.csv", text="message", label="queue")


ODDITIES = {
    "NUL bytes": (dict(labelled=GOOD.encode() + b"my\0card,billing\n"), r"NUL bytes .*first in line 18"),
    "an empty text": (dict(labelled=GOOD + ",billing\n"), r"1 row without a text .* is left out \(line 18\)"),
    "an empty label": (
        dict(labelled=GOOD + "hello,\n"),
        r"1 row has no label .* used as unlabelled \(line 18\)",
    ),
    "a stray space": (
        dict(labelled=GOOD + "hello,billing \n"),
        r"'billing ' \(line 18\) is read as .*'billing'",
    ),
    "a case twin": (
        dict(labelled=GOOD + "hello,BILLING\n"),
        r"'BILLING' \(line 18\) is read as the class 'billing'",
    ),
    "two labels": (
        dict(labelled=GOOD + "Hello 1!,billing\nhello 2,delivery\n"),
        r"1 text has two labels .*\(lines 18, 19\)",
    ),
    "a duplicate": (dict(labelled=GOOD + "hello,billing\nHello!,billing\n"), r"1 row repeats .*\(line 19\)"),
    "a leak": (
        dict(labelled=GOOD + "hello,billing\n", test="message,queue\nHELLO,billing\n"),
        r"mail\.csv: 1 row has a text that is in test\.csv as well \(line 18\)",
    ),
    "a leak in the pool": (
        dict(labelled=GOOD, pool="message\nx\nhello\n", test="message,queue\nhello,billing\n"),
        r"pool\.csv: 1 row has a text that is in test\.csv as well \(line 3\)",
    ),
    "one example": (dict(labelled=GOOD + "hello,other\n"), r"1 of 3 classes have fewer than 4 .*\(other\)"),
    "nothing to measure": (
        dict(labelled=GOOD + "hello,other\n"),
        r"1 of 3 classes are not in the test \(other\)",
    ),
    "no pool": (dict(labelled=GOOD), "No unlabelled texts"),
    "no test": (dict(labelled=GOOD), "No test was given: 4 of the 16 labelled rows"),
}


@pytest.mark.parametrize("kind", ODDITIES)
def test_what_can_be_gone_on_with_is_told(kind, tmp_path):
    files, sentence = ODDITIES[kind]
    notes = read(tmp_path, **files).notes
    assert any(re.search(sentence, note) for note in notes), notes
    assert all(note.endswith(".") and "\n" not in note for note in notes)


def test_clean_files_are_read_without_a_word(tmp_path):
    data = read_own_data(text="message", label="queue", **own_files(tmp_path))
    assert data.notes == ()
    assert data.classes == ("billing", "delivery")
    assert (len(data.labelled), len(data.pool), len(data.test)) == (16, 40, 24)
    assert data.labelled.ids[:2] == ("labelled line 2", "labelled line 3")
    assert data.labelled.inputs[:1] == [messages(80, seed=3)[0][0]]
    assert set(data.sources) == {"labelled", "unlabelled", "test"}
    assert data.own_test
    assert len(data.transfer) == 56


def test_the_pool_does_not_repeat_what_is_labelled(tmp_path):
    data = read(tmp_path, GOOD, pool="message\n" + messages(16, seed=1)[0][0].upper() + "\nsomething new\n")
    assert data.pool.inputs == ["something new"]


def test_ids_are_the_readers_own_if_asked_for(tmp_path):
    path = tmp_path / "mail.csv"
    path.write_text(
        "nr,message,queue\n" + "".join(f"m{n},{t},{q}\n" for n, (t, q) in enumerate(messages(16, 1)))
    )
    data = read_own_data(path, text="message", label="queue", id="nr")
    assert all(id.split()[1].startswith("m") for id in (*data.labelled.ids, *data.test.ids))


def test_what_belongs_together_stays_on_one_side(tmp_path):
    rows = messages(60, seed=5)
    twins = [(f"{text.upper()}!", name) for text, name in rows]
    data = read(tmp_path, write_csv(tmp_path / "x.csv", rows + twins).read_text())
    split = (set(map(str.lower, data.labelled.inputs)), {text.lower() for text in data.test.inputs})
    assert not {text.rstrip("!") for text in split[0]} & {text.rstrip("!") for text in split[1]}
    assert 20 <= len(data.test) <= 40

    content = "message,queue,who\n" + "".join(f"{t},{q},c{n % 20}\n" for n, (t, q) in enumerate(rows))
    grouped = read(tmp_path, content, group_column=("who",))
    line = {"labelled": grouped.labelled.ids, "test": grouped.test.ids}
    who = {side: {(int(id.split()[-1]) - 2) % 20 for id in ids} for side, ids in line.items()}
    assert not who["labelled"] & who["test"]
    assert len(grouped.test) >= 6


def test_a_quarter_of_each_class_becomes_the_test_and_always_the_same(tmp_path):
    rows = messages(120, seed=6)
    one, other = (read(tmp_path, write_csv(tmp_path / "x.csv", rows).read_text()) for _ in range(2))
    assert one.test.ids == other.test.ids
    counts = torch.bincount(one.labelled.labels) + torch.bincount(one.test.labels)
    share = torch.bincount(one.test.labels) / counts
    assert ((share > 0.15) & (share < 0.30)).all()


def test_a_pool_has_no_text_of_the_test_that_is_taken_apart(tmp_path):
    rows = messages(40, seed=7)
    pool = "message\n" + "".join(f"{text.upper()}\n" for text, _ in rows) + "something new\n"
    unsaid = "".join(f"{text}!,\n" for text, _ in rows)
    content = write_csv(tmp_path / "x.csv", rows).read_text() + unsaid
    assert read(tmp_path, content, pool=pool).pool.inputs == ["something new"]


def test_one_column_cannot_be_both_and_a_group_is_not_looked_at_beside_a_test(tmp_path):
    files = own_files(tmp_path)
    with pytest.raises(ValueError, match="Texts and classes are both asked of the column 'queue'"):
        read_own_data(files["labelled"], text="queue", label="queue")
    data = read_own_data(files["labelled"], text="message", label="queue", test=files["test"], group="who")
    assert "The column 'who' is not looked at, as there is a test." in data.notes


def test_minilm_is_doubted_where_the_script_is_not_latin(tmp_path):
    rows = [("где моя посылка", "post"), ("списали дважды", "bill"), ("карта не работает", "bill")] * 4
    russian = read(
        tmp_path, write_csv(tmp_path / "x.csv", rows).read_text(), test="message,queue\nкурьер,post\n"
    )
    assert "was made for English" in teacher_notes(russian, None)[0]
    assert teacher_notes(russian, tmp_path) == []
    assert teacher_notes(read(tmp_path, GOOD.replace("my", "für")), None) == []


def test_transfer_without_a_pool_is_what_is_labelled():
    split = Split(["a"], ["x"], torch.tensor([0]))
    assert OwnData(("a", "b"), split, None, split).transfer.labels is None
