"""Which of two is better, if the difference is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.display import html_table
from .intervals import mean_interval, paired_shares
from .report import Report
from .significance import unpaired_shares


@dataclass(frozen=True)
class Difference:
    """How much better the first is than the second, with its 95% interval.

    Args:
        mean: First minus second.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: How many pairs.
        pairs: What was paired, "seeds" or "rows".
        spec: How to write it when nothing else is asked for; ".1%" writes percentage points.
        higher_is_better: False for losses, costs and errors.

    Example:
        >>> gain = Difference(0.152, 0.121, 0.183, n=5)
        >>> print(gain)
        +15.2 points [+12.1, +18.3]
        >>> f"{gain:.3f}", gain.verdict
        ('+0.152 [+0.121, +0.183]', 'better')
    """

    mean: float
    low: float
    high: float
    n: int
    pairs: str = "seeds"
    spec: str = ".1%"
    higher_is_better: bool = True

    @property
    def verdict(self) -> str:
        """Of the first against the second: "better", "worse", or "no evidence" if the interval holds 0.

        Example:
            >>> Difference(0.01, -0.02, 0.04, n=5).verdict
            'no evidence'
        """
        if self.low <= 0 <= self.high:
            return "no evidence"
        return "better" if (self.low > 0) == self.higher_is_better else "worse"

    def __format__(self, spec: str) -> str:
        mean, low, high = self._parts(spec or self.spec)
        return f"{mean} [{low}, {high}]"

    def __str__(self) -> str:
        return format(self)

    def _parts(self, spec: str) -> tuple[str, str, str]:
        mean, low, high = (format(part, f"+{spec.lstrip('+')}") for part in (self.mean, self.low, self.high))
        # A difference of percentages is in points: 50% to 51% is one point, and 2% more.
        unit = " points" if spec.endswith("%") else ""
        return mean.rstrip("%") + unit, low.rstrip("%"), high.rstrip("%")

    def _repr_html_(self) -> str:
        mean, low, high = self._parts(self.spec)
        row = [self.verdict, mean, f"[{low}, {high}]", f"{self.n:,} {self.pairs}"]
        return html_table([row], header=["verdict", "difference", "95% interval", "pairs"])


def compare(
    a: Report | Sequence[float] | Sequence[Report],
    b: Report | Sequence[float] | Sequence[Report],
    *,
    higher_is_better: bool = True,
) -> Difference:
    """Compare two models, a minus b, with the interval that belongs to how they were measured.

    Two reports on the same rows: their accuracies, paired row by row by id (Agresti and Min's interval).
    Two sequences, one number or report a seed, the same seeds in the same order: paired seeds (t interval).

    Args:
        a: A report, or one number or report a seed.
        b: The same kind, for what it is compared with.
        higher_is_better: False to compare losses, costs or errors.

    Raises:
        ValueError: Other ids or labels, other lengths, fewer than two seeds, or numbers that are not finite.
        TypeError: A report compared with something else.

    Example:
        >>> soft, hard = [0.72, 0.74, 0.71], [0.60, 0.59, 0.58]
        >>> gain = compare(soft, hard)
        >>> f"{gain:.1%}", gain.verdict
        ('+13.3 points [+9.5, +17.1]', 'better')
    """
    if isinstance(a, Report) and isinstance(b, Report):
        return _by_rows(a, b)
    if isinstance(a, Report) or isinstance(b, Report):
        raise TypeError("A report can only be compared with a report: put one a seed in both lists.")
    return _by_seeds(a, b, higher_is_better)


def compare_unpaired(a: Report, b: Report) -> Difference:
    """The accuracy on some rows minus that on others, such as this quarter's and the test set's.

    Args:
        a: A report.
        b: Another, on rows that are not in ``a``.

    Returns:
        a minus b, with Newcombe's interval for shares of different rows.

    Raises:
        ValueError: A row is in both: rows in common are paired, which ``compare`` does.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> right = evaluate(torch.nn.Identity(), Split(range(50), torch.eye(50), torch.arange(50)))
        >>> wrong = evaluate(lambda x: -x, Split(range(50, 90), torch.eye(40), torch.arange(40)))
        >>> compare_unpaired(wrong, right).verdict
        'worse'
    """
    if both := set(a.ids) & set(b.ids):
        raise ValueError(
            f"{len(both):,} rows are in both reports, such as {min(both, key=str)!r}: compare pairs those."
        )
    counts = (int(a.correct.sum()), a.n, int(b.correct.sum()), b.n)
    found = unpaired_shares(*counts)
    return Difference(found.value, found.low, found.high, found.n, pairs="rows, unpaired")


def _by_rows(a: Report, b: Report) -> Difference:
    rows = same_rows(a, b)
    right_a, right_b = a.correct.numpy(), b.correct.numpy()[rows]
    found = paired_shares(int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()), a.n)
    return Difference(found.value, found.low, found.high, found.n, pairs="rows")


def _by_seeds(
    a: Sequence[float] | Sequence[Report], b: Sequence[float] | Sequence[Report], higher_is_better: bool
) -> Difference:
    first: list[float | Report] = [*a]
    second: list[float | Report] = [*b]
    if len(first) != len(second):
        raise ValueError(f"{len(first)} against {len(second)} values: paired seeds need one of each a seed.")
    if len(first) < 2:
        raise ValueError("An interval needs two seeds or more; five make a fair comparison.")
    for x, y in zip(first, second, strict=True):
        if isinstance(x, Report) and isinstance(y, Report):
            same_rows(x, y)
    spec = ".1%" if isinstance(first[0], Report) and isinstance(second[0], Report) else ".3f"
    one, other = _numbers(first, "a"), _numbers(second, "b")
    difference = one - other
    # What rounding leaves of equal numbers is no difference, however often it repeats.
    difference[np.isclose(one, other, rtol=1e-12, atol=0)] = 0.0
    found = mean_interval(difference)
    return Difference(found.value, found.low, found.high, found.n, "seeds", spec, higher_is_better)


def _numbers(values: Sequence[float | Report], name: str) -> NDArray[np.float64]:
    plain = [value.accuracy.value if isinstance(value, Report) else value for value in values]
    try:
        array = np.array([float(value) for value in plain])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a list of numbers or of reports, one a seed.") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has {array[~np.isfinite(array)][0]}: give finite numbers, one a seed.")
    return array


def same_rows(a: Report, b: Report) -> NDArray[np.int64]:
    """Where in the second report each row of the first is.

    Args:
        a: A report of n rows.
        b: Another, in any order.

    Returns:
        (n,) row numbers.

    Raises:
        ValueError: They are about other rows, or have other labels.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> split = Split(ids=["x", "y"], inputs=torch.eye(2), labels=torch.tensor([0, 1]))
        >>> one, other = (evaluate(torch.nn.Identity(), split.by_id(ids)) for ids in (["x", "y"], ["y", "x"]))
        >>> same_rows(one, other)
        array([1, 0])
    """
    place = {id: row for row, id in enumerate(b.ids)}
    missing = [id for id in a.ids if id not in place]
    if missing or a.n != b.n:
        example = missing[0] if missing else (place.keys() - set(a.ids)).pop()
        raise ValueError(f"The reports are about other rows ({example!r} is in one only): use one split.")
    rows = np.array([place[id] for id in a.ids])
    different = (a.labels.numpy() != b.labels.numpy()[rows]).nonzero()[0]
    if len(different):
        raise ValueError(f"The reports have other labels for {a.ids[different[0]]!r}: use the same split.")
    return rows
