"""What is wrong with the names of models, slices and costs, said with what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches


def check_names(models: Mapping[str, object], baseline: str | None) -> None:
    """Refuse no models, and a baseline that is none of them.

    Raises:
        ValueError: There are none, or it is not there.

    Example:
        >>> check_names({"teacher": 1, "student": 2}, "techer")
        Traceback (most recent call last):
        ValueError: The baseline 'techer' (did you mean 'teacher'?) is not one of 'teacher', 'student'.
    """
    if not models:
        raise ValueError("There are no models to compare: pass at least one, such as {'student': student}.")
    if baseline is not None and baseline not in models:
        raise ValueError(
            f"The baseline {baseline!r}{meant(baseline, models)} is not one of {listed(models)}."
        )


def checked_slices(slices: Sequence[str], *known: Iterable[str]) -> tuple[str, ...]:
    """The slices as a tuple, if every one of the collections knows them; a single name is one slice.

    Raises:
        ValueError: A slice that is not there, or has no labelled rows.

    Example:
        >>> checked_slices(["rare"], ["rare", "noisy"])
        ('rare',)
    """
    wanted = (slices,) if isinstance(slices, str) else tuple(slices)
    for names in known:
        for name in wanted:
            if name not in names:
                raise ValueError(
                    f"There is no slice {name!r} with labelled rows{meant(name, names)}: "
                    f"there are {listed(names) or 'none'}."
                )
    return wanted


def meant(wrong: str, known: Iterable[str]) -> str:
    """What may have been meant instead, in brackets.

    Example:
        >>> meant("raer", ["rare", "noisy"])
        " (did you mean 'rare'?)"
    """
    near = get_close_matches(wrong, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def listed(names: Iterable[str]) -> str:
    """Names in quotation marks, with commas.

    Example:
        >>> listed(["a", "b"])
        "'a', 'b'"
    """
    return ", ".join(map(repr, names))
