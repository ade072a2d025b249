"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        path: Where to write. Missing folders are made.
        data: The whole content; text is stored as UTF-8.

    Raises:
        OSError: The file could not be written (disk full, read-only, no permission).
            What was there before is still there.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_whole(folder / "a.txt", "whole")
        >>> (folder / "a.txt").read_text()
        'whole'
    """
    with writing_whole(path) as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def writing_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The same for what is too much to hold: a stream whose content becomes the file when the block ends.

    Args:
        path: Where to write. Missing folders are made.

    Raises:
        OSError: The file could not be written (disk full, read-only, no permission).
            What was there before is still there, as it is if the block raises.

    Example:
        >>> file = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with writing_whole(file) as stream:
        ...     for line in (b"one\\n", b"two\\n"):
        ...         _ = stream.write(line)
        >>> file.read_text()
        'one\\ntwo\\n'
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside_then_renamed(target) as stream:
            yield stream
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(
            error.errno, f"Could not write {target.name} ({reason}); what was there before is unchanged"
        ) from error


def _mode_of(target: Path) -> int:
    # A temporary file is private; what replaces a file keeps its mode, and a new one gets the usual.
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def _beside_then_renamed(target: Path) -> Iterator[BinaryIO]:
    # Same folder, so that the rename stays on one file system and is atomic.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, _mode_of(target))
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
