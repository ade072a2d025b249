"""What ``kdhelpers distill`` takes from files to report: minutes, memory, and how much of the gap it closes.

    python tests/benchmarks/bench_own_data.py

Banking77 as a reader would have it: ten labelled messages an intent, all others of its training set as the
pool, the published test; nothing is tuned. It is read from KDHELPERS_DATA, or downloaded.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measured import Row

from kdhelpers.data import Split, join, load_banking77
from kdhelpers.files import write_whole
from kdhelpers.own_data.table import read_table
from kdhelpers.serving.batch.targets import csv_lines


def write_files(folder: Path) -> dict[str, Path]:
    """The three files, and how many messages the first two have."""
    task = load_banking77()
    assert task.pool is not None
    found = {"labelled": task.train, "unlabelled": join(task.pool, task.validation), "test": task.test}
    for name, split in found.items():
        write_whole(folder / f"{name}.csv", csv_lines(lines(split, task.classes, name != "unlabelled")))
    return {name: folder / f"{name}.csv" for name in found}


def lines(split: Split, classes: tuple[str, ...], labelled: bool) -> list[list[str]]:
    assert split.labels is not None
    if not labelled:
        return [["text"], *([str(text)] for text in split.inputs)]
    pairs = zip(split.inputs, split.labels.tolist(), strict=True)
    return [["text", "intent"], *([str(text), classes[label]] for text, label in pairs)]


def distilled(files: dict[str, Path], out: Path) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of the processor, and the most memory (MB) of a process."""
    options = [f"--{name}={files[name]}" for name in ("unlabelled", "test")]
    run = "from kdhelpers.cli import main; main()"
    command = [sys.executable, "-c", run, "distill", str(files["labelled"]), "--text=text", "--label=intent"]
    start = time.perf_counter()
    subprocess.run([*command, *options, f"--out={out}"], check=True, stdout=sys.stderr)
    seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as place:
        files, out = write_files(Path(place)), Path(place) / "out"
        messages = sum(len(read_table(files[name], "text").rows) for name in ("labelled", "unlabelled"))
        seconds, processor, memory = distilled(files, out)
        found = json.loads((out / "results.json").read_text(encoding="utf-8"))
        again, *_ = distilled(files, out)
    what = f"distill {messages:,} messages, {found['rows']['labelled']} labelled"
    gap, accuracy = found["gap closed"], found["accuracy"]
    return [
        Row(f"{what}: by the clock", seconds / 60, "min", at_most=3),
        Row(f"{what}: of the processor", processor / 60, "min"),
        Row(f"{what}: memory", memory, "MB", at_most=2_000),
        Row(f"{what}: gap closed", 100 * gap["value"], "%", at_least=90),
        *(Row(f"{what}: accuracy, {way}", 100 * one["value"], "%") for way, one in accuracy.items()),
        Row(f"{what}: the same again, all done already", again, "s"),
    ]


if __name__ == "__main__":
    # The teacher is large enough for two cores.
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    print(*rows(), sep="\n")
