"""Where models run: chosen once, asked of the model afterwards."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn


def best_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for; without a wish an NVIDIA GPU, else Apple's, else the processor.

    Raises:
        ValueError: There is no such device in this machine, or torch was built without it.

    Example:
        >>> best_device("cpu")
        device(type='cpu')
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        wanted = torch.device(device)
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"There is no device {str(device)!r} here: use 'cpu', or leave it out.") from error
    return wanted


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights are; the processor if it has none.

    Example:
        >>> device_of(nn.Linear(1, 1))
        device(type='cpu')
    """
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device
