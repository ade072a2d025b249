"""What the losses cost beside plain PyTorch: time of `kd_loss`, time and memory of `linear_kd_loss`.

    python tests/benchmarks/bench_losses.py            # one thread, times of the processor
    python tests/benchmarks/bench_losses.py --threads 2

Ratios are taken within a repeat, in turn forwards and backwards, so that what slows the machine down for a
while slows both ways. Memory is the highest that a process of its own ever held, less what it held before.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from measured import Row, Times, ratio
from torch import Tensor

from kdhelpers.losses import distillation_loss, kd_loss, linear_kd_loss

T, ROWS, REPEATS = 4.0, 128, 25
WORDS, TOKENS, WIDTH, TEACHER_WIDTH = 128_000, 1_024, 256, 256
Step = Callable[[], Tensor]


def plain_kd(student: Tensor, teacher: Tensor, temperature: float = T) -> Tensor:
    """What one writes with `F.kl_div` and targets as log-probabilities."""
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * temperature**2


def clock(threads: int) -> Callable[[], float]:
    """Of the processor with one thread; with more, of the wall, as theirs would be added up."""
    return time.process_time if threads == 1 else time.perf_counter


def seconds(step: Step, leaves: list[Tensor], calls: int, now: Callable[[], float]) -> float:
    start = now()
    for _ in range(calls):
        for leaf in leaves:
            leaf.grad = None
        step().backward()
    return (now() - start) / calls


def ratio_row(
    what: str, ours: Step, plain: Step, student: Tensor, calls: int, threads: int, **asked: float
) -> Row:
    """Forward and backward of ours over plain PyTorch's."""
    times: Times = {"ours": [], "plain": []}
    for repeat in range(-1, REPEATS):  # the first warms up
        for name, step in [("ours", ours), ("plain", plain)][:: 1 if repeat % 2 else -1]:
            taken = seconds(step, [student], calls, clock(threads))
            if repeat >= 0:
                times[name].append(taken)
    return ratio(what, times, "ours", "plain", **asked)


def kd_rows(threads: int) -> Iterator[Row]:
    asked = {10: 1.05, 32_000: 0.5}
    for classes, calls in ((10, 200), (100, 100), (1_000, 20), (32_000, 1)):
        student, teacher = (3 * torch.randn(ROWS, classes) for _ in range(2))
        student.requires_grad_()
        yield ratio_row(
            f"`kd_loss` / `F.kl_div` with log-targets, {ROWS} rows of {classes:,} classes",
            lambda s=student, t=teacher: kd_loss(s, t, T),
            lambda s=student, t=teacher: plain_kd(s, t),
            student,
            calls,
            threads,
            at_most=asked.get(classes),
        )
    labels = torch.randint(0, 10, (ROWS,))
    student, teacher = (3 * torch.randn(ROWS, 10) for _ in range(2))
    student.requires_grad_()
    yield ratio_row(
        f"`distillation_loss` / `F.kl_div` and `F.cross_entropy`, {ROWS} rows of 10 classes",
        lambda: distillation_loss(student, teacher, labels, T, kd_weight=0.9),
        lambda: 0.9 * plain_kd(student, teacher) + 0.1 * F.cross_entropy(student, labels),
        student,
        calls=100,
        threads=threads,
    )


def linear_step(way: str) -> tuple[Step, list[Tensor]]:
    torch.manual_seed(0)
    hidden, taught = torch.randn(TOKENS, WIDTH), torch.randn(TOKENS, TEACHER_WIDTH)
    weight, teacher_weight = torch.randn(WORDS, WIDTH) / 16, torch.randn(WORDS, TEACHER_WIDTH) / 16
    leaves = [hidden.requires_grad_(), weight.requires_grad_()]
    if way == "ours":
        return lambda: linear_kd_loss(hidden, weight, taught, teacher_weight), leaves

    def plain() -> Tensor:
        with torch.no_grad():
            teacher_logits = F.linear(taught, teacher_weight)
        return plain_kd(F.linear(hidden, weight), teacher_logits, temperature=1.0)

    return plain, leaves


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def one_process(way: str, threads: int) -> None:
    """Print the loss, the time and the memory of two passes as JSON."""
    step, leaves = linear_step(way)
    before = peak_bytes()
    taken = [seconds(step, leaves, 1, clock(threads)) for _ in range(2)]
    with torch.no_grad():
        found = dict(loss=step().item(), norm=leaves[1].grad.norm().item())
    print(json.dumps(dict(found, seconds=min(taken), bytes=peak_bytes() - before)))


def linear_rows(threads: int) -> Iterator[Row]:
    """Ways take a process each, so that each has a highest memory of its own."""
    found = {}
    for way in ("plain", "ours"):
        command = [sys.executable, __file__, "--way", way, "--threads", str(threads)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[way] = json.loads(output)
    ours, plain = found["ours"], found["plain"]
    assert math.isclose(ours["loss"], plain["loss"], rel_tol=1e-4), found
    assert math.isclose(ours["norm"], plain["norm"], rel_tol=1e-3), found
    job = f"{TOKENS:,} tokens of {WORDS:,} words"
    yield Row(f"memory of `linear_kd_loss`, {job}", ours["bytes"] / 1e6, "MB")
    what = "of `linear_kd_loss` / of logits and `F.kl_div`"
    yield Row(f"memory {what}, {job}", ours["bytes"] / plain["bytes"], at_most=1 / 6)
    yield Row(f"time {what}, {job}", ours["seconds"] / plain["seconds"], at_most=1.0)


def rows(threads: int = 1) -> list[Row]:
    torch.set_num_threads(threads)
    return [*kd_rows(threads), *linear_rows(threads)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--way", choices=["ours", "plain"], help="measure one way to the last layers here")
    options = parser.parse_args()
    if options.way:
        torch.set_num_threads(options.threads)
        one_process(options.way, options.threads)
    else:
        print(*rows(options.threads), sep="\n")


if __name__ == "__main__":
    main()
