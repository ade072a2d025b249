"""A step of training split over processes: each learns from its part of the rows, all from the whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor, nn

from ..data import Split
from ..processes import Processes
from ..seeding import seed_everything
from .batches import Loss
from .history import History

Learn = Callable[[Tensor], Tensor]
"""Adds the gradient of the mean loss of some rows (B,) to the weights, and gives that loss."""


def shared(
    learn: Learn,
    optimiser: torch.optim.Optimizer,
    counted: Tensor,
    device: torch.device,
    processes: Processes,
) -> Learn:
    """The same for rows that the processes split between them: all get the gradient and loss of all rows.

    Args:
        learn: What one process does with its rows.
        optimiser: Its weights are those that learn.
        counted: (n,) 1 for each row of the split that its step's mean counts, else 0.
        device: Where the weights are.
        processes: Those that split the rows. For one alone, ``learn`` is returned as it is.

    Example:
        >>> optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters())
        >>> shared(len, optimiser, torch.ones(4), torch.device("cpu"), Processes()) is len
        True
    """
    if processes.count == 1:
        return learn
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    like = _flat(weights, torch.zeros((), device=device), 0.0)

    def learn_together(rows: Tensor) -> Tensor:
        part = rows.tensor_split(processes.count)[processes.number]
        # Parts differ in size, and one may be empty: each counts as much as the mean over all rows has of it.
        weight = counted[part].sum().item() / max(counted[rows].sum().item(), 1)

        def own() -> Tensor:
            value = learn(part) if len(part) else torch.zeros((), device=device)
            return _flat(weights, value, weight)

        *gradients, present, value = _unflat(weights, processes.sum(own, like))
        for tensor, gradient, there in zip(weights, gradients, present.tolist(), strict=True):
            # A weight that no process used has no gradient, as in one process: the optimiser lets it be.
            tensor.grad = gradient.to(tensor.dtype).view_as(tensor) if there else None
        return value[0]

    return learn_together


def counted_rows(loss: Loss | None, split: Split) -> Tensor:
    """(n,) 1 for each row that a step's mean loss counts: all, but for cross-entropy those with a label.

    Example:
        >>> counted_rows(None, Split(ids=[0, 1], inputs=torch.eye(2), labels=torch.tensor([0, -100])))
        tensor([1, 0])
    """
    return torch.ones(len(split), dtype=torch.long) if loss is not None else split.labelled.long()


def begin_together(model: nn.Module, split: Split, seed: int, processes: Processes) -> None:
    """Start all processes from the first one's weights, and let each draw random numbers of its own.

    Raises:
        ValueError: The processes have other rows or another model.

    Example:
        >>> begin_together(nn.Linear(1, 1), Split(["a"], torch.eye(1)), 0, Processes())
    """
    if processes.count == 1:
        return
    processes.check_same("split", hashlib.sha256(json.dumps(split.ids).encode()).digest())
    processes.check_same("model", [(name, tuple(state.shape)) for name, state in model.state_dict().items()])
    _same_state(model, processes)
    seed_everything((seed + processes.number) % 2**32)  # else dropout would hide the same units everywhere


def end_together(model: nn.Module, history: History, processes: Processes) -> History:
    """Give all processes the first one's history, and its buffers: those of batch normalisation differ.

    Example:
        >>> end_together(nn.Linear(1, 1), History(steps=3), Processes()).steps
        3
    """
    _same_state(model, processes)
    return processes.once(lambda: history)


def _same_state(model: nn.Module, processes: Processes) -> None:
    processes.copy_from_first(list(chain(model.parameters(), model.buffers())))


def _flat(weights: list[Tensor], value: Tensor, weight: float) -> Tensor:
    """All gradients, which weights have one, and the loss: one vector, in float32 or what is wider."""
    dtype = torch.float32
    for one in weights:
        dtype = torch.promote_types(dtype, one.dtype)
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights]
    present = torch.tensor([float(one.grad is not None) for one in weights], dtype=dtype, device=value.device)
    weighted = [weight * part.to(dtype).flatten() for part in (*gradients, value)]
    return torch.cat([*weighted[:-1], present, weighted[-1]])


def _unflat(weights: list[Tensor], flat: Tensor) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = flat.split([*(weight.numel() for weight in weights), len(weights), 1])
    return parts
