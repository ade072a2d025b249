"""What several test files need and is made once."""

from __future__ import annotations

import functools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kdhelpers.data import load_mnist1d, signals
from kdhelpers.ngrams import NgramHasher

# Signals of the pool that have a seed of their own together.
CHUNK = 20


@pytest.fixture(scope="session")
def signals_made():
    """The full set with a small pool, mnist1d's own calls, and whether random states were kept."""
    import mnist1d.data

    make, calls = mnist1d.data.make_dataset, []

    def watched(settings):
        calls.append((dict(vars(settings)), make(settings)))
        return calls[-1][1]

    before = random_states()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signals, "CHUNK", CHUNK)
        patch.setattr(mnist1d.data, "make_dataset", watched)
        task = load_mnist1d(pool=2 * CHUNK + 3, progress=False)
    return SimpleNamespace(task=task, calls=calls, states_kept=before == random_states())


def random_states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.fixture
def few_ngrams(monkeypatch):
    """A small table of n-grams where one is trained for every fold: a few rows need no larger one."""
    from kdhelpers.own_data import mixing

    small = functools.partial(mixing.NgramStudent, hasher=NgramHasher(buckets=2**10))
    monkeypatch.setattr(mixing, "NgramStudent", small)
