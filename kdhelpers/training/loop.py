"""One training loop that a reader can follow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdhelpers.data import Split
from kdhelpers.devices import best_device, device_of
from kdhelpers.evaluation import in_mode
from kdhelpers.seeding import generator, seeded_randomness
from kdhelpers.training.batches import Batch, Loader
from kdhelpers.training.history import History, record_epoch, watched
from kdhelpers.training.settings import check_settings, label_loss, make_schedule

Loss = Callable[[Tensor, Batch], Tensor]
"""Takes the model's logits for a batch and the batch, returns one number to make small."""


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
) -> History:
    """Train a model in place with AdamW, and say how it went.

    Interrupting (the stop button, Ctrl-C) keeps what was trained until then. The global random state is
    left as it was: order of rows and dropout depend on `seed` alone.

    Args:
        model: Takes inputs (B, ...) or a list of B texts, gives logits (B, C).
        split: The rows to learn from.
        loss: Called as ``loss(logits, batch)``; None is cross-entropy over the rows that have a label.
        epochs: Passes over the split.
        batch_size: Rows a step; the last step of an epoch may have fewer.
        learning_rate: AdamW's, the highest of the schedule.
        seed: Decides the order of the rows.
        validation: If given, its accuracy is measured after each epoch. It never changes the training.
        progress: Whether to show a bar.
        weight_decay: AdamW's.
        schedule: "constant", or "one-cycle" (up, then down to almost 0; arXiv:1708.07120).
        device: Where to train; None takes a GPU if there is one. The model stays there.

    Raises:
        ValueError: A bad setting, or no labels and no loss.
        FloatingPointError: The loss is no longer a number.

    Example:
        >>> split = Split(ids=range(4), inputs=torch.eye(4), labels=torch.tensor([0, 1, 0, 1]))
        >>> history = train(nn.Linear(4, 2), split, epochs=50, learning_rate=0.1, progress=False)
        >>> history.loss[-1] < 0.1 < history.loss[0]
        True
    """
    check_settings(epochs, batch_size, learning_rate, weight_decay, schedule)
    loss = loss or label_loss(split)
    model.to(best_device(device))
    loader = Loader(split, device_of(model))
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    scheduler = make_schedule(schedule, optimizer, learning_rate, steps=epochs * -(-len(split) // batch_size))
    shuffle = generator(seed)
    history = History(device=str(loader.device))

    with in_mode(model, training=True), seeded_randomness(seed), watched([history], epochs, progress) as tick:
        for _ in range(epochs):
            total = torch.zeros((), device=loader.device)
            for rows in torch.randperm(len(split), generator=shuffle).split(batch_size):
                batch = loader.batch(rows)
                optimizer.zero_grad()
                value = loss(model(batch.inputs), batch)
                value.backward()
                optimizer.step()
                scheduler.step()
                history.steps += 1
                total += value.detach() * len(rows)
            record_epoch(history, total / len(split), model, validation)
            tick()
    return history
