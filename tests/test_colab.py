"""A lesson opened from its Colab badge runs: it needs only its own file, and Colab's torch stays as it is.

These tests fetch and install gigabytes, so they are there only when they are asked for:

    pytest tests/test_colab.py -m colab -s                # the lessons named below
    KDHELPERS_COLAB_LESSONS="00 04" pytest tests/test_colab.py -m colab -s

``KDHELPERS_COLAB_ROOM`` may name a folder for the environment, which is then kept for the next time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import colab_room
import lessons
import nbformat
import pytest
from colab_room import Room
from lesson_cells import output_text, tagged

pytestmark = pytest.mark.colab

CHOSEN = os.environ.get("KDHELPERS_COLAB_LESSONS", "00 04").split()
PATHS = [path for path in lessons.lesson_paths() if path.name[:2] in CHOSEN]
# What Colab brings and a lesson must not touch.
THEIRS = ("torch", "torchvision", "nvidia", "triton", "functorch")
WHERE = """
import kdhelpers
from kdhelpers.data import load_support
print("kdhelpers:", kdhelpers.__file__)
print("messages:", len(load_support().test))
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    kept = os.environ.get("KDHELPERS_COLAB_ROOM")
    folder = Path(kept).expanduser() if kept else tmp_path_factory.mktemp("room")
    python = colab_room.make_environment(folder)
    site = Path(colab_room.output_of(python, "-c", colab_room.SITE).strip())
    repository = colab_room.make_repository(tmp_path_factory.mktemp("github") / "kdhelpers")
    room = Room(python, site, colab_room.packages_of(python), repository)
    left = room.packages.keys() & {"kdhelpers"}
    assert not left, "An earlier run was stopped and left kdhelpers in the environment: make it anew."
    return room


@pytest.fixture
def clean_room(room: Room) -> Iterator[Room]:
    yield room
    colab_room.tidy_up(room)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_lesson_runs_from_its_file_alone(
    path: Path, clean_room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive, home = tmp_path / "drive", tmp_path / "home"
    drive.mkdir()
    shutil.copyfile(path, drive / path.name)
    environment = colab_room.surroundings(clean_room, home)
    colab_room.add_kernel(clean_room, tmp_path / "jupyter")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = nbformat.read(drive / path.name, as_version=4)
    (install,) = tagged(notebook, "install")
    assert install.source == lessons.install_source()
    notebook.cells.append(nbformat.v4.new_code_cell(WHERE))
    theirs = colab_room.files_of(clean_room.site, *THEIRS)
    assert any(Path(name).parts[-2:] == ("torch", "version.py") for name in theirs)

    seconds = colab_room.run(notebook, drive, environment)
    installing = seconds[notebook.cells.index(install)]
    lesson = sum(seconds) - installing
    print(f"\n{path.stem}: installing {installing / 60:.1f} minutes, the lesson {lesson / 60:.1f}")

    assert colab_room.files_of(clean_room.site, *THEIRS) == theirs, "The install cell changed Colab's torch."
    after = colab_room.packages_of(clean_room.python)
    assert {name: after.get(name) for name in clean_room.packages} == clean_room.packages
    said = "".join(output_text(output) for output in notebook.cells[-1].outputs)
    assert str(clean_room.site) in said, said
    assert "messages: 600" in said
    assert [found.name for found in drive.iterdir()] == [path.name]
