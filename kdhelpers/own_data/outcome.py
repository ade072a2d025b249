"""What came of a distillation: every number with its interval, and in a sentence what to make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..contract import Verdict
from ..costs import Costs, CostsTable
from ..evaluation import Difference, Estimate, Report, compare, mean_interval
from .gathered import OwnData


@dataclass(frozen=True, eq=False, repr=False)
class Outcome:
    """What came of a distillation; `print` shows it. The student that is kept is the first.

    Args:
        folder: Where the student, its card and its report are.
        data: What it was made from.
        labels_only: Reports of the students that learnt from the labels alone, one a seed.
        distilled: Of those that learnt from the teacher, in the same order of seeds.
        teacher: The teacher's.
        costs: Of teacher and student, by name.
        weights: The sha256 of the teacher's weights.
        verdict: By the contract, if there was one.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> print(example_outcome().headline)
        Distilled, the student closes 100% [100, 100] of the gap ... better.
    """

    folder: Path
    data: OwnData
    labels_only: Sequence[Report]
    distilled: Sequence[Report]
    teacher: Report
    costs: Mapping[str, Costs]
    weights: str = ""
    verdict: Verdict | None = None

    @property
    def student(self) -> Report:
        """The report on the student that is kept.

        Example:
            >>> from kdhelpers.own_data.examples import example_outcome
            >>> example_outcome().student
            Report(accuracy 100.0% [94.0, 100.0], n=60)
        """
        return self.distilled[0]

    @cached_property
    def accuracies(self) -> dict[str, Estimate]:
        """Accuracy by way of learning: of the students the mean over seeds with its t interval."""
        ways = {"labels alone": self.labels_only, "distilled": self.distilled}
        found = {way: mean_interval(_values(reports), spec=".1%") for way, reports in ways.items()}
        return {**found, "teacher": self.teacher.accuracy}

    @cached_property
    def balanced(self) -> dict[str, float]:
        """The mean recall over the classes of the test, each counting alike however rare it is.

        Example:
            >>> from kdhelpers.own_data.examples import example_outcome
            >>> example_outcome().balanced
            {'labels alone': 0.0, 'distilled': 1.0, 'teacher': 1.0}
        """
        ways = {"labels alone": self.labels_only, "distilled": self.distilled, "teacher": [self.teacher]}
        return {way: sum(map(_mean_recall, reports)) / len(reports) for way, reports in ways.items()}

    @cached_property
    def difference(self) -> Difference:
        """Distilled minus labels alone, by paired seeds."""
        return compare(self.distilled, self.labels_only)

    @cached_property
    def teacher_gain(self) -> Difference:
        """The teacher minus the first student from labels alone, row by row."""
        return compare(self.teacher, self.labels_only[0])

    @cached_property
    def gap_closed(self) -> Estimate | None:
        """How much of the way from labels alone to the teacher; None where no way is shown to be there."""
        top, pairs = self.teacher.accuracy.value, zip(self.distilled, self.labels_only, strict=True)
        if self.teacher_gain.verdict != "better":
            return None
        shares = [gap_closed(low.accuracy.value, high.accuracy.value, top) for high, low in pairs]
        return None if None in shares else mean_interval([s for s in shares if s is not None], spec=".0%")

    @property
    def headline(self) -> str:
        """What to make of it, in one sentence or two."""
        said = f"{self.difference} over labels alone ({self.difference.n} paired seeds): "
        said += f"{self.difference.verdict}{', so do not use it' * (self.difference.verdict == 'worse')}."
        if self.gap_closed is not None:
            return f"Distilled, the student closes {self.gap_closed} of the gap to its teacher, {said}"
        return (
            "There is no gap to close: on this test the teacher is not shown to be better than a student "
            f"from the labels alone, so look for a teacher that is. Distilled: {said}"
        )

    def __str__(self) -> str:
        width = max(map(len, self.accuracies))
        lines = [f"{way:{width}}  {found}" for way, found in self.accuracies.items()]
        costs = [str(CostsTable(self.costs))] if self.costs else []
        verdict = [str(self.verdict)] if self.verdict is not None else []
        return "\n".join([self.headline, *lines, *costs, *verdict])


def gap_closed(labels_only: float, distilled: float, teacher: float) -> float | None:
    """The share of the way from labels alone to the teacher; None where there is no way.

    Example:
        >>> gap_closed(0.5, 0.7, 0.75)
        0.8
    """
    return round((distilled - labels_only) / (teacher - labels_only), 12) if teacher > labels_only else None


def _values(reports: Sequence[Report]) -> list[float]:
    return [report.accuracy.value for report in reports]


def _mean_recall(report: Report) -> float:
    recalls = [found.value for found in report.per_class.values()]
    return sum(recalls) / len(recalls)
