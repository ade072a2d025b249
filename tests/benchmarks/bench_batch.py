"""What scoring a file of a million short messages takes: seconds, and how much memory grows meanwhile.

    python tests/benchmarks/bench_batch.py [rows]

The model is an exported n-gram student; its weights do not matter to time or memory, so none are trained.
Each run is a process of its own that imports no torch, with one thread. Growth is counted from when the model
and the libraries are loaded, and told at tenths of the file: memory that does not grow with the file is level
after the first.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

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
    tenths = " ".join(f"{memory[len(memory) * tenth // 10]:.0f}" for tenth in range(10))
    assert (result.rows, "torch" in sys.modules) == (rows - -(-rows // 1_000), False)
    kinds = f"{Path(source).suffix[1:]} to {Path(target).suffix[1:]}"
    print(
        f"{kinds:18} {seconds:6.1f} s {rows / seconds:8,.0f} rows/s   memory +{max(memory):.0f} MB at most"
        f"   (in tenths: {tenths})"
    )


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as place:
        from kdhelpers.serving import export_onnx
        from kdhelpers.text import NgramStudent

        model = export_onnx(NgramStudent([f"queue {n}" for n in range(14)]), Path(place) / "model")
        write_messages(Path(place) / "mail.csv", rows)
        to_parquet(Path(place) / "mail.csv", Path(place) / "mail.parquet")
        print(f"{rows:,} messages, {(Path(place) / 'mail.csv').stat().st_size / 1e6:.0f} MB as CSV")
        for source, target in (("mail.csv", "out.csv"), ("mail.parquet", "out.parquet")):
            names = (str(model), str(Path(place) / source), str(Path(place) / target), str(rows))
            subprocess.run([sys.executable, __file__, "score", *names], check=True)


def to_parquet(source: Path, target: Path) -> None:
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(source), target)


if __name__ == "__main__":
    if sys.argv[1:2] == ["score"]:
        score(*sys.argv[2:5], rows=int(sys.argv[5]))
    else:
        main()
