"""What several models give and cost, side by side, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..costs import Costs, costs_table
from ..costs.table import aligned, told
from ..data.display import escaped_markdown, html_table, one_line, rows_said
from ..evaluation import Difference, Report, compare
from ..evaluation.frontier import unbeaten
from .checks import check_names, checked_slices, listed, meant

_TITLES = {
    "size": "bytes",
    "memory": "memory",
    "p50": "latency_p50_ms",
    "p95": "latency_p95_ms",
    "throughput": "throughput",
}
COSTS = tuple(_TITLES.values())


@dataclass(frozen=True, eq=False, repr=False)
class Tradeoffs:
    """What several models give and cost; shown as a table in a notebook and by `print`.

    Made by `compare_models`, or from parts that were measured before.

    Args:
        reports: A report for each model, all on the same rows.
        costs: The costs of the same models.
        baseline: The model that the others are compared with.
        slices: Which slices of the reports the table shows.
        differences: The accuracy of each other model minus the baseline's, paired row by row.
        agreement: The share of rows for which each other model chooses the baseline's class, right or wrong.

    Raises:
        ValueError: No models, reports and costs of different models, reports on different rows, or a baseline
            or slice that is not there.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> split = Split(ids=list("abcd"), inputs=torch.eye(4), labels=torch.tensor([0, 1, 2, 0]))
        >>> reports = {name: evaluate(torch.nn.Identity(), split) for name in ("teacher", "student")}
        >>> costs = {"teacher": Costs(100, 400, None, 8.0, 9.0, 70.0, 32, "cpu", 1),
        ...          "student": Costs(10, 40, None, 0.2, 0.3, 9000.0, 32, "cpu", 1)}
        >>> found = Tradeoffs(reports, costs, baseline="teacher")
        >>> found.differences["student"].mean, found.frontier()
        (0.0, ['student'])
    """

    reports: Mapping[str, Report]
    costs: Mapping[str, Costs]
    baseline: str
    slices: Sequence[str] = ()
    differences: Mapping[str, Difference] = field(init=False)
    agreement: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        check_names(self.reports, self.baseline)
        if self.reports.keys() != self.costs.keys():
            alone = sorted(self.reports.keys() ^ self.costs.keys())
            raise ValueError(f"{listed(alone)} must have both a report and costs: measure what is missing.")
        slices = checked_slices(self.slices, *(report.slices for report in self.reports.values()))
        reference = self.reports[self.baseline]
        others = {name: report for name, report in self.reports.items() if name != self.baseline}
        found = {
            "reports": dict(self.reports),
            "costs": dict(self.costs),
            "slices": slices,
            "differences": {name: compare(report, reference) for name, report in others.items()},
            "agreement": {name: _agreement(report, reference) for name, report in others.items()},
        }
        # A frozen dataclass is set up through object.__setattr__: afterwards nothing is reassigned.
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def frontier(self, cost: str = "latency_p50_ms") -> list[str]:
        """The models that no other beats (the Pareto frontier), cheapest first.

        One beats another if it is at least as accurate and at most as costly, and one of both strictly. This
        goes by the numbers measured: differences of accuracy that are no more than chance count as well.

        Args:
            cost: "bytes", "memory", "latency_p50_ms", "latency_p95_ms", or "throughput", of which more is
                better.

        Raises:
            ValueError: Another cost, or one that was not measured for every model.

        Example:
            >>> import torch
            >>> from kdhelpers.data import Split
            >>> from kdhelpers.tradeoffs import compare_models
            >>> split = Split(ids=[1, 2], inputs=torch.eye(2), labels=torch.tensor([0, 1]))
            >>> compare_models({"same": torch.nn.Identity()}, split, repeats=10).frontier("bytes")
            ['same']
        """
        if cost not in COSTS:
            raise ValueError(f"{cost!r} is no cost to choose by{meant(cost, COSTS)}: take {listed(COSTS)}.")
        numbers = {name: getattr(costs, cost) for name, costs in self.costs.items()}
        unknown = [name for name, number in numbers.items() if number is None]
        if unknown:
            raise ValueError(f"The {cost} of {listed(unknown)} was not measured: measure it too.")
        spent = [-numbers[name] if cost == "throughput" else numbers[name] for name in self.reports]
        stays = unbeaten(spent, [report.accuracy.value for report in self.reports.values()])
        ranked = sorted(zip(spent, self.reports, stays, strict=True), key=lambda model: model[0])
        return [name for _, name, on_it in ranked if on_it]

    def _columns(self) -> dict[str, str]:
        """Titles of the costs, and their names."""
        measured = any(costs.memory is not None for costs in self.costs.values())
        return {title: name for title, name in _TITLES.items() if measured or name != "memory"}

    def _header(self) -> list[str]:
        slices = [f"on {one_line(name)}" for name in self.slices]
        return ["model", "accuracy", "difference in points", *slices, "agreement", *self._columns()]

    def _cells(self) -> list[list[str]]:
        return [
            [
                one_line(name),
                str(report.accuracy),
                _difference_said(self.differences.get(name)),
                *(str(report.slices[part]) for part in self.slices),
                f"{self.agreement[name]:.1%}" if name in self.agreement else "",
                *(told(self.costs[name], cost) for cost in self._columns().values()),
            ]
            for name, report in self.reports.items()
        ]

    def _caption(self) -> str:
        rows = rows_said(self.reports[self.baseline].n)
        conditions = costs_table(self.costs).conditions()
        return (
            f"On {rows}, with 95% intervals; differences and agreement are with the baseline, "
            f"{one_line(self.baseline)}; costs {conditions}."
        )

    def __repr__(self) -> str:
        return f"Tradeoffs({len(self.reports)} models, baseline {self.baseline!r})"

    def __str__(self) -> str:
        return "\n".join([aligned([["", *self._header()[1:]], *self._cells()]), self._caption()])

    def _repr_html_(self) -> str:
        return html_table(self._cells(), header=self._header(), caption=self._caption())

    def to_markdown(self) -> str:
        """The table in Markdown, for a pull request or a report.

        Example:
            >>> import torch
            >>> from kdhelpers.data import Split
            >>> from kdhelpers.tradeoffs import compare_models
            >>> split = Split(ids=[1, 2], inputs=torch.eye(2), labels=torch.tensor([0, 1]))
            >>> found = compare_models({"same": torch.nn.Identity()}, split, repeats=10)
            >>> print(found.to_markdown().splitlines()[0])
            | model | accuracy | difference in points | agreement | size | p50 | p95 | throughput |
        """
        header = [escaped_markdown(title) for title in self._header()]
        rows = [header, *([escaped_markdown(name), *others] for name, *others in self._cells())]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, f"|:--|{'--:|' * (len(header) - 1)}")
        return "\n".join([*lines, "", escaped_markdown(self._caption())])


def _agreement(one: Report, other: Report) -> float:
    chosen = dict(zip(other.ids, other.predictions.tolist(), strict=True))
    same = [chosen[id] == choice for id, choice in zip(one.ids, one.predictions.tolist(), strict=True)]
    return float(np.mean(same))


def _difference_said(difference: Difference | None) -> str:
    if difference is None:
        return "baseline"
    return f"{difference} {difference.verdict}".replace(" points", "")  # said in the header
