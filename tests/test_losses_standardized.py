"""Standardised logits and correlations: what they ignore, and what has no shape at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits, probabilities

from kdhelpers.losses import dist_loss, kd_loss, standardized_kd_loss

ZERO = torch.zeros((), dtype=torch.float64)


def reference_dist(s: torch.Tensor, t: torch.Tensor, temperature: float, beta: float, gamma: float) -> float:
    q, p = (np.array([probabilities(row, temperature) for row in x.detach().numpy()]) for x in (s, t))
    rows = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(q, p, strict=True)])
    columns = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(q.T, p.T, strict=True)])
    return temperature**2 * (beta * rows + gamma * columns)


@pytest.mark.parametrize(("temperature", "beta", "gamma"), [(1.0, 1.0, 1.0), (4.0, 0.5, 2.0), (2.0, 0, 1)])
def test_dist_against_numpys_correlations(temperature: float, beta: float, gamma: float) -> None:
    student, teacher = logits(6, 4, seed=1), logits(6, 4, seed=2)
    found = dist_loss(student, teacher, temperature, beta, gamma)
    assert found.item() == pytest.approx(reference_dist(student, teacher, temperature, beta, gamma))


def test_dist_gradients() -> None:
    student, teacher = logits(4, 3, seed=1).requires_grad_(), logits(4, 3, seed=2)
    mask = torch.tensor([True, True, False, True])
    for options in ({}, {"mask": mask, "temperature": 3.0}):
        assert torch.autograd.gradcheck(lambda s, o=options: dist_loss(s, teacher, **o), student)
        assert torch.autograd.gradgradcheck(lambda s, o=options: dist_loss(s, teacher, **o), student)


def test_dist_reductions_and_masks_are_those_of_the_rows_that_count() -> None:
    student, teacher = logits(2, 3, 4, seed=1).requires_grad_(), logits(2, 3, 4, seed=2)
    mask = torch.tensor([[True, True, False], [False, True, True]])
    expected = dist_loss(student[mask], teacher[mask])
    assert expected.item() == pytest.approx(reference_dist(student[mask], teacher[mask], 1.0, 1, 1))
    loss = dist_loss(student, teacher, mask=mask)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(dist_loss(student, teacher, mask=mask, reduction="sum"), 4 * expected)
    each = dist_loss(student, teacher, mask=mask, reduction="none")
    torch.testing.assert_close(each[mask].mean(), expected)
    assert (each[~mask] == 0).all()
    loss.backward()
    assert (student.grad[~mask] == 0).all()
    with torch.no_grad():
        student[~mask], teacher[~mask] = math.nan, math.inf
    torch.testing.assert_close(dist_loss(student, teacher, mask=mask), expected)


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_dist_without_rows_that_count(rows: int, reduction: str) -> None:
    student, teacher = logits(rows, 4, seed=1).requires_grad_(), logits(rows, 4, seed=2)
    loss = dist_loss(student, teacher, mask=torch.zeros(rows, dtype=torch.bool), reduction=reduction)
    loss.sum().backward()
    assert (loss == 0).all()
    assert (student.grad == 0).all()


def test_one_row_has_no_columns_to_compare() -> None:
    student, teacher = logits(1, 4, seed=1), logits(1, 4, seed=2)
    torch.testing.assert_close(dist_loss(student, teacher), dist_loss(student, teacher, gamma=0.0))
    assert dist_loss(student, teacher) > 0.01


@pytest.mark.parametrize("loss", [dist_loss, standardized_kd_loss])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1000.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_logits_stay_finite(loss, constant: float, dtype: torch.dtype) -> None:
    student = torch.full((3, 5), constant, dtype=dtype, requires_grad=True)
    teacher = logits(3, 5, dtype=dtype)
    value = loss(student, teacher)
    value.backward()
    assert value > 0.1
    assert (student.grad == 0).all()
    # Nothing to learn from a teacher without a shape; a student without one agrees with it.
    other = teacher.clone().requires_grad_()
    value = loss(other, student.detach())
    value.backward()
    assert other.grad.isfinite().all()
    assert loss(student, student) == 0


def test_a_teacher_without_a_shape_asks_nothing_of_dist() -> None:
    student = logits(3, 5, seed=1).requires_grad_()
    loss = dist_loss(student, torch.zeros(3, 5))
    loss.backward()
    assert loss == 0
    assert (student.grad == 0).all()


def test_classes_without_any_mass_in_float32_do_not_spoil_dist() -> None:
    teacher = logits(4, 4, dtype=torch.float32)
    teacher[:, 0] -= 60  # probabilities of 1e-26, whose squares are 0
    student = teacher.clone().requires_grad_()
    loss = dist_loss(student, teacher)
    loss.backward()
    assert abs(loss.item()) < 1e-5
    assert student.grad.isfinite().all()


def test_classes_ruled_out_by_both_take_no_part_in_dist() -> None:
    student, teacher = logits(4, 5, seed=1).requires_grad_(), logits(4, 5, seed=2)
    absent = torch.tensor([False, True, False, False, True])
    loss = dist_loss(student.masked_fill(absent, -math.inf), teacher.masked_fill(absent, -math.inf))
    torch.testing.assert_close(loss, dist_loss(student[:, ~absent], teacher[:, ~absent]))
    loss.backward()
    assert student.grad.isfinite().all()


def test_dist_under_vmap_in_half_precision_and_with_nan() -> None:
    student, teacher = logits(2, 5, 4, seed=1), logits(2, 5, 4, seed=2)
    found = torch.func.vmap(dist_loss)(student, teacher)
    torch.testing.assert_close(found, torch.stack([dist_loss(student[n], teacher[n]) for n in (0, 1)]))
    half = dist_loss(student[0].half(), teacher[0].half())
    assert half.dtype == torch.float32
    student[1, 2, 0] = math.nan
    with pytest.raises(ValueError, match=r"student_logits hold NaN in 1 of 5 rows, first in row 2"):
        dist_loss(student[1], teacher[1])
    with pytest.raises(ValueError, match="gamma is -1"):
        dist_loss(teacher, teacher, gamma=-1.0)
    with pytest.raises(ValueError, match="beta is nan"):
        dist_loss(teacher, teacher, beta=math.nan)
    with pytest.raises(ValueError, match="temperature is 0"):
        dist_loss(teacher, teacher, temperature=0)
    with pytest.raises(ValueError, match="reduction is 'batch'"):
        dist_loss(teacher, teacher, reduction="batch")
    with pytest.raises(ValueError, match="mask has shape"):
        dist_loss(teacher, teacher, mask=torch.ones(5, dtype=torch.bool))


@given(seed=st.integers(0, 10**6), shift=st.floats(-20, 20), factor=st.floats(0.1, 10), data=st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_what_changes_nothing(seed: int, shift: float, factor: float, data: st.DataObject) -> None:
    student, teacher = logits(5, 4, seed=seed), logits(5, 4, seed=seed + 1)
    loss = standardized_kd_loss(student, teacher)
    close = dict(rtol=1e-5, atol=1e-7)  # the 1e-7 beside the deviation
    torch.testing.assert_close(standardized_kd_loss(factor * student + shift, teacher), loss, **close)
    torch.testing.assert_close(standardized_kd_loss(student, factor * teacher + shift), loss, **close)
    torch.testing.assert_close(standardized_kd_loss(teacher * factor + shift, teacher), ZERO, **close)
    rows, classes = (torch.tensor(data.draw(st.permutations(range(n)))) for n in (5, 4))
    dist = dist_loss(student, teacher)
    torch.testing.assert_close(dist_loss(student[rows], teacher[rows]), dist)
    torch.testing.assert_close(dist_loss(student[:, classes], teacher[:, classes]), dist)
    torch.testing.assert_close(dist_loss(student + shift, teacher - shift), dist)
    torch.testing.assert_close(dist_loss(teacher, teacher), ZERO)
    assert -1e-9 <= dist <= 4


def test_standardising_is_kd_of_logits_with_mean_0_and_deviation_1() -> None:
    student, teacher = logits(5, 4, seed=1), logits(5, 4, seed=2)
    z_s, z_t = ((x - x.mean(-1, keepdim=True)) / (1e-7 + x.std(-1, keepdim=True)) for x in (student, teacher))
    torch.testing.assert_close(standardized_kd_loss(student, teacher), kd_loss(z_s, z_t, 2.0))


def test_what_lies_close_together_has_a_shape_all_the_same() -> None:
    # Deviations of one in a hundred million of the values, which float64 can tell from rounding.
    student, teacher = logits(5, 4, seed=1), logits(5, 4, seed=2)
    close, expected = standardized_kd_loss(student + 1e8, teacher), standardized_kd_loss(student, teacher)
    torch.testing.assert_close(close, expected, rtol=1e-6, atol=0)
    # A row is held to its own size, whatever stands in the others.
    student[0], student[1] = student[0] * 1e12, student[1] / 1e4
    alone = standardized_kd_loss(student[1:2], teacher[1:2])
    torch.testing.assert_close(standardized_kd_loss(student, teacher, reduction="none")[1], alone)
    assert student.std(1)[1] < 1e-3


@pytest.mark.parametrize("constant", [0.1, 1000.1, 12345.6])
@pytest.mark.parametrize("classes", [3, 7, 11, 1000])
def test_what_rounding_makes_of_equal_logits_is_no_shape(constant: float, classes: int) -> None:
    student = torch.full((2, classes), constant, requires_grad=True)
    for loss in (standardized_kd_loss, dist_loss):
        value = loss(student, logits(2, classes, dtype=torch.float32))
        (gradient,) = torch.autograd.grad(value, student)
        assert (gradient == 0).all()


def test_a_class_that_the_student_alone_rules_out() -> None:
    student, teacher = logits(5, 4, seed=1), logits(5, 4, seed=2)
    student[:, 2] = -math.inf
    assert dist_loss(student[1:], teacher[1:]).isfinite()
    one = student.clone()
    one[1:, 2] = 0.0  # ruled out in the first row only, so that its column has a shape
    expected = reference_dist(one, teacher, 1.0, 1.0, 1.0)
    assert dist_loss(one, teacher).item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="or a class is -inf for one model only"):
        standardized_kd_loss(student, teacher)


def test_dist_of_leading_dimensions_and_nan_beside_a_mask() -> None:
    student, teacher = logits(2, 3, 4, seed=1), logits(2, 3, 4, seed=2)
    flat = dist_loss(student.flatten(0, 1), teacher.flatten(0, 1), reduction="none")
    torch.testing.assert_close(dist_loss(student, teacher, reduction="none"), flat.view(2, 3))
    mask = torch.tensor([[False, True, True], [True, True, True]])
    student[0, 0], student[1, 1, 0] = math.nan, math.nan
    with pytest.raises(ValueError, match=r"student_logits hold NaN in 1 of 6 rows, first in row \(1, 1\)"):
        dist_loss(student, teacher, mask=mask)
