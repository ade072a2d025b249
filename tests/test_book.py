"""The web book: built once from what is saved, then read page by page as a browser would.

What needs a real browser (contrast, keyboard, width) is in scripts/check_book.py, which the workflow runs.
"""

from __future__ import annotations

import functools
import html
import importlib
import importlib.util
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import lessons
import nbformat
import numpy as np
import pytest
from book_sources import in_the_book, offered

LESSONS = lessons.lesson_paths()
PACKAGE = lessons.ROOT / "kdhelpers"
# What a browser fetches by itself, by tag and attribute.
FETCHED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}
IMAGE = re.compile(r"<img\b[^>]*>")


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text outside code."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self._inside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.ids = {value for _, attributes in self.tags for value in [attributes.get("id")] if value}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag in ("code", "pre", "script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("site") / "book"
    script = lessons.ROOT / "scripts" / "build_book.py"
    command = [sys.executable, str(script), "--to", str(folder)]
    return folder, subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module")
def book(built: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    folder, run = built
    assert run.returncode == 0, run.stderr
    return folder


@functools.cache
def page(path: Path) -> Page:
    return Page(path)


def pages(book: Path) -> dict[str, Page]:
    found = {path.relative_to(book).as_posix(): path for path in sorted(book.rglob("*.html"))}
    return {name: page(path) for name, path in found.items() if not name.startswith("_static/")}


@pytest.mark.whole
def test_it_is_built_without_a_warning(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, run = built
    assert (run.returncode, run.stderr) == (0, "")


def broken_links(book: Path) -> list[str]:
    """Links inside the book that lead to no page, or to no place on it."""
    found = []
    for name, here in pages(book).items():
        for link in (tag["href"] for tag in here.named("a") if "href" in tag):
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = ((book / name).parent / unquote(parts.path)).resolve() if parts.path else book / name
            if not target.is_file():
                found.append(f"{name}: {link}")
            elif target.suffix == ".html" and unquote(parts.fragment) not in {"", *page(target).ids}:
                found.append(f"{name}: {link}, which has no such place")
    return found


@pytest.mark.whole
def test_every_link_leads_somewhere(book: Path) -> None:
    assert broken_links(book) == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a> <a href="c.html">c</a>', encoding="utf-8")
    (tmp_path / "b.html").write_text('<p id="there">', encoding="utf-8")
    assert broken_links(tmp_path) == ["a.html: b.html#here, which has no such place", "a.html: c.html"]


@pytest.mark.whole
def test_nothing_is_fetched_from_elsewhere(book: Path) -> None:
    found = []
    for name, here in pages(book).items():
        fetched = [tags[key] for tag, tags in here.tags for of, key in FETCHED if of == tag and key in tags]
        links = [one for one in fetched if re.match(r"(https?:)?//", one)]
        found += [f"{name}: {link}" for link in links]
    for path in book.rglob("*.css"):
        found += re.findall(
            r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)]*", path.read_text(encoding="utf-8")
        )
    assert found == []


@pytest.mark.whole
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_there_with_its_figures_and_folded_cells(book: Path, path: Path) -> None:
    here = page(book / "notebooks" / f"{path.stem}.html")
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = ["".join(one.get("data", {}).get("text/html", "")) for cell in code for one in cell.outputs]
    saved = [image for output in outputs for image in IMAGE.findall(output)]
    wanted = [html.unescape(re.search(r'alt="([^"]*)"', image)[1]) for image in saved]
    shown = [image["alt"] for image in here.named("img") if image["src"].startswith("data:")]
    assert shown == wanted
    assert all(len(alt.split()) > 3 for alt in shown)
    folded = [cell for cell in code if cell.metadata.get("jupyter", {}).get("source_hidden")]
    hidden = [tag for tag in here.named("details") if "hide" in tag.get("class", "")]
    assert len(hidden) == len(folded) + 1  # Colab's install cell
    colab = [tag["href"] for tag in here.named("a") if tag.get("href", "").startswith("https://colab.")]
    assert lessons.badge(path.stem).endswith(f"({colab[0]})")


@pytest.mark.whole
def test_lessons_stand_in_their_order(book: Path) -> None:
    links = [
        tag["href"] for tag in page(book / "lessons.html").named("a") if "nav" not in tag.get("class", "")
    ]
    order = list(dict.fromkeys(re.findall(r"notebooks/(\w+)\.html", " ".join(links))))
    assert order == [path.stem for path in LESSONS]


@pytest.mark.whole
def test_a_search_finds_each_lesson(book: Path) -> None:
    source = (book / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(source.removeprefix("Search.setIndex(").removesuffix(")"))
    for path in LESSONS:
        number = index["docnames"].index(f"notebooks/{path.stem}")
        title, _ = lessons.title_and_summary(nbformat.read(path, as_version=4))
        assert index["titles"][number] == title
    stem = "temperatur"  # A word of a heading is not listed with the words of the text.
    found = [
        number for kind in ("terms", "titleterms") for number in np.atleast_1d(index[kind].get(stem, []))
    ]
    assert index["docnames"].index("notebooks/03_soft_targets") in found


@pytest.mark.whole
def test_formulas_are_drawn_without_a_script(book: Path) -> None:
    for path in LESSONS:
        here = page(book / "notebooks" / f"{path.stem}.html")
        cells = nbformat.read(path, as_version=4).cells
        prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert len(here.named("math")) >= prose.count("$$") // 2
        assert not re.search(r"\$\$|\\frac", "".join(here.text)), path.stem


def modules() -> list[str]:
    found = [
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    ]
    return sorted(name for name in found if not name.startswith("_"))


@pytest.mark.whole
@pytest.mark.parametrize("name", modules())
def test_each_public_name_is_in_the_reference(book: Path, name: str) -> None:
    module = importlib.import_module(f"kdhelpers.{name}")
    described = page(book / "api" / f"{name}.html").ids
    every = set().union(*(page(path).ids for path in (book / "api").glob("*.html")))
    assert offered(module)
    for one in offered(module):
        home = getattr(getattr(module, one), "__module__", module.__name__)
        is_guest = home.startswith("kdhelpers.") and not f"{home}.".startswith(f"kdhelpers.{name}.")
        place = f"kdhelpers.{home.split('.')[1]}.{one}" if is_guest else f"kdhelpers.{name}.{one}"
        assert place in (every if is_guest else described)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[![In Colab](https://host/a.svg)](https://host/b)", "[In Colab](https://host/b)"),
        ("![ours](docs/headline.png)", "![ours](docs/headline.png)"),
        ("[start](../README.md#start)", "[start](../index.md#start)"),
        ("[data](data/README.md)", "[data](data/README.md)"),
    ],
)
def test_links_and_badges_fit_the_book(written: str, read: str) -> None:
    assert in_the_book(written) == read


def mathml() -> ModuleType:
    path = lessons.ROOT / "docs" / "book" / "mathml.py"
    specification = importlib.util.spec_from_file_location("book_mathml", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "tex",
    [
        r"p_i(T) = \frac{e^{t_i/T}}{\sum_j e^{t_j/T}}",
        r"\big[(s_i - \bar s) - (t_i - \bar t)\big]",
        r"\texttt{kd\_weight} \cdot \operatorname*{softmax}(z)",
        r"\begin{aligned} a &= b \\ &= c \end{aligned}",
    ],
)
def test_a_formula_becomes_mathml(tex: str) -> None:
    assert mathml().converted(tex, None, as_block=True).startswith("<math")


def test_a_bar_stands_above_its_letter_without_a_font_for_mathematics() -> None:
    formula = mathml().converted(r"\bar s", None, as_block=False)
    assert "<mover>" in formula
    assert "accent=" not in formula


def test_a_formula_that_cannot_be_read_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    module, said = mathml(), []
    monkeypatch.setattr(
        module.LOGGER, "warning", lambda sentence, *parts, location: said.append(sentence % parts)
    )
    assert module.converted(r"\nosuch{a<b}", None, as_block=False) == r"<code>\nosuch{a&lt;b}</code>"
    assert "nosuch" in said[0]
