"""The package's shape: which way its imports point, how long its files are, what its public names say."""

from __future__ import annotations

import ast
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
BASE = {"extras", "files", "seeding"}
DATA = BASE | {"data"}
SHOWN = {"frontend", "extras", "files"}
# What a module may import of ours. It points one way: from a teacher's outputs to a trained student.
ARROWS: dict[str, set[str]] = {
    "extras": set(),
    "files": set(),
    "frontend": set(),
    "seeding": set(),
    "data": BASE,
    "losses": DATA,
    "models": DATA,
    "costs": DATA,
    "evaluation": DATA,
    "teacher_outputs": DATA | {"evaluation"},
    "training": DATA | {"losses", "teacher_outputs"},
    "claims": SHOWN,
    "study": SHOWN,
    "plotting": SHOWN | {"evaluation"},
    "speed": set(),
}
ANYTHING = {"__init__", "doctor", "cli"}
CORE = {"torch", "numpy", "safetensors", "tqdm"} | set(sys.stdlib_module_names)


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


def ours(path: Path, source: str) -> set[str]:
    """The modules of ours that a file imports, anywhere in it."""
    found = imports(path, ast.walk(ast.parse(source)))
    names = {name.split(".")[1] for name in found if name.startswith("kdhelpers.")}
    return names - {module_name(path), "__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    module = module_name(path)
    if module not in ANYTHING:
        assert module in ARROWS, f"{module} is new: say in ARROWS what it may import"
        assert ours(path, path.read_text(encoding="utf-8")) <= ARROWS[module]


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
    assert ours(PACKAGE / file, source) == found


def test_the_arrows_make_no_circle() -> None:
    settled: set[str] = set()
    while ready := {name for name, uses in ARROWS.items() if uses <= settled} - settled:
        settled |= ready
    assert settled == ARROWS.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_is_optional_is_imported_where_it_is_used(path: Path) -> None:
    top = ast.parse(path.read_text(encoding="utf-8")).body
    names = {name.split(".")[0] for name in imports(path, top)}
    assert names <= CORE | {"kdhelpers"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_is_read_over_a_coffee(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250
    assert "util" not in path.stem, "a drawer for everything: give it the name of what it owns"


def public_names() -> Iterator[tuple[str, object]]:
    """Functions and classes that a top-level module offers, with the name one imports them by."""
    for name in sorted({module_name(path) for path in FILES} - {"__init__"}):
        module = importlib.import_module(f"kdhelpers.{name}")
        yield from ((f"{name}.{key}", value) for key, value in offered(module))


def offered(module: ModuleType) -> Iterator[tuple[str, object]]:
    for key, value in vars(module).items():
        is_ours = getattr(value, "__module__", "").startswith(module.__name__)
        if not key.startswith("_") and is_ours and (inspect.isfunction(value) or inspect.isclass(value)):
            yield key, value


@pytest.mark.parametrize(("name", "value"), [pytest.param(*pair, id=pair[0]) for pair in public_names()])
def test_a_public_name_is_explained_and_shown(name: str, value: object) -> None:
    text = value.__doc__ or ""
    assert text.strip(), f"{name} has no docstring"
    is_exception = inspect.isclass(value) and issubclass(value, BaseException)
    assert is_exception or ">>>" in text, f"{name} shows no example"
