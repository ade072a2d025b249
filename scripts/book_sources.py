"""Gather the pages of the web book into one folder, as Sphinx reads them.

Lessons, README and documents keep their places, so that links between them hold. Added are the front page, a
page for each part of the book, and one for each module of the package.
"""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
from pathlib import Path
from types import ModuleType

import nbformat
from lessons import ROOT, TABLE, lesson_paths
from sphinx.util.inspect import object_description

GROUPS = {
    "Data and models": ["data", "models", "text", "language", "own_data"],
    "Teaching": ["teacher_outputs", "losses", "training"],
    "Judging": ["evaluation", "costs", "contract", "tradeoffs"],
    "After release": ["serving", "monitoring"],
    "For lessons, and at the command line": ["claims", "study", "plotting", "doctor", "cli"],
}
REST = "Small rooms that the others use"
# Parts of the navigation, each with a page of its own.
GLOSSARY, NEWS = "docs/glossary", "CHANGELOG"
# Pictures from elsewhere that link somewhere: the book shows their words.
_BADGE = re.compile(r"\[!\[([^\]]+)\]\(https?://[^)]+\)\]\(([^)]+)\)")
_README = re.compile(r"(\]\((?:\.\./)*)README\.md(?=[)#])")
# What is folded in Jupyter is folded here too, under these words.
PROMPTS = {
    "solution": "a solution",
    "answers": "what the checks compare with",
    "install": "Colab's install cell",
}


def gather(folder: Path) -> None:
    """Write every page of the book below a folder, which is emptied first.

    Args:
        folder: What Sphinx will read.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path in (path for path in pages() if path.suffix == ".md"):
        _write(folder / path.relative_to(ROOT), in_the_book(path.read_text(encoding="utf-8")))
    for path in lesson_paths():
        notebook = folded(nbformat.read(path, as_version=4))
        _write(folder / "notebooks" / path.name, nbformat.writes(notebook))
    for path in [*(ROOT / "docs").glob("*.png"), *ROOT.glob("LICENSE*")]:
        shutil.copyfile(path, folder / path.relative_to(ROOT))
    _write_parts(folder)
    _write_modules(folder / "api")


def pages() -> list[Path]:
    """What stands in the repository and is a page of the book, in its order."""
    guides = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
    data = sorted((ROOT / "data").rglob("README.md"))
    return [
        *lesson_paths(),
        *sorted((ROOT / "notebooks").glob("*.md")),
        *guides,
        *data,
        ROOT / "CHANGELOG.md",
    ]


def in_the_book(text: str) -> str:
    """Markdown as the book has it: badges are words, and the README is the front page.

    Example:
        >>> in_the_book("[![Open](https://host/badge.svg)](https://host/x) after [reading](../README.md)")
        '[Open](https://host/x) after [reading](../index.md)'
    """
    return _README.sub(r"\1index.md", _BADGE.sub(r"[\1](\2)", text))


def folded(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A lesson as the book has it, in place: what Jupyter folds away is behind a summary."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        kind = next((kind for kind in PROMPTS if kind in tags), None)
        if cell.cell_type == "markdown":
            cell.source = in_the_book(cell.source)
        elif kind or cell.metadata.get("jupyter", {}).get("source_hidden"):
            words = PROMPTS.get(kind or "", "the code")
            cell.metadata["tags"] = [*tags, "hide-input"]
            cell.metadata["mystnb"] = {
                "code_prompt_show": f"Show {words}",
                "code_prompt_hide": f"Hide {words}",
            }
    return notebook


def _write_parts(folder: Path) -> None:
    """The front page and the page of each part: what the navigation shows."""
    every = [path.relative_to(ROOT).with_suffix("").as_posix() for path in pages()]
    lessons = [f"notebooks/{path.stem}" for path in lesson_paths()]
    guides = [name for name in every if name not in (*lessons, GLOSSARY, NEWS)]
    readme = in_the_book((ROOT / "README.md").read_text(encoding="utf-8"))
    parts = contents("lessons", "guides", "api/index", GLOSSARY, NEWS, hidden=True)
    table = TABLE.search(readme)[0]
    _write(folder / "index.md", f"{readme}\n{parts}")
    _write(folder / "lessons.md", f"# Lessons\n\n{table}\n\n{contents(*lessons, hidden=True)}")
    _write(folder / "guides.md", f"# Guides\n\n{contents(*guides)}")


def contents(*names: str, hidden: bool = False, caption: str = "") -> str:
    """A table of contents for Sphinx: pages by their place from the top, without suffix."""
    options = [
        ":maxdepth: 1",
        *([":hidden:"] if hidden else []),
        *([f":caption: {caption}"] if caption else []),
    ]
    return "\n".join(["```{toctree}", *options, "", *(f"/{name}" for name in names), "```", ""])


def _write_modules(folder: Path) -> None:
    """A page for each module of the package, and the one that lists them."""
    every = sorted(path.stem for path in (ROOT / "kdhelpers").iterdir() if _is_public(path))
    named = [name for names in GROUPS.values() for name in names]
    groups = {**GROUPS, REST: [name for name in every if name not in named]}
    lists = [
        contents(*(f"api/{name}" for name in names if name in every), caption=caption)
        for caption, names in groups.items()
    ]
    _write(folder / "index.md", "\n".join(["# API", "", "What each module offers.", "", *lists]))
    for name in every:
        _write(folder / f"{name}.rst", module_page(importlib.import_module(f"kdhelpers.{name}")))


def _is_public(path: Path) -> bool:
    is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
    return is_module and not path.name.startswith("_")


def offered(module: ModuleType) -> list[str]:
    """The functions and classes that a module offers: its ``__all__``, or what it defines itself."""
    return getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
        and _is_explained(value)
    ]


def module_page(module: ModuleType) -> str:
    """A module's page: what it is for, its names at a glance, and in full those that are its own."""
    title = module.__name__
    homes = {name: _home(module, name) for name in offered(module)}
    glance = [f"   {name if home == title else f'~{home}.{name}'}" for name, home in homes.items()]
    values = [name for name in homes if not _is_explained(getattr(module, name))]
    apart = ", ".join([*(name for name, home in homes.items() if home != title), *values])
    full = [f".. automodule:: {title}", "   :members:", *([f"   :exclude-members: {apart}"] if apart else [])]
    for name in values:
        full += ["", f".. py:data:: {name}", f"   :value: {object_description(getattr(module, name))}"]
    start = [title, "=" * len(title), "", f".. currentmodule:: {title}", ""]
    return "\n".join([*start, ".. autosummary::", "   :nosignatures:", "", *glance, "", *full, ""])


def _is_explained(value: object) -> bool:
    """Whether a name can have a docstring; constants and aliases of types have none."""
    return inspect.isfunction(value) or inspect.isclass(value)


def _home(module: ModuleType, name: str) -> str:
    """The module of ours that a name belongs to, which others may offer as well."""
    defined = getattr(getattr(module, name), "__module__", "").split(".")
    return ".".join(defined[:2]) if defined[0] == "kdhelpers" else module.__name__


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
