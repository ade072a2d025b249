"""The exercise check names each kind of wrong in a sentence, and never raises for a wrong attempt."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdhelpers.study import check
from kdhelpers.study.comparing import difference, scale_or_shift
from kdhelpers.study.history import current_history

CASES = [(torch.tensor([1.0, 2.0, 3.0]), 2.0), (torch.tensor([0.5, -1.0, 4.0]), 3.0)]


def scaled(x: Tensor, factor: float) -> Tensor:
    return x * factor


@pytest.fixture(autouse=True)
def _own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDHELPERS_STATE", str(tmp_path))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().out


def empty(x: Tensor, factor: float) -> Tensor:  # type: ignore[empty-body]
    """What a reader finds."""
    ...


def unfinished(x: Tensor, factor: float) -> Any:
    result: Any = ...
    return result


def used_too_early(x: Tensor, factor: float) -> Any:
    result: Any = ...
    return result * x


def not_implemented(x: Tensor, factor: float) -> Tensor:
    raise NotImplementedError


@pytest.mark.parametrize("attempt", [None, ..., empty, unfinished, used_too_early, not_implemented])
def test_not_tried_yet_is_no_fault_and_no_try(attempt: Any, said: Callable[[], str]) -> None:
    assert check("03/e", attempt, scaled, CASES) is False
    assert said().startswith("Your turn\nNot tried yet")
    assert current_history().recall("03/e", "exercise") == {}


def no_return(x: Tensor, factor: float) -> None:
    x * factor


WRONG = {
    "forgot to return": (no_return, "it returned None. Does every way through the function end in return?"),
    "raised": (lambda x, f: x @ torch.ones(7, 7), "it raised RuntimeError: "),
    "raised without words": (lambda x, f: (_ for _ in ()).throw(KeyError()), "it raised KeyError"),
    "wrong arguments": (lambda x: x, "it raised TypeError: "),
    "wrong type": (lambda x, f: "6", "it is a str, wanted a tensor"),
    "wrong shape": (lambda x, f: (x * f)[:2], "it has shape (2,), wanted shape (3,)"),
    "missing dimension": (lambda x, f: (x * f).sum(), "it is one number, wanted shape (3,)"),
    "NaN": (lambda x, f: x * f + torch.tensor([math.nan, 0, 0]), "1 of 3 values are NaN"),
    "wrong dtype": (lambda x, f: (x * f).long(), "the dtype is int64, wanted float32"),
    "wrong values": (lambda x, f: x**2 + 1, "at [1] it is 5, wanted 4"),
    "a constant factor": (lambda x, f: x * f / 16, "In every case it is exactly 16 times too small."),
    "a factor that is not whole": (lambda x, f: x * f * 2.5, "In every case it is 2.5 times too large."),
    "the wrong sign": (lambda x, f: -x * f, "In every case it is right but for the sign."),
    "a constant offset": (lambda x, f: x * f + 1, "In every case it is always 1 too large."),
    "some cases right": (lambda x, f: x * 2, "On case 2 of 2, called with"),
    "not a function": (3.0, "This exercise wants a function, and got a value of type float."),
}


@pytest.mark.parametrize(("attempt", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_each_kind_of_wrong_has_its_sentence(attempt: Any, sentence: str, said: Callable[[], str]) -> None:
    assert check("03/e", attempt, scaled, CASES) is False
    out = said()
    assert out.startswith("Not yet\n")
    assert sentence in out
    assert len(out.splitlines()) == 2


def test_right_cases_are_counted_beside_the_wrong_one(said: Callable[[], str]) -> None:
    check("03/e", lambda x, f: x * 2, scaled, CASES)
    assert "The other 1 of 2 cases are right." in said()


def test_an_error_names_the_readers_own_line(said: Callable[[], str]) -> None:
    def attempt(x: Tensor, factor: float) -> Tensor:
        wide = x.reshape(5, 5)
        return wide * factor

    check("03/e", attempt, scaled, CASES)
    assert "in the line wide = x.reshape(5, 5)" in said()


def test_right_is_right(said: Callable[[], str]) -> None:
    assert check("03/e", lambda x, factor: factor * x, scaled, CASES) is True
    assert said() == "Correct\nYour function agrees on all 2 cases.\n"


def test_a_known_mistake_gets_its_own_sentence(said: Callable[[], str]) -> None:
    mistakes = {
        "That fails on a case.": lambda x, f: x @ torch.ones(7, 7),
        "You multiplied where the factor is squared.": lambda x, f: x * f,
        "You divided by the factor: multiply by it.": lambda x, f: x / f,
    }
    check("03/e", lambda x, f: x / f, lambda x, f: x * f**2, CASES, mistakes=mistakes)
    assert said() == "Not yet\nYou divided by the factor: multiply by it.\n"
    check("03/e", lambda x, f: x + f, lambda x, f: x * f**2, CASES, mistakes=mistakes)
    assert "wanted" in said()


def test_a_known_mistake_counts_only_if_it_matches_on_all_cases(said: Callable[[], str]) -> None:
    check("03/e", lambda x, f: x * 2, lambda x, f: x, CASES, mistakes={"Twice.": scaled})
    assert "Twice" not in said()


def test_a_value_is_checked_without_giving_it_away(said: Callable[[], str]) -> None:
    assert check("03/v", 3.0, 42.5) is False
    assert said() == "Not yet\nYour value: it is 3, which is too small.\n"
    check("03/v", 85.0, 42.5)
    assert said() == "Not yet\nYour value: it is 85, which is too large. It is exactly 2 times too large.\n"
    check("03/v", "KL(q, p)", "KL(p, q)")
    assert "KL(p, q)" not in said()
    check("03/v", len, 3)
    assert "call it" in said()
    assert check("03/v", 42.5, 42.5) is True
    assert check("03/v", torch.tensor(4), 4.0) is True
    assert check("03/v", ["a", 1], ["a", 1]) is True


def test_a_value_with_a_known_mistake(said: Callable[[], str]) -> None:
    check("03/v", 0.25, 4.0, mistakes={"You gave 1 / T²: the loss is multiplied by T².": 0.25})
    assert "You gave 1 / T²" in said()


def test_an_attempt_cannot_spoil_the_arguments(said: Callable[[], str]) -> None:
    cases = [(torch.ones(2), [1, 2]), (torch.ones(2), [3, 4])]

    def attempt(x: Tensor, numbers: list[int]) -> Tensor:
        numbers.clear()
        return x.mul_(2)

    assert check("03/e", attempt, lambda x, numbers: x * 2, cases)
    assert torch.equal(cases[0][0], torch.ones(2))
    assert cases[0][1] == [1, 2]


def test_a_result_cut_from_the_graph_is_named(said: Callable[[], str]) -> None:
    cases = [(torch.ones(2, requires_grad=True),)]
    check("03/e", lambda x: (x * 2).detach(), lambda x: x * 2, cases)
    assert "carry no gradient" in said()
    check("03/e", lambda x: (x * 2).sum().item(), lambda x: (x * 2).sum(), cases)
    assert "it is a float, wanted a tensor" in said()
    assert check("03/e", lambda x: x + x, lambda x: x * 2, cases)


def test_tries_and_success_are_recorded_unless_told_not_to() -> None:
    check("03/e", lambda x, f: x, scaled, CASES)
    check("03/e", scaled, scaled, CASES)
    check("03/e", lambda x, f: x, scaled, CASES)
    record = current_history().recall("03/e", "exercise")
    assert (record["tries"], record["solved"]) == (3, True)
    check("03/solution", scaled, scaled, CASES, record=False)
    assert current_history().recall("03/solution", "exercise") == {}


@pytest.mark.parametrize(
    ("expected", "cases", "says"),
    [
        (scaled, None, "needs cases"),
        (scaled, [], "at least one"),
        (scaled, [1.0], "argument tuples"),
        (3.0, [(1.0,)], "leave the cases out"),
    ],
)
def test_an_exercise_that_cannot_be_checked_is_the_authors_error(
    expected: Any, cases: Any, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        check("03/e", 1.0, expected, cases)


@pytest.mark.parametrize(
    ("got", "want", "sentence"),
    [
        (1.0, 1.0 + 1e-7, None),
        (1, 1.0, None),
        (np.float32(0.5), 0.5, None),
        (np.ones(3), torch.ones(3), None),
        (torch.tensor(math.inf), torch.tensor(math.inf), None),
        (torch.tensor([math.nan, 1.0]), torch.tensor([math.nan, 1.0]), None),
        (math.nan, 1.0, "it is NaN"),
        (math.inf, 1.0, "it is inf, wanted 1"),
        (True, False, "it is True, wanted False"),
        (torch.tensor([True]), torch.tensor([1]), "the dtype is bool, wanted int64"),
        (None, 1.0, "it is a NoneType, wanted a float"),
        ([1.0], 1.0, "it is a list, wanted a float"),
        (np.array(["a"]), 1.0, "it is an array, wanted a float"),
        (torch.ones(2), 1.0, "it has shape (2,), wanted one number"),
        (1.0, [1.0], "it is a float, wanted a list"),
        ([1, 2], [1, 2, 3], "it has 2 items, wanted 3"),
        ([1, 3], (1, 2), "at [1]: it is 3, wanted 2"),
        ({"a": 1}, {"a": 1, "b": 2}, "the key 'b' is missing"),
        ({"a": 1, "b": 2}, {"a": 1}, "the key 'b' should not be there"),
        ({"a": 1.5}, {"a": 1}, "at ['a']: it is 1.5, wanted 1"),
        ({"a": 1.5}, [1], "it is a dict, wanted a list"),
        (1, {"a": 1}, "it is an int, wanted a dict"),
        ("a", "b", "it is 'a', wanted 'b'"),
        (2, "b", "it is an int, wanted a str"),
        (torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 2], [3, 5]]), "at [1, 1] it is 4, wanted 5"),
    ],
)
def test_differences_in_words(got: Any, want: Any, sentence: str | None) -> None:
    assert difference(got, want, 1e-5) == sentence


@pytest.mark.parametrize(
    ("got", "want", "named"),
    [
        ([1.0, 2.0], [1.0, 3.0], None),
        ([2.0], [5.0], None),
        ([2.0], [8.0], "exactly 4 times too small"),
        ([0.0, 2.0], [0.0, 8.0], "exactly 4 times too small"),
        ([0.0], [0.0], None),
        ([math.nan, 1.0], [1.0, 2.0], None),
        ([-4.0, -8.0], [1.0, 2.0], "exactly 4 times too large and of the wrong sign"),
        ([0.0, 1.0], [0.5, 1.5], "always 0.5 too small"),
    ],
)
def test_one_factor_or_offset_is_named(got: list[float], want: list[float], named: str | None) -> None:
    assert scale_or_shift([(torch.tensor(got), torch.tensor(want))]) == named


@pytest.mark.parametrize("factor", [2, 3, 10, 16, 128])
def test_any_whole_factor_is_found_over_cases_of_any_shape(factor: int) -> None:
    generator = torch.Generator().manual_seed(factor)
    want = [torch.randn(shape, generator=generator) for shape in [(), (3,), (2, 4)]]
    pairs = [(value / factor, value) for value in want]
    assert scale_or_shift(pairs) == f"exactly {factor} times too small"
