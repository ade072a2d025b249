"""Make a saved lesson look the same whoever saved it: metadata, ids, progress bars, badge, install cell."""

from __future__ import annotations

import re

import nbformat
from lessons import BADGE, MEASURED, Cost, badge, install_source, measured_text, read_cost

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CELL_METADATA = {"tags", "jupyter", "cellView"}
# What Jupyter makes up: hexadecimal, with or without dashes.
_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4,12})*")
_PROGRESS = re.compile(r"\d+%\|.*\||\d+(it|s)? \[\d\d:\d\d|^\s*$")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def tidy(notebook: nbformat.NotebookNode, name: str, cost: Cost | None = None) -> nbformat.NotebookNode:
    """Bring a lesson into the one form that is committed, in place.

    Args:
        notebook: A notebook of format 4.
        name: The file's name without its suffix, such as ``03_soft_targets``.
        cost: What it was just measured to take; None leaves the header's line as it is.
    """
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    measured = steady(cost, read_cost(notebook)) if cost else None
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})
        if cell.cell_type == "markdown":
            cell.source = BADGE.sub(lambda found: f"{found[1]}\n{badge(name)}\n{found[2]}", cell.source)
            if measured:
                cell.source = MEASURED.sub(
                    lambda found: f"{found[1]}\n{measured_text(measured)}\n{found[2]}", cell.source
                )
        elif cell.cell_type == "code":
            _tidy_code(cell)
    name_cells(notebook)
    return notebook


def _tidy_code(cell: nbformat.NotebookNode) -> None:
    if "install" in cell.metadata.get("tags", []):
        cell.source = install_source()
    cell.outputs = [output for output in cell.outputs if not is_progress(output)]


def is_progress(output: nbformat.NotebookNode) -> bool:
    """Whether an output is nothing but a progress bar, which says nothing to those who read on the web."""
    if output.get("name") == "stderr":
        return all(_PROGRESS.search(line) for line in re.split(r"[\r\n]", output.text))
    data = output.get("data", {})
    return _WIDGET in data and bool(_PROGRESS.search(data.get("text/plain", "-")))


def steady(new: Cost, old: Cost | None) -> Cost:
    """Round a measurement up, and keep the old one while they agree, so that saving twice changes nothing."""
    seconds = -(-new.seconds // 5) * 5
    memory = -(-int(new.memory * 100) // 10) / 10
    if old is None:
        return Cost(seconds, memory, new.download)
    same_time = abs(new.seconds - old.seconds) <= max(5, 0.25 * old.seconds)
    same_memory = abs(new.memory - old.memory) <= max(0.1, 0.2 * old.memory)
    time, gigabytes = old.seconds if same_time else seconds, old.memory if same_memory else memory
    return Cost(time, gigabytes, new.download)


def name_cells(notebook: nbformat.NotebookNode) -> None:
    """Give cells with a made-up id one that says where they stand; an id somebody chose stays."""
    taken = {cell.id for cell in notebook.cells if not _RANDOM_ID.fullmatch(cell.get("id", "00000000"))}
    section = "start"
    for cell in notebook.cells:
        heading = re.search(r"^#+ (.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        section = _slug(heading[1]) if heading else section
        if not _RANDOM_ID.fullmatch(cell.get("id", "00000000")):
            continue
        tags = cell.metadata.get("tags", [])
        kind = "" if heading else f"-{tags[0] if tags else 'code' if cell.cell_type == 'code' else 'text'}"
        cell.id = _first_free(section + kind, taken)
        taken.add(cell.id)


def _slug(text: str) -> str:
    words = re.findall(r"[a-z][a-z0-9]*", text.lower())
    return "-".join(words)[:40].strip("-") or "part"


def _first_free(wanted: str, taken: set[str]) -> str:
    return next(
        name for n in range(1, 10_000) if (name := wanted if n == 1 else f"{wanted}-{n}") not in taken
    )
