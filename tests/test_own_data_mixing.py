"""Whether a transformer is worth having as a teacher, found without the test."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdhelpers.data import Split
from kdhelpers.own_data.mixing import (
    FOLDS,
    MixedTeacher,
    best_share,
    fold_numbers,
    mixed_teacher,
    share_notes,
)
from kdhelpers.own_data.workplace import Workplace
from kdhelpers.text import NgramStudent

pytestmark = pytest.mark.usefixtures("few_ngrams")
CLASSES = ("billing", "delivery")
# The words say the class, and differ from row to row in what does not.
ROWS = [(f"my {'card' if n % 2 else 'parcel'} {'abcdefghijkl'[n % 12]}{n}", (n + 1) % 2) for n in range(24)]
LABELLED = Split(range(24), [text for text, _ in ROWS], torch.tensor([label for _, label in ROWS]))


class Transformer(nn.Module):
    """Embeddings that say the class, or nothing at all."""

    def __init__(self, knows):
        super().__init__()
        self.classes, self.knows = CLASSES, knows
        self.head = nn.Linear(2, 2)

    def embed(self, texts, *, progress=False):
        if self.knows:
            return torch.tensor([[1.0, 0.0] if "card" in text else [0.0, 1.0] for text in texts])
        return torch.randn(len(texts), 2, generator=torch.Generator().manual_seed(0))

    def forward(self, texts):
        return self.head(self.embed(texts))


MEANING = {letter: number % 2 for number, letter in enumerate("abcdefghijklmnopqrstuvwx")}


class Words(Transformer):
    """Knows what no n-gram shows: what each of some letters means."""

    def embed(self, texts, *, progress=False):
        return torch.eye(2)[[MEANING[text] for text in texts]]


def share_of(teacher, split):
    return best_share(split, teacher.embed(split.inputs), teacher.classes)


def test_a_transformer_that_knows_nothing_is_left_out():
    assert share_of(Transformer(knows=False), LABELLED) == 0


def test_a_transformer_that_knows_what_words_do_not_show_is_taken_alone():
    texts = list(MEANING)
    split = Split(range(24), texts, torch.tensor([MEANING[text] for text in texts]))
    assert share_of(Words(knows=True), split) == 1


class SeldomWrong(Words):
    """Takes every fifth letter for what it does not mean."""

    def embed(self, texts, *, progress=False):
        return torch.eye(2)[[MEANING[text] ^ (list(MEANING).index(text) % 5 == 0) for text in texts]]


def test_what_ngrams_know_by_heart_does_not_count():
    # No two texts are alike: n-grams know the class of those that they learnt from, and of no other.
    texts = list(MEANING)
    split = Split(range(24), texts, torch.tensor([MEANING[text] for text in texts]))
    assert share_of(SeldomWrong(knows=True), split) > 0


def test_the_choice_is_kept_and_named(tmp_path):
    place = Workplace(tmp_path, {})
    teacher = mixed_teacher(Transformer(knows=False), LABELLED, place)
    assert isinstance(teacher, MixedTeacher)
    assert "they are the teacher" in share_notes(teacher)[0]
    assert "mean of both" in share_notes(MixedTeacher(teacher.ngrams, teacher.ngrams, 0.5))[0]
    again = mixed_teacher(Transformer(knows=True), LABELLED, place)
    assert again.share == teacher.share
    assert torch.equal(again.ngrams.head.weight, teacher.ngrams.head.weight)
    assert (teacher(LABELLED.inputs).argmax(1) == LABELLED.labels).all()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_the_mixture_is_the_mean_of_the_probabilities(share):
    one, other = (NgramStudent(CLASSES, dim=4).eval() for _ in range(2))
    texts = ["my card", "", "late"]
    mixed = MixedTeacher(one, other, share)(texts).softmax(1)
    torch.testing.assert_close(mixed, share * one(texts).softmax(1) + (1 - share) * other(texts).softmax(1))


def test_folds_spread_each_class_and_leave_none_empty():
    labels = torch.tensor([0] * 9 + [1] * 4 + [2])
    folds = fold_numbers(labels)
    assert folds.equal(fold_numbers(labels))
    for label in range(3):
        counts = folds[labels == label].bincount(minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_a_class_with_one_example_does_not_stop_it():
    labels = LABELLED.labels.clone()
    labels[0] = 2
    teacher = Transformer(knows=True)
    teacher.classes = (*CLASSES, "other")
    assert share_of(teacher, Split(LABELLED.ids, LABELLED.inputs, labels)) in (0.0, 0.5, 1.0)
