"""What one message costs student and teacher, in the form that is served, and the ratio of the two.

    python tests/benchmarks/bench_serving.py

Both are exported and loaded by `OnnxPredictor`, with one thread. Weights do not matter to the time, so none
are trained. Messages differ from call to call, and the models take turns, so that what slows the machine for
a while slows both.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from kdhelpers.ngrams import NgramHasher
from kdhelpers.serving import OnnxPredictor, export_onnx
from kdhelpers.text import NgramStudent, TransformerTeacher

CLASSES = [f"queue {number}" for number in range(14)]
MESSAGES = [
    f"Hello, order {number} was charged twice, please refund the second payment today, thanks {number}"
    for number in range(1_000, 1_100)
]
ROUNDS, STUDENT_CALLS, TEACHER_CALLS = 10, 200, 20


def served(model: NgramStudent | TransformerTeacher, folder: Path) -> OnnxPredictor:
    return OnnxPredictor.load(export_onnx(model, folder), threads=1)


def microseconds(call: Callable[[Sequence[str]], object], count: int) -> list[float]:
    times = []
    for number in range(count):
        text = [MESSAGES[number % len(MESSAGES)]]
        start = time.perf_counter()
        call(text)
        times.append(1e6 * (time.perf_counter() - start))
    return times


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        student = served(NgramStudent(CLASSES), Path(place) / "student")
        teacher = served(TransformerTeacher(CLASSES), Path(place) / "teacher")
    ways: dict[str, tuple[Callable[[Sequence[str]], object], int]] = {
        "hashing alone": (NgramHasher(), STUDENT_CALLS),
        "student": (student.predict, STUDENT_CALLS),
        "teacher": (teacher.predict, TEACHER_CALLS),
    }
    times: dict[str, list[list[float]]] = {name: [] for name in ways}
    for repeat in range(-1, ROUNDS):  # the first warms up
        for name, (call, count) in ways.items():
            taken = microseconds(call, count)
            if repeat >= 0:
                times[name].append(taken)
    print(f"one message of {len(MESSAGES[0])} characters, one thread, {ROUNDS} rounds")
    for name, rounds in times.items():
        p50, p95 = np.percentile(np.concatenate(rounds), [50, 95])
        print(f"{name:14} p50 {p50:9,.0f} µs   p95 {p95:9,.0f} µs")
    pairs = zip(times["teacher"], times["student"], strict=True)
    ratios = [statistics.median(slow) / statistics.median(quick) for slow, quick in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"teacher / student    {middle:5.1f}   (half of the rounds between {low:.1f} and {high:.1f})")
    print(
        f"files: student {student.bytes / 1e6:.1f} MB, teacher {teacher.bytes / 1e6:.1f} MB, "
        f"{teacher.bytes / student.bytes:.1f} times larger"
    )


if __name__ == "__main__":
    main()
