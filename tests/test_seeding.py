from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from kdhelpers.seeding import generator, seed_everything, seeded


def draw():
    return random.random(), float(np.random.rand()), torch.rand(1).item()


def test_all_three_generators_repeat_from_a_seed():
    seed_everything(7)
    first = draw()
    seed_everything(7)
    assert draw() == first
    seed_everything(8)
    assert not set(draw()) & set(first)


def test_generators_are_alike_by_seed_and_disturb_nothing():
    seed_everything(1)
    undisturbed = draw()
    seed_everything(1)
    first, second, other = generator(3), generator(3), generator(4)
    numbers = [torch.rand(50, generator=one) for one in (first, second, other)]
    assert draw() == undisturbed
    assert torch.equal(numbers[0], numbers[1])
    assert not torch.equal(numbers[0], numbers[2])
    assert first.device.type == "cpu"


def test_seeded_builds_the_same_and_leaves_the_global_state():
    seed_everything(1)
    undisturbed = draw()
    seed_everything(1)
    first = seeded(draw, 5)
    assert draw() == undisturbed
    assert seeded(draw, 5) == first
    assert seeded(draw, 6) != first
    seed_everything(5)
    assert draw() == first


def test_seeded_restores_the_state_when_building_fails():
    def broken():
        draw()
        raise RuntimeError("no model today")

    seed_everything(1)
    undisturbed = draw()
    seed_everything(1)
    with pytest.raises(RuntimeError, match="no model today"):
        seeded(broken, 5)
    assert draw() == undisturbed


def test_seeded_inside_seeded():
    def outer():
        before = draw()
        seeded(draw, 99)
        return before, draw()

    def plain():
        return draw(), draw()

    assert seeded(outer, 3) == seeded(plain, 3)


def test_seeded_keeps_the_states_of_accelerators(monkeypatch):
    states, restored = [torch.tensor([1]), torch.tensor([2])], {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", lambda found: restored.update(cuda=found))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: states[0])
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda found: restored.update(mps=found))
    # Seeding itself would reach for the device that is only pretended here.
    monkeypatch.setattr(torch, "manual_seed", torch.default_generator.manual_seed)
    seeded(draw, 0)
    assert restored == {"cuda": states, "mps": states[0]}


@pytest.mark.parametrize("seed", [np.int64(5), 2**32 - 1, 0])
def test_seeds_at_the_edges_are_taken(seed):
    assert seeded(draw, seed) == seeded(draw, int(seed))


@pytest.mark.parametrize("use", [seed_everything, generator, lambda seed: seeded(draw, seed)])
@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "7", None])
def test_what_is_no_seed_is_refused(use, seed):
    with pytest.raises(ValueError, match="The seed is") as error:
        use(seed)
    assert str(error.value) == f"The seed is {seed!r}; give a whole number from 0 to 4294967295."
