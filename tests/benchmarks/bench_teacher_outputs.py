"""What stored outputs cost: to record, to open, to read by id, and to train on beside plain training.

    python tests/benchmarks/bench_teacher_outputs.py [--training]

Opening is measured by the clock, all else in time of the processor with one thread. Training on stored
outputs is compared with plain training, which needs no teacher, and with the same loss on a tensor that needs
no looking up. See measured.py for how ratios are taken.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from measured import Row, in_turn, ratio, seconds
from torch import nn

from kdhelpers.data import Split
from kdhelpers.losses import distillation_loss
from kdhelpers.models import SignalCNN
from kdhelpers.seeding import seeded
from kdhelpers.teacher_outputs import TeacherOutputs, record_teacher
from kdhelpers.training import distill, train
from kdhelpers.training.batches import Batch

ROWS, READ, REPEATS, TRAINED, BATCH, EPOCHS = 1_000_000, 200_000, 21, 2_560, 128, 2
CLASSES, BATCHES, READS = (10, 77), (128, 512), 9


def million(classes: int) -> Split:
    inputs = torch.randn(ROWS, classes, generator=torch.Generator().manual_seed(0))
    return Split([f"pool-{row:06d}" for row in range(ROWS)], inputs)


def of_a_million(folder: Path, classes: int) -> Iterator[Row]:
    split, what = million(classes), f"{ROWS:,} rows of {classes} classes"
    taken = seconds(lambda: record_teacher(nn.Identity(), split, folder, batch_size=4096, progress=False))
    yield Row(f"record {what}, without the teacher's own time", taken, "s")
    times = [seconds(lambda: TeacherOutputs.open(folder), time.perf_counter) for _ in range(9)]
    yield Row(f"open {what}", 1000 * statistics.median(times), "ms")
    outputs = TeacherOutputs.open(folder)
    first = seconds(lambda: outputs.logits(split.ids[:1]))
    yield Row("read the first row, with all ids", first, "s")
    compared = seconds(lambda: TeacherOutputs.open(folder, split=split))
    yield Row(f"open {what} and compare all inputs", compared, "s")
    yield from reads(outputs, split.ids, classes)


def read_all(outputs: TeacherOutputs, batches: list[list[str | int]]) -> None:
    for batch in batches:
        outputs.logits(batch)


def reads(outputs: TeacherOutputs, known: tuple[str | int, ...], classes: int) -> Iterator[Row]:
    ids = random.Random(0).sample(known, READ)
    for size in BATCHES:
        batches = [ids[start : start + size] for start in range(0, READ, size)]
        times = in_turn({"reads": partial(read_all, outputs, batches)}, READS)["reads"]
        low, middle, high = statistics.quantiles([READ / one for one in times], n=4)
        what = f"random reads by id out of {ROWS:,}, {size} at a time, {classes} classes in float16"
        yield Row(what, middle, "rows/s", at_least=1_000_000, half=(low, high))


def training(folder: Path) -> Iterator[Row]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (TRAINED,), generator=generator)
    ids = [f"r{row}" for row in range(TRAINED)]
    split = Split(ids, torch.randn(TRAINED, 40, generator=generator), labels)
    outputs = record_teacher(seeded(SignalCNN, 1), split, folder, progress=False)
    held = outputs.logits(ids)
    options = dict(epochs=EPOCHS, batch_size=BATCH, progress=False, device="cpu")

    def by_row(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        return distillation_loss(logits, held[batch.rows], batch.labels)

    times = in_turn(
        {
            "plain": lambda: train(seeded(SignalCNN, 0), split, **options),
            "by row": lambda: train(seeded(SignalCNN, 0), split, by_row, **options),
            "stored": lambda: distill(seeded(SignalCNN, 0), split, outputs, **options),
        },
        REPEATS,
    )
    job = f"SignalCNN, batches of {BATCH}"
    steps = EPOCHS * -(-TRAINED // BATCH)
    yield Row(
        f"a step of plain training on labels, {job}", 1000 * statistics.median(times["plain"]) / steps, "ms"
    )
    yield ratio(f"`distill` on stored outputs / plain training, {job}", times, "stored", "plain", at_most=1.1)
    yield ratio(
        "`distill` on stored outputs / the same loss on a tensor in memory", times, "stored", "by row"
    )


def rows() -> list[Row]:
    torch.set_num_threads(1)
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        if "--training" not in sys.argv:
            for classes in CLASSES:
                found += of_a_million(Path(folder) / f"million of {classes}", classes)
        found += training(Path(folder) / "trained")
    return found


if __name__ == "__main__":
    print(*rows(), sep="\n")
