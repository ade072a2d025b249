"""What must hold for any logits: hypothesis looks for some that break it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import DIVERGENCES, LOSSES, SOFTENED
from torch import Tensor

from kdhelpers.losses import distillation_loss, logit_mse_loss

quick = settings(max_examples=15, deadline=None, derandomize=True)
temperatures = st.floats(0.5, 20)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    rows, classes = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    # On a grid, so that which logits are equal, or the highest, survives rounding.
    numbers = st.lists(st.integers(-160, 160), min_size=rows * classes, max_size=rows * classes)
    student, teacher = (torch.tensor(draw(numbers), dtype=torch.float64) / 8 for _ in range(2))
    return student.view(rows, classes), teacher.view(rows, classes)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", DIVERGENCES)
@given(pair=pairs(), temperature=temperatures)
@quick
def test_zero_where_both_agree_and_never_negative(name: str, pair, temperature: float) -> None:
    loss = DIVERGENCES[name]
    student, teacher = pair
    same = loss(teacher, teacher, temperature=temperature, reduction="none")
    close(same, torch.zeros_like(same))
    assert (loss(student, teacher, temperature=temperature, reduction="none") >= -1e-10).all()


@pytest.mark.parametrize("name", [*SOFTENED, "centred mse"])
@given(pair=pairs(), shift=st.floats(-50, 50))
@quick
def test_a_constant_on_all_logits_of_a_row_changes_nothing(name: str, pair, shift: float) -> None:
    student, teacher = pair
    close(LOSSES[name](student + shift, teacher - 2 * shift), LOSSES[name](student, teacher))


@given(pair=pairs())
@quick
def test_plain_mse_does_see_a_constant(pair) -> None:
    _, teacher = pair
    close(logit_mse_loss(teacher + 3, teacher), torch.tensor(9.0, dtype=torch.float64))


@pytest.mark.parametrize("name", LOSSES)
@given(pair=pairs(), data=st.data())
@quick
def test_the_order_of_classes_does_not_matter(name: str, pair, data: st.DataObject) -> None:
    # Which of two equal logits is the highest is a matter of their order, so there are none.
    student, teacher = pair[0].requires_grad_(), pair[1] + torch.arange(pair[1].shape[1]) / 7
    order = torch.tensor(data.draw(st.permutations(range(student.shape[1]))))
    loss, permuted = LOSSES[name](student, teacher), LOSSES[name](student[:, order], teacher[:, order])
    close(permuted, loss)
    # Gradients move along with their classes.
    (gradient,) = torch.autograd.grad(loss, student)
    (moved,) = torch.autograd.grad(permuted, student)
    close(moved, gradient)


@given(pair=pairs(), data=st.data(), kd_weight=st.floats(0, 1))
@quick
def test_splitting_a_batch_changes_nothing(pair, data: st.DataObject, kd_weight: float) -> None:
    student, teacher = pair
    rows, classes = student.shape
    labels = torch.tensor(
        data.draw(st.lists(st.sampled_from([-100, *range(classes)]), min_size=rows, max_size=rows))
    )
    cut = data.draw(st.integers(0, rows))

    def weighted(part: slice) -> Tensor:
        loss = distillation_loss(student[part], teacher[part], labels[part], kd_weight=kd_weight)
        return loss * len(labels[part]) / rows

    whole = distillation_loss(student, teacher, labels, kd_weight=kd_weight)
    close(weighted(slice(0, cut)) + weighted(slice(cut, rows)), whole)


@pytest.mark.parametrize("name", LOSSES)
@given(pair=pairs(), data=st.data())
@quick
def test_splitting_by_a_mask_changes_nothing(name: str, pair, data: st.DataObject) -> None:
    student, teacher = pair
    rows = len(student)
    mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    parts = [LOSSES[name](student, teacher, mask=m) * m.sum() / rows for m in (mask, ~mask)]
    close(parts[0] + parts[1], LOSSES[name](student, teacher))
