"""What may be watched: each mistake gets one sentence that says what to give instead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def checked_values(values: Any, name: str) -> NDArray[Any]:
    """Scores as float64, class choices as int64 or text, (n,)."""
    array = np.asarray(values)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(
            f"{name} has shape {array.shape}: give one score or one class a row, one row or more."
        )
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            row = int(np.isnan(array).argmax())
            raise ValueError(f"{name} is NaN in row {row}: leave rows without a score out, or mend them.")
        return array.astype(np.float64)
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    if array.dtype.kind != "U":
        raise TypeError(
            f"{name} holds {array.dtype}: give numbers with a point (scores), or class numbers or names."
        )
    return array


def checked_whole(value: Any, name: str, least: int) -> int:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} is {value!r}: give a whole number, {least} or more.")
    return int(value)


def checked_share(value: Any, name: str) -> float:
    """A number between 0 and 1, neither of them."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}: give a number between 0 and 1, such as 0.05.")
    return float(value)


def checked_amount(value: Any, name: str, *, above: bool = False) -> float:
    """A finite number, 0 or more; above 0 if asked."""
    if not math.isfinite(value) or value < 0 or (above and value == 0):
        raise ValueError(f"{name} is {value}: give a number {'above 0' if above else 'of 0 or more'}.")
    return float(value)
