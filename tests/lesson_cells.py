"""Reading a lesson: its cells, their tags, the calls in their code and the text of their outputs."""

from __future__ import annotations

import ast
import functools

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

Notebook = nbformat.NotebookNode
Cell = nbformat.NotebookNode


def tags(cell: Cell) -> list[str]:
    return cell.metadata.get("tags", [])


def code_cells(notebook: Notebook) -> list[Cell]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook: Notebook, tag: str) -> list[Cell]:
    return [cell for cell in notebook.cells if tag in tags(cell)]


def tree(cell: Cell) -> ast.Module:
    return _parse(cell.source)


@functools.cache
def _parse(source: str) -> ast.Module:
    return ast.parse(TransformerManager().transform_cell(source))


def calls(cell: Cell, name: str) -> list[ast.Call]:
    """The calls of a function in a cell, whether by its name or as an attribute."""
    return [call for call in _calls(cell.source) if called(call) == name]


@functools.cache
def _calls(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(_parse(source)) if isinstance(node, ast.Call)]


def keys(cell: Cell, name: str) -> list[str]:
    """The first arguments, where written out, of a function's calls in a cell."""
    firsts = [call.args[0] for call in calls(cell, name) if call.args]
    return [
        first.value for first in firsts if isinstance(first, ast.Constant) and isinstance(first.value, str)
    ]


def called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def output_text(output: Notebook) -> str:
    parts = [output.get("text", ""), *output.get("data", {}).values()]
    return "\n".join(part if isinstance(part, str) else "".join(map(str, part)) for part in parts)
