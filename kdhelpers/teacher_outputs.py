"""What a teacher answered, kept under each row's id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from kdhelpers.data import Split
from kdhelpers.evaluation import predict_logits


class MemoryOutputs:
    """A teacher's raw logits, looked up by id, never by position: shuffling cannot mix them up.

    Args:
        ids: n ids, no two the same.
        logits: (n, C) the teacher's logits, before any temperature.

    Raises:
        ValueError: Lengths that differ, an id twice, or logits that are NaN.

    Example:
        >>> import torch
        >>> outputs = MemoryOutputs(["a", "b"], torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        >>> outputs.logits(["b"])
        tensor([[0., 2.]])
    """

    def __init__(self, ids: Sequence[str | int], logits: Tensor) -> None:
        if logits.ndim != 2 or len(logits) != len(ids):
            raise ValueError(
                f"There are {len(ids):,} ids but the logits have shape {tuple(logits.shape)}: "
                "give one row of class logits an id."
            )
        spoilt = logits.isnan().any(-1)
        if spoilt.any():
            row = int(spoilt.nonzero()[0])
            raise ValueError(
                f"The teacher answered NaN to {int(spoilt.sum()):,} of {len(ids):,} rows, first to id "
                f"{ids[row]!r}: look at that row's input and at the teacher's weights."
            )
        self._row_of = {id: row for row, id in enumerate(ids)}
        if len(self._row_of) < len(ids):
            raise ValueError("An id occurs twice among the teacher's outputs: every row needs its own.")
        self._logits = logits.detach().float().cpu()

    def __len__(self) -> int:
        return len(self._row_of)

    def __repr__(self) -> str:
        return f"MemoryOutputs({len(self):,} rows, {self._logits.shape[1]} classes)"

    def logits(self, ids: Iterable[str | int]) -> Tensor:
        """The logits (n, C) of these ids, float32, in their order.

        Raises:
            ValueError: The teacher was never asked about one of them.

        Example:
            >>> import torch
            >>> MemoryOutputs([7], torch.zeros(1, 3)).logits([7]).shape
            torch.Size([1, 3])
        """
        try:
            return self._logits[[self._row_of[id] for id in ids]]
        except KeyError as error:
            raise ValueError(
                f"The teacher has no answer for id {error.args[0]!r}: collect its logits for this split."
            ) from None


def collect_logits(
    teacher: nn.Module, split: Split, *, batch_size: int = 512, progress: bool = True
) -> MemoryOutputs:
    """Ask a teacher about every row once, in evaluation mode, and keep its raw logits by id.

    Args:
        teacher: Takes the split's inputs, gives logits (B, C).
        split: The rows to ask about; labels are not used.
        batch_size: Rows a forward pass.
        progress: Whether to show a bar if it takes longer than a second.

    Raises:
        ValueError: The teacher's logits are NaN or of a wrong shape.

    Example:
        >>> import torch
        >>> split = Split(ids=["a", "b"], inputs=torch.eye(2))
        >>> collect_logits(nn.Linear(2, 3), split)
        MemoryOutputs(2 rows, 3 classes)
    """
    return MemoryOutputs(split.ids, predict_logits(teacher, split, batch_size=batch_size, progress=progress))
