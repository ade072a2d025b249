"""Costs, and how they look beside each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..data.display import html_table


@dataclass(frozen=True)
class Costs:
    """What `measure_costs` found; times hold for this device and this many threads.

    Args:
        parameters: Numbers the model learns; shared ones once.
        bytes: Size of a safetensors file of its state, or of the files that are served.
        flops: Of one example; a multiplication with its addition counts as 2. None where they are unknown.
        latency_p50_ms: Median milliseconds for one example.
        latency_p95_ms: Milliseconds that 95% of the calls stayed below.
        throughput: Examples per second in batches.
        batch_size: Examples in such a batch.
        device: Where it ran.
        threads: How many CPU threads the model used.
        memory: Bytes that a process needs beyond its libraries to load the model and answer; None where it
            was not measured.

    Example:
        >>> print(Costs(650, 2772, 1300, 0.0121, 0.0154, 812_000.0, 256, "cpu", 2))
               parameters     size  FLOPs  latency p50  latency p95  throughput
        model         650  2.77 kB  1.3 k     0.012 ms     0.015 ms     812 k/s
    """

    parameters: int
    bytes: int
    flops: int | None
    latency_p50_ms: float
    latency_p95_ms: float
    throughput: float
    batch_size: int
    device: str
    threads: int
    memory: int | None = None

    def per_million(self, price_per_hour: float) -> float:
        """What a million examples cost in batches, on one machine that is always busy.

        Args:
            price_per_hour: Of the machine, in any currency.

        Raises:
            ValueError: The price is negative or no number.

        Example:
            >>> costs = Costs(650, 2772, 1300, 0.0121, 0.0154, 1000.0, 256, "cpu", 2)
            >>> f"{costs.per_million(price_per_hour=0.36):.2f}"
            '0.10'
        """
        if not 0 <= price_per_hour < math.inf:
            raise ValueError(f"price_per_hour is {price_per_hour}: give the price of the machine, 0 or more.")
        return price_per_hour / (self.throughput * 3600) * 1e6 if self.throughput else math.inf

    def __str__(self) -> str:
        return str(CostsTable({"model": self}))

    def _repr_html_(self) -> str:
        return CostsTable({"model": self})._repr_html_()


@dataclass(frozen=True)
class CostsTable:
    """Costs side by side, made by `costs_table`: shown as a table in a notebook and by `print`.

    Example:
        >>> CostsTable({"one": Costs(1, 2, 3, 4.0, 5.0, 6.0, 7, "cpu", 1)}).rows["one"].flops
        3
    """

    rows: Mapping[str, Costs]

    def _columns(self) -> dict[str, str]:
        measured = any(costs.memory is not None for costs in self.rows.values())
        return {title: name for title, name in COLUMNS.items() if measured or name != "memory"}

    def _cells(self) -> list[list[str]]:
        first, names = next(iter(self.rows.values())), self._columns().values()
        return [
            [
                row,
                *(
                    told(costs, name) + ("" if costs is first else _share(costs, first, name))
                    for name in names
                ),
            ]
            for row, costs in self.rows.items()
        ]

    def conditions(self) -> str:
        """Where the costs were measured, and with how many threads and rows at a time.

        Example:
            >>> CostsTable({"one": Costs(1, 2, 3, 4.0, 5.0, 6.0, 7, "cpu", 1)}).conditions()
            'measured on cpu with 1 thread, throughput in batches of 7'
        """
        found = {(costs.device, costs.threads, costs.batch_size) for costs in self.rows.values()}
        return "; ".join(
            f"measured on {device} with {threads} {'thread' if threads == 1 else 'threads'}, "
            f"throughput in batches of {batch_size:,}"
            for device, threads, batch_size in sorted(found)
        )

    def __str__(self) -> str:
        return aligned([["", *self._columns()], *self._cells()])

    def _repr_html_(self) -> str:
        return html_table(self._cells(), header=["model", *self._columns()], caption=self.conditions())


COLUMNS = {
    "parameters": "parameters",
    "size": "bytes",
    "memory": "memory",
    "FLOPs": "flops",
    "latency p50": "latency_p50_ms",
    "latency p95": "latency_p95_ms",
    "throughput": "throughput",
}


def told(costs: Costs, name: str) -> str:
    """One of the costs with its unit; a dash if it is unknown.

    Example:
        >>> told(Costs(1, 2000, None, 4.0, 5.0, 6.0, 7, "cpu", 1), "bytes")
        '2 kB'
    """
    number = getattr(costs, name)
    if number is None:
        return "–"
    if name == "parameters":
        return f"{number:,}"
    if name in ("latency_p50_ms", "latency_p95_ms"):
        return f"{_digits(number)} ms"
    unit = {"bytes": "B", "memory": "B", "throughput": "/s"}.get(name, "")
    return f"{_short(number)}{unit}".strip()


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns: the first to the left, the others, which hold numbers, to the right.

    Example:
        >>> print(aligned([["model", "size"], ["teacher", "9"]]))
        model    size
        teacher     9
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join(map(str.rstrip, lines))


def _share(costs: Costs, first: Costs, name: str) -> str:
    if not getattr(first, name) or getattr(costs, name) is None:
        return ""
    return f" ({_digits(getattr(costs, name) / getattr(first, name))}×)"


def _short(number: float) -> str:
    """Two or three digits and a decimal prefix, such as "1.3 k"."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:  # so that 999,950 is "1 M", not "1000 k"
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g} "


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def costs_table(costs: Mapping[str, Costs]) -> CostsTable:
    """Compare the costs of several models; shares are of the first one.

    Raises:
        ValueError: There is nothing to compare.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from kdhelpers.costs import measure_costs
        >>> teacher, student = nn.Linear(40, 400), nn.Linear(40, 10)
        >>> example = torch.zeros(1, 40)
        >>> table = costs_table({"teacher": measure_costs(teacher, example, repeats=10),
        ...                      "student": measure_costs(student, example, repeats=10)})
        >>> "410 (0.025×)" in str(table)
        True
    """
    if not costs:
        raise ValueError("There are no costs to compare: pass at least one, such as {'student': costs}.")
    return CostsTable(dict(costs))
