"""The course's own task: messages to a company's help desk, to be routed to queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .csv_files import read_columns
from .places import shipped_folder
from .splits import Split
from .tasks import Task

GROUPS: Mapping[str, tuple[str, ...]] = {
    "billing": ("charges", "refunds", "invoices", "plans"),
    "account access": ("sign_in", "two_step", "account_details", "security"),
    "technical issue": ("device_setup", "app_faults", "recordings", "integrations"),
    "other": ("delivery", "how_to", "feedback", "solar"),
}
QUEUES = tuple(queue for queues in GROUPS.values() for queue in queues)
_FLAGS = ("multi", "misleading", "ambiguous")
_KINDS = ("tier", "style", "length", "clarity")
_MORE = ("next_quarter", "security_audit", "new_product")
_COLUMNS = ("id", "text", "label", "outcome", *_KINDS, *_FLAGS)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SupportTask(Task):
    """The help-desk task: a ``Task`` with what came of each message, and with three further splits.

    Args:
        next_quarter: Messages of three months later: another mix, and a product that is new.
        security_audit: Messages of the rare queue alone, to measure its recall with.
        new_product: Messages about the new product alone, sorted by agents while no model knew of it.
        outcomes: The queue that resolved the message, by id; the splits' labels are the first agent's.

    Example:
        >>> support = load_support()
        >>> support.classes[:4], len(support.pool)
        (('charges', 'refunds', 'invoices', 'plans'), 12000)
    """

    next_quarter: Split
    security_audit: Split
    new_product: Split
    outcomes: Mapping[str | int, int]

    @property
    def splits(self) -> dict[str, Split]:
        """All splits by name.

        Example:
            >>> list(load_support().splits)
            ['train', 'validation', 'test', 'pool', 'next_quarter', 'security_audit', 'new_product']
        """
        return {**super().splits, **{name: getattr(self, name) for name in _MORE}}

    def by_outcome(self, split: Split) -> Split:
        """The same rows with the real outcome as label, in place of the first agent's.

        Raises:
            ValueError: A row that is not of this task.

        Example:
            >>> support = load_support()
            >>> agreed = support.by_outcome(support.test).labels == support.test.labels
            >>> 0.9 < agreed.float().mean() < 1
            tensor(True)
        """
        unknown = [id for id in split.ids if id not in self.outcomes]
        if unknown:
            raise ValueError(f"The row {unknown[0]!r} is not of this task: its outcome is not known.")
        return Split(
            split.ids, split.inputs, torch.tensor([self.outcomes[id] for id in split.ids]), split.slices
        )


def load_support(*, pool_labels: bool = False) -> SupportTask:
    """The help-desk task, which ships with the course: 16 queues, few labels, a large pool without any.

    Labels are the first agent's; ``by_outcome`` gives what really came of a message. Slices are recorded for
    each message, see the data card in ``data/support/README.md``.

    Args:
        pool_labels: Whether the pool gets the labels that its messages would have had. No model of the
            course may learn from them but to show what labelling everything would have brought.

    Raises:
        FileNotFoundError: The data did not come with this installation.
        ValueError: A file is damaged.

    Example:
        >>> support = load_support()
        >>> support.by_outcome(support.train).labels.bincount().max()
        tensor(40)
    """
    outcomes: dict[str | int, int] = {}
    splits = {name: _split(name, outcomes) for name in ("labelled", "validation", "test", "pool", *_MORE)}
    pool = splits["pool"]
    return SupportTask(
        name="support",
        classes=QUEUES,
        train=splits["labelled"],
        validation=splits["validation"],
        test=splits["test"],
        pool=pool if pool_labels else pool.unlabelled(),
        about="messages to a made-up company's help desk, written for this course",
        outcomes=outcomes,
        **{name: splits[name] for name in _MORE},
    )


def _split(name: str, outcomes: dict[str | int, int]) -> Split:
    number = {queue: place for place, queue in enumerate(QUEUES)}
    file = shipped_folder("support") / f"{name}.csv"
    rows = read_columns(file, _COLUMNS)
    try:
        outcomes |= {row["id"]: number[row["outcome"]] for row in rows}
        labels = torch.tensor([number[row["label"]] for row in rows])
    except KeyError as error:
        raise ValueError(f"{file.name} is damaged: it has an unknown queue {error}.") from error
    texts = [row["text"] for row in rows]
    return Split([row["id"] for row in rows], texts, labels, _slices(rows))


def _slices(rows: list[dict[str, str]]) -> dict[str, Tensor]:
    columns = {name: np.array([row[name] for row in rows]) for name in (*_KINDS, *_FLAGS, "outcome")}

    def where(column: str, value: str) -> Tensor:
        return torch.from_numpy(columns[column] == value)

    masks = {flag: where(flag, "yes") for flag in _FLAGS}
    for column in _KINDS:
        masks |= {value.lower(): where(column, value) for value in np.unique(columns[column]).tolist()}
    return {**masks, "rare": where("outcome", "security"), "new": where("outcome", "solar")}
