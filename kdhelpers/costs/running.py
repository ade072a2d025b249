"""The one row that costs are measured with."""

from __future__ import annotations

from torch import Tensor, nn

from ..devices import device_of


def one_row(example: Tensor | list[str], model: nn.Module) -> Tensor | list[str]:
    if isinstance(example, str) or (isinstance(example, Tensor) and example.ndim == 0) or len(example) != 1:
        raise ValueError("example must be the inputs of one row, such as split.inputs[:1].")
    return example.to(device_of(model)) if isinstance(example, Tensor) else example
