"""The reliability diagram: how often a model is right, by how sure it says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .drawing import percent_axis
from .style import INK, series_style, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..evaluation import Reliability


def reliability_diagram(ax: Axes, found: Reliability, label: str, *, index: int | None = None) -> None:
    """Draw accuracy over confidence with intervals; on the dotted line both are equal.

    Points below the line promise more than they keep. The number of rows of each point is not drawn, but its
    interval tells it: few rows make a long one.
    Source: DeGroot & Fienberg 1983, "The comparison and evaluation of forecasters".

    Args:
        ax: Where to draw; several models may share it.
        found: What ``kdhelpers.evaluation.reliability`` gives.
        label: The name in the legend.
        index: A fixed colour and marker; default the next.

    Raises:
        ValueError: There is no bin to draw.

    Example:
        >>> import torch
        >>> from kdhelpers.data import Split
        >>> from kdhelpers.evaluation import evaluate, reliability
        >>> from kdhelpers.plotting import new_figure
        >>> split = Split(range(9), torch.eye(9), torch.arange(9))
        >>> figure, ax = new_figure()
        >>> reliability_diagram(ax, reliability(evaluate(torch.nn.Identity(), split)), "student")
        >>> ax.get_legend_handles_labels()[1]
        ['student']
    """
    if not found.bins:
        raise ValueError("There is no bin to draw: the reliability has no rows.")
    look = series_style(ax, index)
    confidence = np.array([one.confidence for one in found.bins])
    accuracy = [one.accuracy for one in found.bins]
    value, low, high = (np.array([getattr(e, end) for e in accuracy]) for end in ("value", "low", "high"))
    with styled():
        ax.plot([0, 1], [0, 1], ":", color=INK, linewidth=1.5, zorder=1)
        ax.vlines(confidence, low, high, color=look["color"], linewidth=1.6, alpha=0.7)
        ax.plot(confidence, value, label=label, gid="series", **look)
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence of the answer", ylabel="share that is right")
        percent_axis(ax.xaxis)
        percent_axis(ax.yaxis)
