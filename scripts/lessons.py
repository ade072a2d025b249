"""What every lesson has in common: where it lives, its address, its header, its row in the README.

One setting holds the address, ``[project.urls] Repository`` in pyproject.toml, and one the version,
``kdhelpers/__init__.py``. Badges and install cells are written from the two, and the tests compare them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
# A marker ends its line: Markdown renders nothing that stands on a line beginning with a comment.
MEASURED = re.compile(r"(<!-- measured -->).*?(<!-- /measured -->)", re.DOTALL)
BADGE = re.compile(r"(<!-- colab -->).*?(<!-- /colab -->)", re.DOTALL)
HEADLINE = re.compile(r"(<!-- headline -->\n).*?(<!-- /headline -->)", re.DOTALL)
TABLE = re.compile(r"(<!-- lessons -->\n).*?(<!-- /lessons -->)", re.DOTALL)
_NUMBERS = re.compile(r"about (\d+) s and ([\d.]+) GB on one CPU core(?:, and downloads (\d+) MB)?")
BADGE_PICTURE = "https://colab.research.google.com/assets/colab-badge.svg"


class Cost(NamedTuple):
    """What a lesson takes: wall seconds from a fresh kernel, its peak memory in GB, the MB it downloads."""

    seconds: int
    memory: float
    download: int = 0

    @property
    def download_said(self) -> str:
        return f"{self.download} MB" if self.download else "nothing"


def project(root: Path = ROOT) -> dict:
    """Everything pyproject.toml says."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def address(root: Path = ROOT) -> str:
    """The repository's address, without a slash at its end."""
    return project(root)["project"]["urls"]["Repository"].rstrip("/")


def version(root: Path = ROOT) -> str:
    """The package's version, read without importing it."""
    source = (root / "kdhelpers" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    if found is None:
        raise ValueError('kdhelpers/__init__.py has no line __version__ = "...".')
    return found[1]


def lesson_paths(root: Path = ROOT) -> list[Path]:
    """The lessons, in their order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def badge(name: str, root: Path = ROOT) -> str:
    """The Markdown badge that opens a lesson in Colab, at the tag of this version."""
    owner_and_name = "/".join(address(root).split("/")[-2:])
    link = f"https://colab.research.google.com/github/{owner_and_name}/blob/v{version(root)}/notebooks/{name}.ipynb"
    return f"[![Open In Colab]({BADGE_PICTURE})]({link})"


def install_source(root: Path = ROOT) -> str:
    """The install cell: acts in Colab only, and pip leaves a torch alone that the range already admits."""
    requirement = f"kdhelpers[course] @ git+{address(root)}@v{version(root)}"
    return f'import sys\n\nif "google.colab" in sys.modules:\n    %pip install --quiet "{requirement}"'


def measured_text(cost: Cost) -> str:
    """The sentence about time and memory that a lesson's header holds."""
    return (
        f"**Time and memory:** runs from top to bottom in about {cost.seconds} s and {cost.memory:.1f} GB "
        f"on one CPU core, and downloads {cost.download_said}."
    )


def read_cost(notebook: nbformat.NotebookNode) -> Cost | None:
    """What a lesson's header says that it takes; None when it was never measured."""
    for cell in notebook.cells:
        marked = MEASURED.search(cell.source) if cell.cell_type == "markdown" else None
        numbers = _NUMBERS.search(marked[0]) if marked else None
        if numbers:
            return Cost(int(numbers[1]), float(numbers[2]), int(numbers[3] or 0))
    return None


def title_and_summary(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """A lesson's title and the first sentence below it, from its first cell."""
    title, _, rest = notebook.cells[0].source.strip().partition("\n")
    paragraph = " ".join(rest.strip().split("\n\n")[0].split())
    summary = re.split(r"(?<=[.!?]) ", paragraph)[0]
    if not (title.startswith("# ") and summary):
        raise ValueError("The first cell needs '# Title' and below it one sentence about what it gives.")
    return title[2:].strip(), summary


def readme_table(root: Path = ROOT) -> str:
    """The README's table of lessons, from what the saved notebooks say."""
    rows = ["| Lesson | What it gives you | Time | Memory | Download | |", "|---|---|---|---|---|---|"]
    for path in lesson_paths(root):
        notebook = nbformat.read(path, as_version=4)
        title, summary = title_and_summary(notebook)
        cost = read_cost(notebook)
        if cost is None:
            raise ValueError(
                f"{path.name} was not measured: run `python scripts/save_lessons.py {path.stem}`."
            )
        takes = f"{cost.seconds / 60:.1f} min | {cost.memory:.1f} GB"
        link = f"[{title}](notebooks/{path.name})"
        rows.append(f"| {link} | {summary} | {takes} | {cost.download_said} | {badge(path.stem, root)} |")
    return "\n".join(rows) + "\n"
