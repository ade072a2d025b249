"""One tensor of all shards, filled shard by shard as they are opened, from which single rows are picked."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

# Bytes a row: up to here, what was read of a store takes no more memory than its ids do.
_NARROW = 256


class Column(Protocol):
    """Rows (n, width) of one dtype, numbered through all shards."""

    def put(self, number: int, data: memoryview) -> None:
        """Take the rows of a shard."""

    def rows(self, places: Tensor) -> Tensor:
        """The rows (n, width) at these places (n,); their shards must have been put in."""


def column(dtype: torch.dtype, width: int, rows: int, shard_rows: int) -> Column:
    """A column of so many rows in shards of so many.

    Example:
        >>> type(column(torch.float16, 10, rows=9, shard_rows=4)).__name__
        'Together'
        >>> type(column(torch.float16, 32_000, rows=9, shard_rows=4)).__name__
        'Apart'
    """
    if width * dtype.itemsize <= _NARROW:
        return Together(dtype, width, rows, shard_rows)
    return Apart(dtype, width, shard_rows)


class Together:
    """Narrow rows, copied into one piece of memory, so that one call picks a batch out of any shards.

    Example:
        >>> pieces = Together(torch.uint8, 1, rows=3, shard_rows=2)
        >>> pieces.put(0, memoryview(bytearray(b"ab"))), pieces.put(1, memoryview(bytearray(b"c")))
        (None, None)
        >>> pieces.rows(torch.tensor([2, 0, 2])).tolist() == [[99], [97], [99]]
        True
    """

    def __init__(self, dtype: torch.dtype, width: int, rows: int, shard_rows: int) -> None:
        self._dtype, self._width, self._count, self._size = dtype, width, rows, shard_rows

    @cached_property
    def _all(self) -> Tensor:
        # The system gives memory to what is written of it, not to what is asked for.
        return torch.empty(self._count, self._width, dtype=self._dtype)

    def put(self, number: int, data: memoryview) -> None:
        """Take the rows of a shard."""
        rows = torch.frombuffer(data, dtype=self._dtype).view(-1, self._width)
        self._all[number * self._size :][: len(rows)] = rows

    def rows(self, places: Tensor) -> Tensor:
        """The rows (n, width) at these places (n,); their shards must have been put in."""
        return self._all.index_select(0, places)


class Apart:
    """Wide rows, left where their shards are mapped, which may be more than fits into memory.

    Example:
        >>> pieces = Apart(torch.uint8, 2, shard_rows=1)
        >>> pieces.put(0, memoryview(bytearray(b"ab"))), pieces.put(1, memoryview(bytearray(b"cd")))
        (None, None)
        >>> pieces.rows(torch.tensor([1, 0])).tolist() == [[99, 100], [97, 98]]
        True
    """

    def __init__(self, dtype: torch.dtype, width: int, shard_rows: int) -> None:
        self._dtype, self._width, self._size = dtype, width, shard_rows
        self._shards: dict[int, memoryview] = {}

    def put(self, number: int, data: memoryview) -> None:
        """Take the rows of a shard."""
        self._shards[number] = data

    def rows(self, places: Tensor) -> Tensor:
        """The rows (n, width) at these places (n,); their shards must have been put in."""
        if not len(places):
            return torch.empty(0, self._width, dtype=self._dtype)
        step = self._width * self._dtype.itemsize
        numbers, starts = places // self._size, places % self._size * step
        # A slice for each row, joined once: several times faster than sorting a batch's rows by shard.
        slices = [
            self._shards[number][start : start + step]
            for number, start in zip(numbers.tolist(), starts.tolist(), strict=True)
        ]
        return torch.frombuffer(bytearray().join(slices), dtype=self._dtype).view(-1, self._width)
