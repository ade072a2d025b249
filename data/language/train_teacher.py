"""Train the course's language teacher on sums with exact answers, and let it answer a pool of prompts.

    python data/language/train_teacher.py

Writes teacher.safetensors and pool.csv beside itself. New problems are drawn in each step, of one to six
operations, with the true values after each; what is tested is never drawn.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save

from kdhelpers.bars import progress_bar
from kdhelpers.files import write_whole
from kdhelpers.language import (
    ANSWER,
    ARITHMETIC,
    PROMPT,
    CausalTransformer,
    answer_of,
    draw_problems,
    generate,
    trace_of,
)
from kdhelpers.losses import answer_mask
from kdhelpers.seeding import seeded

HERE = Path(__file__).parent
SEED, STEPS, BATCH, RATE = 0, 900, 128, 4e-3
LENGTHS = (1, 2, 3, 4, 5, 6)
POOL = 6_000


def tested() -> set[str]:
    """The prompts that the lesson tests on."""
    return {
        prompt for length in (3, 4, 5, 6) for prompt in draw_problems(500, [length], seed=10_000 + length)
    }


def main() -> None:
    torch.set_num_threads(1)
    model = seeded(lambda: CausalTransformer(len(ARITHMETIC), PROMPT + ANSWER, 96, 2, 4), SEED)
    frozen, start = tested(), time.process_time()
    train(model, frozen)
    seconds = time.process_time() - start
    weights = save({name: weight.half() for name, weight in model.state_dict().items()})
    write_whole(HERE / "teacher.safetensors", weights)
    model.half().float()  # what is stored is what answers
    for length in (3, 4, 5, 6):
        prompts = draw_problems(500, [length], seed=10_000 + length)
        print(f"{length} operations: {accuracy(prompts, answers(model, prompts)):.1%} of 500 right")
    prompts = [prompt for prompt in draw_problems(POOL + 400, [3, 5], seed=1) if prompt not in frozen][:POOL]
    written = answers(model, prompts)
    print(f"pool: {accuracy(prompts, written):.2%} of {len(prompts):,} right; {seconds:.0f} s of training")
    lines = [f"{prompt},{text.partition('.')[0]}" for prompt, text in zip(prompts, written, strict=True)]
    write_whole(HERE / "pool.csv", "\n".join(["prompt,teacher_trace", *lines, ""]))


def train(model: CausalTransformer, frozen: set[str]) -> None:
    """Next-token cross-entropy on the true traces of fresh problems."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=STEPS)
    for step in progress_bar(range(STEPS), title="training", unit="step"):
        drawn = [LENGTHS[(step + n) % len(LENGTHS)] for n in range(len(LENGTHS))]
        prompts = [p for p in draw_problems(BATCH, drawn, seed=100_000 + step) if p not in frozen]
        tokens = ARITHMETIC.encode([prompt + trace_of(prompt) for prompt in prompts], PROMPT + ANSWER)
        mask = answer_mask(tokens, PROMPT, ARITHMETIC.end_token)[:, 1:]
        loss = F.cross_entropy(model(tokens)[:, :-1][mask], tokens[:, 1:][mask])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.4f}", flush=True)


def answers(model: CausalTransformer, prompts: list[str]) -> list[str]:
    """What the model writes behind each prompt."""
    tokens = ARITHMETIC.encode(prompts)
    parts = [generate(model, part, ANSWER, end_token=ARITHMETIC.end_token) for part in tokens.split(500)]
    return ARITHMETIC.decode(torch.cat(parts)[:, PROMPT:])


def accuracy(prompts: list[str], written: list[str]) -> float:
    """The share whose last value is right."""
    right = [answer_of(text) == trace_of(p)[-1] for p, text in zip(prompts, written, strict=True)]
    return sum(right) / len(right)


if __name__ == "__main__":
    main()
