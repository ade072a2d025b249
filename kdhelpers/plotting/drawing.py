"""The charts that lessons draw more than once; intervals are always shown when there are any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kdhelpers.extras import need
from kdhelpers.plotting.style import INK, PALETTE, new_figure, series_style, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def lines_with_intervals(
    ax: Axes,
    x: Sequence[float],
    estimates: Sequence[Any],
    label: str,
    *,
    index: int | None = None,
    log_x: bool = False,
    percent: bool = True,
) -> None:
    """Draw one series as a line with markers and a band for its intervals.

    Args:
        ax: Where to draw.
        x: Positions, n of them.
        estimates: n numbers, or n objects with ``.value``, ``.low`` and ``.high``.
        label: The name in the legend.
        index: A fixed colour and marker; default the next.
        log_x: Whether the x axis is logarithmic, with the positions themselves as its ticks.
        percent: Whether the values are shares, shown in per cent.

    Raises:
        ValueError: Lengths differ, or there is nothing to draw.

    Example:
        >>> figure, ax = new_figure()
        >>> lines_with_intervals(ax, [1, 2, 4], [0.5, 0.6, 0.7], "student")
        >>> ax.get_legend_handles_labels()[1]
        ['student']
    """
    value, low, high = bounds(estimates)
    same_length("x", x, value)
    look = series_style(ax, index)
    with styled():
        ax.plot(x, value, label=label, gid="series", **look)
        if (high > low).any():
            ax.fill_between(x, low, high, color=look["color"], alpha=0.18, linewidth=0)
        if log_x:
            ax.set_xscale("log")
            ax.set_xticks(x, [f"{position:g}" for position in x])
            ax.set_xticks([], minor=True)
        if percent:
            percent_axis(ax.yaxis)


def bars_with_intervals(
    ax: Axes,
    names: Sequence[str],
    estimates: Sequence[Any],
    *,
    highlight: str | None = None,
    percent: bool = True,
) -> None:
    """Draw one horizontal bar a name, first on top, with its value written and its interval as a line.

    Args:
        ax: Where to draw.
        names: n names.
        estimates: n numbers, or n objects with ``.value``, ``.low`` and ``.high``.
        highlight: The name whose bar stands out.
        percent: Whether the values are shares, shown in per cent.

    Raises:
        ValueError: Lengths differ, nothing to draw, or ``highlight`` is not one of the names.

    Example:
        >>> figure, ax = new_figure()
        >>> bars_with_intervals(ax, ["teacher", "student"], [0.94, 0.91])
        >>> [text.get_text() for text in ax.texts]
        ['94.0%', '91.0%']
    """
    value, low, high = bounds(estimates)
    same_length("names", names, value)
    if highlight is not None and highlight not in names:
        raise ValueError(f"{highlight!r} is not among the names: nothing to highlight.")
    rows = np.arange(len(value))
    colours = [PALETTE[1] if name == highlight else PALETTE[0] for name in names]
    with styled():
        ax.barh(rows, value, color=colours, height=0.62)
        _whiskers(ax, rows, value, low, high)
        for row, number, end in zip(rows, value, np.maximum(value, high), strict=True):
            said = f"{number:.1%}" if percent else f"{number:.3g}"
            ax.annotate(said, (end, row), (6, 0), textcoords="offset points", va="center", fontsize=13)
        ax.set_yticks(rows, names)
        ax.invert_yaxis()
        ax.grid(visible=False, axis="y")
        ax.margins(x=0.12)
        if percent:
            percent_axis(ax.xaxis)


def plot_signals(
    signals: Any,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
    colours: Sequence[str] | None = None,
) -> Figure:
    """Draw signals as small panels that share their scale.

    Args:
        signals: ``(n, length)``, a tensor or array.
        titles: n titles.
        columns: Panels in a row.
        colours: n colours, such as entries of ``PALETTE``.

    Raises:
        ValueError: Not two-dimensional, empty, or another number of titles or colours.

    Example:
        >>> figure = plot_signals(torch.randn(4, 40), titles=["0", "1", "2", "3"], columns=4)
        >>> len(figure.axes)
        4
    """
    values = torch.as_tensor(signals).detach().cpu().numpy()
    if values.ndim != 2 or not len(values):
        raise ValueError(f"Signals are (n, length) with n at least 1; got shape {tuple(values.shape)}.")
    for name, given in (("titles", titles), ("colours", colours)):
        if given is not None:
            same_length(name, given, values)
    columns = min(columns, len(values))
    rows = -(-len(values) // columns)
    figure, axes = new_figure(columns, rows, height=max(1.9 * rows, 2.4))
    reach = float(np.abs(values).max()) * 1.1 or 1.0
    with styled():
        for number, ax in enumerate(np.atleast_1d(axes).flat):
            ax.set_axis_off()
            if number >= len(values):
                continue
            ax.axhline(0, color="#cccccc", linewidth=0.8)
            ax.plot(values[number], color=colours[number] if colours else PALETTE[0], linewidth=1.8)
            ax.set_ylim(-reach, reach)
            ax.set_title(titles[number] if titles else "", fontsize=13, loc="center", fontweight="normal")
    return figure


def bounds(estimates: Sequence[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Values, lower and upper ends of numbers or estimates, each ``(n,)``.

    Raises:
        ValueError: There are none.

    Example:
        >>> [part.tolist() for part in bounds([0.5])]
        [[0.5], [0.5], [0.5]]
    """
    if not len(estimates):
        raise ValueError("There is nothing to draw: the list of values is empty.")
    rows = [
        (e.value, e.low, e.high) if hasattr(e, "low") else (float(e), float(e), float(e)) for e in estimates
    ]
    value, low, high = np.asarray(rows, dtype=np.float64).T
    return value, low, high


def _whiskers(ax: Axes, rows: Any, value: Any, low: Any, high: Any) -> None:
    if (high > low).any():
        reach = np.stack([value - low, high - value])
        ax.errorbar(value, rows, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.8, capsize=4)


def percent_axis(axis: Any) -> None:
    """Show the shares on an axis in per cent.

    Example:
        >>> figure, ax = new_figure()
        >>> percent_axis(ax.yaxis)
        >>> ax.yaxis.get_major_formatter()(0.5)
        '50%'
    """
    axis.set_major_formatter(need("matplotlib.ticker", extra="course").PercentFormatter(xmax=1))


def same_length(name: str, given: Any, values: Any) -> None:
    """Refuse what has not one entry a value.

    Raises:
        ValueError: There are more or fewer.

    Example:
        >>> same_length("names", ["a"], [1, 2])
        Traceback (most recent call last):
        ValueError: names has 1 entries for 2 values: give one each.
    """
    if len(given) != len(values):
        raise ValueError(f"{name} has {len(given)} entries for {len(values)} values: give one each.")
