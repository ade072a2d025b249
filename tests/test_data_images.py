from __future__ import annotations

import errno
import os
import shutil
import socket
import struct
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch

from kdhelpers.data import images, load_digits, load_mnist

REAL = os.environ.get("KDHELPERS_DATA")
FILES = {
    "train-images-idx3-ubyte": (12, 28, 28),
    "train-labels-idx1-ubyte": (12,),
    "t10k-images-idx3-ubyte": (7, 28, 28),
    "t10k-labels-idx1-ubyte": (7,),
}


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch):
    """A folder with MNIST files of 12 and 7 rows, in the published format, and their content."""
    rng = np.random.default_rng(0)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    written = {}
    for name, shape in FILES.items():
        written[name] = rng.integers(0, 256 if "images" in name else 10, shape, dtype=np.uint8)
        header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
        (raw / name).write_bytes(header + written[name].tobytes())
    monkeypatch.setattr(images, "MNIST_VALIDATION", 5)
    return tmp_path, written


@pytest.fixture
def no_network(monkeypatch):
    import torchvision.datasets.mnist

    asked = []

    def fails(url, *args, **more):
        asked.append(url)
        raise URLError("no network")

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", fails)
    return asked


def test_digits_are_all_there_once(digits):
    import sklearn.datasets

    theirs, labels = sklearn.datasets.load_digits(return_X_y=True)
    assert [len(split) for split in digits.splits.values()] == [1000, 297, 500]
    rows = [int(id.removeprefix("digit-")) for split in digits.splits.values() for id in split.ids]
    assert sorted(rows) == list(range(1797))
    ours = torch.cat([split.inputs for split in digits.splits.values()])
    assert ours.shape == (1797, 1, 8, 8)
    assert torch.equal(ours.flatten(1) * 16, torch.tensor(theirs[rows], dtype=torch.float32))
    assert torch.cat([split.labels for split in digits.splits.values()]).tolist() == labels[rows].tolist()


def test_digits_have_equal_shares_everywhere(digits):
    every = torch.cat([split.labels for split in digits.splits.values()]).bincount()
    for split in digits.splits.values():
        fair = every * len(split) / 1797
        # Each of the two cuts rounds a class by at most one row.
        assert (split.labels.bincount() - fair).abs().max() <= 2


def test_digits_split_is_fixed(digits):
    assert digits.train.ids[:5] == ("digit-0001", "digit-0002", "digit-0004", "digit-0005", "digit-0006")
    assert load_digits().test.ids == digits.test.ids


def test_mnist_reads_its_files(tiny_mnist):
    folder, written = tiny_mnist
    task = load_mnist(folder, download=False)
    assert [len(split) for split in task.splits.values()] == [7, 5, 7]
    pixels = torch.cat([task.train.inputs, task.validation.inputs])
    assert pixels.shape == (12, 1, 28, 28)
    assert torch.equal(
        (pixels[:, 0] * 255).round().byte(), torch.from_numpy(written["train-images-idx3-ubyte"])
    )
    assert 0 <= pixels.min() < 0.01
    assert 0.99 < pixels.max() <= 1
    labels = task.train.labels.tolist() + task.validation.labels.tolist()
    assert labels == written["train-labels-idx1-ubyte"].tolist()
    assert task.test.labels.tolist() == written["t10k-labels-idx1-ubyte"].tolist()
    assert (task.train.ids[0], task.validation.ids[-1], task.test.ids[3]) == (
        "train-00000",
        "validation-00004",
        "test-00003",
    )


def test_mnist_folder_comes_from_the_environment(tiny_mnist, monkeypatch):
    monkeypatch.setenv("KDHELPERS_DATA", str(tiny_mnist[0]))
    assert len(load_mnist(download=False).test) == 7


def test_mnist_folder_is_the_cache_otherwise(tiny_mnist, monkeypatch):
    import platformdirs

    monkeypatch.delenv("KDHELPERS_DATA", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tiny_mnist[0])
    assert len(load_mnist(download=False).test) == 7


def test_mnist_there_is_not_downloaded_again(tiny_mnist, no_network):
    assert len(load_mnist(tiny_mnist[0]).train) == 7
    assert no_network == []


def test_published_mnist_has_its_counts(tiny_mnist, monkeypatch):
    # The full set where the reader has it, the small one of this file elsewhere.
    folder, sizes, train = tiny_mnist[0], [7, 5, 7], 7
    if REAL and (Path(REAL) / "MNIST" / "raw").is_dir():
        monkeypatch.setattr(images, "MNIST_VALIDATION", 5_000)
        folder, sizes, train = REAL, [55_000, 5_000, 10_000], 55_000
    task = load_mnist(folder, download=False)
    assert [len(split) for split in task.splits.values()] == sizes
    assert task.train.ids[-1] == f"train-{train - 1:05}"
    assert set(task.test.labels.tolist()) <= set(range(10))


def test_mnist_without_files_or_download(tmp_path, no_network):
    with pytest.raises(
        FileNotFoundError, match=r"MNIST is not in .*raw: allow the download or put"
    ) as caught:
        load_mnist(tmp_path, download=False)
    assert tmp_path.as_posix() in str(caught.value)
    assert no_network == []
    assert list(tmp_path.iterdir()) == []


def test_mnist_without_network(tmp_path, no_network):
    before = socket.getdefaulttimeout()
    with pytest.raises(ConnectionError, match="could not be downloaded: connect to the network") as caught:
        load_mnist(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert no_network
    assert socket.getdefaulttimeout() == before


def test_mnist_on_a_dead_network_gives_up(tmp_path, monkeypatch):
    import torchvision.datasets.mnist

    def hangs(url, *args, **more):
        assert socket.getdefaulttimeout() == images.TIMEOUT_SECONDS
        raise TimeoutError("timed out")

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", hangs)
    with pytest.raises(ConnectionError, match="could not be downloaded"):
        load_mnist(tmp_path)


def test_mnist_with_too_little_disk(tmp_path, no_network, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**7))
    with pytest.raises(OSError, match=r"needs 120 MB, but .* has 10 MB free") as caught:
        load_mnist(tmp_path / "new" / "folder")
    assert caught.value.errno == errno.ENOSPC
    assert no_network == []


@pytest.mark.parametrize("keep", [0, 3, 400])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"])
def test_damaged_mnist_is_named(tiny_mnist, name, keep):
    file = tiny_mnist[0] / "MNIST" / "raw" / name
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match="damaged: delete that folder and load again"):
        load_mnist(tiny_mnist[0], download=False)


def test_mnist_labels_cut_short(tiny_mnist):
    file = tiny_mnist[0] / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        load_mnist(tiny_mnist[0], download=False)
