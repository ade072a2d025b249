"""The course's language teacher, and what it wrote about a pool of prompts: both ship with the course."""

from __future__ import annotations

import csv

from safetensors.torch import load_file
from torch import nn

from ..data.places import shipped_folder
from .arithmetic import ANSWER, ARITHMETIC, PROMPT
from .transformer import CausalTransformer


def load_language_teacher() -> nn.Module:
    """The teacher that writes the value after each operation, frozen; see ``data/language/README.md``.

    Example:
        >>> from kdhelpers.language import generate
        >>> tokens = ARITHMETIC.encode(["3+4*2".ljust(PROMPT - 1) + "="])
        >>> ARITHMETIC.decode(generate(load_language_teacher(), tokens, new_tokens=3)[:, PROMPT:])
        ['24.']
    """
    teacher = CausalTransformer(len(ARITHMETIC), PROMPT + ANSWER, width=96, layers=2, heads=4)
    weights = load_file(shipped_folder("language") / "teacher.safetensors")
    teacher.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return teacher.eval().requires_grad_(False)


def load_taught() -> list[tuple[str, str]]:
    """The pool: 6,000 prompts of three or five operations, each with the trace that the teacher wrote.

    Example:
        >>> pool = load_taught()
        >>> len(pool), len(pool[0][0]) == PROMPT
        (6000, True)
    """
    with (shipped_folder("language") / "pool.csv").open(encoding="utf-8", newline="") as stream:
        return [(row["prompt"], row["teacher_trace"]) for row in csv.DictReader(stream)]
