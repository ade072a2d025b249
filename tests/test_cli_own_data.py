"""The commands distill, predict and check, as a shell calls them."""

from __future__ import annotations

import csv
import inspect
import io
import subprocess
import sys

import pytest
from click.testing import CliRunner
from own_files import own_files, tiny_teacher

from kdhelpers import cli
from kdhelpers.serving import OnnxPredictor


def call(*arguments, **options):
    # From version 8.2 on, click keeps the two kinds of output apart by itself.
    apart = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**apart).invoke(cli.commands(), [str(one) for one in arguments], **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Files, and the folder that distilling them makes."""
    folder = tmp_path_factory.mktemp("cli")
    files = {**own_files(folder), "teacher": tiny_teacher(folder / "teacher"), "out": folder / "out"}
    (folder / "kept.toml").write_text("accuracy = 0.0\nbytes = 9_000_000\n")
    (folder / "broken.toml").write_text("name = 'Mail'\naccuracy = 0.1\nbytes = 10\n")
    files |= {"kept": folder / "kept.toml", "broken": folder / "broken.toml", "folder": folder}
    files["said"] = distill(files, "--contract", files["broken"])
    return files


def distill(files, *more):
    options = [f"--{name}={files[name]}" for name in ("unlabelled", "test", "teacher", "out")]
    columns = ("--text", "message", "--label", "queue")
    return call("distill", files["labelled"], *columns, *options, "--seeds", 2, *more)


@pytest.mark.whole
def test_distill_says_what_came_of_it_and_leaves_it_in_the_folder(made):
    assert made["said"].exit_code == 0, made["said"].output
    assert "labels alone" in made["said"].stdout
    assert "Mail: fail" in made["said"].stdout
    names = {path.name for path in made["out"].iterdir()}
    assert {"model.safetensors", "model.onnx", "predictor.json", "model_card.md", "report.html"} <= names


@pytest.mark.whole
def test_distill_tells_what_it_noticed_and_refuses_in_one_sentence(made, tmp_path):
    other = tmp_path / "mail.csv"
    other.write_text(made["labelled"].read_text() + ",billing\n")
    found = distill({**made, "labelled": other})
    assert found.exit_code == 2
    assert (
        "Note: mail.csv: 1 row without a text in the column 'message' is left out (line 18).\n"
        in found.stderr
    )
    assert found.stderr.count("Error: ") == 1
    assert found.stderr.endswith("delete this one to start anew.\n")
    assert call("distill", other).exit_code == 2
    assert distill(made, "--contract", tmp_path / "none.toml").exit_code == 2
    wrong = call("distill", made["folder"], "--text", "a", "--label", "b", "--out", tmp_path / "new")
    assert wrong.exit_code == 2
    assert "is a folder: give a CSV file" in wrong.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.whole
def test_predict_answers_a_file_row_by_row_and_names_what_it_cannot(made, tmp_path):
    file = tmp_path / "new.csv"
    file.write_text('nr,message\n1,my card is late\n2,\n3,"two\nlines"\n4\n', encoding="utf-8")
    found = call("predict", made["out"], file)
    assert found.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    predictor = OnnxPredictor.load(made["out"])
    (one, other) = predictor.predict(["my card is late", "two\nlines"])
    assert [row["id"] for row in rows] == ["2", "4"]
    assert [row["label"] for row in rows] == [one.label, other.label]
    assert float(rows[0]["confidence"]) == pytest.approx(one.confidence, abs=1e-6)
    assert "new.csv, line 3: the text is empty" in found.stderr
    assert "new.csv, line 6: 1 cell, but the header has 2" in found.stderr

    target = tmp_path / "answers.csv"
    told = call("predict", made["out"], file, "--id", "nr", "--out", target)
    assert "2 rows answered in answers.csv, 2 rows that could not be" in told.stderr
    assert [row["id"] for row in csv.DictReader(target.open(newline=""))] == ["1", "3"]


@pytest.mark.whole
def test_predict_answers_lines(made):
    found = call("predict", made["out"], "-", input=b"my card is late\n\ncaf\xe9\nwhere is it")
    assert [row["id"] for row in csv.DictReader(io.StringIO(found.stdout))] == ["1", "4"]
    assert "line 2: the text is empty" in found.stderr
    assert "line 3: not UTF-8 (byte 0xe9)" in found.stderr


@pytest.mark.whole
def test_predict_needs_no_torch(made, tmp_path):
    file = tmp_path / "new.csv"
    file.write_text("message\nmy card is late\n", encoding="utf-8")
    code = (
        "import sys\nfor name in ('torch', 'safetensors', 'transformers', 'onnx'): sys.modules[name] = None\n"
        f"sys.argv = ['kdhelpers', 'predict', {str(made['out'])!r}, {str(file)!r}]\n"
        "from kdhelpers.cli import main\nmain()\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("id,label,confidence")


@pytest.mark.whole
def test_check_says_by_its_exit_whether_the_contract_is_kept(made, tmp_path):
    kept, broken = (
        call("check", made["out"], made["test"], "--contract", made[name]) for name in ("kept", "broken")
    )
    assert kept.exit_code == 0, kept.output
    assert broken.exit_code == 1
    assert "bytes" in broken.stdout
    assert "times what is asked" in broken.stdout
    few = tmp_path / "few.csv"
    few.write_text("message,queue\nmy card is late,billing\n")
    (tmp_path / "half.toml").write_text("accuracy = 0.5\n")
    assert "not enough data" in call("check", made["out"], few, "--contract", tmp_path / "half.toml").stdout
    assert call("check", made["out"], few, "--contract", tmp_path / "half.toml").exit_code == 1


@pytest.mark.whole
@pytest.mark.parametrize(
    ("contract", "test", "sentence"),
    [
        ("accuracy = 0.5\n[slices]\nshort = 0.5\n", None, "a CSV file has no slices"),
        ("agreement = 0.5\n", None, "agreement with the teacher"),
        ("acuracy = 0.5\n", None, "did you mean accuracy?"),
        ("accuracy = 0.5\n", "message,queue\nx,solar\n", "the class 'solar'"),
        ("accuracy = 0.5\n", "text,queue\nx,billing\n", "no column 'message'"),
    ],
)
def test_wrong_use_of_check_exits_2_with_one_sentence(made, tmp_path, contract, test, sentence):
    (tmp_path / "contract.toml").write_text(contract)
    file = made["test"]
    if test is not None:
        file = tmp_path / "test.csv"
        file.write_text(test)
    found = call("check", made["out"], file, "--contract", tmp_path / "contract.toml")
    assert found.exit_code == 2, found.output
    assert found.stderr.startswith("Error: ")
    assert found.stderr.count("\n") == 1
    assert sentence in found.stderr


def test_a_folder_without_a_student_is_told(tmp_path):
    found = call("predict", tmp_path, "-", input=b"x\n")
    assert found.exit_code == 2
    assert "There is no exported model in" in found.stderr


@pytest.mark.whole
def test_an_interruption_says_how_to_go_on(made, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("kdhelpers.own_data.distill_own_data", interrupted)
    found = distill(made)
    assert found.exit_code == 130
    assert "Interrupted: the same command goes on from here." in found.stderr
