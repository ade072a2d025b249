"""The report's pictures, narrow enough for a telephone, each with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..evaluation import reliability
from ..plotting import bars_with_intervals, new_figure, reliability_diagram
from .outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, SHOWN, LONGEST = 5.0, 20, 22


def accuracy_figure(outcome: Outcome) -> tuple[Figure, str]:
    """The accuracies side by side, and the words for them.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> accuracy_figure(example_outcome())[1][:62]
        'Bar chart of test accuracy with 95% intervals: labels alone 0.'
    """
    figure, ax = new_figure(width=WIDTH, height=2.4)
    ways = outcome.accuracies
    bars_with_intervals(ax, list(ways), list(ways.values()), highlight="distilled")
    ax.set(xlabel="test texts that are right", xlim=(0, 1.25), xticks=[0, 0.5, 1])
    told = ", ".join(f"{way} {found}" for way, found in ways.items())
    return figure, f"Bar chart of test accuracy with 95% intervals: {told}."


def calibration_figure(outcome: Outcome) -> tuple[Figure, str]:
    """How often student and teacher are right, by how sure they say they are.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> "underconfident" in calibration_figure(example_outcome())[1]
        True
    """
    figure, ax = new_figure(width=WIDTH, height=4.2)
    said = []
    for name, report in (("student", outcome.student), ("teacher", outcome.teacher)):
        found = reliability(report)
        reliability_diagram(ax, found, name)
        said.append(f"{name}: confidence minus accuracy {found.overconfidence}, {found.verdict}")
    ax.legend(loc="upper left")
    return figure, f"Reliability diagram, on whose dotted line confidence equals accuracy. {'; '.join(said)}."


def classes_figure(outcome: Outcome) -> tuple[Figure, str]:
    """The student's recall of each class, the lowest first; of many classes the lowest twenty.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> classes_figure(example_outcome())[1]
        "Bar chart of the student's recall by class, all 3, with 95% intervals: from billing (100%) to ..."
    """
    recalls = sorted(outcome.student.per_class.items(), key=lambda item: (item[1].value, str(item[0])))
    shown = recalls[:SHOWN]
    figure, ax = new_figure(width=WIDTH, height=1.2 + 0.34 * len(shown))
    names = [_short(str(name)) for name, _ in shown]
    bars_with_intervals(ax, names, [found for _, found in shown])
    ax.set(xlabel="recall", xlim=(0, 1.35), xticks=[0, 0.5, 1])
    of = f"the lowest {len(shown)} of {len(recalls)}" if len(recalls) > len(shown) else f"all {len(shown)}"
    low, high = shown[0], shown[-1]
    return figure, (
        f"Bar chart of the student's recall by class, {of}, with 95% intervals: from {low[0]} "
        f"({low[1].value:.0%}) to {high[0]} ({high[1].value:.0%})."
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
