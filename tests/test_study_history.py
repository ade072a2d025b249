"""The study history survives damage, read-only folders and two open lessons."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from kdhelpers.study import forget, history, progress
from kdhelpers.study.history import (
    DamagedError,
    NewerError,
    StudyHistory,
    check_key,
    current_history,
    merged,
    parse,
)
from kdhelpers.study.place import readable_place, state_folder


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDHELPERS_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "study.json"


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_is_recorded_is_there_in_the_next_session(path: Path) -> None:
    StudyHistory(path).record("03/t", "prediction", choice=2, options=["a", "b"])
    assert StudyHistory(path).recall("03/t", "prediction")["options"] == ["a", "b"]
    assert json.loads(path.read_text("utf-8"))["format"] == 1
    assert StudyHistory(path).recall("03/other", "prediction") == {}


def test_fields_are_added_and_others_stay(path: Path) -> None:
    kept = StudyHistory(path)
    kept.record("03/t", "prediction", choice=2)
    kept.record("03/t", "prediction", answer=1)
    kept.record("03/t", "quiz", first=1)
    assert {"choice": 2, "answer": 1}.items() <= kept.recall("03/t", "prediction").items()


DAMAGED = {
    "empty": b"",
    "truncated": b'{"format": 1, "entries": {"03/t": {"predic',
    "binary": bytes(range(256)),
    "not UTF-8": b'{"format": 1, "entries": {"\xff": {}}}',
    "deep": b"[" * 100_000,
    "a list": b"[1, 2]",
    "null": b"null",
    "no format": b'{"entries": {}}',
    "format of the wrong type": b'{"format": "1", "entries": {}}',
    "no entries": b'{"format": 1}',
    "entries of the wrong type": b'{"format": 1, "entries": [1]}',
    "an entry of the wrong type": b'{"format": 1, "entries": {"03/t": 5}}',
    "a record of the wrong type": b'{"format": 1, "entries": {"03/t": {"quiz": 5}}}',
    "a field of the wrong type": b'{"format": 1, "entries": {"03/t": {"quiz": {"first": "two"}}}}',
    "options that are not text": b'{"format": 1, "entries": {"03/t": {"quiz": {"options": [1]}}}}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_set_aside_whole_and_work_goes_on(
    path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    kept = StudyHistory(path)
    kept.record("03/t", "quiz", first=1)
    kept.record("03/t", "quiz", last=2)
    assert path.with_name("study.damaged-1.json").read_bytes() == content
    assert {"first": 1, "last": 2}.items() <= StudyHistory(path).recall("03/t", "quiz").items()
    sentence = (
        "Your study history was damaged: it was set aside as study.damaged-1.json and a new one begins."
    )
    assert capsys.readouterr().out == f"Note: {sentence}\n"


def test_each_damaged_file_gets_its_own_number(path: Path) -> None:
    path.parent.mkdir()
    for content in (b"one", b"two"):
        path.write_bytes(content)
        assert StudyHistory(path).entries() == {}
    assert path.with_name("study.damaged-1.json").read_bytes() == b"one"
    assert path.with_name("study.damaged-2.json").read_bytes() == b"two"


def test_a_damaged_file_in_a_read_only_folder_stays_and_answers_live_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    monkeypatch.setattr(os, "rename", refuse)
    kept = StudyHistory(path)
    kept.record("03/t", "quiz", first=1)
    assert kept.recall("03/t", "quiz")["first"] == 1
    assert path.read_bytes() == b"damaged"
    assert "cannot be saved here" in capsys.readouterr().out


def test_an_unwritable_folder_is_said_once_and_answers_stay_for_the_session(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = StudyHistory(path)
    kept.record("03/before", "quiz", first=1)
    monkeypatch.setattr(history, "write_whole", refuse)
    kept.record("03/t", "quiz", first=1)
    kept.record("03/t", "quiz", last=2)
    assert {"first": 1, "last": 2}.items() <= kept.recall("03/t", "quiz").items()
    assert kept.recall("03/before", "quiz")["first"] == 1
    sentence = "Note: Your study history cannot be saved here; answers are kept for this session only.\n"
    assert capsys.readouterr().out == sentence
    assert StudyHistory(path).recall("03/t", "quiz") == {}


def test_what_could_not_be_saved_is_saved_once_it_can_be(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = StudyHistory(path)
    with monkeypatch.context() as patch:
        patch.setattr(history, "write_whole", refuse)
        kept.record("03/a", "quiz", first=1)
    kept.record("03/b", "quiz", first=2)
    assert set(StudyHistory(path).entries()) == {"03/a", "03/b"}


def test_an_unreadable_file_is_never_overwritten(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    StudyHistory(path).record("03/old", "quiz", first=1)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        kept = StudyHistory(path)
        kept.record("03/new", "quiz", first=1)
        assert set(kept.entries()) == {"03/new"}
    assert path.read_bytes() == before
    assert "cannot be saved" in capsys.readouterr().out


def test_a_file_where_the_folder_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_text("in the way")
    kept = StudyHistory(tmp_path / "state" / "study.json")
    kept.record("03/t", "quiz", first=1)
    assert kept.recall("03/t", "quiz")["first"] == 1
    assert "cannot be saved" in capsys.readouterr().out


def test_a_newer_format_is_left_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.parent.mkdir()
    content = b'{"format": 2, "entries": "something new"}'
    path.write_bytes(content)
    kept = StudyHistory(path)
    kept.record("03/t", "quiz", first=1)
    assert kept.recall("03/t", "quiz")["first"] == 1
    assert path.read_bytes() == content
    assert "newer kdhelpers" in capsys.readouterr().out


def test_two_open_lessons_keep_each_others_answers(path: Path) -> None:
    one, two = StudyHistory(path), StudyHistory(path)
    one.record("01/a", "quiz", first=1)
    two.record("02/b", "quiz", first=2)
    one.record("01/c", "quiz", first=1)
    two.record("01/a", "quiz", last=2)
    assert set(one.entries()) == set(two.entries()) == {"01/a", "02/b", "01/c"}
    assert {"first": 1, "last": 2}.items() <= one.recall("01/a", "quiz").items()


def test_a_stopped_write_leaves_the_old_file_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = StudyHistory(path)
    kept.record("03/a", "quiz", first=1)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", refuse)
    kept.record("03/b", "quiz", first=1)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["study.json"]


def test_unknown_fields_of_a_later_release_are_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"format": 1, "entries": {"03/t": {"essay": {"text": "long"}, "quiz": {"hints": 3}}}}')
    StudyHistory(path).record("03/t", "quiz", first=1)
    entry = json.loads(path.read_text("utf-8"))["entries"]["03/t"]
    assert entry["essay"] == {"text": "long"}
    assert {"hints": 3, "first": 1}.items() <= entry["quiz"].items()


def test_every_language_survives(path: Path) -> None:
    StudyHistory(path).record("03/t", "prediction", question="Größe – 温度 🙂?")
    assert StudyHistory(path).recall("03/t", "prediction")["question"] == "Größe – 温度 🙂?"


def test_parse_tells_damaged_from_newer() -> None:
    with pytest.raises(NewerError):
        parse(b'{"format": 99}')
    with pytest.raises(DamagedError):
        parse(b"{}")


def test_merging_changes_neither_side() -> None:
    below: dict[str, Any] = {"a": {"quiz": {"first": 1}}}
    above: dict[str, Any] = {"a": {"quiz": {"first": 2}}}
    assert merged(below, above) == above
    assert below == {"a": {"quiz": {"first": 1}}}


@pytest.mark.parametrize("key", ["", "temperature", "03/", "/t", "03/a/b", "03/a b", "03/../x", 3, None])
def test_a_bad_key_is_refused_in_one_sentence(key: Any) -> None:
    with pytest.raises(ValueError, match=r'A key is "lesson/name"'):
        check_key(key)


def test_the_folder_is_the_setting_or_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KDHELPERS_STATE", str(tmp_path))
    assert state_folder() == tmp_path
    assert current_history().path == tmp_path / "study.json"
    monkeypatch.delenv("KDHELPERS_STATE")
    assert state_folder().name == "kdhelpers" or "kdhelpers" in state_folder().parts


def test_no_machine_path_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KDHELPERS_STATE", raising=False)
    assert readable_place(Path.home() / "x" / "study.json") == "~/x/study.json"
    assert readable_place(tmp_path / "study.json") == "study.json in your user's state folder"
    monkeypatch.setenv("KDHELPERS_STATE", str(tmp_path))
    assert readable_place(tmp_path / "study.json") == "$KDHELPERS_STATE/study.json"


def test_progress_counts_what_was_answered(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = current_history()
    kept.record("01/a", "prediction", options=["x", "y"], choice=1, answer=1)
    kept.record("01/b", "prediction", options=["x", "y"], choice=1, answer=2)
    kept.record("01/c", "prediction", options=["x", "y"], choice=0)
    kept.record("02/q", "quiz", first=1, last=2, answer=2)
    kept.record("02/r", "quiz", first=2, last=2, answer=2)
    kept.record("02/e", "exercise", tries=3, solved=True)
    kept.record("02/f", "exercise", tries=1, solved=False)
    progress()
    out = capsys.readouterr().out
    first, second = (next(line for line in out.splitlines() if line.startswith(n)) for n in ("01", "02"))
    assert "2 of 3 made, 1 right" in first
    assert "2 of 2 right, 1 at the first try" in second
    assert "1 of 2 solved" in second
    assert kept.recall("01/a", "prediction")["at"][:10] in first
    assert str(path.parent) not in out


def test_forget_deletes_the_file_and_the_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    current_history().record("01/a", "quiz", first=1)
    with monkeypatch.context() as patch:
        patch.setattr(history, "write_whole", refuse)
        current_history().record("01/b", "quiz", first=1)
    forget()
    assert not path.exists()
    assert current_history().entries() == {}
    forget()  # nothing there: nothing to say


def test_a_reader_beside_a_writer_always_sees_a_whole_file(path: Path) -> None:
    def answer() -> None:
        kept = StudyHistory(path)
        for number in range(40):
            kept.record(f"01/q{number}", "quiz", first=number)

    writer, reader, seen = threading.Thread(target=answer), StudyHistory(path), [0]
    writer.start()
    while writer.is_alive():
        seen.append(len(reader.entries()))
    writer.join()
    assert seen == sorted(seen)
    assert len(reader.entries()) == 40
    assert [entry.name for entry in path.parent.iterdir()] == ["study.json"]
