"""One short loop that trains a model, written to be read."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from ..data import Split
from ..evaluation import in_mode
from ..logits import logits_of
from ..processes import Processes
from ..seeding import generator
from .batches import Loss, as_loss, batch_of
from .history import History, recording
from .settings import (
    adamw,
    check_settings,
    check_validation,
    choose_device,
    learning_rates,
    own_randomness,
    trainable,
    validation_accuracy,
)
from .sharing import begin_together, counted_rows, end_together, shared


@own_randomness
def train(
    model: nn.Module,
    split: Split,
    loss: Loss | None = None,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    validation: Split | None = None,
    progress: bool = True,
    weight_decay: float = 0.0,
    schedule: str = "constant",
    device: str | torch.device | None = None,
    accelerator: object | None = None,
) -> History:
    """Train a model in place. Interrupting it (Ctrl+C, or the stop button) keeps what was learnt.

    Args:
        model: Called with inputs (B, ...), or a list of B texts; gives logits (B, C), or an
            object or mapping that has them as ``logits``, as models of transformers do.
        split: The rows to learn from.
        loss: Called with logits (B, C) and their ``Batch``; gives a scalar. None: cross-entropy over the
            rows that have a label.
        epochs: How often each row is seen.
        batch_size: Rows a step; the last step of an epoch may have fewer.
        learning_rate: Of AdamW; the highest one in a cycle.
        seed: Of the order of the rows and of everything else random, such as dropout.
        validation: Measured after each epoch. It never changes what is learnt.
        progress: Whether to show a bar.
        weight_decay: Of AdamW; without it, AdamW is Adam.
        schedule: "constant", or "one-cycle": the learning rate rises, then falls to almost 0.
        device: Where to train; by default on CUDA, else MPS, else the CPU. The model stays there.
        accelerator: An ``accelerate.Accelerator``, for a script that ``accelerate launch`` runs in several
            processes (the extra ``accelerate``), each of which makes this call. Every step's rows are split
            between them, and each ends with the weights of a run in one process but for rounding, as long as
            the loss is a mean over rows and nothing is random in the model (``docs/scaling.md``).

    Returns:
        Loss and accuracy of each epoch, steps, seconds; the same in all processes.

    Raises:
        ValueError: A setting out of range, no labels to learn from, or a loss that is not one number.
        FloatingPointError: The loss became NaN or infinite; looked at once an epoch.

    Example:
        >>> split = Split(ids=range(8), inputs=torch.eye(8), labels=torch.arange(8) % 2)
        >>> history = train(nn.Linear(8, 2), split, epochs=20, learning_rate=0.1, progress=False)
        >>> history.steps, history.loss[-1] < history.loss[0]
        (20, True)
    """
    check_settings(epochs, batch_size, learning_rate, weight_decay, schedule)
    check_validation(validation)
    loss, counted, processes = as_loss(loss, split), counted_rows(loss, split), Processes(accelerator)
    place = choose_device(device, [model], processes)
    begin_together(model.to(place), split, seed, processes)
    optimiser = adamw(trainable(model), learning_rate, weight_decay)
    rates = learning_rates(optimiser, schedule, epochs * math.ceil(len(split) / batch_size))
    shuffle, history = generator(seed), History(device=str(place))

    def learn(rows: Tensor) -> Tensor:
        batch = batch_of(split, rows, place)
        value = loss(logits_of(model(batch.inputs)), batch)
        value.backward()
        return value.detach()

    step = shared(learn, optimiser, counted, place, processes)
    with recording([history], epochs, progress, processes) as bar, in_mode(model, training=True):
        for _ in bar:
            total = torch.zeros((), device=place)
            for rows in torch.randperm(len(split), generator=shuffle).split(batch_size):
                optimiser.zero_grad()
                total += step(rows) * len(rows)
                optimiser.step()
                rates.step()
                history.steps += 1

            history.end_epoch(total.item() / len(split), learning_rate)
            bar.set_postfix(loss=f"{history.loss[-1]:.3f}", refresh=False)
            if validation is not None:
                measure = partial(validation_accuracy, model, validation, seed)
                history.validation_accuracy.append(processes.once(measure))
    return end_together(model, history, processes)
