"""Running a model over a split, and leaving the model as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..bars import progress_bar
from ..data import Split
from ..logits import logits_of
from ..modes import as_module, in_mode

# An nn.Module, or a function of inputs (B, ...): an exported model, a cascade, a service behind a call.
Model = nn.Module | Callable[[Any], Tensor | NDArray[Any]]


class TeacherLogits(Protocol):
    """Anything that knows a teacher's logits by example id."""

    def logits(self, ids: Sequence[str | int]) -> Tensor:
        """The teacher's logits (n, C) in float32, in the order of the ids."""
        ...


def predict_logits(model: Model, split: Split, *, batch_size: int = 512, progress: bool = False) -> Tensor:
    """The logits of every row, in evaluation mode and without gradients, on the device the model is on.

    Args:
        model: An nn.Module or any other callable, called with inputs (B, ...) or a list of B texts; gives
            logits (B, C) as a tensor or an array, or an object or mapping that has them as ``logits``.
        split: The rows.
        batch_size: Rows at a time; it changes memory and speed, not the result.
        progress: Whether to show a bar.

    Returns:
        Logits (n, C) in float32 on the CPU, in the order of the split.

    Raises:
        ValueError: The model gives something else than (B, C), or a batch size below 1.

    Example:
        >>> split = Split(ids=range(5), inputs=torch.zeros(5, 40))
        >>> predict_logits(nn.Linear(40, 10), split).shape
        torch.Size([5, 10])
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: give 1 or more.")
    starts = range(0, len(split), batch_size)
    module = as_module(model)
    with in_mode(module, training=False), torch.no_grad():
        # Not inference mode: a loss may save these logits for its own gradient.
        batches = [
            _checked(
                model(_inputs(module, split, slice(start, start + batch_size))), split, start, batch_size
            )
            for start in progress_bar(starts, title="predicting", unit="batch", shown=progress)
        ]
    return torch.cat(batches)


def _inputs(model: nn.Module, split: Split, rows: slice) -> Tensor | list[str]:
    if not isinstance(split.inputs, Tensor):
        return split.inputs[rows]
    weights = next(chain(model.parameters(), model.buffers()), None)
    return split.inputs[rows] if weights is None else split.inputs[rows].to(weights.device)


def _checked(answer: object, split: Split, start: int, batch_size: int) -> Tensor:
    logits, rows = logits_of(answer), min(batch_size, len(split) - start)
    if isinstance(logits, np.ndarray):
        logits = torch.from_numpy(np.array(logits))  # a copy, as it may be read-only or used again
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != rows:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"The model gives {found} for {rows} rows: it must give logits ({rows}, C).")
    return logits.detach().float().cpu()
