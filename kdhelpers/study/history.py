"""The local study history: one small JSON file that stays on this machine.

It is written whole, read again before each write (so two open lessons do not overwrite each other), and never
stops a lesson: a damaged file is set aside, an unwritable one is reported once and answers stay in memory.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kdhelpers.files import write_whole
from kdhelpers.study.cards import note
from kdhelpers.study.place import state_folder

FORMAT = 1
FILE_NAME = "study.json"
ONLY_NOW = "answers are kept for this session only."

Record = dict[str, Any]
Entries = dict[str, dict[str, Record]]

# What each field must be; a file that holds anything else there is damaged. Unknown fields are kept.
FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "at": str,
    "question": str,
    "options": list,
    "choice": int,
    "first": int,
    "last": int,
    "answer": int,
    "tries": int,
    "solved": bool,
}


class DamagedError(ValueError):
    """The file does not hold a study history."""


class NewerError(ValueError):
    """The file was written by a later release."""


class StudyHistory:
    """What a reader answered, by key such as ``"03/temperature"``.

    Args:
        path: The JSON file. It is made by the first answer.

    Example:
        >>> import tempfile
        >>> history = StudyHistory(Path(tempfile.mkdtemp()) / "study.json")
        >>> history.record("03/temperature", "prediction", choice=2)
        >>> history.recall("03/temperature", "prediction")["choice"]
        2
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unsaved: Entries = {}
        self._said: set[str] = set()

    def record(self, key: str, kind: str, **fields: Any) -> None:
        """Set fields of one record and save; what cannot be saved stays in memory for this session."""
        check_key(key)
        record = self._unsaved.setdefault(key, {}).setdefault(kind, {})
        record.update(fields, at=datetime.now(timezone.utc).isoformat(timespec="seconds"))
        try:
            # Read again: another lesson may have saved since.
            entries = merged(self._read(), self._unsaved)
            write_whole(self.path, _as_text(entries))
        except NewerError:
            self._say_once(f"Your study history was written by a newer kdhelpers; {ONLY_NOW}")
        except OSError:
            self._say_once(f"Your study history cannot be saved here; {ONLY_NOW}")
        else:
            self._unsaved.clear()

    def recall(self, key: str, kind: str) -> Record:
        """The record of one key and kind; empty if there is none."""
        return self.entries().get(check_key(key), {}).get(kind, {})

    def entries(self) -> Entries:
        """Everything known: what the file holds, and what could not be saved on top."""
        try:
            saved = self._read()
        except (OSError, NewerError):
            saved = {}
        return merged(saved, self._unsaved)

    def forget(self) -> None:
        """Delete the file and what is in memory.

        Raises:
            OSError: The file is there and cannot be deleted.
        """
        self._unsaved.clear()
        self.path.unlink(missing_ok=True)

    def _read(self) -> Entries:
        try:
            return parse(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except DamagedError:
            self._set_aside()
            return {}

    def _set_aside(self) -> None:
        aside = _first_free(self.path)
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return  # another lesson was quicker
        self._say_once(
            f"Your study history was damaged: it was set aside as {aside.name} and a new one begins."
        )

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            note(sentence)


def parse(content: bytes) -> Entries:
    """Read the file's content.

    Args:
        content: The bytes of the file.

    Raises:
        DamagedError: It is not JSON, or not shaped like a study history.
        NewerError: A later release wrote it.

    Example:
        >>> parse(b'{"format": 1, "entries": {"00/a": {"quiz": {"first": 2}}}}')
        {'00/a': {'quiz': {'first': 2}}}
    """
    try:
        state = json.loads(content)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError too
        raise DamagedError("not JSON") from error
    if not isinstance(state, dict) or type(state.get("format")) is not int:
        raise DamagedError("not a study history")
    if state["format"] > FORMAT:
        raise NewerError(f"format {state['format']}")
    entries: Any = state.get("entries")
    if not _is_sound(entries):
        raise DamagedError("entries of an unknown shape")
    sound: Entries = entries
    return sound


def _is_sound(entries: object) -> bool:
    if not isinstance(entries, dict) or not all(isinstance(kinds, dict) for kinds in entries.values()):
        return False
    records = [record for kinds in entries.values() for record in kinds.values()]
    return all(isinstance(record, dict) and _is_sound_record(record) for record in records)


def _is_sound_record(record: Record) -> bool:
    return all(isinstance(value, FIELD_TYPES.get(name, object)) for name, value in record.items()) and all(
        isinstance(option, str) for option in record.get("options", [])
    )


def merged(below: Entries, above: Entries) -> Entries:
    """Both histories; where both hold a field, the one above counts.

    Example:
        >>> merged({"00/a": {"quiz": {"first": 1}}}, {"00/a": {"quiz": {"last": 2}}})
        {'00/a': {'quiz': {'first': 1, 'last': 2}}}
    """
    result = {key: {kind: dict(record) for kind, record in kinds.items()} for key, kinds in below.items()}
    for key, kinds in above.items():
        for kind, record in kinds.items():
            result.setdefault(key, {}).setdefault(kind, {}).update(record)
    return result


def check_key(key: str) -> str:
    """The key itself, if it reads like ``"03/temperature"``.

    Raises:
        ValueError: It does not.

    Example:
        >>> check_key("03/temperature")
        '03/temperature'
    """
    if not isinstance(key, str) or not re.fullmatch(r"[\w-]+/[\w-]+", key):
        raise ValueError(f'A key is "lesson/name", such as "03/temperature"; got {key!r}.')
    return key


_histories: dict[Path, StudyHistory] = {}


def current_history() -> StudyHistory:
    """The history of this session; the folder is looked up each time, so a changed setting counts at once.

    Example:
        >>> current_history() is current_history()
        True
    """
    path = state_folder() / FILE_NAME
    return _histories.setdefault(path, StudyHistory(path))


def _as_text(entries: Entries) -> str:
    return (
        json.dumps({"format": FORMAT, "entries": entries}, indent=1, ensure_ascii=False, sort_keys=True)
        + "\n"
    )


def _first_free(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}.json")).exists():
        number += 1
    return aside
