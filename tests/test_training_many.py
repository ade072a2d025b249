from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdhelpers.data import Split
from kdhelpers.models import ImageCNN, SignalCNN, SignalMLP
from kdhelpers.seeding import seeded
from kdhelpers.teacher_outputs import MemoryOutputs
from kdhelpers.training import from_teacher, train, train_many

ROWS, SEEDS = 44, [3, 0, 8]
QUIET = dict(progress=False, device="cpu")


def split_of(shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(ROWS, *shape, generator=generator, dtype=dtype)
    return Split([f"r{i}" for i in range(ROWS)], inputs, torch.randint(0, 10, (ROWS,), generator=generator))


def replicas(build, dtype=torch.float32):
    return [seeded(build, seed).to(dtype) for seed in SEEDS]


def small():
    return SignalMLP(hidden=6)


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


MODELS = [
    (lambda: SignalCNN(channels=4), (40,)),
    (lambda: SignalMLP(hidden=7), (40,)),
    (lambda: ImageCNN(channels=3), (1, 8, 8)),
]


@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
@pytest.mark.parametrize(("build", "shape"), MODELS)
# In float32 rounding differs, and Adam magnifies it where a gradient is almost 0.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_many_equal_separate_runs(build, shape, schedule, dtype, tolerance):
    split = split_of(shape, dtype)
    together, alone = replicas(build, dtype), replicas(build, dtype)
    options = dict(epochs=2, batch_size=16, weight_decay=0.05, schedule=schedule, validation=split, **QUIET)
    histories = train_many(together, split, seeds=SEEDS, **options)
    for model, twin, history, seed in zip(together, alone, histories, SEEDS, strict=True):
        before = weights(twin)
        expected = train(twin, split, seed=seed, **options)
        torch.testing.assert_close(weights(model), weights(twin), rtol=0, atol=tolerance)
        assert (weights(twin) - before).abs().max() > 1e-3  # far more than the tolerance
        assert history.loss == pytest.approx(expected.loss, abs=10 * tolerance)
        if dtype == torch.float64:
            assert history.validation_accuracy == expected.validation_accuracy
        assert (history.steps, history.device) == (expected.steps, "cpu")
        assert len(history.validation_accuracy) == 2
        assert history.seconds > 0


def test_each_model_may_have_a_loss_of_its_own():
    split = split_of((40,), torch.float64)
    outputs = MemoryOutputs(split.ids, torch.randn(ROWS, 10, generator=torch.Generator().manual_seed(1)))
    losses = [None, from_teacher(outputs, temperature=2.0), from_teacher(outputs, kd_weight=1.0)]
    together, alone = replicas(small, torch.float64), replicas(small, torch.float64)
    train_many(together, split, losses, seeds=SEEDS, epochs=2, batch_size=16, **QUIET)
    for model, twin, loss, seed in zip(together, alone, losses, SEEDS, strict=True):
        train(twin, split, loss, seed=seed, epochs=2, batch_size=16, **QUIET)
        torch.testing.assert_close(weights(model), weights(twin), rtol=0, atol=1e-10)


def test_one_loss_for_all_and_rows_without_labels():
    split = split_of((40,)).unlabelled()
    outputs = MemoryOutputs(split.ids, torch.zeros(ROWS, 10))
    histories = train_many(replicas(small), split, from_teacher(outputs), seeds=SEEDS, epochs=8, **QUIET)
    assert all(history.loss[-1] < history.loss[0] for history in histories)


def test_rows_without_labels_count_in_no_model():
    split = split_of((40,), torch.float64)
    split.labels[::2] = -100
    split.labels[:9] = -100  # in steps of 4 rows, some models meet a step without any label
    together, alone = replicas(small, torch.float64), replicas(small, torch.float64)
    options = dict(epochs=2, batch_size=4, **QUIET)
    histories = train_many(together, split, seeds=SEEDS, **options)
    for model, twin, history, seed in zip(together, alone, histories, SEEDS, strict=True):
        expected = train(twin, split, seed=seed, **options)
        torch.testing.assert_close(weights(model), weights(twin), rtol=0, atol=1e-10)
        assert history.loss == pytest.approx(expected.loss)


def test_same_seeds_same_weights_and_global_state_untouched():
    split = split_of((40,))
    one, two = replicas(small), replicas(small)
    state = torch.get_rng_state()
    train_many(one, split, seeds=SEEDS, epochs=2, batch_size=16, **QUIET)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    train_many(two, split, seeds=SEEDS, epochs=2, batch_size=16, **QUIET)
    for model, twin in zip(one, two, strict=True):
        assert torch.equal(weights(model), weights(twin))


def test_validation_never_changes_what_is_learnt():
    split = split_of((40,))
    one, two = replicas(small), replicas(small)
    train_many(one, split, seeds=SEEDS, epochs=3, batch_size=16, validation=split, **QUIET)
    train_many(two, split, seeds=SEEDS, epochs=3, batch_size=16, **QUIET)
    for model, twin in zip(one, two, strict=True):
        assert torch.equal(weights(model), weights(twin))


@pytest.mark.parametrize("done", [0, 4])
def test_an_interruption_keeps_the_steps_done(done, capsys):
    split = split_of((40,), torch.float64)
    asked = 0

    def loss(logits, batch):
        nonlocal asked
        if asked == done * len(SEEDS) + 1:  # in the middle of a step: the second model's loss
            raise KeyboardInterrupt
        asked += 1
        return F.cross_entropy(logits, batch.labels)

    together, alone = replicas(small, torch.float64), replicas(small, torch.float64)
    histories = train_many(together, split, loss, seeds=SEEDS, epochs=9, batch_size=16, **QUIET)
    assert [(h.steps, h.interrupted, len(h.loss)) for h in histories] == [(done, True, done // 3)] * 3
    assert capsys.readouterr().out.count("Interrupted") == 1

    for model, twin, seed in zip(together, alone, SEEDS, strict=True):
        own = 0

        def stop(logits, batch):
            nonlocal own
            if own == done:
                raise KeyboardInterrupt
            own += 1
            return F.cross_entropy(logits, batch.labels)

        train(twin, split, stop, seed=seed, epochs=9, batch_size=16, **QUIET)
        torch.testing.assert_close(weights(model), weights(twin), rtol=0, atol=1e-12)


def test_modes_and_the_gradients_of_the_caller_are_left_alone():
    split, models = split_of((40,)), replicas(small)
    models[1].eval()
    train_many(models, split, seeds=SEEDS, epochs=1, validation=split, **QUIET)
    assert [model.training for model in models] == [True, False, True]
    assert all(weight.grad is None and weight.is_leaf for model in models for weight in model.parameters())


class ModeTold(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(40, 10)

    def forward(self, inputs):
        assert self.training == torch.is_grad_enabled()
        return self.linear(inputs)


def test_training_is_in_train_mode_and_validation_is_not():
    split, models = split_of((40,)), [ModeTold().eval() for _ in SEEDS]
    train_many(models, split, seeds=SEEDS, epochs=2, validation=split, **QUIET)
    assert not any(model.training for model in models)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(40, 40), nn.Linear(40, 40), nn.Linear(40, 10)
        self.second.weight = self.first.weight

    def forward(self, inputs):
        return self.last(self.second(self.first(inputs).relu()))


def test_tied_weights_stay_tied():
    split = split_of((40,), torch.float64)
    together, alone = replicas(Tied, torch.float64), replicas(Tied, torch.float64)
    train_many(together, split, seeds=SEEDS, epochs=2, batch_size=16, **QUIET)
    for model, twin, seed in zip(together, alone, SEEDS, strict=True):
        train(twin, split, seed=seed, epochs=2, batch_size=16, **QUIET)
        assert model.second.weight is model.first.weight
        torch.testing.assert_close(weights(model), weights(twin), rtol=0, atol=1e-10)


def test_frozen_weights_stay():
    split, models = split_of((40,)), replicas(small)
    for model in models:
        model.first.requires_grad_(False)
    before = [model.first.weight.clone() for model in models]
    train_many(models, split, seeds=SEEDS, epochs=1, weight_decay=0.1, **QUIET)
    assert all(torch.equal(model.first.weight, old) for model, old in zip(models, before, strict=True))


def test_a_model_that_diverges_is_named():
    def loss(logits, batch):
        return logits.sum() * (float("inf") if batch.rows[0] == worst else 0.0)

    split = split_of((40,))
    worst = torch.randperm(ROWS, generator=torch.Generator().manual_seed(SEEDS[1]))[0]
    with pytest.raises(FloatingPointError, match="The loss of model 1 became"):
        train_many(replicas(small), split, loss, seeds=SEEDS, epochs=1, batch_size=ROWS, **QUIET)


class Named(nn.Linear):
    pass


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ([], "There are no models to train"),
        ([nn.Linear(40, 10), Named(40, 10)], "Model 1 has another class or other weights than model 0"),
        ([SignalMLP(hidden=5), SignalMLP(hidden=6)], "Model 1 has another class or other weights"),
        ([SignalMLP(hidden=5), SignalMLP(hidden=5).double()], "Model 1 has another class or other weights"),
        ([nn.Sequential(nn.BatchNorm1d(40), nn.Linear(40, 10))] * 1, "Model 0 has buffers"),
        ([nn.Sequential(nn.Linear(40, 10), nn.Dropout(0.1))], "Model 0 has dropout"),
        ([SignalMLP(hidden=5).requires_grad_(False)], "no parameters to train"),
    ],
)
def test_models_that_cannot_be_stacked_are_refused(models, sentence):
    with pytest.raises(ValueError, match=sentence):
        train_many(models, split_of((40,)), seeds=list(range(len(models))), epochs=1, **QUIET)


def test_the_same_model_twice_is_refused():
    model = small()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="same model is passed twice"):
        train_many([model, model], split_of((40,)), seeds=[0, 1], epochs=1, **QUIET)
    assert all(torch.equal(model.state_dict()[name], weight) for name, weight in before.items())


def test_what_train_refuses_is_refused_here_too():
    split = split_of((40,))
    with pytest.raises(ValueError, match="2 seeds for 3 models"):
        train_many(replicas(small), split, seeds=[0, 1], epochs=1, **QUIET)
    with pytest.raises(ValueError, match="1 losses for 3 models"):
        train_many(replicas(small), split, [None], seeds=SEEDS, epochs=1, **QUIET)
    with pytest.raises(ValueError, match="epochs is 0"):
        train_many(replicas(small), split, seeds=SEEDS, epochs=0, **QUIET)
    with pytest.raises(ValueError, match="no labels to learn from"):
        train_many(replicas(small), split.unlabelled(), seeds=SEEDS, epochs=1, **QUIET)
    with pytest.raises(ValueError, match="The seed is -1"):
        train_many(replicas(small), split, seeds=[-1, 0, 1], epochs=1, **QUIET)
    texts = Split([0, 1], ["a", "b"], torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="for texts, call train once for each"):
        train_many(replicas(small), texts, seeds=SEEDS, epochs=1, **QUIET)
