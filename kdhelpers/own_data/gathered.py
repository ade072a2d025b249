"""A reader's data, ready to distil on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..data import Split, join


@dataclass(frozen=True, eq=False)
class OwnData:
    """A reader's data, ready to distil on.

    Args:
        classes: The class names; label 0 is the first.
        labelled: Texts with a label, to train on.
        pool: Texts without; None if there are none.
        test: Texts with a label, to measure on. None of them is in the other two.
        notes: What the reader should know, a sentence each.
        sources: The files by what they are for: name, sha256, rows.
        columns: The columns that were read.
        own_test: Whether the test is a file of its own.

    Example:
        >>> import torch
        >>> rows = Split(["a", "b"], ["help", "hi"], torch.tensor([0, 1]))
        >>> OwnData(("x", "y"), rows.take([0]), None, rows.take([1])).transfer.ids
        ('a',)
    """

    classes: tuple[str, ...]
    labelled: Split
    pool: Split | None
    test: Split
    notes: tuple[str, ...] = ()
    sources: Mapping[str, tuple[str, str, int]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    own_test: bool = True

    @property
    def transfer(self) -> Split:
        """All texts that the student learns from, without labels: the teacher answers for them.

        Example:
            >>> import torch
            >>> one, two = Split(["a"], ["x"], torch.tensor([0])), Split(["b"], ["y"])
            >>> OwnData(("x", "y"), one, two, one).transfer
            Split(2 rows, texts, no labels)
        """
        own = self.labelled.unlabelled()
        return own if self.pool is None else join(own, self.pool)
