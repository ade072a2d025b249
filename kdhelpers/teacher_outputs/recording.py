"""Running a teacher once, and keeping what it says on disk as it comes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..bars import progress_bar
from ..data import Split
from ..evaluation import predict_logits
from ..processes import Processes
from .beginning import IDS, ROW_HASHES, begun, write
from .checks import check_not_probabilities, check_settings, check_storable
from .fingerprints import data_fingerprint, teacher_fingerprint
from .manifest import MANIFEST, Manifest, StoredFile
from .memory import checked_logits
from .shards import shard_tensors
from .store import TeacherOutputs


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
    accelerator: object | None = None,
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
        accelerator: An ``accelerate.Accelerator``, for a script that ``accelerate launch`` runs in several
            processes (the extra ``accelerate``), each of which makes this call, with a folder that all of
            them see. Each records every so many-th shard on its own device; the bytes are those of one
            process. A run may be resumed by another number of processes.

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
    processes = Processes(accelerator)
    processes.check_same("teacher, split or setting", wanted)
    manifest = processes.once(lambda: begun(folder, wanted, resume=resume, ids=ids, row_hashes=row_hashes))
    processes.each(lambda: _check_seen(folder))
    if processes.device is not None:
        teacher.to(processes.device)
    shown = progress and processes.first
    with (
        processes.interrupted_together(),
        progress_bar(title="asking the teacher", unit="row", total=len(split), shown=shown) as bar,
    ):
        bar.update(manifest.recorded)
        _Recording(teacher, split, folder, batch_size, processes, bar).finish(manifest)
    return TeacherOutputs.open(folder)


def _names(teacher: nn.Module, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The names given, else the teacher's own, else none as yet."""
    own = getattr(teacher, "classes", None)
    if classes is None and isinstance(own, (list, tuple)) and all(isinstance(name, str) for name in own):
        classes = own
    return () if classes is None else tuple(map(str, classes))


def _check_seen(folder: Path) -> None:
    if not (folder / IDS).is_file():
        raise ValueError(
            f"What the first process wrote in {folder} is not there for this one: give a folder on a disk "
            "that all processes share."
        )


@dataclass(frozen=True)
class _Recording:
    """What it takes to record the shards that a manifest lacks."""

    teacher: nn.Module
    split: Split
    folder: Path
    batch_size: int
    processes: Processes
    bar: tqdm[Any]

    def finish(self, manifest: Manifest) -> None:
        try:
            while not manifest.complete:
                manifest = self._with_next_shards(manifest)
        except KeyboardInterrupt:
            if self.processes.first:
                print(
                    f"Interrupted: {manifest.recorded:,} of {manifest.rows:,} rows are safe in "
                    f"{self.folder}, and the same call goes on from there."
                )
            raise

    def _with_next_shards(self, manifest: Manifest) -> Manifest:
        """One more shard from each process, then the manifest that knows them, which the first one writes."""
        made = [shard for shard in self.processes.each(lambda: self._shard(manifest)) if shard is not None]
        names = manifest.classes or tuple(f"class {number}" for number in range(made[0][1]))
        longer = replace(manifest, classes=names, shards=(*manifest.shards, *(file for file, _ in made)))
        self.processes.once(lambda: write(self.folder, MANIFEST, longer.rendered(), manifest))
        for file, _ in made[1:]:  # of the others' rows the bar hears only now
            self.bar.update(file.rows)
        return longer

    def _shard(self, manifest: Manifest) -> tuple[StoredFile, int] | None:
        """Record this process's next shard: its file and how many classes it has; None if none is left."""
        number = len(manifest.shards) + self.processes.number
        first = number * manifest.shard_rows
        if first >= manifest.rows:
            return None
        logits = self._logits(manifest, first, min(first + manifest.shard_rows, manifest.rows))
        tensors = shard_tensors(logits, manifest.top_k, getattr(torch, manifest.dtype))
        content = safetensors.torch.save(tensors)
        file = StoredFile.of(f"shard-{number:05d}.safetensors", len(logits), content)
        write(self.folder, file.name, content, manifest)
        return file, logits.shape[1]

    def _logits(self, manifest: Manifest, first: int, end: int) -> Tensor:
        # Batches begin where the shard does: the same ones, and so the same bytes, wherever a recording
        # resumes and whichever process has the shard.
        batches = []
        for start in range(first, end, self.batch_size):
            self.processes.stop_if_asked()
            rows = self.split.take(slice(start, min(start + self.batch_size, end)))
            logits = checked_logits(rows.ids, predict_logits(self.teacher, rows, batch_size=self.batch_size))
            check_storable(rows.ids, logits, manifest)
            batches.append(logits)
            self.bar.update(len(rows))
        whole = torch.cat(batches)
        if first == 0:
            check_not_probabilities(whole)
        return whole
