"""Measuring several models alike: the same rows, the same example, the same machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..bars import progress_bar
from ..costs import measure_costs
from ..costs.measuring import memory_of
from ..data import Split
from ..evaluation import evaluate
from .checks import check_names, checked_slices
from .table import Tradeoffs


def compare_models(
    models: Mapping[str, Any],
    split: Split,
    *,
    example: Tensor | list[str] | None = None,
    baseline: str | None = None,
    repeats: int = 200,
    batch_size: int = 32,
    memory: bool = False,
    slices: Sequence[str] = (),
    progress: bool = True,
) -> Tradeoffs:
    """Compare models in the form they are served: the same rows, the same example, the same machine.

    Args:
        models: By name, each an nn.Module, an OnnxPredictor, or what else `evaluate` and
            `measure_costs` take.
        split: The test set; rows labelled -100 are left out.
        example: The one row that costs are measured with; by default the text of median length of the split,
            or its first row if it holds no texts.
        baseline: The model to compare the others with; by default the first.
        repeats: How many calls are timed for the latency, 10 or more.
        batch_size: Rows at a time, for the throughput.
        memory: Whether to measure memory too, which takes exported models (see `measure_costs`).
        slices: Names of the split's slices that the table shows.
        progress: Whether to show a bar.

    Raises:
        ValueError: No models, a baseline or slice that is not there, no labels, memory asked of a model that
            is not exported, or what `evaluate` and `measure_costs` refuse.

    Example:
        >>> import torch
        >>> split = Split(ids=range(50), inputs=torch.eye(50)[:, :40], labels=torch.arange(50) % 10)
        >>> models = {"teacher": torch.nn.Linear(40, 10), "student": torch.nn.Linear(40, 10, bias=False)}
        >>> found = compare_models(models, split, repeats=10, progress=False)
        >>> found
        Tradeoffs(2 models, baseline 'teacher')
        >>> found.frontier("bytes")[0]
        'student'
    """
    check_names(models, baseline)
    known = split.labelled
    if not known.any():
        raise ValueError("No row of this split has a label: there is nothing to measure against.")
    slices = checked_slices(slices, [name for name, mask in split.slices.items() if (mask & known).any()])
    for model in models.values() if memory else ():
        memory_of(model)  # refused before the others are measured, which may take minutes
    reports, costs, row = {}, {}, _typical_row(split) if example is None else example
    for name in progress_bar(models, title="comparing models", unit="model", shown=progress):
        costs[name] = measure_costs(models[name], row, repeats=repeats, batch_size=batch_size, memory=memory)
        reports[name] = evaluate(models[name], split)
    return Tradeoffs(reports, costs, next(iter(models)) if baseline is None else baseline, slices)


def _typical_row(split: Split) -> Tensor | list[str]:
    if isinstance(split.inputs, Tensor):
        return split.inputs[:1]
    return [sorted(split.inputs, key=len)[len(split) // 2]]
