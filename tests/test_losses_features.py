"""Losses on hidden layers and on the relations of a batch: closed forms, gradients, properties, edges."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits
from torch import Tensor

from kdhelpers.losses import (
    attention_transfer_loss,
    contrastive_loss,
    hint_loss,
    rkd_loss,
    similarity_loss,
)

paper_attention = partial(attention_transfer_loss, mode="paper")
# Features (B, 3, 2), of the same width for both models.
LOSSES = {
    "hint": hint_loss,
    "attention": attention_transfer_loss,
    "paper attention": paper_attention,
    "rkd": rkd_loss,
    "similarity": similarity_loss,
    "contrastive": lambda s, t, **kwargs: contrastive_loss(s.flatten(1), t.flatten(1), **kwargs),
}
SINGLE = ("hint", "attention", "paper attention")  # each example's loss is its own
each = pytest.mark.parametrize("name", LOSSES)


def pair(rows: int = 5, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    student, teacher = (logits(rows, 3, 2, seed=seed + n, dtype=dtype) for n in (1, 2))
    return student.requires_grad_(), teacher


def smooth_l1(a: float, b: float) -> float:
    gap = abs(a - b)
    return gap**2 / 2 if gap < 1 else gap - 0.5


def slow_rkd(s: np.ndarray, t: np.ndarray, distance_weight: float = 25, angle_weight: float = 50) -> float:
    n = len(s)

    def distances(x: np.ndarray) -> np.ndarray:
        d = np.array([[np.linalg.norm(a - b) for b in x] for a in x])
        return d / d[d > 0].mean()

    def cosine(x: np.ndarray, i: int, j: int, k: int) -> float:
        a, b = x[j] - x[i], x[k] - x[i]
        size = np.linalg.norm(a) * np.linalg.norm(b)
        return float(a @ b / size) if size else 0.0

    d_s, d_t = distances(s), distances(t)
    apart = sum(smooth_l1(d_s[i, j], d_t[i, j]) for i in range(n) for j in range(n)) / n**2
    turned = sum(
        smooth_l1(cosine(s, i, j, k), cosine(t, i, j, k))
        for i in range(n)
        for j in range(n)
        for k in range(n)
    )
    return distance_weight * apart + angle_weight * turned / n**3


def slow_similarity(s: np.ndarray, t: np.ndarray) -> float:
    def rows(x: np.ndarray) -> np.ndarray:
        products = np.array([[float(a @ b) for b in x] for a in x])
        return products / np.linalg.norm(products, axis=1, keepdims=True)

    return float(((rows(t) - rows(s)) ** 2).sum() / len(s) ** 2)


def slow_attention(s: np.ndarray, t: np.ndarray, mode: str) -> float:
    losses = []
    for a, b in zip(s, t, strict=True):
        maps = [(x**2).mean(0).ravel() for x in (a, b)]
        difference = maps[0] / np.linalg.norm(maps[0]) - maps[1] / np.linalg.norm(maps[1])
        losses.append((difference**2).mean() if mode == "code" else np.linalg.norm(difference))
    return float(np.mean(losses))


def slow_contrastive(s: np.ndarray, t: np.ndarray, tau: float = 0.07) -> float:
    """The definition in full, with h = x/(x + K/N) for N = 1,000 inputs, as in the authors' code."""
    s, t = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (s, t))
    n, k, inputs = len(s), len(s) - 1, 1000
    total = 0.0
    for anchors, others in ((s, t), (t, s)):
        e = np.exp(anchors @ others.T / tau)
        x = e / (e.mean() * inputs)
        h = x / (x + k / inputs)
        total -= sum(np.log(h[i, j] if i == j else 1 - h[i, j]) for i in range(n) for j in range(n)) / n
    return total


def test_closed_forms() -> None:
    student, teacher = pair()
    s, t = student.detach().numpy(), teacher.numpy()
    flat_s, flat_t = s.reshape(5, -1), t.reshape(5, -1)
    expected = {
        "hint": ((s - t) ** 2).mean(),
        "attention": slow_attention(s, t, "code"),
        "paper attention": slow_attention(s, t, "paper"),
        "rkd": slow_rkd(flat_s, flat_t),
        "similarity": slow_similarity(flat_s, flat_t),
        "contrastive": slow_contrastive(flat_s, flat_t),
    }
    for name, loss in LOSSES.items():
        assert loss(student, teacher).item() == pytest.approx(expected[name], rel=1e-9), name
    for weights in ((1, 0), (0, 1), (3, 2)):
        found = rkd_loss(student, teacher, *weights).item()
        assert found == pytest.approx(slow_rkd(flat_s, flat_t, *weights)), weights


def test_distances_far_apart_count_linearly() -> None:
    # One pair much further apart than the others: smooth L1 is past its bend.
    student, teacher = torch.eye(4).double(), torch.tensor([[0.0], [0.1], [0.2], [50.0]]).double()
    found = rkd_loss(student, teacher, angle_weight=0).item()
    assert found == pytest.approx(slow_rkd(student.numpy(), teacher.numpy(), 25, 0))


@each
def test_gradients_and_their_gradients(name: str) -> None:
    student, teacher = pair(3)
    # log-sum-exp over scores is held constant on purpose, so that part is checked against the value below.
    if name != "contrastive":
        assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, teacher), student)
        if name != "rkd":  # smooth L1 bends
            assert torch.autograd.gradgradcheck(lambda s: LOSSES[name](s, teacher), student)


def test_contrastive_gradient_takes_the_mean_of_scores_as_given() -> None:
    student, teacher = logits(4, 3, seed=1).requires_grad_(), logits(4, 3, seed=2)
    s, t = F.normalize(student, dim=1), F.normalize(teacher, dim=1)
    u = s @ t.T / 0.07
    u = u - u.detach().flatten().logsumexp(0) + math.log(16) - math.log(3)
    own = torch.eye(4, dtype=torch.bool)
    expected = 2 * (F.softplus(-u[own]).sum() + F.softplus(u[~own]).sum()) / 4
    loss = contrastive_loss(student, teacher)
    torch.testing.assert_close(loss, expected)
    found, wanted = (torch.autograd.grad(x, student)[0] for x in (loss, expected))
    torch.testing.assert_close(found, wanted)


@each
def test_a_mask_is_the_rows_that_count_and_hides_even_nan(name: str) -> None:
    student, teacher = pair()
    mask = torch.tensor([True, False, True, True, False])
    expected = LOSSES[name](student[mask], teacher[mask])
    loss = LOSSES[name](student, teacher, mask=mask)
    torch.testing.assert_close(loss, expected)
    per_example = LOSSES[name](student, teacher, mask=mask, reduction="none")
    assert per_example.shape == (5,)
    torch.testing.assert_close(per_example[mask].mean(), expected)
    assert (per_example[~mask] == 0).all()
    torch.testing.assert_close(LOSSES[name](student, teacher, mask=mask, reduction="sum"), 3 * expected)
    with torch.no_grad():
        student[1], teacher[4] = math.nan, math.inf
    loss = LOSSES[name](student, teacher, mask=mask)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (student.grad[~mask] == 0).all()
    assert (student.grad[mask].abs().sum((1, 2)) > 0).all()


@each
@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_no_example_that_counts(name: str, rows: int, reduction: str) -> None:
    student, teacher = pair(rows)
    for mask in [torch.zeros(rows, dtype=torch.bool)] + [None] * (rows == 0):
        loss = LOSSES[name](student, teacher, mask=mask, reduction=reduction)
        assert loss.shape == ((rows,) if reduction == "none" else ())
        (gradient,) = torch.autograd.grad(loss.sum(), student)
        assert (loss == 0).all()
        assert (gradient == 0).all()


@pytest.mark.parametrize("name", ["rkd", "contrastive"])
def test_one_example_has_no_relations(name: str) -> None:
    student, teacher = pair(1)
    loss = LOSSES[name](student, teacher)
    loss.backward()
    assert loss == 0
    assert (student.grad == 0).all()


@each
def test_features_of_zeros_and_examples_that_coincide_stay_finite(name: str) -> None:
    student, teacher = pair(4)
    with torch.no_grad():
        student[0] = 0
        student[2] = student[1]
        teacher[3] = teacher[1]
    for s, t in ((student, teacher), (student.detach().clone().zero_().requires_grad_(), teacher)):
        loss = LOSSES[name](s, t)
        (gradient,) = torch.autograd.grad(loss, s)
        assert loss.isfinite()
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 1e3


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "contrastive"])
def test_zero_where_both_agree_with_a_gradient_of_zero(name: str) -> None:
    _, teacher = pair()
    student = teacher.clone().requires_grad_()
    loss = LOSSES[name](student, teacher)
    loss.backward()
    torch.testing.assert_close(loss.item(), 0.0, atol=1e-12, rtol=0)
    torch.testing.assert_close(student.grad, torch.zeros_like(student), atol=1e-9, rtol=0)


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_are_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    student, teacher = pair(dtype=dtype)
    expected = LOSSES[name](student.float(), teacher.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for loss in (LOSSES[name](student, teacher), LOSSES[name](student.float(), teacher)):
            assert loss.dtype == torch.float32
            torch.testing.assert_close(loss, expected)


@each
def test_the_teacher_gets_no_gradient(name: str) -> None:
    student, teacher = pair()
    teacher.requires_grad_()
    LOSSES[name](student, teacher).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@each
def test_bad_arguments_get_a_sentence(name: str) -> None:
    student, teacher = pair()
    what = "embeddings" if name in ("rkd", "contrastive") else "features"
    loss = LOSSES[name]
    for s, t, words in [
        (student, teacher[:3], rf"^student_{what} has 5 examples and teacher_{what} 3; both must be of the"),
        (student.long(), teacher, rf"^student_{what} has dtype torch\.int64; {what} are floating-point"),
        (student, teacher[:, :, :0], "has shape" if name == "contrastive" else rf"^teacher_{what} has shape"),
        (
            student.detach().index_fill(0, torch.tensor([2]), math.nan),
            teacher,
            rf"^student_{what} hold NaN in 1 of 5",
        ),
        (
            student,
            teacher.index_fill(0, torch.tensor([2]), math.nan),
            rf"^teacher_{what} hold NaN in 1 of 5 rows, fi",
        ),
        (student * 1e200, teacher, rf"^The loss is NaN although none of the {what} is|^$"),
    ]:
        if words.endswith("^$") and name not in ("rkd", "similarity"):
            continue
        with pytest.raises(ValueError, match=words):
            loss(s, t)
    with pytest.raises(ValueError, match=f"but the {what} have rows of shape"):
        loss(student, teacher, mask=torch.ones(4, dtype=torch.bool))
    with pytest.raises(ValueError, match="mask is list"):
        loss(student, teacher, mask=[True] * 5)
    with pytest.raises(ValueError, match="reduction is 'all'"):
        loss(student, teacher, reduction="all")


def test_lists_and_flat_features_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^student_features is a list; give a torch\.Tensor\.$"):
        hint_loss([1.0], torch.zeros(1, 1))  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"^student_features has shape \(3,\); give \(B, \.\.\.\), one row an"
    ):
        hint_loss(torch.zeros(3), torch.zeros(3))


def test_widths_that_differ() -> None:
    with pytest.raises(
        ValueError, match=r"^student_features has shape \(2, 3\) and teacher_features \(2, 4\); br"
    ):
        hint_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="with a Projector"):
        contrastive_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(
        ValueError, match=r"places \(3,\) and teacher_features \(4,\); bring them to one size"
    ):
        attention_transfer_loss(torch.zeros(2, 5, 3), torch.zeros(2, 5, 4))
    with pytest.raises(ValueError, match=r"^student_features has shape \(2, 3\); attention takes"):
        attention_transfer_loss(torch.zeros(2, 3), torch.zeros(2, 5, 3))
    with pytest.raises(ValueError, match="mode is 'l2'; choose 'code'"):
        attention_transfer_loss(torch.zeros(2, 5, 3), torch.zeros(2, 5, 3), mode="l2")
    for weight in ("distance_weight", "angle_weight"):
        with pytest.raises(ValueError, match=f"{weight} is -1"):
            rkd_loss(torch.zeros(2, 3), torch.zeros(2, 3), **{weight: -1.0})
    # Relations and attention do not mind.
    wide, narrow = logits(4, 7, 2), logits(4, 3, 2)
    for loss in (rkd_loss, similarity_loss, attention_transfer_loss):
        assert loss(narrow, wide).isfinite()


def test_a_mask_over_positions_makes_each_an_example() -> None:
    student, teacher = logits(2, 4, 3, seed=1), logits(2, 4, 3, seed=2)
    mask = torch.tensor([[True, True, False, False], [True, False, False, False]])
    expected = ((student - teacher) ** 2).mean(-1)
    torch.testing.assert_close(hint_loss(student, teacher, mask=mask), expected[mask].mean())
    found = hint_loss(student, teacher, mask=mask, reduction="none")
    torch.testing.assert_close(found, expected.where(mask, 0.0))


@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), data=st.data())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_what_changes_nothing(seed: int, scale: float, data: st.DataObject) -> None:
    student, teacher = pair(seed=seed)
    student = student.detach()
    order = torch.tensor(data.draw(st.permutations(range(5))))
    turned, _ = torch.linalg.qr(logits(6, 6, seed=seed + 7))
    flat = student.flatten(1)
    for name, loss in LOSSES.items():
        expected = loss(student, teacher)
        assert expected > 0
        torch.testing.assert_close(loss(student[order], teacher[order]), expected)
        if name in SINGLE:
            parts = [loss(student[p], teacher[p], reduction="sum") for p in (slice(0, 2), slice(2, 5))]
            torch.testing.assert_close(parts[0] + parts[1], loss(student, teacher, reduction="sum"))
        if name != "hint":
            torch.testing.assert_close(loss(scale * student, teacher), expected)
    # Relations do not see a turn of the axes, and RKD no shift of the origin either.
    torch.testing.assert_close(similarity_loss(flat @ turned, teacher), similarity_loss(flat, teacher))
    torch.testing.assert_close(rkd_loss(flat @ turned + 3, teacher), rkd_loss(flat, teacher))
    assert rkd_loss(flat, teacher, angle_weight=0) <= 25 * 5
    assert similarity_loss(flat, teacher) <= 4 / 5
    assert paper_attention(student, teacher) <= 2**0.5 + 1e-9  # maps have no negative places


def test_splitting_the_batch_changes_what_relations_see() -> None:
    # As the docstring warns: accumulating gradients over halves is another loss.
    student, teacher = pair(6)
    for name in ("rkd", "similarity", "contrastive"):
        halves = [LOSSES[name](student[h], teacher[h]) for h in (slice(0, 3), slice(3, 6))]
        assert (sum(halves) / 2 - LOSSES[name](student, teacher)).abs() > 1e-3, name


def test_each_examples_part_of_the_relations_is_its_own() -> None:
    student, teacher = (x.flatten(1).detach() for x in pair())
    s, t = student.numpy(), teacher.numpy()

    def distances(x: np.ndarray) -> np.ndarray:
        d = np.linalg.norm(x[:, None] - x[None], axis=-1)
        return d / d[d > 0].mean()

    d_s, d_t = distances(s), distances(t)
    expected = [25 * np.mean([smooth_l1(d_s[i, j], d_t[i, j]) for j in range(5)]) for i in range(5)]
    found = rkd_loss(student, teacher, angle_weight=0, reduction="none")
    np.testing.assert_allclose(found, expected)
    # The angles at each example: those seen from it, so that turning one example changes its own part most.
    angles = rkd_loss(student, teacher, distance_weight=0, reduction="none")
    ways = [F.normalize(x[None] - x[:, None], dim=-1) for x in (student, teacher)]
    cosines = [way @ way.mT for way in ways]
    part = F.smooth_l1_loss(*cosines, reduction="none").mean((1, 2))
    torch.testing.assert_close(angles, 50 * part)


@each
def test_nan_beside_a_mask_names_the_row_that_counts(name: str) -> None:
    student, teacher = pair()
    with torch.no_grad():
        student[1], student[3] = math.nan, math.nan
    mask = torch.tensor([True, False, True, True, True])
    with pytest.raises(ValueError, match="hold NaN in 1 of 5 rows, first in row 3"):
        LOSSES[name](student, teacher, mask=mask)


def test_nothing_in_an_example_and_a_flat_teacher_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^student_features has shape \(3, 0\); give"):
        hint_loss(torch.zeros(3, 0), torch.zeros(3, 0))
    with pytest.raises(ValueError, match=r"^teacher_features has shape \(2, 3\); attention takes"):
        attention_transfer_loss(torch.zeros(2, 5, 3), torch.zeros(2, 3))
