"""Exercises whose check says what is wrong rather than only that it is."""

from __future__ import annotations

import copy
import dis
import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from kdhelpers.frontend import show_html
from kdhelpers.study import cards
from kdhelpers.study.comparing import as_tensor, difference, is_numeric, scale_or_shift
from kdhelpers.study.history import check_key, current_history

NOT_TRIED = "Not tried yet: replace the `...` with your own code, then run this cell again."
DOES_NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


class _StoppedError(Exception):
    """The attempt gave nothing to compare; the message says why."""


def check(
    key: str,
    attempt: Any,
    expected: Any,
    cases: Sequence[tuple[Any, ...]] | None = None,
    mistakes: Mapping[str, Any] | None = None,
    tolerance: float = 1e-5,
    record: bool = True,
) -> bool:
    """Check an exercise and say what is wrong, if anything. A wrong attempt never raises.

    With ``cases``, ``attempt`` and ``expected`` are functions, compared on each tuple of arguments (each gets
    its own copy). Without, they are values, and the right value is not given away.

    Args:
        key: ``"lesson/name"``.
        attempt: The reader's function or value; ``...`` or None is "not tried yet".
        expected: The right function or value.
        cases: Argument tuples for functions.
        mistakes: Sentences for well-known mistakes: each with the function or value that makes it. An attempt
            that equals one of them on all cases is answered with its sentence.
        tolerance: Numbers are equal within it, relative and absolute.
        record: Whether the try enters the study history; False in solution cells.

    Returns:
        Whether the attempt is right.

    Raises:
        ValueError: A bad key, no cases, or ``expected`` is a function without cases.

    Example:
        >>> check("03/double", lambda x: x / 2, lambda x: x * 2, cases=[(1.0,), (3.0,)], record=False)
        Not yet
        On case 1 of 2, called with (1.0): it is 0.5, wanted 2. In every case it is exactly 4 times too small.
        False
    """
    check_key(key)
    _check_author(expected, cases)
    fault = _fault(attempt, expected, cases, mistakes or {}, tolerance)
    tried = fault != NOT_TRIED
    if record and tried:
        history = current_history()
        earlier = history.recall(key, "exercise")
        solved = earlier.get("solved", False) or fault is None
        history.record(key, "exercise", tries=earlier.get("tries", 0) + 1, solved=solved)
    _show(fault, tried, len(cases) if cases else 0)
    return fault is None


def _check_author(expected: Any, cases: Sequence[tuple[Any, ...]] | None) -> None:
    if cases is None and callable(expected):
        raise ValueError("A function exercise needs cases: give a list of argument tuples.")
    if cases is not None and not (len(cases) and all(isinstance(case, tuple) for case in cases)):
        raise ValueError(
            "The cases of an exercise are a list of argument tuples with at least one, such as [(1.0,)]."
        )
    if cases is not None and not callable(expected):
        raise ValueError("With cases, `expected` is the right function; for a value, leave the cases out.")


def _fault(
    attempt: Any,
    expected: Any,
    cases: Sequence[tuple[Any, ...]] | None,
    mistakes: Mapping[str, Any],
    tolerance: float,
) -> str | None:
    if attempt is None or attempt is ...:
        return NOT_TRIED
    try:
        if cases is None:
            return _value_fault(attempt, expected, mistakes, tolerance)
        got = _results(attempt, cases)
    except _StoppedError as stopped:
        return str(stopped)
    want = [expected(*_copied(case)) for case in cases]
    return _function_fault(got, want, cases, mistakes, tolerance)


def _value_fault(attempt: Any, expected: Any, mistakes: Mapping[str, Any], tolerance: float) -> str | None:
    if callable(attempt) and not callable(expected):
        return "This is the function itself: call it, and pass on what it returns."
    said = difference(attempt, expected, tolerance, show=False)
    if said is None:
        return None
    for sentence, wrong in mistakes.items():
        if difference(attempt, wrong, tolerance) is None:
            return sentence
    return _sentence(f"Your value: {said}", _pattern([attempt], [expected], "It"))


def _function_fault(
    got: list[Any],
    want: list[Any],
    cases: Sequence[tuple[Any, ...]],
    mistakes: Mapping[str, Any],
    tolerance: float,
) -> str | None:
    said = [difference(g, w, tolerance) for g, w in zip(got, want, strict=True)]
    wrong = [i for i, sentence in enumerate(said) if sentence]
    if not wrong:
        return None
    for sentence, mistake in mistakes.items():
        if _makes(mistake, got, cases, tolerance):
            return sentence
    first = wrong[0]
    place = f"On case {first + 1} of {len(cases)}, called with {_arguments(cases[first])}: {said[first]}"
    right = (
        f"The other {len(cases) - len(wrong)} of {len(cases)} cases are right."
        if len(wrong) < len(cases)
        else None
    )
    return _sentence(place, right or _pattern(got, want, "In every case it"))


def _results(attempt: Any, cases: Sequence[tuple[Any, ...]]) -> list[Any]:
    if not callable(attempt):
        raise _StoppedError(
            f"This exercise wants a function, and got a value of type `{type(attempt).__name__}`."
        )
    results = []
    for number, case in enumerate(cases, 1):
        place = f"On case {number} of {len(cases)}, called with {_arguments(case)}"
        try:
            result = attempt(*_copied(case))
        except NotImplementedError:
            raise _StoppedError(NOT_TRIED) from None
        except Exception as error:
            if "ellipsis" in str(error):  # a `...` is still in the code
                raise _StoppedError(NOT_TRIED) from None
            raise _StoppedError(f"{place}: it raised {_one_line(error, attempt)}") from None
        if result is ... or (result is None and _is_empty(attempt)):
            raise _StoppedError(NOT_TRIED)
        if result is None:
            raise _StoppedError(
                f"{place}: it returned None. Does every way through the function end in `return`?"
            )
        results.append(result)
    return results


def _is_empty(attempt: Callable[..., Any]) -> bool:
    # A body of `...`, `pass` or a docstring only loads and returns a constant.
    code = getattr(attempt, "__code__", None)
    return code is not None and all(step.opname in DOES_NOTHING for step in dis.get_instructions(code))


def _makes(mistake: Any, got: list[Any], cases: Sequence[tuple[Any, ...]], tolerance: float) -> bool:
    try:
        return all(
            difference(g, mistake(*_copied(case)), tolerance) is None
            for g, case in zip(got, cases, strict=True)
        )
    except Exception:
        return False


def _pattern(got: list[Any], want: list[Any], subject: str) -> str | None:
    if not all(is_numeric(value) for value in (*got, *want)):
        return None
    pairs = [(as_tensor(g), as_tensor(w)) for g, w in zip(got, want, strict=True)]
    if any(g.shape != w.shape for g, w in pairs):
        return None
    named = scale_or_shift(pairs)
    return f"{subject} is {named}." if named else None


def _sentence(first: str, second: str | None) -> str:
    return f"{first}. {second}" if second else f"{first}."


def _one_line(error: Exception, attempt: Any) -> str:
    message = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {message[0]}" if message else type(error).__name__
    line = _line_of(error, attempt)
    return f"{said} in the line `{line}`" if line else said


def _line_of(error: Exception, attempt: Any) -> str:
    # The last line of the reader's own cell on the way to the error: deeper ones are a library's.
    code = getattr(attempt, "__code__", None)
    line, trace = "", error.__traceback__
    while code is not None and trace is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
        trace = trace.tb_next
    return line.replace("`", "'")


def _copied(case: tuple[Any, ...]) -> tuple[Any, ...]:
    # An attempt that changes its arguments in place must not spoil the next comparison.
    return tuple(_copy(value) for value in case)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return copy.deepcopy(value)


def _arguments(case: tuple[Any, ...]) -> str:
    return f"({', '.join(_argument(value) for value in case)})"


def _argument(value: Any) -> str:
    if isinstance(value, Tensor) and value.numel() > 4:
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Tensor):
        return f"tensor({value.tolist()})"
    said = repr(value)
    return said if len(said) <= 40 else f"a {type(value).__name__}"


def _show(fault: str | None, tried: bool, cases: int) -> None:
    if fault is None:
        title, colour = "Correct", cards.GREEN
        fault = f"Your function agrees on all {cases} cases." if cases > 1 else "That is it."
    else:
        title, colour = ("Not yet", cards.ORANGE) if tried else ("Your turn", cards.BLUE)
    show_html(cards.card(title, cards.paragraph(fault), colour), f"{title}\n{cards.plain(fault)}")
