"""Whether stored outputs are of the teacher, the rows and the classes at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ..data import Split
from ..data.display import rows_said
from .fingerprints import data_fingerprint, teacher_fingerprint
from .manifest import CorruptTeacherOutputs, Manifest, StaleTeacherOutputs


def check_complete(folder: Path, manifest: Manifest) -> None:
    """Refuse outputs that are not all there, without reading them.

    Raises:
        CorruptTeacherOutputs: Their recording stopped, or a file is missing or has another size.

    Example:
        >>> import tempfile, torch
        >>> from kdhelpers.teacher_outputs import record_teacher
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> outputs = record_teacher(nn.Linear(2, 3), split, tempfile.mkdtemp(), progress=False)
        >>> check_complete(outputs.path, outputs.manifest)
    """
    if not manifest.complete:
        raise CorruptTeacherOutputs(
            f"{folder} is unfinished, with {manifest.recorded:,} of {manifest.rows:,} rows: "
            "call record_teacher again as before, and it goes on."
        )
    for file in manifest.files:
        file.check_size(folder)


def check_teacher(folder: Path, manifest: Manifest, teacher: nn.Module) -> None:
    """Refuse outputs of another teacher.

    Raises:
        StaleTeacherOutputs: The fingerprints differ.

    Example:
        >>> import tempfile, torch
        >>> from kdhelpers.teacher_outputs import record_teacher
        >>> teacher, split = nn.Linear(2, 3), Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> outputs = record_teacher(teacher, split, tempfile.mkdtemp(), progress=False)
        >>> check_teacher(outputs.path, outputs.manifest, teacher)
    """
    found = teacher_fingerprint(teacher)
    if found != manifest.teacher:
        raise StaleTeacherOutputs(
            f"The outputs in {folder} are of another teacher (fingerprint {manifest.teacher[:12]}, this one "
            f"has {found[:12]}): open them with the teacher that made them, or record this one in a folder "
            "of its own."
        )


def check_classes(folder: Path, manifest: Manifest, classes: Sequence[str]) -> None:
    """Refuse outputs whose logits are of other classes, or in another order.

    Raises:
        StaleTeacherOutputs: The names differ.

    Example:
        >>> import tempfile, torch
        >>> from kdhelpers.teacher_outputs import record_teacher
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> outputs = record_teacher(nn.Linear(2, 2), split, tempfile.mkdtemp(), progress=False)
        >>> check_classes(outputs.path, outputs.manifest, ["class 0", "class 1"])
    """
    if tuple(classes) != manifest.classes:
        raise StaleTeacherOutputs(
            f"In {folder} {differing_classes(manifest.classes, classes)}. Give the classes in the order of "
            "the outputs, or record the teacher in a folder of its own."
        )


def check_content(folder: Path, manifest: Manifest, split: Split, rows: Tensor) -> None:
    """Refuse a split whose inputs are not those that the teacher saw in these rows of the outputs.

    Raises:
        StaleTeacherOutputs: Some changed; the first is named.
        CorruptTeacherOutputs: What tells about the inputs is missing or was altered.

    Example:
        >>> import tempfile, torch
        >>> from kdhelpers.teacher_outputs import record_teacher
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> outputs = record_teacher(nn.Linear(2, 2), split, tempfile.mkdtemp(), progress=False)
        >>> check_content(outputs.path, outputs.manifest, split.take([1]), rows=torch.tensor([1]))
    """
    seen = np.frombuffer(manifest.row_hashes.read(folder), dtype=np.uint64)[rows.numpy()]
    changed = np.flatnonzero(seen != np.frombuffer(data_fingerprint(split)[1], dtype=np.uint64))
    if len(changed):
        raise StaleTeacherOutputs(
            f"The data differs: {len(changed):,} of {rows_said(len(split))} are not what the teacher saw "
            f"when {folder} was recorded, the first is {split.ids[int(changed[0])]!r}. Undo the change, or "
            "record this split in a folder of its own."
        )


def differing_classes(stored: Sequence[str], given: Sequence[str]) -> str:
    """What differs between the classes of stored outputs and those given, in words.

    Example:
        >>> differing_classes(["no", "yes"], ["yes", "no"])
        "the class order differs: class 0 is 'no' in the outputs and 'yes' here"
    """
    if len(stored) != len(given):
        return f"the classes differ: there are {len(stored)} in the outputs and {len(given)} here"
    what = "class order differs" if sorted(stored) == sorted(given) else "classes differ"
    at = next(at for at in range(len(stored)) if stored[at] != given[at])
    return f"the {what}: class {at} is {stored[at]!r} in the outputs and {given[at]!r} here"
