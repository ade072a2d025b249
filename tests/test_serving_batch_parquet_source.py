from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from kdhelpers.serving.batch import parquet_source
from kdhelpers.serving.batch.parquet_source import ParquetSource

VALUES = st.lists(st.tuples(st.none() | st.integers(0, 99), st.none() | st.text(max_size=5)), max_size=20)
KINDS = [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mail.parquet"


def write(file, ids, texts, kind=None, **options):
    names = {"id": pa.array(ids), "other": pa.array([0.5] * len(ids)), "text": pa.array(texts, kind)}
    parquet.write_table(pa.table(names), file, **options)


def read(file, id="id"):
    source = ParquetSource(file, "text", id)
    return list(source.rows(source.start))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=VALUES,
    kind=st.sampled_from(KINDS),
    group=st.integers(1, 7),
    together=st.integers(1, 9),
    start=st.integers(0, 20),
)
def test_rows_are_those_of_the_table_wherever_reading_begins(file, rows, kind, group, together, start):
    ids, texts = [id for id, _ in rows], [text for _, text in rows]
    # Of bytes, pyarrow makes no dictionary or string by itself.
    given_texts = [None if t is None else t.encode() for t in texts] if kind == pa.binary() else texts
    write(file, pa.array(ids, pa.int64()), given_texts, kind, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_source, "TOGETHER", together)
        source = ParquetSource(file, "text", "id")
        every = list(source.rows(source.start))
        assert source.total == len(rows)
        if start < len(every):
            assert list(source.rows(every[start].after)) == every[start + 1 :]
    assert [row.number for row in every] == list(range(1, len(rows) + 1))
    for row, id, text in zip(every, ids, texts, strict=True):
        if id is None or text is None or not text.strip() or "\0" in text:
            assert row.fault
        else:
            assert (row.id, row.text, row.fault) == (str(id), text, "")


def test_what_cannot_be_answered_says_why(file):
    texts = [b"fine", None, b"caf\xe9", b"a\0b", b"  ", b"fine"]
    write(file, ["a", "b", "c", "d", "e", None], texts, pa.binary())
    assert [row.fault for row in read(file)] == [
        "",
        "the text is missing",
        "not UTF-8 (byte 0xe9)",
        "the text has a NUL byte",
        "the text is empty",
        "the id is missing",
    ]
    assert [row.id for row in read(file, id=None) if not row.fault] == ["1", "6"]


def test_files_that_will_not_do(file):
    file.write_bytes(b"id,text\n")
    with pytest.raises(ValueError, match=r"mail\.parquet is no Parquet file, or a damaged one \("):
        ParquetSource(file, "text", "id")
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"mail\.parquet is no Parquet file"):
        ParquetSource(file, "text", "id")
    write(file, np.array([0.5]), ["a"])
    with pytest.raises(ValueError, match=r"mail\.parquet has no column 'message', but id, other, text\."):
        ParquetSource(file, "message", "id")
    with pytest.raises(ValueError, match=r"'id' of mail\.parquet has double: it needs strings or whole numb"):
        ParquetSource(file, "text", "id")
    with pytest.raises(ValueError, match=r"'other' of mail\.parquet has double: it needs strings\."):
        ParquetSource(file, "other", None)


def test_the_missing_extra_is_named(file, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs pyarrow, .*pip install 'kdhelpers\[parquet\]'"):
        ParquetSource(file, "text", "id")
