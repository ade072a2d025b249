from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch

from kdhelpers import claims
from kdhelpers.claims import ClaimFailed, claim


class Estimate(NamedTuple):
    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec or '.1%'}} [{self.low:.2f}, {self.high:.2f}]"


class Difference:
    def __init__(self, mean: float) -> None:
        self.mean, self.low, self.high, self.verdict = mean, mean - 1, mean + 1, "better"

    def __format__(self, spec: str) -> str:
        return f"{self.mean:{spec}}"


def test_a_claim_that_holds_is_shown(capsys):
    claim("Student {share:.1%}, {times:.0f} times smaller.", True, share=0.914, times=9.2)
    assert capsys.readouterr().out == "Student 91.4%, 9 times smaller.\n"


def test_a_claim_that_does_not_hold_raises_and_shows_nothing(capsys):
    with pytest.raises(ClaimFailed, match=r"^This does not hold: Gain of 3\.0 points\.$"):
        claim("Gain of {gain:.1f} points.", False, gain=3.0)
    assert issubclass(ClaimFailed, AssertionError)
    assert capsys.readouterr().out == ""


def test_a_notebook_shows_markdown_with_a_tick(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "in_notebook", lambda: True)
    monkeypatch.setattr(claims, "show_markdown", shown.append)
    claim("It is **{n}**.", True, n=3)
    assert shown == ["✓ It is **3**."]


@pytest.mark.parametrize(
    ("number", "spec", "shown"),
    [
        (torch.tensor(0.25), ".2f", "0.25"),
        (torch.tensor([7]), "d", "7"),
        (np.float32(0.5), ".1%", "50.0%"),
        (np.array([0.25]), ".2f", "0.25"),
        (np.int64(3), "d", "3"),
        (12345, ",", "12,345"),
        (math.inf, ".0f", "inf"),
        (Estimate(0.5, 0.4, 0.6), "", "50.0% [0.40, 0.60]"),
        (Estimate(0.5, 0.4, 0.6), ".0%", "50% [0.40, 0.60]"),
        (Difference(2.0), ".1f", "2.0"),
        ("small CNN", "", "small CNN"),
    ],
)
def test_numbers_of_many_kinds(capsys, number, spec, shown):
    claim("{x:" + spec + "}", True, x=number)
    assert capsys.readouterr().out == shown + "\n"


def test_parts_repeats_conversions_nesting_and_braces(capsys):
    estimate, difference = Estimate(0.5, 0.4, 0.6), Difference(2.0)
    sentence = "{e.low:.1f} {e[2]} {d.verdict} {d.verdict!r} {x:{width}.1f} {{set}}"
    claim(sentence, True, e=estimate, d=difference, x=1.0, width=5)
    assert capsys.readouterr().out == "0.4 0.6 better 'better'   1.0 {set}\n"


@pytest.mark.parametrize(
    "truth", [True, np.True_, torch.tensor(True), torch.tensor([True]), np.array([True])]
)
def test_checks_that_are_bools(truth):
    claim("Yes.", truth)
    with pytest.raises(ClaimFailed):
        claim("No.", ~truth if not isinstance(truth, bool) else not truth)


@pytest.mark.parametrize(
    "holds",
    [lambda: False, (False, "why"), "False", None, 1, 0.0, torch.tensor([True, False]), torch.tensor(1)],
)
def test_checks_that_are_not_bools_are_refused(holds):
    # Most of these would count as true, whatever was meant.
    with pytest.raises(ValueError, match="give the comparison itself, which is True or False"):
        claim("Anything.", holds)


def refused(sentence, **numbers):
    with pytest.raises(ValueError, match=r".") as error:
        claim(sentence, True, **numbers)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_placeholders_and_numbers_must_match():
    assert refused("{a} and {b.low:.1f}", a=1) == "The claim has no number for {b}: give b=..."
    assert refused("{a:{width}}", a=1) == "The claim has no number for {width}: give width=..."
    assert refused("{} and {a}", a=1) == "The claim has no number for {}: give name=..."
    assert refused("{a}", a=1, b=2) == "The claim never shows {b}: put {b} into the sentence."


def test_a_false_claim_with_a_broken_sentence_says_what_is_broken():
    with pytest.raises(ValueError, match="never shows"):
        claim("Nothing.", False, a=1)


@pytest.mark.parametrize(
    "number",
    [
        math.nan,
        np.float32("nan"),
        torch.tensor(math.nan),
        Estimate(math.nan, 0.0, 1.0),
        Estimate(0.5, math.nan, 1.0),
        Estimate(0.5, 0.4, np.float32("nan")),
        Difference(math.nan),
    ],
)
def test_nan_is_refused(number):
    assert refused("{x}", x=number) == "The claim's x is NaN: something before it went wrong."


@pytest.mark.parametrize(
    ("number", "kind"),
    [(None, "NoneType"), ([1.0], "list"), (torch.zeros(2), "Tensor"), (np.zeros(0), "ndarray"), ({}, "dict")],
)
def test_what_is_not_one_number_is_refused(number, kind):
    assert refused("{x}", x=number) == f"The claim's x is a {kind}; give one number."


def test_sentences_that_cannot_be_filled_in():
    assert refused("{a", a=1).startswith("The claim '{a' is not a format string: ")
    assert refused("{a:.1q}", a=1.0).startswith("The claim '{a:.1q}' cannot be filled in: ")
    assert refused("{a.nothing}", a=1.0).startswith("The claim '{a.nothing}' cannot be filled in: ")
