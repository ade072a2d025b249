"""The live form of a question: radio buttons that save on click, a button that checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kdhelpers.extras import need
from kdhelpers.study import cards

OnPick = Callable[[int], None]

# A widget's own labels have one line's height, so that a long option would run over the next.
STYLE = f"""<style>
.kdhelpers-question {{ border: 1px solid rgba({cards.BLUE}, 0.6); border-left: 6px solid rgb({cards.BLUE});
  border-radius: 6px; background-color: rgba({cards.BLUE}, 0.07); padding: 0.6em 1.2em; margin: 0.6em 0;
  max-width: 52em; font-size: 16px; }}
.kdhelpers-question .widget-html-content {{ font-size: 16px; line-height: 1.5; }}
.kdhelpers-question .widget-radio-box label {{ display: flex; align-items: flex-start; height: auto;
  font-size: 16px; line-height: 1.5; white-space: normal; margin: 0 0 0.3em 0; cursor: pointer; }}
.kdhelpers-question .widget-radio-box input {{ flex: none; order: -1; float: none;
  margin: 0.3em 0.6em 0 0.2em; }}
</style>"""


def prediction_form(question: str, options: Sequence[str], chosen: int, on_pick: OnPick) -> Any:
    """Radio buttons; each click calls ``on_pick`` with the option's number and confirms it.

    Args:
        question: Shown above.
        options: One button each.
        chosen: The number picked earlier, 0 for none.
        on_pick: What saves a pick.

    Example:
        >>> form = prediction_form("Which way?", ["up", "down"], 0, print)
        >>> form.children[1].index = 1
        2
    """
    widgets = need("ipywidgets", extra="course")
    radio = _radio(options, chosen)
    reply = widgets.HTML(
        _saved(options[chosen - 1]) if chosen else cards.small("Click your pick: it is saved at once.")
    )

    def picked(change: dict[str, Any]) -> None:
        number = change["new"] + 1
        on_pick(number)
        reply.value = _saved(options[number - 1])

    radio.observe(picked, names="index")
    return _box("Predict first", question, radio, reply)


def quiz_form(question: str, options: Sequence[str], answer: int, because: str, on_pick: OnPick) -> Any:
    """Radio buttons and a Check button; each check calls ``on_pick`` and says right or not, and why.

    Args:
        question: Shown above.
        options: One button each.
        answer: The right option's number.
        because: Shown once it is right, folded away before.
        on_pick: What records a try.

    Example:
        >>> form = quiz_form("1 + 1?", ["2", "3"], 1, "counting", print)
        >>> form.children[1].index = 0
        >>> form.children[2].click()
        1
    """
    widgets = need("ipywidgets", extra="course")
    radio = _radio(options, 0)
    button = widgets.Button(description="Check", button_style="primary")
    reply = widgets.HTML()

    def check(_: Any) -> None:
        if radio.index is None:
            reply.value = cards.paragraph("Pick an option first.")
            return
        on_pick(radio.index + 1)
        reply.value = _verdict(radio.index + 1 == answer, f"{answer}. {options[answer - 1]}", because)

    button.on_click(check)
    return _box("Quiz", question, radio, button, reply)


def show(widget: Any) -> None:
    """Display a widget in the notebook.

    Example:
        >>> from ipywidgets import Label
        >>> show(Label("hello"))
        Label(value='hello')
    """
    need("IPython.display", extra="course").display(widget)


def _radio(options: Sequence[str], chosen: int) -> Any:
    widgets = need("ipywidgets", extra="course")
    labels = [(f"{number}. {cards.plain(option)}", number) for number, option in enumerate(options, 1)]
    return widgets.RadioButtons(
        options=labels,
        index=chosen - 1 if chosen else None,
        layout={"width": "auto", "margin": "0 0 0 0.4em"},
    )


def _box(title: str, question: str, *parts: Any) -> Any:
    widgets = need("ipywidgets", extra="course")
    heading = f'<div style="font-size: 16px; line-height: 1.5"><strong>{title}</strong></div>'
    box = widgets.VBox([widgets.HTML(STYLE + heading + cards.paragraph(question)), *parts])
    box.add_class("kdhelpers-question")
    return box


def _saved(option: str) -> str:
    return cards.paragraph(f"**Saved.** You predict: {option}")


def _verdict(right: bool, answer: str, because: str) -> str:
    if right:
        return cards.paragraph("**Right.** " + because)
    body = cards.paragraph(f"**{answer}**") + cards.paragraph(because)
    return cards.paragraph("**Not that one.** Try again, or unfold the answer.") + cards.folded(
        "Show the answer", body
    )
