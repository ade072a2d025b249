"""A verdict as a page for those who decide and did not train it: what fails, why, what holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from ..data.display import escaped_markdown, html_table, one_line
from ..files import write_whole
from .verdict import FAIL, HEADER, PASS, UNDECIDED, Clause, Outcome, Verdict

_SAID: dict[Outcome, str] = {
    PASS: "Ship it: everything that was asked for has been shown.",
    FAIL: "Do not ship it as it is: some of what was asked for does not hold.",
    UNDECIDED: "Not decided: nothing fails, but not everything has been shown.",
}
_GROUPS: tuple[tuple[Outcome, str], ...] = (
    (FAIL, "What fails"),
    (UNDECIDED, "What has not been shown yet"),
    (PASS, "What holds"),
)
_READING = (
    "A floor (≥) or ceiling (≤) passes only if the whole interval is on the right side of it, and fails only "
    "if the whole interval is on the wrong side. The interval says between which values the true number may "
    "be expected, in 95 of 100 such measurements. What lies between needs more rows. Times and sizes are "
    "measured on the machine that was at hand and have no interval."
)
# Colour is never alone: each outcome has its sign and its word as well. Dark enough on white, light on black.
_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.outcome { border-left: 0.5rem solid; padding: 0.6rem 1rem; font-size: 1.15rem; }
.pass { border-color: #009e73; } .fail { border-color: #d55e00; } .undecided { border-color: #0072b2; }
.table { overflow-x: auto; }
"""
_SIGNS: dict[Outcome, tuple[str, str]] = {
    PASS: ("✓", "pass"),
    FAIL: ("✗", "fail"),
    UNDECIDED: ("?", "undecided"),
}


def sentence(clause: Clause) -> str:
    """One clause in words, for those who read no tables.

    Example:
        >>> print(sentence(Clause("accuracy", 0.7, 0.74, 0.71, 0.77, 900, "pass")))
        accuracy: 74.0% on 900 rows, [71.0, 77.0]; asked was ≥ 70.0%.
    """
    name, asked, measured, interval, rows, _, note = map(one_line, clause._cells())
    on = f" on {rows} {'row' if rows == '1' else 'rows'}" if rows and clause.measured is not None else ""
    between = f", {interval}" if interval else ""
    found = "nothing measured" if clause.measured is None else f"{measured}{on}{between}"
    return f"{name}: {found}; asked was {asked}{f' ({note})' if note else ''}."


def to_markdown(verdict: Verdict, *, notes: Sequence[str] = ()) -> str:
    """The page in Markdown.

    Args:
        verdict: What ``Contract.check`` found.
        notes: Further paragraphs, such as which model, which test set, what is known to be missing.

    Example:
        >>> enough = Clause("accuracy", 0.7, 0.74, 0.71, 0.77, 900, "pass")
        >>> print(to_markdown(Verdict("Routing", (enough,))).splitlines()[2])
        **✓ pass.** Ship it: everything that was asked for has been shown.
    """
    sign, _ = _SIGNS[verdict.outcome]
    said = f"**{sign} {verdict.outcome}.** {_SAID[verdict.outcome]}"
    lines = [f"# {_title(verdict, escaped_markdown)}", "", said]
    for title, clauses in _grouped(verdict):
        lines += ["", f"## {title}", "", *(f"- {escaped_markdown(sentence(clause))}" for clause in clauses)]
    for note in notes:
        lines += ["", escaped_markdown(note)]
    lines += ["", "## All clauses", "", verdict.to_markdown(), "", f"*How to read this.* {_READING}"]
    return "\n".join(lines) + "\n"


def to_html(verdict: Verdict, *, notes: Sequence[str] = ()) -> str:
    """The page in HTML: one self-contained file, for light and dark screens and for paper.

    Args:
        verdict: What ``Contract.check`` found.
        notes: Further paragraphs, such as which model, which test set, what is known to be missing.

    Example:
        >>> enough = Clause("accuracy", 0.7, 0.74, 0.71, 0.77, 900, "pass")
        >>> "<h2>What holds</h2>" in to_html(Verdict("Routing", (enough,)))
        True
    """
    sign, kind = _SIGNS[verdict.outcome]
    title = _title(verdict, escape)
    parts = [f"<h1>{title}</h1>"]
    said = f"<strong>{sign} {verdict.outcome}.</strong> {_SAID[verdict.outcome]}"
    parts.append(f"<p class='outcome {kind}'>{said}</p>")
    for heading, clauses in _grouped(verdict):
        items = "".join(f"<li>{escape(sentence(clause))}</li>" for clause in clauses)
        parts.append(f"<h2>{heading}</h2><ul>{items}</ul>")
    parts += [f"<p>{escape(note)}</p>" for note in notes]
    table = html_table([[one_line(cell) for cell in clause._cells()] for clause in verdict.clauses], HEADER)
    # To be reached by keyboard, since it scrolls on a narrow screen.
    parts.append(f"<h2>All clauses</h2><div class='table' tabindex='0'>{table}</div>")
    parts.append(f"<p><em>How to read this.</em> {escape(_READING)}</p>")
    head = (
        f"<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{_STYLE}</style>"
    )
    body = "\n".join(parts)
    return (
        f"<!doctype html>\n<html lang='en'><head>{head}</head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def write_page(verdict: Verdict, path: str | os.PathLike[str], *, notes: Sequence[str] = ()) -> Path:
    """Write the page whole or not at all, in the format that the file's name asks for.

    Args:
        verdict: What ``Contract.check`` found.
        path: A file whose name ends in .html or .md.
        notes: Further paragraphs.

    Returns:
        The path.

    Raises:
        ValueError: The name ends otherwise.
        OSError: The file could not be written.

    Example:
        >>> import tempfile
        >>> enough = Clause("accuracy", 0.7, 0.74, 0.71, 0.77, 900, "pass")
        >>> write_page(Verdict("Routing", (enough,)), tempfile.mkdtemp() + "/verdict.md").name
        'verdict.md'
    """
    file = Path(path)
    makers = {".html": to_html, ".md": to_markdown}
    if file.suffix not in makers:
        raise ValueError(f"{file.name} ends in {file.suffix or 'nothing'}: name a page .html or .md.")
    write_whole(file, makers[file.suffix](verdict, notes=notes))
    return file


def _title(verdict: Verdict, escaped: Callable[[str], str]) -> str:
    return escaped(one_line(verdict.name)) or "Verdict"


def _grouped(verdict: Verdict) -> list[tuple[str, list[Clause]]]:
    groups = [
        (title, [clause for clause in verdict.clauses if clause.outcome == outcome])
        for outcome, title in _GROUPS
    ]
    return [(title, clauses) for title, clauses in groups if clauses]
