from __future__ import annotations

import copy
import inspect
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from kdhelpers.data import Split
from kdhelpers.training import History, settings, train

ROWS = 50
QUIET = dict(progress=False, device="cpu")


@pytest.fixture
def split():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(ROWS, 6, generator=generator)
    return Split([f"r{i}" for i in range(ROWS)], inputs, (inputs[:, 0] > 0).long())


def net(seed=0, dropout=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def cross_entropy(logits, batch):
    return F.cross_entropy(logits, batch.labels)


@pytest.mark.parametrize("many_weights", [1, 10**9])  # with the fused kind of AdamW, and without
@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_it_is_the_textbook_loop(split, schedule, weight_decay, many_weights, monkeypatch):
    monkeypatch.setattr(settings, "MANY_WEIGHTS", many_weights)
    ours, theirs = net(), net()
    history = train(
        ours, split, epochs=3, batch_size=16, learning_rate=0.01, seed=4,
        weight_decay=weight_decay, schedule=schedule, **QUIET,
    )  # fmt: skip

    kind = torch.optim.AdamW if weight_decay else torch.optim.Adam
    optimiser = kind(theirs.parameters(), lr=0.01, weight_decay=weight_decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.01, total_steps=12)
    if schedule == "constant":
        optimiser = kind(theirs.parameters(), lr=0.01, weight_decay=weight_decay)
    shuffle, means = torch.Generator().manual_seed(4), []
    for _ in range(3):
        order, total = torch.randperm(ROWS, generator=shuffle), 0.0
        for start in range(0, ROWS, 16):
            rows = order[start : start + 16]
            loss = F.cross_entropy(theirs(split.inputs[rows]), split.labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if schedule == "one-cycle":
                cycle.step()
            total += loss.item() * len(rows)
        means.append(total / ROWS)

    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-5, atol=1e-6)
    assert history.loss == pytest.approx(means, rel=1e-5)
    assert history.steps == 12
    assert history.device == "cpu"
    assert history.seconds > 0
    assert not history.interrupted


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_many_weights_of_any_kind_learn(split, dtype):
    model = nn.Sequential(nn.Linear(6, 100_000), nn.ReLU(), nn.Linear(100_000, 2)).to(dtype)
    for weight in model[2].parameters():
        weight.requires_grad_(False)
    before = copy.deepcopy(model)
    wide = Split(split.ids, split.inputs.to(dtype), split.labels)
    train(model, wide, epochs=1, batch_size=25, **QUIET)
    assert not torch.equal(model[0].weight, before[0].weight)
    assert torch.equal(model[2].weight, before[2].weight)
    assert model[0].weight.dtype == dtype


def test_it_learns(split):
    model = net()
    history = train(model, split, epochs=30, learning_rate=0.03, validation=split, **QUIET)
    assert history.loss[-1] < 0.2 < history.loss[0]
    assert history.validation_accuracy[-1] > 0.95
    assert len(history.validation_accuracy) == 30


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_short_cycle_still_moves_the_weights(split, steps):
    model, before = net(), weights(net())
    train(model, split, epochs=steps, schedule="one-cycle", **QUIET)
    assert not torch.equal(weights(model), before)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_seed_decides_everything(split, dropout):
    def run(seed):
        model = net(dropout=dropout)
        torch.manual_seed(random.randrange(1000))  # whatever the global state is
        train(model, split, epochs=2, batch_size=8, seed=seed, **QUIET)
        return weights(model)

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_the_global_random_state_is_untouched(split):
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    train(net(dropout=0.5), split, epochs=2, validation=split, **QUIET)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])


class Noisy(nn.Module):
    """Draws random numbers in evaluation mode too, as a careless model may."""

    def __init__(self):
        super().__init__()
        self.inner = net()

    def forward(self, inputs):
        return self.inner(F.dropout(inputs, 0.3, training=True))


@pytest.mark.parametrize("build", [lambda: net(dropout=0.5), Noisy])
def test_validation_never_changes_what_is_learnt(split, build):
    torch.manual_seed(0)
    with_it = build()
    without = copy.deepcopy(with_it)
    seen = train(with_it, split, epochs=3, batch_size=16, validation=split.take(slice(20)), **QUIET)
    unseen = train(without, split, epochs=3, batch_size=16, **QUIET)
    assert torch.equal(weights(with_it), weights(without))
    assert seen.loss == unseen.loss
    assert len(seen.validation_accuracy) == 3
    assert unseen.validation_accuracy == []


def test_validation_accuracy_counts_labelled_rows_only(split):
    hidden = split.labels.clone()
    hidden[:25] = -100
    model = net()
    history = train(model, split, epochs=1, validation=Split(split.ids, split.inputs, hidden), **QUIET)
    right = (model(split.inputs).argmax(1) == split.labels)[25:]
    assert history.validation_accuracy == [right.double().mean().item()]


@pytest.mark.parametrize("training", [True, False])
def test_modes_inside_and_afterwards(split, training):
    model, seen = net(dropout=0.5).train(training), []
    model[1].train(not training)

    def loss(logits, batch):
        seen.append(all(part.training for part in model.modules()))
        return cross_entropy(logits, batch)

    # After each epoch validation puts the model in evaluation mode: the next must be back in train mode.
    train(model, split, loss, epochs=3, validation=split, **QUIET)
    assert seen == [True] * 3
    assert [part.training for part in model] == [training, not training, training, training]


def test_a_batch_knows_its_rows(split):
    seen = []

    def loss(logits, batch):
        assert torch.equal(batch.inputs, split.by_id(batch.ids).inputs)
        assert torch.equal(batch.labels, split.by_id(batch.ids).labels)
        seen.extend(batch.ids)
        return cross_entropy(logits, batch)

    train(net(), split, loss, epochs=1, batch_size=16, **QUIET)
    assert sorted(seen) == sorted(split.ids)
    assert seen != list(split.ids)


@pytest.mark.parametrize("done", [0, 1, 5])
def test_an_interruption_keeps_what_was_learnt(split, done, capsys):
    steps = 0

    def loss(logits, batch):
        nonlocal steps
        if steps == done:
            raise KeyboardInterrupt
        steps += 1
        return cross_entropy(logits, batch)

    model, reference = net().eval(), net()
    history = train(model, split, loss, epochs=9, batch_size=16, **QUIET)

    optimiser, shuffle = torch.optim.Adam(reference.parameters(), lr=1e-3), torch.Generator().manual_seed(0)
    batches = [b for _ in range(9) for b in torch.randperm(ROWS, generator=shuffle).split(16)]
    for rows in batches[:done]:
        optimiser.zero_grad()
        F.cross_entropy(reference(split.inputs[rows]), split.labels[rows]).backward()
        optimiser.step()
    torch.testing.assert_close(weights(model), weights(reference), rtol=1e-5, atol=1e-7)
    assert history.interrupted
    assert "interrupted" in repr(history)
    assert (history.steps, len(history.loss)) == (done, done // 4)
    assert not model.training
    said = capsys.readouterr().out
    assert (
        said == f"Interrupted in epoch {done // 4 + 1} of 9, after {done} steps: what was learnt is kept.\n"
    )


def test_other_errors_are_raised_and_the_mode_restored(split):
    model = net().eval()

    def loss(logits, batch):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(model, split, loss, epochs=1, **QUIET)
    assert not model.training


def test_rows_without_a_label_are_left_out_of_cross_entropy(split):
    partly = split.labels.clone()
    partly[5:] = -100
    model, twin = net(), net()
    # One batch of all rows: the mean is over the five that have a label.
    train(model, Split(split.ids, split.inputs, partly), epochs=4, batch_size=ROWS, **QUIET)
    train(twin, split.take(slice(5)), epochs=4, batch_size=ROWS, **QUIET)
    torch.testing.assert_close(weights(model), weights(twin), rtol=1e-5, atol=1e-6)
    # Batches of two: most have no label at all, whose mean would be NaN.
    history = train(model, Split(split.ids, split.inputs, partly), epochs=2, batch_size=2, **QUIET)
    assert np.isfinite(history.loss).all()
    assert weights(model).isfinite().all()


def test_texts_and_wider_models(split):
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 2).double()

        def forward(self, texts):
            return self.linear(torch.tensor([[len(text)] for text in texts], dtype=torch.float64))

    texts = Split(["a", "b", "c"], ["x", "xx", "xxxxx"], torch.tensor([0, 0, 1]))
    history = train(Counter(), texts, epochs=60, batch_size=2, learning_rate=0.1, validation=texts, **QUIET)
    assert history.validation_accuracy[-1] == 1.0


def test_frozen_weights_stay(split):
    model = net()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    train(model, split, epochs=2, weight_decay=0.1, **QUIET)
    assert torch.equal(model[0].weight, before["0.weight"])
    assert not torch.equal(model[3].weight, before["3.weight"])
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="no parameters to train"):
        train(model, split, epochs=1, **QUIET)


def test_divergence_is_said_once_an_epoch(split):
    asked = 0

    def loss(logits, batch):
        nonlocal asked
        asked += 1
        return logits.sum() * (float("nan") if asked == 5 else 0.0)

    with pytest.raises(
        FloatingPointError, match=r"became nan in epoch 2: the learning rate 0.5 may be too high"
    ):
        train(net(), split, loss, epochs=3, batch_size=16, learning_rate=0.5, **QUIET)
    assert asked == 8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(epochs=0), "epochs is 0: give a whole number of 1 or more"),
        (dict(epochs=1.5), "epochs is 1.5"),
        (dict(epochs=True), "epochs is True"),
        (dict(batch_size=0), "batch_size is 0"),
        (dict(learning_rate=0.0), "learning_rate is 0.0: give a number above 0"),
        (dict(learning_rate=float("nan")), "learning_rate is nan"),
        (dict(weight_decay=-1.0), "weight_decay is -1.0"),
        (dict(schedule="cosine"), "schedule is 'cosine': choose 'constant' or 'one-cycle'"),
        (dict(seed=-1), "seed is -1"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_trained(split, options, sentence):
    model = net()
    with pytest.raises(ValueError, match=sentence):
        train(model, split, **{"epochs": 1, **QUIET, **options})
    assert torch.equal(weights(model), weights(net()))


def test_labels_are_asked_for_where_needed(split):
    with pytest.raises(ValueError, match="no labels to learn from: pass a loss"):
        train(net(), split.unlabelled(), epochs=1, **QUIET)
    with pytest.raises(ValueError, match="The validation split has no labels"):
        train(net(), split, epochs=1, validation=split.unlabelled(), **QUIET)
    with pytest.raises(ValueError, match="labels go up to 7, but the model has 2 classes"):
        train(net(), Split(split.ids, split.inputs, torch.full((ROWS,), 7)), epochs=1, **QUIET)
    train(net(), split.unlabelled(), lambda logits, batch: logits.square().mean(), epochs=1, **QUIET)


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (lambda logits, batch: logits.mean(1), r"gives shape \(50,\): it must give one number"),
        (lambda logits, batch: 0.5, "gives float: it must give one number"),
    ],
)
def test_a_loss_gives_one_number(split, loss, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(net(), split, loss, epochs=1, **QUIET)


def test_a_bar_shows_the_loss_on_request(split, capsys, monkeypatch):
    train(net(), split, epochs=2, **QUIET)
    assert capsys.readouterr() == ("", "")

    def bar(steps, *, title, unit, shown):
        assert shown
        return tqdm(steps, desc=title, unit=unit)

    monkeypatch.setattr("kdhelpers.training.history.progress_bar", bar)
    train(net(), split, epochs=2, device="cpu")
    shown = capsys.readouterr().err
    assert "training" in shown
    assert "loss=" in shown


def test_a_history_reads_well():
    history = History([2.0, 0.5], [0.7, 0.91], 1.25, 40, False, "cpu")
    assert repr(history) == (
        "History(2 epochs, 40 steps in 1.2 s on cpu, loss 2.000 → 0.500, validation accuracy 91.0%)"
    )
    assert repr(History(interrupted=True)) == "History(0 epochs, 0 steps in 0.0 s on cpu, interrupted)"


def test_the_loop_can_be_printed_and_read():
    source = inspect.getsource(train)
    assert "value.backward()" in source
    body = source.split('"""')[2]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30
    assert "learning_rate" in inspect.signature(train).parameters
