"""Characters as tokens: the simplest tokeniser there is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Characters:
    """Each character is a token, numbered by its place in the alphabet.

    Args:
        alphabet: All characters, each once.
        end: The one that ends a text, and fills up shorter ones.

    Raises:
        ValueError: A character that is there twice, or an end that is not among them.

    Example:
        >>> characters = Characters("ab.", end=".")
        >>> tokens = characters.encode(["ab", "b"], length=3)
        >>> tokens
        tensor([[0, 1, 2],
                [1, 2, 2]])
        >>> characters.decode(tokens)
        ['ab.', 'b..']
    """

    def __init__(self, alphabet: str, end: str) -> None:
        if len(set(alphabet)) < len(alphabet):
            raise ValueError(f"The alphabet {alphabet!r} has a character twice: give each once.")
        if len(end) != 1 or end not in alphabet:
            raise ValueError(f"The end {end!r} is no character of {alphabet!r}: choose one of them.")
        self.alphabet, self.end, self.end_token = alphabet, end, alphabet.index(end)
        self._numbers = {character: number for number, character in enumerate(alphabet)}

    def __len__(self) -> int:
        return len(self.alphabet)

    def encode(self, texts: Sequence[str], length: int | None = None) -> Tensor:
        """Tokens (B, length); without a length, of the longest text. Shorter ones are filled up with the end.

        Raises:
            ValueError: A character that is not in the alphabet, or a text that is too long.
        """
        longest = max(map(len, texts), default=0)
        length = longest if length is None else length
        if longest > length:
            raise ValueError(f"A text has {longest} characters, and there is room for {length}: give more.")
        try:
            rows = [
                [self._numbers[character] for character in text.ljust(length, self.end)] for text in texts
            ]
        except KeyError as error:
            raise ValueError(f"The alphabet {self.alphabet!r} has no {error.args[0]!r}.") from None
        return torch.tensor(rows, dtype=torch.long).reshape(len(texts), length)

    def decode(self, tokens: Tensor) -> list[str]:
        """The texts of tokens (B, L), all of each, whatever follows an end."""
        return ["".join(self.alphabet[number] for number in row) for row in tokens.tolist()]
