"""Mistakes found in popular code: each is written out here, and ours differs by the factor that is known."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from loss_references import logits

from kdhelpers.losses import (
    attention_transfer_loss,
    distillation_loss,
    dkd_loss,
    kd_loss,
    reverse_kl_loss,
    similarity_loss,
)

T = 4.0
ROWS, LENGTH, CLASSES = 2, 8, 5


def log_p_and_q(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    student, teacher = logits(*shape, seed=1), logits(*shape, seed=2)
    return F.log_softmax(teacher / T, -1), F.log_softmax(student / T, -1)


def ours(*shape: int) -> torch.Tensor:
    return kd_loss(logits(*shape, seed=1), logits(*shape, seed=2), T)


def test_mean_over_elements_is_classes_times_too_small() -> None:
    log_p, log_q = log_p_and_q(ROWS, CLASSES)
    # What KLDivLoss(reduction="mean") computes, without its warning.
    mistaken = F.kl_div(log_q, log_p, reduction="none", log_target=True).mean() * T**2
    torch.testing.assert_close(ours(ROWS, CLASSES), mistaken * CLASSES)


def test_batchmean_over_sequences_is_their_length_times_too_large() -> None:
    log_p, log_q = log_p_and_q(ROWS, LENGTH, CLASSES)
    mistaken = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * T**2
    torch.testing.assert_close(ours(ROWS, LENGTH, CLASSES), mistaken / LENGTH)


def test_without_the_square_the_loss_is_16_times_too_small_at_4() -> None:
    log_p, log_q = log_p_and_q(ROWS, CLASSES)
    mistaken = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    torch.testing.assert_close(ours(ROWS, CLASSES), mistaken * 16)


def test_the_square_stays_whatever_the_weight() -> None:
    # One library drops T² when the labels have no weight.
    student, teacher, labels = logits(3, 4, seed=1), logits(3, 4, seed=2), torch.tensor([0, 1, 2])
    full = distillation_loss(student, teacher, labels, T, kd_weight=1.0)
    nearly = distillation_loss(student, teacher, labels, T, kd_weight=1 - 1e-9)
    torch.testing.assert_close(full, nearly, rtol=1e-6, atol=0)
    torch.testing.assert_close(full, kd_loss(student, teacher, T))


def test_probabilities_where_log_probabilities_belong() -> None:
    log_p, log_q = log_p_and_q(ROWS, CLASSES)
    mistaken = F.kl_div(log_q.exp(), log_p.exp(), reduction="batchmean") * T**2
    # Off by exactly T² times the mean of sum p (log q - q): a loss that agreement does not bring to 0.
    surplus = T**2 * (log_p.exp() * (log_q - log_q.exp())).sum(-1).mean()
    torch.testing.assert_close(mistaken, ours(ROWS, CLASSES) + surplus)
    at_agreement = F.kl_div(log_p.exp(), log_p.exp(), reduction="batchmean")
    assert at_agreement.abs() > 0.1
    assert kd_loss(log_p, log_p) == 0


def test_the_divergence_the_wrong_way_round_is_the_reverse_one() -> None:
    log_p, log_q = log_p_and_q(ROWS, CLASSES)
    mistaken = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True) * T**2
    student, teacher = logits(ROWS, CLASSES, seed=1), logits(ROWS, CLASSES, seed=2)
    torch.testing.assert_close(mistaken, reverse_kl_loss(student, teacher, T))
    assert (ours(ROWS, CLASSES) - mistaken).abs() > 0.01


def test_teacher_logits_used_twice_would_teach_nothing() -> None:
    log_p, _ = log_p_and_q(ROWS, CLASSES)
    assert F.kl_div(log_p, log_p, reduction="batchmean", log_target=True) == 0
    student = logits(ROWS, CLASSES, seed=1).requires_grad_()
    loss = kd_loss(student, logits(ROWS, CLASSES, seed=2))
    loss.backward()
    assert loss > 0.01
    assert student.grad.abs().sum() > 0.01


def test_log_of_softmax_is_infinite_where_ours_is_right() -> None:
    student, teacher = torch.tensor([[120.0, 0.0]]), torch.tensor([[0.0, 120.0]])
    p, q = teacher.softmax(-1), student.softmax(-1)
    mistaken = (p * (p.log() - q.log())).sum(-1).mean()
    assert not mistaken.isfinite()
    torch.testing.assert_close(kd_loss(student, teacher, 1.0), torch.tensor(120.0))


def test_an_epsilon_that_is_zero_in_float16() -> None:
    student = torch.tensor([[30.0, 0.0]], dtype=torch.float16, requires_grad=True)
    teacher = torch.tensor([[0.0, 30.0]], dtype=torch.float16)
    mistaken = -(teacher.softmax(-1) * (student.softmax(-1) + 1e-8).log()).sum()
    assert mistaken == math.inf
    loss = kd_loss(student, teacher, 1.0)
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.tensor(30.0), rtol=1e-3, atol=0)
    torch.testing.assert_close(student.grad, torch.tensor([[1.0, -1.0]], dtype=torch.float16))


def test_all_masked_is_zero_not_zero_over_zero() -> None:
    student, teacher, mask = (
        logits(3, 4).requires_grad_(),
        logits(3, 4, seed=2),
        torch.zeros(3, dtype=torch.bool),
    )
    per_row = kd_loss(student, teacher, reduction="none")
    assert ((per_row * mask).sum() / mask.sum()).isnan()
    loss = kd_loss(student, teacher, mask=mask)
    loss.backward()
    assert loss == 0
    assert (student.grad == 0).all()


def test_averaging_over_labelled_rows_alone_would_change_when_a_batch_is_split() -> None:
    student, teacher, labels = logits(4, 3, seed=1), logits(4, 3, seed=2), torch.tensor([0, 1, 2, -100])
    halves = (slice(0, 2), slice(2, 4))
    mistaken = sum(F.cross_entropy(student[h], labels[h]) for h in halves) / 2
    assert (mistaken - F.cross_entropy(student, labels)).abs() > 0.01
    split = sum(distillation_loss(student[h], teacher[h], labels[h], kd_weight=0.5) for h in halves) / 2
    torch.testing.assert_close(split, distillation_loss(student, teacher, labels, kd_weight=0.5))


def test_padding_a_vocabulary_with_zeros_is_not_masking_it() -> None:
    student, teacher = logits(4, 3, seed=1), logits(4, 3, seed=2)
    plain = kd_loss(student, teacher)
    zeros, infinities = torch.zeros(4, 5, dtype=torch.float64), torch.full((4, 5), -math.inf).double()
    mistaken = kd_loss(torch.cat([student, zeros], -1), torch.cat([teacher, zeros], -1))
    masked = kd_loss(torch.cat([student, infinities], -1), torch.cat([teacher, infinities], -1))
    assert (mistaken - plain).abs() > 0.1
    torch.testing.assert_close(masked, plain)


def test_temper_does_not_reach_the_cross_entropy() -> None:
    student, labels = logits(4, 3, seed=1), torch.tensor([0, 1, 2, 0])
    mixed = distillation_loss(student, student, labels, T, kd_weight=0.5)
    torch.testing.assert_close(mixed, F.cross_entropy(student, labels) / 2)


def test_averaging_teachers_logits_where_probabilities_were_meant() -> None:
    # Two teachers, sure of different classes: together they say "one of these", their mean logits do not.
    teachers = torch.tensor([[[9.0, 0.0, 0.0]], [[0.0, 3.0, 0.0]]]).double()
    student = logits(1, 3).requires_grad_()
    together = teachers.softmax(-1).mean(0).log()  # logits of the mean probabilities
    each = sum(kd_loss(student, teacher, 1.0) for teacher in teachers) / 2
    (meant,) = torch.autograd.grad(each, student)
    (ours,) = torch.autograd.grad(kd_loss(student, together, 1.0), student)
    (mistaken,) = torch.autograd.grad(kd_loss(student, teachers.mean(0), 1.0), student)
    torch.testing.assert_close(ours, meant)
    assert (mistaken - meant).abs().max() > 0.3


def test_the_reverse_divergence_with_probabilities_as_targets_has_no_gradient_where_they_are_zero() -> None:
    student = torch.tensor([[200.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[1.0, 0.0]])
    mistaken = F.kl_div(teacher.log_softmax(-1), student.softmax(-1), reduction="batchmean")
    assert torch.autograd.grad(mistaken, student)[0].isnan().any()
    (gradient,) = torch.autograd.grad(reverse_kl_loss(student, teacher, 1.0), student)
    assert gradient.isfinite().all()


def test_the_rest_of_a_sure_teacher_is_lost_in_one_minus_p() -> None:
    teacher, label = torch.tensor([[40.0, 2.0, 0.0]]), torch.tensor([0])
    p = teacher.softmax(-1)
    mistaken = p[:, 1:] / (1 - p[:, :1])  # p of the others among themselves, by 1 - p_y
    assert not mistaken.isfinite().all()
    student = torch.zeros(1, 3)
    ours = dkd_loss(student, teacher, label, temperature=1.0, alpha=0.0, beta=1.0)
    torch.testing.assert_close(ours, kd_loss(student[:, 1:], teacher[:, 1:], 1.0))


def test_similarities_over_their_sum_are_not_those_over_their_length() -> None:
    student, teacher = logits(4, 3, seed=1), logits(4, 3, seed=2)
    g_s, g_t = (x @ x.T for x in (student, teacher))
    mistaken = (F.normalize(g_s, p=1, dim=1) - F.normalize(g_t, p=1, dim=1)).square().sum() / 16
    meant = (F.normalize(g_s, p=2, dim=1) - F.normalize(g_t, p=2, dim=1)).square().sum() / 16
    torch.testing.assert_close(similarity_loss(student, teacher), meant)
    assert (mistaken - meant).abs() > 0.1


def test_a_mean_over_places_is_not_the_papers_distance() -> None:
    student, teacher = logits(4, 3, 5, 5, seed=1), logits(4, 3, 5, 5, seed=2)
    code, paper = (attention_transfer_loss(student, teacher, m, reduction="none") for m in ("code", "paper"))
    torch.testing.assert_close(code * 25, paper**2)
