"""Train the students of lesson 10's table, each from several seeds, and write results.csv.

    python data/language/measure.py

Every student has the same size, and those of one seed the same start and order of rows. Students whose
rows are there already are not trained again. "seconds" is processor time of one student, with what it asked
of the teacher; of those that go on from half-trained ones, that of the further steps.
"""

from __future__ import annotations

import copy
import csv
import io
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from kdhelpers.data import Split
from kdhelpers.files import write_whole
from kdhelpers.language import (
    ANSWER,
    ARITHMETIC,
    PROMPT,
    CausalTransformer,
    answer_of,
    draw_problems,
    generate,
    load_language_teacher,
    load_taught,
    trace_of,
)
from kdhelpers.losses import answer_mask, js_divergence_loss, kd_loss, reverse_kl_loss, token_kd_loss
from kdhelpers.seeding import generator, seeded
from kdhelpers.training import train_many

RESULTS = Path(__file__).with_name("results.csv")
LENGTHS, TESTED = (3, 4, 5, 6), 300
BATCH, RATE, FEW = 96, 5e-3, 300
LENGTH = PROMPT + ANSWER
TEACHER, POOL = load_language_teacher(), load_taught()
EPOCHS = {len(POOL): 6, FEW: 95}  # as many steps, within three, from few rows as from many


def student(seed: int) -> CausalTransformer:
    return seeded(lambda: CausalTransformer(len(ARITHMETIC), LENGTH, width=48, layers=1, heads=4), seed)


def rows(traces: bool, count: int | None = None) -> Split:
    """Prompts with what the teacher wrote: all of its trace, or the answer alone."""
    texts = [prompt + (trace if traces else trace[-1]) for prompt, trace in POOL[:count]]
    return Split(range(len(texts)), ARITHMETIC.encode(texts, LENGTH))


def answers_of(tokens: Tensor) -> Tensor:
    return answer_mask(tokens, PROMPT, ARITHMETIC.end_token)[:, 1:]


def cross_entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    mask = answers_of(tokens)
    return F.cross_entropy(logits[:, :-1][mask], tokens[:, 1:][mask])


def trained(
    seeds: range, split: Split, divergence: Callable[..., Tensor] | None = None, epochs: int = 0
) -> list:
    """Students of several seeds side by side: by cross-entropy, or by a divergence from the teacher."""
    students = [student(seed) for seed in seeds]
    if divergence is None:
        loss = lambda logits, batch: cross_entropy(logits, batch.inputs)  # noqa: E731
    else:
        with torch.no_grad():
            taught = torch.cat([TEACHER(part)[:, PROMPT - 1 : -1] for part in split.inputs.split(500)])

        def loss(logits: Tensor, batch) -> Tensor:
            mask = answers_of(batch.inputs)[:, PROMPT - 1 :]
            return token_kd_loss(logits[:, PROMPT - 1 : -1], taught[batch.rows], mask, divergence)

    settings = dict(batch_size=BATCH, learning_rate=RATE, schedule="one-cycle", progress=False)
    train_many(students, split, loss, seeds=list(seeds), epochs=epochs or EPOCHS[len(split)], **settings)
    return students


@cache
def half_trained(seeds: range) -> list:
    """Students that stop early and still err: four of six epochs."""
    return trained(seeds, rows(traces=True), epochs=4)


def further(seeds: range, own: bool, divergence: Callable[..., Tensor] | None, steps: int = 100) -> list:
    """Half-trained students go on: on the teacher's traces or on their own, which the teacher scores."""
    students = copy.deepcopy(half_trained(seeds))
    for seed, model in zip(seeds, students, strict=True):
        tokens, random = rows(traces=True).inputs, generator(1_000 + seed)
        optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
        for chosen in torch.randint(len(tokens), (steps, BATCH), generator=generator(seed)):
            texts = written_by(model, tokens[chosen, :PROMPT], random) if own else tokens[chosen]
            value = step_loss(model(texts), texts, divergence)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
    return students


def written_by(model: CausalTransformer, prompts: Tensor, random: torch.Generator) -> Tensor:
    """Prompts (B, P) and what a model writes behind them, drawn at temperature 1."""
    end = ARITHMETIC.end_token
    return generate(model, prompts, ANSWER, end_token=end, temperature=1.0, random=random)


def step_loss(logits: Tensor, texts: Tensor, divergence: Callable[..., Tensor] | None) -> Tensor:
    """Cross-entropy on the texts, or a divergence from what the teacher says about them."""
    if divergence is None:
        return cross_entropy(logits, texts)
    with torch.no_grad():
        taught = TEACHER(texts)
    return token_kd_loss(logits[:, :-1], taught[:, :-1], answers_of(texts), divergence)


METHODS: dict[str, tuple[int, Callable[[range], list]]] = {
    "6,000 traces": (10, lambda seeds: trained(seeds, rows(traces=True))),
    "6,000 answers": (10, lambda seeds: trained(seeds, rows(traces=False))),
    "forward KL": (10, lambda seeds: trained(seeds, rows(traces=True), kd_loss)),
    "reverse KL": (10, lambda seeds: trained(seeds, rows(traces=True), reverse_kl_loss)),
    "300 traces": (10, lambda seeds: trained(seeds, rows(True, FEW))),
    "300 answers": (10, lambda seeds: trained(seeds, rows(False, FEW))),
    "JSD": (10, lambda seeds: trained(seeds, rows(traces=True), js_divergence_loss)),
    "half-trained": (10, half_trained),
    "half, then traces": (10, partial(further, own=False, divergence=None)),
    "half, then traces, reverse KL": (10, partial(further, own=False, divergence=reverse_kl_loss)),
    "half, then own, reverse KL": (10, partial(further, own=True, divergence=reverse_kl_loss)),
    "half, then own, forward KL": (10, partial(further, own=True, divergence=kd_loss)),
}


def accuracies(model: CausalTransformer) -> list[float]:
    """The share of right last values, by length."""
    shares = []
    for length in LENGTHS:
        prompts = draw_problems(500, [length], seed=10_000 + length)[:TESTED]
        tokens = generate(model, ARITHMETIC.encode(prompts), ANSWER, end_token=ARITHMETIC.end_token)
        written = ARITHMETIC.decode(tokens[:, PROMPT:])
        right = [answer_of(text) == trace_of(p)[-1] for p, text in zip(prompts, written, strict=True)]
        shares.append(sum(right) / TESTED)
    return shares


def main() -> None:
    torch.set_num_threads(1)
    header = ["method", "seed", "seconds", *(f"length {length}" for length in LENGTHS)]
    lines = list(csv.reader(RESULTS.open(encoding="utf-8")))[1:] if RESULTS.exists() else []
    for method, (count, make) in METHODS.items():
        seeds = range(sum(line[0] == method for line in lines), count)
        if not seeds:
            continue
        if method.startswith("half, then"):
            half_trained(seeds)  # kept, so that its time counts once
        start = time.process_time()
        students = make(seeds)
        seconds = (time.process_time() - start) / len(seeds)
        for seed, model in zip(seeds, students, strict=True):
            lines.append([method, seed, f"{seconds:.1f}", *(f"{share:.4f}" for share in accuracies(model))])
        print(*lines[-len(seeds) :], sep="\n", flush=True)
        lines.sort(key=lambda line: ([*METHODS].index(line[0]), int(line[1])))
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([header, *lines])
        write_whole(RESULTS, stream.getvalue())


if __name__ == "__main__":
    main()
