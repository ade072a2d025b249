"""How questions and answers look: plain HTML that reads well with or without its inline style.

No colour is set on text: it inherits the theme's, so light and dark both work. Colour lives in borders and in
thin see-through backgrounds, and never carries a meaning alone: each card's title says it in words.
"""

from __future__ import annotations

import html
import re

from kdhelpers.frontend import show_html

# Okabe-Ito, as red, green, blue: distinct for colour-blind readers.
BLUE, GREEN, ORANGE, GREY = "0, 114, 178", "0, 158, 115", "213, 94, 0", "128, 128, 128"

_PARAGRAPH = "margin: 0.4em 0"


def card(title: str, body: str, colour: str) -> str:
    """A boxed part of a lesson.

    Args:
        title: Plain text, shown bold.
        body: HTML.
        colour: The border's, as ``"red, green, blue"``.

    Example:
        >>> card("Quiz", "<p>Why?</p>", GREY).startswith("<fieldset")
        True
    """
    box = (
        f"border: 1px solid rgba({colour}, 0.6); border-left: 6px solid rgb({colour}); border-radius: 6px; "
        f"background-color: rgba({colour}, 0.07); padding: 0.4em 1.2em 0.8em 1.2em; margin: 0.6em 0; "
        "max-width: 52em; min-width: 0; font-size: 16px; line-height: 1.5; "
        "font-family: system-ui, -apple-system, sans-serif"
    )
    # The legend is moved into the box's flow: on its border line it would be cut by it on dark themes.
    heading = (
        f'<legend style="font-weight: bold; font-size: 16px; padding: 0 0.4em; margin: 0; width: auto; '
        f'border: none">{inline(title)}</legend>'
    )
    return f'<fieldset style="{box}">{heading}{body}</fieldset>'


def paragraph(text: str) -> str:
    """A paragraph of escaped text.

    Example:
        >>> paragraph("a < b")
        '<p style="margin: 0.4em 0">a &lt; b</p>'
    """
    return f'<p style="{_PARAGRAPH}">{inline(text)}</p>'


def small(text: str) -> str:
    """A quieter paragraph.

    Example:
        >>> "font-size" in small("a hint")
        True
    """
    return f'<p style="{_PARAGRAPH}; font-size: 14px; opacity: 0.85">{inline(text)}</p>'


def numbered(options: list[str]) -> str:
    """Options as a numbered list.

    Example:
        >>> numbered(["yes", "no"]).count("<li")
        2
    """
    items = "".join(f'<li style="margin: 0.15em 0">{inline(option)}</li>' for option in options)
    return f'<ol style="margin: 0.4em 0; padding-left: 1.8em">{items}</ol>'


def folded(summary: str, body: str) -> str:
    """HTML that a reader opens with a click.

    Example:
        >>> folded("Answer", "<p>2</p>").startswith("<details")
        True
    """
    opener = f'<summary style="cursor: pointer; font-weight: bold">{inline(summary)}</summary>'
    return f'<details style="margin: 0.5em 0 0 0">{opener}{body}</details>'


def inline(text: str) -> str:
    """Escaped text, with `code` in backticks and **bold** as in Markdown.

    Example:
        >>> inline("`T < 1` is **sharper**")
        '<code>T &lt; 1</code> is <strong>sharper</strong>'
    """
    escaped = html.escape(text, quote=False)
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", escaped)


def plain(text: str) -> str:
    """The same text without its marks, for terminals and widget labels.

    Example:
        >>> plain("`T < 1` is **sharper**")
        'T < 1 is sharper'
    """
    return re.sub(r"\*\*([^*]+)\*\*", r"\1", re.sub(r"`([^`]+)`", r"\1", text))


def note(sentence: str) -> None:
    """Show one sentence about the lesson itself.

    Example:
        >>> note("Nothing was saved.")
        Note: Nothing was saved.
    """
    show_html(card("Note", paragraph(sentence), GREY), f"Note: {plain(sentence)}")
