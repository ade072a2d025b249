"""The student: hashed n-grams, one table of vectors, a small head. Fast, as it hardly computes anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import device_of
from ..ngrams import NgramHasher, check_texts
from .saving import checked_classes, read_settings, read_weights, save_model


class NgramStudent(nn.Module):
    """A small text classifier: the vectors of a text's n-grams are summed, then one linear layer decides.

    Takes a list of B texts, gives logits (B, C). An order of magnitude faster than any transformer: its work
    is one look-up per n-gram.
    Source: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification", arXiv:1607.01759.

    Args:
        classes: The class names, in the order of the labels.
        dim: Length of an n-gram's vector.
        hasher: How texts become n-grams; by default ``NgramHasher()``.

    Raises:
        ValueError: Fewer than two classes, one twice, or dim below 1.

    Example:
        >>> student = NgramStudent(["billing", "other"], dim=8)
        >>> student(["I was charged twice", ""]).shape
        torch.Size([2, 2])
    """

    KIND = "ngram student"

    def __init__(self, classes: Sequence[str], *, dim: int = 32, hasher: NgramHasher | None = None) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"dim is {dim}: give 1 or more.")
        self.classes = checked_classes(classes)
        self.hasher = hasher or NgramHasher()
        self.vectors = nn.EmbeddingBag(self.hasher.buckets, dim, mode="sum")
        self.head = nn.Linear(dim, len(self.classes))
        nn.init.normal_(self.vectors.weight, std=0.1)

    def forward(self, texts: list[str]) -> Tensor:
        """Logits (B, C) of B texts.

        Raises:
            TypeError: Not a list of texts.

        Example:
            >>> NgramStudent(["a", "b"], dim=2)(["help"]).shape
            torch.Size([1, 2])
        """
        indices, offsets, counts = self._ngrams(texts)
        # The sum of k unrelated vectors grows with the square root of k: long texts are to weigh like short.
        logits: Tensor = self.head(self.vectors(indices, offsets) / counts.clamp(min=1).sqrt()[:, None])
        return logits

    def _ngrams(self, texts: list[str]) -> tuple[Tensor, Tensor, Tensor]:
        if self.training:
            check_texts(texts)
            bags = [self.hasher.one(text) for text in texts]
            sizes = np.array([len(bag) for bag in bags], np.int64)
            indices, offsets = np.concatenate(bags), np.cumsum(sizes) - sizes
        else:
            indices, offsets = self.hasher(texts)
        place = device_of(self)
        starts = torch.from_numpy(offsets).to(place)
        counts = torch.diff(starts, append=torch.tensor([len(indices)], device=place))
        return torch.from_numpy(indices).to(place), starts, counts

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the student into a folder: weights in safetensors, settings in JSON.

        Raises:
            OSError: A file could not be written.

        Example:
            >>> import tempfile
            >>> folder = tempfile.mkdtemp()
            >>> NgramStudent(["a", "b"], dim=2).save(folder)
            >>> NgramStudent.load(folder).classes
            ('a', 'b')
        """
        settings: dict[str, Any] = {"kind": self.KIND, "classes": self.classes, "hasher": asdict(self.hasher)}
        save_model(folder, self, {**settings, "dim": self.vectors.embedding_dim})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> NgramStudent:
        """A student as it was saved, in evaluation mode.

        Raises:
            FileNotFoundError: No model was saved there.
            ValueError: What is there is damaged, or another kind of model.

        Example:
            >>> NgramStudent.load("nowhere")
            Traceback (most recent call last):
            FileNotFoundError: There is no saved model in nowhere: it lacks model.json.
        """
        settings = read_settings(folder, cls.KIND)
        hasher = NgramHasher(**settings["hasher"])
        student = cls(settings["classes"], dim=settings["dim"], hasher=hasher)
        read_weights(folder, student)
        return student.eval()
