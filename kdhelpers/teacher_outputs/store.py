"""Stored outputs, opened at no cost and read by example id."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor, nn

from ..data import Split
from ..data.display import html_table, rows_said
from .by_id import missing_of, rows_by_position, rows_of
from .manifest import Manifest, StaleTeacherOutputs
from .matching import check_classes, check_complete, check_content, check_teacher
from .shards import Shards


class TeacherOutputs:
    """A teacher's raw logits on disk, by example id: opened at no cost, read where they are asked for.

    ``record_teacher`` makes them, ``TeacherOutputs.open`` opens them. A pickle of them holds their path.

    Example:
        >>> import tempfile, torch
        >>> from kdhelpers.teacher_outputs import record_teacher
        >>> teacher, split = nn.Linear(2, 3), Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> folder = tempfile.mkdtemp()
        >>> _ = record_teacher(teacher, split, folder, progress=False)
        >>> outputs = TeacherOutputs.open(folder, teacher=teacher, split=split)
        >>> outputs, outputs.logits(["b", "a"]).shape
        (TeacherOutputs(2 rows, 3 classes, float16), torch.Size([2, 3]))
    """

    def __init__(self, path: str | os.PathLike[str], manifest: Manifest) -> None:
        self.path = Path(path)
        self.manifest = manifest
        self._shards = Shards(self.path, manifest)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        teacher: nn.Module | None = None,
        split: Split | None = None,
        classes: Sequence[str] | None = None,
        verify: bool = False,
    ) -> TeacherOutputs:
        """Open stored outputs, and compare them with what they should be of.

        Each shard is compared with its hash when it is first read.

        Args:
            path: The folder.
            teacher: The one they should be from.
            split: Rows that should be in there as they are now: all of them or some, in any order.
            classes: The names that the logits should have, in this order.
            verify: Whether to read and compare all shards at once.

        Raises:
            FileNotFoundError: There is no such folder.
            CorruptTeacherOutputs: The folder holds something else, is unfinished, or was damaged.
            StaleTeacherOutputs: Another teacher, other rows, other classes or another order of them.

        Example:
            >>> TeacherOutputs.open("nowhere")
            Traceback (most recent call last):
            FileNotFoundError: There is no folder nowhere: record_teacher(teacher, split, path) makes one.
        """
        outputs = cls(path, Manifest.read(Path(path)))
        check_complete(outputs.path, outputs.manifest)
        if teacher is not None:
            check_teacher(outputs.path, outputs.manifest, teacher)
        if classes is not None:
            check_classes(outputs.path, outputs.manifest, classes)
        if split is not None:
            outputs._check_split(split)
        if verify:
            outputs.check()
        return outputs

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        return self.manifest.classes

    @cached_property
    def ids(self) -> tuple[str | int, ...]:
        """The ids in the order they were recorded; read from disk when first asked for."""
        return tuple(json.loads(self.manifest.ids.read(self.path)))

    @cached_property
    def _row_of(self) -> dict[str | int, int]:
        return {id: row for row, id in enumerate(self.ids)}

    def logits(self, ids: Sequence[str | int]) -> Tensor:
        """The logits (n, C) in float32 of these ids, in their order.

        Of outputs with ``top_k``, the classes that were not kept share the mass of the tail evenly: the
        probabilities of those kept are right at temperature 1.

        Raises:
            ValueError: The teacher never saw one of the ids.
            CorruptTeacherOutputs: A shard is missing or was altered.

        Example:
            >>> import tempfile, torch
            >>> from kdhelpers.teacher_outputs import record_teacher
            >>> split = Split(ids=[7, 8], inputs=torch.eye(2))
            >>> outputs = record_teacher(nn.Linear(2, 3), split, tempfile.mkdtemp(), progress=False)
            >>> outputs.logits([8, 7, 8]).shape
            torch.Size([3, 3])
        """
        return self._shards.logits(rows_of(self._row_of, ids))

    def reader(self, ids: Sequence[str | int]) -> Callable[[Tensor], Tensor]:
        """``logits`` for who asks for the same ids again and again: by position among them, looked up once.

        Returns:
            From positions (B,) to logits (B, C), with the errors of ``logits``.

        Example:
            >>> import tempfile, torch
            >>> from kdhelpers.teacher_outputs import record_teacher
            >>> split = Split(ids=[7, 8], inputs=torch.eye(2))
            >>> outputs = record_teacher(nn.Linear(2, 3), split, tempfile.mkdtemp(), progress=False)
            >>> torch.equal(outputs.reader([8, 7])(torch.tensor([1])), outputs.logits([7]))
            True
        """
        rows = rows_by_position(self._row_of, ids)
        return lambda positions: self._shards.logits(rows(positions))

    def argmax(self, ids: Sequence[str | int]) -> Tensor:
        """The class (n,) with the highest logit, taken in float32 before rounding.

        Raises:
            ValueError: The teacher never saw one of the ids.
            CorruptTeacherOutputs: A shard is missing or was altered.

        Example:
            >>> import tempfile, torch
            >>> from kdhelpers.teacher_outputs import record_teacher
            >>> split = Split(ids=[7, 8], inputs=torch.eye(2))
            >>> outputs = record_teacher(nn.Linear(2, 3), split, tempfile.mkdtemp(), progress=False)
            >>> outputs.argmax([8]) == outputs.logits([8]).argmax(1)
            tensor([True])
        """
        return self._shards.rows("argmax", rows_of(self._row_of, ids))[:, 0].long()

    def top_k(self, ids: Sequence[str | int]) -> tuple[Tensor, Tensor, Tensor]:
        """The k highest logits of these ids, their classes, and the logsumexp of all other logits.

        Returns:
            Logits (n, k) in float32, highest first; classes (n, k); tails (n,) in float32.

        Raises:
            ValueError: They were recorded without ``top_k``, or the teacher never saw one of the ids.
            CorruptTeacherOutputs: A shard is missing or was altered.

        Example:
            >>> import tempfile, torch
            >>> from kdhelpers.teacher_outputs import record_teacher
            >>> split = Split(ids=[7, 8], inputs=torch.eye(2))
            >>> teacher = nn.Linear(2, 3)
            >>> outputs = record_teacher(teacher, split, tempfile.mkdtemp(), top_k=2, progress=False)
            >>> values, indices, tail = outputs.top_k([8])
            >>> values.shape, indices.shape, tail.shape
            (torch.Size([1, 2]), torch.Size([1, 2]), torch.Size([1]))
        """
        if self.manifest.top_k is None:
            raise ValueError("These outputs hold the logits of all classes: use logits(ids).topk(k).")
        return self._shards.top_k(rows_of(self._row_of, ids))

    def missing(self, ids: Sequence[str | int]) -> list[str | int]:
        """Which of these ids the teacher never saw.

        Example:
            >>> import tempfile, torch
            >>> from kdhelpers.teacher_outputs import record_teacher
            >>> split = Split(ids=[7, 8], inputs=torch.eye(2))
            >>> outputs = record_teacher(nn.Linear(2, 3), split, tempfile.mkdtemp(), progress=False)
            >>> outputs.missing([8, 9])
            [9]
        """
        return missing_of(self._row_of, ids)

    def check(self) -> None:
        """Read every file and compare it with its hash.

        Raises:
            CorruptTeacherOutputs: One is missing, truncated or altered; the first is named.

        Example:
            >>> import tempfile, torch
            >>> from kdhelpers.teacher_outputs import record_teacher
            >>> split = Split(ids=[7, 8], inputs=torch.eye(2))
            >>> outputs = record_teacher(nn.Linear(2, 3), split, tempfile.mkdtemp(), progress=False)
            >>> outputs.check()
        """
        for file in self.manifest.files:
            file.read(self.path)

    def _check_split(self, split: Split) -> None:
        missing = self.missing(split.ids)
        if missing:
            raise StaleTeacherOutputs(
                f"The data differs: {len(missing):,} of {rows_said(len(split))} are not in the outputs in "
                f"{self.path}, the first is {missing[0]!r}. Record this split in a folder of its own."
            )
        check_content(self.path, self.manifest, split, rows_of(self._row_of, split.ids))

    def __len__(self) -> int:
        return self.manifest.rows

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return TeacherOutputs.open, (self.path,)

    def _kept(self) -> str:
        top = "" if self.manifest.top_k is None else f", the {self.manifest.top_k} highest"
        return self.manifest.dtype + top

    def __repr__(self) -> str:
        return f"TeacherOutputs({rows_said(len(self))}, {len(self.classes)} classes, {self._kept()})"

    def _repr_html_(self) -> str:
        return html_table(
            [
                ("rows", f"{len(self):,}" + (" (augmented)" if self.manifest.augmented else "")),
                ("classes", f"{len(self.classes)}: {self.classes[0]} … {self.classes[-1]}"),
                ("logits", self._kept()),
                ("on disk", f"{sum(file.size for file in self.manifest.files):,} bytes"),
                ("teacher", self.manifest.teacher[:12]),
                ("data", self.manifest.data[:12]),
            ]
        )
