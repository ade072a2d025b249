"""Asking a model that may be slow or down: it is given up after a while, and left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from .answers import Answering, run_model

# These say that code is wrong, not that a service is down: to hide them would hide them for good.
MISTAKES = (AssertionError, AttributeError, ImportError, NameError, NotImplementedError, TypeError)


class Unanswered(Exception):
    """The model raised, took too long, or is left alone because it did so before."""


class Asking:
    """A model that is called with a time limit, and not called at all for a while after it failed.

    With a timeout each call runs in a thread of its own. A call that takes longer is given up: its answer is
    thrown away when it comes, and until it comes no other is started. So calls that hang never pile up, and
    none keeps Python from exiting. After a failure one call at a time tries whether the model answers again.
    Source: Nygard 2007, "Release It!", the circuit breaker.

    Several threads may ask at once, if the model itself allows that.

    Args:
        model: An OnnxPredictor, an nn.Module, or any function.
        timeout: Seconds that a call may take. None: no limit, no thread, and errors are raised as they are.
        retry_after: Seconds after a failure in which the model is not asked.

    Raises:
        ValueError: A timeout that is not above 0, or a negative retry_after.

    Example:
        >>> asking = Asking(lambda texts: [[0, len(text)] for text in texts], timeout=10)
        >>> asking(["help"])
        [[0, 4]]
    """

    def __init__(self, model: Answering, timeout: float | None = None, retry_after: float = 30.0) -> None:
        if timeout is not None and not 0 < timeout <= threading.TIMEOUT_MAX:
            raise ValueError(f"timeout is {timeout}: give seconds above 0, or None to wait without limit.")
        if not retry_after >= 0:
            raise ValueError(f"retry_after is {retry_after}: give 0 seconds or more.")
        self.model, self.timeout, self.retry_after = model, timeout, float(retry_after)
        self._lock = threading.Lock()
        self._running = 0
        self._failed_at: float | None = None

    def __call__(self, inputs: Any) -> Any:
        """What the model gives for the inputs.

        Raises:
            Unanswered: With a timeout: it raised, took longer, or failed a while ago.
            Exception: What the model raised, without a timeout or if it says that code is wrong.

        Example:
            >>> def down(texts):
            ...     raise ConnectionError("no route")
            >>> Asking(down, timeout=10)(["help"])
            Traceback (most recent call last):
            kdhelpers.serving.asking.Unanswered: the model raised ConnectionError: no route
        """
        if self.timeout is None:
            return run_model(self.model, inputs)
        started = self._admitted()
        try:
            done = _in_thread(lambda: run_model(self.model, inputs), self._ended, self.timeout)
        except BaseException:  # who interrupts the wait leaves a call that hangs
            self._failed()
            raise
        if not done:
            self._failed()
            raise Unanswered(f"the model took longer than {self.timeout:g} s")
        answer, error = done[0]
        if error is None:
            self._answered(started)
            return answer
        if not isinstance(error, Exception) or isinstance(error, MISTAKES):
            raise error
        self._failed()
        raise Unanswered(f"the model raised {type(error).__name__}: {error}") from error

    def _admitted(self) -> float:
        with self._lock:
            now = time.monotonic()
            # After a failure: not too soon, and not while an earlier call still runs, be it late or a try.
            if self._failed_at is not None and (now < self._failed_at + self.retry_after or self._running):
                raise Unanswered("the model failed before and is not asked yet")
            self._running += 1
            return now

    def _ended(self) -> None:
        with self._lock:
            self._running -= 1

    def _failed(self) -> None:
        with self._lock:
            self._failed_at = time.monotonic()

    def _answered(self, started: float) -> None:
        with self._lock:
            # An answer to what was asked before the failure does not say that it is over.
            if self._failed_at is not None and started >= self._failed_at + self.retry_after:
                self._failed_at = None


def _in_thread(
    work: Callable[[], Any], ended: Callable[[], None], timeout: float
) -> list[tuple[Any, BaseException | None]]:
    """The work's result and error, or nothing if it took longer; ``ended`` is called when it really ends."""
    done: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except BaseException as error:
            problem = error
        finally:
            ended()
        done.append((result, problem))

    # A daemon, so that Python can exit while it hangs.
    thread = threading.Thread(target=run, name="asked model", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # no thread to be had
        ended()
        return [(None, error)]
    thread.join(timeout)
    return done[:1]
