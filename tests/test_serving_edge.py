"""The edge artefact, in an environment with NumPy, ONNX Runtime and what these two ask for: nothing else."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from serving_models import CLASSES, NASTY, TELLTALE
from torch import nn

import kdhelpers.ngrams
from kdhelpers.data.support import QUEUES
from kdhelpers.models import SignalCNN
from kdhelpers.ngrams import NgramHasher
from kdhelpers.serving import OnnxPredictor, export_edge
from kdhelpers.text import NgramStudent

ALLOWED = {"numpy", "onnxruntime", "ngrams", *sys.stdlib_module_names}
MESSAGES = [
    *(text for text in NASTY if "\ud800" not in text),
    "Où est mon colis ? Ça fait déjà trois semaines…",
    "naïve café",
    "it's 5 o'clock, don't you check anything?!",
    '"quoted", with\ttabs',
]
# What goes through a pipe is one message a line.
LINES = [text for text in MESSAGES if "\0" not in text]

ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
failed = []
for name in ("torch", "kdhelpers", "onnx", "safetensors", "tqdm"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        failed.append(name)
from predict import load
model = load()
answers = [model.predict(text) for text in json.load(sys.stdin)]
loaded = [name for name in ("torch", "kdhelpers", "onnx") if name in sys.modules]
print(json.dumps([failed, answers, loaded]))
"""


def a_student() -> NgramStudent:
    """Lesson 04's student in its sizes, with logits apart enough for an answer to be one."""
    torch.manual_seed(0)
    student = NgramStudent(QUEUES, hasher=NgramHasher(buckets=2**14)).eval()
    nn.init.normal_(student.vectors.weight)
    nn.init.normal_(student.head.weight)
    return student


@pytest.fixture(scope="module", params=[True, False], ids=["int8", "float32"])
def edge(request, tmp_path_factory):
    return export_edge(a_student(), tmp_path_factory.mktemp("edge"), quantize=request.param)


def distributions(*names: str) -> dict[str, importlib.metadata.Distribution]:
    """The installed distributions of these names, and of all that they declare to need."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = importlib.metadata.distribution(name)
        needed = [Requirement(line) for line in found[name].requires or []]
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python of its own, into which the running one's distributions are linked."""
    place = tmp_path_factory.mktemp("environment")
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(place)
    (packages,) = [*place.glob("lib/python*/site-packages"), *place.glob("Lib/site-packages")]
    for distribution in distributions("numpy", "onnxruntime").values():
        tops = {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}
        for top in tops:
            source = Path(str(distribution.locate_file(top)))
            if not (packages / top).exists() and source.exists():
                linked(source, packages / top)
    return next(place.glob("bin/python")) if os.name != "nt" else place / "Scripts" / "python.exe"


def linked(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
    except OSError:  # no right to make links
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def run(python, *arguments: str, stdin: str = "", folder=None):
    # -I: neither this process's variables nor the folder it is in help.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), *arguments],
        input=stdin.encode(),
        capture_output=True,
        env={**environment, "PYTHONIOENCODING": "ascii"},
        cwd=folder,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def one_by_one(folder: Path, texts: list[str]):
    # Not together: what goes into an int8 product is scaled by all that is in a call.
    served = OnnxPredictor.load(folder)
    return [served.predict([text])[0] for text in texts]


@pytest.mark.whole
def test_it_answers_without_torch_or_this_package_as_the_model_does(edge, python, tmp_path):
    code, said, errors = run(python, "-I", "-c", ASK, str(edge), stdin=json.dumps(MESSAGES), folder=tmp_path)
    assert (code, errors) == (0, "")
    failed, answers, loaded = json.loads(said)
    assert failed == ["torch", "kdhelpers", "onnx", "safetensors", "tqdm"]
    assert loaded == []
    expected = one_by_one(edge, MESSAGES)
    assert [label for label, _ in answers] == [label for label, _ in expected]
    assert [sure for _, sure in answers] == pytest.approx([sure for _, sure in expected], abs=1e-5)
    assert len({label for label, _ in expected}) > 3  # there is something to tell apart


@pytest.mark.whole
def test_it_answers_lines_and_arguments(edge, python, tmp_path):
    script = str(edge / "predict.py")
    for arguments, stdin in [(LINES[1:4], ""), ([], "\n".join(LINES) + "\n"), ([], "\r\n".join(LINES))]:
        code, said, errors = run(python, "-B", script, *arguments, stdin=stdin, folder=tmp_path)
        assert (code, errors) == (0, "")
        answers = [line.split("\t") for line in said.splitlines()]
        texts = arguments or LINES
        assert [label for label, _ in answers] == [label for label, _ in one_by_one(edge, texts)]
        assert all(re.fullmatch(r"[01]\.\d{6}", sure) for _, sure in answers)


@pytest.mark.whole
def test_a_damaged_or_missing_file_is_told(edge, python, tmp_path):
    for file in edge.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    graph = bytearray((edge / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (tmp_path / "model.onnx").write_bytes(graph)
    code, _, errors = run(python, "-B", str(tmp_path / "predict.py"), "help")
    assert code == 1
    assert "is damaged or was altered: copy the folder anew" in errors
    (tmp_path / "model.onnx").unlink()
    code, _, errors = run(python, "-B", str(tmp_path / "predict.py"), "help")
    assert code == 1
    assert "FileNotFoundError" in errors


def test_it_is_small_and_imports_two_packages(edge):
    files = {file.name: file for file in edge.iterdir() if file.is_file()}
    assert set(files) == {"model.onnx", "ngrams.py", "predict.py", "predictor.json"}
    assert sum(file.stat().st_size for file in files.values()) <= 3_000_000
    for name in ("ngrams.py", "predict.py"):
        source = files[name].read_text(encoding="utf-8")
        assert len(source.splitlines()) <= (120 if name == "predict.py" else 250)
        nodes = list(ast.walk(ast.parse(source)))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
        names += re.findall(r'import_module\("(\w+)"\)', source)
        assert {name.split(".")[0] for name in names} <= ALLOWED
        assert "kdhelpers" not in source
    assert "onnxruntime" in (edge / "predict.py").read_text(encoding="utf-8")


def test_the_n_grams_are_this_packages_own_file(edge):
    assert (edge / "ngrams.py").read_bytes() == Path(kdhelpers.ngrams.__file__).read_bytes()


def test_it_is_written_alike_each_time_and_tells_of_no_machine(edge, tmp_path):
    int8 = "int8" in (edge / "predictor.json").read_text(encoding="utf-8")
    again = export_edge(a_student(), tmp_path / "again", quantize=int8)
    for file in again.iterdir():
        content = file.read_bytes()
        assert content == (edge / file.name).read_bytes()
        if file.suffix != ".py":  # which is this package's own
            assert [word for word in TELLTALE if word in content] == []


def test_other_models_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"export_edge takes an NgramStudent, not SignalCNN: what else"):
        export_edge(SignalCNN(), tmp_path / "edge")
    assert not (tmp_path / "edge").exists()


@pytest.mark.whole
def test_class_names_in_any_script(python, tmp_path):
    student = NgramStudent(["返金", "où", *CLASSES], dim=4, hasher=NgramHasher(buckets=64))
    nn.init.normal_(student.head.weight)
    nn.init.constant_(student.head.bias, -100)
    student.head.bias.data[0] = 100
    edge = export_edge(student, tmp_path)
    _, said, _ = run(python, "-B", str(edge / "predict.py"), "help")
    assert said == "返金\t1.000000\n"
