"""MNIST-1D: digits drawn as signals, generated on the spot, as many as you like."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..bars import progress_bar
from ..extras import need
from ..seeding import seeded_randomness
from .splits import Split
from .tasks import Task

PUBLISHED_SEED = 42
PUBLISHED_SIZE = 5_000
TRAIN_SHARE = 0.8
VALIDATION_SIZE = 1_000
# The pool is made of whole chunks, each with a seed of its own, so that asking for more changes none of them.
CHUNK = 1_000


def load_mnist1d(*, pool: int = 0, seed: int = PUBLISHED_SEED, progress: bool = True) -> Task:
    """MNIST-1D: signals (40,) of the ten digits, made by the published generator.

    With the default seed, train (4,000) and test (1,000) are exactly the published set, in its order.
    Validation (1,000) and the pool are further signals from the same generator. The pool has no labels, and
    its first rows are the same however many are asked for. Nothing is downloaded; 1,000 signals take about
    half a second. The random state of Python and NumPy is left as it was.
    Source: Greydanus & Kobak, "Scaling Down Deep Learning with MNIST-1D", https://arxiv.org/abs/2011.14439.

    Args:
        pool: How many unlabelled signals to make besides.
        seed: Another seed gives another task of the same kind: all signals differ.
        progress: Whether to show a bar if it takes longer than a second.

    Raises:
        ValueError: `pool` or `seed` is negative.
        ImportError: mnist1d is not installed.

    Example:
        >>> load_mnist1d(progress=False)
        Task('MNIST-1D', 10 classes, train 4,000, validation 1,000, test 1,000)
    """
    if pool < 0 or seed < 0:
        raise ValueError(f"pool and seed must be 0 or more, not {pool} and {seed}.")
    total = PUBLISHED_SIZE + VALIDATION_SIZE + pool
    with progress_bar(title="MNIST-1D", unit="signals", total=total, shown=progress) as bar:
        inputs, labels = _generate(PUBLISHED_SIZE, seed, bar)
        train = round(PUBLISHED_SIZE * TRAIN_SHARE)
        return Task(
            name="MNIST-1D",
            classes=tuple("0123456789"),
            train=_split("train", inputs[:train], labels[:train]),
            validation=_split("validation", *_generate(VALIDATION_SIZE, _seed_of(seed, 0), bar)),
            test=_split("test", inputs[train:], labels[train:]),
            pool=_pool(pool, seed, bar) if pool else None,
            about="digits drawn as noisy signals of 40 points",
        )


def _pool(size: int, seed: int, bar: tqdm[Any]) -> Split:
    chunks = -(-size // CHUNK)
    made = [_generate(CHUNK, _seed_of(seed, 1, chunk), bar)[0] for chunk in range(chunks)]
    return _split("pool", torch.cat(made)[:size], digits=6)


def _split(name: str, inputs: Tensor, labels: Tensor | None = None, digits: int = 5) -> Split:
    return Split([f"{name}-{row:0{digits}}" for row in range(len(inputs))], inputs, labels)


def _seed_of(*path: int) -> int:
    # Hashed, because seed + 1 would be the neighbouring task's own seed.
    return int(np.random.SeedSequence(path).generate_state(1)[0])


def _generate(size: int, seed: int, bar: tqdm[Any]) -> tuple[Tensor, Tensor]:
    """Signals (size, 40) float32 and labels (size,), in the generator's own (shuffled) order."""
    mnist1d = need("mnist1d.data", extra="course")
    settings = mnist1d.get_dataset_args()
    settings.num_samples, settings.seed = size, seed
    # Never get_dataset: it asks the network first. It seeds the global generators itself.
    with seeded_randomness(seed):
        made = mnist1d.make_dataset(settings)
    bar.update(size)
    inputs = np.concatenate([made["x"], made["x_test"]])
    labels = np.concatenate([made["y"], made["y_test"]])
    return torch.from_numpy(inputs).float(), torch.from_numpy(labels).long()
