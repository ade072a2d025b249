"""The k highest classes and a bucket for the rest: between nothing and the whole divergence."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits

from kdhelpers.losses import kd_loss, topk_kd_loss


@given(seed=st.integers(0, 10**6), temperature=st.floats(0.5, 10), scale=st.floats(0.1, 20))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_more_classes_say_more_until_all_is_said(seed: int, temperature: float, scale: float) -> None:
    student, teacher = (logits(3, 6, seed=seed + n, scale=scale) for n in (0, 1))
    options = dict(temperature=temperature, reduction="none")
    full = kd_loss(student, teacher, **options)
    losses = [topk_kd_loss(student, teacher, k, **options) for k in range(1, 8)]
    slack = 1e-9 * (1 + full)
    for fewer, more in pairwise(losses):
        assert (fewer >= -slack).all()
        assert (fewer <= more + slack).all()
    for exact in losses[4:]:  # k = C-1, C and beyond
        torch.testing.assert_close(exact, full)


def test_gradient_is_that_of_kd_from_one_class_less_than_all_on() -> None:
    student, teacher = logits(4, 5, seed=1).requires_grad_(), logits(4, 5, seed=2)
    (expected,) = torch.autograd.grad(kd_loss(student, teacher), student)
    for k in (4, 5, 9):
        (found,) = torch.autograd.grad(topk_kd_loss(student, teacher, k), student)
        torch.testing.assert_close(found, expected)


def test_a_bucket_that_float32_would_lose_in_one_minus_the_rest() -> None:
    # The student's first class has all but 4e-9 of the mass: 1 - q is 0 in float32, its logarithm -inf.
    student, teacher = torch.tensor([[20.0, 0.0, 0.0]], requires_grad=True), torch.tensor([[0.5, 0.0, 0.0]])
    assert torch.log1p(-student.softmax(-1)[0, 0]).isneginf()
    loss = topk_kd_loss(student, teacher, k=1, temperature=1.0)
    loss.backward()
    p = teacher.double().softmax(-1)[0, 0]
    log_q, log_rest = -math.log1p(2 * math.exp(-20)), math.log(2) - 20 - math.log1p(2 * math.exp(-20))
    expected = p * (p.log() - log_q) + (1 - p) * ((1 - p).log() - log_rest)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    assert student.grad.isfinite().all()
    assert student.grad[0, 0] > 0.5


def test_renormalising_the_teachers_top_alone_is_not_zero_at_agreement() -> None:
    both = logits(5, 6)
    values, kept = both.topk(2)
    log_q = both.log_softmax(-1).gather(-1, kept)
    mistaken = torch.nn.functional.kl_div(
        log_q, values.log_softmax(-1), log_target=True, reduction="batchmean"
    )
    assert mistaken > 0.05
    assert topk_kd_loss(both, both, 2).abs() < 1e-12


def test_stored_top_k_with_an_even_tail_gives_the_loss_of_the_full_logits() -> None:
    student, teacher = logits(4, 7, seed=1), logits(4, 7, seed=2)
    values, kept = teacher.topk(3)
    tail = teacher.scatter(-1, kept, -torch.inf).logsumexp(-1, keepdim=True)
    even = (tail - torch.tensor(4.0).log()).expand(4, 7).scatter(-1, kept, values)
    found = topk_kd_loss(student, even, 3, temperature=1.0)
    torch.testing.assert_close(found, topk_kd_loss(student, teacher, 3, temperature=1.0))


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True])
def test_k_is_a_whole_number_of_one_or_more(wrong: object) -> None:
    with pytest.raises(ValueError, match=rf"^k is {wrong!r}; give a whole number of 1 or more\.$"):
        topk_kd_loss(torch.zeros(1, 3), torch.zeros(1, 3), wrong)  # type: ignore[arg-type]


def test_eight_classes_by_default() -> None:
    student, teacher = logits(3, 20, seed=1), logits(3, 20, seed=2)
    torch.testing.assert_close(topk_kd_loss(student, teacher), topk_kd_loss(student, teacher, 8, 4.0))
    assert not torch.isclose(topk_kd_loss(student, teacher), topk_kd_loss(student, teacher, 9))
