from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kdhelpers.data import Split
from kdhelpers.modes import in_mode
from kdhelpers.ngrams import NgramHasher
from kdhelpers.seeding import seeded
from kdhelpers.text import NgramStudent
from kdhelpers.training import distill, train

TEXTS = ["Where is my parcel?", "", "🙂 посылка", "x" * 100_000, "a\0b", "Where is my parcel?"]


def student(**options) -> NgramStudent:
    return seeded(lambda: NgramStudent(["billing", "delivery", "other"], dim=8, **options), 0)


def by_hand(model: NgramStudent, text: str) -> torch.Tensor:
    bag = model.hasher.one(text)
    total = model.vectors.weight[torch.tensor(bag)].sum(0) if len(bag) else torch.zeros(8)
    return model.head(total / max(1, len(bag)) ** 0.5)


def test_the_logits_are_a_sum_of_vectors_through_one_layer() -> None:
    model = student()
    expected = torch.stack([by_hand(model, text) for text in TEXTS])
    # A sum of 12,000 float32 vectors in another order: the last digits differ.
    torch.testing.assert_close(model(TEXTS), expected, rtol=1e-3, atol=1e-4)


def test_training_mode_sees_the_same_ngrams() -> None:
    model = student()
    with in_mode(model, training=False):
        evaluated = model(TEXTS)
    torch.testing.assert_close(model.train()(TEXTS), evaluated)


def test_a_text_gets_the_same_logits_alone_and_in_a_batch() -> None:
    model = student().eval()
    torch.testing.assert_close(torch.cat([model([text]) for text in TEXTS]), model(TEXTS))


def test_no_texts_give_no_logits() -> None:
    assert student().eval()([]).shape == (0, 3)


def test_it_learns_from_labels_and_from_a_teacher() -> None:
    texts = [f"{word} {n}" for word in ("refund", "parcel") for n in ("a", "bb", "ccc", "dddd")]
    labels = torch.tensor([0] * 4 + [1] * 4)
    split = Split(ids=range(8), inputs=texts, labels=labels)
    model = student()
    train(model, split, epochs=30, learning_rate=0.02, progress=False)
    assert model(["my refund", "my parcel"]).argmax(1).tolist() == [0, 1]

    class Known:
        def logits(self, ids):
            return 5 * torch.nn.functional.one_hot(labels[list(ids)], 3).float()

    pupil = student()
    distill(pupil, split.unlabelled(), Known(), epochs=30, learning_rate=0.02, progress=False)
    assert pupil(["my refund", "my parcel"]).argmax(1).tolist() == [0, 1]


def test_a_saved_student_comes_back_the_same(tmp_path: Path) -> None:
    model = student(hasher=NgramHasher(buckets=256, characters=(4,), words=(1, 3))).eval()
    model.save(tmp_path / "new" / "folder")
    loaded = NgramStudent.load(tmp_path / "new" / "folder")
    assert (loaded.classes, loaded.hasher, loaded.training) == (model.classes, model.hasher, False)
    assert torch.equal(loaded(TEXTS), model(TEXTS))
    assert sorted(file.name for file in (tmp_path / "new" / "folder").iterdir()) == [
        "model.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (["one"], "There is one class, 'one'"),
        ([], "no class"),
        (["a", "b", "a"], "'a' stands twice"),
        ("billing", "one class, 'billing'"),
    ],
)
def test_bad_classes_get_a_sentence(classes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        NgramStudent(classes)


def test_a_bad_size_or_input_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="dim is 0"):
        NgramStudent(["a", "b"], dim=0)
    for training in (True, False):
        with pytest.raises(TypeError, match="put it in a list"):
            student().train(training)("help")
        with pytest.raises(TypeError, match="Row 0 is float"):
            student().train(training)([1.5])


def damage(folder: Path, what: str) -> None:
    settings = json.loads((folder / "model.json").read_text())
    changes = {"format": {"format": 99}, "kind": {"kind": "transformer teacher"}, "shape": {"dim": 4}}
    if what in changes:
        (folder / "model.json").write_text(json.dumps({**settings, **changes[what]}))
    elif what == "json":
        (folder / "model.json").write_text('{"format": 1')
    elif what == "list":
        (folder / "model.json").write_text("[]")
    elif what == "truncated":
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(content[:-100])
    else:
        (folder / what).unlink()


@pytest.mark.parametrize(
    ("what", "error", "sentence"),
    [
        ("format", ValueError, "format 99"),
        ("kind", ValueError, "of the kind 'transformer teacher'"),
        ("shape", ValueError, "damaged or of another model"),
        ("json", ValueError, "model.json .* is damaged"),
        ("list", ValueError, "model.json .* is damaged"),
        ("truncated", ValueError, "damaged or of another model"),
        ("model.json", FileNotFoundError, "lacks model.json"),
        ("model.safetensors", FileNotFoundError, "lacks model.safetensors"),
    ],
)
def test_a_damaged_folder_gets_a_sentence(tmp_path: Path, what: str, error, sentence: str) -> None:
    student().save(tmp_path)
    damage(tmp_path, what)
    with pytest.raises(error, match=sentence):
        NgramStudent.load(tmp_path)
