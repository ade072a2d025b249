from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from kdhelpers.data import banking, load_banking77

REAL = os.environ.get("KDHELPERS_DATA")
REAL_FILES = pytest.mark.skipif(
    not REAL or not (Path(REAL) / "banking77").is_dir(), reason="KDHELPERS_DATA has no banking77"
)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of two intents in the published form, taken for the published ones."""
    folder = tmp_path / "banking77"
    folder.mkdir()
    for name, each in (("train.csv", 40), ("test.csv", 5)):
        rows = [f'"{intent} {n}, please",{intent}' for n in range(each) for intent in ("card_lost", "top_up")]
        (folder / name).write_text("\n".join(["text,category", *rows]) + "\n", encoding="utf-8")
        monkeypatch.setitem(
            banking._SHA256, name, banking.hashlib.sha256((folder / name).read_bytes()).hexdigest()
        )
    return tmp_path


def test_each_intent_has_as_many_labels_as_asked_for(tiny: Path) -> None:
    task = load_banking77(tiny, labels_per_class=7)
    for split, each in ((task.train, 7), (task.validation, 7), (task.test, 5)):
        assert split.labels is not None
        assert split.labels.bincount().tolist() == [each, each]
    assert task.pool is not None
    assert task.pool.labels is None
    assert len(task.pool) == 80 - 4 * 7
    assert task.classes == ("card_lost", "top_up")


def test_a_seed_is_a_choice_of_labelled_messages(tiny: Path) -> None:
    first, again, other = (load_banking77(tiny, seed=seed).train for seed in (0, 0, 1))
    assert first.ids == again.ids != other.ids
    texts, labels = first.inputs, first.labels
    assert labels is not None
    named = [("card_lost", "top_up")[label] for label in labels.tolist()]
    assert all(text.startswith(name) for text, name in zip(texts, named, strict=True))


def test_another_file_is_refused(tiny: Path) -> None:
    (tiny / "banking77" / "test.csv").write_text("text,category\nhello,top_up\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not the published file"):
        load_banking77(tiny)


@pytest.mark.parametrize("each", [0, 17])
def test_too_few_or_many_labels_get_a_sentence(tiny: Path, each: int) -> None:
    with pytest.raises(ValueError, match=f"labels_per_class is {each}"):
        load_banking77(tiny, labels_per_class=each)


def test_without_files_and_network_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooch = pytest.importorskip("pooch")
    asked: list[str] = []

    def no_network(url: str, **options: object) -> None:
        asked.append(url)
        assert options["known_hash"] == banking._SHA256["train.csv"]
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", no_network)
    with pytest.raises(ConnectionError, match="set KDHELPERS_DATA to a folder that has banking77"):
        load_banking77(tmp_path)
    assert asked[0].endswith("57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/train.csv")
    with pytest.raises(FileNotFoundError, match="allow the download"):
        load_banking77(tmp_path, download=False)


def test_a_download_is_kept_and_checked(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pooch = pytest.importorskip("pooch")
    times = []

    def deliver(url: str, *, fname: str, path: Path, **_: object) -> None:
        times.append(url)
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes((tiny / "banking77" / fname).read_bytes())

    monkeypatch.setattr(pooch, "retrieve", deliver)
    for _ in range(2):
        assert len(load_banking77(tmp_path / "cache").test) == 10
    assert len(times) == 2


@REAL_FILES
def test_the_published_files_have_the_published_counts() -> None:
    task = load_banking77(download=False)
    assert task.pool is not None
    assert len(task.classes) == 77
    assert (len(task.train), len(task.validation), len(task.test)) == (770, 770, 3_080)
    assert len(task.train) + len(task.validation) + len(task.pool) == 10_003
    assert task.test.labels is not None
    assert torch.equal(task.test.labels.bincount(), torch.full((77,), 40))
