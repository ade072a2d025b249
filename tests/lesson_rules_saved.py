"""The rules for a lesson's file and for what was saved in it: each yields sentences about what is wrong."""

from __future__ import annotations

import ast
import base64
import copy
import re
import statistics
import warnings
from collections.abc import Iterator

import nbformat
from lesson_cells import Notebook, called, code_cells, output_text, tree

FIGURES_LIMIT = 300_000
CELL_METADATA = {"tags", "jupyter", "cellView"}
SHOWN = {"predict", "reveal", "quiz", "check", "claim", "show", "explore", "progress"}
_PICTURE = re.compile(r'src="data:image/[a-z]+;base64,([A-Za-z0-9+/=\s]+)"')
_MACHINE = re.compile(r"(?<![\w.<])/(?:work|tmp|home|root|Users)\b|[A-Z]:\\+Users")
_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4,12})*")
# Spelled in two parts, so that this file doesn't name a registry's host itself.
REGISTRY_HOSTS = tuple(
    f"{name}.{end}"
    for name, end in [
        ("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"), ("anaconda", "com"), ("npmjs", "org"),
        ("download.pytorch", "org"), ("deb.debian", "org"), ("crates", "io"), ("proxy.golang", "org"),
    ]
)  # fmt: skip


def is_valid(notebook: Notebook, name: str) -> Iterator[str]:
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        yield "The format is not 4.5."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It mends what it warns of, and we have a sentence of our own.
            nbformat.validate(copy.deepcopy(notebook))
    except nbformat.ValidationError as error:
        yield f"Not a valid notebook: {error.message[:200]}."


def has_small_metadata(notebook: Notebook, name: str) -> Iterator[str]:
    if set(notebook.metadata) - {"kernelspec", "language_info"}:
        yield "The notebook's metadata holds more than kernelspec and language_info."
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "The kernel is not python3."
    if notebook.metadata.get("language_info") != {"name": "python"}:
        yield "language_info should name python and nothing else."
    for cell in notebook.cells:
        if extra := set(cell.metadata) - CELL_METADATA:
            yield f"Cell {cell.id} has metadata that lessons don't use: {', '.join(sorted(extra))}."


def has_named_cells(notebook: Notebook, name: str) -> Iterator[str]:
    ids = [cell.get("id", "") for cell in notebook.cells]
    if len(set(ids)) < len(ids):
        yield "Two cells share an id."
    for bad in (
        made_up for made_up in ids if _RANDOM_ID.fullmatch(made_up) or not re.match("[a-z]", made_up)
    ):
        yield f"Cell id {bad!r} is made up: give it a name (scripts/save_lessons.py does)."


def has_short_cells(notebook: Notebook, name: str) -> Iterator[str]:
    lengths = {
        cell.id: len([line for line in cell.source.splitlines() if line.strip()])
        for cell in code_cells(notebook)
    }
    if lengths and statistics.median(lengths.values()) > 7:
        yield f"The median code cell has {statistics.median(lengths.values())} lines; 7 is the limit."
    yield from (f"Cell {cell} has {n} lines; 25 is the limit." for cell, n in lengths.items() if n > 25)


def ran_from_top_to_bottom(notebook: Notebook, name: str) -> Iterator[str]:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if not counts:
        yield "There is no code."
    if counts != list(range(1, len(counts) + 1)):
        yield f"Execution counts are not 1, 2, 3 and so on: {counts}."


def has_its_outputs(notebook: Notebook, name: str) -> Iterator[str]:
    for cell in code_cells(notebook):
        statements = [node.value for node in tree(cell).body if isinstance(node, ast.Expr)]
        shows = {called(call) for call in statements if isinstance(call, ast.Call)} & SHOWN
        if shows and not cell.outputs:
            yield f"Cell {cell.id} calls {', '.join(sorted(shows))} but has no saved output."


def is_free_of_noise(notebook: Notebook, name: str) -> Iterator[str]:
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"Cell {cell.id} failed: {output.ename}."
            if output.get("name") == "stderr":
                yield f"Cell {cell.id} wrote to stderr: {output.text.strip()[:80]!r}."
            if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
                yield f"Cell {cell.id} saved a widget, which is empty on the web."


def is_about_no_machine(notebook: Notebook, name: str) -> Iterator[str]:
    for cell in notebook.cells:
        text = "\n".join([cell.source, *(output_text(output) for output in cell.get("outputs", []))])
        text = _PICTURE.sub("", text)
        if found := _MACHINE.search(text):
            yield f"Cell {cell.id} shows a path of one machine, near {text[found.start() :][:30]!r}."
        yield from (f"Cell {cell.id} names the host {host}." for host in REGISTRY_HOSTS if host in text)


def has_small_figures_with_alt_text(notebook: Notebook, name: str) -> Iterator[str]:
    size = 0
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                yield f"Cell {cell.id} has a bare image: show figures with kdhelpers.plotting.show."
            html = "".join(data.get("text/html", ""))
            size += sum(len(base64.b64decode(found)) for found in _PICTURE.findall(html))
            yield from (f"Cell {cell.id} has {why}." for why in _bad_alt(html))
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            yield f"Cell {cell.id} has a picture without alt text."
    if size > FIGURES_LIMIT:
        yield f"The figures take {size:,} bytes; {FIGURES_LIMIT:,} is the limit."


def _bad_alt(html: str) -> Iterator[str]:
    for image in re.findall(r"<img\b[^>]*>", html):
        alt = re.search(r'\balt="([^"]*)"', image)
        if alt is None or len(alt[1].split()) < 4:
            yield "an image whose alt text is missing or says too little"
