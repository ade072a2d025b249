"""A contract: what the product needs of a model, in numbers, before one is trained."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from ..costs import Costs
from ..evaluation import Report
from . import checks
from .judging import judge_cost, judge_ece, judge_lowest, judge_share
from .measured import Recalls, slice_of
from .toml_text import as_toml, read_toml, remark
from .verdict import Clause, Verdict


@dataclass(frozen=True, repr=False)
class Contract:
    """What the product needs of a model: floors under what it gets right, ceilings over what it costs.

    A clause with an interval passes if the whole interval is on the right side of what is asked, fails if all
    of it is on the wrong side, and otherwise there is not enough data. Equal is right. Costs have no interval
    and are compared as they are. Each clause is judged alone, at 95%: for the whole to pass all must, so that
    more clauses never make passing by chance easier.

    Args:
        name: What it is for.
        accuracy: Least share of rows right, from 0 to 1.
        slices: Least accuracy on slices, by name.
        classes: Least recall of classes, by name or number.
        worst_class: Least recall of every class. Intervals are widened for the number of classes with rows
            (Šidák), so that many classes don't fail by chance.
        ece: Most expected calibration error, from 0 to 1.
        agreement: Least share of rows where the teacher chooses the same class.
        latency_p50_ms: Most milliseconds for one example, at the median.
        latency_p95_ms: The same, for 95% of the calls.
        bytes: Most bytes of the saved model.
        cost_per_million: Most that a million examples may cost, in the currency of ``price_per_hour``, on one
            machine that is busy all the time, at the throughput measured in batches. A machine that also
            waits costs more.
        price_per_hour: What that machine costs.

    Raises:
        TypeError: Something is no number, name or mapping.
        ValueError: A share outside 0 to 1, a negative ceiling, a cost without a price, or nothing asked for.

    Example:
        >>> Contract("Support", accuracy=0.7, classes={"security": 0.6}, bytes=5_000_000)
        Contract('Support', 3 clauses)
    """

    name: str = ""
    _: KW_ONLY
    accuracy: float | None = None
    slices: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str | int, float] = field(default_factory=dict)
    worst_class: float | None = None
    ece: float | None = None
    agreement: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    bytes: float | None = None
    cost_per_million: float | None = None
    price_per_hour: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name is {self.name!r}: give a text; clauses are given by keyword.")
        for key in checks.SHARES:
            self._set(key, checks.checked_share)
        for key in (*checks.OF_COSTS, "price_per_hour"):
            self._set(key, checks.checked_ceiling)
        for key in checks.TABLES:
            object.__setattr__(self, key, checks.checked_floors(getattr(self, key), key))
        if self.cost_per_million is not None and not self.price_per_hour:
            raise ValueError(
                "cost_per_million needs price_per_hour: give what an hour of the machine costs, above 0."
            )
        if not self._size():
            raise ValueError("The contract asks for nothing: give at least one clause, such as accuracy=0.7.")

    def _set(self, key: str, check: Callable[[object, str], float]) -> None:
        if getattr(self, key) is not None:
            object.__setattr__(self, key, check(getattr(self, key), key))

    def _size(self) -> int:
        single = (*checks.SHARES, *checks.OF_COSTS)
        given = sum(getattr(self, key) is not None for key in single)
        return given + len(self.slices) + len(self.classes)

    def __repr__(self) -> str:
        return f"Contract({self.name!r}, {self._size()} {'clause' if self._size() == 1 else 'clauses'})"

    def __str__(self) -> str:
        return self.to_toml().rstrip()

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Contract:
        """Read a contract from a TOML file, whose keys are the arguments of `Contract`.

        Args:
            path: The file, in UTF-8; ``slices`` and ``classes`` are tables in it.

        Raises:
            OSError: There is no such file, or it can't be read.
            ValueError: It is not UTF-8, not TOML, has a key that is no clause, or a number out of range.
            TypeError: It has something else in the place of a number.
            ImportError: On Python 3.10 without tomli.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> path = Path(tempfile.mkdtemp()) / "contract.toml"
            >>> _ = path.write_text("name = 'Support'\\naccuracy = 0.7\\n[slices]\\nmulti = 0.55")
            >>> Contract.from_toml(path)
            Contract('Support', 2 clauses)
        """
        found = read_toml(path)
        try:
            return cls(**found)
        except (TypeError, ValueError) as error:
            said = str(error).removesuffix(".")
            raise type(error)(f"{os.path.basename(path)}: {said}{remark(found)}.") from error

    def to_toml(self) -> str:
        """The contract as the text of a TOML file, which `from_toml` reads.

        Example:
            >>> print(Contract("Support", accuracy=0.7, bytes=5_000_000).to_toml())
            name = "Support"
            accuracy = 0.7
            bytes = 5_000_000
            <BLANKLINE>
        """
        single = (*checks.SHARES, *checks.OF_COSTS, "price_per_hour")
        given = {key: getattr(self, key) for key in single if getattr(self, key) is not None}
        return as_toml(self.name, given, {key: getattr(self, key) for key in checks.TABLES})

    def check(
        self,
        report: Report,
        costs: Costs | None = None,
        *,
        classes: Sequence[str] | None = None,
        slices: Collection[str] | None = None,
    ) -> Verdict:
        """Hold a model's report and costs against the contract.

        Args:
            report: From `evaluate`, on rows that were used for no choice.
            costs: From `measure_costs`, on the machine that will serve.
            classes: All class names, where the report calls classes by number. A class that is thus known to
                have no rows leaves its clause, and that of the worst class, without enough data.
            slices: All slice names, such as ``split.slices``. A slice that is thus known to have no rows
                leaves its clause without enough data.

        Raises:
            ValueError: A slice or class that is not known, agreement without a teacher, or a clause on costs
                without costs.
            TypeError: Something else than a report, or than costs.

        Example:
            >>> import torch
            >>> from kdhelpers.data import Split
            >>> from kdhelpers.evaluation import evaluate
            >>> split = Split(list(range(90)), torch.eye(3).repeat(30, 1), torch.arange(3).repeat(30))
            >>> report = evaluate(torch.nn.Identity(), split)
            >>> Contract("Support", accuracy=0.9, worst_class=0.9).check(report)
            Verdict(Support: not enough data (1 of 2 clauses passed, 1 undecided))
        """
        if not isinstance(report, Report):
            raise TypeError(f"report is {type(report).__name__}: give what evaluate(model, split) returns.")
        if costs is not None and not isinstance(costs, Costs):
            raise TypeError(
                f"costs is {type(costs).__name__}: give what measure_costs(model, example) returns."
            )
        found = [*self._on_rows(report, Recalls(report, classes), slices), *self._on_costs(costs)]
        return Verdict(self.name, tuple(found))

    def _on_rows(self, report: Report, recalls: Recalls, slices: Collection[str] | None) -> Iterator[Clause]:
        if self.accuracy is not None:
            yield judge_share("accuracy", self.accuracy, report.accuracy)
        for name, floor in self.slices.items():
            yield judge_share(f"accuracy on {name}", floor, slice_of(report, name, slices), name)
        for key, floor in self.classes.items():
            name, recall = recalls.of(str(key))
            yield judge_share(f"recall of {name}", floor, recall, name)
        if self.worst_class is not None:
            yield judge_lowest(self.worst_class, recalls.named)
        if self.ece is not None:
            yield judge_ece(self.ece, report.ece)
        if self.agreement is not None:
            if report.agreement is None:
                raise ValueError(
                    "The contract asks for agreement with the teacher, but the report has none: "
                    "evaluate with outputs=, the teacher's outputs."
                )
            yield judge_share("agreement with the teacher", self.agreement, report.agreement)

    def _on_costs(self, costs: Costs | None) -> Iterator[Clause]:
        asked = [key for key in checks.OF_COSTS if getattr(self, key) is not None]
        for key in asked:
            if costs is None:
                raise ValueError(
                    f"The contract asks for {', '.join(asked)}, but there are no costs: "
                    "pass what measure_costs(model, example) returns."
                )
            name, unit = _COSTS[key]
            yield judge_cost(name, getattr(self, key), self._measured(key, costs), unit)

    def _measured(self, key: str, costs: Costs) -> float:
        if key == "cost_per_million":
            assert self.price_per_hour is not None  # checked when the contract was made
            return costs.per_million(self.price_per_hour)
        return float(getattr(costs, key))


_COSTS = {
    "latency_p50_ms": ("latency p50", "ms"),
    "latency_p95_ms": ("latency p95", "ms"),
    "bytes": ("bytes", "bytes"),
    "cost_per_million": ("cost per million", ""),
}
