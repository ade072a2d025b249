"""What happened in training, and the frame around the loop that records it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from ..bars import progress_bar
from ..processes import Processes


@dataclass(repr=False)
class History:
    """What happened in one training run.

    Args:
        loss: Mean loss of each whole epoch.
        validation_accuracy: Accuracy after each epoch, if there was a validation split.
        seconds: How long it took; models trained together share the time of the whole pass.
        steps: Updates of the weights.
        interrupted: Whether it was stopped before its end; what was learnt is kept.
        device: Where it ran.

    Example:
        >>> History(loss=[2.3, 0.31], seconds=1.5, steps=64, device="cpu")
        History(2 epochs, 64 steps in 1.5 s on cpu, loss 2.300 → 0.310)
    """

    loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    steps: int = 0
    interrupted: bool = False
    device: str = "cpu"

    def end_epoch(self, loss: float, learning_rate: float, whose: str = "The loss") -> None:
        """Note the mean loss of an epoch.

        Raises:
            FloatingPointError: It is NaN or infinite: training has diverged.

        Example:
            >>> history = History()
            >>> history.end_epoch(0.7, learning_rate=1e-3)
            >>> history.loss
            [0.7]
        """
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"{whose} became {loss} in epoch {len(self.loss) + 1}: the learning rate {learning_rate:g} "
                "may be too high, so try a tenth of it, and check that the inputs hold no NaN."
            )
        self.loss.append(loss)

    def __repr__(self) -> str:
        epochs = "1 epoch" if len(self.loss) == 1 else f"{len(self.loss)} epochs"
        parts = [epochs, f"{self.steps:,} steps in {self.seconds:.1f} s on {self.device}"]
        if self.loss:
            parts.append(f"loss {self.loss[0]:.3f} → {self.loss[-1]:.3f}")
        if self.validation_accuracy:
            parts.append(f"validation accuracy {self.validation_accuracy[-1]:.1%}")
        if self.interrupted:
            parts.append("interrupted")
        return f"History({', '.join(parts)})"


@contextmanager
def recording(
    histories: Sequence[History], epochs: int, progress: bool, processes: Processes | None = None
) -> Iterator[tqdm[Any]]:
    """A bar over the epochs; an interruption ends the training, but not the program.

    Of several processes, the first shows the bar and says what there is to say, and all stop together.

    Example:
        >>> history = History()
        >>> with recording([history], epochs=2, progress=False) as bar:
        ...     for epoch in bar:
        ...         raise KeyboardInterrupt
        Interrupted in epoch 1 of 2, after 0 steps: what was learnt is kept.
        >>> history.interrupted
        True
    """
    start, processes = time.perf_counter(), processes or Processes()
    shown = progress and processes.first
    try:
        with (
            processes.interrupted_together(),
            progress_bar(range(epochs), title="training", unit="epoch", shown=shown) as bar,
        ):
            yield bar
    except KeyboardInterrupt:
        for history in histories:
            history.interrupted = True
        if processes.first:
            _say_interrupted(histories[0], epochs)
    finally:
        for history in histories:
            history.seconds = time.perf_counter() - start


def _say_interrupted(history: History, epochs: int) -> None:
    epoch, steps = min(len(history.loss) + 1, epochs), history.steps
    print(f"Interrupted in epoch {epoch} of {epochs}, after {steps:,} steps: what was learnt is kept.")
