"""Texts that are nearly the same: those must not be on both sides of a test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..ngrams import NgramHasher

ALIKE = 0.7
# Ten bands of three: of pairs that are 0.7 alike 98% meet in one of them, of pairs that are 0.2 alike 8%.
_BANDS, _ROWS = 10, 3
_PIECES = NgramHasher(buckets=2**30, characters=(5,), words=(1,))
_AS_READ = NgramHasher(buckets=2**30)
_FACTORS = np.random.RandomState(0).randint(1, 2**31, size=(_BANDS * _ROWS, 2)).astype(np.uint64)


def as_read(text: str) -> bytes:
    """What a student can see of a text: equal for texts that differ in case, digits or punctuation alone.

    Example:
        >>> as_read("Order 12: LATE!") == as_read("order 57 late"), as_read("order late") == as_read("order")
        (True, False)
    """
    return _AS_READ([text])[0].tobytes()


def alike_groups(texts: Sequence[str], also: Sequence[Hashable] = ()) -> list[int]:
    """Which group each text belongs to: nearly equal texts share one, directly or through others.

    Two texts are nearly equal if of all their words and pieces of five bytes 70% or more are in both. Pairs
    are found by MinHash, and then counted. Source: Broder 1997, "On the resemblance and containment of
    documents"; Leskovec et al., "Mining of Massive Datasets", chapter 3.

    Args:
        texts: n texts.
        also: (n,) what else belongs together, such as customers; "" for rows that belong to nobody.

    Returns:
        A number for each text: that of the first text in its group.

    Example:
        >>> texts = ["my parcel is late", "I paid twice", "My parcel is late!", "hello"]
        >>> alike_groups(texts, also=["", "x", "", "x"])
        [0, 1, 0, 1]
    """
    groups = _Groups(len(texts))
    first: dict[Hashable, int] = {}
    for row, name in enumerate(also):
        if name != "":
            groups.join(first.setdefault(name, row), row)
    pieces = [np.unique(_PIECES([text])[0]) for text in texts]
    met: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for row, own in enumerate(pieces):
        for band in _bands(own):
            if any(_alike(pieces[other], own) and groups.join(other, row) for other in met[band]):
                continue
            met[band].append(row)
    return [groups.of(row) for row in range(len(texts))]


def _bands(pieces: NDArray[np.int64]) -> list[tuple[int, bytes]]:
    if not len(pieces):
        return []
    factors = _FACTORS[:, :1] * pieces.astype(np.uint64) + _FACTORS[:, 1:]
    lowest = (factors % np.uint64(2**31 - 1)).min(1).reshape(_BANDS, _ROWS)
    return [(number, band.tobytes()) for number, band in enumerate(lowest)]


def _alike(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    if min(len(one), len(other)) < ALIKE * max(len(one), len(other)):
        return False
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both >= ALIKE * (len(one) + len(other) - both)


class _Groups:
    """Sets that are joined; each is known by its lowest member."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, row: int) -> int:
        while self._above[row] != row:
            self._above[row] = self._above[self._above[row]]
            row = self._above[row]
        return row

    def join(self, one: int, other: int) -> bool:
        first, second = sorted((self.of(one), self.of(other)))
        self._above[second] = first
        return True
