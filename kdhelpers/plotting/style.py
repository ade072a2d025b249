"""One look for all figures: readable on a projector, in print, and for colour-blind readers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from kdhelpers.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe-Ito, darkest first; yellow is left out: it cannot be read on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Colour is never alone: each series has its own marker and line as well.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
INK = "#222222"
WIDTH_PIXELS = 1000

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#666666",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
}


def styled() -> AbstractContextManager[None]:
    """The course's style, for the length of a ``with`` block; global settings stay as they were.

    Example:
        >>> import matplotlib
        >>> before = matplotlib.rcParams["font.size"]
        >>> with styled():
        ...     inside = matplotlib.rcParams["font.size"]
        >>> inside, matplotlib.rcParams["font.size"] == before
        (13.0, True)
    """
    matplotlib = need("matplotlib", extra="course")
    cycler = need("cycler", extra="course").cycler
    context: AbstractContextManager[None] = matplotlib.rc_context(
        {**STYLE, "axes.prop_cycle": cycler(color=PALETTE)}
    )
    return context


def new_figure(columns: int = 1, rows: int = 1, width: float = 10, height: float = 4.5) -> tuple[Figure, Any]:
    """An empty figure in the course's style.

    It belongs to no window and no global list, so it is gone when nobody holds it.

    Args:
        columns: Panels side by side.
        rows: Panels above each other.
        width: Inches; whatever it is, the picture is shown 1,000 pixels wide.
        height: Inches.

    Returns:
        The figure, and its axes: one Axes for one panel, else an array as by ``plt.subplots``.

    Raises:
        ImportError: matplotlib is not installed.

    Example:
        >>> figure, (left, right) = new_figure(columns=2)
        >>> len(figure.axes)
        2
    """
    with styled():
        figure = need("matplotlib.figure", extra="course").Figure(
            figsize=(width, height), layout="constrained"
        )
        # On a dark theme the white sheet needs a margin of its own.
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
        return figure, figure.subplots(rows, columns)


def series_style(ax: Axes, index: int | None = None) -> dict[str, Any]:
    """Colour, marker and line of a series: the next unused ones, or those of a given number.

    Args:
        ax: Where it will be drawn.
        index: A fixed number, to give the same thing the same look in several panels.

    Example:
        >>> figure, ax = new_figure()
        >>> series_style(ax)["marker"]
        'o'
    """
    if index is None:
        index = sum(artist.get_gid() == "series" for artist in ax.get_children())
    look = index % len(PALETTE)
    return {"color": PALETTE[look], "marker": MARKERS[look], "linestyle": LINES[look]}
