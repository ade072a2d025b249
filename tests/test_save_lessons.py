"""Saving lessons: one form whoever saved it, measured, and nothing written when a cell fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import lessons
import nbformat
import pytest
import save_lessons
from example_lesson import FIGURE, NAME, PIXEL, example_lesson
from lessons import Cost
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tidy_lesson import is_progress, steady, tidy

README = "<!-- headline -->\n<!-- /headline -->\n<!-- lessons -->\nold\n<!-- /lessons -->\nafter\n"
TITLE = "# A lesson\nIt adds.\n\n<!-- measured --><!-- /measured -->"


def notebook_of(*sources: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_markdown_cell(TITLE), *map(new_code_cell, sources)])


@pytest.mark.whole
def test_a_lesson_is_run_measured_and_tidied(tmp_path: Path) -> None:
    path = tmp_path / "00_adds.ipynb"
    notebook = notebook_of("", "import sys\n1 + 1", "print('bar 50%|##  | 1/2', file=sys.stderr)")
    notebook.cells[1].metadata["tags"] = ["install"]
    nbformat.write(notebook, path)
    save_lessons.save(path)
    saved = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(saved)
    header, install, adds, bar = saved.cells
    assert (install.execution_count, install.source) == (1, lessons.install_source())
    assert (adds.execution_count, adds.outputs[0].data["text/plain"]) == (2, "2")
    assert bar.outputs == []
    assert [cell.id for cell in saved.cells] == [
        "a-lesson",
        "a-lesson-install",
        "a-lesson-code",
        "a-lesson-code-2",
    ]
    assert saved.metadata.keys() == {"kernelspec", "language_info"}
    assert lessons.read_cost(saved).seconds >= 5
    assert "<!-- measured -->\n**Time and memory:**" in header.source
    assert 0.0 < lessons.read_cost(saved).memory < 2.0


@pytest.mark.whole
def test_each_lesson_meets_a_reader_who_has_answered_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KDHELPERS_STATE", str(tmp_path))
    look = "from kdhelpers.study import predict, progress\nprogress()"
    answer = 'predict("00/first", "Which?", ["one", "two"], choose=1)'
    notebook = new_notebook(cells=[new_code_cell(look), new_code_cell(answer)])
    for _ in range(2):
        save_lessons.run(notebook, lessons.ROOT / "notebooks")
        assert "Nothing here yet" in notebook.cells[0].outputs[0].data["text/plain"]


@pytest.mark.whole
def test_a_lesson_that_fails_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "00_fails.ipynb"
    nbformat.write(notebook_of("assert 1 == 2, 'not so'"), path)
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="not so"):
        save_lessons.save(path)
    assert path.read_bytes() == before


def test_tidying_a_tidy_lesson_changes_nothing() -> None:
    notebook = example_lesson()
    assert nbformat.writes(tidy(example_lesson(), NAME, Cost(21, 0.52))) == nbformat.writes(notebook)


def test_tidying_fills_the_address_in() -> None:
    notebook = example_lesson()
    notebook.cells[0].source = "# T\nS\n<!-- colab -->old<!-- /colab -->"
    notebook.cells[1].source = "pip install something"
    tidy(notebook, NAME)
    assert lessons.badge(NAME) in notebook.cells[0].source
    assert notebook.cells[1].source == lessons.install_source()


def test_a_chosen_id_stays_and_no_two_are_equal() -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# One"), *(new_code_cell("1") for _ in range(3))])
    notebook.cells[2].id = "one-code"
    names = [cell.id for cell in tidy(notebook, "00_x").cells]
    assert names == ["one", "one-code-2", "one-code", "one-code-3"]


@pytest.mark.parametrize(
    ("new", "old", "kept"),
    [
        (Cost(41, 0.62), None, Cost(45, 0.7)),
        (Cost(48, 0.62), Cost(45, 0.7), Cost(45, 0.7)),
        (Cost(80, 0.62), Cost(45, 0.7), Cost(80, 0.7)),
        (Cost(45, 1.31), Cost(45, 0.7), Cost(45, 1.4)),
        (Cost(45, 0.7, 91), Cost(45, 0.7), Cost(45, 0.7, 91)),
    ],
)
def test_a_measurement_that_agrees_changes_nothing(new: Cost, old: Cost | None, kept: Cost) -> None:
    assert steady(new, old) == kept


@pytest.mark.parametrize("cost", [Cost(45, 0.7), Cost(190, 1.9, 91)])
def test_what_was_measured_is_read_back(cost: Cost) -> None:
    header = f"<!-- measured -->\n{lessons.measured_text(cost)}\n<!-- /measured -->"
    assert lessons.read_cost(new_notebook(cells=[new_markdown_cell(header)])) == cost


def test_what_a_machine_tells_itself_is_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (SimpleNamespace(address=address) for address in ("127.0.0.1", "192.0.2.7"))
    monkeypatch.setattr(save_lessons.psutil, "net_if_addrs", lambda: {"lo": [here], "eth0": [there]})
    counts = {"lo": SimpleNamespace(bytes_recv=10**9), "eth0": SimpleNamespace(bytes_recv=7)}
    monkeypatch.setattr(save_lessons.psutil, "net_io_counters", lambda pernic: counts)
    assert save_lessons.received() == 7


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("\r  0%|          | 0/20 [00:00<?, ?it/s]\r100%|####| 20/20 [00:01<00:00, 19it/s]\n", True),
        ("\r1000it [00:03, 300it/s]\n", True),
        ("100%|####| 20/20\nUserWarning: an old call\n", False),
    ],
)
def test_only_progress_bars_are_dropped(text: str, progress: bool) -> None:
    assert is_progress(new_output("stream", name="stderr", text=text)) is progress


def test_printed_output_is_never_dropped() -> None:
    assert not is_progress(new_output("stream", name="stdout", text="100%|####| 20/20"))
    assert not is_progress(new_output("display_data", data={"text/html": FIGURE, "text/plain": "50%|##|"}))


def test_the_readme_gets_its_table_and_picture(tmp_path: Path) -> None:
    for file in ("pyproject.toml", "kdhelpers/__init__.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes((lessons.ROOT / file).read_bytes())
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    nbformat.write(example_lesson(), tmp_path / "notebooks" / f"{NAME}.ipynb")
    save_lessons.write_readme(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| [3 · An example](notebooks/03_example.ipynb) | Why one temperature is not another. |" in text
    assert "| 0.3 min | 0.5 GB | nothing |" in text
    assert "<!-- headline -->\n![Probabilities of ten classes" in text
    assert text.endswith("<!-- /lessons -->\nafter\n")
    assert (tmp_path / "docs" / "headline.png").read_bytes() == save_lessons.base64.b64decode(PIXEL)
