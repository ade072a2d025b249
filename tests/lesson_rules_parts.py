"""The rules for the parts that every lesson has: each yields sentences about what is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import lessons
from lesson_cells import Cell, Notebook, calls, code_cells, keys, output_text, tagged, tags, tree

SECTIONS = ("What you will be able to do", "Common confusions", "What to read next")
_MEASURED = re.compile(
    r"\d+(?:\.\d+)?\s?(?:%|per ?cent\b|percentage points?\b)"
    r"|\d+(?:\.\d+)?(?:×| times) (?:fast|slow|small|cheap|large|big)\w*"
)
# The level of an interval is chosen, not measured.
_LEVEL = re.compile(r"\b9[059]\s?% (?:confidence )?intervals?")


def has_a_header(notebook: Notebook, name: str) -> Iterator[str]:
    if not notebook.cells:
        yield "There are no cells."
        return
    try:
        _, summary = lessons.title_and_summary(notebook)
        if len(summary) > 160:
            yield f"The sentence below the title has {len(summary)} characters: 160 fit into the table."
    except ValueError as error:
        yield str(error)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    yield from (
        f"There is no heading '{section}'."
        for section in SECTIONS
        if not re.search(rf"^#+ {section}", prose, re.MULTILINE)
    )
    if "**Builds on:**" not in prose:
        yield "The header doesn't say what the lesson builds on: '**Builds on:** ...'."
    if lessons.read_cost(notebook) is None:
        yield "Time and memory were not measured: put '<!-- measured --><!-- /measured -->' in and save."
    if f"<!-- colab -->\n{lessons.badge(name)}\n<!-- /colab -->" not in prose:
        yield "The Colab badge is missing or old: put '<!-- colab --><!-- /colab -->' in the header and save."


def installs_in_colab(notebook: Notebook, name: str) -> Iterator[str]:
    first = next(iter(code_cells(notebook)), None)
    if first is None or "install" not in tags(first) or first.source != lessons.install_source():
        yield "The first code cell is not the install cell (tag it 'install'; saving fills it)."


def asks_before_it_shows(notebook: Notebook, name: str) -> Iterator[str]:
    asked = {key: n for n, cell in enumerate(code_cells(notebook)) for key in keys(cell, "predict")}
    shown = {key: n for n, cell in enumerate(code_cells(notebook)) for key in keys(cell, "reveal")}
    if len(asked.keys() & shown.keys()) < 2:
        yield "There are fewer than two predictions that are revealed."
    yield from (
        f"The prediction {key!r} is asked but not revealed, or the reverse."
        for key in asked.keys() ^ shown.keys()
    )
    for key in asked.keys() & shown.keys():
        if shown[key] - asked[key] < 2:
            yield f"Between asking and revealing {key!r} nothing runs."
    every = [
        key
        for name in ("predict", "reveal", "quiz", "check")
        for cell in code_cells(notebook)
        for key in keys(cell, name)
    ]
    yield from (
        f"The key {key!r} should start with '{name[:2]}/'."
        for key in every
        if not key.startswith(f"{name[:2]}/")
    )


def builds_by_hand(notebook: Notebook, name: str) -> Iterator[str]:
    cells = code_cells(notebook)
    by_hand = [n for n, cell in enumerate(cells) if "by-hand" in tags(cell)]
    if not by_hand:
        yield "Nothing is built by hand (tag 'by-hand')."
    for n in by_hand:
        if len(cells[n].source.splitlines()) > 12:
            yield f"Cell {cells[n].id} is built by hand in more than 12 lines."
        after = cells[n + 1] if n + 1 < len(cells) else None
        ours = {alias.asname or alias.name for cell in cells[: n + 2] for alias in _imports_of_ours(cell)}
        if after is None or "assert-equal" not in tags(after) or not _asserts(after, ours):
            yield f"After {cells[n].id} no cell tagged 'assert-equal' asserts the package gives the same."


def _imports_of_ours(cell: Cell) -> Iterator[ast.alias]:
    for node in ast.walk(tree(cell)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kdhelpers":
            yield from node.names
        if isinstance(node, ast.Import):
            yield from (alias for alias in node.names if alias.name.split(".")[0] == "kdhelpers")


def _asserts(cell: Cell, ours: set[str]) -> bool:
    nodes = list(ast.walk(tree(cell)))
    asserts = any(isinstance(node, ast.Assert) for node in nodes) or bool(calls(cell, "assert_close"))
    return asserts and any(isinstance(node, ast.Name) and node.id in ours for node in nodes)


def has_a_control(notebook: Notebook, name: str) -> Iterator[str]:
    controls = [
        cell for cell in tagged(notebook, "control") if cell.cell_type == "code" and calls(cell, "explore")
    ]
    if not controls:
        yield "There is no control (tag 'control', with kdhelpers.plotting.explore)."
    for cell in controls:
        if not any("<img" in output_text(output) for output in cell.outputs):
            yield f"The control {cell.id} has no figure for those who read on the web."


def has_exercises_that_are_solved(notebook: Notebook, name: str) -> Iterator[str]:
    solutions = tagged(notebook, "solution")
    exercises = {
        key: cell for cell in code_cells(notebook) if cell not in solutions for key in keys(cell, "check")
    }
    if not exercises:
        yield "There is no exercise with a check."
    solved = {key for cell in solutions if cell.cell_type == "code" for key in keys(cell, "check")}
    yield from (
        f"The exercise {key!r} has no solution cell that checks it." for key in exercises.keys() - solved
    )
    for cell in solutions:
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            yield f"The solution {cell.id} is not collapsed (jupyter.source_hidden)."
        if cell.cell_type != "code" or not any(isinstance(node, ast.Assert) for node in ast.walk(tree(cell))):
            yield f"The solution {cell.id} asserts nothing."


def has_a_quiz_and_claims(notebook: Notebook, name: str) -> Iterator[str]:
    if not any(calls(cell, "quiz") for cell in code_cells(notebook)):
        yield "There is no quiz."
    if (n := sum(len(calls(cell, "claim")) for cell in code_cells(notebook))) < 3:
        yield f"There are {n} claims; a lesson makes at least 3."


def states_no_number_of_its_own(notebook: Notebook, name: str) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "quoted" not in tags(cell):
            for found in _MEASURED.finditer(_LEVEL.sub("", cell.source)):
                yield f"Cell {cell.id} states {found[0]!r}: claim() it, or tag a published one 'quoted'."
