"""What a folder holds of a recording, and how one is begun there or gone on with."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from ..files import write_whole
from .manifest import FORMAT, MANIFEST, Manifest, StaleTeacherOutputs
from .matching import differing_classes

IDS, ROW_HASHES = "ids.json", "row-hashes.bin"
_NAME = r"manifest\.json|ids\.json|row-hashes\.bin|shard-\d{5,}\.safetensors"
_OURS = re.compile(rf"{_NAME}|(?P<partial>\.({_NAME})\..*\.tmp)")


def begun(folder: Path, wanted: Manifest, *, resume: bool, ids: bytes, row_hashes: bytes) -> Manifest:
    """The manifest of what the folder holds of a recording; one that is new there is begun.

    Raises:
        ValueError: The folder is a file, or holds other files.
        StaleTeacherOutputs: It holds another recording.
        CorruptTeacherOutputs: What it holds was damaged.
        OSError: A file could not be written.

    Example:
        >>> import tempfile
        >>> from .manifest import StoredFile
        >>> files = StoredFile.of(IDS, 1, b'["a"]'), StoredFile.of(ROW_HASHES, 1, b"12345678")
        >>> wanted = Manifest("t", "d", (), "float16", None, 1, 4096, False, *files, ())
        >>> folder = Path(tempfile.mkdtemp())
        >>> begun(folder, wanted, resume=True, ids=b'["a"]', row_hashes=b"12345678").recorded
        0
        >>> sorted(path.name for path in folder.iterdir())
        ['ids.json', 'row-hashes.bin']
    """
    _tidy(folder, anew=not resume)
    manifest = _stored(folder, wanted)
    if not manifest.shards:
        write(folder, ROW_HASHES, row_hashes, wanted)  # first: it marks the folder as ours
        write(folder, IDS, ids, wanted)
    return manifest


def write(folder: Path, name: str, content: bytes, so_far: Manifest) -> None:
    """Write a file of a recording whole.

    Raises:
        OSError: It could not be written; the sentence says how many rows are safe.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write(folder, "a", b"x", so_far=None)
        >>> (folder / "a").read_bytes()
        b'x'
    """
    try:
        write_whole(folder / name, content)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise type(error)(
            error.errno,
            f"Could not write {name} in {folder} ({reason}): {so_far.recorded:,} of {so_far.rows:,} rows are "
            "safe, and once that is mended, the same call goes on from there",
        ) from error


def _tidy(folder: Path, anew: bool) -> None:
    """Remove files that a kill left half-written; with `anew`, or without a manifest, all that is ours."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file: give a folder for the teacher's outputs.")
    _check_ours(folder)
    manifest = folder / MANIFEST
    if anew:
        manifest.unlink(missing_ok=True)  # first: what is left without it is no store
    for path in sorted(folder.iterdir()):
        found = _OURS.fullmatch(path.name)
        if found and (found["partial"] or not manifest.exists()):
            path.unlink(missing_ok=True)


def _check_ours(folder: Path) -> None:
    """Refuse a folder of something else, in which files of ours would mix with others or replace them."""
    manifest = folder / MANIFEST
    if manifest.is_file() and FORMAT.encode() in manifest.read_bytes():
        return
    names = [path.name for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    others = [name for name in names if not _OURS.fullmatch(name)]
    if others or (names and ROW_HASHES not in names):
        raise ValueError(
            f"{folder} holds other files, such as {(others or names)[0]}: give the teacher's outputs a "
            "folder of their own."
        )


def _stored(folder: Path, wanted: Manifest) -> Manifest:
    """What is recorded already, compared with what is asked for; `wanted` itself if there is nothing."""
    if not (folder / MANIFEST).exists():
        return wanted
    stored = Manifest.read(folder)
    differences = _differences(stored, wanted)
    if differences:
        raise StaleTeacherOutputs(
            f"{folder} holds another recording: {'; '.join(differences)}. Make the same call as then to go "
            "on with it, give another folder, or pass resume=False, which deletes it and records anew."
        )
    for file in () if stored.complete else stored.files:
        file.read(folder)  # nothing is added to what is damaged
    return stored


def _differences(stored: Manifest, wanted: Manifest) -> list[str]:
    found = ["it is of another teacher"] if stored.teacher != wanted.teacher else []
    if stored.data != wanted.data:
        found.append("it is of other data (other rows, another order, or a row that changed)")
    if wanted.classes and wanted.classes != stored.classes:
        found.append(differing_classes(stored.classes, wanted.classes))
    settings = [
        (name, getattr(stored, name), getattr(wanted, name))
        for name in ("dtype", "top_k", "shard_rows", "augmented")
    ]
    return found + [f"{name} is {then} there and {now} here" for name, then, now in settings if then != now]
