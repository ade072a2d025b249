"""What `train` costs beside the same loop in bare PyTorch, and `train_many` beside one `train`.

    python tests/benchmarks/bench_training.py

Times are of the processor, with one thread, so that what else runs on the machine matters little. Each repeat
takes all ways one after the other, in turn forwards and backwards, and ratios are taken within a repeat: what
slows the machine down for a while slows all of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from kdhelpers.data import Split
from kdhelpers.models import SignalCNN
from kdhelpers.seeding import seeded
from kdhelpers.training import train, train_many

ROWS, BATCH, EPOCHS, REPEATS, REPLICAS = 2_560, 128, 2, 11, 5


def split_of(rows: int) -> Split:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (rows,), generator=generator)
    return Split(range(rows), torch.randn(rows, 40, generator=generator), labels)


def models(count: int) -> list[SignalCNN]:
    return [seeded(lambda: SignalCNN(channels=25), seed) for seed in range(count)]


def bare(model: torch.nn.Module, split: Split) -> None:
    """The loop that `train` is, without anything around it."""
    inputs, labels = split.inputs, split.labels
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    shuffle = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(EPOCHS):
        total = torch.zeros(())
        for rows in torch.randperm(len(split), generator=shuffle).split(BATCH):
            optimiser.zero_grad()
            loss = F.cross_entropy(model(inputs[rows]), labels[rows])
            loss.backward()
            optimiser.step()
            total += loss.detach() * len(rows)
        total.item()


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def measure(split: Split) -> dict[str, list[float]]:
    options = dict(epochs=EPOCHS, batch_size=BATCH, progress=False, device="cpu")
    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(models(1)[0], split),
        "train": lambda: train(models(1)[0], split, **options),
        "many": lambda: train_many(models(REPLICAS), split, seeds=range(REPLICAS), **options),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(-1, REPEATS):  # the first warms up
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            taken = seconds(ways[name])
            if repeat >= 0:
                times[name].append(taken)
    return times


def ratio(times: dict[str, list[float]], name: str, to: str) -> str:
    ratios = [one / other for one, other in zip(times[name], times[to], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:5.3f}   (half of the repeats between {low:.3f} and {high:.3f})"


def main() -> None:
    torch.set_num_threads(1)
    steps = EPOCHS * -(-ROWS // BATCH)
    times = measure(split_of(ROWS))
    print(f"SignalCNN(25), batch {BATCH}, {REPEATS} repeats of {steps} steps")
    for name, words in (("bare", "bare PyTorch"), ("train", "train"), ("many", f"train_many, {REPLICAS}")):
        print(f"{words:14} {1000 * statistics.median(times[name]) / steps:7.2f} ms a step")
    print(f"train / bare PyTorch                {ratio(times, 'train', 'bare')}")
    print(f"train_many of {REPLICAS} models / one train  {ratio(times, 'many', 'train')}")


if __name__ == "__main__":
    main()
