from __future__ import annotations

import os
import sys

import numpy as np
import onnx
import pytest
import torch
from serving_models import small_student

from kdhelpers.serving import OnnxPredictor, export_onnx
from kdhelpers.serving.artefact import GRAPH, TENSORS, write_artefact
from kdhelpers.serving.memory import serving_memory
from kdhelpers.serving.predictor import ngram_features

MB = 10**6
TEXT = ["Where is my parcel?"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return export_onnx(small_student(), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return export_onnx(small_student(2**17, 64), tmp_path_factory.mktemp("large"))


@pytest.mark.whole
def test_memory_is_the_models_not_the_libraries(small, large):
    little, much = (OnnxPredictor.load(folder).memory(TEXT) for folder in (small, large))
    # 33 MB of weights are held once at least, and not more than three times while they are read. What this
    # process holds, several hundred MB with torch, is in neither.
    weights = (large / "model.onnx").stat().st_size
    assert 2**17 * 64 * 4 < weights < 2**17 * 64 * 4 + MB
    assert 0 < little < 40 * MB
    assert weights - MB < much - little < 3 * weights


@pytest.mark.whole
def test_the_process_imports_no_torch(small, tmp_path, monkeypatch):
    # Modules are found where this process finds them, so that a torch which fails is found first.
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert serving_memory(small, TEXT) > 0


@pytest.mark.whole
def test_a_checkout_that_is_not_installed_is_found(small, tmp_path, monkeypatch):
    (tmp_path / "kdhelpers").mkdir()
    (tmp_path / "kdhelpers" / "__init__.py").write_text("raise SystemExit('the other one')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    assert serving_memory(small, TEXT) > 0


@pytest.mark.whole
def test_a_relative_folder_is_found_from_elsewhere(small, tmp_path, monkeypatch):
    monkeypatch.chdir(small.parent)
    served = OnnxPredictor.load(small.name)
    monkeypatch.chdir(tmp_path)
    assert served.memory(TEXT) > 0


@pytest.mark.whole
def test_arrays_and_odd_texts_reach_the_process(small, tmp_path):
    # Made by hand, since an export of such a model by torch takes seconds.
    helper, dims = onnx.helper, ["n", 3]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims) for name in ("x", "logits")]
    same = helper.make_graph([helper.make_node("Identity", ["x"], ["logits"])], "same", ends[:1], ends[1:])
    graph = helper.make_model(same, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    features = {"dtype": "float32", "shape": [3]}
    settings = {"kind": TENSORS, "classes": list("abc"), "features": features, "parameters": 0}
    write_artefact(tmp_path, settings, {GRAPH: graph.SerializeToString()})
    for example in (np.ones((1, 3), np.float32), torch.ones(1, 3, requires_grad=True), [[1.0, 2.0, 3.0]]):
        assert serving_memory(tmp_path, example) > 0
    assert serving_memory(small, ["\ud800 half a pair \0 🙂"]) > 0


@pytest.mark.whole
@pytest.mark.parametrize(
    ("example", "threads", "reason"),
    [(TEXT, 0, "ValueError: threads is 0: give 1 or more"), ([1], 1, "TypeError: .*")],
)
def test_what_goes_wrong_there_is_one_sentence_here(small, example, threads, reason):
    with pytest.raises(RuntimeError, match=rf"A process of its own could not serve .*: {reason}") as raised:
        serving_memory(small, example, threads)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.whole
def test_a_model_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match=r"could not serve .*: FileNotFoundError: There is no exported"):
        serving_memory(tmp_path, TEXT)
    monkeypatch.setattr(sys, "executable", os.fspath(tmp_path / "python"))
    with pytest.raises(RuntimeError, match="A process of its own could not serve"):
        serving_memory(tmp_path, TEXT)


@pytest.mark.whole
def test_a_process_that_says_nothing_is_named_by_its_code(small, tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text("import os; os._exit(7)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match=r"could not serve .*: it ended with code 7"):
        serving_memory(small, TEXT)


def test_a_model_without_a_folder_cannot_be_started_anew(small):
    settings = {"kind": "ngram student", "classes": list(small_student().classes), "parameters": 0}
    graph = (small / "model.onnx").read_bytes()
    predictor = OnnxPredictor(settings, graph, ngram_features(small_student().hasher))
    assert predictor.folder is None
    with pytest.raises(ValueError, match="Only a model loaded from a folder can be started anew"):
        predictor.memory(TEXT)
