"""Figures used twice or more, each shown with its description."""

from kdhelpers.plotting.drawing import (
    bars_with_intervals,
    lines_with_intervals,
    plot_signals,
)
from kdhelpers.plotting.reliability import reliability_diagram
from kdhelpers.plotting.showing import explore, show
from kdhelpers.plotting.style import PALETTE, new_figure
from kdhelpers.plotting.tradeoff import scatter_tradeoff

__all__ = [
    "PALETTE",
    "bars_with_intervals",
    "explore",
    "lines_with_intervals",
    "new_figure",
    "plot_signals",
    "reliability_diagram",
    "scatter_tradeoff",
    "show",
]
