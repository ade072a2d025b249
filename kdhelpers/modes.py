"""Train and evaluation mode: borrowed for a while, given back part by part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


def as_module(model: object) -> nn.Module:
    """The model itself; for what is no module, one without parts: it has no modes, and is on the processor.

    Example:
        >>> as_module(len)
        Identity()
    """
    return model if isinstance(model, nn.Module) else nn.Identity()


@contextmanager
def in_mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Put a model in train or evaluation mode for a while; every part gets its own mode back.

    A frozen part may well be in evaluation mode inside a model that trains.

    Example:
        >>> model = nn.Dropout()
        >>> with in_mode(model, training=False):
        ...     print(model.training)
        False
        >>> model.training
        True
    """
    modes = {module: module.training for module in model.modules()}
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
