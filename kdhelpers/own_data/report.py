"""The report: one HTML file that needs nothing else, for wide and narrow, light and dark screens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ..contract.page import sentence
from ..costs import CostsTable
from ..data.display import html_table, one_line
from ..evaluation import reliability
from ..plotting.showing import figure_html
from .card import data_lines, limit_lines, settings_lines
from .figures import accuracy_figure, calibration_figure, classes_figure
from .outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFUSIONS, QUOTED, LONGEST = 12, 12, 240
# Pictures are drawn on white: on a dark screen their light is turned round, and their hues turned back.
_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem;
  overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.said { border-left: 0.4rem solid #0072b2; padding: 0.4rem 0.8rem; font-size: 1.1rem; }
.table { overflow-x: auto; max-width: 100%; }
figure { margin: 0.5rem 0; max-width: 34rem; }
figure img { width: 100%; height: auto; }
@media (max-width: 32rem) { th, td { padding: 0.2em 0.4em !important; font-size: 0.9rem; } }
summary { cursor: pointer; padding: 0.4rem 0; }
@media (prefers-color-scheme: dark) { figure img { filter: invert(0.9) hue-rotate(180deg); } }
"""


def report_html(outcome: Outcome, *, quote: bool = False) -> str:
    """The report on a distillation.

    Args:
        outcome: What came of it.
        quote: Whether messages of the test may be quoted; otherwise classes and counts stand alone.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> page = report_html(example_outcome())
        >>> "<h2>Class by class</h2>" in page, page.count("<img alt=")
        (True, 3)
    """
    title = f"Distilled: a text classifier with {len(outcome.data.classes)} classes"
    sections = [
        ("How good it is", _quality(outcome)),
        *([("The contract", _contract(outcome))] if outcome.verdict is not None else []),
        ("Whether its confidence can be trusted", _calibration(outcome)),
        ("Class by class", _classes(outcome)),
        ("What it confuses", _confusions(outcome, quote)),
        ("What it costs", _costs(outcome)),
        ("What it was made from", _list(data_lines(outcome))),
        ("How it was made", _list(settings_lines(outcome))),
        ("What to keep in mind", _list(limit_lines(outcome))),
    ]
    body = f"<h1>{escape(title)}</h1><p class='said'>{escape(outcome.headline)}</p>"
    body += "".join(f"\n<h2>{heading}</h2>\n{content}" for heading, content in sections)
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    return (
        f"<!doctype html>\n<html lang='en'><head>{head}</head>\n<body><main>{body}\n</main></body></html>\n"
    )


def confusions(outcome: Outcome) -> list[tuple[str, str, int, int]]:
    """The mistakes that the student makes most often: right class, its answer, how often, of how many rows.

    Example:
        >>> from dataclasses import replace
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> found = example_outcome()
        >>> confusions(replace(found, distilled=found.labels_only))[0]
        ('billing', 'delivery', 20, 20)
    """
    names, report = outcome.data.classes, outcome.student
    pairs = list(zip(report.labels.tolist(), report.predictions.tolist(), strict=True))
    rows = Counter(label for label, _ in pairs)
    wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
    most = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:CONFUSIONS]
    return [(names[right], names[said], count, rows[right]) for (right, said), count in most]


def _quality(outcome: Outcome) -> str:
    rows = [
        [way, f"{found.value:.1%}", found.format_interval(), over, f"{outcome.balanced[way]:.1%}"]
        for (way, found), over in zip(outcome.accuracies.items(), _counts(outcome), strict=True)
    ]
    header = ["way of learning", "accuracy", "95% interval", "over", "mean recall"]
    told = "<p>Mean recall counts each class alike, however rare it is.</p>"
    return _picture(accuracy_figure, outcome) + _table(rows, header) + told


def _counts(outcome: Outcome) -> list[str]:
    seeds = f"{len(outcome.distilled)} seeds"
    return [seeds, seeds, f"{outcome.teacher.n:,} rows"]


def _contract(outcome: Outcome) -> str:
    assert outcome.verdict is not None
    name = one_line(outcome.verdict.name) or "The contract"
    said = f"<p class='said'>{escape(name)}: {escape(outcome.verdict.outcome)}</p>"
    return said + _list([f"{clause.outcome}: {sentence(clause)}" for clause in outcome.verdict.clauses])


def _calibration(outcome: Outcome) -> str:
    rows = []
    for name, report in (("student", outcome.student), ("teacher", outcome.teacher)):
        found = reliability(report)
        over = found.overconfidence
        rows.append([name, str(report.ece), f"{over.value:+.1%} {over.format_interval()}", found.verdict])
    header = ["model", "calibration error", "confidence minus accuracy", "verdict"]
    return _picture(calibration_figure, outcome) + _table(rows, header)


def _classes(outcome: Outcome) -> str:
    teacher = outcome.teacher.per_class
    rows = [
        [
            str(name),
            f"{found.n:,}",
            f"{found.value:.1%}",
            found.format_interval(),
            f"{teacher[name].value:.1%}",
        ]
        for name, found in sorted(outcome.student.per_class.items(), key=lambda item: item[1].value)
    ]
    table = _table(rows, ["class", "rows", "student's recall", "95% interval", "teacher's"])
    return (
        _picture(classes_figure, outcome)
        + f"<details><summary>All {len(rows)} classes</summary>{table}</details>"
    )


def _confusions(outcome: Outcome, quote: bool) -> str:
    found = confusions(outcome)
    if not found:
        return "<p>Nothing: every row of the test is right.</p>"
    rows = [[right, said, f"{count:,} of {of:,}"] for right, said, count, of in found]
    table = _table(rows, ["right class", "the student says", "rows"])
    return table + (_quotes(outcome) if quote else "")


def _quotes(outcome: Outcome) -> str:
    """The mistakes that the student is surest of, in their own words."""
    report, names, texts = outcome.student, outcome.data.classes, outcome.data.test.by_id
    surest = report.confidence.argsort(descending=True, stable=True).tolist()
    wrong = [row for row in surest if not report.correct[row]][:QUOTED]
    rows = [
        [
            _cut(str(texts([report.ids[row]]).inputs[0])),
            names[int(report.labels[row])],
            names[int(report.predictions[row])],
            f"{report.confidence[row]:.0%}",
        ]
        for row in wrong
    ]
    header = ["text", "right class", "the student says", "confidence"]
    return f"<p>Its surest mistakes:</p>{_table(rows, header)}"


def _costs(outcome: Outcome) -> str:
    if not outcome.costs:
        return "<p>Not measured.</p>"
    table = CostsTable(outcome.costs)
    told = (
        "Teacher and student in PyTorch, and the student as it is served, by ONNX Runtime; latency is that "
        "of one text of middle length."
    )
    return f"<p>{told}</p>{_scrolling(table._repr_html_(), 'Costs')}"


def _picture(draw: Callable[[Outcome], tuple[Figure, str]], outcome: Outcome) -> str:
    return figure_html(*draw(outcome))


def _table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    cells = [[one_line(cell) for cell in row] for row in rows]
    return _scrolling(html_table(cells, header), f"by {header[0]}")


def _scrolling(table: str, name: str) -> str:
    # To be reached by keyboard, since it scrolls on a narrow screen.
    return f"<div class='table' tabindex='0' role='region' aria-label='Table: {escape(name)}'>{table}</div>"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one_line(line))}</li>' for line in lines)}</ul>"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
