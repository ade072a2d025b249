from __future__ import annotations

import hypothesis.strategies as st
import pytest
from benchmarks.measured import Row, in_turn, markdown, number, ratio
from hypothesis import given, settings


@pytest.mark.parametrize(
    ("row", "asked", "kept"),
    [
        (Row("a", 1.05, at_most=1.05), "≤ 1.05", True),
        (Row("a", 1.06, at_most=1.05), "≤ 1.05", False),
        (Row("a", 999_999, at_least=1_000_000), "≥ 1,000,000", False),
        (Row("a", 1_000_000, at_least=1_000_000), "≥ 1,000,000", True),
        (Row("a", 3.0), "", None),
    ],
)
def test_a_row_says_whether_it_is_as_asked(row, asked, kept):
    assert (row.asked, row.kept) == (asked, kept)


def test_the_table_has_a_line_for_each_row():
    rows = [
        Row("fast", 0.5, at_most=1.0, half=(0.4, 0.612)),
        Row("slow", 1234.5, "ms", at_most=9.0),
        Row("x", 2),
    ]
    assert markdown(rows).splitlines()[2:] == [
        "| fast | 0.5 × (0.4 to 0.612) | ≤ 1 | kept |",
        "| slow | 1,234 ms | ≤ 9 | **missed** |",
        "| x | 2 × |  |  |",
    ]


@settings(deadline=None, derandomize=True)
@given(st.floats(0.001, 1e9))
def test_a_number_keeps_two_digits_at_least(value):
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.006)


def test_ways_take_turns_and_the_first_repeat_is_left_out():
    calls = []
    times = in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3)
    assert "".join(calls) in ("abbaabba", "baabbaab")
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_taken_within_repeats():
    times = {"one": [2.0, 30.0, 400.0], "two": [1.0, 10.0, 100.0]}
    row = ratio("one / two", times, "one", "two", at_most=2.5)
    assert (row.value, row.half, row.kept) == (3.0, (2.0, 4.0), False)
