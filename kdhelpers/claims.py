"""Sentences that are checked before they are shown."""

from __future__ import annotations

import math
import re
from numbers import Real
from string import Formatter
from typing import Any

from kdhelpers.frontend import in_notebook, show_markdown


class ClaimFailed(AssertionError):
    """A claim that did not hold; the message is the sentence with its numbers."""


def claim(sentence: str, holds: Any, **numbers: Any) -> None:
    """State a result, with its numbers filled in, only if it holds.

    Args:
        sentence: A format string (Markdown in a notebook) with a named placeholder for each number,
            such as ``"The student keeps {share:.1%} of it."``
        holds: The check itself: a bool, or a tensor or array of one bool.
        **numbers: What the placeholders show: numbers, tensors or arrays of one number, estimates,
            differences, or words such as a model's name.

    Raises:
        ClaimFailed: It does not hold.
        ValueError: A placeholder without a number, a number without a placeholder, NaN, or a check
            that is not a bool.

    Example:
        >>> claim("The student has {times:.0f} times fewer parameters.", 900 > 100, times=9.0)
        The student has 9 times fewer parameters.
    """
    truth = _truth(holds)
    rendered = _render(sentence, {name: _plain(name, number) for name, number in numbers.items()})
    if not truth:
        raise ClaimFailed(f"This does not hold: {rendered}")
    # Not every terminal can print a tick; this one is in nearly every font of a browser.
    show_markdown(f"✓ {rendered}" if in_notebook() else rendered)


def _truth(holds: Any) -> bool:
    single = _single(holds)
    if not isinstance(single, bool):
        raise ValueError(
            f"The check of a claim is {single!r}; give the comparison itself, which is True or False."
        )
    return single


def _render(sentence: str, numbers: dict[str, Any]) -> str:
    wanted = _placeholders(sentence)
    if missing := sorted(wanted - numbers.keys()):
        raise ValueError(f"The claim has no number for {_listed(missing)}: give {missing[0] or 'name'}=...")
    if unused := sorted(numbers.keys() - wanted):
        raise ValueError(f"The claim never shows {_listed(unused)}: put {{{unused[0]}}} into the sentence.")
    try:
        return sentence.format(**numbers)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise ValueError(f"The claim {sentence!r} cannot be filled in: {error}.") from error


def _placeholders(sentence: str) -> set[str]:
    try:
        parts = list(Formatter().parse(sentence))
    except ValueError as error:
        raise ValueError(f"The claim {sentence!r} is not a format string: {error}.") from error
    found: set[str] = set()
    for _, field, spec, _ in parts:
        if field is not None:
            # {accuracy.low:.1%} is about the number called accuracy.
            found |= {re.split(r"[.\[]", field, maxsplit=1)[0]} | _placeholders(spec or "")
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def _plain(name: str, number: Any) -> Any:
    single = _single(number)
    # By exact type: an estimate may well be a named tuple.
    if type(single) in (type(None), list, tuple, set, dict) or hasattr(single, "tolist"):
        raise ValueError(f"The claim's {name} is a {type(single).__name__}; give one number.")
    # An estimate or a difference is as bad as its worst part.
    parts = [single, *(getattr(single, part, None) for part in ("value", "mean", "low", "high"))]
    if any(isinstance(part, Real) and math.isnan(part) for part in parts):
        raise ValueError(f"The claim's {name} is NaN: something before it went wrong.")
    return single


def _single(value: Any) -> Any:
    # Tensors and arrays, without importing either: both say how many values they hold.
    count = value.numel() if callable(getattr(value, "numel", None)) else getattr(value, "size", None)
    return value.item() if count == 1 and hasattr(value, "item") else value
