"""The teaching guide agrees with the lessons: parts, cells, keys, minutes, commands and links are there."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import lessons
import nbformat
import pytest
from lesson_cells import code_cells, keys

from kdhelpers import study

PATH = lessons.ROOT / "notebooks" / "teaching_guide.md"
GUIDE = PATH.read_text(encoding="utf-8")
PARTS = ("Goal.", "The moment of surprise.", "Misconceptions.", "Late joiners.", "Ask.", "If late.")
LESSONS = lessons.lesson_paths()
ASKERS = ("predict", "reveal", "check", "quiz")
# A § before a title in italics names a section of a lesson.
SECTION = re.compile(r"§ \*([^*]+)\*")
KEY = re.compile(r"`(\d\d/[\w-]+)`")
PLAN = re.compile(r"^### ([^\n]+): (\d+) minutes\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)


@functools.cache
def notebook(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@functools.cache
def headings(path: Path) -> set[str]:
    cells = [cell.source for cell in notebook(path).cells if cell.cell_type == "markdown"]
    return {found for source in cells for found in re.findall(r"^#+ (.+?)\s*$", source, re.MULTILINE)}


@functools.cache
def known_keys(path: Path) -> set[str]:
    return {key for cell in code_cells(notebook(path)) for asker in ASKERS for key in keys(cell, asker)}


def chapter(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, f"The guide has no chapter {title}."
    return found[1]


def part(path: Path) -> str:
    """What the guide says about a lesson; its heading is the lesson's title, linked."""
    title, _ = lessons.title_and_summary(notebook(path))
    heading = f"### [{title}]({path.name})\n"
    assert GUIDE.count(heading) == 1, f"The guide has no part for {path.name}, titled {title}."
    return re.split(r"^##", GUIDE.split(heading)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def block(marker: str) -> str:
    found = re.search(rf"<!-- {marker} -->\n```bash\n(.*?)\n```", GUIDE, re.DOTALL)
    assert found, f"The guide has no command marked {marker}."
    return found[1]


# --- the lessons' parts


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_its_part_with_everything_in_it(path: Path) -> None:
    text = part(path)
    assert [name for name in PARTS if f"**{name}**" not in text] == []
    by_name = dict(
        zip(PARTS, re.split("|".join(rf"\*\*{re.escape(p)}\*\*" for p in PARTS), text)[1:], strict=True)
    )
    assert len(by_name["Goal."].split()) <= 30
    assert set(KEY.findall(by_name["The moment of surprise."]))
    misconceptions = re.findall(r"^- \"[^→]+\" → \S", by_name["Misconceptions."], re.MULTILINE)
    assert len(misconceptions) >= 3
    assert re.findall(r"^(\d)\. \*[^*]+\?\*", by_name["Ask."], re.MULTILINE) == ["1", "2", "3"]
    assert SECTION.search(by_name["Late joiners."])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_sections_that_a_part_names_are_in_its_lesson(path: Path) -> None:
    named = {" ".join(name.split()) for name in SECTION.findall(part(path))}
    assert named - headings(path) == set()


def test_no_part_is_about_a_lesson_that_is_not_there() -> None:
    linked = re.findall(r"^### \[.+\]\((.+)\)$", chapter("Lesson by lesson"), re.MULTILINE)
    assert linked == [path.name for path in LESSONS]


def test_every_section_and_key_is_in_some_lesson() -> None:
    every = {heading for path in LESSONS for heading in headings(path)}
    assert {" ".join(name.split()) for name in SECTION.findall(GUIDE)} - every == set()
    assert set(KEY.findall(GUIDE)) - {key for path in LESSONS for key in known_keys(path)} == set()


# --- the plans


@pytest.mark.parametrize(("title", "minutes", "table"), PLAN.findall(GUIDE))
def test_the_minutes_of_a_plan_add_up(title: str, minutes: str, table: str) -> None:
    spent = [(int(row[0]), row[1]) for row in rows(table)]
    assert sum(time for time, _ in spent) == int(minutes)
    sitting = 0
    for time, what in spent:
        sitting = 0 if what in ("Break", "Lunch") else sitting + time
        assert sitting <= 110, f"{title}: {sitting} minutes without a break before {what}"


def test_there_is_a_plan_for_half_a_day_and_for_one() -> None:
    assert {"Half a day", "One day"} <= {title for title, _, _ in PLAN.findall(GUIDE)}


@pytest.mark.parametrize("table", [table for _, _, table in PLAN.findall(GUIDE)])
def test_a_plan_names_sections_of_the_lesson_it_is_about(table: str) -> None:
    for row in rows(table):
        numbers = re.findall(r"[Ll]esson (\d\d)", " ".join(row))
        known = {heading for path in LESSONS if path.name[:2] in numbers for heading in headings(path)}
        assert set(SECTION.findall(" ".join(row))) - known == set()
        assert {key[:2] for key in KEY.findall(" ".join(row))} <= set(numbers)


# --- what it tells people to run


def test_the_wheelhouse_is_made_and_used_by_the_same_names() -> None:
    made, used = block("wheelhouse"), block("offline")
    assert made.endswith('pip wheel --wheel-dir wheelhouse ".[course,lab]"')
    assert 'pip install --no-index --find-links wheelhouse "kdhelpers[course,lab]"' in used
    for command in (made, used):
        steps = command.replace("python3", "python").split(" && ")
        windows = "; ".join(step.replace("/bin/", "\\Scripts\\") for step in steps)
        assert f"```powershell\n{windows}\n```" in GUIDE


@pytest.mark.whole
def test_the_handout_command_takes_outputs_away(tmp_path: Path) -> None:
    from nbconvert.nbconvertapp import NbConvertApp

    command = block("handout").split()
    options = command[2:-1]
    assert command[:2] == [".venv/bin/jupyter", "nbconvert"]
    assert command[-1] == "notebooks/*.ipynb"
    lesson = LESSONS[0]
    options[options.index("handout")] = str(tmp_path)
    app = NbConvertApp()
    app.initialize([*options, str(lesson)])
    app.start()
    handed = nbformat.read(tmp_path / lesson.name, as_version=4)
    assert [cell.source for cell in handed.cells] == [cell.source for cell in notebook(lesson).cells]
    assert not any(cell.outputs for cell in code_cells(handed))
    assert any(cell.outputs for cell in code_cells(notebook(lesson)))


def test_what_it_imports_and_sets_is_there() -> None:
    for name in re.findall(r"from kdhelpers\.study import (\w+)", GUIDE):
        assert callable(getattr(study, name))
    package = "".join(path.read_text(encoding="utf-8") for path in (lessons.ROOT / "kdhelpers").rglob("*.py"))
    variables = set(re.findall(r"KDHELPERS_\w+", GUIDE))
    assert variables
    assert {name for name in variables if f'"{name}"' not in package} == set()


def test_no_lesson_takes_more_memory_than_it_says() -> None:
    stated = re.search(r"No lesson takes more than (\d+) GB", GUIDE)
    assert stated
    costs = [lessons.read_cost(notebook(path)) for path in LESSONS]
    assert max(cost.memory for cost in costs if cost) <= int(stated[1])


# --- links


def anchor(heading: str) -> str:
    """The name that GitHub and Jupyter Book give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", GUIDE):
        if target.startswith("https://"):
            continue
        file, _, place = target.partition("#")
        found = (PATH.parent / file).resolve() if file else PATH
        assert found.is_file(), target
        if place:
            text = found.read_text(encoding="utf-8")
            assert place in {anchor(h) for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}, target


# --- grading


def test_the_exam_has_ten_questions_with_answers_and_the_rubric_its_six_lines() -> None:
    grading = chapter("Grading")
    asked = re.findall(r"^(\d+)\. \*[^*]+\*\s+\S", grading, re.MULTILINE)
    assert asked == [str(number) for number in range(1, 11)]
    rubric = rows(grading.split("### A short project")[1].split("### An exam")[0])
    assert len(rubric) == 6
    assert "Nine points of twelve" in grading
    assert all(len(row) == 4 and all(row) for row in rubric)
