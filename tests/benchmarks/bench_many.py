"""What `train_many` of five replicas costs beside one `train`, by the size of the model and of a step.

    python tests/benchmarks/bench_many.py

Replicas share what a step costs whatever its size: the calls, the optimiser, the order of the rows. They
don't share what grows with the rows, and side by side they leave the cache sooner than one does alone. So
the smaller a step, the less the others cost. One thread.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from measured import Row, in_turn, ratio
from torch import nn

from kdhelpers.data import Split
from kdhelpers.models import SignalCNN, SignalMLP
from kdhelpers.seeding import seeded
from kdhelpers.training import train, train_many

STEPS, REPEATS, REPLICAS, ASKED = 30, 11, 5, 2.5
MODELS: dict[str, Callable[[], nn.Module]] = {
    "SignalCNN(25)": lambda: SignalCNN(channels=25),
    "SignalMLP(32)": lambda: SignalMLP(hidden=32),
}


def split_of(rows: int) -> Split:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (rows,), generator=generator)
    return Split(range(rows), torch.randn(rows, 40, generator=generator), labels)


def row(name: str, batch_size: int) -> Row:
    split, build = split_of(STEPS * batch_size), MODELS[name]
    options = dict(epochs=1, batch_size=batch_size, progress=False, device="cpu")
    times = in_turn(
        {
            "one": lambda: train(seeded(build, 0), split, **options),
            "many": lambda: train_many(
                [seeded(build, seed) for seed in range(REPLICAS)], split, seeds=range(REPLICAS), **options
            ),
        },
        REPEATS,
    )
    what = f"`train_many` of {REPLICAS} / one `train`, {name}, batches of {batch_size}"
    return ratio(what, times, "many", "one", at_most=ASKED)


def rows() -> list[Row]:
    torch.set_num_threads(1)
    return [row(name, batch_size) for name in MODELS for batch_size in (8, 32, 128)]


if __name__ == "__main__":
    print(*rows(), sep="\n")
