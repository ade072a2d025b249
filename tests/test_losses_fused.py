"""The fused way to KD is the formula's own autograd, number for number, whatever the width and the chunks."""

from __future__ import annotations

import math

import pytest
import torch
from loss_references import logits
from torch import Tensor
from torch.autograd import forward_ad

from kdhelpers.losses import distillation_loss, fused, kd_loss
from kdhelpers.losses.row_losses import kl_rows

# Short rows, and long ones, for which other arithmetic is faster.
widths = pytest.mark.parametrize("width", [3, 128, 129, 300])


@pytest.fixture(params=[1, 600, 2**16], ids=lambda size: f"chunk {size}")
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(fused, "_CHUNK", request.param)
    return request.param


def plain(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    return kl_rows(student, teacher, temperature).mean()


@widths
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_value_and_gradient_are_those_of_the_formula(width: int, temperature: float, chunk: int) -> None:
    student, teacher = logits(7, width, seed=1).requires_grad_(), logits(7, width, seed=2)
    loss, expected = kd_loss(student, teacher, temperature), plain(student, teacher, temperature)
    torch.testing.assert_close(loss, expected)
    (found,) = torch.autograd.grad(3 * loss, student)
    torch.testing.assert_close(found, torch.autograd.grad(3 * expected, student)[0])
    with torch.no_grad():
        torch.testing.assert_close(kd_loss(student, teacher, temperature), expected.detach())


@pytest.mark.parametrize("width", [3, 129])
def test_second_derivatives(width: int) -> None:
    student, teacher = logits(2, width, seed=1).requires_grad_(), logits(2, width, seed=2)
    loss, expected = kd_loss(student, teacher), plain(student, teacher, 4.0)
    direction = logits(2, width, seed=3)
    for value in (loss, expected):
        (first,) = torch.autograd.grad(value, student, create_graph=True)
        value.second = torch.autograd.grad((first * direction).sum(), student)[0]
    torch.testing.assert_close(loss.second, expected.second)
    assert loss.second.abs().max() > 1e-3


def test_second_derivatives_against_finite_differences_in_long_rows() -> None:
    student, teacher = logits(1, 130, seed=1).requires_grad_(), logits(1, 130, seed=2)
    assert torch.autograd.gradcheck(lambda s: kd_loss(s, teacher), student)
    assert torch.autograd.gradgradcheck(lambda s: kd_loss(s, teacher), student)


@widths
def test_agreement_is_exactly_zero_in_float32(width: int) -> None:
    student = logits(5, width, dtype=torch.float32).requires_grad_()
    loss = kd_loss(student, student.detach().clone())
    loss.backward()
    assert loss == 0
    assert (student.grad == 0).all()


@widths
def test_a_large_constant_on_all_logits_costs_no_digits(width: int) -> None:
    # Whole numbers, so that adding the constant is exact.
    student, teacher = (logits(5, width, seed=seed, dtype=torch.float32).round() for seed in (1, 2))
    torch.testing.assert_close(
        kd_loss(student + 2**20, teacher - 2**20), kd_loss(student, teacher), rtol=1e-6, atol=0
    )


@widths
def test_float32_keeps_six_digits(width: int) -> None:
    student, teacher = logits(50, width, seed=1), logits(50, width, seed=2)
    found = kd_loss(student.float(), teacher.float())
    torch.testing.assert_close(found.double(), kd_loss(student, teacher), rtol=2e-6, atol=0)


@widths
def test_classes_that_both_rule_out_take_the_slower_way(width: int) -> None:
    student, teacher = logits(4, width, seed=1), logits(4, width, seed=2)
    student[:, 1] = teacher[:, 1] = -math.inf
    student.requires_grad_()
    kept = [number for number in range(width) if number != 1]
    loss = kd_loss(student, teacher)
    torch.testing.assert_close(loss, kd_loss(student[:, kept], teacher[:, kept]))
    loss.backward()
    assert student.grad.isfinite().all()


def test_any_leading_shape_and_any_layout(chunk: int) -> None:
    student, teacher = logits(2, 150, 3, seed=1), logits(2, 150, 3, seed=2)
    for change in (lambda x: x, lambda x: x.transpose(1, 2), lambda x: x[:, ::2], lambda x: x[0]):
        s, t = change(student).detach().requires_grad_(), change(teacher)
        loss, expected = kd_loss(s, t), plain(s, t, 4.0)
        torch.testing.assert_close(loss, expected)
        (found,) = torch.autograd.grad(loss, s)
        torch.testing.assert_close(found, torch.autograd.grad(expected, s)[0])


def test_one_row_alone_is_a_batch_of_one() -> None:
    student, teacher = logits(1, 5, seed=1), logits(1, 5, seed=2)
    torch.testing.assert_close(kd_loss(student[0], teacher[0]), kd_loss(student, teacher))
    torch.testing.assert_close(
        kd_loss(student[0], teacher[0], mask=torch.tensor(True)), kd_loss(student, teacher)
    )


def test_the_graph_can_be_walked_twice() -> None:
    student, teacher = logits(3, 5, seed=1).requires_grad_(), logits(3, 5, seed=2)
    loss = kd_loss(student, teacher)
    loss.backward(retain_graph=True)
    once = student.grad.clone()
    loss.backward()
    torch.testing.assert_close(student.grad, 2 * once)


def test_logits_changed_in_place_before_the_backward_pass_are_noticed() -> None:
    weight, teacher = logits(3, 5, seed=1).requires_grad_(), logits(3, 5, seed=2)
    student = weight * 1
    loss = kd_loss(student, teacher)
    student.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("width", [4, 200])
def test_forward_derivatives_are_the_same(width: int) -> None:
    student, teacher, direction = (logits(3, width, seed=seed) for seed in (1, 2, 3))
    (gradient,) = torch.autograd.grad(kd_loss(student.requires_grad_(), teacher), student)
    expected = (gradient * direction).sum()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(student.detach(), direction)
        torch.testing.assert_close(forward_ad.unpack_dual(kd_loss(dual, teacher)).tangent, expected)
    _, found = torch.func.jvp(lambda s: kd_loss(s, teacher), (student.detach(),), (direction,))
    torch.testing.assert_close(found, expected)


def test_logits_from_outside_of_a_transform_are_taken_inside_one() -> None:
    student, teacher = logits(3, 5, seed=1), logits(3, 5, seed=2)
    found = torch.func.vmap(lambda x: x * kd_loss(student, teacher))(torch.ones(2))
    torch.testing.assert_close(found, kd_loss(student, teacher).expand(2))


@pytest.mark.parametrize("kd_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("width", [4, 200])
def test_the_mixture_is_fused_into_the_same_numbers(kd_weight: float, width: int) -> None:
    student, teacher = logits(5, width, seed=1).requires_grad_(), logits(5, width, seed=2)
    labels = torch.tensor([0, -100, 3, 1, -100])
    settings = dict(temperature=3.0, kd_weight=kd_weight)
    loss = distillation_loss(student, teacher, labels, **settings)
    expected = distillation_loss(student, teacher, labels, reduction="none", **settings).mean()
    torch.testing.assert_close(loss, expected)
    (found,) = torch.autograd.grad(loss, student)
    torch.testing.assert_close(found, torch.autograd.grad(expected, student)[0])


@widths
def test_a_gradient_that_can_be_differentiated_is_the_same_gradient(width: int) -> None:
    student, teacher = logits(2, 3, width, seed=1).requires_grad_(), logits(2, 3, width, seed=2)
    (expected,) = torch.autograd.grad(5 * kd_loss(student, teacher, 3.0), student)
    (found,) = torch.autograd.grad(5 * kd_loss(student, teacher, 3.0), student, create_graph=True)
    assert found.requires_grad
    torch.testing.assert_close(found, expected)
