"""Handwritten digits: scikit-learn's small ones offline, and MNIST."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..extras import need
from .places import data_folder
from .splits import Split
from .tasks import Task

DIGITS_TRAIN, DIGITS_VALIDATION = 1_000, 297
MNIST_VALIDATION = 5_000
MNIST_MEGABYTES = 120
TIMEOUT_SECONDS = 30


def load_digits() -> Task:
    """Scikit-learn's handwritten digits: 1,797 images (1, 8, 8) with values from 0 to 1; needs no network.

    Train 1,000, validation 297, test 500: always the same rows, each class in the same share everywhere. An
    id holds the row's number in scikit-learn's order.
    Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", https://doi.org/10.24432/C50P49.

    Raises:
        ImportError: scikit-learn is not installed.

    Example:
        >>> load_digits()
        Task('digits', 10 classes, train 1,000, validation 297, test 500)
    """
    images, classes = need("sklearn.datasets", extra="course").load_digits(return_X_y=True)
    labels = torch.as_tensor(classes).long()
    every = Split(
        ids=[f"digit-{row:04}" for row in range(len(labels))],
        inputs=torch.as_tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8),
        labels=labels,
    )
    train, validation, test = _stratified(labels, DIGITS_TRAIN, DIGITS_VALIDATION)
    return Task(
        name="digits",
        classes=tuple("0123456789"),
        train=every.take(train),
        validation=every.take(validation),
        test=every.take(test),
        about="real handwriting of 8 by 8 pixels, from scikit-learn",
    )


def _stratified(labels: Tensor, train: int, validation: int) -> list[Tensor]:
    """Row numbers of three parts with equal class shares; the last gets what is left."""
    # RandomState's stream is frozen for good, so these parts stay the same in every NumPy.
    shuffled = torch.from_numpy(np.random.RandomState(0).permutation(len(labels)))
    place = torch.empty(len(labels), dtype=torch.float64)
    for label in set(labels.tolist()):
        rows = shuffled[labels[shuffled] == label]
        # Each class spread evenly from 0 to 1: a cut anywhere then cuts all of them in the same share.
        place[rows] = (torch.arange(len(rows), dtype=torch.float64) + 0.5) / len(rows)
    order = place.argsort(stable=True)
    cuts = [order[:train], order[train : train + validation], order[train + validation :]]
    return [part.sort().values for part in cuts]


def load_mnist(root: str | os.PathLike[str] | None = None, *, download: bool = True) -> Task:
    """MNIST: images (1, 28, 28) with values from 0 to 1; read from a folder, or downloaded into it.

    Train is the first 55,000 of the published training images, validation the last 5,000, test the published
    10,000, all in their published order.
    Source: LeCun, Bottou, Bengio & Haffner 1998, https://doi.org/10.1109/5.726791.

    Args:
        root: The folder that has or gets ``MNIST/raw``. None: the environment variable KDHELPERS_DATA, or
            the user's cache folder if that is not set.
        download: Whether the network may be asked (11 MB) if the files are not there.

    Raises:
        FileNotFoundError: The files are not there, and `download` is False.
        ConnectionError: They are not there and could not be downloaded.
        OSError: Too little free disk for a download.
        ValueError: They are there but damaged.
        ImportError: torchvision is not installed.

    Example:
        >>> load_mnist("no/such", download=False)
        Traceback (most recent call last):
        ...
        FileNotFoundError: MNIST is not in no/such/MNIST/raw: allow the download or put its files there.
    """
    mnist = need("torchvision.datasets", extra="course").MNIST
    folder = data_folder(root)
    train, test = (_read(mnist, folder, train=train, download=download) for train in (True, False))
    cut = len(train[0]) - MNIST_VALIDATION
    return Task(
        name="MNIST",
        classes=tuple("0123456789"),
        train=_split("train", train[0][:cut], train[1][:cut]),
        validation=_split("validation", train[0][cut:], train[1][cut:]),
        test=_split("test", *test),
        about="real handwriting of 28 by 28 pixels",
    )


def _split(name: str, inputs: Tensor, labels: Tensor) -> Split:
    return Split([f"{name}-{row:05}" for row in range(len(inputs))], inputs, labels)


def _read(mnist: Any, folder: Path, *, train: bool, download: bool) -> tuple[Tensor, Tensor]:
    raw = folder / "MNIST" / "raw"
    if not _files_are_in(raw):
        if not download:
            raise FileNotFoundError(
                f"MNIST is not in {raw.as_posix()}: allow the download or put its files there."
            )
        _download(mnist, folder)
    try:
        found = mnist(folder, train=train, download=False)
    except (AssertionError, RuntimeError, ValueError, IndexError, EOFError) as error:
        raise ValueError(
            f"The MNIST files in {raw} are damaged: delete that folder and load again."
        ) from error
    return found.data.unsqueeze(1).float().div_(255), found.targets.long()


def _files_are_in(raw: Path) -> bool:
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return all((raw / f"{part}-ubyte").is_file() for part in parts)


def _download(mnist: Any, folder: Path) -> None:
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free // 10**6
    if free < MNIST_MEGABYTES:
        raise OSError(
            errno.ENOSPC,
            f"Downloading MNIST needs {MNIST_MEGABYTES} MB, but {folder} has {free} MB free: "
            "free some space, or set KDHELPERS_DATA to a folder on another disk.",
        )
    try:
        with _patience(TIMEOUT_SECONDS):
            mnist(folder, download=True)
    except (RuntimeError, OSError, HTTPException) as error:
        raise ConnectionError(
            f"MNIST is not in {folder / 'MNIST' / 'raw'} and could not be downloaded: "
            "connect to the network, or set KDHELPERS_DATA to a folder that has MNIST/raw."
        ) from error


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    # torchvision sets no time limit of its own: on a dead network it would wait for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
