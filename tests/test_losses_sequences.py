"""Losses over tokens: which of them count, and what padded vocabularies must not change."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_references import logits

from kdhelpers.losses import (
    answer_mask,
    js_divergence_loss,
    kd_loss,
    reverse_kl_loss,
    token_kd_loss,
    topk_kd_loss,
)

DIVERGENCES = [kd_loss, reverse_kl_loss, partial(js_divergence_loss, beta=0.1), partial(topk_kd_loss, k=2)]
END = 2


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_it_is_the_divergence_of_the_tokens_that_count(divergence) -> None:
    student, teacher = logits(2, 4, 5, seed=1).requires_grad_(), logits(2, 4, 5, seed=2)
    mask = torch.tensor([[False, True, True, False], [False, False, True, True]])
    rows = divergence(student[mask], teacher[mask], temperature=1.0, reduction="none")
    loss = token_kd_loss(student, teacher, mask, divergence)
    torch.testing.assert_close(loss, rows.mean())
    torch.testing.assert_close(token_kd_loss(student, teacher, mask, divergence, reduction="sum"), rows.sum())
    loss.backward()
    assert (student.grad[~mask] == 0).all()
    warm = token_kd_loss(student, teacher, mask, divergence, temperature=3.0)
    torch.testing.assert_close(warm, divergence(student[mask], teacher[mask], temperature=3.0))


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("longer", ["student", "teacher", "both"])
def test_words_that_pad_a_vocabulary_are_left_out(divergence, longer: str) -> None:
    student, teacher = logits(2, 3, 5, seed=1), logits(2, 3, 5, seed=2)
    expected = token_kd_loss(student, teacher, divergence=divergence)
    s, t = (torch.cat([x, 9 + logits(2, 3, 4, seed=7)], -1) for x in (student, teacher))
    s, t = (s if longer != "teacher" else student), (t if longer != "student" else teacher)
    s.requires_grad_()
    loss = token_kd_loss(s, t, divergence=divergence, vocabulary=5)
    torch.testing.assert_close(loss, expected)
    if longer != "both":
        torch.testing.assert_close(token_kd_loss(s, t, divergence=divergence), expected)
    loss.backward()
    assert (s.grad[..., 5:] == 0).all()
    assert (s.grad[..., :5] != 0).any()


def test_zero_logits_for_padding_would_take_probability_from_the_words() -> None:
    student, teacher = logits(2, 3, 5, seed=1) - 5, logits(2, 3, 8, seed=2)
    mistaken = kd_loss(F.pad(student, (0, 3)), teacher, temperature=1.0)
    assert (mistaken - token_kd_loss(student, teacher)).abs() > 0.1


def test_batchmean_over_tokens_and_a_mean_over_padding_are_both_wrong() -> None:
    student, teacher = logits(2, 4, 5, seed=1), logits(2, 4, 5, seed=2)
    mask = torch.tensor([[True, True, False, False], [True, False, False, False]])
    log_q, log_p = (x.log_softmax(-1) for x in (student, teacher))
    elements = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1) * mask
    loss = token_kd_loss(student, teacher, mask)
    torch.testing.assert_close(elements.sum() / 2, loss * 3 / 2)  # divided by sequences
    torch.testing.assert_close(elements.mean(), loss * 3 / 8)  # divided by padding too


def test_the_recipe_of_the_docstring_asks_for_the_end_token_and_not_for_the_prompt() -> None:
    tokens = torch.tensor([[5, 6, 7, END, END], [5, 6, 8, 9, END]])
    student, teacher = logits(2, 5, 10, seed=1).requires_grad_(), logits(2, 5, 10, seed=2)
    mask = answer_mask(tokens, prompt_lengths=2, end_token=END)
    token_kd_loss(student[:, :-1], teacher[:, :-1], mask[:, 1:]).backward()
    learning = (student.grad != 0).any(-1)
    # Place 1 asks for the first word of the answer; places 2 (3) for the end; none for what pads.
    assert learning.int().tolist() == [[0, 1, 1, 0, 0], [0, 1, 1, 1, 0]]


@given(data=st.data(), width=st.integers(1, 8))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_answer_mask_is_what_a_loop_finds(data: st.DataObject, width: int) -> None:
    token = st.sampled_from([0, 1, END])
    tokens = data.draw(st.lists(st.lists(token, min_size=width, max_size=width), min_size=1, max_size=3))
    lengths = data.draw(st.lists(st.integers(0, width + 1), min_size=len(tokens), max_size=len(tokens)))
    found = answer_mask(torch.tensor(tokens), torch.tensor(lengths), END)
    for sequence, length, mask in zip(tokens, lengths, found.tolist(), strict=True):
        answer = sequence[length:]
        size = answer.index(END) + 1 if END in answer else len(answer)
        assert mask == [length <= place < length + size for place in range(width)]


def test_masking_by_the_padding_number_would_lose_the_end() -> None:
    tokens = torch.tensor([[5, 6, 7, END, END]])
    mistaken = tokens != END
    ours = answer_mask(tokens, 1, END)
    assert not mistaken[0, 3]
    assert ours.int().tolist() == [[0, 1, 1, 1, 0]]


def test_no_token_that_counts() -> None:
    student = logits(2, 3, 4).requires_grad_()
    loss = token_kd_loss(student, logits(2, 3, 4, seed=2), torch.zeros(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss == 0
    assert (student.grad == 0).all()


def test_bad_arguments() -> None:
    student, teacher = torch.zeros(2, 3, 5), torch.zeros(2, 3, 8)
    with pytest.raises(
        ValueError, match=r"^vocabulary is 6, but the student has 5 words and the teacher 8; give at m"
    ):
        token_kd_loss(student, teacher, vocabulary=6)
    with pytest.raises(ValueError, match="vocabulary is 0"):
        token_kd_loss(student, teacher, vocabulary=0)
    with pytest.raises(
        ValueError, match=r"student_logits has shape \(2, 3, 5\) and teacher_logits \(2, 2, 5\)"
    ):
        token_kd_loss(student, teacher[:, :2])
    with pytest.raises(TypeError, match="student_logits is a list"):
        token_kd_loss([1.0], teacher)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="teacher_logits is a list"):
        token_kd_loss(student, [1.0])  # type: ignore[arg-type]
    spoilt = student.clone()
    spoilt[1, 2] = math.nan
    with pytest.raises(ValueError, match=r"student_logits hold NaN in 1 of 6 rows, first in row \(1, 2\)"):
        token_kd_loss(spoilt, teacher)
    for tokens in (torch.zeros(3, dtype=torch.int64), torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)):
        with pytest.raises(
            ValueError, match=r"^tokens are torch\.\w+ of shape \(.*\); give \(B, L\) of whole num"
        ):
            answer_mask(tokens, 1, END)
    with pytest.raises(
        ValueError, match=r"^prompt_lengths have shape \(3,\) for 2 sequences; give one for each"
    ):
        answer_mask(torch.zeros(2, 4, dtype=torch.int64), torch.tensor([1, 2, 3]), END)
