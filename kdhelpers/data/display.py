"""How splits and tasks look in a notebook: tables that read well on light and dark themes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from torch import Tensor

# No colours of our own: text inherits the theme's, and lines are see-through grey.
_LEFT = "text-align: left; padding: 0.2em 0.8em; border-bottom: 1px solid rgba(128, 128, 128, 0.35)"
_RIGHT = _LEFT.replace("left", "right", 1)


def html_table(rows: Sequence[Sequence[str]], header: Sequence[str] = (), caption: str = "") -> str:
    """A small HTML table; the first column heads its row. With a header, the other columns hold numbers.

    Example:
        >>> "<th scope='row'" in html_table([["train", "4,000"]])
        True
    """
    style = _RIGHT if header else _LEFT  # numbers are compared digit below digit
    heads = [(name, style if at else _LEFT) for at, name in enumerate(header)]
    head = "".join(f"<th scope='col' style='{side}'>{escape(name)}</th>" for name, side in heads)
    lines = [f"<tr>{head}</tr>"] if header else []
    for first, *others in rows:
        cells = "".join(f"<td style='{style}'>{escape(text)}</td>" for text in others)
        lines.append(f"<tr><th scope='row' style='{_LEFT}'>{escape(first)}</th>{cells}</tr>")
    title = (
        f"<caption style='text-align: left; color: inherit'>{escape(caption)}</caption>" if caption else ""
    )
    return f"<table style='border-collapse: collapse; color: inherit'>{title}{''.join(lines)}</table>"


def kind_of(inputs: Tensor | list[str]) -> str:
    """What a row is: "texts", or "(40,) float32".

    Example:
        >>> kind_of(["hello"])
        'texts'
    """
    if isinstance(inputs, Tensor):
        return f"{tuple(inputs.shape[1:])} {str(inputs.dtype).removeprefix('torch.')}"
    return "texts"


def rows_said(n: int) -> str:
    """How many rows, in words that fit.

    Example:
        >>> rows_said(1), rows_said(4000)
        ('1 row', '4,000 rows')
    """
    return "1 row" if n == 1 else f"{n:,} rows"


def one_line(text: str) -> str:
    """A text without line breaks and control characters, which a name may hold.

    Example:
        >>> one_line("two\\n lines")
        'two lines'
    """
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def escaped_markdown(text: str) -> str:
    """A text on one line in which no sign means anything to Markdown or HTML, in a table as well.

    Example:
        >>> escaped_markdown("a|b in snake_case")
        'a&#124;b in snake_case'
    """
    # As entities; snake_case is no emphasis.
    signs = r"[\\`*\[\]|~$#!<>&]|(?<![^\W_])_|_(?![^\W_])"
    return re.sub(signs, lambda sign: f"&#{ord(sign[0])};", one_line(text))
