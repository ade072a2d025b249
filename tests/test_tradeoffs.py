"""Comparing models: what beats what, and how it is said."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kdhelpers.costs import Costs, measuring
from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate
from kdhelpers.tradeoffs import Tradeoffs, compare_models

N = 60
LABELS = torch.arange(N) % 4
RARE = torch.arange(N) < 12
SPLIT = Split(
    ids=range(N),
    inputs=torch.eye(4)[LABELS],
    labels=LABELS,
    slices={"rare": RARE, "empty": torch.zeros(N, dtype=torch.bool)},
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(measuring, "THROUGHPUT_SECONDS", 0)


def right_until(rows):
    """A report of a model that is right in so many rows, the first."""
    logits = torch.eye(4)[torch.where(torch.arange(N) < rows, LABELS, (LABELS + 1) % 4)]
    return evaluate(nn.Identity(), Split(ids=range(N), inputs=logits, labels=LABELS, slices={"rare": RARE}))


REPORTS = {rows: right_until(rows) for rows in (0, 20, 21, 45, 60)}
COSTS = Costs(100, 4000, None, 2.0, 3.0, 500.0, 32, "cpu", 1, memory=40_000_000)


def tradeoffs(accuracies, latencies):
    names = [f"model {number}" for number in range(len(accuracies))]
    reports = {name: REPORTS[rows] for name, rows in zip(names, accuracies, strict=True)}
    costs = {
        name: dataclasses.replace(COSTS, latency_p50_ms=float(spent), throughput=1000.0 - spent)
        for name, spent in zip(names, latencies, strict=True)
    }
    return Tradeoffs(reports, costs, names[0])


def beaten(one, others):
    """The definition, written out: models are (accuracy, cost)."""
    for other in others:
        if other[0] >= one[0] and other[1] <= one[1] and (other[0] > one[0] or other[1] < one[1]):
            return True
    return False


MODELS = st.lists(st.tuples(st.sampled_from(sorted(REPORTS)), st.integers(1, 4)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(models=MODELS, shuffle=st.randoms(use_true_random=False))
def test_the_frontier_is_what_the_definition_says(models: list[tuple[int, int]], shuffle: random.Random):
    found = tradeoffs(*zip(*models, strict=True))
    on_it = found.frontier()
    expected = {f"model {at}" for at, model in enumerate(models) if not beaten(model, models)}
    assert set(on_it) == expected
    assert len(on_it) == len(expected) > 0
    spent = [found.costs[name].latency_p50_ms for name in on_it]
    assert spent == sorted(spent)

    best, least = max(rows for rows, _ in models), min(cost for _, cost in models)
    assert best in {round(N * found.reports[name].accuracy.value) for name in on_it}
    assert least in spent
    # Throughput falls as latency rises here, so that the same models are chosen.
    assert set(found.frontier("throughput")) == expected

    names = list(found.reports)
    shuffle.shuffle(names)
    other = Tradeoffs({name: found.reports[name] for name in names}, found.costs, names[0])
    assert set(other.frontier()) == expected


def test_equal_models_beat_neither_and_are_no_different():
    found = tradeoffs([45, 45, 20], [2, 2, 2])
    assert found.frontier() == ["model 0", "model 1"]
    same = found.differences["model 1"]
    assert (same.mean, same.verdict, found.agreement["model 1"]) == (0.0, "no evidence", 1.0)
    assert found.differences.keys() == found.agreement.keys() == {"model 1", "model 2"}


def test_costs_to_choose_by():
    found = tradeoffs([45, 20], [2, 1])
    assert found.frontier("memory") == found.frontier("bytes") == ["model 0"]
    with pytest.raises(ValueError, match=r"'latency_p50' is no cost to choose by \(did you mean 'latency_p"):
        found.frontier("latency_p50")
    with pytest.raises(ValueError, match=r"take 'bytes', 'memory', 'latency_p50_ms'"):
        found.frontier("flops")
    unknown = {**found.costs, "model 1": dataclasses.replace(COSTS, memory=None)}
    with pytest.raises(ValueError, match="The memory of 'model 1' was not measured"):
        Tradeoffs(found.reports, unknown, "model 0").frontier("memory")


def test_parts_are_paired_by_id():
    model = nn.Linear(4, 4)
    backwards = SPLIT.take(list(range(N))[::-1])
    found = Tradeoffs(
        {"a": evaluate(model, SPLIT), "b": evaluate(model, backwards)}, {"a": COSTS, "b": COSTS}, "a"
    )
    assert found.agreement["b"] == 1
    assert found.differences["b"].mean == 0
    found = tradeoffs([60, 45], [1, 1])
    assert found.agreement["model 1"] == 45 / 60
    assert found.differences["model 1"].mean == pytest.approx(-0.25)
    assert found.differences["model 1"].verdict == "worse"


def test_parts_that_do_not_fit_are_named():
    report, costs = REPORTS[20], COSTS
    with pytest.raises(ValueError, match="There are no models"):
        Tradeoffs({}, {}, "a")
    with pytest.raises(ValueError, match=r"'b' must have both a report and costs"):
        Tradeoffs({"a": report}, {"a": costs, "b": costs}, "a")
    with pytest.raises(ValueError, match=r"'techer' \(did you mean 'teacher'\?\) is not one of 'teacher'"):
        Tradeoffs({"teacher": report}, {"teacher": costs}, "techer")
    with pytest.raises(ValueError, match=r"no slice 'raer' with labelled rows \(did you mean 'rare'\?\)"):
        Tradeoffs({"a": report}, {"a": costs}, "a", slices=["raer"])
    other = evaluate(nn.Identity(), SPLIT.take(range(10)))
    with pytest.raises(ValueError, match="other rows"):
        Tradeoffs({"a": report, "b": other}, {"a": costs, "b": costs}, "a")


def test_later_changes_of_the_parts_change_nothing():
    reports, costs = {"a": REPORTS[20]}, {"a": COSTS}
    found = Tradeoffs(reports, costs, "a")
    reports.clear()
    costs.clear()
    assert found.frontier() == ["a"]


def test_the_table_says_it_all():
    names = {"teacher": 60, "student | <b>": 45}
    reports = {name: REPORTS[rows] for name, rows in names.items()}
    costs = {
        "teacher": COSTS,
        "student | <b>": dataclasses.replace(COSTS, bytes=90, latency_p50_ms=0.2, memory=None),
    }
    found = Tradeoffs(reports, costs, "teacher", slices="rare")
    header, teacher, student, caption = str(found).splitlines()
    assert header.split("  ")[-1].strip() == "throughput"
    for told in (
        "100.0% [94.0, 100.0]",
        " baseline ",
        "100.0% [75.8, 100.0]",
        "4 kB",
        "40 MB",
        "2 ms",
        "500 /s",
    ):
        assert told in teacher
    for told in ("75.0% [", "-25.0 [-3", "] worse", "75.0%  90 B", "–", "0.2 ms"):
        assert told in student
    assert len(header) == len(teacher) == len(student)
    assert caption == (
        "On 60 rows, with 95% intervals; differences and agreement are with the baseline, teacher; "
        "costs measured on cpu with 1 thread, throughput in batches of 32."
    )
    html = found._repr_html_()
    assert "student | &lt;b&gt;" in html
    assert "on rare" in html
    assert caption in html
    lines = found.to_markdown().splitlines()
    assert lines[1] == "|:--|" + "--:|" * 9
    assert {line.count("|") for line in lines[:4]} == {11}
    assert "student &#124; &#60;b&#62;" in lines[3]
    assert lines[-1] == caption
    assert repr(found) == "Tradeoffs(2 models, baseline 'teacher')"


def test_without_memory_there_is_no_such_column():
    plain = dataclasses.replace(COSTS, memory=None)
    assert "memory" not in str(Tradeoffs({"a": REPORTS[20]}, {"a": plain}, "a"))


class Texts:
    """A served model of texts: right for short ones, and it remembers what it was asked."""

    parameters, bytes, threads = 7, 99, 1

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked.append(list(texts))
        return torch.tensor([[1.0, 0.0] if len(text) < 5 else [0.0, 1.0] for text in texts])

    def memory(self, example):
        return 1000 * len(example[0])


def test_models_are_compared_on_the_same_rows_and_example():
    texts = ["a" * length for length in (9, 1, 3, 7, 2)]
    split = Split(ids=range(5), inputs=texts, labels=torch.tensor([1, 0, 0, 0, -100]))
    models = {"one": Texts(), "two": Texts()}
    found = compare_models(models, split, baseline="two", repeats=10, batch_size=3, memory=True)
    assert found.baseline == "two"
    assert found.reports["one"].n == 4
    assert found.reports["one"].accuracy.value == 0.75
    assert found.differences["one"].mean == 0
    # The median length is 3.
    assert {costs.memory for costs in found.costs.values()} == {3000}
    assert {costs.batch_size for costs in found.costs.values()} == {3}
    for model in models.values():
        assert model.asked[:30] == [["aaa"]] * 30
        assert ["aaa"] * 3 in model.asked  # the throughput, in batches
    given_one = compare_models({"one": Texts()}, split, example=["a"], repeats=10, memory=True)
    assert given_one.costs["one"].memory == 1000
    assert given_one.differences == {}


def test_modules_are_compared_by_the_first_row():
    shapes = []

    class Watch(nn.Identity):
        def forward(self, input):
            shapes.append(tuple(input.shape))
            return super().forward(input)

    found = compare_models({"a": Watch(), "b": nn.Linear(4, 4)}, SPLIT, repeats=10, slices=["rare"])
    assert shapes[0] == (1, 4)
    assert found.baseline == "a"
    assert "on rare" in str(found)
    assert found.reports["a"].accuracy.value == 1


def never(inputs):
    raise AssertionError("measured before all was checked")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"models": {}}, "There are no models"),
        ({"baseline": "b"}, r"The baseline 'b' is not one of 'a'"),
        ({"split": SPLIT.unlabelled(), "slices": ["rare"]}, "No row of this split has a label"),
        ({"slices": ["rarer"]}, r"no slice 'rarer' with labelled rows \(did you mean 'rare'\?\)"),
        ({"slices": ["empty"]}, "no slice 'empty' with labelled rows: there are 'rare'"),
        ({"models": {"a": never, "b": nn.Identity()}, "memory": True}, "export the function"),
    ],
)
def test_wrong_wishes_are_refused_before_anything_is_measured(change, sentence):
    wishes = {"models": {"a": never}, "split": SPLIT, **change}
    with pytest.raises(ValueError, match=sentence):
        compare_models(**wishes)


def test_an_interruption_is_passed_on():
    class Interrupted(nn.Identity):
        def forward(self, input):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_models({"a": nn.Identity(), "b": Interrupted()}, SPLIT, repeats=10)
