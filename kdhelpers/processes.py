"""Several processes that act as one: the same result on all of them, and an error of one told to all.

They are those that ``accelerate launch`` starts. A process that merely raised would leave the others waiting
for it: here each says how it fared before any goes on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from .extras import need

T = TypeVar("T")
_PLAIN = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_NPU", "MULTI_XPU", "MULTI_MLU")
_INTERRUPTED = "interrupted"


class Processes:
    """The processes of a run, as an ``accelerate.Accelerator`` knows them; without one, this process alone.

    Args:
        accelerator: Of plain data parallelism: no DeepSpeed or FSDP, no mixed precision, no accumulation of
            gradients.

    Raises:
        ImportError: accelerate is not installed.
        ValueError: It is no Accelerator, or one of another kind.

    Example:
        >>> alone = Processes()
        >>> alone.number, alone.count, alone.first
        (0, 1, True)
    """

    def __init__(self, accelerator: object | None = None) -> None:
        self._accelerator: Any = None if accelerator is None else _checked(accelerator)
        self._asked_to_stop = False

    @property
    def number(self) -> int:
        """Which of them this is, from 0."""
        return 0 if self._accelerator is None else int(self._accelerator.process_index)

    @property
    def count(self) -> int:
        """How many there are."""
        return 1 if self._accelerator is None else int(self._accelerator.num_processes)

    @property
    def first(self) -> bool:
        """Whether this is the one that shows bars, and writes what is written once."""
        return self.number == 0

    @property
    def device(self) -> torch.device | None:
        """Where this process runs its models; None without an accelerator."""
        return None if self._accelerator is None else torch.device(self._accelerator.device)

    def each(self, work: Callable[[], T]) -> list[T]:
        """Let each process do its work, and give all of them the results of all, by number.

        Raises:
            Exception: The work failed here.
            RuntimeError: It failed in another process, which is named.
            KeyboardInterrupt: It was interrupted in any.

        Example:
            >>> Processes().each(lambda: "done")
            ['done']
        """
        if self.count == 1:
            return [work()]
        result, error = self._tried(work)
        told: list[tuple[T, str | None]] = self._gathered((result, _said(error)))
        self._stop_at(error, [said for _, said in told])
        return [result for result, _ in told]

    def once(self, work: Callable[[], T]) -> T:
        """Let the first process do the work while the others wait, and give all of them its result.

        Raises:
            Exception: As of ``each``.

        Example:
            >>> Processes().once(lambda: 7)
            7
        """
        # The others' own result is never looked at.
        return self.each(lambda: work() if self.first else None)[0]  # type: ignore[return-value]

    def sum(self, work: Callable[[], Tensor], like: Tensor) -> Tensor:
        """The sum over all processes of the vectors (n,) that their work gives, the same on all of them.

        Args:
            work: Gives this process's vector.
            like: A vector of the same size, dtype and device, whose numbers don't matter.

        Raises:
            Exception: As of ``each``.

        Example:
            >>> Processes().sum(lambda: torch.ones(2), like=torch.empty(2))
            tensor([1., 1.])
        """
        if self.count == 1:
            return work()
        vector, error = self._tried(work)
        # One more number tells whether all are well: no second message is needed as long as they are.
        failed = like.new_full((1,), float(error is not None))
        sent = torch.cat([torch.zeros_like(like) if vector is None else vector, failed])
        total: Tensor = self._accelerator.reduce(sent, "sum")
        if total[-1]:
            self._stop_at(error, self._gathered(_said(error)))
        return total[:-1]

    def check_same(self, what: str, value: object) -> None:
        """Refuse to go on where the processes don't have the same of something.

        Raises:
            ValueError: They differ; all processes raise it.

        Example:
            >>> Processes().check_same("split", ["a", "b"])
        """
        values = self.each(lambda: value)
        differing = [number for number, other in enumerate(values) if other != values[0]]
        if differing:
            raise ValueError(
                f"Process {differing[0]} has another {what} than process 0: make it in the same way "
                "in all processes, from the same seed."
            )

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite these tensors with those of the first process, in place.

        Example:
            >>> Processes().copy_from_first([torch.zeros(2)])
        """
        if self.count == 1:
            return
        broadcast = need("accelerate.utils", extra="accelerate").broadcast
        with torch.no_grad():
            for tensor in tensors:
                tensor.copy_(broadcast(tensor.detach().clone().contiguous()))

    @contextmanager
    def interrupted_together(self) -> Iterator[None]:
        """A block in which Ctrl+C waits until the processes meet next, so that all stop at the same point.

        Example:
            >>> with Processes().interrupted_together():
            ...     pass
        """
        if self.count == 1 or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._stop_later)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def stop_if_asked(self) -> None:
        """For long work, in between: act on a Ctrl+C that ``interrupted_together`` holds back.

        Raises:
            KeyboardInterrupt: There was one.

        Example:
            >>> Processes().stop_if_asked()
        """
        if self._asked_to_stop:
            self._asked_to_stop = False
            raise KeyboardInterrupt

    def _stop_later(self, *_: object) -> None:
        self._asked_to_stop = True

    def _tried(self, work: Callable[[], T]) -> tuple[Any, BaseException | None]:
        try:
            self.stop_if_asked()
            return work(), None
        except BaseException as error:  # raised by _stop_at, once the others know
            return None, error

    def _gathered(self, value: Any) -> list[Any]:
        found: list[Any] = need("accelerate.utils", extra="accelerate").gather_object([value])
        return found

    def _stop_at(self, error: BaseException | None, said: list[str | None]) -> None:
        if error is not None:
            raise error
        if _INTERRUPTED in said:
            raise KeyboardInterrupt
        for number, words in enumerate(said):
            if words is not None:
                raise RuntimeError(
                    f"Process {number} of {self.count} failed, so that this one stops too: {words}"
                )


def _said(error: BaseException | None) -> str | None:
    if error is None:
        return None
    return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _checked(accelerator: object) -> Any:
    kind: type[Any] = need("accelerate", extra="accelerate").Accelerator
    if not isinstance(accelerator, kind):
        raise ValueError(f"accelerator is {accelerator!r}: pass an accelerate.Accelerator, or leave it out.")
    found: Any = accelerator
    if found.distributed_type.value not in _PLAIN:
        raise ValueError(
            f"The accelerator is of type {found.distributed_type.value}, which spreads one model over the "
            "processes: launch without it, so that each process has the whole model."
        )
    if found.mixed_precision not in ("no", None) or found.gradient_accumulation_steps != 1:
        raise ValueError(
            "The accelerator has mixed precision or accumulates gradients, which would change the results: "
            "leave both out, and give the model the dtype and the call the batch size that you want."
        )
    return found
