"""What the losses cost beside plain PyTorch: time of `kd_loss`, time and memory of `linear_kd_loss`.

    python tests/benchmarks/bench_losses.py            # one thread, times of the processor
    python tests/benchmarks/bench_losses.py --threads 2

Ratios are taken within a repeat, in turn forwards and backwards, so that what slows the machine down for a
while slows both ways. Memory is the highest that a process of its own ever held, less what it held before.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from kdhelpers.losses import distillation_loss, kd_loss, linear_kd_loss

T, ROWS = 4.0, 128
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


def ratios(ours: Step, plain: Step, leaves: list[Tensor], calls: int, repeats: int, threads: int) -> str:
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    ways = {"ours": ours, "plain": plain}
    for repeat in range(-1, repeats):  # the first warms up
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            taken = seconds(ways[name], leaves, calls, clock(threads))
            if repeat >= 0:
                times[name].append(taken)
    found = [one / other for one, other in zip(times["ours"], times["plain"], strict=True)]
    low, middle, high = statistics.quantiles(found, n=4)
    ours_ms, plain_ms = (1000 * statistics.median(times[name]) for name in ("ours", "plain"))
    return f"{ours_ms:10.3f} ms  {plain_ms:10.3f} ms   {middle:5.3f} ({low:.3f} to {high:.3f})"


def kd_table(threads: int) -> None:
    print(f"forward and backward, {ROWS} rows            ours         plain   ratio (half of the repeats)")
    for classes, calls in ((10, 200), (100, 100), (1_000, 20), (32_000, 1)):
        student, teacher = (3 * torch.randn(ROWS, classes) for _ in range(2))
        student.requires_grad_()
        line = ratios(
            lambda s=student, t=teacher: kd_loss(s, t, T),
            lambda s=student, t=teacher: plain_kd(s, t),
            [student],
            calls,
            repeats=25,
            threads=threads,
        )
        print(f"kd_loss            {classes:7,} classes {line}")
    labels = torch.randint(0, 10, (ROWS,))
    student, teacher = (3 * torch.randn(ROWS, 10) for _ in range(2))
    student.requires_grad_()
    line = ratios(
        lambda: distillation_loss(student, teacher, labels, T, kd_weight=0.9),
        lambda: 0.9 * plain_kd(student, teacher) + 0.1 * F.cross_entropy(student, labels),
        [student],
        calls=100,
        repeats=25,
        threads=threads,
    )
    print(f"distillation_loss       10 classes {line}")


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


def linear_table(threads: int) -> None:
    print(f"\nlast layers of {WORDS:,} words, {TOKENS:,} tokens, width {WIDTH}; a process for each")
    results = {}
    for way in ("plain", "ours"):
        command = [sys.executable, __file__, "--way", way, "--threads", str(threads)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = results[way] = json.loads(output)
        print(
            f"{way:6} {found['seconds']:7.2f} s  {found['bytes'] / 1e6:8,.0f} MB above the weights   "
            f"loss {found['loss']:.5f}, gradient {found['norm']:.6f}"
        )
    ours, plain = results["ours"], results["plain"]
    print(f"ratio  {ours['seconds'] / plain['seconds']:7.3f}    {ours['bytes'] / plain['bytes']:8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--way", choices=["ours", "plain"], help="measure one way to the last layers here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.way:
        one_process(options.way, options.threads)
    else:
        kd_table(options.threads)
        linear_table(options.threads)


if __name__ == "__main__":
    main()
