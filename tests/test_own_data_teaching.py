"""Teachers from any folder of a transformer, fitted once."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from own_files import own_files, teacher_of, tiny_teacher

from kdhelpers.own_data import read_own_data
from kdhelpers.own_data.mixing import SHARES, best_share
from kdhelpers.own_data.teaching import embedded, fitted_teacher, teacher_folder, teacher_outputs
from kdhelpers.own_data.workplace import Workplace
from kdhelpers.text import TransformerTeacher


@pytest.fixture
def data(tmp_path):
    return read_own_data(text="message", label="queue", **own_files(tmp_path))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return teacher_folder(tiny_teacher(tmp_path_factory.mktemp("tiny") / "teacher"))


def distilbert(folder):
    """A kind of transformer whose configuration calls its width otherwise."""
    config = dict(model_type="distilbert", vocab_size=30_522, dim=16, n_layers=1, n_heads=2, hidden_dim=16)
    return teacher_of(config, folder)


@pytest.mark.parametrize("make", [tiny_teacher, distilbert])
def test_a_teacher_is_fitted_once_and_then_read(make, data, tmp_path):
    folder = teacher_folder(make(tmp_path / "teacher"))
    place = Workplace(tmp_path / "out", {})
    first = fitted_teacher(data, *folder, place)
    assert first.head.weight.shape == (2, 16)
    assert first.head.weight.abs().sum() > 0
    kept = place.work / "teacher-head.safetensors"
    before = kept.stat().st_mtime_ns
    again = fitted_teacher(data, *folder, place)
    assert kept.stat().st_mtime_ns == before
    assert again.fingerprint() == first.fingerprint()
    kept.write_bytes(kept.read_bytes()[:-9])  # damaged: it is fitted anew
    assert torch.equal(fitted_teacher(data, *folder, place).head.bias, first.head.bias)


def test_texts_of_one_class_teach_nothing(data, tiny, tmp_path):
    alone = data.labelled.take(data.labelled.labels == 0)
    with pytest.raises(ValueError, match=f"All labelled rows are of the class {data.classes[0]!r}"):
        fitted_teacher(replace(data, labelled=alone), *tiny, Workplace(tmp_path / "out", {}))


@pytest.mark.usefixtures("few_ngrams")
def test_the_labelled_texts_are_read_once_for_the_head_and_the_choice(data, tiny, tmp_path, monkeypatch):
    place = Workplace(tmp_path / "out", {})
    teacher = fitted_teacher(data, *tiny, place)
    by_itself = TransformerTeacher.fit(copy.deepcopy(teacher), data.labelled).head
    assert torch.equal(teacher.head.weight, by_itself.weight)
    monkeypatch.setattr(TransformerTeacher, "embed", None)  # and so cannot be asked again
    seen = embedded(teacher, data.labelled, place)
    assert best_share(data.labelled, seen, data.classes) in SHARES


def test_all_texts_are_asked_of_the_teacher_by_their_ids(data, tiny, tmp_path):
    place = Workplace(tmp_path / "out", {})
    teacher = fitted_teacher(data, *tiny, place)
    outputs, on_test = teacher_outputs(teacher, data, place, progress=False)
    assert set(outputs.ids) == {*data.labelled.ids, *data.pool.ids}
    assert on_test.ids == data.test.ids
    with torch.no_grad():
        wanted = teacher([str(text) for text in data.test.inputs])
    torch.testing.assert_close(on_test.logits(data.test.ids), wanted, rtol=2e-3, atol=2e-3)
