"""The project's files agree with each other, and what the README tells people to run, runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import lessons
import pytest
import yaml
from lesson_rules_saved import REGISTRY_HOSTS
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = lessons.ROOT
PROJECT = lessons.project()["project"]
EXTRAS = PROJECT["optional-dependencies"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
HEAVY = (
    "matplotlib",
    "pandas",
    "transformers",
    "IPython",
    "sklearn",
    "torchvision",
    "scipy",
    "mnist1d",
    "click",
    "accelerate",
)
MACHINE_PATH = re.compile(r"(?<![\w.<:}])/(?:work|tmp|home|root|Users)/\w|[A-Z]:\\+Users")


BINARY = (".png", ".ipynb", ".bin", ".safetensors")
# The extras that "course" brings along.
OF_COURSE = [*EXTRAS["text"], *EXTRAS["serving"], *EXTRAS["parquet"]]


def ranges(lines: list[str]) -> dict[str, str]:
    """Package to range, without references to our own extras."""
    requirements = [Requirement(line) for line in lines]
    return {found.name.lower(): str(found.specifier) for found in requirements if found.name != "kdhelpers"}


def committed_files() -> list[Path]:
    """What git holds or would add; everything visible where there is no git."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        hidden = re.compile(r"(^|/)(\.(?!ci|github|pre-commit|gitignore)|__pycache__)")
        every = (str(path.relative_to(ROOT).as_posix()) for path in ROOT.rglob("*"))
        listed = [name for name in every if not hidden.search(name)]
    return [path for name in listed if name and (path := ROOT / name).is_file()]


def block(marker: str) -> str:
    """The code block that follows a marker in the README."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"README.md has no block marked {marker}"
    return found[1]


# --- versions and ranges


def test_conda_gets_the_ranges_that_pip_gets() -> None:
    conda = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
    (by_pip,) = [entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict)]
    assert "-e ." in by_pip
    found = ranges([line for line in [*conda, *by_pip] if line not in ("-e .", "pip")])
    assert found.pop("python") == PROJECT["requires-python"]
    found["torch"] = found.pop("pytorch")
    assert found == ranges([*PROJECT["dependencies"], *EXTRAS["course"], *OF_COURSE, *EXTRAS["lab"]])


def test_binder_gets_what_conda_gets_without_a_gpu() -> None:
    binder = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text(encoding="utf-8"))
    text = json.dumps(ENVIRONMENT).replace('"pytorch>', '"pytorch-cpu>').replace(', "-e ."', "")
    assert binder == json.loads(text)
    assert "pip install --no-deps --editable ." in (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")


def test_the_oldest_job_installs_every_lower_bound() -> None:
    lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    oldest = ranges([line for line in lines if not line.startswith("#")])
    of_course = [*EXTRAS["course"], *OF_COURSE]
    of_tests = [*EXTRAS["lab"], *EXTRAS["accelerate"], *EXTRAS["site"], *EXTRAS["test"]]
    stated = ranges([*PROJECT["dependencies"], *of_course, *of_tests])
    linters = {"ruff", "mypy"}  # Their findings differ by version: the newest decide.
    assert oldest.keys() == stated.keys() - linters
    for name, pin in oldest.items():
        (lower,) = [bound for bound in Requirement(name + stated[name]).specifier if bound.operator == ">="]
        assert Version(pin.removeprefix("==")) == Version(lower.version), name


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\] - (unreleased|\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert newest is not None
    assert {newest[1], str(citation["version"])} == {lessons.version()}
    assert f"version {lessons.version()}" in README


def test_the_address_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == lessons.address()
    assert f'pip install "kdhelpers @ git+{lessons.address()}@v{lessons.version()}"' in README
    owner_and_name = lessons.address().removeprefix("https://github.com/")
    assert f"https://mybinder.org/v2/gh/{owner_and_name}/v{lessons.version()}?" in README
    for path in (path for path in committed_files() if path.suffix in (".md", ".ipynb", ".yml", ".cff")):
        text = path.read_text(encoding="utf-8")
        for found in re.findall(r"github(?:\.com)?/([\w.-]+/kdhelpers)\b", text):
            assert found == owner_and_name, path.name
        for tag in re.findall(r"(?:kdhelpers@|/kdhelpers/blob/)v([\w.]+\w)", text):
            assert tag == lessons.version(), path.name


def test_one_axe_looks_at_the_book() -> None:
    places = (".github/workflows/ci.yml", "scripts/check_book.py")
    named = [re.findall(r"axe-core@([\d.]+)", (ROOT / place).read_text(encoding="utf-8")) for place in places]
    assert named[0] == named[1] != []


# --- the README


@pytest.mark.parametrize(
    ("marker", "folder", "extras", "last"),
    [
        ("course-command", ".venv", "[course,lab]", "bin/jupyter lab notebooks/00_start_here.ipynb"),
        ("test-command", ".venv-test", "[test]", "bin/python -m pytest"),
    ],
)
def test_a_command_is_one_line_that_sets_itself_up(marker: str, folder: str, extras: str, last: str) -> None:
    install = f'{folder}/bin/python -m pip install -e ".{extras}"'
    assert block(marker) == f"python3 -m venv {folder} && {install} && {folder}/{last}\n"
    windows = f"python -m venv {folder}; {install}; {folder}/{last}".replace("bin/", "Scripts/")
    windows = windows.replace("/", "\\")
    assert f"```powershell\n{windows}\n```" in README


def test_the_environments_it_makes_are_ignored_by_git() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert ".venv*/" in ignored


@pytest.mark.whole
def test_the_example_runs(tmp_path: Path) -> None:
    source = block("example")
    assert len([line for line in source.splitlines() if line.strip()]) <= 15
    seeded = "import torch\ntorch.manual_seed(0)\n" + source
    run = subprocess.run([sys.executable, "-c", seeded], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "agreement" in run.stdout.lower()
    assert re.search(r"better|worse|no evidence", run.stdout)


def test_the_table_of_lessons_is_what_the_lessons_say() -> None:
    table = lessons.TABLE.search(README)
    assert table is not None
    if lessons.lesson_paths():
        assert table[0] == table[1] + lessons.readme_table() + table[2]
        assert (ROOT / "docs" / "headline.png").is_file()
        assert re.search(r"<!-- headline -->\n!\[.{20,}\]\(docs/headline\.png\)\n", README)


def test_every_link_to_a_file_leads_somewhere() -> None:
    for path in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", path.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{path.name} links to {target}"


# --- what is committed


def test_no_committed_file_is_large() -> None:
    def limit(path: Path) -> int:  # data is worth its room: 12,000 messages are not small
        return 4_000_000 if ROOT / "data" in path.parents else 1_000_000

    assert [path.name for path in committed_files() if path.stat().st_size > limit(path)] == []


def test_nothing_committed_names_a_machine_or_a_registry() -> None:
    found = []
    for path in (path for path in committed_files() if path.suffix not in BINARY):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.name}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
        found += [f"{path.name}: {host}" for host in REGISTRY_HOSTS if host in text]
    assert found == []


def test_the_package_brings_the_data_that_lessons_read() -> None:
    wheel = lessons.project()["tool"]["hatch"]["build"]["targets"]["wheel"]
    included = {ROOT / source for source in wheel["force-include"]}
    assert all(path.exists() for path in included)
    assert set((ROOT / "data" / "support").glob("*.csv")) <= included
    assert ROOT / "data" / "support" / "teacher_outputs" in included
    assert {ROOT / "data" / "league" / name for name in ("league.csv", "teacher.safetensors")} <= included


def test_the_licences_are_those_of_the_metadata() -> None:
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert "SPDX-License-Identifier: CC-BY-4.0" in (ROOT / "LICENSE-lessons").read_text(encoding="utf-8")


# --- the package from outside


def test_importing_the_package_stays_light() -> None:
    source = f"import sys, kdhelpers; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
