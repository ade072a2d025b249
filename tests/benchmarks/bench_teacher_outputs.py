"""What stored outputs cost: to record, to open, to read by id, and to train on beside plain training.

    python tests/benchmarks/bench_teacher_outputs.py

Opening is measured by the clock, all else in time of the processor with one thread, so that what else runs
on the machine matters little. Ratios of training are taken within a repeat, in turn forwards and backwards:
to plain training, which needs no teacher, and to the same loss on a tensor that needs no looking up.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from kdhelpers.data import Split
from kdhelpers.losses import distillation_loss
from kdhelpers.models import SignalCNN
from kdhelpers.seeding import seeded
from kdhelpers.teacher_outputs import TeacherOutputs, record_teacher
from kdhelpers.training import distill, train
from kdhelpers.training.batches import Batch

ROWS, CLASSES, READ, BATCH, REPEATS, TRAINED = 1_000_000, 10, 200_000, 128, 9, 5_120


def seconds(run: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    start = clock()
    run()
    return clock() - start


def million() -> Split:
    inputs = torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(0))
    return Split([f"pool-{row:06d}" for row in range(ROWS)], inputs)


def said(what: str, value: float, unit: str, digits: int = 2) -> None:
    print(f"{what:42} {value:12,.{digits}f} {unit}")


def of_a_million(folder: Path) -> None:
    split = million()
    taken = seconds(lambda: record_teacher(nn.Identity(), split, folder, batch_size=4096, progress=False))
    said(f"record {ROWS:,} rows of {CLASSES} classes", taken, "s, without the teacher's own time")
    times = [seconds(lambda: TeacherOutputs.open(folder), time.perf_counter) for _ in range(9)]
    said("open", 1000 * min(times), f"ms at best, {1000 * max(times):.1f} at worst", 1)
    outputs = TeacherOutputs.open(folder)
    said("first read, of one row", seconds(lambda: outputs.logits(split.ids[:1])), "s")
    said("check", seconds(outputs.check), "s")
    said("open and compare all rows", seconds(lambda: TeacherOutputs.open(folder, split=split)), "s")
    ids = random.Random(0).sample(split.ids, READ)
    batches = [ids[start : start + BATCH] for start in range(0, READ, BATCH)]
    times = [seconds(lambda: [outputs.logits(batch) for batch in batches]) for _ in range(5)]
    said(f"random reads by id, {BATCH} at a time", READ / min(times), "rows/s at best", 0)


def training(folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (TRAINED,), generator=generator)
    ids = [f"r{row}" for row in range(TRAINED)]
    split = Split(ids, torch.randn(TRAINED, 40, generator=generator), labels)
    outputs = record_teacher(seeded(SignalCNN, 1), split, folder, progress=False)
    held = outputs.logits(ids)
    options = dict(epochs=1, batch_size=BATCH, progress=False, device="cpu")

    def by_row(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        return distillation_loss(logits, held[batch.rows], batch.labels)

    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: train(seeded(SignalCNN, 0), split, **options),
        "by row": lambda: train(seeded(SignalCNN, 0), split, by_row, **options),
        "stored": lambda: distill(seeded(SignalCNN, 0), split, outputs, **options),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(-1, REPEATS):  # the first warms up
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            taken = seconds(ways[name])
            if repeat >= 0:
                times[name].append(taken)
    said(f"plain epoch of {TRAINED:,} rows, SignalCNN", statistics.median(times["plain"]), "s")
    for to, words in (("plain", "plain training"), ("by row", "the same loss on a tensor in memory")):
        ratios = [one / other for one, other in zip(times["stored"], times[to], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"stored outputs / {words}: {middle:.3f} (half of the repeats from {low:.3f} to {high:.3f})")


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if "--training" not in sys.argv:
            of_a_million(Path(folder) / "million")
        training(Path(folder) / "trained")


if __name__ == "__main__":
    main()
