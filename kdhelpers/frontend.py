"""Where are we shown? A notebook with widgets, a notebook without, or a plain terminal."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any


def _shell() -> Any:
    # IPython is asked only if somebody already started it: importing it here would cost half a second.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def in_notebook() -> bool:
    """Whether output goes to a notebook (a Jupyter kernel, Colab, VS Code).

    Example:
        >>> in_notebook()
        False
    """
    return "Terminal" not in type(_shell()).__name__ and _shell() is not None


def has_widgets() -> bool:
    """Whether a live control can be shown: a notebook, ipywidgets, and KDHELPERS_WIDGETS not "0".

    Runs without a reader set ``KDHELPERS_WIDGETS=0``, so that what they save reads well on the web.

    Example:
        >>> has_widgets()
        False
    """
    wanted = os.environ.get("KDHELPERS_WIDGETS", "1") != "0"
    return wanted and in_notebook() and importlib.util.find_spec("ipywidgets") is not None


def show_html(html: str, text: str) -> None:
    """Show HTML in a notebook, and the same in plain text elsewhere.

    Args:
        html: What a notebook shows.
        text: What a terminal (or a screen reader of raw notebooks) gets.

    Example:
        >>> show_html("<b>72%</b>", "72%")
        72%
    """
    _show({"text/html": html, "text/plain": text}, text)


def show_markdown(markdown: str) -> None:
    """Show Markdown in a notebook, and its source elsewhere.

    Example:
        >>> show_markdown("a **bold** claim")
        a **bold** claim
    """
    _show({"text/markdown": markdown, "text/plain": markdown}, markdown)


def _show(bundle: dict[str, str], text: str) -> None:
    if in_notebook():
        from IPython.display import display

        display(bundle, raw=True)
    else:
        print(text)
