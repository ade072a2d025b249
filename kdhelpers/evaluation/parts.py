"""Who is served worse: parts of the rows against the rest, or two models part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..data import Split
from ..data.checks import checked_mask
from .comparison import Difference, same_rows
from .gaps import RATE, Gap, Gaps
from .intervals import Estimate, paired_shares, wilson
from .report import Report
from .significance import fisher_p, holm, mcnemar_p, unpaired_shares

Found = tuple[str, Estimate, Estimate, Difference, float]


def class_parts(report: Report, classes: Sequence[str] | None = None) -> dict[str, Tensor]:
    """The rows of each class that occurs, as masks (n,) over a report's rows.

    Args:
        report: Whose labels count.
        classes: The class names; by default classes are called by number.

    Raises:
        ValueError: Fewer names than classes.

    Example:
        >>> import torch
        >>> from kdhelpers.evaluation import evaluate
        >>> report = evaluate(torch.nn.Identity(), Split([7, 8], torch.eye(2), torch.tensor([0, 1])))
        >>> class_parts(report, ["yes", "no"])
        {'yes': tensor([ True, False]), 'no': tensor([False,  True])}
    """
    present = report.labels.unique().tolist()
    if classes is not None and present[-1] >= len(classes):
        raise ValueError(f"There are {len(classes)} class names, but a label is {present[-1]}.")
    return {str(label if classes is None else classes[label]): report.labels == label for label in present}


def slice_parts(report: Report, split: Split) -> dict[str, Tensor]:
    """The slices of a split as masks (n,) over a report's rows, by id; those without rows are left out.

    Raises:
        ValueError: A row of the report that is not in the split.

    Example:
        >>> import torch
        >>> from kdhelpers.evaluation import evaluate
        >>> split = Split([7, 8], torch.eye(2), torch.tensor([0, 1]), {"hard": torch.tensor([False, True])})
        >>> slice_parts(evaluate(torch.nn.Identity(), split), split)
        {'hard': tensor([False,  True])}
    """
    found = split.by_id(report.ids).slices
    return {name: mask for name, mask in found.items() if mask.any()}


def gaps_to_rest(
    report: Report, parts: Mapping[str, Tensor], *, rate: float = RATE, tolerance: float = 0.0
) -> Gaps:
    """Each part of a report's rows against all rows that are not in it.

    An average hides the few behind the many. Looked at one by one, though, one of twenty parts seems worse
    by chance alone: so p-values (Fisher's exact test) are adjusted, and on data where no part is worse any
    is reported with a chance of at most ``rate``.

    Args:
        report: What was measured.
        parts: Masks (n,) by name, as from ``class_parts`` and ``slice_parts``.
        rate: The chance of a false alarm, for all parts together.
        tolerance: A difference that does not matter: only what is shown to be larger is reported.

    Returns:
        The gaps, worst first; parts that hold all rows, or none, are left out.

    Raises:
        ValueError: No part to compare, a mask of another length, or a rate or tolerance
            outside 0 to 1.

    Example:
        >>> import torch
        >>> from kdhelpers.evaluation import evaluate
        >>> split = Split(range(50), torch.eye(2)[[0] * 50], torch.tensor([0] * 40 + [1] * 10))
        >>> report = evaluate(torch.nn.Identity(), split)
        >>> gaps_to_rest(report, class_parts(report)).worse
        ('1',)
    """
    right = report.correct.numpy()
    found: list[Found] = []
    for name, mask in _masks(parts, report.n, rate).items():
        if mask.any() and not mask.all():
            counts = (int(right[mask].sum()), int(mask.sum()), int(right[~mask].sum()), int((~mask).sum()))
            gap = unpaired_shares(*counts)
            difference = Difference(gap.value, gap.low, gap.high, gap.n, pairs="rows")
            found.append((name, wilson(*counts[:2]), wilson(*counts[2:]), difference, fisher_p(*counts)))
    return _adjusted(found, rate, tolerance, "the other rows")


def paired_gaps(
    a: Report, b: Report, parts: Mapping[str, Tensor], *, rate: float = RATE, tolerance: float = 0.0
) -> Gaps:
    """Two reports on the same rows, part by part: a minus b, paired row by row.

    Say, a student against its teacher, or one model on messages as they are and with the customer's plan
    swapped. p-values (McNemar's exact test) are adjusted for the number of parts, see ``gaps_to_rest``.

    Args:
        a: A report.
        b: Another on the same rows.
        parts: Masks (n,) over the rows of ``a``, by name.
        rate: The chance of a false alarm, for all parts together.
        tolerance: A difference that does not matter, such as 0.05: no model is wholly indifferent to a
            word, and only what is shown to be larger is reported.

    Returns:
        The gaps, worst first; parts without rows are left out.

    Raises:
        ValueError: Other ids or labels, no part to compare, or a mask, rate or tolerance that
            does not fit.

    Example:
        >>> import torch
        >>> from kdhelpers.evaluation import evaluate
        >>> split = Split(range(20), torch.eye(2)[[1] * 20], torch.tensor([1] * 20))
        >>> good, bad = evaluate(torch.nn.Identity(), split), evaluate(lambda x: -x, split)
        >>> paired_gaps(bad, good, class_parts(good)).worse
        ('1',)
    """
    first, second = a.correct.numpy(), b.correct.numpy()[same_rows(a, b)]
    found: list[Found] = []
    for name, mask in _masks(parts, a.n, rate).items():
        if mask.any():
            only_a, only_b = int((first & ~second & mask).sum()), int((second & ~first & mask).sum())
            gap = paired_shares(only_a, only_b, int(mask.sum()))
            difference = Difference(gap.value, gap.low, gap.high, gap.n, pairs="rows")
            one, other = (wilson(int(right[mask].sum()), gap.n) for right in (first, second))
            found.append((name, one, other, difference, mcnemar_p(only_a, only_b)))
    return _adjusted(found, rate, tolerance, "the other report")


def _masks(parts: Mapping[str, Tensor], n: int, rate: float) -> dict[str, NDArray[np.bool_]]:
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate}: give the chance of a false alarm, such as 0.05.")
    return {name: checked_mask(mask, n, name).numpy() for name, mask in parts.items()}


def _adjusted(found: list[Found], rate: float, tolerance: float, against: str) -> Gaps:
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}: give a share from 0 to below 1, such as 0.05.")
    if not found:
        raise ValueError("There is no part to compare: give masks by name, each with some of the rows.")
    adjusted = holm([p for *_, p in found]).tolist()
    gaps = [Gap(*parts[:-1], p, rate, tolerance) for parts, p in zip(found, adjusted, strict=True)]
    return Gaps(sorted(gaps, key=lambda gap: gap.difference.mean), against)
