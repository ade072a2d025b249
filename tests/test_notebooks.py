"""Every saved lesson keeps the rules, and the rules notice when one doesn't."""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from types import SimpleNamespace

import lesson_rules
import lessons
import nbformat
import pytest
from example_lesson import FIGURE, NAME, PIXEL, example_lesson
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_markdown_cell, new_output
from packaging.requirements import Requirement

# The lessons that exist, in the order they are read.
EXPECTED = [
    "00_start_here",
    "01_what_is_distillation",
    "02_teacher_and_student",
    "03_soft_targets",
    "04_support_classifier",
    "05_distillation_vs_fine_tuning",
    "06_distillation_vs_quantization",
    "07_evals",
    "08_serving_and_monitoring",
    "09_features_and_relations",
    "10_language_models",
    "11_mixture_of_experts",
    "12_your_own_data",
]

LESSONS = lessons.lesson_paths()


@functools.cache
def saved(path: Path) -> nbformat.NotebookNode:
    """A lesson as it is on disk: the rules only look at it."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


@pytest.mark.whole
@pytest.mark.parametrize("path", LESSONS, ids=[path.stem for path in LESSONS])
@pytest.mark.parametrize("rule", lesson_rules.RULES, ids=[rule.__name__ for rule in lesson_rules.RULES])
def test_a_lesson_keeps_the_rules(path: Path, rule) -> None:
    found = list(rule(saved(path), path.stem))
    assert not found, "\n".join(found)


def test_the_lessons_are_those_of_the_plan() -> None:
    assert [path.stem for path in LESSONS] == EXPECTED


def test_the_example_keeps_every_rule() -> None:
    assert lesson_rules.problems(example_lesson(), NAME) == []


def cell(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def edit(name, **fields):
    return lambda notebook: cell(notebook, name).update(fields)


def drop(name):
    return lambda notebook: notebook.cells.remove(cell(notebook, name))


def untag(name):
    return lambda notebook: cell(notebook, name).metadata.pop("tags")


def replace(name, old, new):
    def break_it(notebook):
        found = cell(notebook, name)
        assert old in found.source, "the example changed: this case breaks nothing"
        found.source = found.source.replace(old, new)

    return break_it


def output(where, kind="display_data", **fields):
    return lambda notebook: cell(notebook, where).outputs.append(new_output(kind, **fields))


def prose(text):
    return lambda notebook: notebook.cells.append(new_markdown_cell(text, id="prose"))


BROKEN = {
    "format is not 4.5": lambda notebook: notebook.update(nbformat_minor=4),
    "Not a valid notebook": lambda notebook: cell(notebook, "hotter").outputs[0].pop("metadata"),
    "more than kernelspec": lambda notebook: notebook.metadata.update(widgets={}),
    "kernel is not python3": lambda notebook: notebook.metadata.kernelspec.update(name="mine"),
    "language_info should": lambda notebook: notebook.metadata.language_info.update(version="3.11.7"),
    "metadata that lessons don't use: scrolled": lambda notebook: cell(notebook, "hotter").metadata.update(
        scrolled=1
    ),
    "Two cells share": edit("hotter", id="quiz"),
    "'1f3c9a77' is made up": edit("hotter", id="1f3c9a77"),
    "hotter has 26 lines": edit("hotter", source="x = 1\n" * 26),
    "median code cell": lambda notebook: [c.update(source=c.source + "\n1" * 8) for c in notebook.cells],
    "not 1, 2, 3": edit("hotter", execution_count=40),
    "calls quiz but has no saved": edit("quiz", outputs=[]),
    "hotter failed: ValueError": output("hotter", "error", ename="ValueError", evalue="", traceback=[]),
    "wrote to stderr": output("hotter", "stream", name="stderr", text="UserWarning: old"),
    "saved a widget": output("hotter", data={"application/vnd.jupyter.widget-view+json": {}}),
    "shows a path of one machine": output("hotter", data={"text/plain": "saved to /home" + "/ada/x.pt"}),
    "names the host": prose("See " + "pypi" + ".org."),
    "bare image": output("hotter", data={"image/png": PIXEL}),
    "alt text is missing": output("hotter", data={"text/html": FIGURE.replace("alt=", "title=")}),
    "says too little": output("hotter", data={"text/html": re.sub('alt=".*?"', 'alt="A plot"', FIGURE)}),
    "picture without alt": prose("![](x.png)"),
    "figures take": output("hotter", data={"text/html": FIGURE.replace(PIXEL, "AAAA" * 100_001)}),
    "needs '# Title'": edit("header", source="## What you will be able to do"),
    "160 fit into": replace("header", "Why one", "Why one " * 30),
    "no heading 'What you will": replace("header", "## What you", "What you"),
    "no heading 'Common confusions'": drop("confusions"),
    "no heading 'What to read next'": drop("reading"),
    "what the lesson builds on": replace("header", "**Builds on:**", "After"),
    "were not measured": replace("header", "20 s", "no time"),
    "badge is missing or old": replace("header", "/blob/v", "/blob/v9"),
    "not the install cell": untag("install"),
    "fewer than two predictions": replace("ask-colder", "predict(", "print("),
    "'03/colder' is asked but not": replace("show-colder", "reveal(", "print("),
    "'03/hotter' nothing runs": drop("hotter"),
    "'4/q' should start": replace("quiz", "03/q", "4/q"),
    "Nothing is built by hand": untag("by-hand"),
    "more than 12 lines": replace("by-hand", "return", "\n" * 12 + "    return"),
    "no cell tagged 'assert-equal'": untag("same-as-ours"),
    "After by-hand no cell": replace("same-as-ours", " and kd_loss", ""),
    "There is no control": replace("control", "explore", "print"),
    "control has no figure": edit("control", outputs=[new_output("stream", text="figure")]),
    "no exercise with a check": drop("exercise"),
    "'03/soften' has no solution": drop("solution"),
    "solution is not collapsed": lambda notebook: cell(notebook, "solution").metadata.pop("jupyter"),
    "solution asserts nothing": replace("solution", "assert ", ""),
    "There is no quiz": drop("quiz"),
    "There are 2 claims": replace("claims", 'claim("0', 'print("0'),
    "states '72.5%'": prose("The student reaches 72.5% here."),
    "'4 times faster'": prose("It is 4 times faster."),
}


@pytest.fixture(scope="module")
def noticed() -> dict[str, dict[str, list[str]]]:
    """What each rule says of each broken lesson."""
    found, whole = {}, example_lesson()
    for sentence, break_it in BROKEN.items():
        notebook = copy.deepcopy(whole)
        break_it(notebook)
        found[sentence] = {rule.__name__: list(rule(notebook, NAME)) for rule in lesson_rules.RULES}
    return found


@pytest.mark.parametrize("sentence", BROKEN)
def test_a_broken_lesson_is_noticed(sentence: str, noticed: dict) -> None:
    assert sentence in "\n".join(line for lines in noticed[sentence].values() for line in lines)


@pytest.mark.parametrize("rule", [rule.__name__ for rule in lesson_rules.RULES])
def test_every_rule_is_tried(rule: str, noticed: dict) -> None:
    assert any(by_rule[rule] for by_rule in noticed.values())


@pytest.mark.parametrize(
    "text", ["A 95% interval.", "A 95 % confidence interval.", "40 points of a signal, 4 times."]
)
def test_a_chosen_number_is_no_result(text: str) -> None:
    notebook = example_lesson()
    prose(text)(notebook)
    assert lesson_rules.problems(notebook, NAME) == []


def test_a_published_number_may_be_quoted() -> None:
    notebook = example_lesson()
    prose("The paper reports 94%.")(notebook)
    cell(notebook, "prose").metadata["tags"] = ["quoted"]
    assert lesson_rules.problems(notebook, NAME) == []


@pytest.mark.parametrize("in_colab", [True, False])
def test_the_install_cell_acts_in_colab_only(in_colab: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda magic, line: commands.append((magic, line)))
    monkeypatch.setitem(lessons.sys.modules, "google.colab", SimpleNamespace()) if in_colab else None
    exec(TransformerManager().transform_cell(lessons.install_source()), {"get_ipython": lambda: shell})
    assert len(commands) == in_colab
    for magic, line in commands:
        requirement = Requirement(line.split('"')[1])
        assert (magic, requirement.name, requirement.extras) == ("pip", "kdhelpers", {"course"})
        assert requirement.url == f"git+{lessons.address()}@v{lessons.version()}"
        # Only pip's default leaves an installed torch alone where the range admits it.
        assert "upgrade" not in line
        assert "-U" not in line
