"""Class names as people write them: stray spaces and capitals do not make another class."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

from .table import Row, lines_said


class Spelling:
    """The classes of some rows, each under the name that most of its rows have.

    Args:
        name: Of the file, for the notes.
        rows: Rows; those without a label do not count.

    Raises:
        ValueError: Fewer than two classes.

    Example:
        >>> labels = ["billing", "Billing ", "billing", "other"]
        >>> rows = [Row(line, "text", label) for line, label in enumerate(labels, start=2)]
        >>> spelling = Spelling("mail.csv", rows)
        >>> spelling.classes, spelling.notes
        (('billing', 'other'), ("mail.csv: 'Billing ' (line 3) is read as the class 'billing'.",))
    """

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            if tidy(row.label):
                found[_key(row.label)][tidy(row.label)] += 1
        # Of names that are as frequent as each other, the first in the alphabet: never the order of the rows.
        self._names = {key: min(count, key=lambda n: (-count[n], n)) for key, count in found.items()}
        self.classes = tuple(sorted(self._names.values()))
        if len(self.classes) < 2:
            told = f"only the class {self.classes[0]!r}" if self.classes else "no class"
            raise ValueError(f"{name} has {told}: a classifier needs two or more to tell apart.")
        self.notes = tuple(self._told(name, rows))

    def number(self, label: str) -> int | None:
        """The number of a class as anyone writes it; None if it is unknown.

        Example:
            >>> Spelling("", [Row(2, "", "a"), Row(3, "", "b")]).number(" B")
            1
        """
        name = self._names.get(_key(label))
        return None if name is None else self.classes.index(name)

    def _told(self, name: str, rows: Sequence[Row]) -> list[str]:
        other: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if tidy(row.label) and row.label != self._names[_key(row.label)]:
                other[row.label].append(row)
        return [
            f"{name}: {label!r} ({lines_said(found)}) is read as the class {self._names[_key(label)]!r}."
            for label, found in other.items()
        ]


def tidy(label: str) -> str:
    """A label without stray spaces.

    Example:
        >>> tidy(" lost   card ")
        'lost card'
    """
    return " ".join(unicodedata.normalize("NFC", label).split())


def _key(label: str) -> str:
    return tidy(label).casefold()
