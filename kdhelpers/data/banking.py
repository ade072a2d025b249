"""Banking77: real customers' messages to a bank, in 77 intents; downloaded once, or read from a folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch

from ..extras import need
from .csv_files import read_classes, read_csv
from .places import data_folder
from .splits import Split
from .tasks import Task

_ADDRESS = (
    "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/"
    "57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/"
)
_SHA256 = {
    "train.csv": "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
    "test.csv": "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
}
TIMEOUT_SECONDS = 30


def load_banking77(
    root: str | os.PathLike[str] | None = None,
    *,
    labels_per_class: int = 10,
    seed: int = 0,
    download: bool = True,
) -> Task:
    """Banking77 as a task with few labels: the other messages are a pool without any.

    Train: some messages of each intent with their label. Validation: as many others of each. Pool: all else
    of the published training set, unlabelled. Test: the published one.
    Source: Casanueva et al. 2020, "Efficient Intent Detection with Dual Sentence Encoders", arXiv:2003.04807;
    CC BY 4.0.

    Args:
        root: The folder that has or gets ``banking77/``. None: the environment variable KDHELPERS_DATA, or
            the user's cache folder if that is not set.
        labels_per_class: Labelled messages of each intent, 1 to 16.
        seed: Which messages these are.
        download: Whether the network may be asked (1.1 MB) if the files are not there.

    Raises:
        FileNotFoundError: The files are not there, and `download` is False.
        ConnectionError: They are not there and could not be downloaded.
        ValueError: They are not the published ones, or labels_per_class is out of range.
        ImportError: pooch is not installed, and a download is needed.

    Example:
        >>> load_banking77("no/such", download=False)
        Traceback (most recent call last):
        FileNotFoundError: Banking77 is not in no/such/banking77: allow the download or put its files there.
    """
    if not 1 <= labels_per_class <= 16:
        raise ValueError(f"labels_per_class is {labels_per_class}: give 1 to 16 (the rarest has 35).")
    folder = data_folder(root) / "banking77"
    train, test = (_published(folder, name, download) for name in ("train.csv", "test.csv"))
    classes = read_classes(train, label="category")
    every = read_csv(train, label="category", classes=classes)
    labelled, validation, pool = _parts(every, labels_per_class, seed)
    return Task(
        name="Banking77",
        classes=classes,
        train=labelled,
        validation=validation,
        test=read_csv(test, label="category", classes=classes),
        pool=pool.unlabelled(),
        about="real customers' messages to a bank",
    )


def _parts(every: Split, each: int, seed: int) -> list[Split]:
    assert every.labels is not None
    # RandomState's stream is frozen for good: the same seed is the same messages in every NumPy.
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(every)))
    labels, place = every.labels[order], torch.empty(len(every), dtype=torch.long)
    for label in labels.unique():
        rows = order[labels == label]
        place[rows] = torch.arange(len(rows))
    cuts = (place < each, (place >= each) & (place < 2 * each), place >= 2 * each)
    return [every.take(mask) for mask in cuts]


def _published(folder: Path, name: str, download: bool) -> Path:
    file = folder / name
    if not file.is_file():
        if not download:
            raise FileNotFoundError(
                f"Banking77 is not in {folder.as_posix()}: allow the download or put its files there."
            )
        _download(folder, name)
    if hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256[name]:
        raise ValueError(f"{file} is not the published file: delete it and load again.")
    return file


def _download(folder: Path, name: str) -> None:
    pooch = need("pooch", extra="course")
    # Its log would print machine paths into a lesson.
    pooch.get_logger().setLevel("ERROR")
    try:
        pooch.retrieve(
            _ADDRESS + name,
            known_hash=_SHA256[name],
            fname=name,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS),
        )
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError: another sha256
        raise ConnectionError(
            f"Banking77 is not in {folder} and could not be downloaded: connect to the network, or set "
            "KDHELPERS_DATA to a folder that has banking77/train.csv and test.csv."
        ) from error
