"""How much faster two processes label and train than one, one thread each, under ``accelerate launch``.

    python tests/benchmarks/bench_accelerate.py

Launches with one and two processes take turns. What else runs on the machine slows two processes down more
than one, so that the ratio by the clock is worth what the load allows. The time of the processors tells what
it would be where each process has a core of its own: the time of one alone, over that of the busiest of two.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from kdhelpers.data import Split
from kdhelpers.models import SignalCNN
from kdhelpers.seeding import seeded
from kdhelpers.teacher_outputs import record_teacher
from kdhelpers.training import train

ROWS, FEATURES, CLASSES, WIDTH, LAYERS, SIGNALS = 16_384, 256, 100, 1024, 4, 5_120
LAUNCHES, REPEATS = 3, 3


def teacher() -> nn.Module:
    torch.manual_seed(0)
    sizes = [FEATURES, *[WIDTH] * LAYERS]
    layers = [part for one in pairwise(sizes) for part in (nn.Linear(*one), nn.GELU())]
    return nn.Sequential(*layers, nn.Linear(WIDTH, CLASSES))


def split() -> Split:
    inputs = torch.randn(ROWS, FEATURES, generator=torch.Generator().manual_seed(0))
    return Split([f"pool-{row:06d}" for row in range(ROWS)], inputs)


def signals() -> Split:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (SIGNALS,), generator=generator)
    return Split(range(SIGNALS), torch.randn(SIGNALS, 40, generator=generator), labels)


def work(folder: Path) -> None:
    """What each process does: each kind of work a few times, and write down the least that it took."""
    from accelerate import Accelerator

    accelerator, rows, asked, small = Accelerator(cpu=True), split(), teacher(), signals()
    options = dict(progress=False, accelerator=accelerator)
    ways: dict[str, Callable[[Path], object]] = {
        "label": lambda store: record_teacher(asked, rows, store, shard_rows=1024, **options),
        "train": lambda _: train(seeded(SignalCNN, 0), small, epochs=1, **options),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for repeat in range(REPEATS):
        for name, way in ways.items():
            accelerator.wait_for_everyone()
            clock, processor = time.perf_counter(), time.process_time()
            way(folder / str(repeat))
            times[name].append((time.perf_counter() - clock, time.process_time() - processor))
    least = {name: [min(kind) for kind in zip(*pairs, strict=True)] for name, pairs in times.items()}
    (folder / f"process-{accelerator.process_index}.json").write_text(json.dumps(least))
    accelerator.end_training()


def launched(count: int) -> dict[str, tuple[float, float]]:
    """For each kind of work the seconds by the clock, and of the processor, in the slowest process."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    kind = ["--multi_gpu"] if count > 1 else ["--cpu"]
    options = f"--num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port {port}"
    command = [sys.executable, "-m", "accelerate.commands.launch", *kind, *options.split()]
    with tempfile.TemporaryDirectory() as folder:
        command += ["--num_processes", str(count), __file__, folder]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        least = [json.loads(file.read_text()) for file in Path(folder).glob("process-*.json")]
    assert len(least) == count
    return {name: tuple(map(max, zip(*(one[name] for one in least), strict=True))) for name in least[0]}


def main() -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start, {LAUNCHES} launches each")
    found = [(launched(1), launched(2)) for _ in range(LAUNCHES)]
    for name, rows in (("label", ROWS), ("train", SIGNALS)):
        for place, words in ((0, "clock"), (1, "processor")):
            one, two = (min(pair[count][name][place] for pair in found) for count in (0, 1))
            ratios = [first[name][place] / second[name][place] for first, second in found]
            middle = f"{statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})"
            speeds = f"one {rows / one:8,.0f} rows/s, two {rows / two:8,.0f}"
            print(f"{name} {rows:,} rows, by the {words:9} {speeds}: {middle}")


if __name__ == "__main__":
    work(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
