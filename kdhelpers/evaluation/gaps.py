"""Gaps between parts of the rows, or between two models on them: each with what chance would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..data.display import html_table
from .comparison import Difference
from .intervals import Estimate

RATE = 0.05
HEADER = ("part", "rows", "right", "other", "difference", "adjusted p", "verdict")


@dataclass(frozen=True)
class Gap:
    """One part of the rows, and how it fares.

    Args:
        name: Of the part.
        value: The share that is right in it.
        other: What that is compared with: the rest of the rows, or another model on the same ones.
        difference: First minus other, with the interval that it has by itself.
        p: Its p-value, adjusted for how many parts were looked at (Holm).
        rate: The chance of a false alarm that all parts share.
        tolerance: A difference that does not matter: the interval must lie beyond it.

    Example:
        >>> from kdhelpers.evaluation import wilson
        >>> gap = Gap("rare", wilson(2, 20), wilson(60, 80), Difference(-0.65, -0.77, -0.41, 100), 1e-6)
        >>> gap.verdict
        'worse'
    """

    name: str
    value: Estimate
    other: Estimate
    difference: Difference
    p: float
    rate: float = RATE
    tolerance: float = 0.0

    @property
    def verdict(self) -> str:
        """By the adjusted p-value and the tolerance: "better", "worse", or "no evidence".

        Example:
            >>> from kdhelpers.evaluation import wilson
            >>> Gap("a", wilson(1, 2), wilson(1, 1), Difference(-0.5, -0.9, 0.4, 3), p=1.0).verdict
            'no evidence'
        """
        if self.p > self.rate or max(self.difference.low, -self.difference.high) <= self.tolerance:
            return "no evidence"
        return "better" if self.difference.mean > 0 else "worse"


@dataclass(frozen=True, repr=False)
class Gaps:
    """All parts that were looked at, the worst first; shown as a table in a notebook and by `print`.

    Args:
        rows: One gap a part.
        against: What each part was compared with.

    Example:
        >>> report = Gaps((), against="the rest")
        >>> report.worse
        ()
    """

    rows: Sequence[Gap]
    against: str

    @property
    def worse(self) -> tuple[str, ...]:
        """The parts that are worse by more than chance, the worst first.

        Example:
            >>> from kdhelpers.evaluation import wilson
            >>> bad = Gap("rare", wilson(2, 20), wilson(60, 80), Difference(-0.65, -0.77, -0.41, 100), 1e-6)
            >>> Gaps((bad,), "the rest").worse
            ('rare',)
        """
        return tuple(row.name for row in self.rows if row.verdict == "worse")

    def __getitem__(self, name: str) -> Gap:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"There is no part {name!r}: there are {', '.join(row.name for row in self.rows)}.")

    def _cells(self) -> list[list[str]]:
        return [
            [row.name, f"{row.value.n:,}", f"{row.value.value:.1%}", f"{row.other.value:.1%}",
             str(row.difference).replace(" points", ""), f"{row.p:.2g}", row.verdict]
            for row in self.rows
        ]  # fmt: skip

    def _caption(self) -> str:
        return (
            f"Against {self.against}: difference in points with the 95% interval of each by itself; "
            "the verdict allows for how many parts were looked at (Holm)."
        )

    def __repr__(self) -> str:
        return f"Gaps({len(self.rows)} parts, worse: {', '.join(self.worse) or 'none'})"

    def __str__(self) -> str:
        rows = [[*HEADER], *self._cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([*lines, self._caption()])

    def _repr_html_(self) -> str:
        return html_table(self._cells(), header=HEADER, caption=self._caption())
