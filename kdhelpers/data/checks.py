"""What may be a split: each mistake gets one sentence that says where it is and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .display import rows_said

# What torch's cross entropy ignores by default as well.
NO_LABEL = -100


def checked_ids(ids: Sequence[str | int]) -> tuple[str | int, ...]:
    if isinstance(ids, str):
        raise TypeError("ids must be a sequence with one id a row, not one string.")
    listed = ids.tolist() if isinstance(ids, (Tensor, np.ndarray)) else list(ids)
    plain = tuple(int(id) if isinstance(id, np.integer) else id for id in listed)
    if not plain:
        raise ValueError("The data is empty: a split needs at least one row.")
    for kind in set(map(type, plain)):
        if not issubclass(kind, (str, int)) or kind is bool:
            raise ValueError(f"ids must be strings or whole numbers, not {kind.__name__}.")
    if len(set(plain)) < len(plain):
        twice, times = Counter(plain).most_common(1)[0]
        raise ValueError(f"The id {twice!r} occurs {times} times: every row needs an id of its own.")
    return plain


def checked_inputs(inputs: Tensor | Sequence[str], n: int) -> Tensor | list[str]:
    if not isinstance(inputs, Tensor):
        if isinstance(inputs, str) or not isinstance(inputs, Sequence):
            raise TypeError(f"inputs must be a tensor or a list of texts, not {type(inputs).__name__}.")
        inputs = list(inputs)
        wrong = next((row for row, text in enumerate(inputs) if not isinstance(text, str)), None)
        if wrong is not None:
            found = type(inputs[wrong]).__name__
            raise ValueError(f"inputs must be a tensor or a list of texts, but row {wrong} is {found}.")
    elif inputs.ndim == 0:
        raise ValueError("inputs must have one row an example, but it is a single number.")
    _check_length(len(inputs), n, "inputs")
    return inputs


def checked_labels(labels: Tensor | Sequence[int], n: int) -> Tensor:
    found = _as_tensor(labels, "labels")
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise ValueError(f"labels must be whole numbers, not {_dtype(found)}: convert them with .long().")
    if found.ndim != 1:
        raise ValueError(f"labels must have shape ({n},), not {tuple(found.shape)}: one class number a row.")
    _check_length(len(found), n, "labels")
    wrong = (found < 0) & (found != NO_LABEL)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ValueError(
            f"labels has {int(found[row])} in row {row}: classes count from 0, and {NO_LABEL} marks no label."
        )
    return found.long()


def checked_mask(mask: Tensor | Sequence[bool], n: int, name: str) -> Tensor:
    found = _as_tensor(mask, name)
    if found.dtype != torch.bool or found.ndim != 1:
        raise ValueError(
            f"{name} must be a boolean mask ({n},), not {_dtype(found)} of shape {tuple(found.shape)}."
        )
    _check_length(len(found), n, name)
    return found


def checked_rows(rows: Tensor | Sequence[int] | Sequence[bool] | slice, n: int) -> Tensor:
    """Row numbers (k,) from whatever says which rows."""
    if isinstance(rows, slice):
        return torch.tensor(range(n)[rows], dtype=torch.long)
    picked = _as_tensor(rows, "rows").cpu()
    if picked.dtype == torch.bool:
        return checked_mask(picked, n, "rows").nonzero().flatten()
    if picked.numel() and (picked.is_floating_point() or picked.ndim != 1):
        raise ValueError(f"rows must be row numbers (k,) or a boolean mask ({n},), not {_dtype(picked)}.")
    outside = (picked < -n) | (picked >= n)
    if outside.any():
        raise IndexError(f"There is no row {int(picked[outside][0])}: the split has {rows_said(n)}.")
    return picked.long()


def _as_tensor(values: Tensor | Sequence[int] | Sequence[bool], name: str) -> Tensor:
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be a tensor or a list of numbers, one a row.") from error


def _check_length(found: int, n: int, name: str) -> None:
    if found != n:
        raise ValueError(
            f"{name} has {rows_said(found)}, but the ids name {rows_said(n)}: each row needs both."
        )


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
