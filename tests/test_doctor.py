"""The doctor: each finding in a sentence, nothing private in any of them."""

from __future__ import annotations

import getpass
import importlib.metadata
import random
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kdhelpers import doctor as module
from kdhelpers import speed
from kdhelpers.doctor import Diagnosis, Finding, doctor

GIGABYTE = 1024**3


@pytest.fixture(autouse=True)
def _quick_and_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speed, "SECONDS", 0.02)
    monkeypatch.setenv("KDHELPERS_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("KDHELPERS_DATA", raising=False)


def test_it_looks_at_everything_and_names_no_machine(tmp_path: Path) -> None:
    diagnosis = doctor()
    names = [finding.name for finding in diagnosis]
    assert names == [
        "Python", "PyTorch", "Processor", "Memory", "Disk",
        "Packages", "Controls", "Study history", "Data folder", "Speed",
    ]  # fmt: skip
    assert {finding.level for finding in diagnosis} <= {"ok", "note", "problem"}
    shown = str(diagnosis) + diagnosis._repr_html_()
    assert all(finding.name in str(diagnosis) and finding.name in shown for finding in diagnosis)
    for private in (str(Path.home()), str(tmp_path), socket.gethostname()):
        assert private not in shown
    assert f"/{getpass.getuser()}" not in shown
    assert all(finding.sentence.endswith(".") for finding in diagnosis)


def test_it_leaves_no_trace(tmp_path: Path) -> None:
    torch.manual_seed(3)
    random.seed(3)
    state, threads, draws = torch.get_rng_state(), torch.get_num_threads(), random.getstate()
    doctor()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert random.getstate() == draws
    assert list((tmp_path / "state").iterdir()) == []


def test_one_problem_makes_the_whole_not_ok() -> None:
    good = Finding("Disk", "note", "0.9 GB of disk free.")
    assert Diagnosis([good]).ok
    bad = Diagnosis([good, Finding("Memory", "problem", "Only 0.1 GB.")])
    assert not bad.ok
    assert str(bad).endswith("1 problem to solve before the lessons run.")
    assert "1 problem to solve" in bad._repr_html_()


def test_the_table_escapes_and_marks_commands() -> None:
    html = Diagnosis([Finding("A & B", "note", "run `pip install 'x>=1'`.")])._repr_html_()
    assert "A &amp; B" in html
    assert "<code>pip install 'x&gt;=1'</code>" in html


@pytest.mark.parametrize(
    ("free", "level"), [(0.5, "problem"), (1.5, "note"), (8.0, "ok")], ids=["too little", "tight", "enough"]
)
def test_memory(monkeypatch: pytest.MonkeyPatch, free: float, level: str) -> None:
    memory = SimpleNamespace(available=int(free * GIGABYTE))
    monkeypatch.setattr(module, "need", lambda *_, **__: SimpleNamespace(virtual_memory=lambda: memory))
    finding = module._memory()
    assert finding.level == level
    assert f"{free:.1f} GB" in finding.sentence


@pytest.mark.parametrize(("free", "level"), [(0.1, "problem"), (5.0, "ok")])
def test_disk(monkeypatch: pytest.MonkeyPatch, free: float, level: str) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=int(free * GIGABYTE)))
    assert module._disk().level == level


@pytest.mark.parametrize(("cores", "level"), [(1, "note"), (2, "ok"), (None, "note")])
def test_processor(monkeypatch: pytest.MonkeyPatch, cores: int | None, level: str) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: cores)
    assert module._processor().level == level


def test_an_old_python_or_torch_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OLDEST", (99, 0))
    assert module._python().level == "problem"
    monkeypatch.setattr(module.torch, "__version__", "2.3.1+cpu")
    assert module._torch().sentence == "PyTorch 2.3.1+cpu is too old: run `pip install 'torch>=2.4'`."


def installed(versions: dict[str, str]) -> Callable[[str], str]:
    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    return version


def test_packages_are_held_to_the_packages_own_list(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = [
        "torch>=2.4",
        'alpha>=1.2; extra == "course"',
        'beta>=2.0; extra == "course"',
        'lab>=4; extra == "lab"',
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: needs)
    monkeypatch.setattr(importlib.metadata, "version", installed({"alpha": "1.10.0", "beta": "2.0.1"}))
    assert module._packages() == Finding("Packages", "ok", "alpha 1.10.0, beta 2.0.1.")
    monkeypatch.setattr(importlib.metadata, "version", installed({"alpha": "1.1"}))
    assert module._packages() == Finding(
        "Packages",
        "problem",
        "alpha 1.1 is older than 1.2; beta is missing: run `pip install -U 'kdhelpers[course]'`.",
    )


def test_what_only_other_pythons_need_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = [
        'alpha>=1.2; extra == "course"',
        "old>=1.0; (python_version < '3.4') and extra == 'course'",
        "new>=1.0; (python_version < '3.99') and extra == 'course'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: needs)
    monkeypatch.setattr(importlib.metadata, "version", installed({"alpha": "1.2"}))
    assert "new is missing" in module._packages().sentence
    assert "old" not in module._packages().sentence


def test_packages_when_we_run_from_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", nowhere)
    assert module._packages().level == "note"


def test_the_real_list_is_read() -> None:
    wanted = dict(module._wanted("course"))
    assert {"matplotlib", "ipywidgets", "platformdirs", "psutil", "scikit-learn"} <= set(wanted)
    assert "jupyterlab" not in wanted


@pytest.mark.parametrize(
    ("notebook", "widgets", "level", "says"),
    [(True, True, "ok", "live"), (True, False, "note", "off"), (False, False, "ok", "Not in a notebook")],
)
def test_controls(
    monkeypatch: pytest.MonkeyPatch, notebook: bool, widgets: bool, level: str, says: str
) -> None:
    monkeypatch.setattr(module, "in_notebook", lambda: notebook)
    monkeypatch.setattr(module, "has_widgets", lambda: widgets)
    finding = module._widgets()
    assert finding.level == level
    assert says in finding.sentence


def test_a_study_folder_that_cannot_be_written_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    assert module._history().level == "ok"
    monkeypatch.setattr(module, "write_whole", refuse)
    assert module._history().level == "note"


def test_the_data_folder_is_there_or_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert module._data().level == "ok"
    monkeypatch.setenv("KDHELPERS_DATA", str(tmp_path))
    assert module._data() == Finding("Data folder", "ok", "KDHELPERS_DATA is set and there.")
    monkeypatch.setenv("KDHELPERS_DATA", str(tmp_path / "missing"))
    assert module._data().level == "note"


@pytest.mark.parametrize(
    ("ratio", "level", "says"),
    [
        (0.3, "ok", "less time"),
        (1.0, "ok", "about as long"),
        (1.8, "note", "up to twice"),
        (4.2, "note", "4 times"),
    ],
)
def test_speed(monkeypatch: pytest.MonkeyPatch, ratio: float, level: str, says: str) -> None:
    monkeypatch.setattr(module, "measure_step_ms", lambda: ratio * speed.REFERENCE_STEP_MS)
    finding = module._speed()
    assert finding.level == level
    assert says in finding.sentence


def test_the_best_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = iter([5.0, 2.0, 9.0])
    clock = iter([0.0, 0.0, 0.01, 0.03])
    monkeypatch.setattr(speed, "_timed", lambda _: next(rounds))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    assert speed._best_round(lambda: 0.0) == 2.0
