"""A language with exact answers: sums on a clock of five hours, done from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..seeding import generator
from .characters import Characters

HOURS = 5
"""The numbers are 0 to 4: after 4 comes 0 again."""
MOST = 6
"""Operations that a problem has at most."""
PROMPT = 2 * MOST + 2
"""Characters of a prompt: it is filled up with blanks, so that all answers start at one place."""
ANSWER = MOST + 1
"""Characters of the longest answer, with the one that ends it."""
ARITHMETIC = Characters("01234+-*= .", end=".")
"""The characters of the language, and the numbers that stand for them."""


def draw_problems(count: int, operations: Sequence[int], seed: int = 0) -> list[str]:
    """Different prompts such as ``"3+4*2        ="``: a number from 0 to 4, then operations with others.

    Args:
        count: How many.
        operations: How many operations a problem may have; each as often as the others.
        seed: Of the draw.

    Raises:
        ValueError: A number of operations outside 1 to 6, or more problems than there are.

    Example:
        >>> draw_problems(2, operations=[2, 3], seed=1)[0]
        '4-2-1*2      ='
    """
    if not operations or not all(1 <= number <= MOST for number in operations):
        raise ValueError(f"operations are {list(operations)}: give whole numbers from 1 to {MOST}.")
    random, found = generator(seed), dict[str, None]()
    for _ in range(20):
        lengths = torch.randint(len(operations), (count,), generator=random)
        firsts = torch.randint(HOURS, (count,), generator=random)
        signs = torch.randint(3, (count, MOST), generator=random)
        digits = torch.randint(HOURS, (count, MOST), generator=random)
        for length, first, *rest in zip(*(t.tolist() for t in (lengths, firsts, signs, digits)), strict=True):
            steps = "".join("+-*"[sign] + str(digit) for sign, digit in zip(*rest, strict=True))
            found[(str(first) + steps[: 2 * operations[length]]).ljust(PROMPT - 1) + "="] = None
            if len(found) == count:
                return list(found)
    raise ValueError(
        f"There are not {count:,} different problems of {list(operations)} operations: ask for fewer."
    )


def trace_of(prompt: str) -> str:
    """The value after each operation, from left to right; the last is the answer.

    Example:
        >>> trace_of("3+4*2=")  # 3 + 4 = 7, which is 2 on this clock; 2 * 2 = 4
        '24'
    """
    problem = prompt.rstrip("= ")
    value, values = int(problem[0]), []
    for sign, digit in zip(problem[1::2], map(int, problem[2::2]), strict=True):
        value = {"+": value + digit, "-": value - digit, "*": value * digit}[sign] % HOURS
        values.append(str(value))
    return "".join(values)


def answer_of(text: str) -> str:
    """The last digit before the end: the answer of a trace, or of an answer alone; empty if there is none.

    Example:
        >>> answer_of("024."), answer_of("4.33"), answer_of("")
        ('4', '4', '')
    """
    return text.partition(ARITHMETIC.end)[0][-1:]
