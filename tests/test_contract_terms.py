"""Contracts: what they may ask for, and how they are held against a report and costs."""

from __future__ import annotations

import math
import pickle
import re

import numpy as np
import pytest
import torch
from test_contract_samples import costs, report

from kdhelpers.contract import Contract
from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate, wilson

RECALLS = {"billing": (450, 500), "access": (400, 500), "security": (12, 20)}
SLICES = {"multi": (120, 200), "rare": (12, 20)}


@pytest.fixture
def measured():
    return report(RECALLS, slices=SLICES, agreement=(800, 1020))


def test_each_clause_reads_its_own_number(measured):
    contract = Contract(
        "Support",
        accuracy=0.7,
        slices={"multi": 0.5},
        classes={"security": 0.9, 0: 0.8},
        worst_class=0.3,
        ece=0.08,
        agreement=0.75,
        latency_p50_ms=1,
        latency_p95_ms=1,
        bytes=5_000_000,
        cost_per_million=0.5,
        price_per_hour=0.05,
    )
    verdict = contract.check(measured, costs())
    found = {clause.name: clause for clause in verdict.clauses}
    numbers = {
        "accuracy": 862 / 1020,
        "accuracy on multi": 0.6,
        "recall of security": 0.6,
        "recall of billing": 0.9,
        "lowest recall (security)": 0.6,
        "calibration error": 0.05,
        "agreement with the teacher": 800 / 1020,
        "latency p50": 0.5,
        "latency p95": 1.5,
        "bytes": 4_000_000,
        "cost per million": 1e6 / 50_000 / 3600 * 0.05,
    }
    assert {name: clause.measured for name, clause in found.items()} == pytest.approx(numbers)
    assert list(found) == list(numbers)
    assert {clause.name for clause in verdict.failed} == {"recall of security", "latency p95"}
    assert verdict.undecided == ()
    assert found["accuracy on multi"].high == measured.slices["multi"].high
    assert not verdict.passed
    assert verdict.name == "Support"
    assert [clause.floor for clause in verdict.clauses] == [True] * 5 + [False, True] + [False] * 4


def test_all_or_nothing(measured):
    assert Contract(accuracy=0.7).check(measured).passed
    mixed = Contract(accuracy=0.7, slices={"rare": 0.6}).check(measured)
    assert (mixed.passed, mixed.outcome, mixed.failed) == (False, "not enough data", ())
    failed = Contract(accuracy=0.99, slices={"rare": 0.5}).check(measured)
    assert failed.undecided[0].note == "about 97 rows of rare would decide it, if as measured"
    assert failed.outcome == "fail"


def test_a_measured_model_end_to_end():
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    inputs = 3 * torch.eye(4)[labels] + torch.randn(400, 4, generator=rng)
    split = Split(list(range(400)), inputs, labels, {"first": labels == 0, "nobody": torch.zeros(400).bool()})
    contract = Contract(accuracy=0.5, slices={"nobody": 0.5}, classes={"c": 0.5, "4": 0.1}, worst_class=0.5)
    for names in (None, "abcd"):
        found = evaluate(torch.nn.Identity(), split, classes=names and list(names))
        verdict = contract.check(found, classes=list("abcde"), slices=split.slices)
        outcomes = {clause.name: clause.outcome for clause in verdict.clauses}
        assert outcomes["recall of c"] == outcomes["accuracy"] == "pass"
        assert outcomes["recall of e"] == outcomes["accuracy on nobody"] == "not enough data"
        assert verdict.clauses[-1].note == "no rows of e"


def test_classes_are_found_by_name_and_number():
    named, numbered = report(RECALLS), report(dict(enumerate(RECALLS.values())))
    for key in ("security", 2, "2"):
        (clause,) = Contract(classes={key: 0.2}).check(named).clauses
        assert (clause.name, clause.measured) == ("recall of security", 0.6)
    (clause,) = Contract(classes={2: 0.2}).check(numbered).clauses
    assert clause.name == "recall of class 2"
    (clause,) = Contract(classes={2: 0.2}).check(numbered, classes=list(RECALLS)).clauses
    assert clause.name == "recall of security"
    (clause,) = Contract(worst_class=0.1).check(numbered).clauses
    assert clause.name == "lowest recall (class 2)"


def test_a_number_is_the_label_even_where_classes_lack_rows():
    split = Split([1, 2, 3], torch.eye(4)[[1, 3, 3]], torch.tensor([1, 3, 0]))
    found = evaluate(torch.nn.Identity(), split, classes=list("abcd"))
    (clause,) = Contract(classes={3: 0.0}).check(found).clauses
    assert (clause.name, clause.measured) == ("recall of d", 1.0)


def test_names_that_are_digits_go_before_numbers():
    found = report({"1": (9, 10), "0": (2, 10)})
    (clause,) = Contract(classes={"1": 0.5}).check(found).clauses
    assert clause.measured == 0.9


def test_a_stopped_machine_costs_without_end(measured):
    (clause,) = Contract(cost_per_million=1, price_per_hour=1).check(measured, costs(throughput=0.0)).clauses
    assert (clause.outcome, clause.measured) == ("fail", math.inf)


def test_numbers_of_other_kinds_are_taken(measured):
    contract = Contract(accuracy=np.float32(0.5), bytes=np.int64(7), worst_class=0)
    assert (type(contract.accuracy), contract.bytes) == (float, 7.0)
    assert contract == pickle.loads(pickle.dumps(contract))


def test_a_contract_keeps_what_it_was_given():
    floors = {"multi": 0.5}
    contract = Contract(slices=floors)
    floors["multi"] = 0.9
    assert contract.slices == {"multi": 0.5}
    with pytest.raises(AttributeError):
        contract.accuracy = 0.5
    assert repr(contract) == "Contract('', 1 clause)"
    assert str(Contract("S", ece=0.1)) == 'name = "S"\nece = 0.1'


@pytest.mark.parametrize(
    ("asked", "kind", "sentence"),
    [
        ({}, ValueError, r"asks for nothing: give at least one clause, such as accuracy=0\.7\.$"),
        ({"name": "Support"}, ValueError, "asks for nothing"),
        ({"price_per_hour": 1}, ValueError, "asks for nothing"),
        ({"accuracy": 85}, ValueError, r"^accuracy is 85, .* give a share such as 0\.85\.$"),
        ({"accuracy": 100}, ValueError, r"^accuracy is 100, .* give a share such as 1\.$"),
        ({"accuracy": 101}, ValueError, r"^accuracy is 101, .* such as 0\.85\.$"),
        ({"slices": {"multi": 60}}, ValueError, r"^slices\.multi is 60, .* such as 0\.6\.$"),
        ({"classes": {3: 1.5}}, ValueError, r"^classes\.3 is 1\.5, but shares go from 0 to 1"),
        ({"ece": 8}, ValueError, r"^ece is 8, .* such as 0\.08\.$"),
        ({"agreement": -0.1}, ValueError, r"^agreement is -0\.1, .* such as 0\.85\.$"),
        ({"worst_class": math.nan}, ValueError, "^worst_class is nan, but shares go from 0 to 1"),
        ({"bytes": -1}, ValueError, "^bytes is -1: give the most that is allowed"),
        ({"latency_p50_ms": math.inf}, ValueError, "^latency_p50_ms is inf: give the most"),
        ({"latency_p95_ms": math.nan}, ValueError, "^latency_p95_ms is nan: give the most"),
        ({"bytes": 10**400}, ValueError, "^bytes is 1000.*: give the most"),
        ({"cost_per_million": 1}, ValueError, "^cost_per_million needs price_per_hour: give what an hour"),
        ({"cost_per_million": 1, "price_per_hour": 0}, ValueError, "needs price_per_hour"),
        ({"accuracy": "0.7"}, TypeError, r"^accuracy is '0\.7', which is no number: write one"),
        ({"accuracy": True}, TypeError, "^accuracy is True, which is no number"),
        ({"bytes": "5 MB"}, TypeError, "^bytes is '5 MB', .* without quotes or unit"),
        ({"slices": 0.5}, TypeError, r"^slices is 0\.5: give floors by name"),
        (
            {"slices": {"a": {"b": 0.5}}},
            TypeError,
            r"^slices\.a is .*: write one, a name with a dot in quotes",
        ),
        ({"slices": {3: 0.5}}, TypeError, "^slices has the key 3: use names as keys"),
        ({"classes": {True: 0.5}}, TypeError, "^classes has the key True: use names or numbers"),
        ({"classes": {7: 0.5, "7": 0.6}}, ValueError, "^classes names 7 twice"),
        ({"name": 0.7}, TypeError, r"^name is 0\.7: give a text"),
    ],
)
def test_what_makes_no_contract_is_refused(asked, kind, sentence):
    with pytest.raises(kind, match=sentence) as caught:
        Contract(**asked)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("asked", "given", "sentence"),
    [
        (
            {"slices": {"mutli": 0.5}},
            {},
            r"'mutli', .* it has multi, rare \(did you mean multi\?\); if it only",
        ),
        ({"slices": {"new": 0.5}}, {"slices": ["multi"]}, r"'new', .* it has multi\.$"),
        ({"slices": {"bytes": 0.5}}, {}, r"bytes must stand above the first \[table\]"),
        ({"classes": {"securty": 0.5}}, {}, r"'securty', .* security \(did you mean security\?\); if it"),
        ({"classes": {"9": 0.5}}, {"classes": list(RECALLS)}, r"'9', .* billing, access, security\.$"),
        (
            {"worst_class": 0.5},
            {"classes": ["billing", "access"]},
            "has the class security, but classes names",
        ),
        (
            {"latency_p95_ms": 2, "bytes": 5},
            {},
            "asks for latency_p95_ms, bytes, but there are no costs: pass",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused(measured, asked, given, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        Contract(**asked).check(measured, **given)
    assert "\n" not in str(caught.value)


def test_a_report_without_slices_is_said_to_have_none():
    with pytest.raises(ValueError, match="which the report does not have: it has none; if it only"):
        Contract(slices={"multi": 0.5}).check(report(RECALLS))


def test_agreement_needs_a_teacher():
    with pytest.raises(
        ValueError, match="agreement with the teacher, but the report has none: evaluate with"
    ):
        Contract(agreement=0.5).check(report(RECALLS))


def test_many_names_are_not_all_listed():
    many = report({f"queue {at}": (1, 2) for at in range(40)})
    with pytest.raises(ValueError, match=r"queue 11 and 28 more") as caught:
        Contract(classes={"other": 0.5}).check(many)
    assert "queue 12" not in str(caught.value)


def test_things_that_are_no_report_are_refused(measured):
    with pytest.raises(TypeError, match="report is Costs: give what evaluate"):
        Contract(accuracy=0.5).check(costs(), measured)
    with pytest.raises(TypeError, match="costs is Report: give what measure_costs"):
        Contract(accuracy=0.5).check(measured, measured)
    with pytest.raises(TypeError, match="one name a class"):
        Contract(accuracy=0.5).check(measured, classes="abc")


def test_two_classes_of_one_name_are_refused(measured):
    split = Split([1, 2], torch.eye(2), torch.tensor([0, 1]))
    found = evaluate(torch.nn.Identity(), split, classes=["a", "a"])
    with pytest.raises(ValueError, match=r"has 2 labels, but 1 class names: give evaluate"):
        Contract(worst_class=0.5).check(found)
    with pytest.raises(ValueError, match=r"^classes names billing twice: give each"):
        Contract(worst_class=0.5).check(measured, classes=[*RECALLS, "billing"])


def test_a_class_asked_for_alone_is_not_widened(measured):
    (clause,) = Contract(classes={"security": 0.4}).check(measured).clauses
    plain = wilson(12, 20)
    assert (clause.low, clause.high) == (plain.low, plain.high)
    assert re.fullmatch(r"about \d+ rows of security would decide it, if as measured", clause.note)
