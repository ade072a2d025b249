from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdhelpers.data import Split
from kdhelpers.losses import distillation_loss, kd_loss, logit_mse_loss
from kdhelpers.teacher_outputs import MemoryOutputs, record_teacher
from kdhelpers.training import distill, from_teacher, train
from kdhelpers.training.batches import batch_of

ROWS, C = 40, 3
QUIET = dict(progress=False, device="cpu")


@pytest.fixture
def split():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(ROWS, 5, generator=generator)
    labels = torch.randint(0, C, (ROWS,), generator=generator)
    labels[::4] = -100
    return Split([f"r{i}" for i in range(ROWS)], inputs, labels)


@pytest.fixture
def logits():
    return torch.randn(ROWS, C, generator=torch.Generator().manual_seed(1)) * 3


@pytest.fixture
def outputs(split, logits):
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(2))
    return MemoryOutputs([split.ids[row] for row in order], logits[order])  # in an order of its own


def student():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Linear(5, C)


def batch(split):
    return batch_of(split, torch.tensor([7, 0, 12, 4, 3]), torch.device("cpu"))


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


@pytest.mark.parametrize(("temperature", "kd_weight"), [(4.0, 0.9), (1.0, 0.0), (10.0, 1.0)])
def test_teacher_and_labels_meet_by_id(split, logits, outputs, temperature, kd_weight):
    own, rows = torch.randn(5, C, generator=torch.Generator().manual_seed(4)), [7, 0, 12, 4, 3]
    found = from_teacher(outputs, temperature=temperature, kd_weight=kd_weight)(own, batch(split))
    expected = distillation_loss(own, logits[rows], split.labels[rows], temperature, kd_weight)
    assert torch.equal(found, expected)


def test_one_loss_serves_several_splits_in_turn(split, logits, outputs):
    loss, own = from_teacher(outputs, kd_weight=1.0), torch.zeros(2, C)
    parts = [split.take([3, 9, 4]), split.take([20, 3])]
    for part, rows in [(parts[0], [4, 9]), (parts[1], [3, 20]), (parts[0], [9, 3])]:
        positions = torch.tensor([part.ids.index(split.ids[row]) for row in rows])
        found = loss(own, batch_of(part, positions, torch.device("cpu")))
        assert torch.equal(found, kd_loss(own, logits[rows]))


def test_without_labels_the_teacher_alone_counts(split, logits, outputs):
    own, rows = torch.zeros(5, C), [7, 0, 12, 4, 3]
    found = from_teacher(outputs, kd_weight=0.7)(own, batch(split.unlabelled()))
    torch.testing.assert_close(found, 0.7 * kd_loss(own, logits[rows]))


@pytest.mark.parametrize("kd_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("loss", [logit_mse_loss, partial(kd_loss, temperature=10)])
def test_another_loss_is_mixed_with_the_labels(split, logits, outputs, loss, kd_weight):
    own, rows = torch.randn(5, C, generator=torch.Generator().manual_seed(5)), torch.tensor([7, 0, 12, 4, 3])
    found = from_teacher(outputs, kd_weight=kd_weight, loss=loss)(own, batch(split))
    labels = split.labels[rows]
    hard = sum(F.cross_entropy(own[i], labels[i]) for i in range(5) if labels[i] != -100) / 5
    torch.testing.assert_close(found, kd_weight * loss(own, logits[rows]) + (1 - kd_weight) * hard)


def test_kd_loss_by_hand_equals_the_default(split, outputs):
    own = torch.randn(5, C, generator=torch.Generator().manual_seed(6))
    by_hand = from_teacher(outputs, kd_weight=0.4, loss=kd_loss)(own, batch(split))
    torch.testing.assert_close(by_hand, from_teacher(outputs, kd_weight=0.4)(own, batch(split)))


def test_distill_is_train_with_the_teachers_loss(split, outputs):
    one, two = student(), student()
    options = dict(epochs=3, batch_size=8, seed=5, learning_rate=0.01, **QUIET)
    found = distill(one, split, outputs, temperature=2.0, kd_weight=0.6, **options)
    expected = train(two, split, from_teacher(outputs, temperature=2.0, kd_weight=0.6), **options)
    assert torch.equal(weights(one), weights(two))
    assert found.loss == expected.loss


def test_a_student_without_labels_learns_to_agree(split):
    teacher = nn.Linear(5, C)
    outputs = MemoryOutputs(split.ids, teacher(split.inputs).detach() * 3)
    model = student()
    distill(model, split.unlabelled(), outputs, epochs=60, learning_rate=0.05, kd_weight=1.0, **QUIET)
    assert (model(split.inputs).argmax(1) == teacher(split.inputs).argmax(1)).double().mean() >= 0.95


class Lazy:
    """A teacher's outputs that cannot list what they know."""

    def __init__(self, outputs):
        self.logits = outputs.logits


@pytest.mark.parametrize("wrap", [lambda outputs: outputs, Lazy])
def test_outputs_that_lack_rows_are_refused_before_training(split, outputs, wrap):
    model = student()
    fewer = MemoryOutputs(split.ids[:30], outputs.logits(split.ids[:30]))
    with pytest.raises(ValueError, match=r"lack 10 of .* 'r30': run the teacher on"):
        distill(model, split, wrap(fewer), epochs=1, **QUIET)
    assert torch.equal(weights(model), weights(student()))
    distill(model, split.take(slice(30)), wrap(fewer), epochs=1, **QUIET)


@pytest.mark.parametrize("labels", ["all", "some", "none"])
@pytest.mark.parametrize("loss", [None, logit_mse_loss])
@pytest.mark.parametrize("top_k", [None, 2])
def test_stored_outputs_teach_as_those_in_memory_do(split, tmp_path, labels, loss, top_k):
    stored = record_teacher(nn.Linear(5, C), split, tmp_path, top_k=top_k, shard_rows=7, progress=False)
    if labels == "all":
        split = Split(split.ids, split.inputs, split.labels.clamp(min=0))
    elif labels == "none":
        split = split.unlabelled()
    options = dict(epochs=2, batch_size=8, loss=loss, kd_weight=0.6, **QUIET)
    one, two = student(), student()
    found = distill(one, split, stored, **options)
    expected = distill(two, split, MemoryOutputs(split.ids, stored.logits(split.ids)), **options)
    assert torch.equal(weights(one), weights(two))
    assert found.loss == expected.loss


def test_stored_outputs_that_lack_rows_are_refused_before_training(split, tmp_path):
    stored = record_teacher(nn.Linear(5, C), split.take(slice(30)), tmp_path, progress=False)
    model = student()
    with pytest.raises(ValueError, match=r"lack 10 of the 40 rows to learn from, first 'r30': run"):
        distill(model, split, stored, epochs=1, **QUIET)
    assert torch.equal(weights(model), weights(student()))


def test_other_class_counts_are_refused(split):
    with pytest.raises(ValueError, match="same classes"):
        distill(student(), split, MemoryOutputs(split.ids, torch.zeros(ROWS, 7)), epochs=1, **QUIET)


@pytest.mark.parametrize("bad", [dict(temperature=0.0), dict(temperature=float("nan")), dict(kd_weight=1.5)])
def test_bad_settings_are_refused_at_once(outputs, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        from_teacher(outputs, **bad)


def test_a_temperature_that_would_be_ignored_is_refused(outputs):
    with pytest.raises(
        ValueError, match=r"does not get the temperature: .*partial\(kd_loss, temperature=10\)"
    ):
        from_teacher(outputs, temperature=10, loss=kd_loss)
