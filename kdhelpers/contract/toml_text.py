"""A contract as a TOML file, read and written."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..extras import need
from .checks import KEYS, TABLES, misplaced

# Python has a reader of its own from 3.11 on.
READER = "tomllib" if sys.version_info >= (3, 11) else "tomli"


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The clauses of a contract file, by their names in `Contract`; their values are not checked.

    Raises:
        OSError: There is no such file, or it can't be read.
        ValueError: It is not UTF-8, not TOML, or has a key that is no clause.
        ImportError: On Python 3.10 without tomli.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "contract.toml"
        >>> _ = path.write_text("acuracy = 0.7")
        >>> read_toml(path)
        Traceback (most recent call last):
        ValueError: contract.toml has the key 'acuracy', which is no clause: did you mean accuracy?
    """
    path = Path(path)
    found = _parsed(_text(path), path.name)
    for key in found:
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            advice = f"did you mean {near[0]}?" if near else f"use {', '.join(KEYS[:-1])} or {KEYS[-1]}."
            raise ValueError(f"{path.name} has the key {key!r}, which is no clause: {advice}")
    return found


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"There is no contract {path.name} in {path.parent}: give its path."
        ) from error
    except OSError as error:
        raise type(error)(f"Could not read {path.name} ({error.strerror}): give a file to read.") from error
    try:
        return content.decode("utf-8-sig")  # Windows editors may start a file with a mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path.name} is not UTF-8 in line {line}: save it with that encoding.") from error


def _parsed(text: str, name: str) -> dict[str, Any]:
    reader = need(READER, extra="course")
    try:
        return dict(reader.loads(text))
    except (ValueError, RecursionError) as error:
        where = re.search(r"at line (\d+), column \d+", str(error))
        # What is missing at the end is missing in the last line.
        line = where[1] if where else max(len(text.splitlines()), 1)
        reason = re.sub(r" \(at .*", "", str(error), flags=re.DOTALL)
        raise ValueError(f"{name} is no valid TOML in line {line}: {reason}; correct that line.") from error


def remark(found: Mapping[str, Any]) -> str:
    """A remark on clauses that have slipped into a table, as the end of a sentence.

    Example:
        >>> remark({"slices": {"multi": 0.5, "bytes": 5000}})
        ' (in a TOML file, bytes must stand above the first [table])'
    """
    return misplaced(key for table in TABLES if isinstance(found.get(table), dict) for key in found[table])


def as_toml(name: str, clauses: Mapping[str, float], tables: Mapping[str, Mapping[str, float]]) -> str:
    """The text of a contract file.

    Example:
        >>> print(as_toml("Support", {"bytes": 5e6}, {"slices": {"multi": 0.5}}))
        name = "Support"
        bytes = 5_000_000
        [slices]
        "multi" = 0.5
        <BLANKLINE>
    """
    lines = [f"name = {_quoted(name)}"] if name else []
    lines += [f"{key} = {_number(value)}" for key, value in clauses.items()]
    for title, floors in tables.items():
        lines += [f"[{title}]"] if floors else []
        lines += [f"{_quoted(key)} = {_number(floor)}" for key, floor in floors.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # JSON escapes what TOML does, but for one control character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _number(value: float) -> str:
    return f"{int(value):_}" if value.is_integer() and value < 1e15 else repr(value)
