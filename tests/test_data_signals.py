from __future__ import annotations

import numpy as np
import pytest
import torch

from kdhelpers.data import load_mnist1d, signals

CHUNK = 20  # as signals_made has it, in conftest.py


@pytest.fixture
def small(monkeypatch):
    """The same loader, making 70 signals instead of 6,000."""
    monkeypatch.setattr(signals, "PUBLISHED_SIZE", 50)
    monkeypatch.setattr(signals, "VALIDATION_SIZE", 20)
    monkeypatch.setattr(signals, "CHUNK", CHUNK)


@pytest.mark.whole
def test_default_is_the_published_set_in_its_order(signals_made):
    import mnist1d.data

    settings, theirs = signals_made.calls[0]
    # mnist1d's output depends on these settings alone: it seeds itself from them.
    assert settings == mnist1d.data.get_dataset_args(as_dict=True)
    for split, inputs, labels in (
        (signals_made.task.train, theirs["x"], theirs["y"]),
        (signals_made.task.test, theirs["x_test"], theirs["y_test"]),
    ):
        assert torch.equal(split.inputs, torch.from_numpy(inputs).float())
        assert split.labels.tolist() == labels.tolist()


def test_small_sets_equal_mnist1ds_own(small):
    import mnist1d.data

    settings = mnist1d.data.get_dataset_args()
    settings.num_samples = 50
    theirs, task = mnist1d.data.make_dataset(settings), load_mnist1d(progress=False)
    assert torch.equal(task.train.inputs, torch.from_numpy(theirs["x"]).float())
    assert torch.equal(task.test.inputs, torch.from_numpy(theirs["x_test"]).float())


@pytest.mark.whole
def test_sizes_shapes_and_ids(signals_made):
    task = signals_made.task
    assert {name: len(split) for name, split in task.splits.items()} == {
        "train": 4000,
        "validation": 1000,
        "test": 1000,
        "pool": 43,
    }
    for split in task.splits.values():
        assert split.inputs.shape[1:] == (40,)
        assert split.inputs.dtype == torch.float32
        assert split.inputs.isfinite().all()
    assert task.validation.labels.bincount().tolist() == [100] * 10
    assert task.pool.labels is None
    assert (task.train.ids[0], task.test.ids[-1], task.validation.ids[7], task.pool.ids[42]) == (
        "train-00000",
        "test-00999",
        "validation-00007",
        "pool-000042",
    )


@pytest.mark.whole
def test_no_signal_is_in_two_splits(signals_made):
    task = signals_made.task
    signals_seen = torch.cat([split.inputs for split in task.splits.values()])
    assert len(signals_seen.unique(dim=0)) == len(signals_seen)


@pytest.mark.whole
def test_global_random_states_are_untouched(signals_made):
    assert signals_made.states_kept


@pytest.mark.whole
def test_a_longer_pool_begins_with_the_shorter(signals_made, small):
    for size in (1, CHUNK, 2 * CHUNK + 1, 3 * CHUNK):
        pool = load_mnist1d(pool=size, progress=False).pool
        assert len(pool) == size
        shared = min(size, 43)
        assert torch.equal(pool.inputs[:shared], signals_made.task.pool.inputs[:shared])
        assert pool.ids[:shared] == signals_made.task.pool.ids[:shared]


def test_another_seed_changes_every_split(small):
    one, two = (load_mnist1d(pool=30, seed=seed, progress=False) for seed in (1, 2))
    every = torch.cat([split.inputs for task in (one, two) for split in task.splits.values()])
    assert len(every.unique(dim=0)) == len(every) == 200
    again = load_mnist1d(pool=30, seed=1, progress=False)
    for name, split in again.splits.items():
        assert torch.equal(split.inputs, one.splits[name].inputs)


def test_no_pool_unless_asked_for(small):
    assert load_mnist1d(progress=False).pool is None


def test_random_states_are_kept_when_the_generator_fails(small, monkeypatch):
    import mnist1d.data

    def fails(settings):
        np.random.seed(0)
        raise RuntimeError("broken")

    monkeypatch.setattr(mnist1d.data, "make_dataset", fails)
    np.random.seed(9)
    expected = np.random.RandomState(9).rand()
    with pytest.raises(RuntimeError, match="broken"):
        load_mnist1d(progress=False)
    assert np.random.rand() == expected


@pytest.mark.parametrize("wrong", [{"pool": -1}, {"seed": -1}])
def test_negative_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="pool and seed must be 0 or more"):
        load_mnist1d(**wrong)


def test_without_mnist1d_the_install_command_is_given(monkeypatch):
    def missing(module):
        raise ModuleNotFoundError("No module named 'mnist1d'", name="mnist1d")

    monkeypatch.setattr("kdhelpers.extras.importlib.import_module", missing)
    with pytest.raises(ImportError, match=r"mnist1d.*pip install 'kdhelpers\[course\]'"):
        load_mnist1d(progress=False)
