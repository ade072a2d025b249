"""Contrastive distillation against negatives from a memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from loss_references import logits

from kdhelpers.losses import EmbeddingMemory, contrastive_loss

B, K, D = 3, 5, 4


def slow_side(anchors: np.ndarray, pair: np.ndarray, negatives: np.ndarray, tau: float) -> np.ndarray:
    """One side's losses with x/(x + K/N), N = 1,000, from scores of each anchor with its K negatives."""
    k, inputs = negatives.shape[1], 1000
    scores = np.concatenate([pair[:, None], np.einsum("bd,bkd->bk", anchors, negatives)], 1)
    e = np.exp(scores / tau)
    x = e / (e.mean() * inputs)
    h = x / (x + k / inputs)
    return -np.log(h[:, 0]) - np.log(1 - h[:, 1:]).sum(1)


def normal(x: torch.Tensor) -> np.ndarray:
    return (x / x.norm(dim=-1, keepdim=True)).detach().numpy()


@pytest.mark.parametrize("own", [False, True])
def test_closed_form_with_negatives_for_all_or_for_each(own: bool) -> None:
    student, teacher = logits(B, D, seed=1).requires_grad_(), logits(B, D, seed=2)
    shape = (B, K, D) if own else (K, D)
    negatives = {n: logits(*shape, seed=seed) for n, seed in (("student", 3), ("teacher", 4))}
    s, t = normal(student), normal(teacher)
    wide = {n: np.broadcast_to(normal(x), (B, K, D)) for n, x in negatives.items()}
    pair = (s * t).sum(1)
    expected = slow_side(s, pair, wide["teacher"], 0.2) + slow_side(t, pair, wide["student"], 0.2)
    given = dict(student_negatives=negatives["student"], teacher_negatives=negatives["teacher"])
    found = contrastive_loss(student, teacher, 0.2, reduction="none", **given)
    np.testing.assert_allclose(found.detach(), expected)
    # Masking an example leaves out its own negatives too.
    mask = torch.tensor([True, False, True])
    if own:
        kept = {name: x[mask] for name, x in given.items()}
        masked = contrastive_loss(student, teacher, 0.2, mask=mask, **given)
        torch.testing.assert_close(masked, contrastive_loss(student[mask], teacher[mask], 0.2, **kept))


def test_negatives_get_no_gradient() -> None:
    student, teacher = logits(B, D, seed=1).requires_grad_(), logits(B, D, seed=2)
    given = [logits(K, D, seed=seed).requires_grad_() for seed in (3, 4)]
    contrastive_loss(student, teacher, 0.07, *given).backward()
    assert student.grad.abs().sum() > 0
    assert given[0].grad is None
    assert given[1].grad is None


def test_learning_to_tell_inputs_apart() -> None:
    teacher = logits(8, D, seed=2)
    student = logits(8, D, seed=1).requires_grad_()
    optimiser = torch.optim.Adam([student], lr=0.1)
    for _ in range(40):
        optimiser.zero_grad()
        contrastive_loss(student, teacher).backward()
        optimiser.step()
    similar = torch.tensor(normal(student) @ normal(teacher).T)
    assert (similar.argmax(1) == torch.arange(8)).all()


def test_bad_negatives() -> None:
    student = logits(B, D)
    with pytest.raises(
        ValueError, match=r"^There are negatives of one model only; give student_negatives and t"
    ):
        contrastive_loss(student, student, student_negatives=logits(K, D))
    for wrong in (logits(K, D + 1), logits(B + 1, K, D), logits(D)):
        with pytest.raises(
            ValueError, match=r"^teacher_negatives has shape \(.*\); give \(K, 4\) or \(3, K, 4\)\.$"
        ):
            contrastive_loss(student, student, 0.07, logits(K, D), wrong)
    with pytest.raises(ValueError, match="temperature is 0"):
        contrastive_loss(student, student, 0.0)


def test_memory_draws_other_rows_and_only_those() -> None:
    memory = EmbeddingMemory(rows=4, width=2)
    rows = torch.tensor([0, 3])
    drawn = memory.draw(rows, count=200)
    assert drawn.shape == (2, 200, 2)
    for row, found in zip(rows.tolist(), drawn, strict=True):
        others = {number for number in range(4) if number != row}
        seen = {(memory.embeddings - negative).abs().sum(1).argmin().item() for negative in found}
        assert seen == others


def test_memory_mixes_old_and_new_and_keeps_length_1() -> None:
    memory = EmbeddingMemory(rows=3, width=2, momentum=0.25)
    memory.remember(torch.tensor([1]), torch.tensor([[0.0, 9.0]], requires_grad=True))
    before = memory.embeddings.clone()
    memory.remember(torch.tensor([1]), torch.tensor([[4.0, 0.0]]))
    mixed = 0.25 * before[1] + 0.75 * torch.tensor([1.0, 0.0])
    torch.testing.assert_close(memory.embeddings[1], mixed / mixed.norm())
    assert torch.equal(memory.embeddings[[0, 2]], before[[0, 2]])
    torch.testing.assert_close(memory.embeddings.norm(dim=1), torch.ones(3))
    assert not memory.embeddings.requires_grad


def test_memory_is_the_same_for_the_same_seed() -> None:
    draws = [EmbeddingMemory(rows=9, width=2, seed=seed).draw(torch.tensor([1]), 6) for seed in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_bad_memories() -> None:
    for wrong in (dict(rows=0, width=2), dict(rows=2, width=0)):
        with pytest.raises(ValueError, match="give a whole number of 1 or more"):
            EmbeddingMemory(**wrong)
    with pytest.raises(ValueError, match="momentum is 2"):
        EmbeddingMemory(rows=2, width=2, momentum=2.0)
    with pytest.raises(ValueError, match="count is 0"):
        EmbeddingMemory(rows=2, width=2).draw(torch.tensor([0]), 0)
    with pytest.raises(ValueError, match=r"^The memory has one row; negatives come from other rows\.$"):
        EmbeddingMemory(rows=1, width=2).draw(torch.tensor([0]), 1)


def test_a_memory_in_training_finds_the_pairs() -> None:
    teacher, weight = logits(30, D, seed=2, dtype=torch.float32), torch.zeros(6, D, requires_grad=True)
    inputs = teacher @ logits(D, 6, seed=5, dtype=torch.float32)
    with torch.no_grad():
        weight += logits(6, D, seed=1, scale=0.1, dtype=torch.float32)
    memories = [EmbeddingMemory(rows=30, width=D, seed=n) for n in (0, 1)]
    optimiser, losses = torch.optim.Adam([weight], lr=0.05), []
    for step in range(150):
        rows = torch.randperm(30, generator=torch.Generator().manual_seed(step))[:10]
        embeddings = inputs[rows] @ weight
        drawn = [memory.draw(rows, 20) for memory in memories]
        loss = contrastive_loss(embeddings, teacher[rows], 0.07, *drawn)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for memory, seen in zip(memories, (embeddings, teacher[rows]), strict=True):
            memory.remember(rows, seen)
        losses.append(loss.item())
    assert math.isfinite(losses[-1])
    found = torch.tensor(normal(inputs @ weight) @ normal(teacher).T).argmax(1)
    assert (found == torch.arange(30)).double().mean() > 0.8


def test_two_inputs_are_enough() -> None:
    student, teacher = logits(2, D, seed=1), logits(2, D, seed=2)
    s, t = normal(student), normal(teacher)
    e = np.exp(s @ t.T / 0.5)
    u = np.log(e / e.mean())  # with one negative, h is the sigmoid of u
    expected = 2 * (np.log1p(np.exp(-u.diagonal())).sum() + np.log1p(np.exp([u[0, 1], u[1, 0]])).sum()) / 2
    assert contrastive_loss(student, teacher, 0.5).item() == pytest.approx(expected)
    memory = EmbeddingMemory(rows=2, width=D)
    torch.testing.assert_close(memory.draw(torch.tensor([0]), 1)[0, 0], memory.embeddings[1])


def test_sentences_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"^rows is 0; give"):
        EmbeddingMemory(rows=0, width=2)
    with pytest.raises(ValueError, match=r"^width is 0; give"):
        EmbeddingMemory(rows=2, width=0)
    with pytest.raises(ValueError, match=r"^student_negatives has shape"):
        contrastive_loss(logits(B, D), logits(B, D), 0.07, logits(K, D + 1), logits(K, D))
    with pytest.raises(
        ValueError, match=r"^student_embeddings has shape \(3, 4\) and teacher_embeddings \(3, 5\)"
    ):
        contrastive_loss(logits(B, D), logits(B, D + 1))
