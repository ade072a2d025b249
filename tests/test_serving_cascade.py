from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_models import CLASSES, NASTY, small_student
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate, predict_logits
from kdhelpers.serving import Cascade, OnnxPredictor, cascade_curve, choose_threshold, export_onnx


def random_logits(seed=0, n=60, classes=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    student, teacher = (
        (rng.normal(size=(n, classes)) + quality * np.eye(classes)[labels]).astype(np.float32)
        for quality in (1, 3)
    )
    return student, teacher, labels


def looked_up(logits, asked=None):
    """A model whose inputs are row numbers."""

    def model(rows):
        if asked is not None:
            asked.append(list(rows))
        return logits[np.asarray(rows)]

    return model


def test_the_ends_are_the_student_and_the_teacher():
    student, teacher, _ = random_logits()
    asked, rows = [], list(range(60))
    alone = Cascade(looked_up(student), looked_up(teacher, asked), 0)
    assert np.array_equal(alone(rows), student)
    assert {by for *_, by in alone.predict(rows)} == {"student"}
    assert asked == []
    above = Cascade(looked_up(student), looked_up(teacher, asked), 1.001)
    assert np.array_equal(above(rows), teacher)
    assert asked == [rows]


@settings(deadline=None)
@given(threshold=st.floats(0, 1.2), seed=st.integers(0, 20))
def test_each_row_is_answered_by_whom_it_should_be(threshold, seed):
    student, teacher, _ = random_logits(seed)
    asked = []
    cascade = Cascade(looked_up(student), looked_up(teacher, asked), threshold, classes=["a", "b", "c"])
    sure = torch.softmax(torch.from_numpy(student).double(), 1).max(1).values.numpy()
    unsure = [row for row in range(60) if sure[row] < threshold]
    told = cascade.predict(range(60))
    assert asked == ([unsure] if unsure else [])  # one batch, or none
    for row, (label, confidence, by) in enumerate(told):
        logits = (teacher if row in unsure else student)[row]
        probabilities = torch.softmax(torch.from_numpy(logits).double(), 0)
        assert by == ("teacher" if row in unsure else "student")
        assert label == "abc"[int(probabilities.argmax())]
        assert confidence == pytest.approx(float(probabilities.max()))


def test_models_of_every_kind_together(tmp_path):
    student, teacher = small_student(), small_student(dim=4)
    nn.init.normal_(teacher.head.weight)
    served = OnnxPredictor.load(export_onnx(student, tmp_path))
    student.train()
    logits = torch.from_numpy(served(NASTY))
    middle = float(torch.softmax(logits.double(), 1).max(1).values.median())
    split = Split(ids=range(len(NASTY)), inputs=NASTY, labels=torch.arange(len(NASTY)) % 4)
    reports = []
    for first in (served, student):
        cascade = Cascade(first, teacher, middle)
        assert cascade.classes == CLASSES
        assert 0 < sum(by == "teacher" for *_, by in cascade.predict(NASTY)) < len(NASTY)
        reports.append(evaluate(cascade, split))
        torch.testing.assert_close(predict_logits(cascade, split), torch.from_numpy(cascade.logits(NASTY)))
        assert cascade.predict([]) == []
    assert student.training
    assert torch.equal(reports[0].predictions, reports[1].predictions)


def test_tensors_are_split_up_too():
    student, teacher = nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.9))
    inputs = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    told = Cascade(student, teacher, 1.1)(inputs)
    np.testing.assert_allclose(told, teacher.eval()(inputs).detach().numpy(), rtol=1e-5)
    assert Cascade(student, teacher, 0.0).predict(inputs)[0].label in ("0", "1")


def test_a_student_that_gives_nan_is_unsure():
    cascade = Cascade(lambda texts: [[np.nan, 0.0]], lambda texts: [[0.0, 5.0]], 0)
    assert cascade.predict(["help"])[0].by == "teacher"


def test_what_does_not_fit_is_refused():
    two, three = (lambda texts, c=c: np.zeros((len(texts), c)) for c in (2, 3))
    for threshold in (-0.1, float("nan")):
        with pytest.raises(ValueError, match=r"threshold is .*: give 0"):
            Cascade(two, two, threshold)
    with pytest.raises(ValueError, match="The student has 2 classes, the teacher 3"):
        Cascade(two, three, 1.1).predict(["a"])
    with pytest.raises(ValueError, match=r"The teacher gives \(1,\) for 1 rows"):
        Cascade(two, lambda texts: [0.0], 1.1).predict(["a"])
    other = small_student()
    other.classes = CLASSES[::-1]
    with pytest.raises(ValueError, match="a cascade needs the same in the same order"):
        Cascade(small_student(), other, 0.5)


def slow_curve(student, teacher, labels):
    """Every set of rows that a threshold can send, tried one by one: (share, accuracy) by number of rows."""
    sure = torch.softmax(torch.from_numpy(np.asarray(student)).double(), 1).max(1).values.numpy()
    found = {}
    for threshold in [0.0, *sure, 2.0]:
        sent = sure < threshold
        chosen = np.where(sent[:, None], teacher, student).argmax(1)
        found[int(sent.sum())] = (sent.mean(), (chosen == labels).mean())
    return [found[count] for count in sorted(found)]


# Few values, so that rows share their confidence.
LOGITS = st.integers(1, 15).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=2), min_size=n, max_size=n)] * 2,
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
    )
)


@settings(deadline=None)
@given(rows=LOGITS)
def test_the_curve_is_that_of_trying_all(rows):
    student, teacher, labels = (np.array(part, dtype) for part, dtype in zip(rows, "ffi", strict=True))
    curve = cascade_curve(student, teacher, labels)
    assert [tuple(point[1:]) for point in curve] == slow_curve(student, teacher, labels)
    shares, thresholds = ([point[axis] for point in curve] for axis in (1, 0))
    assert shares == sorted(set(shares))
    assert thresholds == sorted(set(thresholds))
    for threshold, share, accuracy in curve:
        cascade = Cascade(looked_up(student), looked_up(teacher), threshold)
        told = cascade.predict(range(len(labels)))
        assert sum(by == "teacher" for *_, by in told) == round(share * len(labels))
        assert np.mean([int(label) == k for (label, *_), k in zip(told, labels, strict=True)]) == accuracy


@settings(deadline=None)
@given(rows=LOGITS, budget=st.floats(0, 1), target=st.floats(0, 1))
def test_choices_are_the_best_there_are(rows, budget, target):
    student, teacher, labels = (np.array(part, dtype) for part, dtype in zip(rows, "ffi", strict=True))
    slow = slow_curve(student, teacher, labels)
    chosen = choose_threshold(student, teacher, labels, budget=budget)
    assert chosen.share == max(share for share, _ in slow if share <= budget)
    enough = [share for share, accuracy in slow if accuracy >= target]
    if enough:
        chosen = choose_threshold(student, teacher, labels, target=target)
        assert chosen.share == min(enough)
        assert chosen.accuracy.value >= target
    else:
        best = max(accuracy for _, accuracy in slow)
        with pytest.raises(ValueError, match=f"the best is {best:.1%}"):
            choose_threshold(student, teacher, labels, target=target)


def test_tensors_and_unlabelled_rows():
    student, teacher, labels = random_logits(n=200)
    chosen = choose_threshold(student, teacher, labels, budget=0.1)
    assert chosen.share == 0.1
    assert chosen.accuracy.n == 200
    assert "10.0% of rows go to the teacher" in str(chosen)
    padded = [torch.cat([torch.from_numpy(a), torch.from_numpy(a[:5])]) for a in (student, teacher)]
    known = torch.cat([torch.from_numpy(labels), torch.full((5,), -100)])
    assert choose_threshold(*padded, known, budget=0.1) == chosen
    padded[0].requires_grad_()
    assert choose_threshold(*padded, known, budget=0.1) == chosen


def test_each_wrong_request_has_its_sentence():
    student, teacher, labels = random_logits(n=4)
    for both in ({}, {"budget": 0.1, "target": 0.9}):
        with pytest.raises(ValueError, match=r"Give either a budget .* or a target"):
            choose_threshold(student, teacher, labels, **both)
    for wrong in ({"budget": 10}, {"target": 90}, {"budget": -0.1}, {"target": float("nan")}):
        with pytest.raises(ValueError, match=r"is .*: give a share from 0 to 1"):
            choose_threshold(student, teacher, labels, **wrong)
    for args, sentence in [
        ((student, teacher[:, :2], labels), r"The shapes are \(4, 3\) \(student\), \(4, 2\) \(teacher\)"),
        ((student, teacher, labels[:3]), r"\(3,\) \(labels\)"),
        ((student * np.nan, teacher, labels), "logits that are NaN"),
        ((student, teacher, np.full(4, -100)), "No row has a label"),
        ((student, teacher, labels + 3), "labels must be class numbers from 0 to 2"),
        ((student, teacher, labels * 1.0), "labels must be class numbers"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            cascade_curve(*args)
