"""The smallest notebook with every part of a lesson: what the rules are tried on, and a pattern to copy."""

from __future__ import annotations

import base64

import lessons
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tidy_lesson import KERNEL

NAME = "03_example"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n a picture, as far as the rules can tell").decode()
ALT = "Probabilities of ten classes, softer as T grows"
FIGURE = f'<figure><img alt="{ALT}" src="data:image/png;base64,{PIXEL}"></figure>'

HEADER = f"""# 3 · An example
Why one temperature is not another.

<!-- colab -->
{lessons.badge(NAME)}
<!-- /colab -->

## What you will be able to do
- soften a teacher's probabilities

<!-- measured -->
{lessons.measured_text(lessons.Cost(20, 0.5))}
<!-- /measured -->

**Builds on:** lesson 2."""

# Each code cell: its id, its tag, its source.
CODE: list[tuple[str, str | None, str]] = [
    ("install", "install", lessons.install_source()),
    ("imports", None, "from kdhelpers.study import check, predict, quiz, reveal\nhot = 2.0"),
    ("ask-hotter", None, 'predict("03/hotter", "Is it softer?", ["yes", "no"])'),
    ("hotter", None, "1 / hot"),
    ("show-hotter", None, 'reveal("03/hotter", "yes", because="the logits shrink.")'),
    ("ask-colder", None, 'predict("03/colder", "Is it sharper?", ["yes", "no"])'),
    ("by-hand", "by-hand", "def by_hand(logits):\n    return logits / hot"),
    (
        "same-as-ours",
        "assert-equal",
        "from kdhelpers.losses import kd_loss\n\nassert by_hand(4.0) == 2.0 and kd_loss",
    ),
    ("show-colder", None, 'reveal("03/colder", "yes", because="the logits grow.")'),
    ("claims", "headline", "\n".join(f'claim("{n} is small", {n} < 9)' for n in range(3))),
    ("control", "control", "explore(draw, temperature=([1, 2, 4], 2))"),
    (
        "exercise",
        "exercise",
        'def soften(logits, t): ...\n\n\ncheck("03/soften", soften, by_hand, cases=[(1.0, 2.0)])',
    ),
    (
        "solution",
        "solution",
        'assert check("03/soften", lambda x, t: x / t, by_hand, cases=[(1.0, 2.0)], record=False)',
    ),
    (
        "quiz",
        None,
        'quiz("03/q", "Why T squared?", ["scale", "luck"], answer="scale", because="it shrinks.")',
    ),
]


def example_lesson() -> nbformat.NotebookNode:
    """A lesson that keeps every rule, as if it had been saved with its outputs."""
    cells = [new_markdown_cell(HEADER, id="header")]
    for count, (name, tag, source) in enumerate(CODE, start=1):
        cells.append(_code(name, tag, source, count))
    cells.append(new_markdown_cell("## Common confusions\nA 95% interval is not a wish.", id="confusions"))
    cells.append(new_markdown_cell("## What to read next\nHinton, 2015.", id="reading"))
    metadata = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=metadata)


def _code(name: str, tag: str | None, source: str, count: int) -> nbformat.NotebookNode:
    html = FIGURE if tag in ("control", "headline") else "<p>shown</p>"
    output = new_output("display_data", data={"text/html": html, "text/plain": "shown"})
    cell = new_code_cell(source, id=name, execution_count=count, outputs=[output])
    cell.metadata = nbformat.from_dict({"tags": [tag]} if tag else {})
    if tag == "solution":
        cell.metadata["jupyter"] = {"source_hidden": True}
    return cell
