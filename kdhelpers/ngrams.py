"""Text as hashed n-grams: the same numbers on every machine, with nothing but NumPy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64]
Hashes = NDArray[np.uint64]

# Words end at ASCII punctuation; all digits look alike, so that an amount or an order number says "a number".
_TABLE = bytes(
    byte if byte > 127 or chr(byte).isalpha() else ord("0" if chr(byte).isdigit() else " ")
    for byte in range(256)
)
_END = 10  # the line break, which no cleaned text holds, ends a text
# Unsigned arithmetic wraps around: that is the point of it here, so NumPy works on arrays, which do not warn.
_MIX = np.array([0xFF51AFD7ED558CCD], np.uint64)
# One for each length of piece (1 to 8) and of word sequence (9 to 16): the word "cat" is not the piece "cat".
_KINDS = np.array([[0x9E3779B97F4A7C15]], np.uint64) * np.arange(17, dtype=np.uint64)[:, None]
_NO_HASHES, _NOBODY = np.zeros(0, np.uint64), np.zeros(0, np.int64)


@dataclass(frozen=True)
class NgramHasher:
    """Turns texts into the bucket numbers of their words, word pairs and pieces of a few bytes.

    Lower case, apostrophes dropped, punctuation a space, every digit a 0. Works on UTF-8, so that any script
    and any emoji has its n-grams. Source: Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
    Learning", arXiv:0902.2206; Joulin et al. 2016, arXiv:1607.01759.

    Args:
        buckets: How many numbers there are; a power of two.
        characters: Lengths of the pieces in bytes, each 1 to 8. A piece may reach over a space.
        words: Lengths of the word sequences, each 1 to 8.
        max_bytes: What lies beyond, in the cleaned text, is not looked at.

    Raises:
        ValueError: A setting out of range.

    Example:
        >>> indices, offsets = NgramHasher(buckets=1024)(["Where is my parcel?", ""])
        >>> offsets  # the first text has all the n-grams, the empty one none
        array([ 0, 41])
        >>> bool((NgramHasher(buckets=1024)(["where IS my parcel"])[0] == indices).all())
        True
    """

    buckets: int = 2**15
    characters: tuple[int, ...] = (3, 5)
    words: tuple[int, ...] = (1, 2)
    max_bytes: int = 4_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "characters", tuple(self.characters))
        object.__setattr__(self, "words", tuple(self.words))
        if self.buckets < 2 or self.buckets & (self.buckets - 1):
            raise ValueError(f"buckets is {self.buckets}: give a power of two, such as 32768.")
        if not all(1 <= length <= 8 for length in (*self.characters, *self.words)):
            raise ValueError("characters are lengths of 1 to 8 bytes and words lengths of 1 to 8 words.")
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
        cleaned = [self._clean(text) for text in texts]
        found = [*self._pieces(cleaned), *self._words(cleaned)]
        hashed = np.concatenate([hashes for hashes, _ in found])
        if len(texts) == 1:  # what a server sees, one message at a time, is spared the book-keeping
            return self._buckets(hashed), np.zeros(1, np.int64)
        owner = np.concatenate([owners for _, owners in found])
        order = np.argsort(owner, kind="stable")
        return self._buckets(hashed[order]), np.searchsorted(owner[order], np.arange(len(texts)))

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

    def _pieces(self, cleaned: list[bytes]) -> list[tuple[Hashes, Array]]:
        codes = np.frombuffer(b" " + b" \n ".join(cleaned) + b" ", np.uint8)
        wide, piece, found = codes.astype(np.uint64), codes.astype(np.uint64), []
        owner = np.cumsum(codes == _END) if len(cleaned) > 1 else _NOBODY
        for length in range(1, max(self.characters, default=0) + 1):
            if length > 1:  # one more byte beside those that are there
                piece = piece[:-1] | (wide[length - 1 :] << np.uint64(8 * (length - 1)))
            if length not in self.characters or not len(piece):
                continue
            hashes, owners = piece + _KINDS[length], owner[: len(piece)]
            if len(cleaned) > 1:
                # The owner changes at a line break: a piece must not begin on one, nor reach over one.
                inside = (owners == owner[length - 1 :]) & (codes[: len(piece)] != _END)
                hashes, owners = hashes[inside], owners[inside]
            found.append((hashes, owners))
        return found

    def _words(self, cleaned: list[bytes]) -> list[tuple[Hashes, Array]]:
        words = [text.split() for text in cleaned] if self.words else []
        hashed = np.array([_word_hash(word) for text in words for word in text], np.uint64)
        owner = np.repeat(np.arange(len(words)), [len(text) for text in words])
        found, chain = [(_NO_HASHES, _NOBODY)], hashed
        for length in range(1, max(self.words, default=0) + 1):
            if length > 1:
                chain = chain[:-1] * _MIX + hashed[length - 1 :]
            if length in self.words:
                owners = owner[: len(chain)]
                inside = owners == owner[length - 1 :][: len(chain)]
                found.append(((chain + _KINDS[8 + length])[inside], owners[inside]))
        return found

    def _buckets(self, hashed: Hashes) -> Array:
        # The low bits choose the bucket, so every bit of the n-gram has to reach them (MurmurHash3's way).
        hashed = (hashed ^ (hashed >> np.uint64(33))) * _MIX
        hashed ^= hashed >> np.uint64(29)
        return (hashed & np.uint64(self.buckets - 1)).astype(np.int64)


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


@lru_cache(maxsize=2**16)
def _word_hash(word: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little")


@lru_cache(maxsize=2**16)
def _remembered(hasher: NgramHasher, text: str) -> Array:
    indices, _ = hasher([text])
    indices.setflags(write=False)
    return indices
