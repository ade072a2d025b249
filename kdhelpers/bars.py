"""Progress bars for whatever takes longer than a moment, on every kind of screen."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from kdhelpers.frontend import has_widgets, in_notebook


def progress_bar(total: int, unit: str, *, shown: bool = True, title: str = "") -> tqdm[Any]:
    """A bar that suits the place: a widget in a notebook, a line in a terminal, nothing in a saved run.

    It appears after a second and leaves when it is done, so quick work shows none.

    Args:
        total: How many units there are.
        unit: What is counted, such as "epoch".
        shown: False keeps it quiet everywhere.
        title: What stands before the bar.

    Returns:
        A tqdm bar: call ``update(n)``, and ``close()`` at the end or use it in a ``with``.

    Example:
        >>> with progress_bar(3, "epoch", shown=False) as bar:
        ...     bar.update(1)
    """
    kind: type[tqdm[Any]] = tqdm
    # None asks tqdm itself: it stays quiet where the output is a file.
    quiet: bool | None = None if shown else True
    if shown and has_widgets():
        from tqdm.notebook import tqdm_notebook

        kind, quiet = tqdm_notebook, False
    elif in_notebook():
        quiet = True
    return kind(total=total, unit=f" {unit}", desc=title or None, disable=quiet, leave=False, delay=1)
