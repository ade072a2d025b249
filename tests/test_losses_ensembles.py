"""Averages of teachers: closed forms, a slow reference, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdhelpers.losses import ensemble_logits, kd_loss


def some_logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return 4 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(deadline=None)
@given(st.integers(1, 5), st.floats(0.3, 20.0), st.integers(0, 99))
def test_its_softmax_is_the_average_of_the_softmaxes(count: int, temperature: float, seed: int) -> None:
    logits = some_logits(count, 3, 2, 6, seed=seed)
    weights = torch.arange(1.0, count + 1)
    slow = torch.zeros(3, 2, 6, dtype=torch.float64)
    for weight, one in zip(weights, logits, strict=True):
        slow += weight / weights.sum() * (one / temperature).softmax(dim=-1)
    found = ensemble_logits(logits, weights, temperature)
    torch.testing.assert_close((found / temperature).softmax(dim=-1), slow)


def test_one_teacher_alone_stays_itself() -> None:
    logits = some_logits(1, 5, 4)
    torch.testing.assert_close(ensemble_logits(logits).softmax(-1), logits[0].softmax(-1))
    both = torch.cat([logits, some_logits(1, 5, 4, seed=1)])
    found = ensemble_logits(both, torch.tensor([3.0, 0.0]))
    torch.testing.assert_close(found.softmax(-1), logits[0].softmax(-1))


def test_the_order_of_teachers_and_a_constant_in_the_logits_do_not_matter() -> None:
    logits = some_logits(3, 5, 4)
    shifted = logits.flip(0) + torch.tensor([7.0, -2.0, 0.5], dtype=torch.float64).view(3, 1, 1)
    torch.testing.assert_close(ensemble_logits(shifted), ensemble_logits(logits))


def test_a_class_that_one_teacher_rules_out_keeps_what_the_other_gives_it() -> None:
    logits = torch.tensor([[0.0, float("-inf"), float("-inf")], [0.0, 0.0, float("-inf")]])
    torch.testing.assert_close(ensemble_logits(logits).softmax(-1), torch.tensor([0.75, 0.25, 0.0]))


def test_probabilities_too_small_for_their_dtype_are_kept() -> None:
    logits = torch.tensor([[500.0, 0.0, 100.0], [400.0, 0.0, 0.0]])
    found = ensemble_logits(logits)
    assert torch.isfinite(found).all()
    assert found.dtype == logits.dtype
    # e^-400 of each teacher, against that of one: twice as much.
    assert (found[2] - found[1]).item() == pytest.approx(math.log(2), abs=1e-3)


def test_the_average_has_the_least_mean_divergence_from_the_teachers() -> None:
    logits = some_logits(4, 1, 5)
    average = ensemble_logits(logits, temperature=2.0)

    def divergence(student: torch.Tensor) -> torch.Tensor:
        return torch.stack([kd_loss(student, one, temperature=2.0) for one in logits]).mean()

    others = [average + 0.1 * some_logits(1, 5, seed=seed) for seed in range(1, 9)]
    assert all(divergence(average) < divergence(other) for other in [*others, logits.mean(0)])


@pytest.mark.parametrize(
    ("logits", "weights", "temperature", "said"),
    [
        (torch.zeros(3), None, 1.0, "stack the teachers' logits"),
        (torch.zeros(0, 2, 3), None, 1.0, "stack the teachers' logits"),
        (torch.zeros(2, 3, dtype=torch.long), None, 1.0, "floating"),
        (torch.zeros(2, 3), torch.ones(3), 1.0, "for 2 teachers"),
        (torch.zeros(2, 3), torch.tensor([1.0, -1.0]), 1.0, "0 or more"),
        (torch.zeros(2, 3), torch.zeros(2), 1.0, "not all 0"),
        (torch.zeros(2, 3), torch.tensor([1.0, float("nan")]), 1.0, "0 or more"),
        (torch.zeros(2, 3), None, 0.0, "temperature"),
    ],
)
def test_what_it_refuses(
    logits: torch.Tensor, weights: torch.Tensor | None, temperature: float, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ensemble_logits(logits, weights, temperature)


def test_logits_that_are_no_tensor_are_refused() -> None:
    with pytest.raises(TypeError):
        ensemble_logits([[1.0, 2.0]])
