"""How fast is this machine, in the training step that the lessons' minutes were measured with?"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from kdhelpers.devices import best_device
from kdhelpers.seeding import seeded_randomness

# What the step takes on the machine that the lessons were measured on.
REFERENCE_STEP_MS = 1.0
SECONDS = 0.6
STEPS = 5


def measure_step_ms() -> float:
    """Milliseconds of one known training step here: a small network, 128 signals of 40 numbers.

    Rounds of a few steps for about half a second; the best counts, so that another program's burst does not.

    Example:
        >>> measure_step_ms() > 0
        True
    """
    step = _known_step(best_device())
    threads = torch.get_num_threads()
    # One thread: several would wait for each other whenever another program runs, and measure that.
    torch.set_num_threads(1)
    try:
        step()
        return _best_round(step)
    finally:
        torch.set_num_threads(threads)


def _best_round(step: Callable[[], float]) -> float:
    end, best = time.perf_counter() + SECONDS, float("inf")
    while True:
        best = min(best, _timed(step))
        if time.perf_counter() > end:
            return best


def _known_step(device: torch.device) -> Callable[[], float]:
    with seeded_randomness(0):
        model = nn.Sequential(
            nn.Linear(40, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
        )
        inputs = torch.randn(128, 40).to(device)
    model.to(device)
    labels = torch.arange(128, device=device) % 10
    optimiser = torch.optim.Adam(model.parameters())

    def step() -> float:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()  # waits for the device

    return step


def _timed(step: Callable[[], float]) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - start) / STEPS * 1000
