"""The package's shape: which way its imports point, how long its files are, what its public names say."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import lessons
import pytest

PACKAGE = lessons.ROOT / "kdhelpers"
FILES = sorted(PACKAGE.rglob("*.py"))
BASE = {"extras", "files", "seeding", "devices", "modes", "bars", "ngrams", "tokens", "processes", "logits"}
DATA = BASE | {"data"}
SHOWN = BASE | {"frontend"}
# What a module may import of ours. It points one way: from a teacher's outputs to a trained student.
ARROWS: dict[str, set[str]] = {
    "extras": set(),
    "files": set(),
    "frontend": set(),
    "seeding": set(),
    "devices": set(),
    "modes": set(),
    "bars": {"frontend"},
    "processes": {"extras"},
    "logits": set(),
    # Text for models, without torch: what serves a model has no need of it.
    "ngrams": set(),
    "tokens": {"extras", "ngrams"},
    "speed": {"devices", "seeding"},
    "data": BASE,
    "losses": DATA,
    "models": DATA,
    "language": DATA,
    "text": DATA,
    "costs": DATA,
    "evaluation": DATA,
    "teacher_outputs": DATA | {"evaluation"},
    "training": DATA | {"losses", "evaluation", "teacher_outputs"},
    "contract": DATA | {"evaluation", "costs"},
    "serving": DATA | {"text", "evaluation", "costs"},
    "tradeoffs": DATA | {"evaluation", "costs"},
    "monitoring": DATA | {"evaluation"},
    "claims": SHOWN,
    "study": SHOWN,
    "plotting": SHOWN | {"evaluation"},
    "own_data": DATA
    | {
        "losses",
        "text",
        "evaluation",
        "teacher_outputs",
        "training",
        "costs",
        "contract",
        "serving",
        "plotting",
    },
}
ANYTHING = {"__init__", "doctor", "cli"}
CORE = {"torch", "numpy", "safetensors", "tqdm"} | set(sys.stdlib_module_names)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """The top-level module a file belongs to: ``losses`` for kdhelpers/losses/checks.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[str]:
    """Every module that a file imports, in full: ``kdhelpers.data.splits``."""
    package = ["kdhelpers", *path.relative_to(PACKAGE).parts[:-1]]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            # "from . import data" names a module only in its last part.
            yield from (
                [f"{start}.{alias.name}" for alias in node.names] if start == "kdhelpers" else [start]
            )


def ours(path: Path, tree: ast.Module) -> set[str]:
    """The modules of ours that a file imports, anywhere in it."""
    found = imports(path, ast.walk(tree))
    names = {name.split(".")[1] for name in found if name.startswith("kdhelpers.")}
    return names - {module_name(path), "__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    module = module_name(path)
    if module not in ANYTHING:
        assert module in ARROWS, f"{module} is new: say in ARROWS what it may import"
        assert ours(path, parsed(path)) <= ARROWS[module]


@pytest.mark.parametrize(
    ("file", "source", "found"),
    [
        ("data/splits.py", "from ..training import train", {"training"}),
        ("data/splits.py", "from .checks import x\nimport torch", set()),
        ("losses/rows.py", "def f():\n    from kdhelpers.training import train", {"training"}),
        ("costs.py", "from . import study, __version__", {"study"}),
        ("costs.py", "import kdhelpers.study.history", {"study"}),
    ],
)
def test_an_import_is_seen_however_it_is_written(file: str, source: str, found: set[str]) -> None:
    assert ours(PACKAGE / file, ast.parse(source)) == found


def test_the_arrows_make_no_circle() -> None:
    settled: set[str] = set()
    while ready := {name for name, uses in ARROWS.items() if uses <= settled} - settled:
        settled |= ready
    assert settled == ARROWS.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_is_optional_is_imported_where_it_is_used(path: Path) -> None:
    names = {name.split(".")[0] for name in imports(path, parsed(path).body)}
    assert names <= CORE | {"kdhelpers"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_is_read_over_a_coffee(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250
    assert "util" not in path.stem, "a drawer for everything: give it the name of what it owns"


def offered(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The functions and classes that one imports from a top-level module."""
    for name, value in vars(module).items():
        is_ours = getattr(value, "__module__", "").startswith(module.__name__)
        if not name.startswith("_") and is_ours and (inspect.isfunction(value) or inspect.isclass(value)):
            yield name, value


def unexplained(value: object) -> bool:
    """Whether a name lacks a docstring, or an example in it (which an exception or protocol needn't)."""
    text = value.__doc__ or ""
    runs = not (getattr(value, "_is_protocol", False) or _is_exception(value))
    return not text.strip() or (">>>" not in text and runs)


def _is_exception(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


@pytest.mark.parametrize("module", sorted({module_name(path) for path in FILES} - {"__init__"}))
def test_public_names_are_explained_and_shown(module: str) -> None:
    names = dict(offered(importlib.import_module(f"kdhelpers.{module}")))
    assert names, "a module that offers nothing"
    assert [name for name, value in names.items() if unexplained(value)] == []


def test_a_name_without_an_example_is_noticed() -> None:
    def bare() -> None:
        """It has no example."""

    assert unexplained(bare)
    bare.__doc__ = "It has one.\n\n>>> bare()"
    assert not unexplained(bare)
