"""Teacher and labels in one step of the graph: the same numbers as the two terms apart, and as safe."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits
from torch import Tensor

from kdhelpers.losses import distillation_loss, fused, mixture
from kdhelpers.losses.row_losses import mixed_rows

# Rows that fill no vector of a processor, rows that do, and long ones, which take the two terms apart.
widths = pytest.mark.parametrize("width", [2, 10, 15, 16, 128, 129])
quick = settings(max_examples=40, deadline=None, derandomize=True)


def some(*shape: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Student logits, teacher logits and labels, complete."""
    labels = torch.arange(math.prod(shape)).reshape(shape) * 7 % width
    return logits(*shape, width, seed=1).requires_grad_(), logits(*shape, width, seed=2), labels


def apart(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, kd_weight: float) -> Tensor:
    return mixed_rows(student, teacher, labels, temperature, kd_weight, -100).mean()


def same_value_and_gradient(student: Tensor, loss: Tensor, expected: Tensor, **tolerance: float) -> None:
    torch.testing.assert_close(loss, expected, **tolerance)
    (found,) = torch.autograd.grad(3 * loss, student)
    torch.testing.assert_close(found, torch.autograd.grad(3 * expected, student)[0], **tolerance)


@widths
@pytest.mark.parametrize("shape", [(), (1,), (6,), (2, 3), (0,)])
def test_any_leading_shape(shape: tuple[int, ...], width: int) -> None:
    student, teacher, labels = some(*shape, width=width)
    expected = mixed_rows(student, teacher, labels, 3.0, 0.6, -100).sum()
    same_value_and_gradient(
        student, distillation_loss(student, teacher, labels, 3.0, 0.6, reduction="sum"), expected
    )


@given(
    rows=st.integers(1, 9),
    width=st.integers(2, 20),
    seed=st.integers(0, 2**16),
    temperature=st.floats(0.25, 20),
    kd_weight=st.floats(0, 1),
    missing=st.booleans(),
)
@quick
def test_the_mixture_is_that_of_the_rows(
    rows: int, width: int, seed: int, temperature: float, kd_weight: float, missing: bool
) -> None:
    student, teacher = logits(rows, width, seed=seed).requires_grad_(), logits(rows, width, seed=seed + 1)
    labels = torch.randint(0, width, (rows,), generator=torch.Generator().manual_seed(seed))
    if missing:
        labels[0] = -100
    loss = distillation_loss(student, teacher, labels, temperature, kd_weight)
    same_value_and_gradient(student, loss, apart(student, teacher, labels, temperature, kd_weight))


@widths
def test_derivatives_against_finite_differences(width: int) -> None:
    student, teacher, labels = some(2 if width < 100 else 1, width=width)
    assert torch.autograd.gradcheck(lambda s: distillation_loss(s, teacher, labels), student)
    assert torch.autograd.gradgradcheck(lambda s: distillation_loss(s, teacher, labels), student)


def test_a_gradient_that_can_be_differentiated_is_the_same_gradient() -> None:
    student, teacher, labels = some(2, 3, width=5)
    (expected,) = torch.autograd.grad(5 * distillation_loss(student, teacher, labels), student)
    (found,) = torch.autograd.grad(
        5 * distillation_loss(student, teacher, labels), student, create_graph=True
    )
    assert found.requires_grad
    torch.testing.assert_close(found, expected)


def test_the_graph_can_be_walked_twice() -> None:
    student, teacher, labels = some(3, width=5)
    loss = distillation_loss(student, teacher, labels)
    loss.backward(retain_graph=True)
    once = student.grad.clone()
    loss.backward()
    torch.testing.assert_close(student.grad, 2 * once)


def test_logits_changed_in_place_before_the_backward_pass_are_noticed() -> None:
    weight, teacher, labels = some(3, width=5)
    student = weight * 1
    loss = distillation_loss(student, teacher, labels)
    student.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_nothing_that_is_given_is_changed() -> None:
    given = some(4, width=6)
    before = [one.detach().clone() for one in given]
    distillation_loss(*given, temperature=1.0).backward()
    for one, was in zip(given, before, strict=True):
        assert torch.equal(one, was)


@pytest.mark.parametrize("width", [4, 20])
def test_a_class_that_both_rule_out_takes_no_part(width: int) -> None:
    student, teacher, labels = some(4, width=width)
    kept = [number for number in range(width) if number != 1]
    labels = torch.tensor([0, 2, 3, 2])
    student = student.detach().index_fill(1, torch.tensor([1]), -math.inf).requires_grad_()
    teacher[:, 1] = -math.inf
    shorter = student.detach()[:, kept].requires_grad_()
    loss = distillation_loss(student, teacher, labels)
    expected = distillation_loss(shorter, teacher[:, kept], labels - (labels > 1).long())
    torch.testing.assert_close(loss, expected)
    (found,), (wanted,) = torch.autograd.grad(loss, student), torch.autograd.grad(expected, shorter)
    torch.testing.assert_close(found[:, kept], wanted)
    assert (found[:, 1] == 0).all()


def test_a_class_that_only_the_student_rules_out_costs_infinity() -> None:
    student, teacher, labels = some(4, width=5)
    ruled_out = student.detach().index_fill(1, torch.tensor([1]), -math.inf)
    assert distillation_loss(ruled_out, teacher, labels) == math.inf


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("whole", [torch.uint8, torch.int32, torch.int64])
def test_dtypes(dtype: torch.dtype, whole: torch.dtype) -> None:
    student, teacher, labels = some(5, width=7)
    narrow = student.detach().to(dtype).requires_grad_()
    loss = distillation_loss(narrow, teacher.to(dtype), labels.to(whole))
    assert loss.dtype == (dtype if dtype == torch.float64 else torch.float32)
    expected = distillation_loss(narrow.double(), teacher.to(dtype).double(), labels)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    loss.backward()
    assert narrow.grad.dtype == dtype
    assert narrow.grad.isfinite().all()


def test_an_ignored_class_among_the_classes_is_not_learnt() -> None:
    student, teacher, labels = some(6, width=3)
    loss = distillation_loss(student, teacher, labels, 2.0, 0.5, ignore_index=1)
    hard = F.cross_entropy(student, labels, ignore_index=1, reduction="sum") / 6
    soft = distillation_loss(student, teacher, labels, 2.0, 1.0)
    same_value_and_gradient(student, loss, 0.5 * soft + 0.5 * hard)


def test_many_rows_go_by_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher, labels = some(9, width=4)
    at_once = distillation_loss(student, teacher, labels)
    monkeypatch.setattr(mixture, "_FEW_NUMBERS", 8)
    monkeypatch.setattr(fused, "_CHUNK", 8)
    same_value_and_gradient(student, distillation_loss(student, teacher, labels), at_once)


def test_few_classes_are_one_step_of_the_graph() -> None:
    student, teacher, labels = some(9, width=4)
    step = distillation_loss(student, teacher, labels).grad_fn
    assert step.name() == "_MixedSumBackward"
    assert [before.name() for before, _ in step.next_functions if before] == [
        "torch::autograd::AccumulateGrad"
    ]


def test_nan_is_said_in_one_sentence() -> None:
    student, teacher, labels = some(4, width=5)
    teacher[2, 0] = math.nan
    with pytest.raises(ValueError, match=r"^teacher_logits hold NaN in 1 of 4 rows, first in row 2: "):
        distillation_loss(student, teacher, labels)


@pytest.mark.parametrize("width", [3, 15, 16, 40])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,), (4, 1)])
def test_log_probabilities(shape: tuple[int, ...], width: int) -> None:
    given = logits(*shape, width)
    torch.testing.assert_close(fused.log_probabilities(given), given.log_softmax(-1))
