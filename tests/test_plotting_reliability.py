from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from kdhelpers.data import Split
from kdhelpers.evaluation import Estimate, Reliability, evaluate, reliability
from kdhelpers.plotting import new_figure, reliability_diagram


def some(seed):
    logits = 2 * torch.randn(200, 4, generator=torch.Generator().manual_seed(seed))
    return reliability(evaluate(nn.Identity(), Split(range(200), logits, torch.arange(200) % 4)))


def test_each_bin_is_a_point_with_its_interval():
    found = some(0)
    _, ax = new_figure()
    reliability_diagram(ax, found, "student")
    (line,) = [one for one in ax.lines if one.get_gid() == "series"]
    assert np.allclose(line.get_xdata(), [one.confidence for one in found.bins])
    assert np.allclose(line.get_ydata(), [one.accuracy.value for one in found.bins])
    ends = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    assert np.allclose(ends, [(one.accuracy.low, one.accuracy.high) for one in found.bins])


def test_models_in_one_picture_look_different_and_the_line_of_honesty_is_there():
    _, ax = new_figure()
    reliability_diagram(ax, some(0), "before")
    reliability_diagram(ax, some(1), "after")
    first, second = [one for one in ax.lines if one.get_gid() == "series"]
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert any(np.allclose(one.get_xdata(), one.get_ydata()) for one in ax.lines)
    assert ax.get_xlim() == ax.get_ylim() == (0, 1)


def test_nothing_to_draw_gets_a_sentence():
    with pytest.raises(ValueError, match="no bin to draw"):
        reliability_diagram(new_figure()[1], Reliability((), Estimate(0, 0, 0, 1)), "none")
