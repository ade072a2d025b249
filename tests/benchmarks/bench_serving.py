"""What one message costs student and teacher, in the form that is served, in float32 and in int8.

    python tests/benchmarks/bench_serving.py

Both are exported and loaded by `OnnxPredictor`, with one thread. Weights do not matter to the time, so none
are trained; how far int8 moves the answers is for trained ones to tell. Messages differ from call to call,
and the models take turns, so that what slows the machine for a while slows both. The edge artefact is lesson
04's student in its sizes, in int8, as its own script answers.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from measured import Row

from kdhelpers.ngrams import NgramHasher
from kdhelpers.serving import OnnxPredictor, export_edge, export_onnx, quantize_onnx
from kdhelpers.text import NgramStudent, TransformerTeacher

CLASSES = [f"queue {number}" for number in range(14)]
MESSAGES = [
    f"Hello, order {number} was charged twice, please refund the second payment today, thanks {number}"
    for number in range(1_000, 1_100)
]
ROUNDS, STUDENT_CALLS, TEACHER_CALLS = 10, 200, 20


def served(model: NgramStudent | TransformerTeacher, place: Path) -> dict[str, OnnxPredictor]:
    """The model as it is, and in int8: scaled in every call, and by a range found in advance."""
    folder = export_onnx(model, place / "float32")
    folders = {
        "": folder,
        " int8": quantize_onnx(folder, place / "dynamic"),
        " int8 static": quantize_onnx(folder, place / "static", calibration=MESSAGES[:20]),
    }
    return {name: OnnxPredictor.load(folder, threads=1) for name, folder in folders.items()}


def edge(place: Path) -> tuple[Callable[[Sequence[str]], object], float]:
    """What the artefact's own script does for one message, and the folder's megabytes."""
    folder = export_edge(NgramStudent(CLASSES, hasher=NgramHasher(buckets=2**14)), place)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    sys.path.insert(0, str(folder))
    model = importlib.import_module("predict").load()
    return lambda texts: model.predict(texts[0]), size


def microseconds(call: Callable[[Sequence[str]], object], count: int) -> list[float]:
    times = []
    for number in range(count):
        text = [MESSAGES[number % len(MESSAGES)]]
        start = time.perf_counter()
        call(text)
        times.append(1e6 * (time.perf_counter() - start))
    return times


def median_ratio(what: str, slow: list[list[float]], quick: list[list[float]]) -> Row:
    ratios = [statistics.median(a) / statistics.median(b) for a, b in zip(slow, quick, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Row(what, middle, half=(low, high))


def in_rounds(ways: dict[str, tuple[Callable[[Sequence[str]], object], int]]) -> dict[str, list[list[float]]]:
    times: dict[str, list[list[float]]] = {name: [] for name in ways}
    for repeat in range(-1, ROUNDS):  # the first warms up
        for name, (call, count) in ways.items():
            taken = microseconds(call, count)
            if repeat >= 0:
                times[name].append(taken)
    return times


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as place:
        students = served(NgramStudent(CLASSES), Path(place) / "student")
        teachers = served(TransformerTeacher(CLASSES), Path(place) / "teacher")
        on_the_edge, edge_megabytes = edge(Path(place) / "edge")
    ways: dict[str, tuple[Callable[[Sequence[str]], object], int]] = {
        "hashing alone": (NgramHasher(), STUDENT_CALLS),
        **{f"student{name}": (model.predict, STUDENT_CALLS) for name, model in students.items()},
        "edge artefact": (on_the_edge, STUDENT_CALLS),
        **{f"teacher{name}": (model.predict, TEACHER_CALLS) for name, model in teachers.items()},
    }
    times, found = in_rounds(ways), []
    for name, rounds in times.items():
        p50, p95 = np.percentile(np.concatenate(rounds), [50, 95]) / 1e3
        asked = 0.3 if name == "edge artefact" else None
        found.append(Row(f"{name}, p50 of one message of {len(MESSAGES[0])} characters", p50, "ms", asked))
        found.append(Row(f"{name}, p95", p95, "ms"))
    for slow, quick in (
        ("teacher", "student"),
        ("teacher", "teacher int8"),
        ("teacher", "teacher int8 static"),
    ):
        found.append(median_ratio(f"time of {slow} / {quick}", times[slow], times[quick]))
    found += [Row(f"files of student{name}", model.bytes / 1e6, "MB") for name, model in students.items()]
    found += [Row(f"files of teacher{name}", model.bytes / 1e6, "MB") for name, model in teachers.items()]
    found.append(Row("files of the edge artefact, scripts and all", edge_megabytes, "MB", at_most=3.0))
    return found


if __name__ == "__main__":
    print(*rows(), sep="\n")
