"""How a value differs from the wanted one, in a sentence a learner can act on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def difference(got: Any, want: Any, tolerance: float, *, show: bool = True) -> str | None:
    """Say how ``got`` differs from ``want``, or None if it does not.

    Args:
        got: The learner's result.
        want: The right one: a number, tensor, array, text, or a list, tuple or dict of these.
        tolerance: Numbers are equal within it, relative and absolute.
        show: Whether the sentence may state the wanted values (False keeps an exercise's answer).

    Example:
        >>> difference(torch.zeros(2, 3), torch.zeros(3, 2), 1e-5)
        'it has shape (2, 3), wanted shape (3, 2)'
        >>> difference([1, 2], [1, 2], 1e-5) is None
        True
    """
    if isinstance(want, dict):
        return _in_dict(got, want, tolerance, show)
    if isinstance(want, (list, tuple)):
        return _in_sequence(got, want, tolerance, show)
    if not is_numeric(want):
        return _plain(got, want, show)
    return _wrong_kind(got, want) or _wrong_values(as_tensor(got), as_tensor(want), tolerance, show)


def is_numeric(value: Any) -> bool:
    """Whether a value is a number or holds numbers only: a tensor, an array, an int, float or bool.

    Example:
        >>> is_numeric(torch.ones(2)), is_numeric("2")
        (True, False)
    """
    if isinstance(value, Tensor):
        return not value.is_complex()
    return isinstance(value, (np.ndarray, np.generic, int, float)) and np.asarray(value).dtype.kind in "biuf"


def as_tensor(value: Any) -> Tensor:
    """A detached CPU tensor of a numeric value.

    Example:
        >>> as_tensor(0.5).dtype
        torch.float64
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    return torch.from_numpy(np.array(value))


def scale_or_shift(pairs: Sequence[tuple[Tensor, Tensor]]) -> str | None:
    """Name the one factor or the one offset between all results and all wanted values, if there is one.

    Args:
        pairs: Results and wanted values of equal shapes, finite.

    Example:
        >>> scale_or_shift([(torch.tensor([1.0, 2.0]), torch.tensor([16.0, 32.0]))])
        'exactly 16 times too small'
        >>> scale_or_shift([(torch.tensor([1.5, 2.5]), torch.tensor([1.0, 2.0]))])
        'always 0.5 too large'
    """
    got = torch.cat([g.double().flatten() for g, _ in pairs])
    want = torch.cat([w.double().flatten() for _, w in pairs])
    if not len(got) or not bool((got.isfinite() & want.isfinite()).all()):
        return None
    # Where zero is wanted a factor says nothing, as long as zero was given.
    telling = (want.abs() > 1e-12) | (got.abs() > 1e-12)
    return _factor(got[telling], want[telling]) or _offset(got, want)


def _factor(got: Tensor, want: Tensor) -> str | None:
    if not len(got) or bool((want == 0).any()) or bool((got == 0).any()):
        return None
    ratios = got / want
    ratio = float(ratios.mean())
    if float((ratios / ratio - 1).abs().max()) > 1e-3:
        return None
    if abs(ratio + 1) < 1e-3:
        return "right but for the sign"
    size = max(abs(ratio), 1 / abs(ratio))
    whole = abs(size - round(size)) < 1e-3 * size and round(size) > 1
    # One number has a factor to anything: only a whole one tells something.
    if len(got) < 2 and not whole:
        return None
    sign = " and of the wrong sign" if ratio < 0 else ""
    times = f"exactly {round(size)}" if whole else f"{size:.4g}"
    return f"{times} times too {'large' if abs(ratio) > 1 else 'small'}{sign}"


def _offset(got: Tensor, want: Tensor) -> str | None:
    gaps = got - want
    gap = float(gaps.mean())
    if len(got) < 2 or gap == 0 or float((gaps - gap).abs().max()) > 1e-3 * abs(gap):
        return None
    return f"always {abs(gap):.4g} too {'large' if gap > 0 else 'small'}"


def _in_dict(got: Any, want: dict[Any, Any], tolerance: float, show: bool) -> str | None:
    if not isinstance(got, dict):
        return f"it is {_kind(got)}, wanted a dict"
    if missing := [key for key in want if key not in got]:
        return f"the key {missing[0]!r} is missing"
    if extra := [key for key in got if key not in want]:
        return f"the key {extra[0]!r} should not be there"
    return _first_at({key: (got[key], want[key]) for key in want}, tolerance, show)


def _in_sequence(got: Any, want: Sequence[Any], tolerance: float, show: bool) -> str | None:
    if not isinstance(got, (list, tuple)):
        return f"it is {_kind(got)}, wanted {_kind(want)}"
    if len(got) != len(want):
        return f"it has {len(got)} items, wanted {len(want)}"
    return _first_at(dict(enumerate(zip(got, want, strict=True))), tolerance, show)


def _first_at(pairs: dict[Any, tuple[Any, Any]], tolerance: float, show: bool) -> str | None:
    for place, (got, want) in pairs.items():
        if said := difference(got, want, tolerance, show=show):
            return f"at [{place!r}]: {said}"
    return None


def _plain(got: Any, want: Any, show: bool) -> str | None:
    if type(got) is not type(want):
        return f"it is {_kind(got)}, wanted {_kind(want)}"
    if got == want:
        return None
    return f"it is {got!r}, wanted {want!r}" if show else f"{got!r} is not it"


def _wrong_kind(got: Any, want: Any) -> str | None:
    if not is_numeric(got) or (
        isinstance(want, Tensor) and want.requires_grad and not isinstance(got, Tensor)
    ):
        return f"it is {_kind(got)}, wanted {_kind(want)}"
    shape, wanted = tuple(as_tensor(got).shape), tuple(as_tensor(want).shape)
    if shape != wanted:
        has = f"has shape {shape}" if shape else "is one number"
        return f"it {has}, wanted {f'shape {wanted}' if wanted else 'one number'}"
    # A single number may be written 4 or 4.0; a tensor of labels may not be floats.
    if shape and _family(got) != _family(want):
        return f"the dtype is {_dtype(got)}, wanted {_dtype(want)}"
    if isinstance(want, Tensor) and want.requires_grad and not got.requires_grad:
        return "the values carry no gradient (was it detached, or computed under no_grad?)"
    return None


def _wrong_values(got: Tensor, want: Tensor, tolerance: float, show: bool) -> str | None:
    equal = torch.isclose(got.double(), want.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
    if bool(equal.all()):
        return None
    strange = got.isnan() & ~want.isnan() if got.is_floating_point() else torch.zeros_like(equal)
    if bool(strange.any()):
        return f"{int(strange.sum())} of {got.numel()} values are NaN" if got.dim() else "it is NaN"
    at = tuple(int(i) for i in (~equal).nonzero()[0])
    place = f"at [{', '.join(map(str, at))}] " if at else ""
    return f"{place}it is {_short(got[at])}" + (
        f", wanted {_short(want[at])}" if show else _direction(got[at], want[at])
    )


def _direction(got: Tensor, want: Tensor) -> str:
    if got.dtype == torch.bool:
        return ", which is not it"
    return ", which is too large" if float(got) > float(want) else ", which is too small"


def _short(value: Tensor) -> str:
    number = value.item()
    return f"{number:.6g}" if isinstance(number, float) and math.isfinite(number) else str(number)


def _family(value: Any) -> str:
    dtype = as_tensor(value).dtype
    if dtype == torch.bool:
        return "bool"
    return "float" if dtype.is_floating_point else "int"


def _dtype(value: Any) -> str:
    return str(as_tensor(value).dtype).removeprefix("torch.")


def _kind(value: Any) -> str:
    name = {"Tensor": "tensor", "ndarray": "array"}.get(type(value).__name__, type(value).__name__)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
