"""Randomness that can be repeated, and that stays out of everybody else's way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy
import torch

T = TypeVar("T")

# numpy's global generator takes 32 bits; one range for all three keeps the rule simple.
_LARGEST = 2**32 - 1


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, numpy and torch (every device).

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ValueError: The seed is not such a number.

    Example:
        >>> seed_everything(3)
        >>> first = torch.rand(2)
        >>> seed_everything(3)
        >>> torch.equal(first, torch.rand(2))
        True
    """
    checked = _checked(seed)
    random.seed(checked)
    numpy.random.seed(checked)
    torch.manual_seed(checked)


def generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator of its own, for shuffling and sampling that nothing else can disturb.

    Args:
        seed: A whole number from 0 to 2**32 - 1.
        device: Where the random tensors will be drawn.

    Raises:
        ValueError: The seed is not such a number.

    Example:
        >>> a, b = generator(1), generator(1)
        >>> torch.equal(torch.randperm(9, generator=a), torch.randperm(9, generator=b))
        True
    """
    return torch.Generator(device=device).manual_seed(_checked(seed))


def seeded(build: Callable[[], T], seed: int) -> T:
    """Build something, usually a model, from a seed and leave the global random state as it was.

    Args:
        build: Called without arguments; whatever randomness it uses starts from the seed.
        seed: A whole number from 0 to 2**32 - 1.

    Returns:
        What ``build`` returned.

    Raises:
        ValueError: The seed is not such a number.

    Example:
        >>> one = seeded(lambda: torch.nn.Linear(2, 1), seed=5)
        >>> two = seeded(lambda: torch.nn.Linear(2, 1), seed=5)
        >>> torch.equal(one.weight, two.weight)
        True
    """
    with seeded_randomness(seed):
        return build()


@contextmanager
def seeded_randomness(seed: int) -> Iterator[None]:
    """A block whose global randomness starts from a seed; afterwards everything is as it was before.

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ValueError: The seed is not such a number.

    Example:
        >>> with seeded_randomness(1):
        ...     first = torch.rand(2)
        >>> with seeded_randomness(1):
        ...     again = torch.rand(2)
        >>> torch.equal(first, again)
        True
    """
    checked = _checked(seed)
    with _global_state_kept():
        seed_everything(checked)
        yield


def _checked(seed: int) -> int:
    whole = isinstance(seed, (int, numpy.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= _LARGEST:
        raise ValueError(f"The seed is {seed!r}; give a whole number from 0 to {_LARGEST}.")
    return int(seed)


@contextmanager
def _global_state_kept() -> Iterator[None]:
    python, array, tensor = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    # Asked for only where present: asking would start CUDA on a machine that merely has it compiled in.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        numpy.random.set_state(array)
        torch.set_rng_state(tensor)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)
