"""What a report says on the slices and classes that a contract names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..evaluation import Estimate, Report
from .checks import hint, listed, misplaced


def slice_of(report: Report, name: str, known: Collection[str] | None = None) -> Estimate | None:
    """The accuracy on a slice, or None if it is known and has no rows.

    Args:
        report: Its slices are those with rows.
        name: Which slice.
        known: The names of all slices, such as ``split.slices``.

    Raises:
        ValueError: Nobody knows the slice.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> split = Split([1, 2], torch.eye(2), torch.tensor([0, 1]), {"short": torch.tensor([True, False])})
        >>> print(slice_of(evaluate(torch.nn.Identity(), split), "short"))
        100.0% [20.7, 100.0]
    """
    if name in report.slices:
        return report.slices[name]
    if known is not None and name in known:
        return None
    names = list(report.slices) if known is None else list(known)
    rows = "; if it only has no rows here, pass slices=split.slices" if known is None else ""
    raise ValueError(
        f"The contract asks for accuracy on the slice {name!r}, which the report does not have: it has "
        f"{listed(names)}{hint(name, names)}{misplaced([name])}{rows}."
    )


class Recalls:
    """The recall of each class, by name, with None for a class that has no rows.

    Args:
        report: Its classes are those with rows, by name or number.
        classes: All class names; label 0 is the first.

    Raises:
        TypeError: ``classes`` is one string.
        ValueError: The report has a class that is not among the names, or two classes have one name.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> report = evaluate(torch.nn.Identity(), Split([1, 2], torch.eye(3)[:2], torch.tensor([0, 1])))
        >>> list(Recalls(report).named), list(Recalls(report, ["billing", "security", "other"]).named)
        (['class 0', 'class 1'], ['billing', 'security', 'other'])
    """

    def __init__(self, report: Report, classes: Sequence[str] | None = None) -> None:
        self.named: dict[str, Estimate | None] = {}
        self._numbers: dict[str, str] = {}
        self._complete = classes is not None
        if classes is None:
            self._add_those_with_rows(report)
        else:
            self._add_all(report, classes)

    def _add_those_with_rows(self, report: Report) -> None:
        labels = report.labels.unique().tolist()  # sorted, as the report's classes are
        if len(labels) != len(report.per_class):
            raise ValueError(
                f"The report has {len(labels)} labels, but {len(report.per_class)} class names: "
                "give evaluate(..., classes=) a name of its own for each class."
            )
        for label, (key, recall) in zip(labels, report.per_class.items(), strict=True):
            name = key if isinstance(key, str) else f"class {key}"
            self.named[name], self._numbers[str(label)] = recall, name

    def _add_all(self, report: Report, classes: Sequence[str]) -> None:
        if isinstance(classes, str):
            raise TypeError("classes must be a sequence with one name a class, not one string.")
        twice = next((name for at, name in enumerate(classes) if name in classes[:at]), None)
        if twice is not None:
            raise ValueError(f"classes names {twice} twice: give each class a name of its own.")
        left = dict(report.per_class)
        for number, name in enumerate(classes):
            self.named[name] = left.pop(name, None) or left.pop(number, None)
            self._numbers[str(number)] = name
        if left:
            raise ValueError(
                f"The report has the class {next(iter(left))}, but classes names only {listed(classes)}: "
                "name every class, in the order of the labels."
            )

    def of(self, key: str) -> tuple[str, Estimate | None]:
        """A class's name and recall, by its name or the digits of its number.

        Raises:
            ValueError: There is no such class.

        Example:
            >>> import torch
            >>> from kdhelpers.data import Split
            >>> from kdhelpers.evaluation import evaluate
            >>> report = evaluate(torch.nn.Identity(), Split([1], torch.eye(2)[:1], torch.tensor([0])))
            >>> Recalls(report, ["billing", "security"]).of("1")
            ('security', None)
        """
        name = key if key in self.named else self._numbers.get(key)
        if name is not None:
            return name, self.named[name]
        rows = "" if self._complete else "; if it only has no rows here, pass classes=task.classes"
        raise ValueError(
            f"The contract asks for the recall of {key!r}, a class that the report does not have: it has "
            f"{listed(self.named)}{hint(key, self.named)}{misplaced([key])}{rows}."
        )
