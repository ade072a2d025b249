from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import evaluate, predict_logits

N, C = 80, 4


class Outputs:
    """A teacher's logits by id, and a record of what was asked."""

    def __init__(self, ids, logits):
        self.known, self.asked = dict(zip(ids, logits, strict=True)), []

    def logits(self, ids):
        self.asked = list(ids)
        return torch.stack([self.known[id] for id in ids])


@pytest.fixture
def split():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(N, C, generator=generator)
    labels = (inputs + torch.randn(N, C, generator=generator)).argmax(1)
    return Split([f"row-{i}" for i in range(N)], inputs, labels, {"early": torch.arange(N) < 30})


@pytest.fixture
def model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(C, C), nn.Dropout(0.5))


def test_every_number_equals_its_definition(split, model):
    teacher = torch.randn(N, C, generator=torch.Generator().manual_seed(2))
    report = evaluate(model, split, outputs=Outputs(split.ids, teacher))
    logits = predict_logits(model, split)
    chosen = logits.argmax(1)
    right = chosen == split.labels

    assert report.accuracy.value == pytest.approx(right.double().mean().item())
    assert report.nll.value == pytest.approx(F.cross_entropy(logits, split.labels).item(), rel=1e-5)
    assert report.slices["early"].value == pytest.approx(right[:30].double().mean().item())
    assert report.slices["early"].n == 30
    for label, recall in report.per_class.items():
        assert recall.value == pytest.approx(right[split.labels == label].double().mean().item())
    assert sum(recall.n for recall in report.per_class.values()) == report.n == N
    assert report.agreement.value == pytest.approx((teacher.argmax(1) == chosen).double().mean().item())
    kl = F.kl_div(logits.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean")
    assert report.kl_to_teacher.value == pytest.approx(kl.item(), rel=1e-5)
    assert torch.equal(report.predictions, chosen)
    assert torch.equal(report.correct, right)
    torch.testing.assert_close(report.confidence, logits.softmax(1).max(1).values)
    assert tuple(report.ids) == tuple(split.ids)


def test_rows_without_a_label_are_left_out(split, model):
    hidden = torch.arange(N) % 3 == 0
    partly = Split(split.ids, split.inputs, split.labels.masked_fill(hidden, -100), split.slices)
    outputs = Outputs(split.ids, torch.zeros(N, C))
    found, expected = evaluate(model, partly, outputs=outputs), evaluate(model, split.take(~hidden))
    assert found.accuracy == expected.accuracy
    assert (found.nll, found.ece, dict(found.slices)) == (expected.nll, expected.ece, dict(expected.slices))
    assert list(found.ids) == list(expected.ids) == outputs.asked


def test_the_order_of_rows_changes_nothing(split, model):
    outputs = Outputs(split.ids, torch.randn(N, C, generator=torch.Generator().manual_seed(3)))
    shuffled = split.take(torch.randperm(N, generator=torch.Generator().manual_seed(4)))
    one, two = evaluate(model, split, outputs=outputs), evaluate(model, shuffled, outputs=outputs)
    assert (one.accuracy, one.agreement) == (two.accuracy, two.agreement)
    assert dict(one.per_class) == dict(two.per_class)
    assert one.kl_to_teacher.value == pytest.approx(two.kl_to_teacher.value)
    assert one.nll.value == pytest.approx(two.nll.value)


def test_so_many_rows_are_asked_at_a_time_as_one_says(split):
    sizes = []

    def model(inputs):
        sizes.append(len(inputs))
        return inputs

    evaluate(model, split, batch_size=30)
    assert sizes == [30, 30, 20]


def test_slices_of_ones_own(split, model):
    report = evaluate(model, split, slices={"late": torch.arange(N) >= 70, "nobody": torch.zeros(N).bool()})
    assert list(report.slices) == ["late"]
    assert report.slices["late"].n == 10
    with pytest.raises(ValueError, match="late"):
        evaluate(model, split, slices={"late": torch.ones(3).bool()})


def test_classes_are_named_on_request(split, model):
    report = evaluate(model, split, classes=["a", "b", "c", "d"])
    assert set(report.per_class) == {"abcd"[label] for label in split.labels.unique().tolist()}
    with pytest.raises(ValueError, match="3 class names for a model of 4 classes"):
        evaluate(model, split, classes=["a", "b", "c"])


def test_the_model_keeps_its_mode_and_the_global_state_its_place(split, model):
    state = torch.get_rng_state()
    model.train()
    evaluate(model, split)
    assert all(part.training for part in model.modules())
    model.eval()
    evaluate(model, split)
    assert not any(part.training for part in model.modules())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("labels", [None, torch.full((N,), -100)])
def test_nothing_to_measure_against_is_refused(split, model, labels):
    with pytest.raises(ValueError, match="No row of this split has a label"):
        evaluate(model, Split(split.ids, split.inputs, labels))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_refused(split, bad):
    inputs = split.inputs.clone()
    inputs[[5, 9]] = bad
    with pytest.raises(ValueError, match=r"The model gives .* in 2 of 80 rows, the first is 'row-5'"):
        evaluate(nn.Identity(), Split(split.ids, inputs, split.labels))


def test_a_wrong_class_count_is_refused(split):
    with pytest.raises(ValueError, match=r"labels go up to 3, but the model has 3 classes \(0 to 2\)"):
        evaluate(nn.Linear(C, 3), split)


def test_a_teacher_that_does_not_fit_is_refused(split, model):
    with pytest.raises(ValueError, match=r"teacher's logits have shape \(80, 7\)"):
        evaluate(model, split, outputs=Outputs(split.ids, torch.zeros(N, 7)))
    with pytest.raises(ValueError, match=r"The teacher gives .* in 80 of 80 rows"):
        evaluate(model, split, outputs=Outputs(split.ids, torch.full((N, C), float("nan"))))


def test_a_report_reads_well(split, model):
    report = evaluate(model, split, outputs=Outputs(split.ids, torch.zeros(N, C)))
    for shown in (str(report), report._repr_html_()):
        for words in ("accuracy", "calibration error", "KL to the teacher", "accuracy on early", "lowest"):
            assert words in shown
    assert report._repr_html_().count("recall, class") >= len(report.per_class)
    worst = min(report.per_class, key=lambda label: report.per_class[label].value)
    assert [line.split("  ")[0] for line in str(report).splitlines()] == [
        "accuracy",
        "negative log-likelihood",
        "calibration error",
        "agreement with the teacher",
        "KL to the teacher",
        "accuracy on early",
        f"lowest recall, class {worst}",
    ]
    assert str(report).endswith(f"{report.per_class[worst]}  (n={report.per_class[worst].n})")
    heads = re.findall("<th scope='col'.*?>(.*?)</th>", report._repr_html_())
    assert heads == ["measure", "value", "95% interval", "rows"] * 2
    assert repr(report) == f"Report(accuracy {report.accuracy}, n=80)"
    assert "KL" not in str(evaluate(model, split))
