from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving_models import CLASSES, NASTY, TELLTALE, small_student, two_layers_of_minilm

from kdhelpers.costs import measure_costs, measuring
from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate, predict_logits
from kdhelpers.serving import OnnxPredictor, Prediction, export_onnx, predictor


@pytest.fixture(scope="module")
def student():
    return small_student()


@pytest.fixture(scope="module")
def served_student(student, tmp_path_factory):
    return export_onnx(student, tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def teacher():
    return two_layers_of_minilm()


@pytest.fixture(scope="module")
def served_teacher(teacher, tmp_path_factory):
    teacher.unfreeze().train()
    folder = export_onnx(teacher, tmp_path_factory.mktemp("teacher"))
    assert all(part.training for part in teacher.modules())
    teacher.eval()
    return folder


def reference(model, texts):
    with torch.no_grad():
        return torch.cat([model([text]) for text in texts]).numpy()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.sampled_from(NASTY) | st.text(max_size=60), max_size=12))
def test_the_student_answers_as_in_torch_whatever_goes_together(student, served_student, texts):
    logits = OnnxPredictor.load(served_student).logits(texts)
    assert logits.shape == (len(texts), 4)
    assert logits.dtype == np.float32
    if texts:
        np.testing.assert_allclose(logits, reference(student, texts), atol=1e-4)


@pytest.mark.whole
def test_the_teacher_answers_as_in_torch(teacher, served_teacher):
    served = OnnxPredictor.load(served_teacher)
    expected = reference(teacher, NASTY)
    np.testing.assert_allclose(served.logits(NASTY), expected, atol=1e-4)
    np.testing.assert_allclose(served.logits(NASTY[::-1]), expected[::-1], atol=1e-4)
    for row, text in enumerate(NASTY):
        np.testing.assert_allclose(served.logits([text]), expected[row : row + 1], atol=1e-4)


@pytest.mark.whole
def test_a_teachers_files_tell_of_no_machine(served_teacher):
    names = sorted(file.name for file in served_teacher.iterdir())
    assert names == ["model.onnx", "predictor.json", "tokenizer.json"]
    content = (served_teacher / "model.onnx").read_bytes()
    assert [word for word in TELLTALE if word in content] == []


@pytest.mark.parametrize("together", [1, 100, 10**9])
def test_batches_change_nothing(student, served_student, monkeypatch, together):
    monkeypatch.setattr(predictor, "TOGETHER", together)
    texts = [text[:2_000] for text in NASTY] * 3
    np.testing.assert_allclose(
        OnnxPredictor.load(served_student).logits(texts), reference(student, texts), atol=1e-4
    )


def test_many_long_texts_do_not_go_through_the_graph_at_once(served_student):
    served, widest = OnnxPredictor.load(served_student), []
    features = served._features

    def watched(texts):
        found = features(texts)
        widest.append(found[0].size)
        return found

    served._features = watched
    served.logits(["a b " * 25_000] * 20 + ["short"] * 2_000)
    # One text alone gives about 80,000 n-grams; all together as wide as the longest would be 160 million.
    assert max(widest) < 150_000


def test_predictions_are_the_softmax_of_the_logits(student, served_student):
    served = OnnxPredictor.load(served_student)
    probabilities = torch.softmax(torch.from_numpy(served.logits(NASTY)).double(), 1)
    for found, row in zip(served.predict(NASTY), probabilities, strict=True):
        assert isinstance(found, Prediction)
        assert found.label == CLASSES[int(row.argmax())]
        assert found.confidence == pytest.approx(float(row.max()), abs=1e-6)
    assert served.predict([]) == []
    assert type(found.confidence) is float


def test_one_evaluator_measures_both(student, served_student):
    split = Split(ids=range(len(NASTY)), inputs=NASTY, labels=torch.arange(len(NASTY)) % 4)
    served, original = (evaluate(model, split) for model in (OnnxPredictor.load(served_student), student))
    assert served.accuracy == original.accuracy
    assert served.per_class == original.per_class
    assert torch.equal(served.predictions, original.predictions)
    assert served.nll.value == pytest.approx(original.nll.value, abs=1e-5)
    torch.testing.assert_close(served.confidence, original.confidence)


def test_costs_are_those_of_the_files(student, served_student, monkeypatch):
    monkeypatch.setattr(measuring, "THROUGHPUT_SECONDS", 0)
    served = OnnxPredictor.load(served_student, threads=2)
    costs = measure_costs(served, ["help"], repeats=10, batch_size=8)
    assert costs.parameters == sum(weight.numel() for weight in student.parameters())
    assert costs.bytes == sum(file.stat().st_size for file in served_student.iterdir())
    assert (costs.flops, costs.device, costs.threads, costs.batch_size) == (None, "cpu", 2, 8)
    assert 0 < costs.latency_p50_ms <= costs.latency_p95_ms
    assert " – " in str(costs)


@pytest.mark.whole
def test_a_transformer_is_counted_without_what_it_does_not_use(teacher, served_teacher):
    served = OnnxPredictor.load(served_teacher)
    pooler = sum(weight.numel() for weight in teacher.encoder.pooler.parameters())
    assert served.parameters == sum(weight.numel() for weight in teacher.parameters()) - pooler
    assert served.bytes == sum(file.stat().st_size for file in served_teacher.iterdir())


WITHOUT_TORCH = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("torch", "safetensors", "onnx", "transformers", "tqdm", *sys.argv[2:]):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Blocked())
    from kdhelpers.serving import Cascade, OnnxPredictor, cascade_curve
    served = OnnxPredictor.load(sys.argv[1])
    texts = ["", "help", "a\\0b", "\\ud800"]
    assert len(served.predict(texts)) == 4 and len(served.predict(["help"])) == 1
    assert {by for *_, by in Cascade(served, served, 1.1).predict(texts)} == {"teacher"}
    assert cascade_curve(served(texts), served(texts), [0, 1, 2, 3])[-1].share == 1
    assert "torch" not in sys.modules
    print("served")
"""


@pytest.mark.whole
@pytest.mark.parametrize(
    ("which", "also_blocked"), [("served_student", ["tokenizers"]), ("served_teacher", [])]
)
def test_torch_is_not_needed_to_serve(request, which, also_blocked):
    folder = request.getfixturevalue(which)
    command = [sys.executable, "-c", textwrap.dedent(WITHOUT_TORCH), str(folder), *also_blocked]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("served\n", "")


@pytest.fixture
def copy(served_student, tmp_path):
    for file in served_student.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_what_is_missing_is_named(copy):
    (copy / "model.onnx").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks model\.onnx: export it anew"):
        OnnxPredictor.load(copy)
    with pytest.raises(
        FileNotFoundError, match=r"There is no exported model in .*: it lacks predictor\.json"
    ):
        OnnxPredictor.load(copy / "elsewhere")


def test_a_flipped_bit_is_found(copy):
    graph = bytearray((copy / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (copy / "model.onnx").write_bytes(graph)
    with pytest.raises(ValueError, match=r"model\.onnx in .* is damaged or was altered"):
        OnnxPredictor.load(copy)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "has format 2, not 1: update kdhelpers"),
        ({"format": None}, "has format None, not 1"),
        ({"kind": "forest"}, "is of the kind 'forest', not ngram student, transformer teacher, tensors"),
        ({"classes": None}, "predictor.json in .* is damaged"),
        ({"sha256": {}}, "model.onnx in .* is damaged"),
        ({"features": {"depth": 3}}, "predictor.json in .* is damaged"),
        ({"classes": ["a", "b"]}, "2 class names for a graph of 4 classes"),
    ],
)
def test_unknown_or_damaged_settings(copy, change, sentence):
    file = copy / "predictor.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=sentence):
        OnnxPredictor.load(copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"3"])
def test_settings_that_are_no_settings(copy, content):
    (copy / "predictor.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"predictor\.json in .* is damaged"):
        OnnxPredictor.load(copy)


def test_a_graph_that_onnx_runtime_cannot_read(copy):
    described = json.loads((copy / "predictor.json").read_text())
    with pytest.raises(ValueError, match=r"ONNX Runtime .* cannot read model\.onnx"):
        OnnxPredictor(described, b"no graph", lambda texts: ())


def test_threads_and_the_missing_extra(copy, monkeypatch):
    with pytest.raises(ValueError, match="threads is 0: give 1 or more"):
        OnnxPredictor.load(copy, threads=0)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"needs onnxruntime, .*pip install 'kdhelpers\[serving\]'"):
        OnnxPredictor.load(copy)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ("help", "got one text: put it in a list"),
        ("h", "got one text: put it in a list"),
        ([None], "Row 0 is NoneType, not a text"),
        (["a", "b", 3], "Row 2 is int, not a text"),
    ],
)
def test_what_is_no_list_of_texts(served_student, texts, sentence):
    served = OnnxPredictor.load(served_student)
    for ask in (served.predict, served.logits, served):
        with pytest.raises(TypeError, match=sentence):
            ask(texts)


def test_any_function_can_be_evaluated_and_gives_what_a_module_gives():
    split = Split(ids=range(7), inputs=torch.randn(7, 3, generator=torch.Generator().manual_seed(0)))
    line = torch.nn.Linear(3, 2)
    expected = predict_logits(line, split)
    read_only = np.broadcast_to(expected.numpy()[:1].astype(np.float64), (7, 2))
    assert torch.equal(predict_logits(lambda inputs: line(inputs), split, batch_size=3), expected)
    assert torch.equal(predict_logits(lambda inputs: line(inputs).detach().numpy(), split), expected)
    assert torch.equal(predict_logits(lambda inputs: read_only, split), expected[:1].expand(7, 2))
    with pytest.raises(ValueError, match=r"The model gives \(2,\) for 7 rows"):
        predict_logits(lambda inputs: np.zeros(2), split)
