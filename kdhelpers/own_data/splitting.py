"""A test taken from labelled rows, when there is no other: what belongs together stays on one side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

SHARE = 0.25
# Of a class with fewer rows, none can be spared.
LEAST = 4


def rows_for_test(labels: Sequence[int], groups: Sequence[int], *, share: float = SHARE) -> list[int]:
    """Which rows become the test: about a quarter of each class, in whole groups.

    The draw is the same for the same rows. A class with fewer than four rows stays in training.

    Args:
        labels: (n,) classes.
        groups: (n,) what belongs together.
        share: How much of each class is wanted.

    Returns:
        Row numbers, in their order.

    Raises:
        ValueError: No group can be spared.

    Example:
        >>> rows = rows_for_test([0] * 8 + [1] * 8, groups=range(16))
        >>> len(rows), sum(row < 8 for row in rows)
        (4, 2)
    """
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    room = {label: _room(count, share) for label, count in Counter(labels).items()}
    chosen: list[int] = []
    order = np.random.RandomState(0).permutation(len(members))  # the same stream in every NumPy
    every = list(members.values())
    for number in order.tolist():
        needed = Counter(labels[row] for row in every[number])
        if all(room[label] >= count for label, count in needed.items()):
            chosen += every[number]
            for label, count in needed.items():
                room[label] -= count
    if not chosen:
        raise ValueError(
            "No labelled rows can be spared for a test: each class has fewer than four, or what belongs "
            "together is too much of a class; give labelled rows of their own as a test."
        )
    return sorted(chosen)


def _room(count: int, share: float) -> int:
    return 0 if count < LEAST else max(1, round(share * count))
