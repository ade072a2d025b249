"""Ranking losses against loops over pairs and permutations."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits, probabilities

from kdhelpers.losses import listwise_ranking_loss, pairwise_ranking_loss

LOSSES = {
    "logistic": pairwise_ranking_loss,
    "margin": partial(pairwise_ranking_loss, method="margin"),
    "listnet": listwise_ranking_loss,
    "listmle": partial(listwise_ranking_loss, method="listmle"),
}
each = pytest.mark.parametrize("name", LOSSES)


def slow_row(name: str, s: np.ndarray, t: np.ndarray) -> float:
    pairs = list(itertools.permutations(range(len(s)), 2))
    if name == "logistic":
        ordered = [math.log1p(math.exp(s[j] - s[i])) for i, j in pairs if t[i] > t[j]]
        return sum(ordered) / max(len(ordered), 1)
    if name == "margin":
        return float(np.mean([((s[i] - s[j]) - (t[i] - t[j])) ** 2 for i, j in pairs if i < j]))
    if name == "listnet":
        return -float((probabilities(t, 1.0) * np.log(probabilities(s, 1.0))).sum())
    left, total = sorted(range(len(s)), key=lambda item: -t[item]), 0.0
    while left:
        total -= math.log(math.exp(s[left[0]]) / sum(math.exp(s[item]) for item in left))
        left = left[1:]
    return total


@each
def test_closed_form(name: str) -> None:
    student, teacher = logits(6, 5, seed=1), logits(6, 5, seed=2)
    teacher[1] = torch.tensor([2.0, 1.0, 2.0, 1.0, 0.0])  # ties
    teacher[2] = 0.0
    expected = torch.tensor(
        [slow_row(name, s, t) for s, t in zip(student.numpy(), teacher.numpy(), strict=True)]
    )
    torch.testing.assert_close(LOSSES[name](student, teacher, reduction="none"), expected.double())
    torch.testing.assert_close(LOSSES[name](student, teacher), expected.double().mean())


@each
def test_gradients(name: str) -> None:
    student, teacher = logits(3, 4, seed=1).requires_grad_(), logits(3, 4, seed=2)
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, teacher), student)
    assert torch.autograd.gradgradcheck(lambda s: LOSSES[name](s, teacher), student)


@given(seed=st.integers(0, 10**6), shift=st.floats(-30, 30), data=st.data())
@settings(max_examples=15, deadline=None, derandomize=True)
def test_what_changes_nothing(seed: int, shift: float, data: st.DataObject) -> None:
    student, teacher = logits(4, 5, seed=seed), logits(4, 5, seed=seed + 1)
    items, cut = torch.tensor(data.draw(st.permutations(range(5)))), data.draw(st.integers(0, 4))
    for name, loss in LOSSES.items():
        expected = loss(student, teacher)
        assert expected >= 0
        torch.testing.assert_close(loss(student + shift, teacher - shift), expected)
        torch.testing.assert_close(loss(student[:, items], teacher[:, items]), expected)
        parts = [loss(student[p], teacher[p], reduction="sum") for p in (slice(0, cut), slice(cut, 4))]
        torch.testing.assert_close(parts[0] + parts[1], 4 * expected)
        if name in ("logistic", "listmle"):  # the order alone counts
            torch.testing.assert_close(loss(student, teacher.exp()), expected)


@each
def test_the_teachers_order_is_better_than_its_reverse(name: str) -> None:
    teacher = logits(5, 6)
    assert (
        LOSSES[name](teacher, teacher, reduction="none") < LOSSES[name](-teacher, teacher, reduction="none")
    ).all()


def test_margins_are_zero_where_both_agree_and_scores_may_differ_by_a_constant() -> None:
    teacher = logits(5, 6)
    assert LOSSES["margin"](teacher + 3, teacher) < 1e-24


def test_probabilities_of_all_orders_add_up_to_1() -> None:
    student = logits(1, 4)
    losses = [
        LOSSES["listmle"](student, -torch.tensor([order]).argsort().double())
        for order in itertools.permutations(range(4))
    ]
    torch.testing.assert_close(torch.stack(losses).neg().exp().sum().item(), 1.0)


def test_ties() -> None:
    student = torch.tensor([[0.0, 1.0, 3.0]], requires_grad=True)
    tied = torch.ones(1, 3)
    loss = LOSSES["logistic"](student, tied)
    loss.backward()
    assert loss == 0
    assert (student.grad == 0).all()
    # ListMLE takes tied items in the order given.
    torch.testing.assert_close(
        LOSSES["listmle"](student, tied), LOSSES["listmle"](student, torch.tensor([[3.0, 2.0, 1.0]]))
    )


@each
def test_short_lists_are_padded_by_items_that_both_rule_out(name: str) -> None:
    student, teacher = logits(3, 4, seed=1), logits(3, 4, seed=2)
    padding = torch.full((3, 2), -math.inf).double()
    padded = torch.cat([student[:, :1], padding, student[:, 1:]], 1).requires_grad_()
    loss = LOSSES[name](padded, torch.cat([teacher[:, :1], padding, teacher[:, 1:]], 1))
    torch.testing.assert_close(loss, LOSSES[name](student, teacher))
    loss.backward()
    assert padded.grad.isfinite().all()
    assert (padded.grad[:, 1:3] == 0).all()
    assert (padded.grad[:, [0, 3, 4, 5]] != 0).any(1).all()


@each
def test_masks_empty_batches_half_precision_and_vmap(name: str) -> None:
    student, teacher = logits(2, 3, 4, seed=1).requires_grad_(), logits(2, 3, 4, seed=2)
    mask = torch.tensor([[True, False, True], [False, True, False]])
    expected = LOSSES[name](student[mask], teacher[mask])
    torch.testing.assert_close(LOSSES[name](student, teacher, mask=mask), expected)
    none = LOSSES[name](student, teacher, mask=torch.zeros_like(mask))
    none.backward()
    assert none == 0
    assert (student.grad == 0).all()
    assert LOSSES[name](student.detach().half(), teacher.half()).dtype == torch.float32
    found = torch.func.vmap(LOSSES[name])(student.detach(), teacher)
    torch.testing.assert_close(found, torch.stack([LOSSES[name](student[n], teacher[n]) for n in (0, 1)]))
    one_item = LOSSES[name](torch.zeros(2, 1), torch.ones(2, 1))
    assert one_item == 0


def test_bad_arguments() -> None:
    scores = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"^method is 'hinge'; choose 'logistic' or 'margin'\.$"):
        pairwise_ranking_loss(scores, scores, method="hinge")
    with pytest.raises(ValueError, match=r"^method is 'hinge'; choose 'listnet' or 'listmle'\.$"):
        listwise_ranking_loss(scores, scores, method="hinge")
    with pytest.raises(
        ValueError, match=r"^student_scores has shape \(2, 3\) and teacher_scores \(2, 4\); both need"
    ):
        pairwise_ranking_loss(scores, torch.zeros(2, 4))
    with pytest.raises(ValueError, match="its last dimension must hold the items"):
        listwise_ranking_loss(torch.zeros(2, 0), torch.zeros(2, 0))
    with pytest.raises(ValueError, match="but the scores have rows of shape"):
        listwise_ranking_loss(scores, scores, mask=torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"^teacher_scores hold NaN in 1 of 2 rows, first in row 1"):
        listwise_ranking_loss(scores, torch.tensor([[0.0, 1.0, 2.0], [math.nan, 0.0, 1.0]]))


@each
def test_leading_dimensions_are_queries(name: str) -> None:
    student, teacher = logits(2, 3, 4, seed=1), logits(2, 3, 4, seed=2)
    flat = LOSSES[name](student.flatten(0, 1), teacher.flatten(0, 1), reduction="none")
    torch.testing.assert_close(LOSSES[name](student, teacher, reduction="none"), flat.view(2, 3))


@each
def test_a_pair_is_enough(name: str) -> None:
    student, teacher = logits(1, 2, seed=1), logits(1, 2, seed=2)
    expected = slow_row(name, student[0].numpy(), teacher[0].numpy())
    assert LOSSES[name](student, teacher).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["logistic", "listnet", "listmle"])
def test_an_item_that_the_student_alone_rules_out_costs_without_end(name: str) -> None:
    student, teacher = torch.tensor([[-math.inf, 1.0, 0.0]]), torch.tensor([[3.0, 1.0, 0.0]])
    assert LOSSES[name](student, teacher) == math.inf
