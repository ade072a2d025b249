"""How logits become the tensors of a shard, and how single rows come back out of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from .columns import column
from .manifest import Manifest


def shard_tensors(logits: Tensor, top_k: int | None, dtype: torch.dtype) -> dict[str, Tensor]:
    """What is stored of logits (n, C) in float32: the argmax is taken before rounding.

    Returns:
        argmax (n,) and logits (n, C); with ``top_k`` instead of logits: values (n, k), highest first, the
        indices (n, k) of their classes, and the tail (n,), the logsumexp of all others.

    Example:
        >>> shard_tensors(torch.tensor([[1.0, 3.0, 2.0]]), 1, torch.float16)["indices"]
        tensor([[1]], dtype=torch.int32)
    """
    argmax = logits.argmax(1).int()
    if top_k is None:
        return {"argmax": argmax, "logits": logits.to(dtype)}
    values, indices = logits.sort(dim=1, descending=True, stable=True)
    return {
        "argmax": argmax,
        "values": values[:, :top_k].to(dtype).contiguous(),
        "indices": indices[:, :top_k].int().contiguous(),
        "tail": values[:, top_k:].logsumexp(1),
    }


def _kinds(manifest: Manifest) -> dict[str, tuple[torch.dtype, int]]:
    """The dtype and the width of each of a shard's tensors."""
    dtype, k = getattr(torch, manifest.dtype), manifest.top_k
    if k is None:
        return {"argmax": (torch.int32, 1), "logits": (dtype, len(manifest.classes))}
    return {
        "argmax": (torch.int32, 1),
        "values": (dtype, k),
        "indices": (torch.int32, k),
        "tail": (torch.float32, 1),
    }


class Shards:
    """The shards, each mapped into memory and compared with its hash when one of its rows is first asked for.

    Example:
        >>> import tempfile
        >>> from torch import nn
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.teacher_outputs import record_teacher
        >>> teacher, split = nn.Linear(2, 3), Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> outputs = record_teacher(teacher, split, tempfile.mkdtemp(), progress=False)
        >>> Shards(outputs.path, outputs.manifest).rows("logits", torch.tensor([1, 0, 1])).shape
        torch.Size([3, 3])
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._files, self._size = folder, manifest.shards, manifest.shard_rows
        self._classes, self._top_k = len(manifest.classes), manifest.top_k
        self._columns = {
            name: column(dtype, width, manifest.rows, manifest.shard_rows)
            for name, (dtype, width) in _kinds(manifest).items()
        }
        self._closed = set(range(len(self._files)))

    def logits(self, rows: Tensor) -> Tensor:
        """The logits (n, C) in float32 of these rows (n,); with ``top_k``, the tail is shared evenly."""
        if self._top_k is None:
            return self.rows("logits", rows).float()
        values, indices, tail = self.top_k(rows)
        spread = tail - math.log(self._classes - self._top_k)
        return spread[:, None].repeat(1, self._classes).scatter_(1, indices, values)

    def top_k(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of these rows (n,) the logits kept (n, k), their classes (n, k), and the tails (n,)."""
        values, indices = self.rows("values", rows).float(), self.rows("indices", rows).long()
        return values, indices, self.rows("tail", rows)[:, 0]

    def rows(self, name: str, rows: Tensor) -> Tensor:
        """These rows (n,), as (n, width), of a tensor of the shards, numbered through all of them.

        Raises:
            CorruptTeacherOutputs: A shard is missing, truncated or altered.
        """
        if self._closed:
            for number in self._closed.intersection((rows // self._size).tolist()):
                self._open(number)
        return self._columns[name].rows(rows)

    def _open(self, number: int) -> None:
        file = self._files[number]
        file.check_size(self._folder)
        # Mapped by torch, as Python's own mmap keeps a file open for each, of which systems allow few.
        whole = torch.from_file(
            str(self._folder / file.name), shared=False, size=file.size, dtype=torch.uint8
        )
        data = memoryview(whole.numpy().data)
        file.check(self._folder, data)
        for name, values in _tensors(data).items():
            self._columns[name].put(number, values)
        self._closed.remove(number)


def _tensors(data: memoryview) -> dict[str, memoryview]:
    # The safetensors format: the header's length, the header in JSON, then the tensors.
    start = 8 + int.from_bytes(data[:8], "little")
    places = {name: entry["data_offsets"] for name, entry in json.loads(bytes(data[8:start])).items()}
    return {name: data[start + first : start + end] for name, (first, end) in places.items()}
