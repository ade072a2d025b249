from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kdhelpers import files
from kdhelpers.files import write_whole, writing_whole


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    return path


def only(path: Path) -> bool:
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_text_is_utf8_and_bytes_are_bytes(tmp_path):
    path = tmp_path / "a"
    write_whole(path, "T² Σ\n")
    assert path.read_bytes() == "T² Σ\n".encode()
    write_whole(str(path), b"\x00\r\n")
    assert path.read_bytes() == b"\x00\r\n"
    assert only(path)


def test_missing_folders_are_made(tmp_path):
    write_whole(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_a_reader_sees_the_whole_old_file_until_the_rename(old, monkeypatch):
    seen, rename = [], os.replace

    def looking(source, target):
        seen.append((old.read_bytes(), Path(source).read_bytes(), Path(source).parent == old.parent))
        rename(source, target)

    monkeypatch.setattr(os, "replace", looking)
    write_whole(old, b"new")
    assert seen == [(b"old", b"new", True)]
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, OSError), (errno.EROFS, OSError), (errno.EACCES, PermissionError)]
)
def test_a_failure_keeps_the_old_file_and_leaves_no_other(old, monkeypatch, step, number, kind):
    def failing(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, failing)
    with pytest.raises(OSError, match=r"state\.json") as error:
        write_whole(old, b"new")
    assert type(error.value) is kind
    assert error.value.errno == number
    assert f"Could not write state.json ({os.strerror(number)}); what was there before" in str(error.value)
    assert old.read_bytes() == b"old"
    assert only(old)


def test_an_interrupt_cleans_up_as_well(old, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(old, b"new")
    assert old.read_bytes() == b"old"
    assert only(old)


def test_a_file_where_a_folder_should_be(old):
    with pytest.raises(OSError, match=r"Could not write x\.txt"):
        write_whole(old / "x.txt", "new")
    assert old.read_bytes() == b"old"


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="Could not write taken"):
        write_whole(tmp_path / "taken", "new")
    assert only(tmp_path / "taken")


def test_the_content_is_flushed_to_the_disk_before_the_rename(old, monkeypatch):
    steps, fsync, rename = [], os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda handle: (steps.append("fsync"), fsync(handle)))
    monkeypatch.setattr(files.os, "replace", lambda *names: (steps.append("replace"), rename(*names)))
    write_whole(old, b"new")
    assert steps == ["fsync", "replace"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_file_keeps_its_mode_and_a_new_one_gets_the_usual(tmp_path):
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "new", "x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    write_whole(tmp_path / "new", "y")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_stream_becomes_the_file_when_its_block_ends(old):
    with writing_whole(old) as stream:
        stream.write(b"new")
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert only(old)


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_a_block_that_raises_leaves_the_old_file(old, error):
    def half():
        with writing_whole(old) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(type(error)):
        half()
    assert old.read_bytes() == b"old"
    assert only(old)
