"""Text as hashed n-grams: the same numbers on every machine, with nothing but NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64]

# Words end at ASCII punctuation; all digits look alike, so that an amount or an order number says "a number".
_TABLE = bytes(
    ord("0") if chr(byte).isdigit() else byte if byte > 127 or chr(byte).isalnum() else ord(" ")
    for byte in range(256)
)
_END = 10  # the line break, which no cleaned text holds, ends a text
# Unsigned arithmetic wraps around: that is the point of it here, so NumPy works on arrays, which do not warn.
_WORD_BASE = np.array([0x100000001B3], np.uint64)
_WORD_BACK = np.array([pow(0x100000001B3, -1, 2**64)], np.uint64)
_MIX = np.array([0xFF51AFD7ED558CCD], np.uint64)
_KIND = np.array([0x9E3779B97F4A7C15], np.uint64)


@dataclass(frozen=True)
class NgramHasher:
    """Turns texts into the bucket numbers of their words, word pairs and pieces of a few bytes.

    Lower case, apostrophes dropped, punctuation a space, every digit a 0. Works on UTF-8, so that any script
    and any emoji has its n-grams. Source: Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
    Learning", arXiv:0902.2206; Joulin et al. 2016, arXiv:1607.01759.

    Args:
        buckets: How many numbers there are; a power of two.
        characters: Lengths of the pieces in bytes, each 1 to 8. A piece may reach over a space.
        words: Lengths of the word sequences.
        max_bytes: What lies beyond, in the cleaned text, is not looked at.

    Raises:
        ValueError: A setting out of range.

    Example:
        >>> indices, offsets = NgramHasher(buckets=1024)(["Where is my parcel?", ""])
        >>> offsets  # the first text has all the n-grams, the empty one none
        array([ 0, 58])
        >>> bool((NgramHasher(buckets=1024)(["where IS my parcel"])[0] == indices).all())
        True
    """

    buckets: int = 2**15
    characters: tuple[int, ...] = (3, 4, 5)
    words: tuple[int, ...] = (1, 2)
    max_bytes: int = 20_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "characters", tuple(self.characters))
        object.__setattr__(self, "words", tuple(self.words))
        if self.buckets < 2 or self.buckets & (self.buckets - 1):
            raise ValueError(f"buckets is {self.buckets}: give a power of two, such as 32768.")
        if not all(1 <= length <= 8 for length in self.characters) or not all(k >= 1 for k in self.words):
            raise ValueError("characters are lengths of 1 to 8 bytes and words lengths of 1 or more.")
        if not self.characters and not self.words:
            raise ValueError("Without characters and words there is nothing to hash: give one of them.")
        if self.max_bytes < 1:
            raise ValueError(f"max_bytes is {self.max_bytes}: give 1 or more.")

    def __call__(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """The bucket numbers of all texts, one text after another, and where each text begins.

        Args:
            texts: n texts.

        Returns:
            Bucket numbers (all n-grams of all texts,) and offsets (n,), as ``torch.nn.EmbeddingBag`` takes
            them.

        Raises:
            TypeError: Not a sequence of texts.

        Example:
            >>> indices, offsets = NgramHasher(characters=(), words=(1,))(["yes yes", "no"])
            >>> bool(indices[0] == indices[1]), bool(indices[1] == indices[2]), offsets
            (True, False, array([0, 2]))
        """
        check_texts(texts)
        joined = b" " + b" \n ".join(self._clean(text) for text in texts) + b" "
        codes = np.frombuffer(joined, np.uint8)
        owner = np.cumsum(codes == _END)
        nothing = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
        found = [nothing, *self._pieces(codes, owner), *self._words(codes, owner)]
        hashed, owned = (np.concatenate(part) for part in zip(*found, strict=True))
        if len(texts) > 1:
            order = np.argsort(owned, kind="stable")
            hashed, owned = hashed[order], owned[order]
        indices = (_mixed(hashed) & np.uint64(self.buckets - 1)).astype(np.int64)
        return indices, np.searchsorted(owned, np.arange(len(texts))).astype(np.int64)

    def one(self, text: str) -> Array:
        """The bucket numbers of one text, remembered: training asks for the same text in every epoch.

        Example:
            >>> len(NgramHasher(characters=(), words=(1,)).one("yes yes"))
            2
        """
        return _remembered(self, text)

    def padded(self, texts: Sequence[str]) -> tuple[Array, NDArray[np.float32]]:
        """The same as a rectangle: bucket numbers (n, longest), and 1 where there is one, 0 after the end.

        Example:
            >>> NgramHasher(buckets=8, characters=(), words=(1,)).padded(["yes yes", "no"])[1]
            array([[1., 1.],
                   [1., 0.]], dtype=float32)
        """
        indices, offsets = self(texts)
        counts = np.diff(offsets, append=len(indices))
        # At least one column: a model may not be able to take a rectangle of width 0.
        places = np.arange(max(1, int(counts.max(initial=0))))
        there = places < counts[:, None]
        rectangle = np.zeros(there.shape, np.int64)
        rectangle[there] = indices
        return rectangle, there.astype(np.float32)

    def _clean(self, text: str) -> bytes:
        plain = text[: self.max_bytes].lower().replace("'", "").replace("’", "")
        # A lone half of a pair (from broken JSON) has no UTF-8: it becomes a question mark, so a space.
        return b" ".join(plain.encode("utf-8", "replace").translate(_TABLE).split())[: self.max_bytes]

    def _pieces(self, codes: NDArray[np.uint8], owner: Array) -> list[tuple[NDArray[np.uint64], Array]]:
        wide, found = codes.astype(np.uint64), []
        for length in self.characters:
            last = len(codes) - length + 1
            if last < 1:
                continue
            piece = wide[:last].copy()
            for step in range(1, length):
                piece |= wide[step : step + last] << np.uint64(8 * step)
            # The owner changes at a line break: a piece must not begin on one, nor reach over one.
            inside = (owner[:last] == owner[length - 1 :]) & (codes[:last] != _END)
            found.append(((piece + _KIND * np.uint64(length))[inside], owner[:last][inside]))
        return found

    def _words(self, codes: NDArray[np.uint8], owner: Array) -> list[tuple[NDArray[np.uint64], Array]]:
        if not self.words:
            return []
        space = codes <= ord(" ")
        begins = np.flatnonzero(space[:-1] & ~space[1:]) + 1
        ends = np.flatnonzero(~space[:-1] & space[1:]) + 1
        hashed, owned = _spans(codes, begins, ends), owner[begins]
        found = []
        for length in self.words:
            last = max(0, len(hashed) - length + 1)
            chain = hashed[:last].copy()
            for step in range(1, length):
                chain = chain * _MIX + hashed[step : step + last]
            inside = owned[:last] == owned[length - 1 :][:last]
            found.append(((chain + _KIND * np.uint64(64 + length))[inside], owned[:last][inside]))
        return found


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what is not a sequence of texts.

    Raises:
        TypeError: One text alone, or something else than a text among them.

    Example:
        >>> check_texts("help")
        Traceback (most recent call last):
        TypeError: Expected a list of texts, got one text: put it in a list, as in [text].
    """
    if isinstance(texts, str):
        raise TypeError("Expected a list of texts, got one text: put it in a list, as in [text].")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"Row {row} is {type(text).__name__}, not a text: pass strings (a missing one as '')."
            )


def _spans(codes: NDArray[np.uint8], begins: Array, ends: Array) -> NDArray[np.uint64]:
    # A polynomial of a span from two running sums: every word at once, whatever its length. Dividing by the
    # power at its beginning (multiplying by the inverse, modulo 2**64) makes it the same wherever it stands.
    forward, back = _powers(1 << len(codes).bit_length())
    running = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * forward[: len(codes)], out=running[1:])
    return (running[ends] - running[begins]) * back[begins]


@lru_cache(maxsize=4)
def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    def powers(base: NDArray[np.uint64]) -> NDArray[np.uint64]:
        factors = np.repeat(base, count)
        factors[0] = 1
        return np.cumprod(factors)

    return powers(_WORD_BASE), powers(_WORD_BACK)


@lru_cache(maxsize=2**16)
def _remembered(hasher: NgramHasher, text: str) -> Array:
    indices, _ = hasher([text])
    indices.setflags(write=False)
    return indices


def _mixed(hashed: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The low bits choose the bucket, so every bit of the n-gram has to reach them (MurmurHash3's finaliser).
    hashed = (hashed ^ (hashed >> np.uint64(33))) * _MIX
    return hashed ^ (hashed >> np.uint64(29))
