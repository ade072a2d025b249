"""The glossary: terms in order, each linked from the lesson that teaches it, and no link that goes astray."""

from __future__ import annotations

import re
from pathlib import Path

import lessons
import nbformat
import pytest

LESSONS = lessons.lesson_paths()
GUIDES = sorted((lessons.ROOT / "notebooks").glob("*.md"))
PLACE = "../docs/glossary.md"
LINK = re.compile(r"\]\(([^)\s]*glossary\.md[^)\s]*)\)")
GLOSSARY = (lessons.ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = re.split(r"^## ", GLOSSARY, flags=re.MULTILINE)[1:]


def term(entry: str) -> str:
    return entry.partition("\n")[0]


def taught(entry: str) -> str:
    """Where an entry says its term is taught: the lesson's title, linked."""
    return entry.strip().rpartition("\n\nTaught in ")[2].removesuffix(".")


def slug(heading: str) -> str:
    """The place that GitHub, and the web book, give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def prose(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def linked(text: str) -> set[str]:
    """The places in the glossary that a page beside the lessons leads to."""
    return {link.removeprefix(f"{PLACE}#") for link in LINK.findall(text)}


def unlinked(entries: list[str], text: str, title: str) -> list[str]:
    """The terms that a lesson is said to teach, and does not link."""
    here = [term(entry) for entry in entries if taught(entry).startswith(f"[{title}]")]
    return [name for name in here if slug(name) not in linked(text)]


def astray(entries: list[str], text: str) -> list[str]:
    """Links to the glossary that lead to no term; a link to all of it is none of them."""
    return sorted(linked(text) - {PLACE, *(slug(term(entry)) for entry in entries)})


def test_terms_are_in_order_and_say_where_they_are_taught() -> None:
    terms = [term(entry) for entry in ENTRIES]
    assert terms == sorted(set(terms), key=str.lower)
    assert len({slug(name) for name in terms}) == len(terms)
    titles = {path: lessons.title_and_summary(nbformat.read(path, as_version=4))[0] for path in LESSONS}
    links = {title[:2]: f"[{title}](../notebooks/{path.name})" for path, title in titles.items()}
    for entry in ENTRIES:
        number = taught(entry).removeprefix("[")[:2]
        assert re.fullmatch(r"\d\d", number), entry
        # without a link while the lesson is still being written
        assert taught(entry) == links.get(number, taught(entry))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_links_each_term_that_it_teaches(path: Path) -> None:
    title, _ = lessons.title_and_summary(nbformat.read(path, as_version=4))
    assert unlinked(ENTRIES, prose(path), title) == []


@pytest.mark.parametrize("path", [*LESSONS, *GUIDES], ids=lambda path: path.stem)
def test_every_link_to_the_glossary_finds_its_term(path: Path) -> None:
    assert astray(ENTRIES, prose(path)) == []


def test_a_missing_link_and_a_wrong_one_are_found() -> None:
    entries = [
        f"{name}\n\nWords.\n\nTaught in [00 · Start](../notebooks/00.ipynb).\n\n"
        for name in ("Logit", "Top-k store", "Holm's method")
    ]
    text = f"A [**logit**]({PLACE}#logit), [Holm]({PLACE}#holms-method), [all]({PLACE}), [x]({PLACE}#soft)."
    assert unlinked(entries, text, "00 · Start") == ["Top-k store"]
    assert unlinked(entries, text, "01 · Another") == []
    assert astray(entries, text) == ["soft"]
    assert astray(entries, "[a](docs/glossary.md#logit)") == ["docs/glossary.md#logit"]
