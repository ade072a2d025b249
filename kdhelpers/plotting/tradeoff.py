"""Quality against cost: the chart by which a model is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from kdhelpers.evaluation.frontier import unbeaten
from kdhelpers.extras import need
from kdhelpers.plotting.drawing import bounds, percent_axis, same_length
from kdhelpers.plotting.labels import place_labels
from kdhelpers.plotting.style import series_style, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

GREY = "#777777"
DIAMETER = 9.0
# A marker's diameter grows by so much with each tenfold size from the usual one, but not beyond the largest.
PER_DECADE, LARGEST = 8.0, 26.0


def scatter_tradeoff(
    ax: Axes,
    x: Sequence[float],
    y: Sequence[Any],
    names: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    sizes: Sequence[float] | None = None,
    frontier: bool = False,
    log_x: bool = True,
    percent: bool = True,
) -> None:
    """Draw quality against cost: one named point each, with its interval.

    Args:
        ax: Where to draw.
        x: n costs (parameters, milliseconds, ...); less is better.
        y: n numbers, or n objects with ``.value``, ``.low`` and ``.high``; more is better.
        names: n names, written beside the points where they overlap least.
        groups: n group names; each group has its colour, marker and legend entry.
        sizes: n sizes in bytes, shown by the points: ten times the bytes make a marker wider by the same
            step wherever they start.
        frontier: Whether to draw a line through the points that no other beats (see `unbeaten`).
        log_x: Whether the cost axis is logarithmic.
        percent: Whether y is a share, shown in per cent.

    Raises:
        ValueError: Lengths differ, nothing to draw, a cost that is not positive on a logarithmic axis, or a
            size that is not positive.

    Example:
        >>> from kdhelpers.plotting import new_figure
        >>> figure, ax = new_figure()
        >>> scatter_tradeoff(ax, [1e3, 1e5], [0.8, 0.9], ["small", "large"], frontier=True)
        >>> [text.get_text() for text in ax.texts]
        ['small', 'large']
    """
    value, low, high = bounds(y)
    kinds = list(groups) if groups is not None else [""] * len(value)
    for name, given in (("x", x), ("names", names), ("groups", kinds)):
        same_length(name, given, value)
    cost = np.asarray(x, dtype=float)
    if log_x and not (cost > 0).all():
        raise ValueError("A logarithmic axis needs costs above 0: pass log_x=False.")
    wide = _diameters(sizes, value)
    with styled():
        if log_x:
            ax.set_xscale("log")
        for kind in dict.fromkeys(kinds):
            rows = [row for row, name in enumerate(kinds) if name == kind]
            _group(ax, cost[rows], value[rows], low[rows], high[rows], wide[rows], kind)
        lines = [((at, least), (at, most)) for at, least, most in zip(cost, low, high, strict=True)]
        if frontier:
            lines += _staircase(ax, cost, value)
        if sizes is not None:
            ax.plot([], [], "o", color=GREY, markersize=DIAMETER, label=_sizes_said(sizes), gid="sizes")
        if groups is not None or frontier or sizes is not None:
            ax.legend().set_zorder(2)  # below the points, should they meet
        if percent:
            percent_axis(ax.yaxis)
        ax.margins(x=0.12, y=0.15)
        if log_x:
            _log_ticks(ax)
        place_labels(ax, cost, value, names, diameters=wide, lines=lines)


def _diameters(sizes: Sequence[float] | None, value: NDArray[np.float64]) -> NDArray[np.float64]:
    if sizes is None:
        return np.full(len(value), DIAMETER)
    same_length("sizes", sizes, value)
    given = np.asarray(sizes, dtype=float)
    if not (np.isfinite(given) & (given > 0)).all():
        raise ValueError("Sizes must be above 0: give the bytes of each model.")
    decades = np.log10(given / given.min())
    step = min(PER_DECADE, (LARGEST - DIAMETER) / max(decades.max(), 1))
    return np.asarray(DIAMETER + step * decades)


def _group(ax: Axes, x: Any, value: Any, low: Any, high: Any, wide: Any, kind: str) -> None:
    look = series_style(ax)
    # A line without points, for the legend: there all groups have markers of one size.
    ax.plot([], [], gid="series", label=kind or None, **{**look, "linestyle": "none", "markersize": DIAMETER})
    ax.scatter(x, value, s=wide**2, color=look["color"], marker=look["marker"], zorder=3)
    if (high > low).any():
        reach = np.stack([value - low, high - value])
        ax.errorbar(x, value, reach, fmt="none", ecolor=look["color"], elinewidth=1.5, capsize=3, alpha=0.6)


def _staircase(ax: Axes, cost: NDArray[np.float64], value: NDArray[np.float64]) -> list[Any]:
    """The line through what no other beats, and its level and upright parts by their ends."""
    rows = unbeaten(cost, value).nonzero()[0]
    rows = rows[np.argsort(cost[rows], kind="stable")]
    line: dict[str, Any] = dict(
        color=GREY, linewidth=1.3, zorder=1, drawstyle="steps-post", label="not beaten by another"
    )
    ax.plot(cost[rows], value[rows], gid="frontier", **line)
    points = list(zip(cost[rows], value[rows], strict=True))
    corners = [(after[0], before[1]) for before, after in pairwise(points)]
    return [*zip(points[:-1], corners, strict=True), *zip(corners, points[1:], strict=True)]


def _sizes_said(sizes: Sequence[float]) -> str:
    write = need("matplotlib.ticker", extra="course").EngFormatter(unit="B")
    ends = [write(float(f"{size:.3g}")) for size in (min(sizes), max(sizes))]
    return f"size: {' to '.join(dict.fromkeys(ends))}"


def _log_ticks(ax: Axes) -> None:
    """Ticks that are few enough to be read: powers of ten, or 1, 2 and 5 where there are hardly any."""
    ticker = need("matplotlib.ticker", extra="course")
    low, high = ax.get_xlim()
    ax.xaxis.set_minor_formatter(ticker.NullFormatter())
    if high / low < 100:
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        short = ticker.EngFormatter(sep="")  # 20k; below 1 its 500m would seem to be a unit
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}" if x < 1e4 else short(x))
