"""Colab's way, here: an environment that has torch, the notebook's file alone, and the repository's address.

The install cell names the tag on GitHub. It runs unchanged: git is told to fetch that address from a
repository made of this checkout as it is on disk, tagged with this version.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import lessons
import nbformat
from nbclient import NotebookClient

# What Colab has that a lesson's kernel needs, before anything of ours is there.
BEFORE = ("torch", "torchvision", "ipykernel", "ipywidgets")
# The kernel of Colab has loaded google.colab when the first cell runs.
STARTUP = "import google.colab\n"
SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"

Packages = dict[str, str]
Files = dict[str, tuple[int, int]]


class Room(NamedTuple):
    """An environment to run lessons in, and the repository that stands for GitHub's."""

    python: Path
    site: Path
    packages: Packages
    repository: Path


def output_of(*command: str | Path, **settings: object) -> str:
    """What a command prints; its own words when it fails."""
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, **settings)
    assert ran.returncode == 0, f"{command[0]} failed:\n{ran.stdout[-2000:]}{ran.stderr[-4000:]}"
    return ran.stdout


def packages_of(python: Path) -> Packages:
    """Each installed package and its version."""
    listed = json.loads(
        output_of(python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check")
    )
    return {found["name"]: found["version"] for found in listed}


def files_of(site: Path, *names: str) -> Files:
    """Size and time of change of every file of these packages, but for what Python itself compiles."""
    roots = [root for name in names for root in (site / name, *site.glob(f"{name}-*.dist-info"))]
    found = [path for root in roots for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def make_environment(folder: Path) -> Path:
    """The Python of a new environment with what Colab has; one that is there already is taken as it is."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        output_of(sys.executable, "-m", "venv", folder)
    if missing := [name for name in BEFORE if name not in packages_of(python)]:
        output_of(python, "-m", "pip", "install", "--quiet", *missing)
    colab = Path(output_of(python, "-c", SITE).strip()) / "google" / "colab"
    colab.mkdir(parents=True, exist_ok=True)
    (colab / "__init__.py").touch()
    return python


def make_repository(folder: Path) -> Path:
    """A repository of this checkout as it is on disk, tagged as a release."""
    listed = output_of(
        "git", "-C", lessons.ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"
    )
    for name in filter(None, listed.split("\0")):
        if (source := lessons.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
    git = ("git", "-C", folder, "-c", "user.name=A tester", "-c", "user.email=tester@example.com")
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "As it is on disk"]):
        output_of(*git, *step)
    output_of(*git, "tag", f"v{lessons.version()}")
    output_of(*git, "config", "uploadpack.allowFilter", "true")  # As GitHub allows it.
    return folder


def surroundings(room: Room, home: Path) -> dict[str, str]:
    """The variables of a machine where nothing of ours ever was."""
    ours = ("KDHELPERS_", "JUPYTER", "PYTHON", "VIRTUAL_ENV", "XDG_", "PYTEST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    startup = home / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-colab.py").write_text(STARTUP, encoding="utf-8")
    cache = output_of(room.python, "-m", "pip", "cache", "dir").strip()  # Downloads are kept, as a courtesy.
    redirect = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{room.repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": lessons.address(),
    }
    places = {"HOME": home, "USERPROFILE": home, "IPYTHONDIR": home / "ipython", "PIP_CACHE_DIR": cache}
    return kept | redirect | {name: str(value) for name, value in places.items()}


def add_kernel(room: Room, folder: Path) -> None:
    """Write what Jupyter needs to find the room's kernel under the name ``colab``."""
    place = folder / "kernels" / "colab"
    place.mkdir(parents=True)
    command = [str(room.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "As in Colab", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def run(notebook: nbformat.NotebookNode, folder: Path, environment: dict[str, str]) -> list[float]:
    """Execute a notebook from its first cell to its last, starting in a folder; the seconds of each."""
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="colab", resources=resources, store_widget_state=False
    )
    client.execute(env=environment)
    return [seconds_of(cell) for cell in notebook.cells]


def seconds_of(cell: nbformat.NotebookNode) -> float:
    """How long a cell ran, by what the client noted; 0 for text."""
    noted = cell.metadata.get("execution", {})
    if "shell.execute_reply" not in noted:
        return 0.0
    end, start = (noted[name].replace("Z", "+00:00") for name in ("shell.execute_reply", "iopub.status.busy"))
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def tidy_up(room: Room) -> None:
    """Take away what a lesson installed: in Colab each notebook has a machine of its own."""
    if added := sorted(packages_of(room.python).keys() - room.packages.keys()):
        output_of(room.python, "-m", "pip", "uninstall", "--quiet", "--yes", *added)
