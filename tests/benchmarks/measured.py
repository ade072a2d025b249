"""What a benchmark found: rows that it prints and that ``table.py`` writes into ``docs/benchmarks.md``.

Ways that are compared take turns, forwards and backwards, and ratios are taken within a repeat: what slows
the machine down for a while slows all of them. Times are of the processor, so that what else runs matters
little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Times = dict[str, list[float]]


@dataclass(frozen=True)
class Row:
    """One number: what it is, its unit, what is asked of it, and the middle half of the repeats."""

    what: str
    value: float
    unit: str = "×"
    at_most: float | None = None
    at_least: float | None = None
    half: tuple[float, float] | None = None

    @property
    def kept(self) -> bool | None:
        """Whether it is as asked; None if nothing is."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least

    @property
    def found(self) -> str:
        spread = "" if self.half is None else f" ({number(self.half[0])} to {number(self.half[1])})"
        return f"{number(self.value)} {self.unit}{spread}"

    @property
    def asked(self) -> str:
        if self.at_most is not None:
            return f"≤ {number(self.at_most)}"
        return "" if self.at_least is None else f"≥ {number(self.at_least)}"

    def __str__(self) -> str:
        verdict = {True: "kept", False: "MISSED", None: ""}[self.kept]
        return f"{self.what:72} {self.found:32} {self.asked:12} {verdict}".rstrip()


def number(value: float) -> str:
    """Whole from a hundred on, else with three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(rows: Sequence[Row]) -> str:
    """A table of them; the middle half of the repeats stands in brackets."""
    lines = ["| what | measured | asked | |", "|---|---|---|---|"]
    verdicts = {True: "kept", False: "**missed**", None: ""}
    lines += [f"| {row.what} | {row.found} | {row.asked} | {verdicts[row.kept]} |" for row in rows]
    return "\n".join(lines) + "\n"


def seconds(run: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    start = clock()
    run()
    return clock() - start


def in_turn(ways: Mapping[str, Callable[[], object]], repeats: int) -> Times:
    """How long each way takes in each repeat; the first, which warms up, is left out."""
    times: Times = {name: [] for name in ways}
    for repeat in range(-1, repeats):
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            taken = seconds(ways[name])
            if repeat >= 0:
                times[name].append(taken)
    return times


def ratio(
    what: str, times: Times, name: str, to: str, at_most: float | None = None, at_least: float | None = None
) -> Row:
    """The median of one way's times over another's."""
    ratios = [one / other for one, other in zip(times[name], times[to], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Row(what, middle, at_most=at_most, at_least=at_least, half=(low, high))
