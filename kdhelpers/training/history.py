"""What happened during training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from kdhelpers.bars import progress_bar
from kdhelpers.data import Split
from kdhelpers.evaluation import predict_logits


@dataclass(repr=False)
class History:
    """How a training run went.

    Args:
        loss: Mean loss of each epoch.
        validation_accuracy: Accuracy after each epoch, from 0 to 1; empty without a validation split.
        steps: Optimiser steps taken.
        seconds: Wall time.
        interrupted: Whether it was stopped before the last epoch.
        device: Where it ran.

    Example:
        >>> History(loss=[2.1, 0.7], steps=20, seconds=1.5, device="cpu")
        History(2 epochs, 20 steps, 1.5 s on cpu, loss 2.1 → 0.7)
    """

    loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    device: str = ""

    def __repr__(self) -> str:
        parts = [
            f"{len(self.loss)} epochs",
            f"{self.steps:,} steps",
            f"{self.seconds:.1f} s on {self.device}",
        ]
        if self.loss:
            parts.append(f"loss {self.loss[0]:.3g} → {self.loss[-1]:.3g}")
        if self.validation_accuracy:
            parts.append(f"validation accuracy {self.validation_accuracy[-1]:.1%}")
        return f"History({', '.join(parts)}{', interrupted' if self.interrupted else ''})"


def record_epoch(history: History, loss: Tensor, model: nn.Module, validation: Split | None) -> None:
    """Enter one finished epoch: its mean loss and, if asked for, the validation accuracy.

    Raises:
        FloatingPointError: The loss is no longer a number.

    Example:
        >>> import torch
        >>> history = History()
        >>> record_epoch(history, torch.tensor(0.25), nn.Identity(), None)
        >>> history.loss
        [0.25]
    """
    mean = float(loss)
    if mean != mean or abs(mean) == float("inf"):
        raise FloatingPointError(
            f"The loss became {mean} in epoch {len(history.loss) + 1}: start again with a lower "
            "learning_rate, and look at the inputs for NaN or very large numbers."
        )
    history.loss.append(mean)
    if validation is not None:
        if validation.labels is None:
            raise ValueError("The validation split has no labels: its accuracy cannot be measured.")
        known = validation.labelled
        right = predict_logits(model, validation).argmax(-1)[known] == validation.labels[known]
        history.validation_accuracy.append(right.float().mean().item())


@contextmanager
def watched(histories: list[History], epochs: int, progress: bool) -> Iterator[Callable[[], Any]]:
    """A block of training with a bar; its function is called once an epoch. Interrupting ends the block only.

    Example:
        >>> history = History()
        >>> with watched([history], epochs=3, progress=False) as tick:
        ...     raise KeyboardInterrupt
        Interrupted after 0 of 3 epochs: the model keeps what it has learned so far.
        >>> history.interrupted
        True
    """
    started = time.perf_counter()
    bar = progress_bar(epochs, "epoch", shown=progress)
    try:
        yield bar.update
    except KeyboardInterrupt:
        done = min(len(history.loss) for history in histories)
        print(f"Interrupted after {done} of {epochs} epochs: the model keeps what it has learned so far.")
        for history in histories:
            history.interrupted = True
    finally:
        bar.close()
        for history in histories:
            history.seconds = time.perf_counter() - started
