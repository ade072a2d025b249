from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
import textwrap

import numpy as np
import onnx
import pytest
import torch
from onnx.numpy_helper import to_array
from serving_models import CLASSES, NASTY, TELLTALE
from test_serving_predictor import WITHOUT_TORCH
from torch import nn

from kdhelpers.models import ImageCNN, SignalCNN
from kdhelpers.ngrams import NgramHasher
from kdhelpers.serving import OnnxPredictor, artefact, export_onnx, quantize_onnx
from kdhelpers.text import NgramStudent, TransformerTeacher
from kdhelpers.text.encoder import empty_encoder
from kdhelpers.text.weights import find_minilm

WORDS = ["where", "is", "my", "parcel", "card", "charged", "twice", "refund", "log in", "crash", "never"]
BOTH = pytest.mark.parametrize("mode", ["dynamic", "static"])
# PyTorch's exporter takes seconds for what is no student.
MODELS = pytest.mark.parametrize(
    "name", ["student", *(pytest.param(name, marks=pytest.mark.whole) for name in ("signal", "image"))]
)


def some_texts(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 15))) for _ in range(n)]


def a_student() -> NgramStudent:
    """Large enough for its weights to be the file, and with logits apart enough for an answer to be one."""
    torch.manual_seed(0)
    student = NgramStudent(CLASSES, dim=16, hasher=NgramHasher(buckets=2**13)).eval()
    nn.init.normal_(student.vectors.weight)
    nn.init.normal_(student.head.weight)
    return student


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of a model by its name, exported when it is first asked for."""

    @functools.cache
    def folder(name):
        place = tmp_path_factory.mktemp(name)
        torch.manual_seed(0)
        if name == "student":
            return export_onnx(a_student(), place)
        if name == "signal":
            return export_onnx(SignalCNN(), place, example=torch.zeros(1, 40))
        return export_onnx(ImageCNN(), place, example=torch.zeros(1, 1, 8, 8))

    return folder


def calibration(name: str, n: int = 50, seed: int = 0):
    rng = np.random.default_rng(seed)
    if name in ("signal", "image"):
        return rng.random((n, 40) if name == "signal" else (n, 1, 8, 8), np.float32)
    return some_texts(n, seed)


def quantized(exported, name, mode, to, **options):
    given = calibration(name) if mode == "static" else None
    return quantize_onnx(exported(name), to, calibration=given, **options)


def graph_of(folder):
    model = onnx.load(folder / "model.onnx")
    return model, {weight.name: to_array(weight) for weight in model.graph.initializer}


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def by_hand(weight, axis, top):
    """Symmetric: the largest of each row or column becomes ``top``. In double precision, as its own check."""
    scale = np.abs(weight.astype(np.float64)).max(axis, keepdims=True) / top
    return np.round(weight / scale), scale


@BOTH
@pytest.mark.parametrize(("reduce_range", "top"), [(True, 64), (False, 127)])
@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_are_those_computed_by_hand(exported, tmp_path, mode, reduce_range, top, per_channel):
    options = dict(reduce_range=reduce_range, per_channel=per_channel)
    _, found = graph_of(quantized(exported, "student", mode, tmp_path, **options))
    weight = a_student().head.weight.detach().numpy()  # (C, dim), a class's scale for each row
    expected, scale = by_hand(weight, 1 if per_channel else (0, 1), top)
    # The product may hold it the other way round; which, is ONNX Runtime's affair.
    name = next(key for key in found if key.startswith("weight") and key.endswith("_quantized"))
    turned = found[name].shape == weight.T.shape and weight.shape != weight.T.shape
    stored = found[name].T if turned else found[name]
    steps = found[name.replace("_quantized", "_scale")]
    assert stored.dtype == np.int8
    assert steps.shape == ((4,) if per_channel else ())
    assert not found[name.replace("_quantized", "_zero_point")].any()
    assert np.abs(stored).max() == top
    np.testing.assert_allclose(steps.reshape(-1), scale.reshape(-1), rtol=1e-6)
    # Float32 may round the other way what lies in the middle: by one step, and seldom.
    assert np.abs(stored - expected).max() <= 1
    assert np.mean(stored != expected) < 0.02
    restored = stored * (steps[:, None] if per_channel else steps)
    assert (np.abs(restored - weight) <= scale / 2 * (1 + 1e-4)).all()


@BOTH
def test_a_table_keeps_eight_bits_and_one_scale(exported, tmp_path, mode):
    _, found = graph_of(quantized(exported, "student", mode, tmp_path))
    table = a_student().vectors.weight.detach().numpy().astype(np.float64)
    scale = (table.max() - table.min()) / 255
    zero = np.round(-table.min() / scale)
    assert found["vectors_quantized"].dtype == np.uint8
    assert int(found["vectors_zero_point"]) == zero
    np.testing.assert_allclose(found["vectors_scale"], scale, rtol=1e-6)
    away = found["vectors_quantized"] - np.clip(np.round(table / scale) + zero, 0, 255)
    assert np.abs(away).max() <= 1
    assert np.mean(away != 0) < 0.02
    restored = (found["vectors_quantized"].astype(float) - zero) * scale
    # The zero point is rounded too, so that an end of the range may lie half a step outside.
    assert np.abs(restored - table).max() <= scale * (1 + 1e-3)
    assert np.mean(np.abs(restored - table) <= scale / 2 * (1 + 1e-3)) > 0.999


@BOTH
@MODELS
def test_what_is_multiplied_by_weights_has_seven_bits(exported, tmp_path, mode, name):
    model, found = graph_of(quantized(exported, name, mode, tmp_path))
    weights = [value for value in found.values() if value.dtype == np.int8 and value.ndim > 1]
    assert len(weights) == {"student": 1, "signal": 4, "image": 4}[name]
    assert max(np.abs(value).max() for value in weights) == 64
    # Two products of an input (0 to 255) and a weight fit into 16 bits.
    assert 2 * 255 * 64 < 2**15
    assert not [value.shape for value in found.values() if value.dtype == np.float32 and value.ndim > 1]
    assert {entry.domain for entry in model.opset_import} == {""}


@BOTH
def test_only_products_with_weights_are_in_int8(exported, tmp_path, mode):
    model, _ = graph_of(quantized(exported, "student", mode, tmp_path))
    made = {output: node for node in model.graph.node for output in node.output}
    masked = next(node for node in model.graph.node if node.output[0] == "sums")
    assert (masked.op_type, masked.input[0]) == ("MatMul", "row")
    assert made["row"].op_type == "Unsqueeze"
    # The logits come from no QuantizeLinear, so that calibration cannot cut them off.
    assert made["logits"].op_type in ("Add", "Gemm")


@BOTH
@MODELS
def test_answers_stay_close(exported, tmp_path, mode, name):
    inputs = calibration(name, n=400, seed=7)
    folder = quantized(exported, name, mode, tmp_path)
    before, after = (OnnxPredictor.load(place).logits(inputs) for place in (exported(name), folder))
    apart = np.sort(before, 1)
    clear = apart[:, -1] - apart[:, -2] > 0.05 * before.std()
    assert clear.mean() > 0.5
    assert (before.argmax(1) == after.argmax(1))[clear].mean() > 0.97
    # Not the same either, or nothing was quantised.
    assert 0 < np.abs(before - after).mean() < 0.05 * before.std()


@pytest.mark.whole
def test_calibration_is_what_scales_the_inputs(exported, tmp_path):
    signals = calibration("signal")
    for name, times in (("a", 1), ("b", 3)):
        quantize_onnx(exported("signal"), tmp_path / name, calibration=times * signals)
    first, second = (graph_of(tmp_path / name)[1] for name in "ab")
    # The signal goes into the first product as it is; in 8 bits, its range (with 0) is 255 steps.
    np.testing.assert_allclose(first["cat_scale"], signals.max() / 255, rtol=1e-5)
    np.testing.assert_allclose(second["cat_scale"], 3 * signals.max() / 255, rtol=1e-5)


@BOTH
def test_the_folder_is_whole_smaller_and_says_what_it_is(exported, tmp_path, mode):
    source = exported("student")
    before = contents(source)
    folder = quantized(exported, "student", mode, tmp_path / "new" / "folder")
    served, original = OnnxPredictor.load(folder), OnnxPredictor.load(source)
    assert contents(source) == before
    assert original.bytes > 3.5 * served.bytes
    assert (served.numbers, original.numbers) == (f"int8, {mode}", "float32")
    assert repr(served) == "OnnxPredictor(ngram student, 4 classes, 0.1 MB, int8)"
    assert repr(original) == "OnnxPredictor(ngram student, 4 classes, 0.5 MB)"
    changed = ("sha256", "numbers")
    new, old = (
        {
            key: value
            for key, value in json.loads((place / "predictor.json").read_text()).items()
            if key not in changed
        }
        for place in (folder, source)
    )
    assert new == old
    assert served.logits(NASTY).shape == (len(NASTY), 4)


@BOTH
@MODELS
def test_the_same_bytes_in_silence_and_nothing_left(
    exported, tmp_path, monkeypatch, capfd, recwarn, caplog, mode, name
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    first, second = (quantized(exported, name, mode, tmp_path / place) for place in "ab")
    assert contents(first) == contents(second)
    content = (first / "model.onnx").read_bytes()
    assert [
        word for word in (*TELLTALE, b"onnx.quantize", b"onnx.infer", b"int8.onnx") if word in content
    ] == []
    assert not graph_of(first)[0].graph.value_info
    assert list((tmp_path / "temporary").iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert not caplog.records


@pytest.mark.whole
def test_the_order_of_sets_changes_no_byte(exported, tmp_path):
    code = (
        "import sys; from kdhelpers.serving import quantize_onnx as made; "
        "made(*sys.argv[1:3], calibration=sys.argv[3:])"
    )
    command = [
        sys.executable,
        "-c",
        code,
        str(exported("student")),
        str(tmp_path / "other"),
        *some_texts(50),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(tmp_path / "other") == contents(
        quantized(exported, "student", "static", tmp_path / "here")
    )


def tiny_transformer() -> TransformerTeacher:
    """MiniLM's tokenizer and shape but for its width, so that it is recorded and quantised quickly."""
    config = json.loads((find_minilm() / "config.json").read_text())
    config |= dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    made = TransformerTeacher.__new__(TransformerTeacher)
    nn.Module.__init__(made)
    made.classes = CLASSES
    torch.manual_seed(0)
    made._build(config, empty_encoder(config), find_minilm(), 32)
    nn.init.normal_(made.head.weight)
    return made


@pytest.mark.whole
def test_a_transformer_too(tmp_path):
    source = export_onnx(tiny_transformer(), tmp_path / "source")
    texts = some_texts(200)
    before = OnnxPredictor.load(source).logits(texts)
    for given in (None, some_texts(20, seed=1)):
        served = OnnxPredictor.load(quantize_onnx(source, tmp_path / "int8", calibration=given))
        assert np.abs(served.logits(texts) - before).mean() < 0.05 * before.std()
        assert (served.folder / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
        graph, found = graph_of(served.folder)
        content = (served.folder / "model.onnx").read_bytes()
        assert 3.5 * len(content) < (source / "model.onnx").stat().st_size
        assert [word for word in TELLTALE if word in content] == []
        # Query, key, value and three further layers, and the head; the three tables of words and places.
        shapes = [(value.dtype, value.ndim) for value in found.values()]
        assert (shapes.count((np.int8, 2)), shapes.count((np.uint8, 2))) == (7, 3)
        # Attention multiplies what is new in every call: its two products stay as they were.
        made = {output: node.op_type for node in graph.graph.node for output in node.output}
        plain = [node for node in graph.graph.node if node.op_type == "MatMul"]
        assert sum("DequantizeLinear" not in map(made.get, node.input) for node in plain) == 2


@pytest.mark.whole
def test_torch_is_not_needed_to_serve_it(exported, tmp_path):
    folder = quantized(exported, "student", "static", tmp_path)
    command = [sys.executable, "-c", textwrap.dedent(WITHOUT_TORCH), str(folder), "tokenizers"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("served\n", "")


def test_nothing_is_quantised_twice_or_over_itself(exported, tmp_path):
    folder = quantized(exported, "student", "dynamic", tmp_path / "int8")
    with pytest.raises(ValueError, match="is int8 already: quantise the one it was made from"):
        quantize_onnx(folder, tmp_path / "again")
    with pytest.raises(ValueError, match="where the model itself is: give another folder"):
        quantize_onnx(exported("student"), exported("student") / ".." / exported("student").name)
    assert not (tmp_path / "again").exists()


def test_a_damaged_source_is_refused(exported, tmp_path):
    for name, content in contents(exported("student")).items():
        (tmp_path / name).write_bytes(content)
    graph = bytearray((tmp_path / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (tmp_path / "model.onnx").write_bytes(graph)
    with pytest.raises(ValueError, match=r"model\.onnx in .* is damaged or was altered"):
        quantize_onnx(tmp_path, tmp_path / "int8")
    with pytest.raises(FileNotFoundError, match="There is no exported model in"):
        quantize_onnx(tmp_path / "elsewhere", tmp_path / "int8")
    assert not (tmp_path / "int8").exists()


@pytest.mark.parametrize("numbers", ["int4", None, 8])
def test_numbers_that_are_unknown_are_damage(exported, tmp_path, numbers):
    for name, content in contents(exported("student")).items():
        (tmp_path / name).write_bytes(content)
    file = tmp_path / "predictor.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"numbers": numbers}))
    with pytest.raises(ValueError, match=r"predictor\.json in .* is damaged"):
        OnnxPredictor.load(tmp_path)


def written(folder, nodes, width, **weights):
    """A model of arrays (n, width) whose graph is written by hand: to 2 logits."""
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(kind, inputs, [output]) for kind, inputs, output in nodes],
        "by hand",
        [info("inputs", onnx.TensorProto.FLOAT, ["batch", width])],
        [info("logits", onnx.TensorProto.FLOAT, ["batch", 2])],
        [onnx.numpy_helper.from_array(np.array(value, np.float32), name) for name, value in weights.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    taken = {"dtype": "float32", "shape": [width]}
    settings = dict(kind=artefact.TENSORS, classes=["a", "b"], features=taken, parameters=0)
    artefact.write_artefact(folder, settings, {artefact.GRAPH: model.SerializeToString()})
    return folder


def line(folder):
    return written(folder, [("MatMul", ["inputs", "weight"], "logits")], 40, weight=np.ones((40, 2)))


@pytest.mark.parametrize(
    ("name", "given", "error", "sentence"),
    [
        ("student", [], ValueError, "calibration is empty: give a few hundred inputs"),
        ("student", "", TypeError, "got one text: put it in a list"),
        ("student", "where is it", TypeError, "got one text: put it in a list"),
        ("student", ["a", None], TypeError, "Row 1 is NoneType, not a text"),
        ("arrays", [], ValueError, "calibration is empty"),
        ("arrays", np.zeros((0, 40)), ValueError, "calibration is empty"),
        ("arrays", np.zeros(40), ValueError, r"The inputs have shape \(40,\): this model takes \(n, 40\)"),
        ("arrays", torch.zeros(3, 41), ValueError, r"The inputs have shape \(3, 41\)"),
        ("arrays", ["a text"], ValueError, r"The inputs have shape \(1,\)"),
        (
            "arrays",
            np.where(np.eye(40)[:3] * [[0], [0], [1]] > 0, np.nan, 0),
            ValueError,
            "Row 2 of calibration",
        ),
    ],
)
def test_calibration_that_does_not_fit(exported, tmp_path, name, given, error, sentence):
    source = exported(name) if name == "student" else line(tmp_path / "source")
    with pytest.raises(error, match=sentence):
        quantize_onnx(source, tmp_path / "int8", calibration=given)
    assert not (tmp_path / "int8").exists()


def test_a_model_without_weights(tmp_path):
    folder = written(tmp_path / "source", [("Softmax", ["inputs"], "logits")], 2)
    for given in (None, np.eye(2, dtype=np.float32)):
        with pytest.raises(ValueError, match="has no weights that int8 could make smaller"):
            quantize_onnx(folder, tmp_path / "int8", calibration=given)
    assert not (tmp_path / "int8").exists()


def test_what_int8_breaks_is_not_written(tmp_path):
    nodes = [("MatMul", ["inputs", "weight"], "product"), ("Log", ["product"], "logits")]
    # The first column sums to 0.013, above 0. In whole numbers, 64 - 6 × 11, it is below.
    weight = np.transpose([[1.0, *[-0.1645] * 6], [1.0] * 7])
    folder = written(tmp_path / "source", nodes, 7, weight=weight)
    assert np.isfinite(OnnxPredictor.load(folder)(np.ones((1, 7)))).all()
    with pytest.raises(RuntimeError, match="no finite numbers, so nothing was written"):
        quantize_onnx(folder, tmp_path / "int8", calibration=np.ones((1, 7)))
    assert not (tmp_path / "int8").exists()


def fails(*given, **options):
    raise KeyError("the first line\nthe second")


def test_onnx_runtime_failing_is_one_sentence(exported, tmp_path, monkeypatch):
    monkeypatch.setattr("onnxruntime.quantization.quantize_dynamic", fails)
    with pytest.raises(RuntimeError, match=r"^ONNX Runtime cannot quantise the model in .* \(.*\)\.$"):
        quantize_onnx(exported("student"), tmp_path / "int8")
    assert not (tmp_path / "int8").exists()


@pytest.mark.parametrize("module", ["onnx", "onnxruntime"])
def test_the_missing_extra(exported, tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {module}, .*pip install 'kdhelpers\[serving\]'"):
        quantize_onnx(exported("student"), tmp_path)


def test_a_write_that_fails_leaves_no_model_that_loads(exported, tmp_path, monkeypatch):
    write = artefact.write_whole

    def full(path, data):
        if path.name == "predictor.json":
            raise OSError("the disk is full")
        write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(artefact, "write_whole", full)
        with pytest.raises(OSError, match="the disk is full"):
            quantize_onnx(exported("student"), tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no exported model in"):
        OnnxPredictor.load(tmp_path)
    quantize_onnx(exported("student"), tmp_path)
    assert OnnxPredictor.load(tmp_path).numbers == "int8, dynamic"
