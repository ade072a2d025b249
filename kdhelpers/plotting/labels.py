"""Names beside points, where they overlap least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kdhelpers.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Right, left, above, below, the corners and beyond, in points from the marker; the earlier is preferred.
SPOTS = (
    (9, 0, "left", "center"),
    (-9, 0, "right", "center"),
    (0, 10, "center", "bottom"),
    (0, -10, "center", "top"),
    (7, 8, "left", "bottom"),
    (7, -8, "left", "top"),
    (-7, 8, "right", "bottom"),
    (-7, -8, "right", "top"),
    (7, 23, "left", "bottom"),
    (7, -23, "left", "top"),
    (-7, 23, "right", "bottom"),
    (-7, -23, "right", "top"),
)
FONT_SIZE = 12


def place_labels(
    ax: Axes, x: Any, y: Any, names: Sequence[str], *, diameters: Any = 9.0, lines: Any = ()
) -> None:
    """Write each name beside its point, at the first spot that hits no other name, point or line.

    Args:
        ax: Where the points are; its limits should be final.
        x: ``(n,)`` data positions.
        y: ``(n,)`` data positions.
        names: n names.
        diameters: Of the points, one for all or ``(n,)``, in points of 1/72 inch.
        lines: ``(m, 2, 2)`` upright and level lines in data positions, by their ends, that names keep off.

    Example:
        >>> from kdhelpers.plotting import new_figure
        >>> figure, ax = new_figure()
        >>> place_labels(ax, [0.5], [0.5], ["here"])
        >>> ax.texts[0].get_text()
        'here'
    """
    figure = ax.figure
    figure.draw_without_rendering()  # type: ignore[union-attr]  # the layout decides where points are
    points = ax.transData.transform(np.column_stack([x, y]))
    scale = figure.dpi / 72
    frame = ax.get_window_extent()
    sides = (np.broadcast_to(diameters, len(points)) + 3) * scale
    taken = [
        _box(px, py, side, side, "center", "center") for (px, py), side in zip(points, sides, strict=True)
    ]
    obstacles = [_line_box(ax, line, scale) for line in lines]
    if legend := ax.get_legend():
        obstacles.append(legend.get_window_extent().extents)
    halo = need("matplotlib.patheffects", extra="course").withStroke(linewidth=3, foreground="white")
    for row, name in enumerate(names):
        width, height = len(name) * FONT_SIZE * 0.58 * scale, FONT_SIZE * 1.3 * scale
        others = obstacles + [box for number, box in enumerate(taken) if number != row]
        # The spots are those of a marker of 9 points; beside a larger one they are further away.
        away = sides[row] / scale / 2 + 3
        spots = [(dx / 9 * away, dy / 9 * away, across, up) for dx, dy, across, up in SPOTS]
        tries = [
            _box(points[row][0] + dx * scale, points[row][1] + dy * scale, width, height, across, up)
            for dx, dy, across, up in spots
        ]
        costs = [sum(_overlap(box, other) for other in others) + _outside(box, frame) for box in tries]
        best = int(np.argmin(np.round(costs, 1)))
        dx, dy, across, up = spots[best]
        ax.annotate(
            name,
            (x[row], y[row]),
            (dx, dy),
            textcoords="offset points",
            ha=across,
            va=up,
            fontsize=FONT_SIZE,
            path_effects=[halo],
        )
        taken.append(tries[best])


def _box(x: float, y: float, width: float, height: float, across: str, up: str) -> tuple[float, ...]:
    left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[across] * width
    bottom = y - {"bottom": 0.0, "center": 0.5, "top": 1.0}[up] * height
    return left, bottom, left + width, bottom + height


def _line_box(ax: Axes, ends: Any, scale: float) -> tuple[float, ...]:
    (left, bottom), (right, top) = np.sort(ax.transData.transform(ends), axis=0)
    return left - scale, bottom - scale, right + scale, top + scale


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0.0) * max(high, 0.0)


def _outside(box: tuple[float, ...], frame: Any) -> float:
    inside = _overlap(box, (frame.x0, frame.y0, frame.x1, frame.y1))
    return (box[2] - box[0]) * (box[3] - box[1]) - inside
