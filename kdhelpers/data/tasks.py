"""A task: named classes, and a split for each purpose."""

from __future__ import annotations

from dataclasses import dataclass

from .display import html_table
from .splits import Split


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """A classification task: named classes, and a split for each purpose.

    Args:
        name: What to call it.
        classes: The class names; label 0 is the first.
        train: To learn from.
        validation: To choose by.
        test: To report, once all is chosen.
        pool: Further rows, usually without labels, that a teacher may label.
        about: One sentence on where the data comes from.

    Raises:
        ValueError: A label beyond the classes, or an id in two splits.

    Example:
        >>> import torch
        >>> def rows(name): return Split(ids=[name], inputs=torch.zeros(1, 2), labels=torch.tensor([1]))
        >>> Task("tiny", ("no", "yes"), train=rows("a"), validation=rows("b"), test=rows("c"))
        Task('tiny', 2 classes, train 1, validation 1, test 1)
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    pool: Split | None = None
    about: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        owner: dict[str | int, str] = {}
        for name, split in self.splits.items():
            self._check_classes(name, split)
            for id in split.ids:
                if id in owner:
                    raise ValueError(
                        f"The id {id!r} is in both {owner[id]} and {name}: give it to one split."
                    )
                owner[id] = name

    def _check_classes(self, name: str, split: Split) -> None:
        highest = -1 if split.labels is None else int(split.labels.max())
        if highest >= len(self.classes):
            raise ValueError(
                f"The {name} split has label {highest}, but the task names {len(self.classes)} classes "
                f"(0 to {len(self.classes) - 1}): name every class, or correct the label."
            )

    @property
    def splits(self) -> dict[str, Split]:
        """The splits by name, without a pool if there is none.

        Example:
            >>> import torch
        >>> def rows(name): return Split(ids=[name], inputs=torch.zeros(1, 2))
            >>> list(Task("tiny", ("no", "yes"), rows("a"), rows("b"), rows("c")).splits)
            ['train', 'validation', 'test']
        """
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return named if self.pool is None else {**named, "pool": self.pool}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(split):,}" for name, split in self.splits.items())
        return f"Task({self.name!r}, {len(self.classes)} classes, {sizes})"

    def _repr_html_(self) -> str:
        rows = [
            [name, f"{len(split):,}", f"{int(split.labelled.sum()):,}", f"{_classes_seen(split):,}"]
            for name, split in self.splits.items()
        ]
        about = f": {self.about}" if self.about else ""
        caption = f"{self.name}, {len(self.classes)} classes{about}"
        return html_table(rows, header=["split", "rows", "labelled rows", "classes seen"], caption=caption)


def _classes_seen(split: Split) -> int:
    return 0 if split.labels is None else len(set(split.labels[split.labelled].tolist()))
