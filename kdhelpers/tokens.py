"""Text as a transformer's token numbers, with the tokenizers library and without torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .extras import need
from .ngrams import check_texts

Array = NDArray[np.int64]


class Tokens:
    """A tokenizer read from a ``tokenizer.json``: texts in, rectangles of token numbers out.

    Args:
        file: The ``tokenizer.json`` of a model's folder.
        max_length: Tokens of a text at most, the special ones with it; the rest is cut off.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not a tokenizer, or max_length is below 3.
        ImportError: The extra ``text`` is not installed.

    Example:
        >>> from kdhelpers.text import find_minilm
        >>> ids, mask = Tokens(find_minilm() / "tokenizer.json")(["Where is my parcel?", ""])
        >>> ids.shape, mask.sum(1)  # the empty text has its two special tokens
        ((2, 7), array([7, 2]))
    """

    def __init__(self, file: str | os.PathLike[str], max_length: int = 128) -> None:
        tokenizers = need("tokenizers", extra="text")
        path = Path(file)
        if not path.is_file():
            raise FileNotFoundError(f"There is no tokenizer {path.name} in {path.parent}: give its folder.")
        if max_length < 3:
            raise ValueError(f"max_length is {max_length}: give 3 or more, as two are special tokens.")
        self.max_length = max_length
        self._tokenizer = _read(tokenizers, path)
        self._tokenizer.enable_truncation(max_length)
        # A file may ask for a fixed length: here a batch is as wide as its longest text.
        self._tokenizer.enable_padding()

    def __call__(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """Token numbers and mask (1 = a token, 0 = filling), both (n, longest of these texts).

        Raises:
            TypeError: Not a sequence of texts.

        Example:
            >>> from kdhelpers.text import find_minilm
            >>> Tokens(find_minilm() / "tokenizer.json")(["hello"])[0]
            array([[ 101, 7592,  102]])
        """
        check_texts(texts)
        # A lone half of a pair (from broken JSON) is no text for the tokenizer: it becomes a question mark.
        whole = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        if not whole:
            return np.zeros((0, 0), np.int64), np.zeros((0, 0), np.int64)
        encoded = self._tokenizer.encode_batch(whole)
        return np.array([one.ids for one in encoded]), np.array([one.attention_mask for one in encoded])

    def save(self) -> str:
        """The tokenizer as the text of a ``tokenizer.json``.

        Example:
            >>> from kdhelpers.text import find_minilm
            >>> '"model"' in Tokens(find_minilm() / "tokenizer.json").save()
            True
        """
        return str(self._tokenizer.to_str())


def _read(tokenizers: Any, path: Path) -> Any:
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise ValueError(f"{path.name} in {path.parent} is not a tokenizer ({error}).") from error
