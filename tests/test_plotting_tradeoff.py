"""Quality against cost: what no other beats, what is large, and names that can be read."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pytest

from kdhelpers.plotting import new_figure, scatter_tradeoff


class Estimate(NamedTuple):
    value: float
    low: float
    high: float


NAMES = [
    "teacher, float32",
    "teacher, int8 dynamic",
    "student, float32",
    "student, int8 dynamic",
    "cascade at 0.9",
    "logistic regression",
]
MILLISECONDS = [9.6, 4.1, 1.35, 1.1, 2.9, 0.98]
ACCURACY = [Estimate(v, v - 0.018, v + 0.018) for v in (0.912, 0.906, 0.881, 0.879, 0.905, 0.79)]
SIZES = [90.79e6, 23e6, 1.2e6, 0.4e6, 92e6, 2e5]
GROUPS = ["teacher", "teacher", "student", "student", "cascade", "other"]


def scattered(**options):
    _, ax = new_figure()
    scatter_tradeoff(ax, MILLISECONDS, ACCURACY, NAMES, **options)
    return ax


def artist(ax, gid):
    (found,) = [child for child in ax.get_children() if child.get_gid() == gid]
    return found


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("options", [{}, {"groups": GROUPS, "sizes": SIZES, "frontier": True}])
def test_names_lie_on_no_other_name_point_or_line(options):
    ax = scattered(**options)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == NAMES
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    frame = ax.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    points = ax.transData.transform(np.column_stack([MILLISECONDS, [e.value for e in ACCURACY]]))
    assert not any(box.contains(x, y) for box in boxes for x, y in points)
    if options:
        line = artist(ax, "frontier")
        steps = line.get_transform().transform_path(line.get_path()).interpolated(100).vertices
        assert not any(box.contains(x, y) for box in boxes for x, y in steps)
        assert not any(box.overlaps(ax.get_legend().get_window_extent()) for box in boxes)


def test_the_frontier_is_a_staircase_through_what_no_other_beats():
    _, ax = new_figure()
    scatter_tradeoff(
        ax, [3, 1, 2, 2, 5], [0.8, 0.7, 0.6, 0.75, 0.8], list("abcde"), frontier=True, log_x=False
    )
    line = artist(ax, "frontier")
    assert line.get_xydata().tolist() == [[1, 0.7], [2, 0.75], [3, 0.8]]
    assert line.get_drawstyle() == "steps-post"
    assert line.get_zorder() < min(points.get_zorder() for points in ax.collections)
    assert legend(ax) == ["not beaten by another"]


def test_one_point_is_its_own_frontier():
    _, ax = new_figure()
    scatter_tradeoff(ax, [3], [0.8], ["a"], frontier=True)
    assert artist(ax, "frontier").get_xydata().tolist() == [[3, 0.8]]


def test_the_line_does_not_change_the_looks_of_the_groups():
    plain, with_line = scattered(groups=GROUPS), scattered(groups=GROUPS, frontier=True, sizes=SIZES)
    looks = [
        [(line.get_color(), line.get_marker()) for line in ax.lines if line.get_gid() == "series"]
        for ax in (plain, with_line)
    ]
    assert looks[0] == looks[1]
    assert len(set(looks[0])) == 4
    assert legend(with_line) == [*dict.fromkeys(GROUPS), "not beaten by another", "size: 200 kB to 92 MB"]
    assert scattered().get_legend() is None


@pytest.mark.parametrize(
    ("sizes", "widths"),
    [
        ([1e4, 1e5, 1e6], [9, 17, 25]),
        ([7e3, 7e3, 7e3], [9, 9, 9]),
        ([1, 1e4, 1e8], [9, 17.5, 26]),
    ],
)
def test_ten_times_the_size_is_a_step_wider(sizes, widths):
    _, ax = new_figure()
    scatter_tradeoff(ax, [1, 2, 3], [0.1, 0.2, 0.3], ["a", "b", "c"], sizes=sizes)
    assert np.sqrt(ax.collections[0].get_sizes()) == pytest.approx(widths)
    assert len(legend(ax)) == 1


def test_sizes_are_said_shortly():
    _, ax = new_figure()
    scatter_tradeoff(ax, [1], [0.1], ["a"], sizes=[90_790_733])
    assert legend(ax) == ["size: 90.8 MB"]
    for wrong in ([0, 1, 1], [-1, 1, 1], [np.nan, 1, 1]):
        with pytest.raises(ValueError, match="Sizes must be above 0"):
            scatter_tradeoff(ax, [1, 2, 3], [0.1, 0.2, 0.3], ["a", "b", "c"], sizes=wrong)
    with pytest.raises(ValueError, match="sizes has 1 entries for 3 values"):
        scatter_tradeoff(ax, [1, 2, 3], [0.1, 0.2, 0.3], ["a", "b", "c"], sizes=[1])


@pytest.mark.parametrize(
    "ends",
    [(1, 10), (0.98, 9.6), (0.021, 0.055), (110, 190), (7, 7), (5e3, 9e4), (1e-3, 1e6), (1.2e6, 2.5e7)],
)
def test_the_ticks_of_a_logarithmic_axis_do_not_lie_on_each_other(ends):
    figure, (ax, _) = new_figure(columns=2)
    scatter_tradeoff(ax, ends, [0.7, 0.8], ["a", "b"])
    figure.draw_without_rendering()
    frame = ax.get_window_extent()
    every = [*ax.xaxis.get_ticklabels(), *ax.xaxis.get_ticklabels(minor=True)]
    labels = [label for label in every if label.get_text()]
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    seen = [box for box in boxes if frame.x0 <= (box.x0 + box.x1) / 2 <= frame.x1]
    assert len(seen) >= 2
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_ticks_of_thousands_are_short():
    figure, ax = new_figure()
    scatter_tradeoff(ax, [5e3, 9e4], [0.7, 0.8], ["a", "b"])
    figure.draw_without_rendering()
    assert {"5000", "10k", "20k", "50k"} <= {label.get_text() for label in ax.get_xticklabels()}
