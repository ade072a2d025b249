"""Many right answers: three digits that add up to a number. Writes sums_teacher.safetensors and sums.csv.

    python data/language/measure_sums.py

The teacher learns from all 1,000 right answers; students of 1,136 weights learn from what it wrote, in five
ways and from ten seeds. What is measured is exact, as all probabilities of a right answer are added up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from kdhelpers.data import Split
from kdhelpers.files import write_whole
from kdhelpers.language import CausalTransformer, Characters, generate
from kdhelpers.losses import js_divergence_loss, kd_loss, reverse_kl_loss, token_kd_loss
from kdhelpers.seeding import generator, seeded
from kdhelpers.training import train, train_many

HERE = Path(__file__).parent
SUMS = Characters("0123456789=.", end=".")
RIGHT = SUMS.encode([f"{a + b + c:02d}={a}{b}{c}." for a, b, c in product(range(10), repeat=3)])
TARGET = RIGHT[:, 0] * 10 + RIGHT[:, 1]  # (1000,) the number asked for, 0 to 27
PROMPT, SEEDS = 3, range(10)


def cross_entropy(logits: Tensor, batch) -> Tensor:
    return F.cross_entropy(logits[:, PROMPT - 1 : -1].flatten(0, 1), batch.inputs[:, PROMPT:].flatten())


def like_teacher(taught: Tensor, divergence: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda logits, batch: token_kd_loss(
        logits[:, PROMPT - 1 : -1], taught[batch.rows], divergence=divergence
    )


def quality(model: CausalTransformer) -> tuple[float, float]:
    """The probability of a right answer, and the effective share of the right answers that are given."""
    with torch.no_grad():
        log_q = model(RIGHT)[:, PROMPT - 1 : -1].log_softmax(-1)
    log_q = log_q.gather(-1, RIGHT[:, PROMPT:, None]).sum((1, 2))  # (1000,) of whole answers
    valid, share = [], []
    for target in range(28):
        own = log_q[target == TARGET]
        among = own.log_softmax(0)
        valid.append(own.exp().sum())
        share.append((-(among.exp() * among).sum()).exp() / len(own))
    return torch.stack(valid).mean().item(), torch.stack(share).mean().item()


def main() -> None:
    torch.set_num_threads(1)
    teacher = seeded(lambda: CausalTransformer(len(SUMS), 7, width=48, layers=2, heads=4), 0)
    settings = dict(learning_rate=5e-3, schedule="one-cycle", progress=False)
    train(teacher, Split(range(1000), RIGHT), cross_entropy, epochs=150, batch_size=100, **settings)
    weights = save({name: weight.half() for name, weight in teacher.state_dict().items()})
    write_whole(HERE / "sums_teacher.safetensors", weights)
    teacher.half().float()
    lines = ["method,seed,seconds,valid,share", "teacher,0,,{:.4f},{:.4f}".format(*quality(teacher))]
    prompts = SUMS.encode([f"{target:02d}=" for target in range(28)]).repeat(200, 1)
    written = generate(teacher, prompts, 4, end_token=SUMS.end_token, temperature=1.0, random=generator(1))
    with torch.no_grad():
        taught = teacher(written)[:, PROMPT - 1 : -1]
    ways = {
        "its texts": (cross_entropy, 18),
        "forward KL": (like_teacher(taught, kd_loss), 18),
        "JSD": (like_teacher(taught, js_divergence_loss), 18),
        "reverse KL": (like_teacher(taught, reverse_kl_loss), 18),
        "its texts, longer": (cross_entropy, 36),
    }
    for name, (loss, epochs) in ways.items():
        students = [seeded(lambda: CausalTransformer(len(SUMS), 7, 8, 1, 2), seed) for seed in SEEDS]
        start, settings["learning_rate"] = time.process_time(), 1e-2
        train_many(
            students, Split(range(len(written)), written), loss, seeds=list(SEEDS), epochs=epochs,
            batch_size=112, **settings,
        )  # fmt: skip
        seconds = (time.process_time() - start) / len(SEEDS)
        for seed, student in zip(SEEDS, students, strict=True):
            lines.append("{},{},{:.2f},{:.4f},{:.4f}".format(f'"{name}"', seed, seconds, *quality(student)))
        print(*lines[-len(SEEDS) :], sep="\n", flush=True)
        write_whole(HERE / "sums.csv", "\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
