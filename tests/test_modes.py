"""Modes are borrowed, and given back part by part."""

import pytest
from torch import nn

from kdhelpers.modes import in_mode


@pytest.fixture
def model():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    model[1].eval()  # a frozen part in a model that trains
    return model


@pytest.mark.parametrize("training", [True, False])
def test_inside_all_parts_have_the_mode_asked_for(model, training):
    with in_mode(model, training=training):
        assert {part.training for part in model.modules()} == {training}


@pytest.mark.parametrize("training", [True, False])
def test_afterwards_every_part_has_its_own_mode(model, training):
    with pytest.raises(RuntimeError), in_mode(model, training=training):
        raise RuntimeError
    assert [part.training for part in model.modules()] == [True, True, False]
