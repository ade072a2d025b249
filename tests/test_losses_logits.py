"""The losses against slow references, their gradients, and their edges."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from loss_references import LOSSES, SOFTENED, centred_mse_loss, logits, reference_rows

from kdhelpers.losses import (
    distillation_loss,
    js_divergence_loss,
    kd_loss,
    logit_mse_loss,
    reverse_kl_loss,
    soft_cross_entropy,
)

each_loss = pytest.mark.parametrize("name", LOSSES)


def leaf(*shape: int, seed: int = 0) -> torch.Tensor:
    return logits(*shape, seed=seed).requires_grad_()


@each_loss
def test_closed_form(name: str) -> None:
    student, teacher = logits(5, 4, seed=1), logits(5, 4, seed=2)
    expected = reference_rows(name, student, teacher)
    torch.testing.assert_close(LOSSES[name](student, teacher, reduction="none"), expected)
    torch.testing.assert_close(LOSSES[name](student, teacher, reduction="sum"), expected.sum())
    torch.testing.assert_close(LOSSES[name](student, teacher), expected.mean())


@pytest.mark.parametrize("name", SOFTENED)
@pytest.mark.parametrize("temperature", [0.5, 1, 2, 20.0])
def test_closed_form_at_temperatures(name: str, temperature: float) -> None:
    student, teacher = logits(5, 4, seed=1), logits(5, 4, seed=2)
    expected = reference_rows(name, student, teacher, temperature)
    found = SOFTENED[name](student, teacher, temperature=temperature, reduction="none")
    torch.testing.assert_close(found, expected)


def test_distillation_loss_is_the_row_by_row_mixture() -> None:
    student, teacher, labels = logits(5, 4, seed=1), logits(5, 4, seed=2), torch.tensor([3, -100, 0, 1, -100])
    probabilities = student.softmax(-1)
    expected = 0.7 * reference_rows("kd", student, teacher, 3.0)
    for row, label in enumerate(labels.tolist()):
        if label >= 0:
            expected[row] -= 0.3 * probabilities[row, label].log()
    settings = {"temperature": 3.0, "kd_weight": 0.7}
    found = distillation_loss(student, teacher, labels, reduction="none", **settings)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(distillation_loss(student, teacher, labels, **settings), expected.mean())
    torch.testing.assert_close(
        distillation_loss(student, teacher, labels, reduction="sum", **settings), expected.sum()
    )


@each_loss
def test_gradients_and_their_gradients(name: str) -> None:
    student, teacher = leaf(3, 4, seed=1), logits(3, 4, seed=2)
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, teacher), student)
    assert torch.autograd.gradgradcheck(lambda s: LOSSES[name](s, teacher), student)


def test_gradients_of_the_mixture() -> None:
    student, teacher, labels = leaf(3, 4, seed=1), logits(3, 4, seed=2), torch.tensor([1, -100, 3])
    assert torch.autograd.gradcheck(lambda s: distillation_loss(s, teacher, labels), student)
    assert torch.autograd.gradgradcheck(lambda s: distillation_loss(s, teacher, labels), student)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 10.0])
@pytest.mark.parametrize("loss", [kd_loss, soft_cross_entropy])
def test_gradient_is_temperature_times_q_minus_p_over_rows(loss, temperature: float) -> None:
    student, teacher = leaf(6, 5, seed=1), logits(6, 5, seed=2)
    loss(student, teacher, temperature).backward()
    p, q = (teacher / temperature).softmax(-1), (student / temperature).softmax(-1)
    torch.testing.assert_close(student.grad, (temperature * (q - p) / 6).detach())


def test_temperature_without_end_gives_half_the_centred_mse() -> None:
    student, teacher = leaf(6, 5, seed=1), logits(6, 5, seed=2)
    expected = centred_mse_loss(student, teacher) / 2
    for loss in (kd_loss, reverse_kl_loss):
        torch.testing.assert_close(loss(student, teacher, 1e4), expected, rtol=1e-3, atol=0)
    (gradient,) = torch.autograd.grad(kd_loss(student, teacher, 1e4), student)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, student)[0], rtol=1e-2, atol=1e-4)


def test_agrees_with_torchs_own_pieces() -> None:
    student, teacher, labels = logits(6, 5, seed=1), logits(6, 5, seed=2), torch.arange(6) % 5
    log_q, p = F.log_softmax(student / 3, -1), F.softmax(teacher / 3, -1)
    torch.testing.assert_close(kd_loss(student, teacher, 3.0), F.kl_div(log_q, p, reduction="batchmean") * 9)
    torch.testing.assert_close(
        distillation_loss(student, teacher, labels, kd_weight=0.0), F.cross_entropy(student, labels)
    )
    torch.testing.assert_close(
        distillation_loss(student, teacher, labels, kd_weight=1.0), kd_loss(student, teacher)
    )
    torch.testing.assert_close(logit_mse_loss(student, teacher), F.mse_loss(student, teacher))


def test_the_ends_of_the_mixture_row_by_row() -> None:
    student, teacher, labels = logits(6, 5, seed=1), logits(6, 5, seed=2), torch.arange(6) % 5
    taught = distillation_loss(student, teacher, labels, kd_weight=1.0, reduction="none")
    torch.testing.assert_close(taught, kd_loss(student, teacher, reduction="none"))
    labelled = distillation_loss(student, teacher, labels, kd_weight=0.0, reduction="none")
    torch.testing.assert_close(labelled, F.cross_entropy(student, labels, reduction="none"))
    # A term without weight is not computed: what it would give here is infinite.
    student[:, 4], teacher[:, 4] = -math.inf, -math.inf
    labels[:] = 4
    taught = distillation_loss(student, teacher, labels, kd_weight=1.0, reduction="none")
    torch.testing.assert_close(taught, kd_loss(student[:, :4], teacher[:, :4], reduction="none"))


def test_soft_cross_entropy_is_kd_plus_the_teachers_entropy() -> None:
    student, teacher = logits(6, 5, seed=1), logits(6, 5, seed=2)
    entropy = torch.distributions.Categorical(logits=teacher / 4).entropy()
    expected = kd_loss(student, teacher, reduction="none") + 16 * entropy
    torch.testing.assert_close(soft_cross_entropy(student, teacher, reduction="none"), expected)


def test_reverse_is_forward_with_the_roles_swapped() -> None:
    a, b = logits(6, 5, seed=1), logits(6, 5, seed=2)
    torch.testing.assert_close(reverse_kl_loss(a, b), kd_loss(b, a))
    assert not torch.isclose(reverse_kl_loss(a, b), kd_loss(a, b))


def test_jensen_shannon_at_its_limits() -> None:
    student, teacher = leaf(6, 5, seed=1), logits(6, 5, seed=2)
    for beta in (0.0, 1.0):
        loss = js_divergence_loss(student, teacher, beta=beta)
        (gradient,) = torch.autograd.grad(loss, student)
        torch.testing.assert_close(loss, torch.zeros_like(loss), atol=1e-12, rtol=0)
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)
    small = 1e-6
    forward = js_divergence_loss(student, teacher, beta=small) / small
    backward = js_divergence_loss(student, teacher, beta=1 - small) / small
    torch.testing.assert_close(forward, kd_loss(student, teacher), rtol=1e-4, atol=0)
    torch.testing.assert_close(backward, reverse_kl_loss(student, teacher), rtol=1e-4, atol=0)


def test_jensen_shannon_is_symmetric_at_one_half_and_at_most_log_2() -> None:
    a, b = logits(6, 5, seed=1, scale=50), logits(6, 5, seed=2, scale=50)
    ours = js_divergence_loss(a, b, 1.0, reduction="none")
    torch.testing.assert_close(ours, js_divergence_loss(b, a, 1.0, reduction="none"))
    assert (ours <= math.log(2) + 1e-12).all()


def test_label_smoothing_is_distilling_from_a_uniform_teacher() -> None:
    # (1-e) CE + e CE(uniform), where the last is KL from the uniform teacher plus log C.
    student, labels, smoothing = logits(6, 5, seed=1), torch.arange(6) % 5, 0.2
    ours = distillation_loss(student, torch.zeros_like(student), labels, 1.0, kd_weight=smoothing)
    torchs = F.cross_entropy(student, labels, label_smoothing=smoothing)
    torch.testing.assert_close(ours + smoothing * math.log(5), torchs)
