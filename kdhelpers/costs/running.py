"""Running a model on one row without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    # Every module's own mode, because a frozen part may well be in eval mode inside a model that trains.
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


def one_row(example: Tensor | list[str], model: nn.Module) -> Tensor | list[str]:
    if isinstance(example, str) or (isinstance(example, Tensor) and example.ndim == 0) or len(example) != 1:
        raise ValueError("example must be the inputs of one row, such as split.inputs[:1].")
    return example.to(device_of(model)) if isinstance(example, Tensor) else example


def device_of(model: nn.Module) -> torch.device:
    tensor = next(model.parameters(), next(model.buffers(), None))
    return torch.device("cpu") if tensor is None else tensor.device
