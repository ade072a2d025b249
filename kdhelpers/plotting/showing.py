"""Figures as a reader meets them: with words for those who cannot see them, and knobs where a kernel runs."""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdhelpers.extras import need
from kdhelpers.frontend import has_widgets, show_html
from kdhelpers.plotting.style import WIDTH_PIXELS, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLEST_FONT = 12
COLOURS = 128

Draw = Callable[..., "tuple[Figure, str]"]


def show(figure: Figure, alt: str, data: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Show a figure with its description, and close it.

    Args:
        figure: A matplotlib figure; shown 1,000 pixels wide with no text under 12 points.
        alt: What it shows, in a sentence or two: kind of chart, axes, and what to see.
        data: The numbers behind it, column by column; shown in a table to unfold.

    Raises:
        ValueError: No description, or columns of different lengths.

    Example:
        >>> from kdhelpers.plotting import new_figure
        >>> figure, ax = new_figure()
        >>> show(figure, "An empty chart.")
        [Figure: An empty chart.]
    """
    show_html(figure_html(figure, alt, data), f"[Figure: {alt}]")


def figure_html(figure: Figure, alt: str, data: Mapping[str, Sequence[Any]] | None = None) -> str:
    """A figure as one piece of HTML, picture included; the figure is closed.

    Args:
        figure: A matplotlib figure.
        alt: What it shows.
        data: The numbers behind it, column by column.

    Raises:
        ValueError: No description, or columns of different lengths.

    Example:
        >>> from kdhelpers.plotting import new_figure
        >>> figure_html(new_figure()[0], "An empty chart.")[:21]
        '<figure style="margin'
    """
    if not alt.strip():
        raise ValueError("A figure needs a description (alt): say what it shows for those who cannot see it.")
    table = _numbers(data) if data else ""
    picture = base64.b64encode(png(figure)).decode()
    image = (
        f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{picture}" '
        f'width="{WIDTH_PIXELS}" style="max-width: 100%; height: auto">'
    )
    return f'<figure style="margin: 0.5em 0">{image}{table}</figure>'


def png(figure: Figure) -> bytes:
    """A figure as a small PNG, 1,000 pixels wide on white; the figure is closed.

    Example:
        >>> from kdhelpers.plotting import new_figure
        >>> png(new_figure()[0])[1:4]
        b'PNG'
    """
    text = need("matplotlib.text", extra="course").Text
    image = need("PIL.Image", extra="course")
    for part in figure.findobj(text):
        part.set_fontsize(max(part.get_fontsize(), SMALLEST_FONT))
    raw, small = io.BytesIO(), io.BytesIO()
    with styled():
        figure.savefig(raw, dpi=WIDTH_PIXELS / figure.get_figwidth(), facecolor="white")
    _close(figure)
    # Charts hold few colours: a palette makes a third of the size with no difference to the eye.
    picture = image.open(raw).convert("RGB")
    picture.quantize(COLOURS, dither=image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def explore(draw: Draw, **choices: tuple[Sequence[Any], Any]) -> None:
    """Let the reader turn knobs and see the figure change.

    With widgets, one slider for each choice. Without, the figure at the starting values and the knobs' names.

    Args:
        draw: Called with one value for each choice; returns a figure and its description.
        choices: For each argument of ``draw``: the values to choose from, and the one to start with.

    Raises:
        ValueError: No choices, or a start that is not among the values.

    Example:
        >>> from kdhelpers.plotting import new_figure
        >>> explore(lambda temperature: (new_figure()[0], f"T is {temperature}."), temperature=([1, 2, 4], 2))
        [Figure: T is 2.]
        In a running notebook this figure has a slider: temperature (1, 2, 4; here 2).
    """
    if not choices:
        raise ValueError(
            "There is nothing to turn: give at least one choice, such as temperature=([1, 2, 4], 1)."
        )
    for name, (values, start) in choices.items():
        if start not in values:
            raise ValueError(f"{name} starts at {start!r}, which is not among its values.")
    if has_widgets():
        need("IPython.display", extra="course").display(explorer(draw, **choices))
        return
    figure, alt = draw(**{name: start for name, (_, start) in choices.items()})
    sliders = "; ".join(
        f"{_readable(name)} ({', '.join(map(str, values))}; here {start})"
        for name, (values, start) in choices.items()
    )
    hint = f"In a running notebook this figure has {_a_slider(len(choices))}: {sliders}."
    below = f'<p style="font-size: 14px; opacity: 0.85; margin: 0.2em 0">{html.escape(hint)}</p>'
    show_html(figure_html(figure, alt) + below, f"[Figure: {alt}]\n{hint}")


def explorer(draw: Draw, **choices: tuple[Sequence[Any], Any]) -> Any:
    """The widget that :func:`explore` shows: sliders above a picture that is redrawn in place.

    Args:
        draw: As for :func:`explore`.
        choices: As for :func:`explore`.

    Example:
        >>> from kdhelpers.plotting import new_figure
        >>> box = explorer(lambda t: (new_figure()[0], f"T is {t}."), t=([1, 2, 4], 2))
        >>> box.children[0].value = 4
        >>> "T is 4." in box.children[-1].value
        True
    """
    widgets = need("ipywidgets", extra="course")
    picture = widgets.HTML(layout={"width": "100%"})
    sliders = {
        name: widgets.SelectionSlider(
            options=[(str(value), value) for value in values],
            value=start,
            description=_readable(name),
            # One redraw when the knob rests: a picture takes longer than a drag across it.
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(32em, 100%)"},
        )
        for name, (values, start) in choices.items()
    }

    def redraw(_: Any = None) -> None:
        picture.value = _drawn(draw, {name: slider.value for name, slider in sliders.items()})

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    redraw()
    return widgets.VBox([*sliders.values(), picture])


def _drawn(draw: Draw, values: dict[str, Any]) -> str:
    try:
        return figure_html(*draw(**values))
    except Exception as error:
        return f"<p><strong>{type(error).__name__}:</strong> {html.escape(str(error))}</p>"


def _numbers(data: Mapping[str, Sequence[Any]]) -> str:
    if len({len(column) for column in data.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in data.items())
        raise ValueError(f"The columns of data differ in length: {lengths}.")
    cell = 'style="text-align: left; padding: 0.15em 1.2em 0.15em 0"'
    head = "".join(f'<th scope="col" {cell}>{html.escape(name)}</th>' for name in data)
    rows = "".join(
        f"<tr>{''.join(f'<td {cell}>{html.escape(_cell(value))}</td>' for value in row)}</tr>"
        for row in zip(*data.values(), strict=True)
    )
    opener = '<summary style="cursor: pointer">The numbers behind the picture</summary>'
    return f"<details>{opener}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e4 else str(value)


def _readable(name: str) -> str:
    return name.replace("_", " ")


def _a_slider(count: int) -> str:
    return "a slider" if count == 1 else f"{count} sliders"


def _close(figure: Figure) -> None:
    # Only figures made through pyplot are held by it.
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
