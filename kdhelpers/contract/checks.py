"""What a contract may ask for: each mistake gets one sentence that says which clause and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from numbers import Real
from reprlib import repr as shortened

SHARES = ("accuracy", "worst_class", "ece", "agreement")
TABLES = ("slices", "classes")
OF_COSTS = ("latency_p50_ms", "latency_p95_ms", "bytes", "cost_per_million")
KEYS = ("name", *SHARES, *TABLES, *OF_COSTS, "price_per_hour")
LISTED = 12


def checked_share(value: object, name: str) -> float:
    """A floor or ceiling that is a share.

    Raises:
        TypeError: It is no number.
        ValueError: It is outside 0 to 1.

    Example:
        >>> checked_share(85, "accuracy")
        Traceback (most recent call last):
        ValueError: accuracy is 85, but shares go from 0 to 1: give a share such as 0.85.
    """
    number = _checked_number(value, name)
    if not 0 <= number <= 1:
        meant = number / 100 if 1 < number <= 100 else 0.85
        raise ValueError(
            f"{name} is {shortened(value)}, but shares go from 0 to 1: give a share such as {meant:.4g}."
        )
    return number


def checked_ceiling(value: object, name: str) -> float:
    """The most that something may cost, in time, bytes or money.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative or not finite.

    Example:
        >>> checked_ceiling(-2, "bytes")
        Traceback (most recent call last):
        ValueError: bytes is -2: give the most that is allowed, a finite number of 0 or more.
    """
    number = _checked_number(value, name)
    if not 0 <= number < math.inf:
        raise ValueError(
            f"{name} is {shortened(value)}: give the most that is allowed, a finite number of 0 or more."
        )
    return number


def checked_floors(value: object, name: str) -> dict[str, float]:
    """Floors by name; a class number becomes its digits, as in TOML.

    Raises:
        TypeError: It is no mapping, or has keys that are no names or values that are no numbers.
        ValueError: A floor is outside 0 to 1, or given twice.

    Example:
        >>> checked_floors({7: 0.9}, "classes")
        {'7': 0.9}
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {shortened(value)}: give floors by name, such as {{'security': 0.9}}.")
    found: dict[str, float] = {}
    for key, floor in value.items():
        if not _is_name(key, numbers=name == "classes"):
            kinds = "names or numbers" if name == "classes" else "names"
            raise TypeError(f"{name} has the key {shortened(key)}: use {kinds} as keys.")
        if str(key) in found:
            raise ValueError(f"{name} names {key} twice, as a number and as a text: keep one floor.")
        found[str(key)] = checked_share(floor, f"{name}.{key}")
    return found


def _is_name(key: object, numbers: bool) -> bool:
    return isinstance(key, str) or (numbers and isinstance(key, int) and not isinstance(key, bool))


def _checked_number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        form = "a name with a dot in quotes" if isinstance(value, Mapping) else "without quotes or unit"
        raise TypeError(f"{name} is {shortened(value)}, which is no number: write one, {form}.")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, the first dozen of many.

    Example:
        >>> listed(["billing", "other"])
        'billing, other'
    """
    every = list(names)
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more or "none"


def hint(wrong: str, known: Iterable[str]) -> str:
    """What may have been meant instead, as the end of a sentence.

    Example:
        >>> hint("acuracy", KEYS)
        ' (did you mean accuracy?)'
    """
    near = get_close_matches(wrong, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def misplaced(keys: Iterable[str]) -> str:
    """A remark on keys that TOML counts to the table above them, as the end of a sentence.

    Example:
        >>> misplaced(["security", "bytes"])
        ' (in a TOML file, bytes must stand above the first [table])'
    """
    found = [key for key in keys if key in KEYS]
    return f" (in a TOML file, {found[0]} must stand above the first [table])" if found else ""
