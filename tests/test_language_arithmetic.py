"""The language of sums: exact answers, draws that repeat, and what ships with it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdhelpers.language import (
    PROMPT,
    Characters,
    answer_of,
    draw_problems,
    trace_of,
)

PROBLEM = st.tuples(
    st.integers(0, 4), st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 4)), max_size=6)
)


@given(PROBLEM)
def test_a_trace_equals_python_s_own_sums(problem: tuple[int, list[tuple[str, int]]]) -> None:
    first, steps = problem
    prompt, value, wanted = str(first), first, []
    for sign, digit in steps:
        prompt += f"{sign}{digit}"
        value = eval(f"({value}) {sign} {digit}")  # not taken modulo 5 on the way: the same in the end
        wanted.append(str(value % 5))
    assert trace_of(prompt.ljust(PROMPT - 1) + "=") == "".join(wanted)


def test_problems_are_different_of_the_lengths_asked_for_and_repeat() -> None:
    drawn = draw_problems(400, [3, 5], seed=4)
    assert drawn == draw_problems(400, [3, 5], seed=4) != draw_problems(400, [3, 5], seed=5)
    assert len(set(drawn)) == 400
    assert all(re.fullmatch(r"[0-4]([+*-][0-4]){3,5} *=", p) and len(p) == PROMPT for p in drawn)
    counts = [sum(len(trace_of(p)) == n for p in drawn) for n in (3, 4, 5)]
    assert counts[1] == 0
    assert min(counts[0], counts[2]) > 150


@pytest.mark.parametrize("operations", [[], [0], [3, 7]])
def test_operations_out_of_range(operations: list[int]) -> None:
    with pytest.raises(ValueError, match="whole numbers from 1 to 6"):
        draw_problems(3, operations)


def test_more_problems_than_there_are() -> None:
    assert len(draw_problems(60, [1])) == 60  # of 75
    with pytest.raises(ValueError, match="not 76 different problems"):
        draw_problems(76, [1])


@pytest.mark.parametrize(("text", "answer"), [("024.", "4"), ("4.33", "4"), (".", ""), ("01", "1")])
def test_the_answer_is_the_last_before_the_end(text: str, answer: str) -> None:
    assert answer_of(text) == answer


@given(st.lists(st.text("ab-.", max_size=5), max_size=4))
def test_characters_come_back_with_their_filling(texts: list[str]) -> None:
    characters = Characters("ab-.", end=".")
    tokens = characters.encode(texts, length=6)
    assert tokens.shape == (len(texts), 6)
    assert characters.decode(tokens) == [text.ljust(6, ".") for text in texts]
    assert len(characters) == 4


def test_characters_refuse_what_they_do_not_know() -> None:
    characters = Characters("ab.", end=".")
    with pytest.raises(ValueError, match="has no 'c'"):
        characters.encode(["abc"])
    with pytest.raises(ValueError, match="3 characters, and there is room for 2"):
        characters.encode(["aba"], length=2)
    with pytest.raises(ValueError, match="twice"):
        Characters("aba", end="b")
    with pytest.raises(ValueError, match="is no character"):
        Characters("ab", end="c")
