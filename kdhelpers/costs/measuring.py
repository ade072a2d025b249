"""Costs that are timed on this machine, together with the counted ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import device_of
from ..modes import as_module, in_mode
from .counts import bytes_on_disk, count_flops, count_parameters
from .running import one_row
from .table import Costs

THROUGHPUT_SECONDS = 0.5
THROUGHPUT_BATCHES = 3
SIZES = ("parameters", "bytes", "threads")


class Served(Protocol):
    """A model that runs outside torch and tells its own size, such as an OnnxPredictor."""

    parameters: int
    bytes: int
    threads: int

    def __call__(self, inputs: Any, /) -> Any:
        """Logits (B, C) of inputs (B, ...)."""
        ...

    def memory(self, example: Any, /) -> int:
        """Bytes that a process of its own needs to load the model and answer."""
        ...


def measure_costs(
    model: nn.Module | Served,
    example: Tensor | list[str],
    *,
    repeats: int = 200,
    warmup: int = 20,
    batch_size: int = 256,
    memory: bool = False,
) -> Costs:
    """Measure what a model costs where its parameters are; its modes (train or eval) are kept.

    Latency is timed one call after the other, each with one example and each until the device is done.
    Throughput is the median over batches, for half a second and at least three of them.

    Args:
        model: Any model that takes the example as its one argument; an OnnxPredictor too,
            whose FLOPs are unknown.
        example: One row: a tensor (1, ...) or a list with one text.
        repeats: How many calls are timed for the latency, 10 or more.
        warmup: How many calls go before, untimed.
        batch_size: Copies of the example in a batch, for the throughput.
        memory: Whether to start an exported model in a process of its own, to see what memory it needs.

    Raises:
        ValueError: The example is not one row, a number is too small, the model does not tell its size, or
            memory is asked of a model that is not exported.

    Example:
        >>> costs = measure_costs(nn.Linear(40, 10), torch.zeros(1, 40), repeats=10)
        >>> costs.parameters, costs.flops
        (410, 800)
    """
    if repeats < 10 or warmup < 0 or batch_size < 1:
        raise ValueError(
            f"repeats must be 10 or more, warmup 0 or more and batch_size 1 or more, "
            f"not {repeats}, {warmup} and {batch_size}."
        )
    _check_size_known(model)
    module = as_module(model)
    example, device = one_row(example, module), device_of(module)
    needed = memory_of(model)(example) if memory else None
    batch = example * batch_size if isinstance(example, list) else torch.cat([example] * batch_size)
    with in_mode(module, training=False), torch.inference_mode():
        latencies = _milliseconds(lambda: model(example), device, repeats, warmup)
        batches = _batch_milliseconds(lambda: model(batch), device)
    return Costs(
        parameters=count_parameters(model) if isinstance(model, nn.Module) else model.parameters,
        bytes=bytes_on_disk(model) if isinstance(model, nn.Module) else model.bytes,
        flops=count_flops(model, example) if isinstance(model, nn.Module) else None,
        latency_p50_ms=float(np.percentile(latencies, 50)),
        latency_p95_ms=float(np.percentile(latencies, 95)),
        throughput=1e3 * batch_size / float(np.median(batches)),
        batch_size=batch_size,
        device=device.type,
        threads=torch.get_num_threads() if isinstance(model, nn.Module) else model.threads,
        memory=needed,
    )


def memory_of(model: nn.Module | Served) -> Callable[[Any], int]:
    """What tells the memory of a model that can be started in a process by itself.

    Raises:
        ValueError: The model cannot.

    Example:
        >>> memory_of(nn.Linear(40, 10))
        Traceback (most recent call last):
        ValueError: To measure its memory, export the Linear: only a served model can be started by itself.
    """
    if isinstance(model, nn.Module) or not hasattr(model, "memory"):
        raise ValueError(
            f"To measure its memory, export the {type(model).__name__}: only a served model can be started "
            "by itself."
        )
    return model.memory


def _check_size_known(model: nn.Module | Served) -> None:
    if not isinstance(model, nn.Module) and not all(hasattr(model, name) for name in SIZES):
        raise ValueError(
            f"The costs of a {type(model).__name__} are unknown: give an nn.Module, an OnnxPredictor, or "
            f"what has {', '.join(SIZES)}."
        )


def _milliseconds(call: Callable[[], object], device: torch.device, repeats: int, warmup: int) -> list[float]:
    for _ in range(warmup):
        call()
    return [_milliseconds_of(call, device) for _ in range(repeats)]


def _batch_milliseconds(call: Callable[[], object], device: torch.device) -> list[float]:
    call()
    times: list[float] = []
    total = 0.0  # not summed anew each time, which would take minutes for a model of microseconds
    while len(times) < THROUGHPUT_BATCHES or total < 1e3 * THROUGHPUT_SECONDS:
        times.append(_milliseconds_of(call, device))
        total += times[-1]
    return times


def _milliseconds_of(call: Callable[[], object], device: torch.device) -> float:
    _wait_for(device)
    start = time.perf_counter()
    call()
    _wait_for(device)
    return 1e3 * (time.perf_counter() - start)


def _wait_for(device: torch.device) -> None:
    # GPUs return before they are done.
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
