"""Progress bars for whatever takes longer than a moment, on every kind of screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from kdhelpers.frontend import has_widgets, in_notebook


def progress_bar(
    steps: Iterable[Any] | None = None,
    *,
    title: str,
    unit: str,
    total: int | None = None,
    shown: bool = True,
) -> tqdm[Any]:
    """A bar that suits the place: a widget in a notebook, a line in a terminal, nothing in a saved run.

    It appears after a second and leaves when all is done, so that quick work shows none.

    Args:
        steps: What to go through; None for a bar that is moved by ``update(n)``.
        title: What stands before the bar.
        unit: What is counted, such as "epoch".
        total: How many, where `steps` does not tell.
        shown: False keeps it quiet everywhere.

    Example:
        >>> [step for step in progress_bar(range(3), title="counting", unit="step", shown=False)]
        [0, 1, 2]
    """
    kind: Any = tqdm
    # None leaves it to tqdm, which is quiet where the output is no screen.
    quiet: bool | None = None if shown else True
    if shown and has_widgets():
        from tqdm.notebook import tqdm_notebook

        kind, quiet = tqdm_notebook, False
    elif in_notebook():
        quiet = True
    bar: tqdm[Any] = kind(
        steps, total=total, desc=title, unit=f" {unit}", disable=quiet, leave=False, delay=1
    )
    return bar
