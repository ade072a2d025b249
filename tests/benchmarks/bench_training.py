"""What `train` costs beside the same loop in bare PyTorch.

    python tests/benchmarks/bench_training.py

One thread; see measured.py for how ratios are taken.
"""

from __future__ import annotations

import statistics

import torch
import torch.nn.functional as F
from measured import Row, in_turn, ratio

from kdhelpers.data import Split
from kdhelpers.models import SignalCNN
from kdhelpers.seeding import seeded
from kdhelpers.training import train

ROWS, BATCH, EPOCHS, REPEATS = 2_560, 128, 2, 21
JOB = f"SignalCNN(25), batches of {BATCH}"


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


def rows() -> list[Row]:
    torch.set_num_threads(1)
    split, steps = split_of(ROWS), EPOCHS * -(-ROWS // BATCH)
    options = dict(epochs=EPOCHS, batch_size=BATCH, progress=False, device="cpu")
    times = in_turn(
        {
            "bare": lambda: bare(models(1)[0], split),
            "train": lambda: train(models(1)[0], split, **options),
        },
        REPEATS,
    )
    return [
        Row(f"a step of a bare loop, {JOB}", 1000 * statistics.median(times["bare"]) / steps, "ms"),
        ratio(f"`train` / a bare loop, {JOB}", times, "train", "bare", at_most=1.05),
    ]


if __name__ == "__main__":
    print(*rows(), sep="\n")
