"""The whole way from files to a student: what it leaves, that it resumes, and that nothing stale is used."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
import threading
from html.parser import HTMLParser

import pytest
import torch
from own_files import own_files, tiny_teacher
from tqdm import tqdm

from kdhelpers.contract import Contract
from kdhelpers.own_data import check_student, distill_own_data, read_own_data
from kdhelpers.own_data.outcome import gap_closed
from kdhelpers.own_data.students import Recipe
from kdhelpers.serving import OnnxPredictor
from kdhelpers.text import NgramStudent

CONTRACT = Contract("Mail", accuracy=0.1, classes={"billing": 0.99}, latency_p95_ms=10_000.0)
# What holds times of this machine.
TIMED = {"costs.json", "report.html"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    return {**own_files(folder), "teacher": tiny_teacher(folder / "teacher")}


def read(files):
    return read_own_data(text="message", label="queue", **{k: v for k, v in files.items() if k != "teacher"})


def distill(files, out, **options):
    options = dict(seeds=2, progress=False, contract=CONTRACT) | options
    return distill_own_data(read(files), out, teacher=files["teacher"], **options)


@pytest.fixture(scope="module")
def outcome(files, tmp_path_factory):
    return distill(files, tmp_path_factory.mktemp("out") / "student")


def content(folder):
    every = [path for path in folder.rglob("*") if path.is_file() and path.name not in TIMED]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in every}


@pytest.mark.whole
def test_the_folder_has_the_student_in_both_forms(outcome):
    served, student = OnnxPredictor.load(outcome.folder), NgramStudent.load(outcome.folder)
    texts = read_texts(outcome)
    assert served.classes == student.classes == ("billing", "delivery")
    torch.testing.assert_close(
        torch.from_numpy(served.logits(texts)), student(texts).detach(), rtol=1e-4, atol=1e-4
    )
    right = student(texts).argmax(1) == outcome.data.test.labels
    assert right.double().mean() == pytest.approx(outcome.student.accuracy.value)


def read_texts(outcome):
    return list(outcome.data.test.inputs)


@pytest.mark.whole
def test_the_results_are_those_of_the_reports(outcome):
    results = json.loads((outcome.folder / "results.json").read_text())
    assert results["rows"] == {"labelled": 16, "pool": 40, "test": 24}
    assert results["accuracy"]["teacher"]["value"] == outcome.teacher.accuracy.value
    mean = sum(report.accuracy.value for report in outcome.distilled) / 2
    assert results["accuracy"]["distilled"]["value"] == pytest.approx(mean)
    assert results["difference"]["verdict"] == outcome.difference.verdict
    assert outcome.student.agreement is not None
    assert str(outcome).startswith(outcome.headline)


@pytest.mark.whole
def test_a_teacher_that_cannot_read_is_put_aside_and_that_is_told(outcome):
    # Its weights are random: on the labelled texts n-grams know more, and the students copy those.
    assert "n-grams know more than the transformer" in outcome.data.notes[-1]
    assert torch.equal(outcome.teacher.predictions, outcome.labels_only[0].predictions)
    assert min(report.agreement.value for report in outcome.distilled) > 0.8
    assert outcome.gap_closed is None
    assert "There is no gap to close" in outcome.headline


@pytest.mark.whole
def test_again_it_is_all_there_and_a_changed_question_is_refused(files, outcome, tmp_path):
    before = content(outcome.folder)
    again = distill(files, outcome.folder)
    assert content(outcome.folder) == before
    assert again.costs == outcome.costs
    (tmp_path / "newer.csv").write_text("message,queue\nhello there,billing\nwhere is it,delivery\n")
    (tmp_path / "other.csv").write_text(files["labelled"].read_text() + "hello there,billing\n")
    with pytest.raises(
        ValueError, match="holds a distillation with another labelled file: give the same again"
    ):
        distill({**files, "labelled": tmp_path / "other.csv"}, outcome.folder)
    with pytest.raises(ValueError, match="with another test: give the same"):
        distill({**files, "test": tmp_path / "newer.csv"}, outcome.folder)
    without = {name: path for name, path in files.items() if name != "unlabelled"}
    with pytest.raises(ValueError, match="with another pool"):
        distill(without, outcome.folder)
    assert content(outcome.folder) == before


@pytest.mark.whole
def test_another_teacher_and_a_folder_of_other_files_are_refused(files, outcome, tmp_path):
    with pytest.raises(ValueError, match="with another teacher"):
        distill_own_data(read(files), outcome.folder, seeds=2, progress=False)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"holds other files, such as thesis\.txt"):
        distill(files, tmp_path)
    with pytest.raises(ValueError, match="is a file: give a folder"):
        distill(files, tmp_path / "thesis.txt")
    with pytest.raises(FileNotFoundError, match=r"no teacher in .*: it lacks model\.safetensors"):
        distill({**files, "teacher": tmp_path}, tmp_path / "out")
    with pytest.raises(ValueError, match="seeds is 1"):
        distill(files, tmp_path / "out", seeds=1)


def test_a_contract_that_cannot_be_judged_is_refused_before_any_work(files, tmp_path):
    for contract, sentence in (
        (Contract("", accuracy=0.5, slices={"short": 0.5}), "on the slice 'short': a CSV file has no slices"),
        (
            Contract("", classes={"solar": 0.5}),
            "recall of 'solar', which is not among the classes billing, del",
        ),
    ):
        with pytest.raises(ValueError, match=sentence):
            distill(files, tmp_path / "out", contract=contract)
        assert not (tmp_path / "out").exists()


class Page(HTMLParser):
    """What stands in a page: its tags, and whether each is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.whole
def test_the_report_is_one_file_that_all_can_read(outcome):
    text = (outcome.folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert not re.search(r"https?://|<script|@import|url\(|<link", text)
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3
    assert all(
        len(picture["alt"]) > 40 and picture["src"].startswith("data:image/png") for picture in pictures
    )
    assert ("html", {"lang": "en"}) in page.tags
    assert "width=device-width" in text
    assert "prefers-color-scheme: dark" in text
    tables = [
        attributes for tag, attributes in page.tags if tag == "div" and attributes.get("class") == "table"
    ]
    assert len(tables) >= 5
    assert all(table["tabindex"] == "0" and table["role"] == "region" for table in tables)
    for heading in ("How good it is", "The contract", "Class by class", "What it confuses", "What it costs"):
        assert f"<h2>{heading}</h2>" in text
    assert outcome.headline in page.text
    assert not any(message in text for message in outcome.data.test.inputs)


@pytest.mark.whole
def test_messages_are_quoted_only_if_that_is_asked_for(files, outcome):
    wrong = outcome.student.correct.logical_not().nonzero().flatten().tolist()
    assert wrong
    distill(files, outcome.folder, quote=True)
    quoted = (outcome.folder / "report.html").read_text(encoding="utf-8")
    assert any(outcome.data.test.inputs[row] in quoted for row in wrong)
    distill(files, outcome.folder)
    assert not any(one in (outcome.folder / "report.html").read_text() for one in outcome.data.test.inputs)


@pytest.mark.whole
def test_the_card_says_where_it_is_from_and_whose_terms_apply(files, outcome):
    card = (outcome.folder / "model_card.md").read_text(encoding="utf-8")
    for said in (
        "mail.csv, 16 rows",
        outcome.data.sources["labelled"][1],
        "Licence",
        "accuracy",
        "seeds: 0 to 1",
    ):
        assert said in card
    assert not any(message in card for message in outcome.data.test.inputs)


@pytest.mark.whole
def test_check_judges_the_student_as_it_is_served(files, outcome):
    verdict, notes = check_student(outcome.folder, files["test"], CONTRACT)
    asked = {clause.name: clause for clause in verdict.clauses}
    assert asked["accuracy"].measured == pytest.approx(outcome.student.accuracy.value)
    assert "24 rows of test.csv" in notes[-1]
    with pytest.raises(ValueError, match="agreement with the teacher, which only the report"):
        check_student(outcome.folder, files["test"], Contract("", agreement=0.5))


@pytest.mark.whole
def test_without_a_pool_the_student_learns_from_the_labelled_texts(files, tmp_path):
    found = distill({name: files[name] for name in ("labelled", "test", "teacher")}, tmp_path / "out")
    assert len(found.data.transfer) == 16
    assert "No unlabelled texts" in (tmp_path / "out" / "report.html").read_text()


def test_the_gap_needs_a_teacher_that_is_better():
    assert gap_closed(0.5, 0.75, 1.0) == 0.5
    assert gap_closed(0.5, 0.6, 0.5) is None
    assert Recipe.for_teacher(10_000).epochs == 4
    assert Recipe.for_labels(1).epochs == 40


FORK = sys.platform == "linux"


def run_until(files, out, writes):
    """Distil in a process that kills itself at so many files; it may end before."""
    tqdm.set_lock(threading.RLock())  # the usual one is shared with the parent: a kill would leave it held
    done, replace = [0], os.replace

    def counting(source, target, **options):
        done[0] += 1
        if done[0] == writes and writes % 2:
            os.kill(os.getpid(), signal.SIGKILL)  # the file is written, but not yet in its place
        replace(source, target, **options)
        if done[0] == writes:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = counting
    distill(files, out)


@pytest.mark.whole
@pytest.mark.skipif(not FORK, reason="a process that is forked has everything loaded")
def test_killed_again_and_again_it_ends_in_the_same_student_and_results(files, outcome, tmp_path):
    context, kills = multiprocessing.get_context("fork"), 0
    for writes in range(2, 60, 3):
        child = context.Process(target=run_until, args=(files, tmp_path / "out", writes))
        child.start()
        child.join(120)
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        kills += 1
    assert kills >= 3
    assert content(tmp_path / "out") == content(outcome.folder)
