"""Several replicas of a model trained in one pass, each as if it were alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..data import Split
from ..logits import logits_of
from ..seeding import generator
from .batches import Batch, Loss, as_loss, batch_of
from .history import History, recording
from .settings import (
    check_one_each,
    check_settings,
    check_stackable,
    check_validation,
    choose_device,
    learning_rates,
    own_randomness,
    trainable,
    validation_accuracy,
)

Weights = dict[str, Tensor]
Forward = Callable[[Weights, Any], Tensor]


@own_randomness
def train_many(
    models: Sequence[nn.Module],
    split: Split,
    losses: Loss | Sequence[Loss | None] | None = None,
    *,
    seeds: Sequence[int],
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    validation: Split | None = None,
    progress: bool = True,
    weight_decay: float = 0.0,
    schedule: str = "constant",
    device: str | torch.device | None = None,
) -> list[History]:
    """Train models of one kind side by side, each as if by ``train`` with its own loss and seed.

    Their weights are stacked, so that each layer of all of them is one batched product, and what a step costs
    whatever its size is paid once. So five small models take 2.2 times as long as one in steps of 8 rows,
    and 2.5 to 4 times in steps of 128, where most of the time is arithmetic that nobody shares
    (``tests/benchmarks/bench_many.py``). Parts of two and three take longer still, as each pays what is
    shared anew: of a convolutional network in steps of 128 rows, three alone take 2.6 times as long as one.
    The weights equal those of separate runs but for rounding. Interrupting keeps what was learnt.

    Args:
        models: R models of one class, with weights of the same shapes, without buffers or dropout.
        split: The rows that all learn from; each sees them in the order of its own seed.
        losses: One loss for all or one a model; None is cross-entropy, as in ``train``.
        seeds: One a model.
        epochs: How often each row is seen.
        batch_size: Rows a step and model.
        learning_rate: Of AdamW; the highest one in a cycle.
        validation: Measured after each epoch for each model.
        progress: Whether to show a bar.
        weight_decay: Of AdamW.
        schedule: "constant" or "one-cycle".
        device: Where to train; by default on CUDA, else MPS, else the CPU.

    Returns:
        One history a model.

    Raises:
        ValueError: Models that cannot be stacked, not one loss or seed a model, or what ``train`` refuses.
        FloatingPointError: A loss became NaN or infinite; looked at once an epoch.

    Example:
        >>> split = Split(ids=range(8), inputs=torch.eye(8), labels=torch.arange(8) % 2)
        >>> models = [nn.Linear(8, 2) for _ in range(3)]
        >>> histories = train_many(models, split, seeds=[0, 1, 2], epochs=4, batch_size=4, progress=False)
        >>> [history.steps for history in histories]
        [8, 8, 8]
    """
    check_settings(epochs, batch_size, learning_rate, weight_decay, schedule)
    check_validation(validation)
    check_stackable(models, split)
    check_one_each(seeds, models, "seeds")
    own_losses = _own_losses(_one_each(losses, models), split)
    place = choose_device(device, models)
    weights, forward = stack(models, place)
    learning = [weight for weight in weights.values() if weight.requires_grad]
    # Never the fused kind: a stack of small models rounds as each of them does alone.
    optimiser = torch.optim.AdamW(learning, lr=learning_rate, weight_decay=weight_decay)
    rates = learning_rates(optimiser, schedule, epochs * math.ceil(len(split) / batch_size))
    shuffles = [generator(seed) for seed in seeds]
    histories = [History(device=str(place)) for _ in models]

    with recording(histories, epochs, progress) as bar, written_back(weights, models):
        for _ in bar:
            totals = torch.zeros(len(models), device=place)
            orders = torch.stack([torch.randperm(len(split), generator=shuffle) for shuffle in shuffles])
            for rows in orders.split(batch_size, dim=1):  # (R, B): each model its own rows
                batch = batch_of(split, rows, place)
                optimiser.zero_grad()
                values = own_losses(forward(weights, batch.inputs), batch)
                values.sum().backward()  # a sum, so that each model gets the gradient of its own loss
                optimiser.step()
                rates.step()
                totals += values.detach() * rows.shape[1]
                for history in histories:
                    history.steps += 1

            for number, (history, total) in enumerate(zip(histories, totals.tolist(), strict=True)):
                history.end_epoch(total / len(split), learning_rate, f"The loss of model {number}")
            bar.set_postfix(loss=f"{totals.mean().item() / len(split):.3f}", refresh=False)
            if validation is not None:
                _validate(models, weights, histories, validation, seeds)
    return histories


def stack(models: Sequence[nn.Module], device: torch.device) -> tuple[Weights, Forward]:
    """The weights of R models as one tensor a layer, and the function that runs all of them at once.

    Example:
        >>> weights, forward = stack([nn.Linear(4, 2) for _ in range(3)], torch.device("cpu"))
        >>> weights["weight"].shape, forward(weights, torch.zeros(3, 5, 4)).shape
        (torch.Size([3, 2, 4]), torch.Size([3, 5, 2]))
    """
    for model in models:
        trainable(model.to(device))
    weights = {
        name: torch.stack([model.get_parameter(name).detach() for model in models])
        for name, _ in models[0].named_parameters()
    }
    for name, weight in models[0].named_parameters():
        weights[name].requires_grad_(weight.requires_grad)
    # A copy, so that no model of the caller changes its mode; its own weights are never used.
    skeleton = copy.deepcopy(models[0]).train()

    def one(own: Weights, inputs: Tensor) -> Tensor:
        logits: Tensor = logits_of(functional_call(skeleton, own, (inputs,)))
        return logits

    return weights, vmap(one)


@contextmanager
def written_back(weights: Weights, models: Sequence[nn.Module]) -> Iterator[None]:
    """Whatever ends the block, the models have the stacked weights afterwards.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> with written_back({"weight": torch.full((1, 1, 1), 7.0)}, [model]):
        ...     pass
        >>> model.weight.item()
        7.0
    """
    try:
        yield
    finally:
        _write_back(weights, models)


def _write_back(weights: Weights, models: Sequence[nn.Module]) -> None:
    with torch.no_grad():
        for name, stacked in weights.items():
            for model, weight in zip(models, stacked, strict=True):
                model.get_parameter(name).copy_(weight)


def _own_losses(losses: Sequence[Loss | None], split: Split) -> Loss:
    """What gives each model's loss, (R,), of logits (R, B, C) and a batch of rows (R, B)."""
    if all(loss is None for loss in losses):
        return as_loss(None, split)  # cross-entropy of all models in one call
    objectives = [as_loss(loss, split) for loss in losses]

    def one_by_one(logits: Tensor, batch: Batch) -> Tensor:
        inputs = batch.inputs
        assert isinstance(inputs, Tensor)  # check_stackable refuses texts
        labels = [None] * len(objectives) if batch.labels is None else batch.labels.unbind()
        # Taken apart in one call each, which autograd puts together again in one.
        parts = zip(batch.rows.unbind(), inputs.unbind(), labels, strict=True)
        batches = [Batch(batch.split, *part) for part in parts]
        own = zip(objectives, logits.unbind(), batches, strict=True)
        return torch.stack([loss(of_one, batch) for loss, of_one, batch in own])

    return one_by_one


def _validate(
    models: Sequence[nn.Module],
    weights: Weights,
    histories: Sequence[History],
    validation: Split,
    seeds: Sequence[int],
) -> None:
    _write_back(weights, models)
    for model, history, seed in zip(models, histories, seeds, strict=True):
        history.validation_accuracy.append(validation_accuracy(model, validation, seed))


def _one_each(losses: Loss | Sequence[Loss | None] | None, models: Sequence[nn.Module]) -> list[Loss | None]:
    if losses is None or callable(losses):
        return [losses] * len(models)
    check_one_each(losses, models, "losses")
    return list(losses)
