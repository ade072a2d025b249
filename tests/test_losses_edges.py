"""The losses at their edges: masks, empty batches, half precision, infinities, transforms."""

from __future__ import annotations

import math

import pytest
import torch
from loss_references import DIVERGENCES, LOSSES, logits

from kdhelpers.losses import distillation_loss, js_divergence_loss, kd_loss, reverse_kl_loss

INF = math.inf
each_loss = pytest.mark.parametrize("name", LOSSES)


def leaf(*shape: int, seed: int = 0, **kwargs: object) -> torch.Tensor:
    return logits(*shape, seed=seed, **kwargs).requires_grad_()  # type: ignore[arg-type]


@each_loss
def test_sequences_with_a_mask_equal_their_flattened_valid_rows(name: str) -> None:
    student, teacher = leaf(2, 3, 5, seed=1), logits(2, 3, 5, seed=2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    flat = LOSSES[name](student[mask], teacher[mask], reduction="none")
    loss = LOSSES[name](student, teacher, mask=mask)
    torch.testing.assert_close(loss, flat.mean())
    torch.testing.assert_close(LOSSES[name](student, teacher, mask=mask, reduction="sum"), flat.sum())
    per_row = LOSSES[name](student, teacher, mask=mask, reduction="none")
    torch.testing.assert_close(per_row[mask], flat)
    assert (per_row[~mask] == 0).all()
    loss.backward()
    assert (student.grad[~mask] == 0).all()
    assert (student.grad[mask] != 0).any(-1).all()


@each_loss
def test_what_is_masked_may_even_be_nan(name: str) -> None:
    student, teacher = leaf(3, 4, seed=1), logits(3, 4, seed=2)
    with torch.no_grad():
        student[1], teacher[2, 0] = math.nan, INF
    loss = LOSSES[name](student, teacher, mask=torch.tensor([True, False, False]))
    torch.testing.assert_close(loss, LOSSES[name](student[:1], teacher[:1]))
    loss.backward()
    assert student.grad.isfinite().all()


@each_loss
@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_no_row_that_counts_gives_zero_and_zero_gradients(name: str, rows: int, reduction: str) -> None:
    student, teacher = leaf(rows, 4), logits(rows, 4, seed=2)
    for mask in [torch.zeros(rows, dtype=torch.bool)] + [None] * (rows == 0):
        loss = LOSSES[name](student, teacher, mask=mask, reduction=reduction)
        assert loss.shape == ((rows,) if reduction == "none" else ())
        (gradient,) = torch.autograd.grad(loss.sum(), student)
        assert (loss == 0).all()
        assert (gradient == 0).all()


def test_mixture_without_rows_or_without_labels() -> None:
    student = leaf(0, 4)
    loss = distillation_loss(student, logits(0, 4), torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss == 0
    assert student.grad.shape == (0, 4)
    student, teacher, none = leaf(3, 4, seed=1), logits(3, 4, seed=2), torch.full((3,), -100)
    torch.testing.assert_close(distillation_loss(student, teacher, none), 0.9 * kd_loss(student, teacher))
    loss = distillation_loss(student, teacher, none, kd_weight=0.0)
    loss.backward()
    assert loss == 0
    assert (student.grad == 0).all()


@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    student, teacher = leaf(5, 4, seed=1, dtype=dtype), logits(5, 4, seed=2, dtype=dtype)
    loss = LOSSES[name](student, teacher)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, LOSSES[name](student.float(), teacher.float()))
    loss.backward()
    assert student.grad.dtype == dtype
    assert student.grad.isfinite().all()


def test_float64_stays_and_mixed_types_meet_at_the_wider() -> None:
    assert kd_loss(logits(2, 3), logits(2, 3)).dtype == torch.float64
    assert kd_loss(logits(2, 3).float(), logits(2, 3)).dtype == torch.float64
    assert kd_loss(logits(2, 3).half(), logits(2, 3).float()).dtype == torch.float32


@each_loss
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_one_in_half_precision_is_widened_before_anything_is_computed(name: str, reduction: str) -> None:
    half, single = logits(5, 4, seed=1).half(), logits(5, 4, seed=2).float()
    for student, teacher in ((half, single), (single, half)):
        found = LOSSES[name](student, teacher, reduction=reduction)
        expected = LOSSES[name](student.float(), teacher.float(), reduction=reduction)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_class_ruled_out_by_both_takes_no_part(name: str, dtype: torch.dtype) -> None:
    student, teacher = leaf(4, 5, seed=1, dtype=dtype), logits(4, 5, seed=2, dtype=dtype)
    absent = torch.tensor([False, True, False, False, True])
    loss = LOSSES[name](student.masked_fill(absent, -INF), teacher.masked_fill(absent, -INF))
    torch.testing.assert_close(loss, LOSSES[name](student[:, ~absent], teacher[:, ~absent]))
    loss.backward()
    assert student.grad.isfinite().all()
    assert (student.grad[:, absent] == 0).all()
    assert (student.grad[:, ~absent] != 0).all()


def test_a_class_ruled_out_by_both_in_the_logits_themselves() -> None:
    # Without a masking operation between leaf and loss to hide a NaN in the gradient.
    for name, loss in LOSSES.items():
        student = torch.tensor([[1.0, -INF, 0.5]], requires_grad=True)
        loss(student, torch.tensor([[0.0, -INF, 3.0]])).backward()
        assert student.grad.isfinite().all(), name
        assert student.grad[0, 1] == 0, name


def test_a_class_ruled_out_by_one() -> None:
    whole, partly = torch.zeros(1, 2), torch.tensor([[0.0, -INF]])
    assert kd_loss(partly, whole) == INF
    assert reverse_kl_loss(whole, partly) == INF
    for loss, student, teacher in [
        (kd_loss, whole, partly),
        (reverse_kl_loss, partly, whole),
        (js_divergence_loss, whole, partly),
        (js_divergence_loss, partly, whole),
    ]:
        student = student.clone().requires_grad_()
        value = loss(student, teacher)
        value.backward()
        assert 0 < value < INF
        assert student.grad.isfinite().all()


@each_loss
def test_the_teacher_gets_no_gradient(name: str) -> None:
    student, teacher = leaf(3, 4, seed=1), leaf(3, 4, seed=2)
    LOSSES[name](student, teacher).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@each_loss
def test_same_under_vmap(name: str) -> None:
    student, teacher = logits(3, 4, 5, seed=1), logits(3, 4, 5, seed=2)
    mask = torch.tensor([[True] * 4, [True, False, True, False], [False] * 4])
    found = torch.func.vmap(lambda s, t, m: LOSSES[name](s, t, mask=m))(student, teacher, mask)
    expected = [LOSSES[name](s, t, mask=m) for s, t, m in zip(student, teacher, mask, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected))


@each_loss
def test_same_under_vmap_over_one_of_both(name: str) -> None:
    students, teachers = logits(3, 4, 5, seed=1), logits(3, 4, 5, seed=2)
    over_teachers = torch.func.vmap(lambda teacher: LOSSES[name](students[0], teacher))(teachers)
    torch.testing.assert_close(over_teachers, torch.stack([LOSSES[name](students[0], t) for t in teachers]))
    over_students = torch.func.vmap(lambda student: LOSSES[name](student, teachers[0]))(students)
    torch.testing.assert_close(over_students, torch.stack([LOSSES[name](s, teachers[0]) for s in students]))


def test_mixture_under_vmap_and_func_grad() -> None:
    student, teacher, labels = logits(3, 4, 5), logits(3, 4, 5, seed=2), torch.arange(12).view(3, 4) % 5
    found = torch.func.vmap(torch.func.grad(distillation_loss))(student, teacher, labels)
    for row in range(3):
        single = student[row].clone().requires_grad_()
        distillation_loss(single, teacher[row], labels[row]).backward()
        torch.testing.assert_close(found[row], single.grad)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_confident_logits_stay_finite(name: str) -> None:
    student = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    loss = DIVERGENCES[name](student, torch.tensor([[-200.0, 200.0, 0.0]]), temperature=1.0)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.whole
def test_same_when_traced_into_one_graph() -> None:
    def all_of_them(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.stack([loss(student, teacher, mask=mask) for loss in LOSSES.values()])

    batch = leaf(4, 5), logits(4, 5, seed=2), torch.tensor([True, False, True, True])
    traced = torch.compile(all_of_them, backend="eager", fullgraph=True)
    torch.testing.assert_close(traced(*batch), all_of_them(*batch))


def test_a_term_without_weight_cannot_spoil_the_mixture() -> None:
    # The label names a class that is ruled out, so cross-entropy alone is infinite.
    student, label = torch.tensor([[0.0, 1.0, -INF]], requires_grad=True), torch.tensor([2])
    teacher = torch.tensor([[1.0, 0.0, -INF]])
    loss = distillation_loss(student, teacher, label, kd_weight=1.0)
    loss.backward()
    torch.testing.assert_close(loss, kd_loss(student, teacher))
    assert student.grad.isfinite().all()
    # Without weight, the student may likewise rule out what the teacher allows.
    labelled = distillation_loss(student, torch.zeros(1, 3), torch.tensor([0]), kd_weight=0.0)
    torch.testing.assert_close(labelled, torch.tensor(1.0).exp().log1p())


@each_loss
def test_masked_nan_reaches_no_gradient_where_values_cannot_be_looked_at(name: str) -> None:
    student, teacher = logits(2, 3, 4), logits(2, 3, 4, seed=2)
    mask = torch.tensor([[True, False, True], [False, True, True]])
    student[~mask] = math.nan
    gradients = torch.func.vmap(torch.func.grad(lambda s, t, m: LOSSES[name](s, t, mask=m)))
    found = gradients(student, teacher, mask)
    assert (found[~mask] == 0).all()
    assert found.isfinite().all()


@each_loss
def test_leading_dimensions_are_rows(name: str) -> None:
    student, teacher = logits(2, 3, 5, seed=1), logits(2, 3, 5, seed=2)
    flat = LOSSES[name](student.flatten(0, 1), teacher.flatten(0, 1), reduction="none")
    torch.testing.assert_close(LOSSES[name](student, teacher, reduction="none"), flat.view(2, 3))
    torch.testing.assert_close(LOSSES[name](student[0, 0], teacher[0, 0]), flat[0])
