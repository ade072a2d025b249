"""Rows with ids: selecting, sampling and joining them without mixing them up."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from .checks import NO_LABEL, checked_ids, checked_inputs, checked_labels, checked_mask, checked_rows
from .display import html_table, kind_of, rows_said


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Rows that belong together, each known by its id.

    Labels, teacher outputs and predictions are matched by id, never by position, so that shuffling,
    selecting and joining cannot mix them up.

    Args:
        ids: One string or whole number a row, no two the same.
        inputs: A tensor (n, ...), or a list of n texts.
        labels: (n,) class numbers from 0; -100 where a row has none. None: no row has one.
        slices: Named boolean masks (n,), such as ``{"noisy": mask}``; rows may be in several.

    Raises:
        ValueError: No rows, an id twice, lengths that differ, labels that are not class numbers.
        TypeError: ids or inputs of another type.

    Example:
        >>> split = Split(ids=["a", "b", "c"], inputs=torch.zeros(3, 40), labels=torch.tensor([1, 0, -100]))
        >>> split
        Split(3 rows, (40,) float32, 2 labelled)
        >>> split.by_id(["c", "a"]).ids
        ('c', 'a')
    """

    ids: Sequence[str | int]
    inputs: Tensor | list[str]
    labels: Tensor | None = None
    slices: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = checked_ids(self.ids)
        inputs = checked_inputs(self.inputs, len(ids))
        labels = None if self.labels is None else checked_labels(self.labels, len(ids))
        slices = {name: checked_mask(mask, len(ids), name) for name, mask in self.slices.items()}
        # A frozen dataclass is set up through object.__setattr__: afterwards nothing is reassigned.
        for name, value in {"ids": ids, "inputs": inputs, "labels": labels, "slices": slices}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> Tensor:
        """Which rows have a label: a boolean mask (n,).

        Example:
            >>> Split(ids=[0, 1], inputs=["hi", "bye"], labels=torch.tensor([-100, 3])).labelled
            tensor([False,  True])
        """
        if self.labels is None:
            return torch.zeros(len(self), dtype=torch.bool)
        return self.labels != NO_LABEL

    @cached_property
    def _row_of(self) -> dict[str | int, int]:
        return {id: row for row, id in enumerate(self.ids)}

    def take(self, rows: Tensor | Sequence[int] | Sequence[bool] | slice) -> Split:
        """Some of the rows, in the order asked for.

        Args:
            rows: Row numbers, a boolean mask (n,), or a Python slice.

        Raises:
            ValueError: A row asked for twice, none at all, or a mask of another length.
            IndexError: A row number outside the split.

        Example:
            >>> split = Split(ids=["a", "b", "c"], inputs=["one", "two", "three"])
            >>> split.take([2, 0]).inputs, split.take(slice(2)).ids
            (['three', 'one'], ('a', 'b'))
        """
        picked = checked_rows(rows, len(self))
        places = picked.tolist()
        inputs = self.inputs
        return Split(
            ids=[self.ids[row] for row in places],
            inputs=inputs[picked] if isinstance(inputs, Tensor) else [inputs[row] for row in places],
            labels=None if self.labels is None else self.labels[picked],
            slices={name: mask[picked] for name, mask in self.slices.items()},
        )

    def by_id(self, ids: Iterable[str | int]) -> Split:
        """The rows with these ids, in the order of `ids`.

        Raises:
            ValueError: An id that is not in the split, or one asked for twice.

        Example:
            >>> Split(ids=["a", "b"], inputs=["one", "two"]).by_id(["b"]).inputs
            ['two']
        """
        wanted = ids.tolist() if isinstance(ids, Tensor) else list(ids)
        unknown = [id for id in wanted if not isinstance(id, Hashable) or id not in self._row_of]
        if unknown:
            raise ValueError(
                f"{len(unknown):,} of {len(wanted):,} ids are not in this split, the first is "
                f"{unknown[0]!r}: the split's ids look like {self.ids[0]!r}."
            )
        return self.take([self._row_of[id] for id in wanted])

    def unlabelled(self) -> Split:
        """The same rows without their labels.

        Example:
            >>> Split(ids=[7], inputs=["hi"], labels=torch.tensor([2])).unlabelled()
            Split(1 row, texts, no labels)
        """
        return Split(self.ids, self.inputs, None, self.slices)

    def sample(self, n: int, seed: int) -> Split:
        """`n` rows drawn at random, none twice; the same seed draws the same rows.

        A smaller sample is the beginning of a larger one with the same seed.

        Raises:
            ValueError: `n` is below 1 or above the number of rows.

        Example:
            >>> split = Split(ids=range(100), inputs=torch.rand(100, 2))
            >>> split.sample(5, seed=0).ids == split.sample(9, seed=0).ids[:5]
            True
        """
        if not 1 <= n <= len(self):
            raise ValueError(f"Cannot draw {n:,} of {len(self):,} rows: ask for 1 to {len(self):,}.")
        return self.take(torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))[:n])

    def _labels_said(self) -> str:
        known = int(self.labelled.sum())
        return "all labelled" if known == len(self) else f"{known:,} labelled" if known else "no labels"

    def __repr__(self) -> str:
        slices = f", slices {', '.join(self.slices)}" if self.slices else ""
        return f"Split({rows_said(len(self))}, {kind_of(self.inputs)}, {self._labels_said()}{slices})"

    def _repr_html_(self) -> str:
        rows = [
            ("rows", f"{len(self):,}"),
            ("inputs", kind_of(self.inputs)),
            ("labels", self._labels_said()),
            ("ids", f"{self.ids[0]} … {self.ids[-1]}"),
            *((f"slice {name}", rows_said(int(mask.sum()))) for name, mask in self.slices.items()),
        ]
        return html_table(rows)


def join(*splits: Split) -> Split:
    """The rows of several splits, one after the other.

    Rows of a split without labels get -100, rows of a split without a certain slice are not in it.

    Raises:
        ValueError: An id in two splits, nothing to join, or inputs of other shapes or kinds.

    Example:
        >>> labelled = Split(ids=["a"], inputs=["one"], labels=torch.tensor([4]))
        >>> join(labelled, Split(ids=["b"], inputs=["two"])).labels
        tensor([   4, -100])
    """
    if not splits:
        raise ValueError("There is nothing to join: pass one split or more.")
    labels = None
    if any(split.labels is not None for split in splits):
        labels = torch.cat([_labels_or_none(split) for split in splits])
    names = dict.fromkeys(name for split in splits for name in split.slices)
    return Split(
        ids=[id for split in splits for id in split.ids],
        inputs=_joined_inputs(splits),
        labels=labels,
        slices={name: torch.cat([_slice_or_nobody(split, name) for split in splits]) for name in names},
    )


def _joined_inputs(splits: Sequence[Split]) -> Tensor | list[str]:
    kinds = list(dict.fromkeys(kind_of(split.inputs) for split in splits))
    if len(kinds) > 1:
        raise ValueError(
            f"Cannot join inputs {kinds[0]} with {kinds[1]}: all splits need the same shape and dtype."
        )
    tensors = [split.inputs for split in splits if isinstance(split.inputs, Tensor)]
    return torch.cat(tensors) if tensors else [text for split in splits for text in split.inputs]


def _labels_or_none(split: Split) -> Tensor:
    return torch.full((len(split),), NO_LABEL) if split.labels is None else split.labels


def _slice_or_nobody(split: Split, name: str) -> Tensor:
    return split.slices.get(name, torch.zeros(len(split), dtype=torch.bool))
