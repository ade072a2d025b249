"""Running a teacher once, and keeping what it says on disk as it comes."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..bars import progress_bar
from ..data import Split
from ..evaluation import predict_logits
from ..files import write_whole
from .checks import check_not_probabilities, check_settings, check_storable
from .fingerprints import data_fingerprint, teacher_fingerprint
from .manifest import FORMAT, MANIFEST, Manifest, StaleTeacherOutputs, StoredFile
from .matching import differing_classes
from .memory import checked_logits
from .shards import shard_tensors
from .store import TeacherOutputs

IDS, ROW_HASHES = "ids.json", "row-hashes.bin"
_NAME = r"manifest\.json|ids\.json|row-hashes\.bin|shard-\d{5,}\.safetensors"
_OURS = re.compile(rf"{_NAME}|(?P<partial>\.({_NAME})\..*\.tmp)")


def record_teacher(
    teacher: nn.Module,
    split: Split,
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    batch_size: int = 256,
    top_k: int | None = None,
    dtype: torch.dtype = torch.float16,
    resume: bool = True,
    progress: bool = True,
    augmented: bool = False,
    shard_rows: int = 4096,
) -> TeacherOutputs:
    """Run a teacher over a split, in evaluation mode and without gradients, and store its raw logits.

    It may be stopped at any moment, by Ctrl+C, a crash or a full disk: the same call goes on after the last
    whole shard, and ends in the same bytes. When all is there already, the teacher isn't run.

    Args:
        teacher: Gives logits (B, C), not probabilities and not divided by a temperature. -inf rules a class
            out. Its weights are its fingerprint, unless it has a method ``fingerprint() -> str``.
        split: The rows; labels are not looked at.
        path: A folder for these outputs alone; it is made if missing.
        classes: Names of the C classes in the order of the logits. None: ``teacher.classes`` if it has such
            names, else "class 0" and so on.
        batch_size: Rows at a time; it changes memory and speed, and no logit beyond float rounding.
        top_k: Keep only the k highest logits of each row and the mass of all others. None: keep all.
        dtype: Of the stored logits: ``torch.float16`` or ``torch.float32``.
        resume: Whether to go on with what is in the folder. False: outputs stored there are deleted first,
            finished or not, and all is recorded anew.
        progress: Whether to show a bar.
        augmented: Noted for the reader: the inputs are altered views of the data.
        shard_rows: Rows in a file; what is being written when the recording stops is made again.

    Raises:
        ValueError: A setting out of range, a folder of other files, or a teacher that gives NaN, +inf,
            probabilities, too large numbers for the dtype, or something else than logits (B, C).
        StaleTeacherOutputs: The folder holds a recording of another teacher, other data or settings.
        CorruptTeacherOutputs: What is in the folder was damaged.
        OSError: A file could not be written; what was stored before is safe.

    Example:
        >>> import tempfile
        >>> teacher, folder = nn.Linear(2, 3), tempfile.mkdtemp()
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> record_teacher(teacher, split, folder, classes=["x", "y", "z"], progress=False)
        TeacherOutputs(2 rows, 3 classes, float16)
        >>> TeacherOutputs.open(folder).classes
        ('x', 'y', 'z')
    """
    check_settings(batch_size, shard_rows, top_k, dtype)
    folder, (data, row_hashes) = Path(path), data_fingerprint(split)
    ids = json.dumps(split.ids).encode()
    wanted = Manifest(
        teacher=teacher_fingerprint(teacher),
        data=data,
        classes=_names(teacher, classes),
        dtype=str(dtype).removeprefix("torch."),
        top_k=top_k,
        rows=len(split),
        shard_rows=shard_rows,
        augmented=augmented,
        ids=StoredFile.of(IDS, len(split), ids),
        row_hashes=StoredFile.of(ROW_HASHES, len(split), row_hashes),
        shards=(),
    )
    _tidy(folder, anew=not resume)
    manifest = _stored(folder, wanted)
    if not manifest.shards:
        _write(folder, ROW_HASHES, row_hashes, wanted)  # first: it marks the folder as ours
        _write(folder, IDS, ids, wanted)
    with progress_bar(title="asking the teacher", unit="row", total=len(split), shown=progress) as bar:
        bar.update(manifest.recorded)
        _record(teacher, split, folder, manifest, batch_size, bar)
    return TeacherOutputs.open(folder)


def _names(teacher: nn.Module, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The names given, else the teacher's own, else none as yet."""
    own = getattr(teacher, "classes", None)
    if classes is None and isinstance(own, (list, tuple)) and all(isinstance(name, str) for name in own):
        classes = own
    return () if classes is None else tuple(map(str, classes))


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


def _record(
    teacher: nn.Module, split: Split, folder: Path, manifest: Manifest, batch_size: int, bar: tqdm[Any]
) -> None:
    try:
        while not manifest.complete:
            logits = _shard_logits(teacher, split, manifest, batch_size, bar)
            manifest = _with_shard(folder, manifest, logits)
    except KeyboardInterrupt:
        print(
            f"Interrupted: {manifest.recorded:,} of {manifest.rows:,} rows are safe in {folder}, and the "
            "same call goes on from there."
        )
        raise


def _shard_logits(
    teacher: nn.Module, split: Split, manifest: Manifest, batch_size: int, bar: tqdm[Any]
) -> Tensor:
    # Batches begin where the shard does: the same ones, and so the same bytes, wherever a recording resumes.
    first = manifest.recorded
    end = min(first + manifest.shard_rows, manifest.rows)
    batches = []
    for start in range(first, end, batch_size):
        rows = split.take(slice(start, min(start + batch_size, end)))
        logits = checked_logits(rows.ids, predict_logits(teacher, rows, batch_size=batch_size))
        check_storable(rows.ids, logits, manifest)
        batches.append(logits)
        bar.update(len(rows))
    whole = torch.cat(batches)
    if first == 0:
        check_not_probabilities(whole)
    return whole


def _with_shard(folder: Path, manifest: Manifest, logits: Tensor) -> Manifest:
    """Write the next shard, then the manifest that knows it."""
    tensors = shard_tensors(logits, manifest.top_k, getattr(torch, manifest.dtype))
    content = safetensors.torch.save(tensors)
    shard = StoredFile.of(f"shard-{len(manifest.shards):05d}.safetensors", len(logits), content)
    _write(folder, shard.name, content, manifest)
    names = manifest.classes or tuple(f"class {number}" for number in range(logits.shape[1]))
    longer = replace(manifest, classes=names, shards=(*manifest.shards, shard))
    _write(folder, MANIFEST, longer.rendered(), manifest)
    return longer


def _write(folder: Path, name: str, content: bytes, so_far: Manifest) -> None:
    try:
        write_whole(folder / name, content)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise type(error)(
            error.errno,
            f"Could not write {name} in {folder} ({reason}): {so_far.recorded:,} of {so_far.rows:,} rows are "
            "safe, and once that is mended, the same call goes on from there",
        ) from error
