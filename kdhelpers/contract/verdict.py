"""The verdict on a model: one line a clause, with what was asked, what was measured, and the outcome."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from unicodedata import category, east_asian_width

from ..data.display import escaped_markdown, html_table, one_line

Outcome = Literal["pass", "fail", "not enough data"]
PASS: Outcome = "pass"
FAIL: Outcome = "fail"
UNDECIDED: Outcome = "not enough data"
HEADER = ("clause", "asked", "measured", "95% interval", "rows", "outcome", "why")
LONGEST = 60


@dataclass(frozen=True)
class Clause:
    """One line of a verdict.

    Args:
        name: What is asked for, such as "recall of security".
        asked: The floor or ceiling.
        measured: What was measured; None if nothing was.
        low: Lower end of the 95% interval; None if there is none.
        high: Upper end.
        n: From how many rows; None for costs.
        outcome: "pass", "fail" or "not enough data".
        floor: Whether what is asked is the least; otherwise it is the most.
        unit: "%" for a share from 0 to 1, "bytes", "ms", or "" for money.
        note: By how much it fails, or what it would take to decide.

    Example:
        >>> print(Clause("accuracy", 0.7, 0.74, 0.71, 0.77, 900, "pass"))
        accuracy: pass
    """

    name: str
    asked: float
    measured: float | None
    low: float | None
    high: float | None
    n: int | None
    outcome: Outcome
    floor: bool = True
    unit: str = "%"
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}{f' ({self.note})' if self.note else ''}"

    def _cells(self) -> list[str]:
        asked, measured, low, high = _numbers((self.asked, self.measured, self.low, self.high), self.unit)
        unit = " ms" if self.unit == "ms" else ""
        interval = f"[{low}, {high}]".replace("%", "") if low else ""
        rows = "" if self.n is None else f"{self.n:,}"
        sign, measured = "≥" if self.floor else "≤", measured + unit if measured else "–"
        return [self.name, f"{sign} {asked}{unit}", measured, interval, rows, self.outcome, self.note]


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `Contract.check` found; shown as a table in a notebook and by `print`.

    Args:
        name: Of the contract.
        clauses: One a line of the contract.

    Example:
        >>> enough = Clause("accuracy", 0.7, 0.74, 0.71, 0.77, 900, "pass")
        >>> slow = Clause("latency p95", 2.0, 3.0, None, None, None, "fail", False, "ms", "1.5 times it")
        >>> print(Verdict("Support", (enough, slow)))
        Support: fail (1 of 2 clauses passed, 1 failed)
        clause           asked  measured  95% interval  rows  outcome  why
        accuracy       ≥ 70.0%     74.0%  [71.0, 77.0]   900  pass
        latency p95  ≤ 2.00 ms   3.00 ms                      fail     1.5 times it
    """

    name: str
    clauses: tuple[Clause, ...]

    @property
    def passed(self) -> bool:
        """Whether every clause passes.

        Example:
            >>> Verdict("", (Clause("accuracy", 0.7, None, None, None, 0, "not enough data"),)).passed
            False
        """
        return self.outcome == PASS

    @property
    def outcome(self) -> Outcome:
        """Of the whole: "fail" if a clause fails, "pass" if all pass, else "not enough data".

        Example:
            >>> Verdict("", (Clause("accuracy", 0.7, None, None, None, 0, "not enough data"),)).outcome
            'not enough data'
        """
        if self.failed:
            return FAIL
        return UNDECIDED if self.undecided or not self.clauses else PASS

    @property
    def failed(self) -> tuple[Clause, ...]:
        """The clauses shown not to hold.

        Example:
            >>> Verdict("", (Clause("bytes", 5, 7, None, None, None, "fail", False, "bytes"),)).failed[0].name
            'bytes'
        """
        return tuple(clause for clause in self.clauses if clause.outcome == FAIL)

    @property
    def undecided(self) -> tuple[Clause, ...]:
        """The clauses that more rows would decide.

        Example:
            >>> len(Verdict("", (Clause("accuracy", 0.7, None, None, None, 0, "not enough data"),)).undecided)
            1
        """
        return tuple(clause for clause in self.clauses if clause.outcome == UNDECIDED)

    def __bool__(self) -> bool:
        raise TypeError("A verdict has three outcomes: ask for its .passed, .failed or .undecided.")

    def __repr__(self) -> str:
        return f"Verdict({self._headline()})"

    def _headline(self) -> str:
        passing, failing = len(self.clauses) - len(self.failed) - len(self.undecided), len(self.failed)
        said = [
            f"{passing} of {len(self.clauses)} {'clause' if len(self.clauses) == 1 else 'clauses'} passed"
        ]
        if failing:
            said.append(f"{failing} failed")
        if self.undecided:
            said.append(f"{len(self.undecided)} undecided")
        name = f"{one_line(self.name)}: " if self.name else ""
        return f"{name}{self.outcome} ({', '.join(said)})"

    def _cells(self) -> list[list[str]]:
        return [[one_line(cell) for cell in clause._cells()] for clause in self.clauses]

    def __str__(self) -> str:
        rows = [[_short(name), *others] for name, *others in self._cells()]
        return "\n".join([self._headline(), *_aligned([HEADER, *rows])])

    def _repr_html_(self) -> str:
        return html_table(self._cells(), header=HEADER, caption=self._headline())

    def to_markdown(self) -> str:
        """The verdict as a Markdown table, for a pull request or a report.

        Example:
            >>> size = Clause("bytes", 5, 7, None, None, None, "fail", False, "bytes")
            >>> print(Verdict("", (size,)).to_markdown())
            **fail (0 of 1 clause passed, 1 failed)**
            <BLANKLINE>
            | clause | asked | measured | 95% interval | rows | outcome | why |
            |:--|--:|--:|--:|--:|:--|:--|
            | bytes | ≤ 5 | 7 |  |  | fail |  |
        """
        cells = self._cells()
        rows = [
            HEADER,
            *([escaped_markdown(name), *numbers, escaped_markdown(note)] for name, *numbers, note in cells),
        ]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|:--|--:|--:|--:|--:|:--|:--|")
        return "\n".join([f"**{escaped_markdown(self._headline())}**", "", *lines])


def _numbers(values: Sequence[float | None], unit: str) -> list[str]:
    """The numbers with so many digits that what is asked, the first, differs from what it differs from."""
    texts: list[str] = []
    for digits in range(1, 6):
        texts = ["" if value is None else _number(value, unit, digits) for value in values]
        pairs = zip(texts, values, strict=True)
        if all(text != texts[0] or value == values[0] for text, value in pairs):
            break
    return texts


def _number(value: float, unit: str, digits: int) -> str:
    if unit == "%":
        return f"{value:.{digits}%}"
    if unit == "bytes" or not math.isfinite(value):
        return f"{value:,.0f}"
    return f"{value:,.{_places(value, digits + 2)}f}"


def _places(value: float, digits: int) -> int:
    return max(digits - 1 - math.floor(math.log10(abs(value))), 0) if value else 0


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    numbers = range(1, 5)
    return [
        "  ".join(_padded(row[at], widths[at], at in numbers) for at in range(len(row))).rstrip()
        for row in rows
    ]


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Columns on a screen: Chinese characters and emoji take two, accents that combine none."""
    return sum(
        0 if category(c) in ("Mn", "Me", "Cf") else 2 if east_asian_width(c) in "WF" else 1 for c in text
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
