from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from serving_models import CLASSES, TELLTALE, small_student
from torch import nn

from kdhelpers.models import SignalCNN
from kdhelpers.serving import OnnxPredictor, export_onnx, graphs
from kdhelpers.serving.graphs import tidied


def test_a_students_graph_is_as_described(tmp_path):
    first, second = (export_onnx(small_student(), tmp_path / name) for name in "ab")
    content = (first / "model.onnx").read_bytes()
    assert content == (second / "model.onnx").read_bytes()
    assert [word for word in TELLTALE if word in content] == []
    graph = onnx.load(first / "model.onnx")
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 18)]
    axes = {
        entry.name: [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
        for entry in (*graph.graph.input, *graph.graph.output)
    }
    assert axes == {"indices": ["batch", "length"], "mask": ["batch", "length"], "logits": ["batch", 4]}


def test_what_is_masked_counts_for_nothing(tmp_path):
    student = small_student()
    served = OnnxPredictor.load(export_onnx(student, tmp_path))
    indices, mask = student.hasher.padded(["where is it", ""])
    noise = np.where(mask > 0, indices, 77)
    wider = np.pad(noise, [(0, 0), (0, 5)], constant_values=3), np.pad(mask, [(0, 0), (0, 5)])
    served._features = lambda texts: wider
    with torch.no_grad():
        expected = student(["where is it", ""]).numpy()
    np.testing.assert_allclose(served._run([]), expected, atol=1e-6)


def test_notes_are_forgotten_in_every_corner():
    graph = graphs.ngram_graph(small_student())
    graph.doc_string = graph.graph.doc_string = graph.graph.node[0].doc_string = "secret"
    graph.producer_name = graph.producer_version = "secret"
    graph.graph.initializer[0].doc_string = graph.graph.input[0].doc_string = "secret"
    if hasattr(graph.graph.node[0], "metadata_props"):
        graph.graph.node[0].metadata_props.add(key="secret", value="secret")
    assert b"secret" in graph.SerializeToString()
    assert b"secret" not in tidied(graph)


class Bag(nn.Module):
    """Reads token numbers and has class names of its own."""

    classes = ("no", "yes")

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, tokens):
        return self.head(F.dropout(self.embed(tokens).mean(1), 0.9, self.training))


@pytest.mark.whole
@pytest.mark.parametrize(
    ("build", "inputs"),
    [
        (SignalCNN, torch.randn(300, 40)),
        (Bag, torch.randint(0, 9, (5, 6))),
    ],
)
def test_any_module_on_tensors(build, inputs, tmp_path, capfd, recwarn):
    torch.manual_seed(0)
    model = build().train()
    served = OnnxPredictor.load(export_onnx(model, tmp_path / "a", example=inputs[:1]))
    content = (tmp_path / "a" / "model.onnx").read_bytes()
    again = export_onnx(model, tmp_path / "b", example=inputs[:1]) / "model.onnx"
    assert again.read_bytes() == content
    assert [word for word in TELLTALE if word in content] == []
    assert model.training
    with torch.no_grad():
        expected = model.eval()(inputs).numpy()
    for given in (inputs, inputs.numpy(), inputs.clone().requires_grad_(inputs.is_floating_point())):
        np.testing.assert_allclose(served(given), expected, atol=1e-4)
    np.testing.assert_allclose(served(inputs[:1]), expected[:1], atol=1e-4)
    assert served(inputs[:0]).shape == (0, expected.shape[1])
    assert served.classes == getattr(model, "classes", tuple(map(str, range(expected.shape[1]))))
    with pytest.raises(ValueError, match=r"The inputs have shape .*: this model takes \(n, "):
        served(inputs[:, None])
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_names_of_the_classes(tmp_path):
    renamed = [name.upper() for name in CLASSES]
    served = OnnxPredictor.load(export_onnx(small_student(), tmp_path, classes=renamed))
    assert served.classes == tuple(renamed)
    with pytest.raises(ValueError, match="There are 2 class names for a model of 4 classes"):
        export_onnx(small_student(), tmp_path, classes=["a", "b"])
    with pytest.raises(ValueError, match="The class 'a' stands twice"):
        export_onnx(small_student(), tmp_path, classes=["a", "a", "b", "c"])


@pytest.mark.parametrize("example", [None, "text", torch.tensor(1.0), torch.zeros(2, 3), torch.zeros(0, 3)])
def test_an_example_is_one_row(example, tmp_path):
    with pytest.raises(ValueError, match=r"To export Linear, pass example=, the inputs of one row"):
        export_onnx(nn.Linear(3, 2), tmp_path, example=example)


def test_what_is_no_classifier(tmp_path):
    with pytest.raises(ValueError, match=r"The model gives \(8,\) for 2 rows"):
        export_onnx(nn.Flatten(0), tmp_path, example=torch.zeros(1, 4))


class Stubborn(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs) if float(inputs.sum()) > 0 else -super().forward(inputs)


class Counting(nn.Linear):
    calls = 0

    def forward(self, inputs):
        self.calls += 1
        return super().forward(inputs) + self.calls


@pytest.mark.whole
@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Stubborn(3, 2), "PyTorch cannot export this Stubborn|logits are up to"),
        (Counting(3, 2), "logits are up to .* from the model's .* nothing was written"),
    ],
)
def test_what_would_answer_otherwise_is_not_written(model, sentence, tmp_path):
    with pytest.raises(RuntimeError, match=sentence):
        export_onnx(model, tmp_path / "served", example=torch.ones(1, 3))
    assert not (tmp_path / "served").exists()


def test_a_model_that_diverged_is_not_served(tmp_path):
    student = small_student()
    nn.init.constant_(student.head.bias, float("nan"))
    with pytest.raises(RuntimeError, match="logits are up to nan"):
        export_onnx(student, tmp_path)


def test_the_missing_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"needs onnx, .*pip install 'kdhelpers\[serving\]'"):
        export_onnx(small_student(), tmp_path)


def test_what_is_written_last_is_what_makes_it_whole(tmp_path, monkeypatch):
    from kdhelpers.serving import artefact

    written = []
    write = artefact.write_whole
    monkeypatch.setattr(
        artefact, "write_whole", lambda path, data: (written.append(path.name), write(path, data))
    )
    export_onnx(small_student(), tmp_path)
    assert written == ["model.onnx", "predictor.json"]
