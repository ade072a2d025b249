"""Files of messages scored: whatever is in them, wherever a run was stopped."""

from __future__ import annotations

import csv
import errno
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from serving_models import CLASSES, small_student
from torch import nn

from kdhelpers import files
from kdhelpers.serving import BatchResult, Cascade, OnnxPredictor, export_onnx, predict_file
from kdhelpers.serving.batch import scoring

BOTH = [".csv", ".parquet"]
# A forked child has everything loaded already; where forking is not safe, each child takes seconds to start.
FORK = sys.platform == "linux"
KILLS = 8 if FORK else 2


@pytest.fixture(scope="module")
def student():
    student = small_student()
    nn.init.normal_(student.vectors.weight)
    nn.init.normal_(student.head.weight)
    return student


@pytest.fixture(scope="module")
def served(student, tmp_path_factory):
    return OnnxPredictor.load(export_onnx(student, tmp_path_factory.mktemp("served")))


def messages(n, seed=0):
    rng = np.random.default_rng(seed)
    words = ["parcel", "card", "twice", "log in", "où", "🙂", 'a "quoted" word', "two\nlines", "a, comma"]
    return [" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(n)]


def write(file: Path, texts, ids=None):
    ids = [f"id {n}" for n in range(len(texts))] if ids is None else ids
    if file.suffix == ".parquet":
        parquet.write_table(pa.table({"id": ids, "text": texts}), file, row_group_size=7)
    else:
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("id", "text"), *zip(ids, texts, strict=True)])
    return file


def read(file: Path):
    if file.suffix == ".parquet":
        return [tuple(row.values()) for row in parquet.read_table(file).to_pylist()]
    with file.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["id", "label", "confidence"]
    return [(id, label, float(sure)) for id, label, sure in rows]


def errors(file: Path):
    with file.with_name(f"{file.name}.errors.csv").open(encoding="utf-8", newline="") as stream:
        return [tuple(row) for row in csv.reader(stream)]


def names(folder: Path):
    return sorted(path.name for path in folder.iterdir())


def score(model, source, target, **options):
    return predict_file(model, source, target, **{"batch_rows": 10, "progress": False, **options})


@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize("target", BOTH)
def test_answers_are_the_models_from_either_kind_to_either(served, tmp_path, source, target):
    texts = messages(64)
    texts[5], texts[60] = "", " "
    file, out = write(tmp_path / f"mail{source}", texts), tmp_path / f"out{target}"
    result = score(served, file, out)
    line = dict(zip(range(64), lines_of(texts), strict=True)) if source == ".csv" else {5: 6, 60: 61}
    assert result == BatchResult(out, 62, 2, tmp_path / f"out{target}.errors.csv", 0)
    assert names(tmp_path) == sorted([file.name, out.name, f"{out.name}.errors.csv"])
    unit = "line" if source == ".csv" else "row"
    assert errors(out) == [(unit, "reason"), *((str(line[row]), "the text is empty") for row in (5, 60))]
    good = [row for row, text in enumerate(texts) if text.strip()]
    expected = served.predict([texts[row] for row in good])
    found = read(out)
    assert [id for id, *_ in found] == [f"id {row}" for row in good]
    assert [label for _, label, _ in found] == [label for label, _ in expected]
    assert [sure for *_, sure in found] == pytest.approx([sure for _, sure in expected], abs=2e-6)
    assert len({label for _, label, _ in found}) > 1


def lines_of(texts):
    """The line that each row begins in, counted by hand."""
    begins, found = 2, []
    for text in texts:
        found.append(begins)
        begins += 1 + text.count("\n")
    return found


def test_parts_change_nothing(served, tmp_path):
    file = write(tmp_path / "mail.csv", messages(30))
    rows = []
    for batch_rows in (1, 7, 30, 1_000):
        score(served, file, tmp_path / "out.csv", batch_rows=batch_rows)
        rows.append(read(tmp_path / "out.csv"))
    for found in rows[1:]:
        assert [row[:2] for row in found] == [row[:2] for row in rows[0]]
        assert [row[2] for row in found] == pytest.approx([row[2] for row in rows[0]], abs=1e-5)


def test_long_texts_make_smaller_parts(served, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHARACTERS", 1_000)
    asked = []

    def watched(texts):
        asked.append([len(text) for text in texts])
        return served(texts)

    texts = ["a" * length for length in (900, 99, 2, 1, 5_000, 5_000, *[1] * 12)]
    score(watched, write(tmp_path / "mail.csv", texts), tmp_path / "out.csv", batch_rows=10)
    six_probes = asked.pop(0)
    assert len(six_probes) == 6
    assert asked == [[900, 99, 2], [1, 5_000], [5_000], [1] * 10, [1] * 2]
    assert len(read(tmp_path / "out.csv")) == 18


def test_a_file_of_broken_rows_alone(served, tmp_path):
    asked = Stopping(served, 0)
    result = score(asked, write(tmp_path / "mail.csv", [""] * 25), tmp_path / "out.csv")
    assert (result.rows, result.broken) == (0, 25)
    assert [line for line, _ in errors(tmp_path / "out.csv")] == ["line", *map(str, range(2, 27))]
    assert read(tmp_path / "out.csv") == []


@pytest.mark.parametrize("kind", BOTH)
def test_no_rows_are_an_empty_answer(served, tmp_path, kind):
    file = write(tmp_path / f"mail{kind}", [])
    if kind == ".parquet":
        parquet.write_table(pa.table({"id": pa.array([], "string"), "text": pa.array([], "string")}), file)
    assert score(served, file, tmp_path / f"out{kind}") == BatchResult(tmp_path / f"out{kind}", 0, 0, None, 0)
    assert read(tmp_path / f"out{kind}") == []


def test_errors_of_an_earlier_run_do_not_stay(served, tmp_path):
    out = tmp_path / "out.csv"
    score(served, write(tmp_path / "mail.csv", ["a", ""]), out)
    assert len(errors(out)) == 2
    result = score(served, write(tmp_path / "mail.csv", ["a", "b"]), out)
    assert (result.errors, names(tmp_path)) == (None, ["mail.csv", "out.csv"])
    assert str(result) == "2 rows answered in out.csv"
    assert len(read(out)) == 2


def test_any_model_of_texts_will_do(student, served, tmp_path):
    file, texts = write(tmp_path / "mail.csv", messages(20)), messages(20)
    student.train()
    cascade = Cascade(served, student, 0.9)
    for model, labels in [
        (student, [label for label, _ in served.predict(texts)]),
        (cascade, [label for label, *_ in cascade.predict(texts)]),
        (lambda texts: [[0, len(text) - 9] for text in texts], [str(int(len(text) > 9)) for text in texts]),
    ]:
        score(model, file, tmp_path / "out.csv")
        assert [label for _, label, _ in read(tmp_path / "out.csv")] == labels
    assert student.training


def test_an_answer_that_is_no_number_is_a_broken_row(tmp_path):
    def model(texts):
        return [[float("nan") if text == "b" else 1.0, 0.0] for text in texts]

    result = score(model, write(tmp_path / "mail.csv", ["a", "b", "", "c"]), tmp_path / "out.csv")
    assert (result.rows, result.broken) == (2, 2)
    assert errors(tmp_path / "out.csv")[1:] == [
        ("3", "the model's answer is not a number"),
        ("4", "the text is empty"),
    ]


# --- stopped, and taken up again


class Stopping:
    """A model that stops the run after some calls, and counts the texts that it is asked for."""

    def __init__(self, served, calls, error=KeyboardInterrupt):
        self.served, self.calls, self.error, self.texts = served, calls, error, 0
        self.classes, self.settings = served.classes, served.settings

    def __call__(self, texts):
        if self.calls == 0:
            raise self.error
        self.calls -= 1
        self.texts += len(texts)
        return self.served(texts)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ConnectionError("the teacher is down")])
def test_an_interrupted_run_keeps_what_is_done(served, tmp_path, kind, error):
    texts = messages(95)
    texts[3] = texts[93] = ""
    file = write(tmp_path / f"mail{kind}", texts)
    score(served, file, tmp_path / f"whole{kind}")
    out = tmp_path / f"out{kind}"
    out.write_text("what was there before")
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        score(Stopping(served, 4, error), file, out)
    assert out.read_text() == "what was there before"
    counting = Stopping(served, 100)
    result = score(counting, file, out)
    assert (result.rows, result.broken, result.resumed, counting.texts) == (93, 2, 40, 54)
    assert out.read_bytes() == (tmp_path / f"whole{kind}").read_bytes()
    assert errors(out) == errors(tmp_path / f"whole{kind}")
    assert not (tmp_path / f"out{kind}.parts").exists()


@pytest.fixture
def stopped(served, tmp_path):
    """A run with two parts done."""
    file = write(tmp_path / "mail.csv", messages(50))
    with pytest.raises(KeyboardInterrupt):
        score(Stopping(served, 2), file, tmp_path / "out.csv")
    return tmp_path


def test_another_file_model_or_setting_is_refused(served, student, stopped):
    file, out = stopped / "mail.csv", stopped / "out.csv"
    other = small_student(dim=4)
    before = {path.name: path.read_bytes() for path in (stopped / "out.csv.parts").iterdir()}
    for what, again in {
        "model": lambda: score(OnnxPredictor.load(export_onnx(other, stopped / "other")), file, out),
        "batch_rows": lambda: score(served, file, out, batch_rows=11),
        "id column": lambda: score(served, file, out, id=None),
        "text column": lambda: score(served, file, out, text="id"),
        "source file": lambda: score(served, write(stopped / "other.csv", messages(50, seed=1)), out),
    }.items():
        sentence = rf"^out\.csv\.parts holds a run with another {what}: go on with the same, or delete it"
        with pytest.raises(ValueError, match=sentence):
            again()
    file.rename(stopped / "renamed.csv")  # which changes nothing in it
    assert {path.name: path.read_bytes() for path in (stopped / "out.csv.parts").iterdir()} == before
    assert score(served, stopped / "renamed.csv", out).resumed == 20


def test_models_are_told_apart_by_answers_where_there_are_no_files(student, served, tmp_path):
    other = small_student(dim=4)
    nn.init.normal_(other.head.weight)
    identity = scoring._identity
    assert identity(student) == identity(student)
    assert len({identity(model) for model in (student, other, served)}) == 3
    assert identity(Cascade(served, other, 2.0)) == identity(other)  # which answers alone
    again = OnnxPredictor.load(export_onnx(student, tmp_path))
    assert identity(again) == identity(served)
    student.classes, before = CLASSES[::-1], student.classes
    reordered = identity(student)
    student.classes = before
    assert reordered != identity(student)


def test_a_folder_that_no_run_has_written_is_left_alone(served, tmp_path):
    (tmp_path / "out.csv.parts").mkdir()
    (tmp_path / "out.csv.parts" / "thesis.doc").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"out\.csv\.parts is needed .* but holds thesis\.doc: move"):
        score(served, write(tmp_path / "mail.csv", ["a"]), tmp_path / "out.csv")
    assert names(tmp_path / "out.csv.parts") == ["thesis.doc"]


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff"])
def test_damaged_settings_are_no_run_of_ours(served, stopped, content):
    (stopped / "out.csv.parts" / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match="holds a run with another format"):
        score(served, stopped / "mail.csv", stopped / "out.csv")


def test_what_a_kill_leaves_of_a_finished_run_is_cleared(served, stopped):
    (stopped / "out.csv.parts" / "run.json").unlink()
    (stopped / "out.csv.parts" / ".part-000002.abc.tmp").write_text("half")
    (stopped / "out.csv.parts" / "whole.out.csv").write_text("whole")
    result = score(served, stopped / "mail.csv", stopped / "out.csv")
    assert (result.resumed, result.rows) == (0, 50)
    assert names(stopped) == ["mail.csv", "out.csv"]


def test_a_source_that_changes_meanwhile_gives_no_target(served, tmp_path):
    file = write(tmp_path / "mail.csv", messages(30))

    def changing(texts):
        with file.open("a") as stream:
            stream.write("late,one more\n")
        return served(texts)

    with pytest.raises(ValueError, match=r"mail\.csv changed while it was read: delete out\.csv\.parts and"):
        score(changing, file, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_full_disk_is_told_and_what_is_done_stays(served, tmp_path, monkeypatch):
    file, parts, sync = write(tmp_path / "mail.csv", messages(50)), [], os.fsync

    def full(handle):
        parts.append(handle)
        if len(parts) > 3:  # the settings and two parts
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match=r"Could not write part-000002 \(No space"):
            score(served, file, tmp_path / "out.csv")
    assert score(served, file, tmp_path / "out.csv").resumed == 20


def scoring_slowly(folder, file, out, told):
    """What a child does that will be killed."""
    served = OnnxPredictor.load(folder)

    def slow(texts):
        told.send(True)
        time.sleep(0.0005)
        return served(texts)

    slow.classes, slow.settings = served.classes, served.settings
    score(slow, file, out)
    told.send(True)


@pytest.mark.whole
@pytest.mark.parametrize(("source", "target"), [(".csv", ".csv"), (".parquet", ".parquet")])
def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(served, tmp_path, source, target):
    texts = messages(120)
    texts[7] = texts[110] = ""
    file, whole = write(tmp_path / f"mail{source}", texts), tmp_path / f"whole{target}"
    score(served, file, whole)
    context = multiprocessing.get_context("fork" if FORK else "spawn")
    moments, resumed, unfinished = random.Random(0), [], 0
    for kill in range(KILLS):
        place = tmp_path / str(kill)
        place.mkdir()
        out = place / f"out{target}"
        heard, told = context.Pipe(duplex=False)
        child = context.Process(target=scoring_slowly, args=(served.folder, file, out, told))
        child.start()
        for _ in range(moments.randint(1, 13)):  # the last is said when all is done
            assert heard.poll(60)
            heard.recv()
        time.sleep(moments.uniform(0, 0.003))
        child.kill()
        child.join(60)
        unfinished += not out.exists()
        assert not out.exists() or out.read_bytes() == whole.read_bytes()  # whole or not at all
        result = score(served, file, out)
        resumed.append(result.resumed)
        assert (result.rows, result.broken) == (118, 2)
        assert out.read_bytes() == whole.read_bytes()
        assert errors(out) == errors(whole)
        assert names(place) == sorted([out.name, f"{out.name}.errors.csv"])
        shutil.rmtree(place)
    print(f"{KILLS} kills, {unfinished} before the end, with {sorted(resumed)} of 120 rows done")
    if FORK:
        assert len(set(resumed)) > 3  # the moments were spread over the run
    assert unfinished > 0


def dying(monkeypatch, steps):
    """Let the process lose all power over the disk after so many changes: as a kill would, at every one."""
    calls = []

    def until(change):
        def call(*arguments, **options):
            calls.append(change.__name__)
            if len(calls) > steps:  # nothing that would tidy up does so either
                raise SystemExit
            return change(*arguments, **options)

        return call

    for name in ("replace", "fsync", "unlink", "rmdir", "mkdir", "chmod"):
        monkeypatch.setattr(os, name, until(getattr(os, name)))


def test_a_run_stopped_at_any_step_of_its_files_goes_on_to_the_same_bytes(served, tmp_path, monkeypatch):
    texts = messages(25)
    texts[4] = ""
    file, whole, place = write(tmp_path / "mail.csv", texts), tmp_path / "whole.csv", tmp_path / "run"
    score(served, file, whole)
    steps, finished, out = 0, False, place / "out.csv"
    while not finished:
        place.mkdir()
        with monkeypatch.context() as patch:
            dying(patch, steps)
            try:
                score(served, file, out)
                finished = True
            except SystemExit:
                steps += 1
        # The target says that all is done: what it lacks is then named already.
        assert not out.exists() or (out.read_bytes(), errors(out)) == (whole.read_bytes(), errors(whole))
        assert score(served, file, out).rows == 24
        assert out.read_bytes() == whole.read_bytes()
        assert errors(out) == errors(whole)
        assert names(place) == ["out.csv", "out.csv.errors.csv"]
        shutil.rmtree(place)
    assert steps > 25


# --- what is refused


def test_each_wrong_request_has_its_sentence(served, tmp_path):
    file = write(tmp_path / "mail.csv", ["a"])
    (tmp_path / "folder.csv").mkdir()
    arrays = OnnxPredictor.load(served.folder)
    arrays.kind = "tensors"
    for error, sentence, request in [
        (
            ValueError,
            r"mail\.txt has the suffix '\.txt': use \.csv or \.parquet",
            (served, "mail.txt", "a.csv"),
        ),
        (ValueError, r"out has the suffix ''", (served, "mail.csv", "out")),
        (FileNotFoundError, r"There is no file none\.csv in", (served, "none.csv", "out.csv")),
        (ValueError, r"cannot go to mail\.csv, which is the file to read", (served, "mail.csv", "mail.csv")),
        (ValueError, r"cannot go to folder\.csv, which is a folder", (served, "mail.csv", "folder.csv")),
        (ValueError, "This model takes arrays", (arrays, "mail.csv", "out.csv")),
        (ValueError, r"The model gives \(\d,\) for \d rows", (len_of_each, "mail.csv", "out.csv")),
    ]:
        model, source, target = request
        with pytest.raises(error, match=sentence):
            score(model, tmp_path / source, tmp_path / target)
    with pytest.raises(ValueError, match="batch_rows is 0: give 1 or more"):
        score(served, file, tmp_path / "out.csv", batch_rows=0)
    with pytest.raises(ValueError, match=r"mail\.csv has no column 'message', but id, text"):
        score(served, file, tmp_path / "out.csv", text="message")
    assert names(tmp_path) == ["folder.csv", "mail.csv"]


def len_of_each(texts):
    return [len(text) for text in texts]


WITHOUT = """
    import sys
    for name in ("torch", "pyarrow", "onnx", "psutil"):
        sys.modules[name] = None
    from kdhelpers.serving import OnnxPredictor, predict_file
    print(predict_file(OnnxPredictor.load(sys.argv[1]), sys.argv[2], sys.argv[3], progress=False))
"""


@pytest.mark.whole
def test_csv_needs_neither_torch_nor_pyarrow(served, tmp_path):
    arguments = [str(served.folder), str(write(tmp_path / "mail.csv", ["a", "b"])), str(tmp_path / "out.csv")]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT), *arguments], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("2 rows answered in out.csv\n", "")


MEMORY = """
    import sys
    from kdhelpers.serving import OnnxPredictor, predict_file
    from kdhelpers.serving.memory import _peak
    served = OnnxPredictor.load(sys.argv[1])
    peaks = []
    for file in sys.argv[2:]:
        predict_file(served, file, file + ".out.csv", batch_rows=500, progress=False)
        peaks.append(_peak())
    print(peaks[1] - peaks[0])
"""


@pytest.mark.whole
def test_memory_does_not_grow_with_the_file(served, tmp_path):
    texts = messages(1_000)
    few, many = write(tmp_path / "few.csv", texts), write(tmp_path / "many.csv", texts * 16)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEMORY), str(served.folder), str(few), str(many)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stderr == ""
    # Fifteen times as many rows again; their texts alone, once as strings, would be twice as much.
    assert int(done.stdout) < 4e6
