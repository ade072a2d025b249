"""WithFeatures: logits with a hidden layer behind them, whole to a loss and to the optimiser."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kdhelpers.data import Split
from kdhelpers.losses import Projector, WithFeatures, hint_loss
from kdhelpers.seeding import seeded
from kdhelpers.training import train, train_many

CLASSES, WIDTH, TAUGHT = 3, 5, 7


def student(seed: int = 0) -> nn.Module:
    return seeded(lambda: nn.Sequential(nn.Linear(4, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES)), seed)


def projected(seed: int = 0) -> WithFeatures:
    return WithFeatures(student(seed), "1", seeded(lambda: Projector(WIDTH, TAUGHT), 50 + seed))


@pytest.fixture
def split() -> Split:
    draw = torch.Generator().manual_seed(0)
    return Split(range(12), torch.randn(12, 4, generator=draw), torch.arange(12) % CLASSES)


def hinted(split: Split):
    taught = torch.sin(split.inputs @ torch.arange(4.0 * TAUGHT).view(4, TAUGHT))

    def loss(answer, batch):
        hint = hint_loss(answer[:, CLASSES:], taught[batch.rows])
        return F.cross_entropy(answer[:, :CLASSES], batch.labels) + hint

    return loss


def test_it_gives_the_logits_and_behind_them_the_layer(split: Split) -> None:
    model = student()
    answer = WithFeatures(model, "1")(split.inputs)
    torch.testing.assert_close(answer[:, :CLASSES], model(split.inputs))
    torch.testing.assert_close(answer[:, CLASSES:], model[1](model[0](split.inputs)))


def test_the_features_go_through_the_projector_and_are_flattened() -> None:
    channels = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 6, CLASSES))
    both = WithFeatures(channels, "0", Projector(2, 4, dim=1))
    inputs = torch.randn(5, 1, 8)
    wanted = both.projector(channels[0](inputs)).flatten(1)
    torch.testing.assert_close(both(inputs)[:, CLASSES:], wanted)
    assert wanted.shape == (5, 4 * 6)


def test_student_and_projector_learn_and_the_student_is_the_callers(split: Split) -> None:
    both = projected()
    before = copy.deepcopy(both.state_dict())
    history = train(both, split, hinted(split), epochs=5, learning_rate=0.05, progress=False)
    assert history.loss[-1] < history.loss[0]
    assert all(not torch.equal(before[name], weight) for name, weight in both.state_dict().items())
    assert {name.split(".")[0] for name in before} == {"student", "projector"}


def test_many_side_by_side_end_where_they_end_alone(split: Split) -> None:
    settings = dict(epochs=4, batch_size=5, learning_rate=0.05, progress=False)
    together, alone = [projected(seed) for seed in range(3)], [projected(seed) for seed in range(3)]
    train_many(together, split, hinted(split), seeds=range(3), **settings)
    for seed, model in enumerate(alone):
        train(model, split, hinted(split), seed=seed, **settings)
        torch.testing.assert_close(together[seed].state_dict(), model.state_dict(), rtol=1e-4, atol=1e-5)


def test_no_hook_stays_on_the_student(split: Split) -> None:
    both = projected()
    both(split.inputs)
    assert not any(layer._forward_hooks for layer in both.modules())


def test_a_layer_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="has no layer '9'"):
        WithFeatures(student(), "9")
