"""Where a student agrees with its teacher, and whether that is right: imitation is not quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..data.display import html_table
from .comparison import Difference, same_rows
from .intervals import Estimate, paired_shares
from .metrics import share
from .report import Report


@dataclass(frozen=True, repr=False)
class Fidelity:
    """All rows in four cells: student and teacher agree or not, and the student is right or not.

    Shown as a table in a notebook and by `print`. Made by `fidelity`.

    Args:
        agrees_right: Share of rows where both choose the right class.
        agrees_wrong: Share of rows where both choose the same wrong class.
        differs_right: Share of rows where the student is right and the teacher wrong.
        differs_wrong: Share of rows where they differ and the student is wrong.
        agreement: Share of rows where both choose the same.
        accuracy: Share of rows where the student is right.
        inherited: Of the student's mistakes, the share that are its teacher's as well; None without mistakes.

    Example:
        >>> from kdhelpers.evaluation import wilson
        >>> cells = [wilson(count, 100) for count in (50, 20, 10, 20)]
        >>> print(Fidelity(*cells, wilson(70, 100), wilson(60, 100), inherited=wilson(20, 40)).inherited)
        50.0% [35.2, 64.8]
    """

    agrees_right: Estimate
    agrees_wrong: Estimate
    differs_right: Estimate
    differs_wrong: Estimate
    agreement: Estimate
    accuracy: Estimate
    inherited: Estimate | None

    def _rows(self) -> Mapping[str, Estimate]:
        rows = {
            "agrees and right": self.agrees_right,
            "agrees and wrong": self.agrees_wrong,
            "differs and right": self.differs_right,
            "differs and wrong": self.differs_wrong,
            "agreement with the teacher": self.agreement,
            "accuracy": self.accuracy,
        }
        return rows if self.inherited is None else {**rows, "mistakes that are the teacher's": self.inherited}

    def __repr__(self) -> str:
        return f"Fidelity(agreement {self.agreement}, accuracy {self.accuracy})"

    def __str__(self) -> str:
        rows = self._rows()
        width = max(map(len, rows))
        return "\n".join(f"{name:{width}}  {estimate}" for name, estimate in rows.items())

    def _repr_html_(self) -> str:
        cells = [
            (name, f"{e.value:.1%}", e.format_interval(), f"{e.n:,}") for name, e in self._rows().items()
        ]
        return html_table(cells, header=("student and teacher", "share", "95% interval", "rows"))


def fidelity(student: Report, teacher: Report) -> Fidelity:
    """Split a student's rows by whether it agrees with its teacher and whether it is right.

    High agreement is no quality by itself: in "agrees and wrong" it is the teacher's mistakes that were
    learnt. Source: Stanton et al. 2021, "Does Knowledge Distillation Really Work?", arXiv:2106.05945.

    Args:
        student: A report of n rows, by the labels that count.
        teacher: The teacher's on the same rows.

    Raises:
        ValueError: The reports are about other rows or labels.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> split = Split(range(4), torch.eye(4), torch.tensor([0, 1, 2, 0]))
        >>> right = evaluate(torch.nn.Identity(), split)
        >>> fidelity(right, right)
        Fidelity(agreement 100.0% [51.0, 100.0], accuracy 75.0% [30.1, 95.4])
    """
    rows = same_rows(student, teacher)
    agrees = (student.predictions == teacher.predictions[rows]).numpy()
    right = student.correct.numpy()
    return Fidelity(
        agrees_right=share(agrees & right),
        agrees_wrong=share(agrees & ~right),
        differs_right=share(~agrees & right),
        differs_wrong=share(~agrees & ~right),
        agreement=share(agrees),
        accuracy=share(right),
        inherited=None if right.all() else share(agrees[~right]),
    )


def outcome_gap(by_outcome: Report, by_imitation: Report) -> Difference:
    """How much worse a model does by what really happened than by the labels that it was taught to imitate.

    Both reports are of the same answers: one against the real outcomes, one against the teacher's choices
    or the labels that the teacher learnt from. A model that shares its teacher's mistakes looks better by
    imitation than it is. Where mistakes of the labels are mere noise, which nobody learns, it looks worse.

    Args:
        by_outcome: Labels are the outcomes.
        by_imitation: The same rows and answers; labels are a teacher's choices.

    Returns:
        Accuracy by outcome minus by imitation, paired row by row: "worse" is the warning.

    Raises:
        ValueError: Other rows, or other answers.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate
        >>> taught = Split(range(40), torch.eye(2)[[0] * 40], torch.zeros(40, dtype=torch.long))
        >>> real = Split(taught.ids, taught.inputs, torch.tensor([0] * 25 + [1] * 15))
        >>> outcome_gap(*(evaluate(torch.nn.Identity(), split) for split in (real, taught))).verdict
        'worse'
    """
    place = {id: row for row, id in enumerate(by_imitation.ids)}
    if place.keys() != set(by_outcome.ids):
        raise ValueError("The reports are about other rows: evaluate the same ones by both kinds of label.")
    rows = [place[id] for id in by_outcome.ids]
    if not by_outcome.predictions.equal(by_imitation.predictions[rows]):
        raise ValueError("The reports are of other answers: evaluate one model by both kinds of label.")
    real, taught = by_outcome.correct, by_imitation.correct[rows]
    found = paired_shares(int((real & ~taught).sum()), int((taught & ~real).sum()), by_outcome.n)
    return Difference(found.value, found.low, found.high, found.n, pairs="rows")
