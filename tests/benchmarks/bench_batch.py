"""What scoring a file of a million short messages takes: seconds, and how much memory grows meanwhile.

    python tests/benchmarks/bench_batch.py [rows]

The model is an exported n-gram student; its weights do not matter to time or memory, so none are trained.
Each run is a process of its own that imports no torch, with one thread. Growth is counted from when the model
and the libraries are loaded: memory that does not grow with the file is level after its first tenth.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from measured import Row

ROWS = 1_000_000
TEXT = (
    "please refund the second payment where is my parcel it never came cannot log in since yesterday app "
    "crashes on start change address cancel order invoice wrong amount card charged twice reset password"
)
WORDS = TEXT.split()


def write_messages(file: Path, rows: int) -> None:
    """Messages of 5 to 20 words; one row in a thousand lacks its text."""
    rng = np.random.default_rng(0)
    with file.open("w", encoding="utf-8", newline="") as stream:
        stream.write("id,text\n")
        for row in range(rows):
            words = rng.choice(WORDS, rng.integers(5, 20)) if row % 1_000 else []
            stream.write(f'{row},"{" ".join(words)}{f", order {row}" if len(words) else ""}"\n')


def score(model: str, source: str, target: str, rows: int) -> None:
    """What the process of its own does."""
    import psutil

    from kdhelpers.serving import OnnxPredictor, predict_file

    served, process, memory = OnnxPredictor.load(model), psutil.Process(), []
    served(["one message"])
    if source.endswith("parquet"):
        importlib.import_module("pyarrow.parquet")
    before = process.memory_info().rss

    def watched(texts: list[str]) -> object:
        logits = served(texts)
        memory.append((process.memory_info().rss - before) / 1e6)
        return logits

    watched.classes, watched.settings = served.classes, served.settings
    start = time.perf_counter()
    result = predict_file(watched, source, target, progress=False)
    seconds = time.perf_counter() - start
    memory.append((process.memory_info().rss - before) / 1e6)
    assert (result.rows, "torch" in sys.modules) == (rows - -(-rows // 1_000), False)
    print(json.dumps({"seconds": seconds, "memory": memory}))


def rows_of(count: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as place:
        from kdhelpers.serving import export_onnx
        from kdhelpers.text import NgramStudent

        model = export_onnx(NgramStudent([f"queue {n}" for n in range(14)]), Path(place) / "model")
        write_messages(Path(place) / "mail.csv", count)
        to_parquet(Path(place) / "mail.csv", Path(place) / "mail.parquet")
        for kind in ("csv", "parquet"):
            names = (str(Path(place) / f"{name}.{kind}") for name in ("mail", "out"))
            command = [sys.executable, __file__, "score", str(model), *names, str(count)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found, what = json.loads(output), f"score {count:,} messages, {kind} to {kind}"
            yield Row(f"{what}: by the clock", count / found["seconds"], "rows/s")
            yield Row(f"{what}: growth of memory", max(found["memory"]), "MB", at_most=200)
            half = found["memory"][len(found["memory"]) // 10 :]
            yield Row(f"{what}: growth after the first tenth", max(half) - half[0], "MB")


def rows() -> list[Row]:
    return [*rows_of(ROWS)]


def to_parquet(source: Path, target: Path) -> None:
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(source), target)


if __name__ == "__main__":
    if sys.argv[1:2] == ["score"]:
        score(*sys.argv[2:5], rows=int(sys.argv[5]))
    else:
        print(*rows_of(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS), sep="\n")
