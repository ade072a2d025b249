"""The losses that set the true class apart: their parts, their labels, and where rounding would hide them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits

from kdhelpers.losses import dkd_loss, kd_loss, nkd_loss, soft_cross_entropy

BOTH = pytest.mark.parametrize("loss", [dkd_loss, nkd_loss])
LABELS = torch.tensor([3, 0, 1, 2, 4, 0])


def pair(rows: int = 6, classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    return logits(rows, classes, seed=1).requires_grad_(), logits(rows, classes, seed=2)


def p_of_label(teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    return (teacher / temperature).softmax(-1).gather(-1, LABELS[:, None])[:, 0]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kd_is_target_part_plus_the_rest_weighed_by_what_the_teacher_leaves(temperature: float) -> None:
    student, teacher = pair()
    options = dict(temperature=temperature, reduction="none")
    target = dkd_loss(student, teacher, LABELS, alpha=1.0, beta=0.0, **options)
    others = dkd_loss(student, teacher, LABELS, alpha=0.0, beta=1.0, **options)
    left = 1 - p_of_label(teacher, temperature)
    torch.testing.assert_close(target + left * others, kd_loss(student, teacher, **options))
    both = dkd_loss(student, teacher, LABELS, alpha=0.5, beta=3.0, **options)
    torch.testing.assert_close(both, 0.5 * target + 3 * others)


def test_two_classes_leave_nothing_in_the_rest() -> None:
    student, teacher, labels = logits(4, 2, seed=1), logits(4, 2, seed=2), torch.tensor([0, 1, 1, 0])
    assert dkd_loss(student, teacher, labels, alpha=0.0) == 0
    torch.testing.assert_close(dkd_loss(student, teacher, labels), kd_loss(student, teacher))


def test_a_teacher_that_is_sure_still_teaches_the_rest() -> None:
    # In float32 p_y is 1, so that log(1 - p_y) would be -inf and the rest lost.
    teacher = torch.tensor([[60.0, 1.0, 3.0, 0.0]])
    student, label = torch.zeros(1, 4, requires_grad=True), torch.tensor([0])
    assert teacher.softmax(-1)[0, 0] == 1
    loss = dkd_loss(student, teacher, label, temperature=1.0, alpha=0.0, beta=1.0)
    loss.backward()
    torch.testing.assert_close(loss, kd_loss(student[:, 1:], teacher[:, 1:], 1.0))
    assert student.grad[0, 1:].abs().min() > 0.01
    sure = dkd_loss(torch.tensor([[0.0, 60.0, 0.0, 0.0]]), teacher, label, temperature=1.0, beta=0.0)
    torch.testing.assert_close(sure, torch.tensor(60.0), rtol=1e-3, atol=0)


def test_nkd_is_cross_entropy_by_confidence_and_soft_cross_entropy_of_the_rest() -> None:
    student, teacher = pair()
    first = nkd_loss(student, teacher, LABELS, gamma=0.0, reduction="none")
    cross_entropy = torch.nn.functional.cross_entropy(student, LABELS, reduction="none")
    torch.testing.assert_close(first, p_of_label(teacher, 1.0) * cross_entropy)
    rest = [[c for c in range(5) if c != label] for label in LABELS.tolist()]
    s, t = (x.gather(-1, torch.tensor(rest)) for x in (student, teacher))
    for temperature in (1.0, 3.0):
        whole = nkd_loss(student, teacher, LABELS, temperature, gamma=2.0, reduction="none")
        torch.testing.assert_close(whole - first, 2 * soft_cross_entropy(s, t, temperature, reduction="none"))


def test_nkd_at_agreement_is_not_zero_but_its_rest_is_at_rest() -> None:
    _, teacher = pair()
    student = teacher.clone().requires_grad_()
    loss = nkd_loss(student, teacher, LABELS)
    (loss - nkd_loss(student, teacher, LABELS, gamma=0.0)).backward()
    assert loss > 0.1
    torch.testing.assert_close(student.grad, torch.zeros_like(student), atol=1e-12, rtol=0)


@BOTH
def test_rows_without_a_label_do_not_count(loss) -> None:
    student, teacher = pair()
    labels = torch.tensor([3, -100, 1, -100, 4, 0])
    known = labels != -100
    expected = loss(student[known], teacher[known], labels[known])
    torch.testing.assert_close(loss(student, teacher, labels), expected)
    mask = torch.tensor([True, True, False, True, True, False])
    torch.testing.assert_close(
        loss(student, teacher, labels, mask=mask),
        loss(student[[0, 4]], teacher[[0, 4]], labels[[0, 4]]),
    )
    torch.testing.assert_close(
        loss(student, teacher, labels.masked_fill(~known, 7), ignore_index=7), expected
    )
    none = loss(student, teacher, torch.full((6,), -100))
    none.backward()
    assert none == 0
    assert (student.grad == 0).all()


@BOTH
def test_gradients_with_labels_of_any_class(loss) -> None:
    student, teacher = pair(3, 4)
    labels = torch.tensor([3, -100, 0])
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher, labels), student)
    assert torch.autograd.gradgradcheck(lambda s: loss(s, teacher, labels), student)


@BOTH
@given(data=st.data())
@settings(max_examples=15, deadline=None, derandomize=True)
def test_renaming_the_classes_and_splitting_the_batch_change_nothing(loss, data: st.DataObject) -> None:
    student, teacher = pair()
    order = torch.tensor(data.draw(st.permutations(range(5))))
    cut = data.draw(st.integers(0, 6))
    whole = loss(student, teacher, LABELS, reduction="sum")
    renamed = loss(student[:, order], teacher[:, order], order.argsort()[LABELS], reduction="sum")
    parts = [
        loss(student[part], teacher[part], LABELS[part], reduction="sum")
        for part in (slice(0, cut), slice(cut, 6))
    ]
    torch.testing.assert_close(renamed, whole)
    torch.testing.assert_close(parts[0] + parts[1], whole)


@BOTH
def test_bad_arguments(loss) -> None:
    student, teacher = pair()
    with pytest.raises(ValueError, match=r"^The logits have one class; setting the true one apart takes two"):
        loss(student[:, :1], teacher[:, :1], torch.zeros(6, dtype=torch.int64))
    with pytest.raises(ValueError, match="labels row 2 is 5, out of range"):
        loss(student, teacher, torch.tensor([0, 1, 5, 0, 0, 0]))
    with pytest.raises(ValueError, match="mask has shape"):
        loss(student, teacher, LABELS, mask=torch.ones(5, dtype=torch.bool))
    with pytest.raises(ValueError, match="temperature is 0"):
        loss(student, teacher, LABELS, temperature=0)


@pytest.mark.parametrize("wrong", [-1.0, math.inf, math.nan])
def test_weights_below_zero_or_not_finite(wrong: float) -> None:
    student, teacher = pair()
    for name, loss in (("alpha", dkd_loss), ("beta", dkd_loss), ("gamma", nkd_loss)):
        with pytest.raises(ValueError, match=rf"^{name} is .*; give a finite number of 0 or more\.$"):
            loss(student, teacher, LABELS, **{name: wrong})


def test_defaults_are_the_papers() -> None:
    student, teacher = pair()
    ours = dkd_loss(student, teacher, LABELS), nkd_loss(student, teacher, LABELS)
    papers = dkd_loss(student, teacher, LABELS, 4.0, 1.0, 8.0), nkd_loss(student, teacher, LABELS, 1.0, 1.5)
    torch.testing.assert_close(ours, papers)
