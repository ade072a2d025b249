"""A teacher's outputs in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..data import Split
from ..data.checks import checked_ids
from ..evaluation import predict_logits
from .by_id import missing_of, rows_by_position, rows_of


class MemoryOutputs:
    """A teacher's raw logits in memory, by example id.

    Args:
        ids: One a row, no two the same.
        logits: (n, C) the teacher's logits, not probabilities and not divided by a temperature. -inf rules
            a class out.

    Raises:
        ValueError: Not one row of logits an id, an id twice, logits that are NaN or +inf, or a row that
            rules out every class.

    Example:
        >>> outputs = MemoryOutputs(["a", "b"], torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        >>> outputs.logits(["b"])
        tensor([[0., 2.]])
    """

    def __init__(self, ids: Sequence[str | int], logits: Tensor) -> None:
        self.ids = checked_ids(ids)
        self._logits = checked_logits(self.ids, logits)
        self._row_of = {id: row for row, id in enumerate(self.ids)}

    def logits(self, ids: Sequence[str | int]) -> Tensor:
        """The logits (n, C) in float32 of these ids, in their order.

        Raises:
            ValueError: The teacher never saw one of the ids.

        Example:
            >>> MemoryOutputs([7, 8], torch.eye(2)).logits([8, 7, 8]).shape
            torch.Size([3, 2])
        """
        return self._logits[rows_of(self._row_of, ids)]

    def reader(self, ids: Sequence[str | int]) -> Callable[[Tensor], Tensor]:
        """``logits`` for who asks for the same ids again and again: by position among them, looked up once.

        Example:
            >>> MemoryOutputs([7, 8], torch.eye(2)).reader([8, 7])(torch.tensor([0]))
            tensor([[0., 1.]])
        """
        rows = rows_by_position(self._row_of, ids)
        return lambda positions: self._logits[rows(positions)]

    def missing(self, ids: Sequence[str | int]) -> list[str | int]:
        """Which of these ids the teacher never saw.

        Example:
            >>> MemoryOutputs([7, 8], torch.eye(2)).missing([8, 9])
            [9]
        """
        return missing_of(self._row_of, ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"MemoryOutputs({len(self):,} rows, {self._logits.shape[1]} classes)"


def collect_logits(
    teacher: nn.Module, split: Split, *, batch_size: int = 512, progress: bool = True
) -> MemoryOutputs:
    """Run a teacher over a split, in evaluation mode and without gradients, and keep its logits by id.

    Args:
        teacher: Gives logits (B, C).
        split: The rows; labels are not looked at.
        batch_size: Rows at a time.
        progress: Whether to show a bar.

    Raises:
        ValueError: The teacher gives NaN, +inf, or something else than logits (B, C).

    Example:
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> collect_logits(nn.Identity(), split, progress=False)
        MemoryOutputs(2 rows, 2 classes)
    """
    return MemoryOutputs(split.ids, predict_logits(teacher, split, batch_size=batch_size, progress=progress))


def checked_logits(ids: Sequence[str | int], logits: Tensor) -> Tensor:
    """A copy of a teacher's logits (n, C) in float32 on the CPU.

    Raises:
        ValueError: They are no logits that a student can learn from; the first such row is named.

    Example:
        >>> checked_logits(["a"], torch.tensor([[1.0, float("-inf")]]))
        tensor([[1., -inf]])
    """
    if logits.ndim != 2 or len(logits) != len(ids) or not logits.is_floating_point():
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and dtype {logits.dtype} for {len(ids):,} ids: give "
            "floating-point logits, one row of classes an id."
        )
    wrong = (logits.isnan() | logits.isposinf()).any(1) | logits.isneginf().all(1)
    if wrong.any():
        first = ids[int(wrong.nonzero()[0])]
        raise ValueError(
            f"The teacher gives NaN or infinite logits in {int(wrong.sum()):,} of {len(ids):,} rows, the "
            f"first is {first!r}: a student would learn NaN from them, so mend the teacher first."
        )
    return logits.detach().to("cpu", torch.float32, copy=True)
